package resolve

import "slices"

// proof is the derivation of a contradiction, as a graph whose leaves are facts.
type proof struct {
	s     *solver
	root  int32
	uses  map[int32]int  // learned rule -> how many others refer to it
	facts map[int32]bool // rules that are facts
	order []int32        // facts in the order they are met
}

// nogood is a set of terms by variable, sorted by variable.
type nogood []meaning

type meaning struct {
	v  int32
	in set
}

// prove walks the derivation of the last rule.
func (s *solver) prove() *proof {
	p := &proof{s: s, root: int32(len(s.rules) - 1), uses: map[int32]int{}, facts: map[int32]bool{}}
	var walk func(r int32)
	walk = func(r int32) {
		p.uses[r]++
		if s.rules[r].kind != kLearned {
			if !p.facts[r] {
				p.facts[r] = true
				p.order = append(p.order, r)
			}
			return
		}
		if p.uses[r] > 1 {
			return
		}
		for _, st := range s.infos[s.rules[r].info].steps {
			walk(st.rule)
		}
	}
	walk(p.root)
	return p
}

// says returns a rule as a nogood.
func (p *proof) says(r int32) nogood {
	var n nogood
	for _, t := range p.s.termsOf(r) {
		n = append(n, meaning{t.v, p.s.set(t).clone()})
	}
	n.sort()
	return n
}

func (n nogood) sort() {
	slices.SortFunc(n, func(a, b meaning) int { return int(a.v) - int(b.v) })
}

// resolve returns what follows from two nogoods when v is eliminated.
func (p *proof) resolve(a, b nogood, pivot int32) nogood {
	out := make(nogood, 0, len(a)+len(b))
	for _, m := range a {
		out = append(out, meaning{m.v, m.in.clone()})
	}
	for _, m := range b {
		i := slices.IndexFunc(out, func(o meaning) bool { return o.v == m.v })
		switch {
		case i < 0:
			out = append(out, meaning{m.v, m.in.clone()})
		case m.v == pivot:
			out[i].in.or(m.in)
		default:
			out[i].in.and(m.in)
		}
	}
	out = slices.DeleteFunc(out, func(m meaning) bool { return p.s.vars[m.v].p.full.within(m.in) })
	out.sort()
	return out
}
