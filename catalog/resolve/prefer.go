package resolve

// item is something the solver still has to see to. Items are taken first in, first
// out, so the order of decisions, and with it which of several solutions is the best,
// depends on the request and the earlier decisions alone, never on the course of the
// search: the answer is the lexicographically best one in that order.
type item struct {
	kind itemKind
	v    int32
	req  *requirement // of itemNeed
	list *[]choiceSet // of itemPresent: v, and what may stand in for it
}

type itemKind uint8

const (
	itemNeed    itemKind = iota // a dependency of a decided release
	itemPresent                 // v, or what replaces it, must be there
	itemStay                    // v stays as installed, if it stays
	itemHave                    // v is there, if it can be
)

// choiceSet is a plugin and those of its releases that will do.
type choiceSet struct {
	v  int32
	in set
}

// best returns the preferred one of the releases in `in` that are still possible, or 0.
func (s *solver) best(v int32, in set) int {
	x := &s.vars[v]
	d := s.domain(v)
	inst := int(x.inst)
	keep := inst != 0 && in.has(inst) && d.has(inst)
	if keep && !x.moving {
		return inst
	}
	if b := s.newest(x, d, in, inst); b != 0 {
		return b // newer than what is installed, or nothing is
	}
	if keep {
		return inst
	}
	return s.newest(x, d, in, 0)
}

// newest returns the newest release in both sets that is newer than the one of bit
// `than`, 0 for any; stable ones before pre-releases, unless the channel opts in.
func (s *solver) newest(x *variable, d, in set, than int) int {
	if than != 0 && !x.moving {
		than = 0
	}
	pre := 0
	for b := range d.all() {
		switch {
		case b == absent || !in.has(b):
		case than != 0 && b >= than:
			return pre
		case x.p.pre != nil && x.p.pre.has(b) && (x.opt == nil || !x.opt.has(b) || b == int(x.inst)):
			if pre == 0 {
				pre = b
			}
		default:
			return b
		}
	}
	return pre
}

// next sees to the items in order, and decides at most once. It reports whether
// nothing is left to do.
func (s *solver) next() (conflict int32, finished bool) {
	for int(s.head) < len(s.agenda) {
		it := &s.agenda[s.head]
		if it.kind == itemStay {
			if not := s.moves(it.v); not != nil {
				s.open(it.v, not)
				return none, false
			}
			s.head++
			continue
		}
		v, bit := s.choose(it)
		if bit == 0 {
			s.head++
			continue
		}
		if c := s.loadRelease(v, bit); c != none {
			return c, false
		}
		if c := s.propagate(); c != none {
			return c, false
		}
		if !s.domain(v).has(bit) || s.agenda[s.head].moved(s, v, bit) {
			continue
		}
		s.decide(v, bit)
		return none, false
	}
	return none, true
}

// moves returns what a plugin must not become if it is to stay as installed or to go;
// nil when that is settled.
func (s *solver) moves(v int32) set {
	x := &s.vars[v]
	if !x.stays || x.chosen != 0 {
		return nil
	}
	keep := newSet(x.p.w)
	keep.add(absent)
	keep.add(int(x.inst))
	if d := s.domain(v); !d.meets(keep) || d.within(keep) {
		return nil
	}
	return x.p.full.minus(keep)
}

// moved reports whether the item would now choose something else.
func (it *item) moved(s *solver, v int32, bit int) bool {
	w, b := s.choose(it)
	return w != v || b != bit
}

// choose returns what an item asks for next; 0 when it is content.
func (s *solver) choose(it *item) (v int32, bit int) {
	switch it.kind {
	case itemStay: // see moves
	case itemHave:
		if s.vars[it.v].chosen != 0 {
			return it.v, 0
		}
		return it.v, s.best(it.v, s.all(it.v))
	case itemPresent:
		return s.among(*it.list)
	case itemNeed:
	}
	q := it.req
	v = s.variable(q.to)
	in := s.allowed(v, q.set.plain, q.set.loose)
	if len(q.alts) == 0 {
		if s.vars[v].chosen != 0 {
			return v, 0
		}
		return v, s.best(v, in)
	}
	list := []choiceSet{{v, in}}
	for i := range q.alts {
		a := &q.alts[i]
		w := s.variable(a.p)
		list = append(list, choiceSet{w, s.allowed(w, a.plain, a.loose)})
	}
	return s.among(list)
}

// among chooses one of several plugins that will do: one that is decided, else one
// that is installed, else the first that is possible.
func (s *solver) among(list []choiceSet) (v int32, bit int) {
	for _, c := range list {
		if b := s.vars[c.v].chosen; b != 0 && c.in.has(int(b)) {
			return c.v, 0
		}
	}
	for _, c := range list {
		if x := &s.vars[c.v]; x.inst != 0 && x.chosen == 0 {
			if b := s.best(c.v, c.in); b == int(x.inst) || b != 0 && x.moving {
				return c.v, b
			}
		}
	}
	for _, c := range list {
		if s.vars[c.v].chosen == 0 {
			if b := s.best(c.v, c.in); b != 0 {
				return c.v, b
			}
		}
	}
	return list[0].v, 0
}

// decide fixes a plugin at a release whose requirements are loaded, and puts its
// dependencies on the agenda.
func (s *solver) decide(v int32, bit int) {
	x := &s.vars[v]
	var few [4]uint64
	not := append(set(few[:0]), s.all(v)...)
	not.drop(bit)
	s.open(v, not)
	x.chosen = int32(bit)
	s.chosen = append(s.chosen, v)
	for _, q := range s.ix.requirements(x.p, bit) {
		if q.kind == kNeed {
			s.agenda = append(s.agenda, item{kind: itemNeed, v: v, req: q})
		}
	}
}

// loadRelease makes rules of all that a release says about others. All of them are
// made, even after one is broken: a rule that is missing would make wrong answers.
func (s *solver) loadRelease(v int32, bit int) (conflict int32) {
	off := s.vars[v].off
	w := s.vars[v].w
	if set(s.done[off : off+w]).has(bit) {
		return none
	}
	conflict = none
	for _, q := range s.ix.requirements(s.vars[v].p, bit) {
		if q.in.meets(s.done[off : off+w]) {
			continue // came with another release that says the same
		}
		if c := s.require(v, q); conflict == none {
			conflict = c
		}
	}
	set(s.done[off : off+w]).add(bit)
	return conflict
}

// require makes the rule of one requirement.
func (s *solver) require(v int32, q *requirement) (conflict int32) {
	to := s.variable(q.to) // first all variables: a new one makes rules of its own
	var alts []choiceSet
	for i := range q.alts {
		w := s.variable(q.alts[i].p)
		alts = append(alts, choiceSet{w, s.allowed(w, q.alts[i].plain, q.alts[i].loose)})
	}
	at := len(s.terms)
	ok := s.addTerm(at, v, q.in)
	switch q.kind {
	case kConflict, kReplace:
		ok = ok && s.addTerm(at, to, q.set.loose)
	case kOptional:
		in := s.allowed(to, q.set.plain, q.set.loose).clone()
		in.add(absent)
		ok = ok && s.addOutside(at, to, in)
	default:
		ok = ok && s.addOutside(at, to, s.allowed(to, q.set.plain, q.set.loose))
		for _, a := range alts {
			ok = ok && s.addOutside(at, a.v, a.in)
		}
	}
	if !ok {
		s.terms = s.terms[:at]
		return none
	}
	return s.attach(s.newRule(at, q.kind, q, 0))
}
