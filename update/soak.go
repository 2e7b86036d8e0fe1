package update

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
)

const (
	// SoakTime is how long a change is watched after it was committed.
	SoakTime = 15 * time.Minute
	// soakEvery is how often its plugins are asked, and healthTime how long one may
	// take to answer.
	soakEvery  = time.Minute
	healthTime = 30 * time.Second
	// maxStrikes bad answers in a row are a bad plugin; fewer may be a hiccup.
	maxStrikes = 3
)

// errCrashed is what a release is blamed for that the panel did not survive.
var errCrashed = errors.New("the panel ended during the update")

func newSoak(p *install.Plan, unwell []catalog.PluginID) Soak {
	s := Soak{Title: p.Title, Says: p.Says, Base: p.Base, Unwell: unwell}
	for _, step := range p.Steps {
		if step.Action != install.ActUpdate || step.From == nil {
			continue
		}
		s.Moves = append(s.Moves, Move{Ref: step.Release.Ref, Digest: step.Release.Digest, From: step.From.Version})
		// With the same schema old and new code share one data directory.
		s.Loses = s.Loses || step.Release.Manifest.DataSchema != step.From.Manifest.DataSchema
	}
	return s
}

func (s *Soak) commit(generation uint64, now time.Time) {
	s.To, s.Until, s.Strikes = generation, now.Add(SoakTime), make(map[catalog.PluginID]int)
}

func (s *Soak) same(t Soak) bool { return s.Base == t.Base && slices.Equal(s.Moves, t.Moves) }

// drop stops watching.
func (r *Runner) drop(ctx context.Context, soak Soak) error {
	return r.change(ctx, func(s *State) { s.forget(soak) })
}

func (s *State) forget(soak Soak) {
	s.Soaks = slices.DeleteFunc(s.Soaks, func(t Soak) bool { return soak.same(t) })
}

// commit begins to watch what was committed.
func (r *Runner) commit(ctx context.Context, soak Soak, generation uint64, took time.Duration) error {
	now := r.now()
	soak.commit(generation, now)
	return r.change(ctx, func(s *State) {
		for i := range s.Soaks {
			if s.Soaks[i].same(soak) {
				s.Soaks[i] = soak
			}
		}
		if took > 0 {
			s.LastTook = took
		}
		r.due.soak = now.Add(soakEvery)
	})
}

// soaking returns until when at least a change is being watched; zero when none is.
func (s *State) soaking(now time.Time) (until time.Time) {
	for _, soak := range s.Soaks {
		t := now.Add(soakEvery)
		if !soak.over(now) {
			t = latest(t, soak.Until)
		}
		until = latest(until, t)
	}
	return until
}

// over reports whether the time of a soak is over, or was set by a clock that has been
// put back since.
func (s *Soak) over(now time.Time) bool {
	return !now.Before(s.Until) || s.Until.Sub(now) > SoakTime
}

// settle looks after changes that were begun when the panel ended: the store has
// brought them to an end by now, and what is installed shows to which.
func (r *Runner) settle(ctx context.Context, facts Facts) error {
	var errs []error
	for _, soak := range r.State().Soaks {
		switch {
		case soak.To != 0:
		case soak.in(facts):
			errs = append(errs, r.commit(ctx, soak, facts.Generation.N, 0))
			r.notify(ctx, Event{Kind: KindSucceeded, Title: soak.Title, Changes: steps(soak.Moves)})
		default:
			errs = append(errs, r.drop(ctx, soak))
			r.blame(ctx, "Not updated", soak.Moves, soak.Moves, errCrashed, true)
		}
	}
	return errors.Join(errs...)
}

// in reports whether all that was changed is installed as it was changed.
func (s *Soak) in(facts Facts) bool {
	return !slices.ContainsFunc(s.Moves, func(m Move) bool {
		p, ok := facts.Generation.Plugins[m.Plugin]
		return !ok || p.Ref != m.Ref || p.Digest != m.Digest
	})
}

// watch asks the plugins of all changes that are being watched.
func (r *Runner) watch(ctx context.Context) error {
	r.mu.Lock()
	r.due.soak = r.now().Add(soakEvery)
	r.mu.Unlock()
	facts, err := r.market.Facts(ctx)
	if err != nil {
		return err
	}
	errs := []error{r.settle(ctx, facts)}
	for _, soak := range r.State().Soaks {
		if soak.To != 0 {
			errs = append(errs, r.ask(ctx, facts, soak))
		}
	}
	return errors.Join(errs...)
}

// ask asks the plugins of one change, and what depends on them, once.
func (r *Runner) ask(ctx context.Context, facts Facts, soak Soak) error {
	if !soak.in(facts) {
		return r.drop(ctx, soak) // changed again meanwhile: nothing to say about it
	}
	var bad, unknown []catalog.PluginID
	var cause error
	pending := false
	strikes := make(map[catalog.PluginID]int)
	for _, id := range touched(facts, soak.Moves) {
		if slices.Contains(soak.Unwell, id) {
			continue
		}
		switch err := r.health(ctx, id); {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
		case errors.Is(err, install.ErrHealthUnknown):
			unknown = append(unknown, id)
		default:
			if strikes[id] = soak.Strikes[id] + 1; strikes[id] >= maxStrikes {
				bad = append(bad, id)
				cause = errors.Join(cause, fmt.Errorf("%s: %w", id, err))
			}
			pending = true
		}
	}
	switch {
	case len(bad) > 0:
		return r.takeBack(ctx, facts, soak, bad, fmt.Errorf("%w after the update: %w", install.ErrUnhealthy, cause))
	case pending || !soak.over(r.now()):
		return r.change(ctx, func(s *State) {
			for i := range s.Soaks {
				if s.Soaks[i].same(soak) {
					s.Soaks[i].Strikes = strikes
				}
			}
		})
	}
	if len(unknown) > 0 {
		r.notify(ctx, Event{Kind: KindInDoubt, Title: soak.Title, Changes: steps(soak.Moves),
			Reason: "It is kept, but whether " + join(unknown) + " is well could not be told."})
	}
	return r.change(ctx, func(s *State) {
		s.forget(soak)
		for _, m := range soak.Moves { // only now: else the count would begin anew each time
			s.outgrow(m.Plugin, m.Version)
		}
	})
}

// takeBack goes back to the generation before a change, if that is a change back and
// nothing else, and loses no data that the policy wants kept.
func (r *Runner) takeBack(ctx context.Context, facts Facts, soak Soak, bad []catalog.PluginID, cause error) error {
	guilty := responsible(facts, soak.Moves, bad)
	keep := func(why string) error {
		err := r.drop(ctx, soak)
		err = errors.Join(err, r.change(ctx, func(s *State) {
			for _, m := range guilty {
				s.fail(m.Ref, m.Digest, cause, r.now())
			}
		}))
		r.notify(ctx, Event{Kind: KindInDoubt, Title: soak.Title, Changes: steps(soak.Moves), Log: r.excerpt(ctx, guilty),
			Reason: fmt.Sprintf("It is not well (%v), but was not taken back: %s.", cause, why)})
		return err
	}
	switch {
	case soak.Loses && !r.Policy().RollbackData:
		return keep("that would lose what it has written since")
	case facts.Generation.N != soak.To:
		return keep("other plugins were changed since")
	}
	plan, err := r.market.PlanRollback(ctx, soak.Base)
	if err == nil {
		_, err = r.market.Apply(ctx, plan, install.Approval{Actor: Actor})
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, install.ErrBusy), errors.Is(err, install.ErrStalePlan):
		return err // asked again in a minute
	case err != nil:
		return keep(err.Error())
	}
	err = r.drop(ctx, soak)
	r.blame(ctx, "Taken back", soak.Moves, guilty, cause, true)
	r.mu.Lock()
	defer r.mu.Unlock()
	if soon := r.now().Add(retryApply); soon.Before(r.due.apply) {
		r.due.apply = soon // for those that went back without any guilt
	}
	return err
}

// unwell returns who of those that a plan touches is not well before it.
func (r *Runner) unwell(ctx context.Context, facts Facts, plan *install.Plan) []catalog.PluginID {
	soak := newSoak(plan, nil)
	var out []catalog.PluginID
	for _, id := range touched(facts, soak.Moves) {
		if err := r.health(ctx, id); err != nil && !errors.Is(err, install.ErrHealthUnknown) {
			out = append(out, id)
		}
	}
	return out
}

func (r *Runner) health(ctx context.Context, id catalog.PluginID) error {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	return r.market.Health(ctx, id)
}

// touched returns the enabled plugins that moved, and those that need one of them,
// directly or not, in order.
func touched(facts Facts, moves []Move) []catalog.PluginID {
	var out []catalog.PluginID
	for id, p := range facts.Generation.Plugins {
		if p.Enabled && slices.ContainsFunc(moves, func(m Move) bool { return needs(facts, id, m.Plugin) }) {
			out = append(out, id)
		}
	}
	slices.Sort(out)
	return out
}

// responsible returns the moves that the bad ones need; all of them when none is.
func responsible(facts Facts, moves []Move, bad []catalog.PluginID) []Move {
	out := slices.DeleteFunc(slices.Clone(moves), func(m Move) bool {
		return !slices.ContainsFunc(bad, func(id catalog.PluginID) bool { return needs(facts, id, m.Plugin) })
	})
	if len(out) == 0 {
		return moves
	}
	return out
}

// needs reports whether a is b or depends on it, directly or not.
func needs(facts Facts, a, b catalog.PluginID) bool {
	seen := map[catalog.PluginID]bool{}
	todo := []catalog.PluginID{a}
	for len(todo) > 0 {
		id := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if id == b {
			return true
		}
		if seen[id] {
			continue
		}
		seen[id] = true
		for _, d := range facts.Generation.Plugins[id].Manifest.Dependencies {
			todo = append(todo, d.ID)
		}
	}
	return false
}
