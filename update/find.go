package update

import (
	"maps"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/verify"
)

// MaxNotes bounds the release notes of an Offer; the newest are kept.
const MaxNotes = 100

// Facts is how things are at the moment: what is installed, and what the catalogs say.
type Facts struct {
	Generation install.Generation
	Snapshots  []*catalog.Snapshot // one for each source that has one
	Panel      string              // version of the panel's plugin API; empty: not checked
	Platform   string              // "linux/amd64"; empty: not checked
}

// FindInput is everything that offers are made from.
type FindInput struct {
	Facts
	State    State
	Policy   Policy
	Now      time.Time
	Problems map[verify.Digest]string // releases that could not be applied for now, and why
}

// Find returns the updates of everything installed, in order of the plugins. It is
// pure. For a plugin there are at most two: the newest release, and, when that one is
// not applied by itself, the newest that is or will be, so that a major version that
// waits for a person does not keep fixes of the old one away.
//
// A release is offered when it is a higher version in the same source than what is
// installed, fits the panel, and is neither yanked nor withdrawn nor under an advisory
// that blocks it. Pre-releases are offered where the policy says so, and to who has
// one of the same version already. So when the newest release is yanked, those who
// have it are offered nothing, least of all the one before.
func Find(in FindInput) []Offer {
	sources := make(map[string]*source, len(in.Snapshots))
	for _, s := range in.Snapshots {
		if s != nil {
			sources[s.Source()] = newSource(s, in.Now)
		}
	}
	have := make(map[catalog.PluginID]bool, len(in.Generation.Plugins))
	for id, p := range in.Generation.Plugins {
		have[id] = true
		for _, other := range p.Manifest.Provides {
			have[other] = true
		}
		for _, r := range p.Manifest.Replaces {
			have[r.ID] = true
		}
	}
	var offers []Offer
	for _, id := range slices.Sorted(maps.Keys(in.Generation.Plugins)) {
		p := in.Generation.Plugins[id]
		if s := sources[p.Source]; s != nil {
			f := finder{in: &in, src: s, have: have, from: p}
			offers = append(offers, f.offers()...)
		}
	}
	return offers
}

// finder makes the offers of one installed plugin.
type finder struct {
	in   *FindInput
	src  *source
	have map[catalog.PluginID]bool // what can serve as a dependency
	from install.Installed

	newer      []catalog.Release   // than from, newest first, whatever their state
	breaking   []bool              // of newer: it or one before it declares a break with from
	aside      []bool              // of newer: a pre-release that is not followed
	advisories []*catalog.Advisory // in force, about the plugin or anything of its publisher
	fixes      map[string]bool     // versions that answer an advisory first
	locked     bool                // the signer may still sign
}

func (f *finder) offers() []Offer {
	f.newer = f.newerReleases()
	if len(f.newer) == 0 {
		return nil
	}
	f.aside = f.unfollowed()
	f.advisories = f.src.about(f.from.Plugin)
	candidates := f.candidates()
	if len(candidates) == 0 {
		return nil
	}
	f.breaking = f.breaks()
	f.fixes = f.firstFixes(candidates)
	f.locked = f.src.mayStillSign(f.from, f.in.Now)

	newest := f.offer(candidates[0])
	more := -1
	if v := newest.Decision.Verdict; v != Auto && f.locked && f.in.Policy.Mode != ModeAsk && !f.in.State.Frozen {
		more = f.applied(candidates[1:], v)
	}
	newest.Notes = f.notes(candidates[0])
	if more < 0 {
		return []Offer{newest}
	}
	second := f.offer(more)
	second.Notes = f.notes(more)
	return []Offer{newest, second}
}

// applied returns the place in newer of the newest candidate that is applied by
// itself, or else of the newest that will be if the very newest will not, or -1.
func (f *finder) applied(candidates []int, newest Verdict) int {
	waits := -1
	for _, i := range candidates {
		if f.breaking[i] || otherMajor(f.from.Version, f.newer[i].Version) {
			continue // asks, whatever else it is: a short cut
		}
		switch o := f.offer(i); {
		case o.Decision.Verdict == Auto:
			return i
		case o.Decision.Verdict == Wait && waits < 0 && newest != Wait:
			waits = i
		}
	}
	return waits
}

func (f *finder) newerReleases() []catalog.Release {
	all := f.src.Releases(f.from.Plugin)
	n := slices.IndexFunc(all, func(r catalog.Release) bool {
		return catalog.CompareVersions(r.Version, f.from.Version) <= 0
	})
	if n < 0 {
		n = len(all)
	}
	return all[:n]
}

// unfollowed says of each newer release whether it is a pre-release that is none of
// our business.
func (f *finder) unfollowed() []bool {
	out := make([]bool, len(f.newer))
	if slices.Contains(f.in.Policy.Prerelease, f.from.Plugin) {
		return out
	}
	from, err := catalog.ParseVersion(f.from.Version)
	for i, r := range f.newer {
		v, verr := catalog.ParseVersion(r.Version)
		if verr != nil {
			out[i] = true
			continue
		}
		same := err == nil && from.Prerelease() != "" &&
			v.Major() == from.Major() && v.Minor() == from.Minor() && v.Patch() == from.Patch()
		out[i] = v.Prerelease() != "" && !same
	}
	return out
}

// candidates returns the places in newer of what may be offered at all.
func (f *finder) candidates() []int {
	var out []int
	for i, r := range f.newer {
		blocked := slices.ContainsFunc(f.advisories, func(a *catalog.Advisory) bool {
			return a.Action != catalog.ActionWarn && a.Concerns(r)
		})
		if r.State == catalog.Active && !blocked && !f.aside[i] && f.fits(&r.Manifest) {
			out = append(out, i)
		}
	}
	return out
}

// fits reports whether a release runs on this panel. What cannot be read does not.
func (f *finder) fits(m *catalog.Manifest) bool {
	if f.in.Platform != "" && len(m.Platforms) > 0 && !slices.Contains(m.Platforms, f.in.Platform) {
		return false
	}
	if f.in.Panel == "" || m.Panel == "" {
		return true
	}
	in, err := inRange(m.Panel, f.in.Panel)
	return err == nil && in
}

// breaks says of each newer release whether the way to it goes over a declared break.
func (f *finder) breaks() []bool {
	out := make([]bool, len(f.newer))
	broken := false
	for i, r := range slices.Backward(f.newer) {
		if r.Manifest.Breaking != "" {
			in, err := inRange(r.Manifest.Breaking, f.from.Version)
			broken = broken || in || err != nil
		}
		out[i] = broken
	}
	return out
}

// firstFixes returns the lowest version that answers each advisory about what is
// installed. Only that one is spared the minimum age: else whoever can publish could
// get around it with any version above a fix.
func (f *finder) firstFixes(candidates []int) map[string]bool {
	out := make(map[string]bool)
	for _, a := range f.advisories {
		if !a.Concerns(release(f.from)) {
			continue
		}
		for _, i := range slices.Backward(candidates) {
			if r := f.newer[i]; answers(a, r) {
				out[r.Version] = true
				break
			}
		}
	}
	return out
}

// answers reports whether r is not concerned by an advisory about an older release.
func answers(a *catalog.Advisory, r catalog.Release) bool {
	return !a.Concerns(r) && (a.FixedIn == "" || a.Plugin != r.Plugin || catalog.CompareVersions(r.Version, a.FixedIn) >= 0)
}

func (f *finder) offer(i int) Offer {
	to, state := f.newer[i], &f.in.State
	o := Offer{
		Plugin: f.from.Plugin, Name: to.Manifest.Name, Source: f.from.Source,
		From: f.from, To: to, Risk: f.risk(i),
	}
	in := Input{
		Now: f.in.Now, From: f.from.Version, To: to, Risk: o.Risk, Fix: f.fixes[to.Version],
		Hold: state.hold(o.Plugin, f.in.Now), Frozen: state.Frozen, Bucket: Bucket(state.Secret, to.Ref),
		Breaker: state.Breaker(f.in.Now), Soaking: state.soaking(f.in.Now), Expires: f.src.Expires(),
		Problem: f.in.Problems[to.Digest], LastTook: state.LastTook,
	}
	if failure, ok := state.Poisoned(to.Digest); ok {
		in.Failure = &failure
	}
	o.Decision = f.in.Policy.Decide(in)
	return o
}

// notes joins what was written about every release after the installed one.
func (f *finder) notes(i int) []Note {
	var out []Note
	for j := i; j < len(f.newer) && len(out) < MaxNotes; j++ {
		if r := &f.newer[j]; r.State != catalog.Withdrawn && !f.aside[j] {
			out = append(out, Note{r.Version, r.Published, r.Notes})
		}
	}
	return out
}

// release returns what is installed as far as an advisory can speak of it.
func release(p install.Installed) catalog.Release {
	return catalog.Release{Ref: p.Ref, Source: p.Source, Digest: p.Digest, Manifest: p.Manifest}
}

// inRange reports whether a range has a version; pre-releases count as the versions
// they are.
func inRange(within, version string) (bool, error) {
	c, err := catalog.ParseRange(within)
	if err != nil {
		return false, err
	}
	v, err := catalog.ParseVersion(version)
	if err != nil {
		return false, err
	}
	c.IncludePrerelease = true
	return c.Check(v), nil
}
