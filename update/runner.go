package update

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/souk-dev/souk/verify"
)

// errSave means that the state of updates could not be saved.
var errSave = errors.New("save the state of updates")

// secretSize is the bytes of State.Secret.
const secretSize = 32

// Options of a Runner. The zero value is safe: it asks a person about everything.
type Options struct {
	// Policy holds until a person sets another one with SetPolicy.
	Policy Policy
	// Notifiers are told of every Event, in order.
	Notifiers []Notifier
	// Now is the clock on the wall; nil: time.Now.
	Now func() time.Time
	// Rand is read for the panel's secret and the first check; nil: crypto/rand.
	Rand io.Reader
	// Log gets what goes wrong in the background; nil: nothing is logged.
	Log *slog.Logger
}

// Runner finds updates, applies those that the policy allows, watches them, and takes
// them back. Its methods may be called at any time from any goroutine, whether Run
// runs or not.
type Runner struct {
	market Market
	keeper Keeper
	o      Options

	pass chan struct{} // full while a pass runs; passes do not overlap
	wake chan struct{} // tells Run that something changed

	mu       sync.Mutex // guards what follows, and the calls of keeper
	state    State
	running  bool
	due      due
	problems map[verify.Digest]string // since the last check
	fetched  string                   // the plan that was downloaded ahead
	troubled Kind                     // what stops all updates, and was told
	failing  bool                     // the last sync did not succeed
}

// due is when Run does what next. A zero time is now.
type due struct {
	apply      time.Time
	advisories time.Time
	soak       time.Time
}

// New returns a Runner of m that remembers in k. It fails when the policy is not
// valid or the state cannot be read: updating without knowing what a person holds
// back would be worse than not updating.
func New(ctx context.Context, m Market, k Keeper, o Options) (*Runner, error) {
	if m == nil || k == nil {
		return nil, errors.New("updates need a market and a keeper of their state")
	}
	if err := o.Policy.Validate(); err != nil {
		return nil, fmt.Errorf("update policy: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	state, err := k.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the state of updates: %w", err)
	}
	r := &Runner{
		market: m, keeper: k, o: o, state: state.clone(),
		pass: make(chan struct{}, 1), wake: make(chan struct{}, 1),
	}
	if len(state.Secret) == secretSize {
		return r, nil
	}
	secret := make([]byte, secretSize)
	if _, err := io.ReadFull(o.Rand, secret); err != nil {
		return nil, fmt.Errorf("make the secret of this panel: %w", err)
	}
	return r, r.change(ctx, func(s *State) { s.Secret = secret })
}

// Run checks, applies and watches until ctx ends, and returns its error then. Nothing
// else runs in the background. A second Run at the same time is an error.
func (r *Runner) Run(ctx context.Context) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.running = false
	}()
	for {
		if err := r.tick(ctx); err != nil && ctx.Err() == nil {
			r.o.Log.WarnContext(ctx, "updates", "error", err)
		}
		timer := time.NewTimer(r.sleep())
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		case <-r.wake:
			timer.Stop()
		}
	}
}

// begin plans the first check. One that was planned before a restart stays.
func (r *Runner) begin(ctx context.Context) error {
	r.mu.Lock()
	busy := r.running
	r.running = true
	r.mu.Unlock()
	if busy {
		return errors.New("updates run already")
	}
	var random [8]byte
	if _, err := io.ReadFull(r.o.Rand, random[:]); err != nil {
		return fmt.Errorf("spread the first check: %w", err)
	}
	now, n := r.now(), binary.BigEndian.Uint64(random[:])
	err := r.change(ctx, func(s *State) {
		if isDue(s.NextRun, now) {
			s.NextRun = FirstCheck(now, n)
		}
		r.due = due{apply: s.NextRun, advisories: now.Add(AdvisoryEvery)}
		// A window that opens before the next check is not missed by a restart.
		start, err := r.policy().Begin(now, s.LastTook)
		if err == nil && start.After(now) && start.Before(s.NextRun) {
			r.due.apply = start
		} else if first := FirstCheck(now, n); first.Before(s.NextRun) {
			r.due.apply = first
		}
	})
	if err != nil {
		r.o.Log.WarnContext(ctx, "updates", "error", err)
	}
	return nil
}

// tick does what is due. Whatever it does, and however that ends, makes it due at a
// later time, so that Run never spins.
func (r *Runner) tick(ctx context.Context) error {
	now := r.now()
	s, d := r.plan()
	var errs []error
	if len(s.Soaks) > 0 && isDue(d.soak, now) {
		errs = append(errs, r.exclusively(ctx, r.watch))
	}
	switch {
	case isDue(s.NextRun, now):
		errs = append(errs, r.Check(ctx))
	case isDue(d.apply, now):
		errs = append(errs, r.exclusively(ctx, r.step))
	case isDue(d.advisories, now):
		errs = append(errs, r.exclusively(ctx, r.pollAdvisories))
	}
	return errors.Join(errs...)
}

// isDue reports whether it is time. What is further ahead than anything is ever
// planned was planned by a clock that has been put back since.
func isDue(t, now time.Time) bool { return !now.Before(t) || t.Sub(now) > MaxRetryAfter+CheckEvery }

// sleep returns how long Run has nothing to do, at most MaxSleep.
func (r *Runner) sleep() time.Duration {
	s, d := r.plan()
	next := s.NextRun
	if d.apply.Before(next) {
		next = d.apply
	}
	if d.advisories.Before(next) {
		next = d.advisories
	}
	if len(s.Soaks) > 0 && d.soak.Before(next) {
		next = d.soak
	}
	return min(max(next.Sub(r.now()), 0), MaxSleep)
}

func (r *Runner) plan() (State, due) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state, r.due // of the state only what is not changed in place is used
}

// exclusively runs one pass; others wait for it.
func (r *Runner) exclusively(ctx context.Context, pass func(context.Context) error) error {
	select {
	case r.pass <- struct{}{}:
		defer func() { <-r.pass }()
		return pass(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// change changes the state and saves it. When it cannot be saved, the change holds
// all the same until the process ends, and the error says so.
func (r *Runner) change(ctx context.Context, f func(*State)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := r.state.clone()
	f(&next)
	r.state = next
	// What happened must be written down even when the panel is just stopping.
	if err := r.keeper.Save(context.WithoutCancel(ctx), next.clone()); err != nil {
		return fmt.Errorf("%w: %w", errSave, err)
	}
	return nil
}

// now is the time on the wall alone: without the monotonic clock, which stands still
// while a machine sleeps.
func (r *Runner) now() time.Time { return r.o.Now().Round(0) }

func (r *Runner) notify(ctx context.Context, e Event) {
	e.Time = r.now()
	for _, n := range r.o.Notifiers {
		within, cancel := context.WithTimeout(ctx, NotifyTime)
		err := n.Notify(within, e)
		cancel()
		if err != nil {
			r.o.Log.WarnContext(ctx, "update notification", "kind", e.Kind, "error", err)
		}
	}
}
