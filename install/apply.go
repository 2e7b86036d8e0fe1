package install

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
)

// Apply does what the plan says, all of it or nothing. When it returns nil the new
// set runs and survives a power cut. When it returns an error the old set and its
// data are in place, as [Error.Restored] says, or the error wraps [ErrInDoubt].
//
// Before anything begins it fails with [ErrBusy], [ErrStalePlan], [ErrConsent], or
// for agreeing to what was not asked. ctx cancels it until plugins are stopped;
// from then on it ends by itself, one way or the other.
func (s *Store) Apply(ctx context.Context, p *Plan, a Approval, ev Events) (*Transaction, error) {
	return s.apply(ctx, s.newID(), p, a, ev)
}

// newID returns a name for a transaction that sorts by time.
func (s *Store) newID() string {
	var b [4]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return s.o.Now().UTC().Format("20060102-150405") + "-" + hex.EncodeToString(b[:])
}

func (s *Store) apply(ctx context.Context, id string, p *Plan, a Approval, ev Events) (*Transaction, error) {
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.busy.Unlock()
	if s.unsettled() {
		if _, err := s.recover(ctx); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInDoubt, err)
		}
	}
	base := s.Current()
	if p.Base != base.N {
		return nil, fmt.Errorf("%w (it starts from generation %d, installed is %d)", ErrStalePlan, p.Base, base.N)
	}
	if len(p.Steps) == 0 {
		return nil, errors.New("the plan changes nothing")
	}
	ok, err := a.check(p)
	if err != nil {
		return nil, err
	}
	now := s.o.Now()
	t := &transaction{s: s, plan: p, by: a.Actor, agreed: ok, ev: ev, base: base, now: now, changed: make(map[catalog.PluginID]bool)}
	t.entry = Entry{
		Transaction: Transaction{ID: id, From: base.N, To: s.pointer().Last + 1, Title: p.Title, Says: p.Says, Actor: a.Actor, Started: now},
		Changes:     changes(p.Steps),
	}
	t.enter(StateResolving, catalog.Ref{})
	err = t.run(ctx)
	if err != nil {
		err = t.abort(ctx, err)
	}
	if err != nil {
		return nil, err
	}
	t.settled()
	return &t.entry.Transaction, nil
}

func (s *Store) unsettled() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.doubt != nil || s.unsaved
}

func (s *Store) pointer() pointer {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.cur
}

// transaction is one Apply on its way.
type transaction struct {
	s       *Store
	plan    *Plan
	by      string
	agreed  agreed
	ev      Events
	base    Generation
	now     time.Time
	entry   Entry
	journal *journal

	items   []*item
	changed map[catalog.PluginID]bool // what is stopped and started
	next    Generation
	before  baseline
	phase   State
	at      catalog.Ref
}

// item is one plugin that will be there afterwards and is not as it was before.
type item struct {
	step     Step
	to       Installed
	artifact *catalog.Artifact // nil: nothing to download
	staging  string            // directory of the unpacked object; empty: it is in place
}

// enter notes where the transaction is, and tells.
func (t *transaction) enter(st State, at catalog.Ref) {
	t.phase, t.at = st, at
	if t.ev.State != nil {
		t.ev.State(st, at.Plugin)
	}
}

func (t *transaction) say(line string) {
	t.s.o.Log.Info(line, "tx", t.entry.ID)
	if t.ev.Log != nil {
		t.ev.Log(line)
	}
}

// run is the way of a success. The order of what it makes durable is the design:
// see the package doc.
func (t *transaction) run(ctx context.Context) (err error) {
	if t.journal, err = newJournal(t.s.fs, t.entry, t.now); err != nil {
		return err
	}
	for _, st := range t.plan.Steps {
		t.changed[st.Release.Plugin] = st.Action != ActKeep
	}
	if err := t.prepareItems(ctx); err != nil {
		return err
	}
	if err := t.stage(ctx); err != nil {
		return err
	}
	t.enter(StateStarting, catalog.Ref{})
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	ctx = context.WithoutCancel(ctx)
	t.before = t.s.measure(ctx, t.base)
	if err := t.stop(ctx); err != nil {
		return err
	}
	if err := t.data(ctx); err != nil {
		return err
	}
	if err := t.switchOver(); err != nil {
		return err
	}
	if err := t.start(ctx); err != nil {
		return err
	}
	return t.commit()
}

// stop deactivates what changes, dependants first.
func (t *transaction) stop(ctx context.Context) error {
	if err := t.journal.write(record{What: recStop, Time: t.s.o.Now()}); err != nil {
		return err
	}
	for _, id := range slices.Backward(order(t.base.Plugins)) {
		p := t.base.Plugins[id]
		if !t.changed[id] || !p.Enabled {
			continue
		}
		t.at = p.Ref
		if err := t.s.deactivate(ctx, p); err != nil {
			return err
		}
	}
	t.at = catalog.Ref{}
	return nil
}

// switchOver writes the new generation and puts it on trial.
func (t *transaction) switchOver() error {
	t.next = Generation{
		N: t.entry.To, Parent: t.base.N, Plugins: maps.Clone(t.base.Plugins),
		Reason: t.plan.Title, Says: t.plan.Says, Actor: t.by, Tx: t.entry.ID, Time: t.now,
	}
	for _, st := range t.plan.Steps {
		if st.Action == ActRemove {
			delete(t.next.Plugins, st.Release.Plugin)
		}
	}
	for _, it := range t.items {
		t.next.Plugins[it.to.Plugin] = it.to
	}
	if err := writeFrame(t.s.fs, genFile(t.next.N), t.next); err != nil {
		return err
	}
	return t.point(true)
}

// point writes current: once for the trial, once more to commit.
func (t *transaction) point(trial bool) error {
	seq := t.s.pointer().Seq + 1
	if !trial {
		seq++
	}
	p := pointer{Seq: seq, Gen: t.next.N, Prev: t.base.N, Last: t.next.N, Trial: trial, Tx: t.entry.ID, Time: t.s.o.Now()}
	if err := writeFrame(t.s.fs, currentFile, p); err != nil {
		return err
	}
	if !trial {
		t.s.set(p, t.next)
	}
	return nil
}

// start activates what changed, dependencies first, and waits for it to be well.
func (t *transaction) start(ctx context.Context) error {
	if err := t.journal.write(record{What: recStart, Time: t.s.o.Now()}); err != nil {
		return err
	}
	t.s.started = true // what is put back must run again, also where Start was not called
	next := t.s.located(t.next)
	for _, id := range order(next.Plugins) {
		p := next.Plugins[id]
		if !t.changed[id] || !p.Enabled {
			continue
		}
		t.at = p.Ref
		if err := t.s.activate(ctx, p); err != nil {
			return err
		}
	}
	t.enter(StateChecking, catalog.Ref{})
	return t.s.gate(ctx, next, t.changed, t.before, t.say)
}

func (t *transaction) commit() error { return t.point(false) }

// settled does what is left after the commit. Nothing of it can undo the commit:
// what fails is done by the next Recover.
func (t *transaction) settled() {
	t.entry.State, t.entry.Ended = StateDone, t.s.o.Now()
	if t.journal != nil { // else Recover has finished it
		err := errors.Join(t.journal.close(), t.s.finish(logFile(t.entry.ID), t.entry))
		if err != nil {
			t.s.o.Log.Warn("the end of the transaction will be written down later", "tx", t.entry.ID, "error", err)
			t.s.mu.Lock()
			t.s.unsaved = true
			t.s.mu.Unlock()
		} else if err := t.s.collect(); err != nil {
			t.s.o.Log.Warn("what is no longer needed could not be removed", "error", err)
		}
	}
	t.enter(StateDone, catalog.Ref{})
}

// abort puts everything back, by the same way as after a crash. It returns nil when
// the transaction turns out to be committed: the disk reported a failure of what it
// had done, and has confirmed it now.
func (t *transaction) abort(ctx context.Context, cause error) error {
	e := &Error{Op: t.op(), Phase: t.phase, Ref: t.at, Err: cause}
	final := StateFailed
	if ctx.Err() != nil && (errors.Is(cause, context.Cause(ctx)) || errors.Is(cause, ctx.Err())) {
		final = StateCancelled
	}
	t.enter(StateRollingBack, catalog.Ref{})
	if t.journal != nil {
		err := t.journal.write(record{What: recFail, Time: t.s.o.Now(), State: final, Phase: e.Phase, Error: e.Error()})
		if err = errors.Join(err, t.journal.close()); err != nil {
			t.s.o.Log.Warn("the reason of the failure could not be written down", "tx", t.entry.ID, "error", err)
		}
		t.journal = nil
	}
	hooks, err := t.s.recover(context.WithoutCancel(ctx))
	switch {
	case err != nil:
		e.Err = fmt.Errorf("%w: %w; and then: %w", ErrInDoubt, cause, err)
		final = StateFailed
	case t.s.Current().Tx == t.entry.ID:
		return nil
	default:
		e.Restored = true
		if hooks != nil {
			e.Err = fmt.Errorf("%w; the old set is back, but: %w", cause, hooks)
		}
	}
	t.say(e.Error())
	t.enter(final, catalog.Ref{})
	return e
}

// op names the transaction for people.
func (t *transaction) op() string {
	if t.plan.Rollback != 0 {
		return "roll back"
	}
	for _, st := range t.plan.Steps {
		if st.Action == ActRemove {
			continue
		}
		if st.From == nil {
			return "install"
		}
		return "update"
	}
	return "remove"
}
