package publish

import (
	"errors"
	"fmt"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox"
)

// ChannelStable is the channel of versions that are no pre-releases.
const ChannelStable = "stable"

// Channel returns the channel of a version: [ChannelStable], or the first
// identifier of a pre-release without digits behind it: "beta" of 1.2.0-beta.3 and
// of 1.2.0-beta3, "pre" when it is a number. It is "" when it is not a version.
func Channel(version string) string {
	v, err := catalog.ParseVersion(version)
	if err != nil {
		return ""
	}
	if v.Prerelease() == "" {
		return ChannelStable
	}
	first, _, _ := strings.Cut(v.Prerelease(), ".")
	name := strings.ToLower(strings.TrimRight(first, "0123456789"))
	if name = strings.Trim(name, "-"); name == "" || name == ChannelStable {
		return "pre"
	}
	return name
}

// readNotes takes the notes from the input or the changelog.
func (v *validator) readNotes() {
	const advice = "write what is new for people, under \"### Added\", \"### Changed\", \"### Fixed\", \"### Removed\", \"### Security\" or \"### Breaking\""
	if v.in.Notes != nil {
		v.notes = *v.in.Notes
		if err := v.notes.Check(); err != nil {
			v.add(Problem{Rule: ruleNotes, Field: "notes", Message: err.Error()})
		} else if v.notes.Empty() {
			v.add(Problem{Rule: ruleNotesEmpty, Field: "notes", Message: "the release has no notes", Advice: advice})
		}
		return
	}
	if v.m.Changelog == "" {
		v.field(ruleNotesEmpty, "", "add \"changelog\": \"CHANGELOG.md\", or give release notes", "the release has no notes: there is no changelog")
		return
	}
	b, err := readFile(v.in.Files, v.m.Changelog, catalog.MaxMedia)
	if err != nil {
		return // said where files are looked at
	}
	all, err := ParseChangelog(b)
	if err != nil {
		v.addNotes(err)
		return
	}
	for _, e := range all {
		if e.Version != v.m.Version {
			continue
		}
		if v.notes, err = e.Notes(); err != nil {
			v.addNotes(err)
		} else if v.notes.Empty() {
			v.add(Problem{File: v.m.Changelog, Line: e.Line, Rule: ruleNotesEmpty, Message: fmt.Sprintf("nothing is said of %s", v.m.Version), Advice: advice})
		}
		return
	}
	v.add(Problem{
		File: v.m.Changelog, Rule: ruleNotesEmpty, Message: fmt.Sprintf("has no entry for %s", v.m.Version),
		Advice: fmt.Sprintf("add the heading \"## [%s] - <date>\" and below it what is new", v.m.Version),
	})
}

func (v *validator) addNotes(err error) {
	p := Problem{File: v.m.Changelog, Rule: ruleNotes, Message: err.Error(), Advice: "see https://keepachangelog.com"}
	if at := (*NotesError)(nil); errors.As(err, &at) {
		p.Line, p.Message = at.Line, at.Reason
	}
	v.add(p)
}

// version compares with the releases so far.
func (v *validator) version() {
	var newest string // of the channel, whatever became of it
	for _, r := range v.in.Previous {
		if r.Version == v.m.Version {
			v.field(ruleVersionExists, "version", "raise the version", "%s was published before, and a release never changes", v.m.Version)
			return
		}
		if Channel(r.Version) == Channel(v.m.Version) && (newest == "" || catalog.CompareVersions(r.Version, newest) > 0) {
			newest = r.Version
		}
	}
	if newest != "" && catalog.CompareVersions(v.m.Version, newest) < 0 {
		v.field(ruleVersionOrder, "version", "use a version greater than "+newest, "%s is not greater than %s, the newest of the channel %s", v.m.Version, newest, Channel(v.m.Version))
		return
	}
	if before, ok := v.before(); ok {
		v.semver(before)
	}
}

// before returns the release that people update from: the greatest below this one
// of its channel, else the greatest stable one, that was not withdrawn.
func (v *validator) before() (best catalog.Release, found bool) {
	for _, channel := range []string{Channel(v.m.Version), ChannelStable} {
		for _, r := range v.in.Previous {
			if Channel(r.Version) != channel || r.State == catalog.Withdrawn || catalog.CompareVersions(r.Version, v.m.Version) >= 0 {
				continue
			}
			if !found || catalog.CompareVersions(r.Version, best.Version) > 0 {
				best, found = r, true
			}
		}
		if found {
			return best, true
		}
	}
	return best, false
}

// semver holds the version to what changed. Below 1.0.0 a new minor version may
// break, as SemVer has it.
func (v *validator) semver(old catalog.Release) {
	a, errA := catalog.ParseVersion(old.Version)
	b, errB := catalog.ParseVersion(v.m.Version)
	if errA != nil || errB != nil {
		return // the manifest was checked; an old one that is no version has no order
	}
	minor := b.Major() > a.Major() || b.Minor() > a.Minor()
	major := b.Major() > a.Major() || a.Major() == 0 && minor
	since := fmt.Sprintf("since %s without a new major version", old.Version)
	if !major {
		v.permissions(old, since)
		advice := "raise the major version"
		if a.Major() == 0 {
			advice = "raise the minor version"
		}
		if n := len(v.notes.Breaking) + len(v.notes.Removed); n > 0 {
			v.field(ruleSemverBreaking, "version", advice, "the notes name something that breaks or was removed %s", since)
		}
	}
	if !minor && len(v.notes.Added) > 0 && a.Major() > 0 {
		v.field(ruleSemverMinor, "version", "raise the minor version", "the notes name something that was added since %s, but the version says that it was only repaired", old.Version)
	}
}

func (v *validator) permissions(old catalog.Release, since string) {
	was, _, errA := old.Manifest.Wants()
	is, _, errB := v.m.Wants()
	if errA != nil || errB != nil {
		return // the manifest was checked; an old one that has no set cannot be compared
	}
	const advice = "raise the major version: panels ask people again before this update, and a reviewer will ask why"
	place := func(p sandbox.Permission) string {
		for i, r := range v.m.Permissions {
			if r.Permission() == p {
				return fmt.Sprintf("permissions[%d]", i)
			}
		}
		return "permissions"
	}
	d := sandbox.DiffOf(was, is)
	for _, c := range d.Added {
		v.field(ruleSemverWider, place(c.Permission), advice, "%s was added %s", c.Permission, since)
	}
	for _, c := range d.Widened {
		v.field(ruleSemverWider, place(c.Permission), advice, "%s is wider than %s was, %s", c.Permission, c.Was, since)
	}
	for _, c := range d.Removed {
		v.field(ruleSemverWider, "permissions", advice, "%s was removed %s", c.Permission, since)
	}
}
