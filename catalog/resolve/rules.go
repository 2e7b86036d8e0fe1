package resolve

import (
	"context"

	"github.com/souk-dev/souk/catalog"
)

// term says that a plugin's choice lies in a set.
type term struct {
	v   int32 // variable
	off int32 // of the set in solver.sets
}

// rule is a nogood: its terms must not all hold. A dependency of p on q is
// {p in S, q not in R}. What a rule comes from stands in kind, src, note and steps.
type rule struct {
	at, n int32    // terms
	wt    [2]int32 // the watched terms, as indices into solver.terms; -1: none
	next  [2]int32 // next node in the watch list
	kind  kind
	dead  bool // forgotten: no longer watched, but kept for the derivation tree
	info  int32
	src   *requirement
}

// learnt is what only learned rules and facts of the request have.
type learnt struct {
	activity float64
	steps    []step // how it was derived
	note     string // of a fact: the range asked for, the reason of a hold, a yank
}

// step of a derivation: resolve what was derived so far with rule, on variable pivot.
type step struct{ rule, pivot int32 }

// variable is a plugin in the solver, with its current domain.
type variable struct {
	p      *pkg
	off, w int32 // its words in solver.dom and solver.loaded
	base   int32 // its first watch list in solver.heads
	last   int32 // the last entry that narrowed it, or none
	inst   int32 // bit of the installed release; 0: none
	chosen int32 // bit that was decided; 0: none
	moving bool  // asked for by Update: newest before installed
	stays  bool  // what is installed could stay, as far as it alone is concerned
	opt    set   // pre-releases that may be chosen without being named; nil: none
}

// entry is one narrowing of a domain. References to entries count up from 0 on the
// trail; those that hold whatever is decided count down from -2.
type entry struct {
	v, reason, level int32
	prev             int32 // the entry of the same variable before
	old              int32 // offset of the domain before, in hist or baseHist
}

const (
	none    = int32(-1)
	noCause = int32(-1) // reason of a decision
)

// mark is the state to go back to when a level is undone.
type mark struct{ trail, agenda, head, chosen int32 }

// late is a rule that came when it was already unit or broken.
type late struct{ rule, level int32 }

type solver struct {
	ctx  context.Context
	ix   *Index
	req  *Request
	inst map[catalog.PluginID]*Installed
	opts map[catalog.PluginID]*wish

	vars  []variable
	varOf []int32 // pkg.num -> variable+1
	dom   []uint64
	full  []uint64 // likewise, before anything was taken out
	done  []uint64 // per variable: releases whose requirements are loaded

	rules []rule
	terms []term
	sets  []uint64
	infos []learnt
	heads []int32 // variable.base+bit -> first node; a node is rule*2 + which watch

	trail, base    []entry
	hist, baseHist []uint64
	qhead          int
	levels         []mark // levels[i] is the state when level i+1 was opened
	lates          []late

	agenda []item
	head   int32
	chosen []int32 // variables in order of decision

	panelFits map[string]bool

	conf  analysis
	bump  float64
	alive int // learned rules that are watched
	limit int // of alive

	steps, conflicts       int
	maxSteps, maxConflicts int
	nextCheck              int
}

func (s *solver) level() int32       { return int32(len(s.levels)) }
func (s *solver) domain(v int32) set { x := &s.vars[v]; return s.dom[x.off : x.off+x.w] }
func (s *solver) all(v int32) set    { x := &s.vars[v]; return s.full[x.off : x.off+x.w] }
func (s *solver) set(t term) set     { return s.sets[t.off : t.off+s.vars[t.v].w] }

func (s *solver) termsOf(r int32) []term {
	x := &s.rules[r]
	return s.terms[x.at : x.at+x.n]
}

// addTerm appends a term to the rule under construction. A term that always holds is
// left out; one that cannot hold makes the rule void: false.
func (s *solver) addTerm(at int, v int32, in set) bool {
	for i := at; i < len(s.terms); i++ {
		if s.terms[i].v == v {
			old := s.set(s.terms[i])
			old.and(in)
			return !old.empty()
		}
	}
	if s.all(v).within(in) {
		return true
	}
	if in.empty() {
		return false
	}
	off := len(s.sets)
	s.sets = append(s.sets, in...)
	s.terms = append(s.terms, term{v, int32(off)})
	return true
}

// addOutside adds the term "v is not in keep".
func (s *solver) addOutside(at int, v int32, keep set) bool {
	var few [4]uint64
	c := append(set(few[:0]), s.all(v)...)
	c.not(keep)
	return s.addTerm(at, v, c)
}

// newRule makes a rule of the terms from at on, which nobody watches yet.
func (s *solver) newRule(at int, k kind, src *requirement, info int32) int32 {
	s.rules = append(s.rules, rule{at: int32(at), n: int32(len(s.terms) - at),
		wt: [2]int32{none, none}, kind: k, src: src, info: info})
	return int32(len(s.rules) - 1)
}

func (s *solver) newInfo(l learnt) int32 {
	s.infos = append(s.infos, l)
	return int32(len(s.infos) - 1)
}

// fact adds a rule of one term, with its reason: v must not be in `not`.
func (s *solver) fact(v int32, not set, k kind, note string) (conflict int32) {
	at := len(s.terms)
	if !s.addTerm(at, v, not) {
		s.terms = s.terms[:at]
		return none
	}
	return s.attach(s.newRule(at, k, nil, s.newInfo(learnt{note: note})))
}

// attach watches a new rule. It returns the rule when all its terms hold, and narrows
// a domain when all but one do.
func (s *solver) attach(r int32) (conflict int32) {
	x := &s.rules[r]
	// The two best terms to watch: first those that do not hold, then those that
	// hold for the shortest time.
	var best [2]int32
	var since [2]int64
	best[0], best[1] = none, none
	const open = int64(1) << 62
	for i := x.at; i < x.at+x.n; i++ {
		t := s.terms[i]
		when := open
		if s.domain(t.v).within(s.set(t)) {
			when = seq(s.satisfier(t.v, s.set(t)))
		}
		switch {
		case best[0] == none || when > since[0]:
			best[1], since[1] = best[0], since[0]
			best[0], since[0] = i, when
		case best[1] == none || when > since[1]:
			best[1], since[1] = i, when
		}
	}
	if x.n >= 2 {
		s.watch(r, 0, best[0])
		s.watch(r, 1, best[1])
		if since[1] == open {
			return none
		}
	}
	if s.level() > 0 {
		s.lates = append(s.lates, late{r, s.level()})
	}
	if x.n == 0 || since[0] != open {
		return r
	}
	s.derive(s.terms[best[0]], r)
	return none
}

// watch puts a term on the list of a value that keeps it from holding, or, when it
// holds, of one that was removed last.
func (s *solver) watch(r int32, which int, at int32) {
	t := s.terms[at]
	in := s.set(t)
	b := s.domain(t.v).outside(in)
	if b < 0 {
		_, old := s.at(s.satisfier(t.v, in))
		b = old.outside(in)
	}
	x := &s.rules[r]
	head := &s.heads[s.vars[t.v].base+int32(b)]
	x.wt[which] = at
	x.next[which] = *head
	*head = r*2 + int32(which)
}
