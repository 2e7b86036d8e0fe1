package update

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/verify"
)

const (
	// retrySync is after which time a sync that failed is tried again, if the source
	// does not say.
	retrySync = time.Hour
	// retryApply is how soon something that could be applied, but was not, is tried
	// again within a window.
	retryApply = time.Hour
)

// Check makes one pass now: it fetches catalogs and advisories, obeys the advisories,
// tells what is new, and applies what the policy allows if a window is open. When a
// source does not answer, it goes on with what is known, and says so at the end. If a
// pass runs already, it waits for its turn.
func (r *Runner) Check(ctx context.Context) error { return r.exclusively(ctx, r.check) }

func (r *Runner) check(ctx context.Context) error {
	err := r.market.Sync(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	now := r.now()
	saved := r.change(ctx, func(s *State) {
		s.LastRun = now
		s.NextRun = NextCheck(now, s.Secret)
		if err != nil {
			s.NextRun = now.Add(max(retrySync, retryAfter(err)))
		}
		r.due.advisories = now.Add(AdvisoryEvery)
		r.problems = nil
	})
	r.tellSync(ctx, err)
	if err != nil {
		err = fmt.Errorf("fetch catalogs: %w", err)
	}
	return errors.Join(err, saved, r.step(ctx))
}

// tellSync tells once that a source is not what it should be, not that it is away.
func (r *Runner) tellSync(ctx context.Context, err error) {
	bad := err != nil && (errors.Is(err, verify.ErrUntrusted) || errors.Is(err, verify.ErrDigest) ||
		errors.Is(err, catalog.ErrRollback) || errors.Is(err, catalog.ErrExpired))
	r.mu.Lock()
	first := bad && !r.failing
	r.failing = bad
	r.mu.Unlock()
	if first {
		r.notify(ctx, Event{Kind: KindInDoubt, Title: "A catalog was refused", Reason: err.Error()})
	}
}

// pollAdvisories fetches and obeys advisories between two checks.
func (r *Runner) pollAdvisories(ctx context.Context) error {
	r.mu.Lock()
	r.due.advisories = r.now().Add(AdvisoryEvery)
	r.mu.Unlock()
	m, ok := r.market.(AdvisoryPoller)
	if !ok {
		return nil
	}
	err := m.SyncAdvisories(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if wait := retryAfter(err); wait > 0 {
		r.mu.Lock()
		r.due.advisories = r.now().Add(max(wait, AdvisoryEvery))
		r.mu.Unlock()
	}
	facts, ferr := r.market.Facts(ctx)
	if ferr != nil {
		return errors.Join(err, ferr)
	}
	return errors.Join(err, r.obey(ctx, facts))
}

// step does everything about updates that needs no sync. That one part of it went
// wrong does not keep the others from being done.
func (r *Runner) step(ctx context.Context) error {
	r.mu.Lock()
	now := r.now()
	r.due.apply = now.Add(retryApply) // whatever happens, not again at once
	watch := len(r.state.Soaks) > 0 && isDue(r.due.soak, now)
	r.mu.Unlock()
	var errs []error
	if watch {
		errs = append(errs, r.watch(ctx))
	}
	facts, err := r.market.Facts(ctx)
	if err != nil {
		return errors.Join(append(errs, err)...)
	}
	errs = append(errs, r.obey(ctx, facts))
	offers := r.find(facts)
	errs = append(errs, r.announce(ctx, offers))
	if now := ready(offers); len(now) > 0 {
		errs = append(errs, r.apply(ctx, facts, now))
		if facts, err = r.market.Facts(ctx); err != nil {
			return errors.Join(append(errs, err)...)
		}
		offers = r.find(facts)
	} else {
		errs = append(errs, r.fetchAhead(ctx, offers))
	}
	r.planNext(offers)
	return errors.Join(errs...)
}

// planNext decides when to look at the offers again before the next check: when a
// window opens, or something within it has waited long enough.
func (r *Runner) planNext(offers []Offer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now, policy := r.now(), r.policy()
	next := r.state.NextRun
	for _, o := range offers {
		t := o.Decision.Until
		switch {
		case o.Decision.Verdict == Auto && t.IsZero():
			t = now.Add(retryApply)
		case o.Decision.Verdict != Auto && (o.Decision.Verdict != Wait || t.IsZero()):
			continue
		}
		if start, err := policy.Begin(t, r.state.LastTook); err == nil && start.Before(next) {
			next = start
		}
	}
	r.due.apply = latest(next, now.Add(time.Minute))
}

// announce tells each new offer once.
func (r *Runner) announce(ctx context.Context, offers []Offer) error {
	var keys []string
	var events []Event
	for _, o := range offers {
		e := Event{
			Kind: KindAvailable, Title: fmt.Sprintf("%s %s is available", o.Name, o.To.Version),
			Changes:  []install.HistoryStep{{Action: install.ActUpdate, Plugin: o.Plugin, From: o.From.Version, To: o.To.Version}},
			Decision: &o.Decision,
		}
		switch {
		case o.Decision.Verdict == Held:
			e.Kind = KindHeld
		case o.Decision.Verdict == Wait && o.Decision.Until.IsZero():
			continue // it may be long: no use to talk about it yet
		}
		keys = append(keys, fmt.Sprintf("%s %s", e.Kind, o.To.Ref))
		events = append(events, e)
	}
	return r.tell(ctx, "", keys, events)
}

// tell notifies of the events whose keys were not told before, and remembers the
// keys; those of the same kind of thing that are no more are forgotten.
func (r *Runner) tell(ctx context.Context, about string, keys []string, events []Event) error {
	var fresh []Event
	r.mu.Lock()
	told := r.state.Told
	r.mu.Unlock()
	for i, key := range keys {
		keys[i] = about + key
		if !slices.Contains(told, keys[i]) {
			fresh = append(fresh, events[i])
		}
	}
	next := slices.DeleteFunc(slices.Clone(told), func(k string) bool { return isAdvisory(k) == (about != "") })
	next = append(next, keys...)
	slices.Sort(next)
	if slices.Equal(next, told) {
		return nil
	}
	err := r.change(ctx, func(s *State) { s.Told = next })
	for _, e := range fresh {
		r.notify(ctx, e)
	}
	return err
}

// fetchAhead downloads what the next window will need.
func (r *Runner) fetchAhead(ctx context.Context, offers []Offer) error {
	m, ok := r.market.(Fetcher)
	if !ok {
		return nil
	}
	auto := slices.DeleteFunc(slices.Clone(offers), func(o Offer) bool { return o.Decision.Verdict != Auto })
	if len(auto) == 0 {
		return nil
	}
	plan, err := r.market.Plan(ctx, refs(auto))
	if err != nil {
		return fmt.Errorf("plan the updates of the next window: %w", err)
	}
	r.mu.Lock()
	done := r.fetched == plan.ID()
	r.mu.Unlock()
	if done {
		return nil
	}
	if err := CheckPlan(plan, auto); err != nil {
		return err
	}
	if err := m.Fetch(ctx, plan); err != nil {
		return fmt.Errorf("download the updates of the next window: %w", err)
	}
	r.mu.Lock()
	r.fetched = plan.ID()
	r.mu.Unlock()
	return nil
}

func refs(offers []Offer) []catalog.Ref {
	var out []catalog.Ref
	for _, o := range offers {
		out = append(out, o.To.Ref)
	}
	return out
}
