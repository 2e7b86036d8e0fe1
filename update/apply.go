package update

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
)

// maxReplan is how often a plan is made anew when somebody else changed something in
// between.
const maxReplan = 3

// errUnplanned means that a set was not even tried: nothing is known against it.
var errUnplanned = errors.New("not possible now")

// apply applies offers that the policy allows now, until one transaction succeeds:
// the next waits until that one has held, so that it can be taken back by itself. All
// that is new goes in one transaction. When it fails, halves of it are tried whose
// parts do not depend on each other, so that one bad plugin does not hold back all
// and is found in few steps. What failed before is tried apart from the start.
func (r *Runner) apply(ctx context.Context, facts Facts, offers []Offer) error {
	for queue := r.sets(facts, offers); len(queue) > 0; {
		set := queue[0]
		queue = queue[1:]
		// Between two transactions a window may close, a person may hold a plugin,
		// and too much may have gone wrong.
		facts, err := r.market.Facts(ctx)
		if err != nil {
			return err
		}
		allowed := ready(r.find(facts))
		set = slices.DeleteFunc(set, func(o Offer) bool {
			return !slices.ContainsFunc(allowed, func(a Offer) bool { return a.To.Ref == o.To.Ref && a.To.Digest == o.To.Digest })
		})
		if len(set) == 0 {
			continue
		}
		err = r.try(ctx, facts, set, allowed)
		if err == nil || r.stops(ctx, err) {
			return err
		}
		parts := components(facts, set)
		if len(parts) == 1 {
			r.fail(ctx, set, err)
		} else if i := culprit(parts, err); i >= 0 { // known: no need to look for it
			r.fail(ctx, parts[i], err)
			queue = append(queue, slices.Concat(slices.Delete(parts, i, i+1)...))
		} else {
			half := len(parts) / 2
			queue = append([][]Offer{slices.Concat(parts[:half]...), slices.Concat(parts[half:]...)}, queue...)
		}
	}
	return nil
}

// ready returns the offers that are to be applied now.
func ready(offers []Offer) []Offer {
	return slices.DeleteFunc(slices.Clone(offers), func(o Offer) bool {
		return o.Decision.Verdict != Auto || !o.Decision.Until.IsZero()
	})
}

// sets divides offers into what is tried at once: everything that is new in one set,
// and what has failed before in one for each part that depends on nothing else.
func (r *Runner) sets(facts Facts, offers []Offer) [][]Offer {
	s := r.State()
	var fresh []Offer
	var apart [][]Offer
	for _, part := range components(facts, offers) {
		if slices.ContainsFunc(part, func(o Offer) bool { _, failed := s.Poisoned(o.To.Digest); return failed }) {
			apart = append(apart, part)
		} else {
			fresh = append(fresh, part...)
		}
	}
	if len(fresh) == 0 {
		return apart
	}
	return append([][]Offer{fresh}, apart...)
}

// try plans and applies one set.
func (r *Runner) try(ctx context.Context, facts Facts, set, allowed []Offer) error {
	for range maxReplan {
		plan, err := r.market.Plan(ctx, refs(set))
		if err == nil {
			err = CheckPlan(plan, allowed)
		}
		if err == nil && len(plan.Steps) == 0 {
			err = errors.New("there is nothing to change")
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errUnplanned, err)
		}
		if err = r.transact(ctx, facts, plan); !errors.Is(err, install.ErrStalePlan) {
			return err
		}
	}
	return install.ErrStalePlan
}

// transact applies a plan and begins to watch it.
func (r *Runner) transact(ctx context.Context, facts Facts, plan *install.Plan) error {
	soak := newSoak(plan, r.unwell(ctx, facts, plan))
	// If this cannot be written, a crash in the update would not be noticed after it.
	if err := r.change(ctx, func(s *State) { s.Soaks = append(s.Soaks, soak) }); err != nil {
		return errors.Join(err, r.drop(ctx, soak))
	}
	r.notify(ctx, Event{Kind: KindStarted, Title: plan.Title, Changes: changes(plan)})
	begun := r.now()
	tx, err := r.market.Apply(ctx, plan, install.Approval{Actor: Actor})
	took := r.now().Sub(begun)
	if err != nil {
		return errors.Join(err, r.change(ctx, func(s *State) { s.forget(soak); s.LastTook = took }))
	}
	r.mu.Lock()
	r.troubled = ""
	r.mu.Unlock()
	err = r.commit(ctx, soak, tx.To, took)
	r.notify(ctx, Event{Kind: KindSucceeded, Title: plan.Title, Changes: changes(plan)})
	return err
}

// stops reports whether an error ends the whole run, and tells a person if they can
// do something about it.
func (r *Runner) stops(ctx context.Context, err error) bool {
	switch {
	case ctx.Err() != nil, errors.Is(err, install.ErrBusy), errors.Is(err, install.ErrStalePlan), errors.Is(err, errSave):
		return true
	case errors.Is(err, install.ErrInDoubt), errors.Is(err, install.ErrCorrupt):
		r.trouble(ctx, Event{Kind: KindInDoubt, Title: "The store of plugins needs a look", Reason: err.Error()})
		return true
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		r.trouble(ctx, Event{Kind: KindDiskLow, Title: "There is no space for an update", Reason: err.Error()})
		return true
	}
	return false
}

// trouble tells of what stops all updates, once until an update succeeds again.
func (r *Runner) trouble(ctx context.Context, e Event) {
	r.mu.Lock()
	known := r.troubled == e.Kind
	r.troubled = e.Kind
	r.mu.Unlock()
	if !known {
		r.notify(ctx, e)
	}
}

// fail remembers that a set did not work. Where that says nothing about the releases
// themselves, it is remembered until the next check only.
func (r *Runner) fail(ctx context.Context, set []Offer, cause error) {
	if passing(cause) {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.problems == nil {
			r.problems = make(map[verify.Digest]string)
		}
		for _, o := range set {
			r.problems[o.To.Digest] = cause.Error()
		}
		return
	}
	var moves, guilty []Move
	var ie *install.Error
	named := errors.As(cause, &ie)
	for _, o := range set {
		m := Move{Ref: o.To.Ref, Digest: o.To.Digest, From: o.From.Version}
		if moves = append(moves, m); named && m.Ref == ie.Ref {
			guilty = append(guilty, m)
		}
	}
	if len(guilty) == 0 {
		guilty = moves
	}
	ran := errors.Is(cause, install.ErrUnhealthy) || named && (ie.Phase == install.StateStarting ||
		ie.Phase == install.StateChecking || ie.Phase == install.StateRollingBack)
	r.blame(ctx, "Not updated", moves, guilty, cause, ran)
}

// passing reports whether an error is about the world around a release.
func passing(err error) bool {
	return slices.ContainsFunc([]error{
		errUnplanned, catalog.ErrUnavailable, catalog.ErrExpired, catalog.ErrBlocked,
		catalog.ErrNotFound, install.ErrConsent, sandbox.ErrDenied,
	}, func(target error) bool { return errors.Is(err, target) })
}

// blame puts the guilty of what was tried on the poison list, and tells of it. A
// rollback counts for the circuit breaker when one of them failed for the first time:
// that a release known to be bad fails again says nothing new.
func (r *Runner) blame(ctx context.Context, headline string, tried, guilty []Move, cause error, rolledBack bool) {
	now := r.now()
	var failures []Failure
	err := r.change(ctx, func(s *State) {
		first := false
		for _, m := range guilty {
			f := s.fail(m.Ref, m.Digest, cause, now)
			failures = append(failures, f)
			first = first || f.Count == 1
		}
		if rolledBack && first {
			s.rolledBack(now)
		}
	})
	if err != nil {
		r.o.Log.WarnContext(ctx, "updates", "error", err)
	}
	r.notify(ctx, Event{
		Kind: KindRolledBack, Title: title(headline, tried), Changes: steps(tried), Reason: cause.Error(),
		Log: r.excerpt(ctx, guilty),
	})
	for _, f := range failures {
		if f.Next.After(now) {
			r.notify(ctx, Event{Kind: KindPoisoned, Title: fmt.Sprintf("%s is left alone until %s", f.Ref, at(f.Next)), Reason: f.Error, Until: f.Next})
		}
	}
}

func (r *Runner) excerpt(ctx context.Context, guilty []Move) []string {
	m, ok := r.market.(Excerpter)
	if !ok || len(guilty) == 0 {
		return nil
	}
	return m.Excerpt(ctx, guilty[0].Plugin)
}

// title names what moves, at most three of them.
func title(headline string, moves []Move) string {
	s := headline + ":"
	for i, m := range moves {
		switch {
		case i == 3:
			return fmt.Sprintf("%s and %d more", s, len(moves)-3)
		case i > 0:
			s += ","
		}
		s += " " + m.Ref.String()
	}
	return s
}

func steps(moves []Move) []install.HistoryStep {
	var out []install.HistoryStep
	for _, m := range moves {
		out = append(out, install.HistoryStep{Action: install.ActUpdate, Plugin: m.Plugin, From: m.From, To: m.Version})
	}
	return out
}
