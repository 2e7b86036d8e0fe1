package update_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
)

var errSick = fmt.Errorf("%w: it does not answer", install.ErrUnhealthy)

func TestCheckAppliesWhatTheRulesAllow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"), rel("acme/two@1.0.0"), rel("acme/three@1.0.0"))
		m.ripe("acme/one@1.1.0")
		m.ripe("acme/two@2.0.0")
		m.publish("acme/three@1.0.1")
		r, e := newRunner(t, m, &keeper{}, auto)
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, []string{"2000-01-01 00:00 acme/one@1.1.0"}, m.history())
		assert.Equal(t, []string{"available", "available", "available", "started", "succeeded"}, e.kinds())
		assert.Equal(t, update.Actor, m.current().Actor)

		require.NoError(t, r.Check(t.Context()))
		assert.Empty(t, e.kinds(), "told once")
		time.Sleep(24 * time.Hour)
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, "1.0.1", m.version("acme/three"), "old enough now")
		assert.Equal(t, "1.0.0", m.version("acme/two"), "another major version is for a person")
	})
}

func TestRunKeepsToItsSchedule(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		r, _ := newRunner(t, m, &keeper{}, auto)
		stop := start(t, r)
		synctest.Wait()
		assert.Equal(t, 1, m.count(&m.syncs), "the first after no time, as random as zeros are")
		time.Sleep(10 * 24 * time.Hour)
		synctest.Wait()
		assert.InDelta(t, 41, m.count(&m.syncs), 1, "every six hours")
		assert.InDelta(t, 200, m.count(&m.polls), 10, "advisories every hour in between")
		assert.Error(t, r.Run(t.Context()), "one Run at a time")
		stop()
		stop = start(t, r) // but another after it
		stop()
	})
}

func TestRunAppliesInTheWindowAndFetchesBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // it is Saturday, 0:00
		m := newMarket(rel("acme/one@1.0.0"))
		m.ripe("acme/one@1.1.0")
		p := auto
		w, err := update.ParseWindow("Mon 03:17 30m")
		require.NoError(t, err)
		p.Windows = []update.Window{w}
		r, _ := newRunner(t, m, &keeper{}, p)
		defer start(t, r)()
		time.Sleep(48 * time.Hour)
		assert.Empty(t, m.history())
		assert.Equal(t, 1, m.count(&m.fetches), "once, ahead of the window")
		time.Sleep(24 * time.Hour)
		assert.Equal(t, []string{"2000-01-03 03:17 acme/one@1.1.0"}, m.history(), "to the minute, whenever the checks are")
	})
}

// Something becomes old enough while the window is open, and no check is near.
func TestRunAppliesWhatRipensInTheWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		time.Sleep(3*time.Hour + 20*time.Minute)
		m.publish("acme/one@1.1.0")
		p := auto
		w, err := update.ParseWindow("daily 03:00 1h")
		require.NoError(t, err)
		p.Windows = []update.Window{w}
		r, _ := newRunner(t, m, &keeper{}, p)
		defer start(t, r)()
		time.Sleep(25 * time.Hour)
		assert.Equal(t, []string{"2000-01-02 03:20 acme/one@1.1.0"}, m.history())
	})
}

func TestOneBadPluginDoesNotHoldBackAll(t *testing.T) {
	t.Parallel()
	for _, anonymous := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := newMarket(rel("acme/one@1.0.0"), rel("acme/two@1.0.0"), rel("acme/uses-two@1.0.0", deps("acme/two")), rel("acme/four@1.0.0"))
			m.anonymous = anonymous
			m.ripe("acme/one@1.1.0")
			bad := m.ripe("acme/two@1.1.0")
			m.ripe("acme/uses-two@1.1.0", deps("acme/two"))
			m.ripe("acme/four@1.1.0")
			m.refuses[bad.Ref] = errSick
			r, e := newRunner(t, m, &keeper{}, auto)
			stop := start(t, r)
			time.Sleep(time.Hour)
			stop()
			assert.Equal(t, "1.1.0", m.version("acme/one"))
			assert.Equal(t, "1.1.0", m.version("acme/four"))
			assert.Equal(t, "1.0.0", m.version("acme/two"))
			assert.Equal(t, "1.0.0", m.version("acme/uses-two"), "goes with what it needs")

			poisoned, ok := r.State().Poisoned(bad.Digest)
			require.True(t, ok)
			assert.Positive(t, poisoned.Count)
			assert.Contains(t, poisoned.Error, "it does not answer")
			assert.Contains(t, e.kinds(), "rolled_back")
			assert.Len(t, r.State().Rollbacks, 1, "one bad plugin is one rollback")
			if !anonymous {
				assert.Len(t, r.State().Failures, 1, "the others of its part are not blamed")
			}
		})
	}
}

func TestBackoffIsKeptAndCanBeCleared(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		bad := m.ripe("acme/one@1.1.0")
		m.refuses[bad.Ref] = errSick
		r, e := newRunner(t, m, &keeper{}, auto)
		defer start(t, r)()
		time.Sleep(60 * 24 * time.Hour)
		f, _ := r.State().Poisoned(bad.Digest)
		assert.InDelta(t, 10, f.Count, 1, "0, 8 h, 12 h, 1 d, 2 d, 4 d, 7 d, 10.5 d, 14 d")
		kinds := e.kinds()
		assert.Contains(t, kinds, "poisoned")
		assert.Zero(t, r.State().Breaker(time.Now()))

		m.set(func() { delete(m.refuses, bad.Ref) })
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, "1.0.0", m.version("acme/one"), "left alone")
		require.NoError(t, r.Forgive(t.Context(), bad.Digest))
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, "1.1.0", m.version("acme/one"))
		time.Sleep(20 * time.Minute)
		assert.Empty(t, r.State().Failures, "forgotten once it works")
	})
}

func TestBreakerStopsEverything(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"), rel("acme/two@1.0.0"), rel("acme/three@1.0.0"), rel("acme/four@1.0.0"))
		m.anonymous = true
		for _, id := range []string{"acme/one", "acme/two", "acme/three"} {
			m.refuses[m.ripe(id+"@1.1.0").Ref] = errSick
		}
		r, _ := newRunner(t, m, &keeper{}, auto)
		require.NoError(t, r.Check(t.Context()))
		s := r.State()
		assert.Equal(t, time.Now().Add(24*time.Hour), s.Breaker(time.Now()))
		assert.Len(t, s.Failures, 2, "the third was not tried any more")

		m.ripe("acme/four@1.1.0")
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, "1.0.0", m.version("acme/four"))
		time.Sleep(24 * time.Hour)
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, "1.1.0", m.version("acme/four"))
	})
}

func TestErrorsOfTheWorldBlameNobody(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err   error
		tells string
	}{
		"busy":         {install.ErrBusy, ""},
		"stale":        {install.ErrStalePlan, ""},
		"unavailable":  {fmt.Errorf("x: %w", catalog.ErrUnavailable), ""},
		"expired":      {catalog.ErrExpired, ""},
		"blocked":      {catalog.ErrBlocked, ""},
		"disk full":    {&install.Error{Op: "update", Err: syscall.ENOSPC}, "disk_low"},
		"disk unsure":  {install.ErrInDoubt, "in_doubt"},
		"store broken": {install.ErrCorrupt, "in_doubt"},
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newMarket(rel("acme/one@1.0.0"))
			m.ripe("acme/one@1.1.0")
			m.applyErr = tt.err
			r, e := newRunner(t, m, &keeper{}, auto)
			stop := start(t, r)
			time.Sleep(20 * time.Hour)
			stop()
			s := r.State()
			assert.Empty(t, s.Failures, name)
			assert.Empty(t, s.Rollbacks, name)
			assert.Empty(t, s.Soaks, name)
			assert.Less(t, m.count(&m.applies), 80, "%s: it does not spin", name)
			told := 0
			for _, k := range e.kinds() {
				if k == "disk_low" || k == "in_doubt" {
					assert.Equal(t, tt.tells, k, name)
					told++
				}
			}
			if tt.tells != "" {
				assert.Equal(t, 1, told, "%s: told once", name)
			}
			m.set(func() { m.applyErr = nil })
			require.NoError(t, r.Check(t.Context()))
			assert.Equal(t, "1.1.0", m.version("acme/one"), name)
		})
	}
}

func TestPlanThatCannotBeIsSaidAndNotBlamed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"), rel("acme/two@1.0.0"))
		m.ripe("acme/one@1.1.0")
		m.ripe("acme/two@1.1.0")
		m.planErr["acme/one"] = errors.New("acme/two needs acme/one <1.1")
		r, _ := newRunner(t, m, &keeper{}, auto)
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, "1.1.0", m.version("acme/two"))
		assert.Empty(t, r.State().Failures)
		time.Sleep(15 * time.Minute)
		require.NoError(t, r.Check(t.Context()))
		offers, err := r.Offers(t.Context())
		require.NoError(t, err)
		require.Len(t, offers, 1)
		assert.Equal(t, update.Wait, offers[0].Decision.Verdict)
		assert.Contains(t, offers[0].Decision.Why[0], "acme/two needs acme/one <1.1")
		delete(m.planErr, "acme/one")
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, "1.1.0", m.version("acme/one"), "every check looks again")
	})
}

// What a solver adds to an update is not applied without a person.
func TestPlanBeyondThePolicyIsNotApplied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		m.ripe("acme/one@1.1.0")
		m.plans = func(p *install.Plan) {
			p.Steps = append(p.Steps, install.Step{Action: install.ActInstall, Release: rel("evil/one@1.0.0"), Source: "main"})
		}
		r, e := newRunner(t, m, &keeper{}, auto)
		require.NoError(t, r.Check(t.Context()))
		assert.Zero(t, m.count(&m.applies))
		assert.Equal(t, []string{"available"}, e.kinds())
	})
}

type polite struct{ wait time.Duration }

func (p polite) Error() string             { return "too many requests" }
func (p polite) RetryAfter() time.Duration { return p.wait }

func TestRetryAfterIsObeyed(t *testing.T) {
	t.Parallel()
	for wait, next := range map[time.Duration]time.Duration{
		0: time.Hour, 5 * time.Minute: time.Hour, 7 * time.Hour: 7 * time.Hour, 10000 * time.Hour: update.MaxRetryAfter,
	} {
		synctest.Test(t, func(t *testing.T) {
			m := newMarket(rel("acme/one@1.0.0"))
			m.ripe("acme/one@1.1.0")
			m.syncErr = fmt.Errorf("main: %w", polite{wait})
			r, e := newRunner(t, m, &keeper{}, auto)
			require.ErrorContains(t, r.Check(t.Context()), "fetch catalogs: main: too many requests")
			assert.Equal(t, next, time.Until(r.State().NextRun))
			assert.Equal(t, "1.1.0", m.version("acme/one"), "what is known is applied all the same")
			assert.NotContains(t, e.kinds(), "in_doubt", "that a source is away is nothing to tell")
		})
	}
}

func TestRefusedCatalogIsToldOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		r, e := newRunner(t, m, &keeper{}, auto)
		m.syncErr = verify.ErrRollback
		for range 3 {
			require.ErrorIs(t, r.Check(t.Context()), catalog.ErrRollback)
		}
		assert.Equal(t, []string{"in_doubt"}, e.kinds())
	})
}

func TestStateThatCannotBeSavedStopsUpdates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		m.ripe("acme/one@1.1.0")
		k := &keeper{}
		r, _ := newRunner(t, m, k, auto)
		k.err = errors.New("read-only file system")
		require.ErrorContains(t, r.Check(t.Context()), "save the state of updates: read-only file system")
		assert.Zero(t, m.count(&m.applies), "a crash in the update would go unnoticed")
		require.Error(t, r.Hold(t.Context(), "acme/one", update.Hold{}))
		assert.Contains(t, r.State().Holds, catalog.PluginID("acme/one"), "holds at least until the end of the process")
	})
}

// Machines sleep and clocks are put right: the time on the wall may jump.
func TestClockThatJumps(t *testing.T) {
	t.Parallel()
	for _, jump := range []time.Duration{10 * time.Hour, -400 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			m := newMarket(rel("acme/one@1.0.0"))
			m.ripe("acme/one@1.0.1")
			var offset atomic.Int64
			r, err := update.New(t.Context(), m, &keeper{}, update.Options{
				Policy: auto, Rand: zeros{}, Now: func() time.Time { return time.Now().Add(time.Duration(offset.Load())) },
			})
			require.NoError(t, err)
			defer start(t, r)()
			time.Sleep(10 * time.Minute)
			require.Equal(t, 1, m.count(&m.syncs))
			require.Equal(t, "1.0.1", m.version("acme/one"))
			offset.Store(int64(jump))
			time.Sleep(update.MaxSleep)
			assert.Equal(t, 2, m.count(&m.syncs), "noticed within a quarter of an hour: %v", jump)
			m.publish("acme/one@1.0.2", func(r *catalog.Release) { r.Published = now.AddDate(-100, 0, 0) })
			time.Sleep(10 * time.Hour)
			assert.Equal(t, "1.0.2", m.version("acme/one"), "and life goes on: %v", jump)
		})
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	_, err := update.New(t.Context(), nil, &keeper{}, update.Options{})
	require.Error(t, err)
	_, err = update.New(t.Context(), newMarket(), nil, update.Options{})
	require.Error(t, err)
	_, err = update.New(t.Context(), newMarket(), &keeper{}, update.Options{Policy: update.Policy{Mode: "x"}})
	require.ErrorContains(t, err, "update policy")
	_, err = update.New(t.Context(), newMarket(), unreadable{}, update.Options{})
	require.ErrorContains(t, err, "load the state of updates: damaged")
}

type unreadable struct{}

func (unreadable) Load(context.Context) (update.State, error) {
	return update.State{}, errors.New("damaged")
}
func (unreadable) Save(context.Context, update.State) error { return nil }
