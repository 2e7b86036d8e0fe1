package resolve

import (
	"sort"
	"strings"
)

// bound is one end of an interval of versions. The versions that it lets in are all
// from some version on, or all up to some version.
type bound struct {
	kind boundKind
	v    version
}

type boundKind uint8

const (
	atLeast  boundKind = iota // v and newer
	newer                     // newer than v
	atMost                    // v and older
	older                     // older than v
	lessCore                  // with a core less than that of v, so no pre-releases of v either
)

// cut returns which of vs, that are newest first, are within all bounds: vs[from:to].
func cut(bounds []bound, vs []version) (from, to int) {
	to = len(vs)
	for i := range bounds {
		b := &bounds[i]
		at := sort.Search(len(vs), func(i int) bool {
			switch b.kind {
			case atLeast, older:
				return vs[i].precedence(&b.v) < 0
			case newer, atMost:
				return vs[i].precedence(&b.v) <= 0
			default: // lessCore
				return vs[i].compare(b.v.core) < 0
			}
		})
		if b.kind == atLeast || b.kind == newer {
			to = min(to, at)
		} else {
			from = max(from, at)
		}
	}
	return from, max(from, to)
}

// operators of the constraints that are bounds, longer ones before their beginnings.
var operators = [...]string{">=", "<=", "=", ">", "<", "~", "^"}

// simple reads one of the alternatives of a range if it is a conjunction of
// constraints that are bounds, as nearly all are: "^1.4", ">=1.2 <2.0.0", "~1.2.3-rc.1",
// "1", "*". What it reads means exactly what Masterminds/semver reads. Other ways of
// writing are left to that.
func simple(s string) (g rangeGroup, ok bool) {
	if s == "*" {
		return rangeGroup{bounds: []bound{{kind: atLeast}}}, true
	}
	fields := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' })
	for i, f := range fields {
		if i < len(fields)-1 {
			f = strings.TrimSuffix(f, ",")
		}
		op := ""
		for _, o := range operators {
			if strings.HasPrefix(f, o) {
				op = o
				break
			}
		}
		if !g.constrain(op, f[len(op):]) {
			return rangeGroup{}, false
		}
	}
	return g, len(g.bounds) > 0
}

// constrain adds the bounds of one constraint. It reports whether it has some.
func (g *rangeGroup) constrain(op, text string) bool {
	c, parts, rest := numbers(text)
	v := version{core: c}
	if parts == 0 {
		return false
	}
	if rest != "" {
		var err error
		if v, err = parseVersion(text); err != nil || v.pre == "" || v.meta != "" {
			return false
		}
	}
	switch op {
	case "<":
		g.add(older, v)
		if v.pre == "" {
			g.below = append(g.below, c)
		}
	case ">=":
		g.add(atLeast, v)
	case ">":
		if parts < 3 {
			return false
		}
		g.add(newer, v)
	case "<=":
		if parts < 3 {
			g.add(lessCore, version{core: next(c, parts)})
		} else {
			g.add(atMost, v)
		}
	case "^":
		g.add(atLeast, v)
		g.add(lessCore, version{core: caret(c, parts)})
	default: // "", "=" and "~"
		g.add(atLeast, v)
		switch {
		case parts == 3 && op != "~":
			g.add(atMost, v)
		case parts < 3 || c != (core{}): // "~0.0.0" has no end
			g.add(lessCore, version{core: next(c, min(parts, 2))})
		}
	}
	if v.pre != "" {
		g.named = append(g.named, c)
	}
	return true
}

func (g *rangeGroup) add(k boundKind, v version) { g.bounds = append(g.bounds, bound{k, v}) }

// next returns the first core after all that share the first parts of c.
func next(c core, parts int) core {
	switch parts {
	case 1:
		return core{major: c.major + 1}
	case 2:
		return core{c.major, c.minor + 1, 0}
	}
	return core{c.major, c.minor, c.patch + 1}
}

// caret returns the core where "^" ends: the first number that is not zero, or the
// last that is written, may not change.
func caret(c core, parts int) core {
	switch {
	case c.major > 0 || parts == 1:
		return next(c, 1)
	case c.minor > 0 || parts == 2:
		return next(c, 2)
	}
	return next(c, 3)
}
