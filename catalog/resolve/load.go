package resolve

import (
	"cmp"
	"slices"

	"github.com/souk-dev/souk/catalog"
)

// kind says what a rule comes from.
type kind uint8

const (
	kNeed kind = iota // a dependency
	kOptional
	kConflict
	kReplace
	kWant // the request, from here on
	kRoot
	kHold
	kPin
	kRemove
	kYanked // the release itself, from here on
	kWithdrawn
	kBlocked
	kPanel
	kPlatform
	kLearned
)

// requirement is what all releases in `in` say about another plugin. It is shared by
// them, immutable, and the same for every request.
type requirement struct {
	kind kind
	from *pkg
	in   set
	to   *pkg
	text string // the range as written
	set  rangeSet
	alts []alternative // other plugins that will do as well, in order of their ids
}

// alternative is a plugin that provides or replaces another one.
type alternative struct {
	p            *pkg
	plain, loose set
}

// provider is a plugin with releases that stand in for another one.
type provider struct {
	p        *pkg
	provides set
	replaces []group // by the range of versions that they replace
}

// relation is the part of a manifest that becomes a requirement.
type relation struct {
	kind kind
	id   catalog.PluginID
	text string
}

// relations calls yield for each relation of a manifest, until it returns false.
func relations(m *catalog.Manifest, yield func(relation) bool) {
	for i := range m.Dependencies {
		d := &m.Dependencies[i]
		k := kNeed
		if d.Optional {
			k = kOptional
		}
		if !yield(relation{k, d.ID, d.Range}) {
			return
		}
	}
	for _, c := range m.Conflicts {
		if !yield(relation{kConflict, c.ID, c.Range}) {
			return
		}
	}
	for _, c := range m.Replaces {
		if !yield(relation{kReplace, c.ID, c.Range}) {
			return
		}
	}
}

// states reports whether a manifest says that, too.
func states(m *catalog.Manifest, want relation) bool {
	list := m.Conflicts
	switch want.kind {
	case kNeed, kOptional:
		for i := range m.Dependencies {
			d := &m.Dependencies[i]
			if d.ID == want.id && d.Range == want.text && d.Optional == (want.kind == kOptional) {
				return true
			}
		}
		return false
	case kReplace:
		list = m.Replaces
	default: // kConflict
	}
	return slices.Contains(list, catalog.Relation{ID: want.id, Range: want.text})
}

// requirements returns all that one release says about others, in a fixed order.
// Releases that say the same share the requirement.
func (ix *Index) requirements(p *pkg, bit int) []*requirement {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if rs := p.reqs[bit-1]; rs != nil {
		return rs
	}
	var few [8]*requirement
	rs := few[:0]
	relations(&p.release(bit).Manifest, func(r relation) bool {
		same := func(q *requirement) bool { return q.kind == r.kind && q.to.id == r.id && q.text == r.text }
		if r.id == p.id && r.kind >= kConflict || slices.ContainsFunc(rs, same) {
			return true // no two versions of a plugin are ever installed together
		}
		rs = append(rs, ix.requirement(p, bit, r, same))
		return true
	})
	slices.SortFunc(rs, func(a, b *requirement) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.to.id, b.to.id), cmp.Compare(a.text, b.text))
	})
	p.reqs[bit-1] = ix.lists.take(len(rs))
	copy(p.reqs[bit-1], rs)
	return p.reqs[bit-1]
}

func (ix *Index) requirement(p *pkg, bit int, r relation, same func(*requirement) bool) *requirement {
	in := set(ix.words.take(p.w))
	in.add(bit)
	for b := 1; b <= len(p.ver); b++ {
		if b == bit || !states(&p.release(b).Manifest, r) {
			continue
		}
		if i := slices.IndexFunc(p.reqs[b-1], same); i >= 0 {
			return p.reqs[b-1][i]
		}
		in.add(b)
	}
	to := ix.load(r.id)
	q := ix.reqs.one()
	*q = requirement{kind: r.kind, from: p, in: in, to: to, text: r.text, set: *ix.eval(to, r.text)}
	if r.kind == kNeed {
		q.alts = ix.alternatives(to, r.text, &q.set)
	}
	return q
}

// alternatives returns what can stand in for p within a range: releases that replace
// a version in it, and for a dependency on any version also those that provide p.
func (ix *Index) alternatives(p *pkg, text string, rs *rangeSet) []alternative {
	var alts []alternative
	for _, pr := range ix.providersOf(p) {
		in := newSet(pr.p.w)
		if rs.any {
			in.or(pr.provides)
		}
		for _, g := range pr.replaces {
			other := ix.eval(p, g.text)
			if !rs.bad && !other.bad && (rs.any || other.any || g.text == text || rs.loose.meets(other.loose)) {
				in.or(g.in)
			}
		}
		if in.empty() {
			continue
		}
		a := alternative{pr.p, in, in}
		if pr.p.pre != nil {
			a.plain = in.minus(pr.p.pre)
		}
		alts = append(alts, a)
	}
	return alts
}

func (ix *Index) providersOf(p *pkg) []provider {
	if p.provided {
		return p.providers
	}
	p.provided = true
	ids := slices.Clone(ix.u.Providers(p.id))
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if id == p.id {
			continue
		}
		pr := provider{p: ix.load(id)}
		pr.provides = newSet(pr.p.w)
		for b := 1; b <= len(pr.p.ver); b++ {
			m := &pr.p.release(b).Manifest
			if slices.Contains(m.Provides, p.id) {
				pr.provides.add(b)
			}
			for _, r := range m.Replaces {
				if r.ID == p.id {
					pr.replaces = addGroup(pr.replaces, r.Range, b, pr.p.w)
				}
			}
		}
		p.providers = append(p.providers, pr)
	}
	return p.providers
}

// replacements returns what replaces p at a version, for a root that may go that way.
func (ix *Index) replacements(p *pkg, bit int) []alternative {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	var alts []alternative
	for _, pr := range ix.providersOf(p) {
		for _, g := range pr.replaces {
			if bit != absent && ix.eval(p, g.text).loose.has(bit) {
				a := alternative{pr.p, g.in, g.in}
				if pr.p.pre != nil {
					a.plain = g.in.minus(pr.p.pre)
				}
				alts = append(alts, a)
			}
		}
	}
	return alts
}
