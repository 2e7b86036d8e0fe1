package marketplace_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/marketplace/markettest"
	"github.com/souk-dev/souk/update"
)

// advisory is one in force.
func advisory(id string, action catalog.Action) catalog.Advisory {
	return catalog.Advisory{ID: id, Action: action, Title: "sends data home", Issued: time.Now().Add(-time.Minute)}
}

func against(id catalog.PluginID, versions string) catalog.Advisory {
	a := advisory("DEMO-1", catalog.ActionBlock)
	a.Plugin, a.Range = id, versions
	return a
}

// base returns the generation before the current one.
func base(t *testing.T, m *marketplace.Market) uint64 {
	t.Helper()
	gens, err := m.Generations()
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(gens), 2)
	return gens[1].N
}

func TestNoWayBackToABlockedRelease(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts)
	w.Install("acme/charts")
	w.Publish(plugin("acme/charts", "1.1.0"))
	w.Update("acme/charts")
	before := base(t, w.Market)

	shown, err := w.Market.Plan(t.Context(), install.Change{Rollback: before})
	require.NoError(t, err)
	w.Advise(against("acme/charts", "<1.1.0"))

	_, err = w.Market.Plan(t.Context(), install.Change{Rollback: before})
	require.ErrorIs(t, err, catalog.ErrBlocked)
	assert.ErrorContains(t, err, "DEMO-1")

	op, err := w.Market.Apply(t.Context(), shown.ID(), install.Approval{Actor: "test"})
	if err == nil {
		err = w.Wait(op.ID).Err
	}
	require.ErrorIs(t, err, catalog.ErrBlocked, "nor by a plan from before the advisory")
	assert.Equal(t, []string{"acme/charts@1.1.0"}, w.Versions())
}

func TestRollbackLeavesABlockedReleaseThatStays(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts, plugin("acme/other", "1.0.0"))
	w.Install("acme/charts")
	w.Install("acme/other")
	w.Advise(against("acme/charts", ""))
	op, err := w.Do(install.Change{Rollback: base(t, w.Market)})
	require.NoError(t, err)
	require.NoError(t, op.Err)
	assert.Equal(t, []string{"acme/charts@1.0.0"}, w.Versions(), "what is installed is not installed anew")
}

func TestRollbackLeavesWhatIsPinned(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts, plugin("acme/other", "1.0.0"))
	w.Install("acme/other")
	w.Install("acme/charts")
	without := base(t, w.Market)
	w.Publish(plugin("acme/charts", "1.1.0"))
	w.Update("acme/charts")
	older := base(t, w.Market)
	require.NoError(t, w.Market.Hold(t.Context(), "acme/charts", update.Hold{By: "ada", Pin: true}))
	for _, n := range []uint64{older, without} {
		_, err := w.Market.Plan(t.Context(), install.Change{Rollback: n})
		var conflict *resolve.Conflict
		require.ErrorAs(t, err, &conflict)
		assert.ErrorContains(t, err, "acme/charts")
		assert.ErrorContains(t, err, "pinned by ada")
	}
	require.NoError(t, w.Market.Unhold(t.Context(), "acme/charts"))
	op, err := w.Do(install.Change{Rollback: older})
	require.NoError(t, err)
	require.NoError(t, op.Err)
	assert.Equal(t, []string{"acme/charts@1.0.0", "acme/other@1.0.0"}, w.Versions())
}

func TestEveryGenerationCanBeGoneBackTo(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts, plugin("acme/other", "1.0.0"))
	w.Install("acme/charts")
	w.Install("acme/other")
	gens, err := w.Market.Generations()
	require.NoError(t, err)
	require.NotEmpty(t, gens)
	for _, g := range gens[1:] {
		p, err := w.Market.Plan(t.Context(), install.Change{Rollback: g.N})
		require.NoError(t, err)
		assert.Equal(t, g.N, p.Rollback)
		assert.NotEmpty(t, p.Steps, "generation %d", g.N)
	}
}

func TestAdvisoryAgainstASigner(t *testing.T) {
	for _, action := range []catalog.Action{catalog.ActionBlock, catalog.ActionDisable} {
		t.Run(string(action), func(t *testing.T) {
			w := markettest.New(t, markettest.Options{}, charts)
			p, err := w.Market.Plan(t.Context(), want("acme/charts"))
			require.NoError(t, err)
			a := advisory("DEMO-2", action)
			a.Signer = w.Signer("acme").Identity().ID()
			w.Advise(a)

			_, err = w.Do(want("acme/charts"))
			require.ErrorContains(t, err, "DEMO-2")

			op, err := w.Market.Apply(t.Context(), p.ID(), install.Approval{Actor: "test"})
			require.NoError(t, err)
			require.ErrorIs(t, w.Wait(op.ID).Err, catalog.ErrBlocked, "nor by a plan from before the advisory")
			assert.Empty(t, w.Versions())

			a.Rescinded = time.Now().Add(-time.Second)
			w.Advise(a)
			w.Install("acme/charts")
		})
	}
}

func TestStoppingIsTriedAgain(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts)
	w.Install("acme/charts")
	var once sync.Once
	w.Host.OnDeactivate = func(context.Context, install.Installed) (err error) {
		once.Do(func() { err = errors.New("it clings to life") })
		return err
	}
	a := advisory("DEMO-3", catalog.ActionDisable)
	a.Plugin = "acme/charts"
	w.Issue(a)
	err := w.Market.Sync(t.Context())
	require.ErrorContains(t, err, "clings", "that it still runs is said")
	assert.NotEmpty(t, w.Host.Versions())
	w.Sync()
	assert.Empty(t, w.Host.Versions(), "and the next sync tries again")
}

func TestAdvisoryDuringAnOperation(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts, plugin("acme/other", "1.0.0"))
	w.Install("acme/charts")
	begun, goOn := make(chan struct{}), make(chan struct{})
	w.Host.OnPrepare = func(context.Context, install.Installed) error {
		close(begun)
		<-goOn
		return nil
	}
	p, err := w.Market.Plan(t.Context(), want("acme/other"))
	require.NoError(t, err)
	op, err := w.Market.Apply(t.Context(), p.ID(), install.Approval{Actor: "test"})
	require.NoError(t, err)
	<-begun
	a, b := advisory("DEMO-4", catalog.ActionDisable), advisory("DEMO-5", catalog.ActionDisable)
	a.Plugin, b.Plugin = "acme/charts", "acme/other"
	w.Advise(a, b) // a sync that comes at a bad moment is no error
	close(goOn)
	require.NoError(t, w.Wait(op.ID).Err)
	require.Eventually(t, func() bool { return len(w.Host.Versions()) == 0 }, 10*time.Second, time.Millisecond,
		"what was there and what came are stopped when the operation ends, not hours later")
}

func TestStoppedIsToldAndRemembered(t *testing.T) {
	told := &notes{}
	w := markettest.New(t, markettest.Options{Notifiers: []update.Notifier{told}}, charts)
	w.Install("acme/charts")
	a := advisory("DEMO-6", catalog.ActionDisable)
	a.Plugin = "acme/charts"
	w.Advise(a)
	require.NoError(t, w.Market.CheckUpdates(t.Context()))
	assert.Contains(t, told.titles(), "acme/charts@1.0.0 was stopped")
	assert.Equal(t, "DEMO-6", w.Market.UpdateState().Disabled["acme/charts"])

	require.NoError(t, w.Market.Close())
	require.NoError(t, os.Truncate(filepath.Join(w.Dir, "catalogs", "test", "state.json"), 100))
	w.Open()
	assert.Empty(t, w.Host.Versions(), "a catalog that is damaged lifts nothing")
	require.Error(t, w.Market.Sources()[0].Err)

	a.Rescinded = time.Now().Add(-time.Second)
	w.Advise(a)
	require.NoError(t, w.Market.CheckUpdates(t.Context()))
	assert.Equal(t, []string{"acme/charts@1.0.0"}, w.Host.Versions())
	assert.Empty(t, w.Market.UpdateState().Disabled)
}

func TestAdvisoriesAreAskedForBetweenChecks(t *testing.T) {
	told := &notes{}
	w := markettest.New(t, markettest.Options{Notifiers: []update.Notifier{told}}, charts)
	w.Install("acme/charts")
	require.NoError(t, w.Market.CheckUpdates(t.Context()))
	next := w.Market.UpdateState().NextRun // hours away
	w.Publish(plugin("acme/charts", "1.1.0"))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Market.Run(ctx) }()
	wake := func() { require.NoError(t, w.Market.Hold(t.Context(), "acme/nothing", update.Hold{By: "test"})) }
	for len(told.titles()) == 0 { // until Run has begun, and told what is new
		wake()
	}
	a := advisory("DEMO-7", catalog.ActionDisable)
	a.Plugin = "acme/charts"
	w.Issue(a)
	w.Advance(update.AdvisoryEvery + time.Minute)
	wake()
	assert.Eventually(t, func() bool { return len(w.Host.Versions()) == 0 }, 10*time.Second, time.Millisecond)
	assert.Equal(t, next, w.Market.UpdateState().NextRun, "that was not the next check")
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

func TestHealthOfAHostThatPanics(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts)
	w.Install("acme/charts")
	w.Host.OnHealth = func(context.Context, install.Installed) error { panic("boom") }
	require.ErrorContains(t, w.Market.Health(t.Context(), "acme/charts"), "boom")
}

func TestDamagedUpdateState(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts)
	w.Install("acme/charts")
	require.NoError(t, w.Market.Hold(t.Context(), "acme/charts", update.Hold{By: "test"}))
	require.NoError(t, w.Market.Close())
	file := filepath.Join(w.Dir, "state", "update.json")
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	w.Host.Calls()
	for _, bad := range []string{"", "{", "garbage", "[]", "null", "{}"} {
		require.NoError(t, os.WriteFile(file, []byte(bad), 0o600))
		_, err := marketplace.Open(w.Dir, marketplace.Options{Verifier: noVerifier{}, Host: w.Host})
		require.ErrorContains(t, err, "state/update.json", "it says which file it is")
		assert.Empty(t, w.Host.Calls(), "a market that did not open runs nothing")
		now, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, bad, string(now), "and changes nothing")
	}
	require.NoError(t, os.WriteFile(file, kept, 0o600))
	w.Open()
	assert.Contains(t, w.Market.UpdateState().Holds, catalog.PluginID("acme/charts"))
}

func TestCloseWhileInUse(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts)
	p, err := w.Market.Plan(t.Context(), want("acme/charts"))
	require.NoError(t, err)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for {
				if _, err := w.Market.Apply(t.Context(), p.ID(), install.Approval{Actor: "test"}); errors.Is(err, install.ErrClosed) {
					return
				}
			}
		})
	}
	for range 2 {
		all.Go(func() { assert.NoError(t, w.Market.Close()) })
	}
	all.Wait()
	require.NoError(t, w.Market.Close(), "closing twice is harmless")
}

func TestEventsEndWithTheMarket(t *testing.T) {
	w := markettest.New(t, markettest.Options{}, charts)
	w.Install("acme/charts")
	listening, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var once sync.Once
		for range w.Market.Events(t.Context(), 0) {
			once.Do(func() { close(listening) })
		}
	}()
	<-listening
	require.NoError(t, w.Market.Close())
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		assert.Fail(t, "who listens waits for ever")
	}
}

// notes are the titles of the events that were told.
type notes struct {
	mu  sync.Mutex
	all []string
}

func (n *notes) Notify(_ context.Context, e update.Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, e.Title)
	return nil
}

func (n *notes) titles() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.all
}
