package resolve

import (
	"context"
	"slices"

	"github.com/souk-dev/souk/catalog"
)

// Leaf is a fact of a proof: these must not all hold. "" stands for not installed.
type Leaf map[catalog.PluginID][]string

// ProofLeaves solves a request and returns the facts of the proof that there is no
// solution, and the domains of all plugins in it; nil when there is one.
func ProofLeaves(ctx context.Context, u Universe, req Request) (leaves []Leaf, domains Leaf, err error) {
	s, err := newSolver(ctx, u, &req)
	if err != nil {
		return nil, nil, err
	}
	if ok, err := s.run(); ok || err != nil {
		return nil, nil, err
	}
	domains = Leaf{}
	for _, r := range s.prove().order {
		l := Leaf{}
		for _, t := range s.termsOf(r) {
			x := &s.vars[t.v]
			l[x.p.id] = s.versions(x, s.set(t))
			domains[x.p.id] = s.versions(x, x.p.full)
		}
		leaves = append(leaves, l)
	}
	return leaves, domains, nil
}

func (s *solver) versions(x *variable, in set) []string {
	out := []string{}
	for b := range in.all() {
		if b == absent {
			out = append(out, "")
			continue
		}
		out = append(out, x.p.release(b).Version)
	}
	slices.Sort(out)
	return out
}

// BadLearned returns how many learned rules do not follow from the rules they were
// derived from, by resolving again and by a check of the stored derivation.
func BadLearned(ctx context.Context, u Universe, req Request) (bad, learned int, err error) {
	s, err := newSolver(ctx, u, &req)
	if err != nil {
		return 0, 0, err
	}
	if _, err := s.run(); err != nil {
		return 0, 0, err
	}
	p := &proof{s: s}
	for r := range s.rules {
		if s.rules[r].kind != kLearned {
			continue
		}
		learned++
		var sum nogood
		for i, st := range s.infos[s.rules[r].info].steps {
			if i == 0 {
				sum = p.says(st.rule)
				continue
			}
			if int(st.rule) >= r {
				bad++
			}
			sum = p.resolve(sum, p.says(st.rule), st.pivot)
		}
		same := func(a, b meaning) bool { return a.v == b.v && a.in.equal(b.in) }
		if !slices.EqualFunc(sum, p.says(int32(r)), same) {
			bad++
		}
	}
	return bad, learned, nil
}

// Fit evaluates a range on versions, that are newest first: with the bounds read here,
// if the range is simple, and as Masterminds/semver does. Elements of plain and loose
// say for each version whether it fits.
func Fit(text string, versions []string) (bounds, reference Fitting, err error) {
	vs := make([]version, len(versions))
	for i, v := range versions {
		if vs[i], err = parseVersion(v); err != nil {
			return Fitting{}, Fitting{}, err
		}
	}
	fit := func(r *versionRange) Fitting {
		plain, loose := newSet(words(len(vs)+1)), newSet(words(len(vs)+1))
		r.match(vs, plain, loose)
		return Fitting{true, r.any, slices.Collect(plain.all()), slices.Collect(loose.all())}
	}
	if r := simpleRange(text); r != nil {
		bounds = fit(r)
	}
	r, err := parseAnyRange(text)
	if err == nil {
		reference = fit(r)
	}
	return bounds, reference, nil
}

// Fitting is what a range says of versions: which fit, counted from 1.
type Fitting struct {
	Known, Any   bool
	Plain, Loose []int
}

// OrderOf compares two versions, and says whether they are valid.
func OrderOf(a, b string) (order int, ok bool) {
	va, ea := parseVersion(a)
	vb, eb := parseVersion(b)
	return va.order(&vb), ea == nil && eb == nil
}
