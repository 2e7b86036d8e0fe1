package update

import (
	"context"
	"fmt"
	"maps"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/verify"
)

// Offers returns the updates of everything installed, as the policy judges them now.
func (r *Runner) Offers(ctx context.Context) ([]Offer, error) {
	facts, err := r.market.Facts(ctx)
	if err != nil {
		return nil, err
	}
	return r.find(facts), nil
}

func (r *Runner) find(facts Facts) []Offer {
	r.mu.Lock()
	in := FindInput{
		Facts: facts, State: r.state.clone(), Policy: r.policy(), Now: r.now(),
		Problems: maps.Clone(r.problems),
	}
	r.mu.Unlock()
	return Find(in)
}

// State returns a copy of what is remembered: holds, poison list, last and next run.
func (r *Runner) State() State {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.clone()
}

// Policy returns the policy in force.
func (r *Runner) Policy() Policy {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.policy()
}

func (r *Runner) policy() Policy {
	if r.state.Policy != nil {
		return *r.state.Policy
	}
	return r.o.Policy
}

// SetPolicy sets another policy from now on, also after a restart.
func (r *Runner) SetPolicy(ctx context.Context, p Policy) error {
	if err := p.Validate(); err != nil {
		return fmt.Errorf("update policy: %w", err)
	}
	return r.decided(ctx, func(s *State) { s.Policy = &p })
}

// Hold keeps a plugin at its version; see [Hold]. It replaces what was said before.
func (r *Runner) Hold(ctx context.Context, id catalog.PluginID, h Hold) error {
	if _, err := catalog.ParsePluginID(string(id)); err != nil {
		return err
	}
	if h.At.IsZero() {
		h.At = r.now()
	}
	return r.decided(ctx, func(s *State) {
		if s.Holds == nil {
			s.Holds = make(map[catalog.PluginID]Hold)
		}
		s.Holds[id] = h
	})
}

// Release takes the hold or pin of a plugin away.
func (r *Runner) Release(ctx context.Context, id catalog.PluginID) error {
	return r.decided(ctx, func(s *State) { delete(s.Holds, id) })
}

// Freeze stops all automatic updates, or lets them go on. Changes that are being
// watched are still taken back when they turn out bad.
func (r *Runner) Freeze(ctx context.Context, on bool) error {
	return r.decided(ctx, func(s *State) { s.Frozen = on })
}

// Forgive takes a release off the poison list, so that it is tried again.
func (r *Runner) Forgive(ctx context.Context, d verify.Digest) error {
	return r.decided(ctx, func(s *State) { s.forgive(d) })
}

// ResetBreaker forgets that updates had to be taken back, see [State.Breaker].
func (r *Runner) ResetBreaker(ctx context.Context) error {
	return r.decided(ctx, func(s *State) { s.Rollbacks = nil })
}

// ByHand returns nil when a person may update to the release now: they may although
// it is held, but not when it is pinned, which is [ErrPinned].
func (r *Runner) ByHand(ref catalog.Ref) error { return r.State().ByHand(ref, r.now()) }

// Applied tells what a person applied, after it was: a version that they rolled back
// from does not come back by itself, one that they chose is no longer held back, and
// new versions are watched as if they had been applied by themselves. unwell names
// the plugins that were not healthy before.
func (r *Runner) Applied(ctx context.Context, p *install.Plan, tx *install.Transaction, actor string, unwell []catalog.PluginID) error {
	now := r.now()
	soak := newSoak(p, unwell)
	soak.commit(tx.To, now)
	return r.decided(ctx, func(s *State) {
		s.applied(p, actor, now)
		if len(soak.Moves) > 0 && p.Rollback == 0 {
			s.Soaks = append(s.Soaks, soak)
			r.due.soak = now.Add(soakEvery)
		}
	})
}

// decided takes over what a person decided, and lets Run see to it at once.
func (r *Runner) decided(ctx context.Context, f func(*State)) error {
	err := r.change(ctx, func(s *State) {
		f(s)
		r.due.apply = time.Time{}
	})
	select {
	case r.wake <- struct{}{}:
	default: // it will wake up anyway
	}
	return err
}
