package resolve

// at returns an entry and the domain before it.
func (s *solver) at(e int32) (*entry, set) {
	if e >= 0 {
		x := &s.trail[e]
		return x, s.hist[x.old : x.old+s.vars[x.v].w]
	}
	x := &s.base[-2-e]
	return x, s.baseHist[x.old : x.old+s.vars[x.v].w]
}

// seq orders entries by when they happened; those that always hold come first.
func seq(e int32) int64 {
	if e >= 0 {
		return 1<<31 + int64(e)
	}
	return int64(-2 - e)
}

// satisfier returns the entry since which v is within in. It is, now.
func (s *solver) satisfier(v int32, in set) int32 {
	e := s.vars[v].last
	for {
		x, old := s.at(e)
		if x.prev == none || !old.within(in) {
			return e
		}
		e = x.prev
	}
}

// narrow removes a set from a domain.
func (s *solver) narrow(v int32, not set, reason int32) {
	x := &s.vars[v]
	d := s.domain(v)
	off := len(s.hist)
	s.hist = append(s.hist, d...)
	s.trail = append(s.trail, entry{v, reason, s.level(), x.last, int32(off)})
	x.last = int32(len(s.trail) - 1)
	d.not(not)
}

// derive narrows a domain by the one term of a rule that does not hold.
func (s *solver) derive(t term, r int32) {
	if in := s.set(t); s.domain(t.v).meets(in) {
		s.narrow(t.v, in, r)
	}
}

// exclude removes releases for ever, for a reason of their own.
func (s *solver) exclude(v int32, not set, k kind, note string) {
	d := s.domain(v)
	if !not.meets(d) {
		return
	}
	at := len(s.terms)
	s.addTerm(at, v, not)
	r := s.newRule(at, k, nil, s.newInfo(learnt{note: note}))
	x := &s.vars[v]
	off := len(s.baseHist)
	s.baseHist = append(s.baseHist, d...)
	s.base = append(s.base, entry{v, r, 0, x.last, int32(off)})
	x.last = int32(-2 - (len(s.base) - 1))
	d.not(not)
}

// propagate draws all conclusions, until a rule is broken: that is returned.
func (s *solver) propagate() (conflict int32) {
	for s.qhead < len(s.trail) {
		e := s.trail[s.qhead]
		s.qhead++
		for i := range s.vars[e.v].w {
			gone := s.hist[e.old+i] &^ s.dom[s.vars[e.v].off+i]
			for b := i << 6; gone != 0; gone, b = gone>>1, b+1 {
				if gone&1 == 0 {
					continue
				}
				if r := s.visit(s.vars[e.v].base + b); r != none {
					s.qhead = len(s.trail)
					return r
				}
			}
		}
	}
	return none
}

// visit looks at the rules that watch a value which was removed.
func (s *solver) visit(list int32) (conflict int32) {
	link := &s.heads[list]
	for *link != none {
		s.steps++
		node := *link
		r, which := node>>1, node&1
		x := &s.rules[r]
		after := x.next[which]
		if x.dead {
			*link = after
			continue
		}
		other := x.wt[1-which]
		at, b := s.blocker(x, x.wt[which], other)
		if at != none { // watch another value
			*link = after
			x.wt[which] = at
			head := &s.heads[s.vars[s.terms[at].v].base+b]
			x.next[which] = *head
			*head = node
			continue
		}
		link = &x.next[which]
		t := s.terms[other]
		in, d := s.set(t), s.domain(t.v)
		if d.within(in) {
			return r
		}
		if d.meets(in) {
			s.narrow(t.v, in, r)
		}
	}
	return none
}

// blocker returns a term other than `not`, and a value that keeps it from holding;
// the term at first, so that a watch moves as little as it can.
func (s *solver) blocker(x *rule, first, not int32) (at, bit int32) {
	t := s.terms[first]
	if b := s.domain(t.v).outside(s.set(t)); b >= 0 {
		return first, int32(b)
	}
	for i := x.at; i < x.at+x.n; i++ {
		if i == first || i == not {
			continue
		}
		t := s.terms[i]
		if b := s.domain(t.v).outside(s.set(t)); b >= 0 {
			return i, int32(b)
		}
	}
	return none, 0
}

// open starts a level, and decides that v is not in `not`.
func (s *solver) open(v int32, not set) {
	s.levels = append(s.levels, mark{int32(len(s.trail)), int32(len(s.agenda)), s.head, int32(len(s.chosen))})
	if s.domain(v).meets(not) {
		s.narrow(v, not, noCause)
	}
}

// backjump undoes everything above a level.
func (s *solver) backjump(level int32) {
	m := s.levels[level]
	for i := int32(len(s.trail)) - 1; i >= m.trail; i-- {
		e := &s.trail[i]
		x := &s.vars[e.v]
		copy(s.dom[x.off:x.off+x.w], s.hist[e.old:e.old+x.w])
		x.last = e.prev
	}
	if int(m.trail) < len(s.trail) {
		s.hist = s.hist[:s.trail[m.trail].old]
		s.trail = s.trail[:m.trail]
	}
	for _, v := range s.chosen[m.chosen:] {
		s.vars[v].chosen = 0
	}
	s.chosen, s.agenda, s.head = s.chosen[:m.chosen], s.agenda[:m.agenda], m.head
	s.levels = s.levels[:level]
	s.qhead = len(s.trail)
}

// recheck looks again at rules that were added above the current level, where what
// they said was undone although it follows from less.
func (s *solver) recheck() (conflict int32) {
	n := len(s.lates)
	for n > 0 && s.lates[n-1].level > s.level() {
		n--
	}
	again := append([]late(nil), s.lates[n:]...)
	s.lates = s.lates[:n]
	conflict = none
	for _, l := range again {
		open, at := 0, none
		x := &s.rules[l.rule]
		for i := x.at; i < x.at+x.n && open < 2; i++ {
			if t := s.terms[i]; !s.domain(t.v).within(s.set(t)) {
				open++
				at = i
			}
		}
		if open < 2 && s.level() > 0 {
			s.lates = append(s.lates, late{l.rule, s.level()})
		}
		switch {
		case open == 0 && conflict == none:
			conflict = l.rule
		case open == 1:
			s.derive(s.terms[at], l.rule)
		}
	}
	return conflict
}
