package resolve

import (
	"slices"
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
	bounds []bound             // what it says, if that is simple
	check  *semver.Constraints // otherwise
	named  []core              // versions whose pre-releases it names
	below  []core              // exclusive upper bounds: "<2.0.0" keeps 2.0.0-beta out
}

// maxSimple is the most characters of a range that is read here. Longer ones are left
// to [catalog.ParseRange], whose bounds this many characters cannot exceed.
const maxSimple = 90

func parseRange(s string) (*versionRange, error) {
	if r := simpleRange(s); r != nil {
		return r, nil
	}
	return parseAnyRange(s)
}

// simpleRange reads a range whose alternatives are all simple; other ones are nil.
func simpleRange(s string) *versionRange {
	if s == "" {
		s = "*"
	}
	if len(s) > maxSimple {
		return nil
	}
	r := &versionRange{any: strings.Trim(s, " ") == "*"}
	for part := range strings.SplitSeq(s, "||") {
		g, ok := simple(strings.Trim(part, " "))
		if !ok {
			return nil
		}
		r.groups = append(r.groups, g)
	}
	return r
}

// parseAnyRange reads every range there is.
func parseAnyRange(s string) (*versionRange, error) {
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
			named := core{v.Major(), v.Minor(), v.Patch()}
			switch op := f[:len(f)-len(text)]; {
			case v.Prerelease() != "" && op != "!=":
				g.named = append(g.named, named)
			case op == "<":
				g.below = append(g.below, named)
			}
		}
		r.groups = append(r.groups, g)
	}
	return r, nil
}

// match adds those of vs that fit to loose, and to plain those that do without anybody
// having opted in to pre-releases, as bits from 1 on. vs are sorted, newest first.
func (r *versionRange) match(vs []version, plain, loose set) {
	for i := range r.groups {
		g := &r.groups[i]
		from, to := 0, len(vs)
		if g.check == nil {
			from, to = cut(g.bounds, vs)
		}
		for i := from; i < to; i++ {
			v := &vs[i]
			switch {
			case g.check != nil && !g.check.Check(v.parsed()):
			case v.pre == "" || slices.Contains(g.named, v.core):
				plain.add(i + 1)
				loose.add(i + 1)
			case !slices.Contains(g.below, v.core):
				loose.add(i + 1)
			}
		}
	}
}

// exact reports whether the range is one version written out.
func exact(s string) (string, bool) {
	s = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(s), "="))
	_, err := catalog.ParseVersion(s)
	return s, err == nil
}
