package resolve

import "slices"

// analysis is the nogood that a conflict is being turned into.
type analysis struct {
	terms []pending
	at    []int32 // variable -> index in terms + 1
	steps []step
}

type pending struct {
	v   int32
	in  set
	sat int32 // entry since which it holds
}

// learn turns a broken rule into a new one that would have prevented it, goes back to
// where that one has something to say, and lets it. It reports whether nothing was
// left to go back to: then the last rule is the proof, without terms.
func (s *solver) learn(broken int32) (conflict int32, unsolvable bool) {
	s.conflicts++
	back := s.analyze(broken)
	if back > 0 || len(s.conf.terms) > 0 {
		s.minimise()
		back = 0
		top := s.conf.top()
		for i := range s.conf.terms {
			if e, _ := s.at(s.conf.terms[i].sat); i != top {
				back = max(back, e.level)
			}
		}
	}
	at := len(s.terms)
	for _, t := range s.conf.terms {
		s.terms = append(s.terms, term{t.v, int32(len(s.sets))})
		s.sets = append(s.sets, t.in...)
	}
	r := s.newRule(at, kLearned, nil, s.newInfo(learnt{activity: s.bump, steps: slices.Clone(s.conf.steps)}))
	s.conf.reset()
	if s.rules[r].n == 0 {
		return none, true
	}
	s.bump /= 0.95
	if s.level() > back {
		s.backjump(back)
	}
	conflict = s.recheck() // before attach, so that lates stay sorted by level
	if c := s.attach(r); conflict == none {
		conflict = c
	}
	if s.rules[r].n > 1 {
		s.alive++
	}
	return conflict, false
}

func (a *analysis) reset() {
	for _, t := range a.terms {
		a.at[t.v] = 0
	}
	a.terms, a.steps = a.terms[:0], a.steps[:0]
}

// top returns the index of the term that came to hold last.
func (a *analysis) top() int {
	best := 0
	for i := range a.terms {
		if seq(a.terms[i].sat) > seq(a.terms[best].sat) {
			best = i
		}
	}
	return best
}

// analyze resolves a broken rule with the reason of its last satisfier, until only one
// term belongs to the newest level in it. At level 0 it goes on until nothing is left.
// It returns the newest level of the other terms.
func (s *solver) analyze(broken int32) (back int32) {
	a := &s.conf
	if n := len(s.vars); len(a.at) < n {
		a.at = append(a.at, make([]int32, n-len(a.at))...)
	}
	s.conclude(broken, none)
	for len(a.terms) > 0 {
		top := a.top()
		e, _ := s.at(a.terms[top].sat)
		back = 0
		second := int32(-1)
		for i := range a.terms {
			if o, _ := s.at(a.terms[i].sat); i != top {
				second = max(second, o.level)
			}
		}
		back = max(back, second)
		if e.level > 0 && (e.reason == noCause || second < e.level) {
			return back
		}
		s.conclude(e.reason, a.terms[top].v)
	}
	return 0
}

// conclude resolves the pending nogood with a rule: not both (v in T, A) and not both
// (v in U, B) give not all of (v in T or U, A, B).
func (s *solver) conclude(r, pivot int32) {
	a := &s.conf
	a.steps = append(a.steps, step{r, pivot})
	s.bumpRule(r)
	for _, t := range s.termsOf(r) {
		in := s.set(t)
		i := a.at[t.v] - 1
		switch {
		case t.v == pivot:
			p := &a.terms[i]
			p.in.or(in)
			if s.vars[pivot].p.full.within(p.in) {
				a.remove(int(i))
				continue
			}
			p.sat = s.satisfier(pivot, p.in)
		case i >= 0:
			p := &a.terms[i]
			p.in.and(in)
			p.sat = s.satisfier(t.v, p.in)
		default:
			a.terms = append(a.terms, pending{t.v, in.clone(), s.satisfier(t.v, in)})
			a.at[t.v] = int32(len(a.terms))
		}
	}
}

func (a *analysis) remove(i int) {
	last := len(a.terms) - 1
	a.at[a.terms[i].v] = 0
	if i != last {
		a.terms[i] = a.terms[last]
		a.at[a.terms[i].v] = int32(i + 1)
	}
	a.terms = a.terms[:last]
}

// minimise drops or weakens terms that follow from the others: resolving with the
// reason of such a term brings in nothing that is not there already.
func (s *solver) minimise() {
	a := &s.conf
	for again, rounds := true, 0; again && rounds < 4; rounds++ {
		again = false
		top := a.terms[a.top()].v
		for i := 0; i < len(a.terms); i++ {
			p := &a.terms[i]
			e, _ := s.at(p.sat)
			if p.v == top || e.reason == noCause || !s.covered(e.reason, p.v) {
				continue
			}
			s.conclude(e.reason, p.v)
			again = true
		}
	}
}

// covered reports whether all terms of a rule but that of v already are in the pending
// nogood, at least as narrow.
func (s *solver) covered(r, v int32) bool {
	for _, t := range s.termsOf(r) {
		if t.v == v {
			continue
		}
		i := s.conf.at[t.v] - 1
		if i < 0 || !s.conf.terms[i].in.within(s.set(t)) {
			return false
		}
	}
	return true
}

func (s *solver) bumpRule(r int32) {
	if x := &s.rules[r]; x.kind == kLearned {
		l := &s.infos[x.info]
		if l.activity += s.bump; l.activity > 1e100 {
			for i := range s.infos {
				s.infos[i].activity *= 1e-100
			}
			s.bump *= 1e-100
		}
	}
}

// forget stops watching the less useful half of the learned rules. They stay where
// they are, because derivations refer to them.
func (s *solver) forget() {
	locked := map[int32]bool{}
	for i := range s.trail {
		locked[s.trail[i].reason] = true
	}
	for _, l := range s.lates {
		locked[l.rule] = true
	}
	var can []int32
	for r := range s.rules {
		if x := &s.rules[r]; x.kind == kLearned && !x.dead && x.n > 2 && !locked[int32(r)] {
			can = append(can, int32(r))
		}
	}
	slices.SortStableFunc(can, func(a, b int32) int {
		x, y := s.infos[s.rules[a].info].activity, s.infos[s.rules[b].info].activity
		switch {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
	for _, r := range can[:len(can)/2] {
		s.rules[r].dead = true
		s.alive--
	}
	s.limit += s.limit / 10
}
