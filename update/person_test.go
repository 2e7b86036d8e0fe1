package update_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/update"
)

// An editor's automatic update undoes the rollback of its user.
func TestRollbackByAPersonIsNotUndone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		m.ripe("acme/one@1.1.0")
		k := &keeper{}
		r, e := newRunner(t, m, k, auto)
		stop := start(t, r)
		time.Sleep(24 * time.Hour)
		require.Equal(t, "1.1.0", m.version("acme/one"))

		byHand(t, m, r, "acme/one@1.0.0")
		e.kinds()
		time.Sleep(30 * 24 * time.Hour)
		stop()
		assert.Equal(t, "1.0.0", m.version("acme/one"))
		assert.Equal(t, []string{"held"}, e.kinds(), "told once")
		assert.Equal(t, "held back from 1.1.0 by admin since 2 January 2000: rolled back to 1.0.0", k.state.Holds["acme/one"].Sentence())

		r, _ = newRunner(t, m, reread(t, k), auto) // also after a restart
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, "1.0.0", m.version("acme/one"))

		m.ripe("acme/one@1.1.1")
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, "1.1.1", m.version("acme/one"), "a newer one may come")
	})
}

// byHand applies a release as a person does.
func byHand(t *testing.T, m *market, r *update.Runner, ref string) {
	t.Helper()
	to, err := catalog.ParseRef(ref)
	require.NoError(t, err)
	require.NoError(t, r.ByHand(to))
	plan, err := m.Plan(t.Context(), []catalog.Ref{to})
	require.NoError(t, err)
	tx, err := m.Apply(t.Context(), plan, install.Approval{Actor: "admin"})
	require.NoError(t, err)
	require.NoError(t, r.Applied(t.Context(), plan, tx, "admin", nil))
}

// reread is what another process would find.
func reread(t *testing.T, k *keeper) *keeper {
	t.Helper()
	b, err := json.Marshal(k.state)
	require.NoError(t, err)
	out := &keeper{}
	require.NoError(t, json.Unmarshal(b, &out.state))
	require.Equal(t, k.state.Secret, out.state.Secret)
	return out
}

func TestHoldsAndPinsByHand(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		m.ripe("acme/one@1.1.0")
		r, _ := newRunner(t, m, &keeper{}, auto)
		require.Error(t, r.Hold(t.Context(), "one", update.Hold{}))
		require.NoError(t, r.Hold(t.Context(), "acme/one", update.Hold{By: "admin"}))
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, "1.0.0", m.version("acme/one"))
		byHand(t, m, r, "acme/one@1.1.0")
		assert.Contains(t, r.State().Holds, catalog.PluginID("acme/one"), "the hold stays")

		next := m.ripe("acme/one@1.2.0")
		require.NoError(t, r.Hold(t.Context(), "acme/one", update.Hold{By: "admin", Pin: true}))
		require.ErrorIs(t, r.ByHand(next.Ref), update.ErrPinned)
		byHandDown(t, m, r)
		assert.True(t, r.State().Holds["acme/one"].Pin, "a rollback does not weaken a pin")
		require.NoError(t, r.Release(t.Context(), "acme/one"))
		time.Sleep(15 * time.Minute)
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, "1.2.0", m.version("acme/one"))
	})
}

func byHandDown(t *testing.T, m *market, r *update.Runner) {
	t.Helper()
	from, to := installed(rel("acme/one@1.1.0")), rel("acme/one@1.0.0")
	plan := &install.Plan{Base: m.current().N, Steps: []install.Step{{Action: install.ActDowngrade, Release: to, Source: "main", From: &from}}}
	tx, err := m.Apply(t.Context(), plan, install.Approval{Actor: "admin"})
	require.NoError(t, err)
	require.NoError(t, r.Applied(t.Context(), plan, tx, "admin", nil))
}

func TestChosenAndRemovedVersionsAreNoLongerHeldBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		m.publish("acme/one@1.1.0")
		r, _ := newRunner(t, m, &keeper{}, update.Manual())
		byHand(t, m, r, "acme/one@1.1.0")
		byHand(t, m, r, "acme/one@1.0.0")
		require.Equal(t, "1.1.0", r.State().Holds["acme/one"].Version)
		byHand(t, m, r, "acme/one@1.1.0")
		assert.Empty(t, r.State().Holds, "they want it after all")

		require.NoError(t, r.Hold(t.Context(), "acme/one", update.Hold{}))
		plan := &install.Plan{Steps: []install.Step{{Action: install.ActRemove, Release: rel("acme/one@1.1.0")}}}
		require.NoError(t, r.Applied(t.Context(), plan, &install.Transaction{To: 9}, "admin", nil))
		assert.Empty(t, r.State().Holds, "nothing left to hold")
	})
}

// A person's update is watched like any other.
func TestUpdateByHandIsWatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		bad := m.publish("acme/one@1.1.0")
		r, e := newRunner(t, m, &keeper{}, update.Manual())
		defer start(t, r)()
		time.Sleep(time.Hour)
		byHand(t, m, r, "acme/one@1.1.0")
		m.set(func() { m.fails[bad.Ref] = errors.New("broken") })
		time.Sleep(5 * time.Minute)
		assert.Equal(t, "1.0.0", m.version("acme/one"))
		assert.Equal(t, []string{"available", "rolled_back"}, e.kinds())
	})
}

func TestFreezeAndPolicyTakeEffectAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		k := &keeper{}
		r, _ := newRunner(t, m, k, update.Manual())
		stop := start(t, r)
		time.Sleep(time.Hour)
		m.ripe("acme/one@1.1.0")
		require.NoError(t, r.Freeze(t.Context(), true))
		require.NoError(t, r.SetPolicy(t.Context(), auto))
		time.Sleep(time.Minute)
		assert.Equal(t, "1.0.0", m.version("acme/one"))
		require.NoError(t, r.Freeze(t.Context(), false))
		synctest.Wait()
		assert.Equal(t, "1.1.0", m.version("acme/one"))
		require.Error(t, r.SetPolicy(t.Context(), update.Policy{Mode: "x"}))
		stop()
		r, _ = newRunner(t, m, reread(t, k), update.Manual())
		assert.Equal(t, auto, r.Policy(), "what a person set stays")
	})
}

func TestAdvisoriesAreObeyed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"), rel("acme/two@1.0.0"), rel("acme/off@1.0.0"))
		off := m.current().Plugins["acme/off"]
		off.Enabled = false
		m.current().Plugins["acme/off"] = off
		enabled := func(id catalog.PluginID) bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return m.current().Plugins[id].Enabled
		}
		k := &keeper{}
		r, e := newRunner(t, m, k, update.Manual())
		check := func() { require.NoError(t, r.Check(t.Context())) }

		stop := catalog.Advisory{ID: "A-1", Action: catalog.ActionDisable, Title: "It sends passwords away", Publisher: "acme"}
		m.advisories = []catalog.Advisory{stop, {ID: "A-2", Action: catalog.ActionWarn, Title: "It is slow", Plugin: "acme/two"}}
		m.enableErr = errors.New("the panel is busy")
		require.ErrorContains(t, r.Check(t.Context()), "obey advisory A-1 on acme/one@1.0.0: the panel is busy")
		m.enableErr = nil
		check()
		assert.False(t, enabled("acme/one"))
		assert.False(t, enabled("acme/two"))
		e.kinds()
		check()
		assert.Empty(t, e.kinds(), "told once")

		m.advisories = nil
		check()
		assert.False(t, enabled("acme/one"), "one that is merely missing is not rescinded")

		stop.Rescinded = time.Now()
		m.advisories = []catalog.Advisory{stop}
		r, e = newRunner(t, m, reread(t, k), update.Manual()) // after a restart, even
		check()
		assert.True(t, enabled("acme/one"))
		assert.True(t, enabled("acme/two"))
		assert.False(t, enabled("acme/off"), "somebody else stopped that one")
		assert.Empty(t, r.State().Disabled)
		assert.Equal(t, []string{"advisory", "advisory"}, e.kinds())

		m.advisories = []catalog.Advisory{{ID: "A-3", Action: catalog.ActionDisable, Plugin: "acme/one", Range: "<1.1"}}
		check()
		assert.False(t, enabled("acme/one"))
		m.ripe("acme/one@1.1.0")
		byHand(t, m, r, "acme/one@1.1.0")
		check()
		assert.True(t, enabled("acme/one"), "no longer concerned")

		m.advisories = []catalog.Advisory{{ID: "A-4", Action: catalog.ActionDisable, Signer: acmeKey.ID()}}
		check()
		assert.False(t, enabled("acme/one"), "by who signed it")
	})
}

// Advisories come between two checks, where the market can fetch them alone.
func TestAdvisoriesArePolled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		r, _ := newRunner(t, m, &keeper{}, update.Manual())
		defer start(t, r)()
		time.Sleep(time.Minute)
		m.set(func() {
			m.advisories = []catalog.Advisory{{ID: "A-1", Action: catalog.ActionDisable, Plugin: "acme/one"}}
		})
		time.Sleep(time.Hour)
		assert.Contains(t, r.State().Disabled, catalog.PluginID("acme/one"))
		assert.Equal(t, 1, m.count(&m.syncs))
	})
}

// Everything at once, from everywhere.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var has []catalog.Release
		for i := range 10 {
			has = append(has, rel(fmt.Sprintf("acme/plugin%d@1.0.0", i)))
		}
		m := newMarket(has...)
		m.takes = time.Minute
		k := &keeper{}
		r, _ := newRunner(t, m, k, auto)
		stop := start(t, r)
		var wg sync.WaitGroup
		for i := range 10 {
			id := catalog.PluginID(fmt.Sprintf("acme/plugin%d", i))
			version := 0
			for _, f := range []func(){
				func() { assert.NoError(t, r.Check(t.Context())) },
				func() { assert.NoError(t, r.Hold(t.Context(), id, update.Hold{})) },
				func() { assert.NoError(t, r.Release(t.Context(), id)) },
				func() { assert.NoError(t, r.Freeze(t.Context(), i%2 == 0)) },
				func() { assert.NoError(t, r.SetPolicy(t.Context(), auto)) },
				func() { assert.NoError(t, r.Forgive(t.Context(), has[i].Digest)) },
				func() { assert.NoError(t, r.ResetBreaker(t.Context())) },
				func() { version++; m.ripe(fmt.Sprintf("%s@1.0.%d", id, version)) },
				func() { _, err := r.Offers(t.Context()); assert.NoError(t, err) },
				func() { clear(r.State().Holds) },
			} {
				wg.Go(func() {
					for range 5 {
						time.Sleep(7 * time.Minute)
						if f(); i == 9 {
							return
						}
					}
				})
			}
		}
		wg.Wait()
		require.NoError(t, r.Hold(t.Context(), "acme/mine", update.Hold{}))
		clear(r.State().Holds)
		assert.Contains(t, r.State().Holds, catalog.PluginID("acme/mine"), "State is a copy")
		stop()
	})
}
