package resolve

import (
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/souk-dev/souk/catalog"
)

// versionRange is a parsed range with the rule for pre-releases made explicit.
// Masterminds/semver lets a constraint that names any pre-release match those of
// every version; here a constraint opens the door to pre-releases of the very
// major.minor.patch that it names.
type versionRange struct {
	bad    bool // could not be parsed: matches nothing
	any    bool // "" or "*"
	groups []rangeGroup
}

// rangeGroup is one of the alternatives that || separates.
type rangeGroup struct {
	check *semver.Constraints
	named []core // versions whose pre-releases it names
	below []core // exclusive upper bounds: "<2.0.0" keeps 2.0.0-beta out
}

// core is a version without pre-release and build metadata.
type core struct{ major, minor, patch uint64 }

func coreOf(v *semver.Version) core { return core{v.Major(), v.Minor(), v.Patch()} }

func parseRange(s string) (*versionRange, error) {
	if _, err := catalog.ParseRange(s); err != nil {
		return nil, err
	}
	s = strings.TrimSpace(s)
	r := &versionRange{any: s == "" || s == "*"}
	for part := range strings.SplitSeq(s, "||") {
		c, err := catalog.ParseRange(strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		c.IncludePrerelease = true
		g := rangeGroup{check: c}
		for f := range strings.FieldsSeq(c.String()) {
			text := strings.TrimLeft(f, "=!<>~^")
			v, err := semver.NewVersion(text)
			if err != nil {
				continue // "1.x", "*": names no version
			}
			switch op := f[:len(f)-len(text)]; {
			case v.Prerelease() != "" && op != "!=":
				g.named = append(g.named, coreOf(v))
			case op == "<":
				g.below = append(g.below, coreOf(v))
			}
		}
		r.groups = append(r.groups, g)
	}
	return r, nil
}

// match reports whether v fits, and whether it does without anybody having opted in
// to pre-releases.
func (r *versionRange) match(v *semver.Version) (fits, plain bool) {
	pre := v.Prerelease() != ""
	for _, g := range r.groups {
		if !g.check.Check(v) {
			continue
		}
		if !pre {
			return true, true
		}
		c := coreOf(v)
		if containsCore(g.named, c) {
			return true, true
		}
		fits = fits || !containsCore(g.below, c)
	}
	return fits, false
}

func containsCore(list []core, c core) bool {
	for _, o := range list {
		if o == c {
			return true
		}
	}
	return false
}

// exact reports whether the range is one version written out.
func exact(s string) (string, bool) {
	s = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(s), "="))
	_, err := catalog.ParseVersion(s)
	return s, err == nil
}
