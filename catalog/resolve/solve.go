package resolve

import (
	"context"
	"fmt"
)

// The defaults of Budget: a request of a panel with thousands of plugins takes a
// hundredth of these.
const (
	defaultSteps     = 5_000_000
	defaultConflicts = 20_000
)

// Solve finds the best set of releases that fulfils a request, or proves that there is
// none. It is a pure function of its arguments: the same ones give the same answer,
// byte for byte, in whatever order the universe lists things.
//
// A proof is returned as a [*Conflict]. Other errors are [ErrBudget], and what is
// wrong with the request itself: a malformed version or range, or an Update of
// something that is not installed, which wraps [catalog.ErrNotFound].
func Solve(ctx context.Context, u Universe, req Request) (*Resolution, error) {
	s, err := newSolver(ctx, u, &req)
	if err != nil {
		return nil, err
	}
	solvable, err := s.run()
	s.ix.expect(sizes{len(s.vars), len(s.heads), len(s.rules), len(s.terms), len(s.sets), len(s.trail), len(s.agenda)})
	switch {
	case err != nil:
		return nil, err
	case solvable:
		return s.resolution(), nil
	}
	return nil, s.explain(true)
}

// reserve makes room for a search of a size.
func (s *solver) reserve(n sizes) {
	s.vars = make([]variable, 0, n.vars)
	s.chosen = make([]int32, 0, n.vars)
	s.varOf = make([]int32, 0, n.vars)
	s.levels = make([]mark, 0, n.vars)
	s.dom, s.full, s.done = make([]uint64, 0, n.vars), make([]uint64, 0, n.vars), make([]uint64, 0, n.vars)
	s.heads = make([]int32, 0, n.heads)
	s.rules, s.terms = make([]rule, 0, n.rules), make([]term, 0, n.terms)
	s.sets = make([]uint64, 0, n.sets)
	s.trail, s.hist = make([]entry, 0, n.trail), make([]uint64, 0, n.trail)
	s.agenda = make([]item, 0, n.agenda)
}

// run searches. It reports whether there is a solution; if not, the last rule proves it.
func (s *solver) run() (solvable bool, err error) {
	broken := s.ask()
	for {
		if broken == none {
			broken = s.propagate()
		}
		if broken != none {
			unsolvable := false
			if broken, unsolvable = s.learn(broken); unsolvable {
				return false, nil
			}
			if s.alive > s.limit {
				s.forget()
			}
			if err := s.spent(); err != nil {
				return false, err
			}
			continue
		}
		if err := s.spent(); err != nil {
			return false, err
		}
		s.steps++
		finished := false
		if broken, finished = s.next(); finished {
			return true, nil
		}
	}
}

// spent reports whether the budget is.
func (s *solver) spent() error {
	switch {
	case s.conflicts > s.maxConflicts:
		return fmt.Errorf("%w: more than %d conflicts", ErrBudget, s.maxConflicts)
	case s.steps > s.maxSteps:
		return fmt.Errorf("%w: more than %d steps", ErrBudget, s.maxSteps)
	case s.steps >= s.nextCheck:
		s.nextCheck = s.steps + 1024
		if err := s.ctx.Err(); err != nil {
			return fmt.Errorf("%w: %w", ErrBudget, err)
		}
	}
	return nil
}
