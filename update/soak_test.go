package update_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/update"
)

func TestSoakTakesBackWhatTurnsOutBad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"), rel("acme/two@1.0.0"))
		bad := m.ripe("acme/one@1.1.0")
		m.ripe("acme/two@1.1.0")
		r, e := newRunner(t, m, &keeper{}, auto)
		defer start(t, r)()
		time.Sleep(5 * time.Minute)
		require.Equal(t, "1.1.0", m.version("acme/one"))
		m.set(func() { m.fails[bad.Ref] = errors.New("memory is full") })
		time.Sleep(5 * time.Minute)
		assert.Equal(t, "1.0.0", m.version("acme/one"))
		assert.Equal(t, "1.0.0", m.version("acme/two"), "one transaction goes back as one")

		events := e.heard()
		last := events[len(events)-1]
		assert.Equal(t, update.KindRolledBack, last.Kind)
		assert.Equal(t, "Taken back: acme/one@1.1.0, acme/two@1.1.0", last.Title)
		assert.Contains(t, last.Reason, "health check failed after the update: acme/one: memory is full")
		assert.Equal(t, []string{"acme/one: panic"}, last.Log)
		assert.Len(t, r.State().Failures, 1, "only who is to blame")
		assert.Empty(t, r.State().Soaks)

		time.Sleep(6 * time.Hour)
		assert.Equal(t, "1.1.0", m.version("acme/two"), "the innocent comes back")
		assert.Equal(t, "1.0.0", m.version("acme/one"), "tried again and taken back again")
		f, _ := r.State().Poisoned(bad.Digest)
		assert.Equal(t, 2, f.Count)
	})
}

func TestSoakForgivesAHiccup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		next := m.ripe("acme/one@1.1.0")
		r, _ := newRunner(t, m, &keeper{}, auto)
		defer start(t, r)()
		for range 20 {
			time.Sleep(2*time.Minute + time.Second)
			m.set(func() { m.fails[next.Ref] = errors.New("slow") })
			time.Sleep(time.Minute)
			m.set(func() { delete(m.fails, next.Ref) })
		}
		assert.Equal(t, "1.1.0", m.version("acme/one"))
		assert.Empty(t, r.State().Soaks, "and its time is over")
		m.set(func() { m.fails[next.Ref] = errors.New("much later") })
		time.Sleep(time.Hour)
		assert.Equal(t, "1.1.0", m.version("acme/one"), "no longer watched")
	})
}

// What was not well before proves nothing; what depends on an update speaks for it.
func TestSoakBaselineAndDependants(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			user := rel("acme/user@1.0.0", deps("acme/lib"))
			m := newMarket(rel("acme/lib@1.0.0"), user, rel("acme/alone@1.0.0"))
			bad := m.ripe("acme/lib@1.1.0")
			m.fails[rel("acme/alone@1.0.0").Ref] = errors.New("has nothing to do with it")
			if before {
				m.fails[user.Ref] = errors.New("always was")
			}
			r, _ := newRunner(t, m, &keeper{}, auto)
			defer start(t, r)()
			time.Sleep(time.Minute)
			m.set(func() { m.fails[user.Ref] = errors.New("cannot find a function") })
			time.Sleep(30 * time.Minute)
			_, poisoned := r.State().Poisoned(bad.Digest)
			if before {
				assert.Equal(t, "1.1.0", m.version("acme/lib"))
				assert.False(t, poisoned)
			} else {
				assert.Equal(t, "1.0.0", m.version("acme/lib"))
				assert.True(t, poisoned)
			}
		})
	}
}

func TestSoakUnknownKeepsAndTells(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		m.fails[m.ripe("acme/one@1.1.0").Ref] = fmt.Errorf("%w: no such question", install.ErrHealthUnknown)
		r, e := newRunner(t, m, &keeper{}, auto)
		defer start(t, r)()
		time.Sleep(time.Hour)
		assert.Equal(t, "1.1.0", m.version("acme/one"))
		assert.Equal(t, []string{"available", "started", "succeeded", "in_doubt"}, e.kinds())
	})
}

func TestSoakKeepsRatherThanLoseData(t *testing.T) {
	t.Parallel()
	for _, mayLose := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			m := newMarket(rel("acme/one@1.0.0", schema(1)))
			bad := m.ripe("acme/one@1.1.0", schema(2))
			m.fails[bad.Ref] = errors.New("broken")
			p := auto
			p.Data, p.RollbackData = true, mayLose
			r, e := newRunner(t, m, &keeper{}, p)
			stop := start(t, r)
			time.Sleep(10 * time.Minute)
			stop()
			if mayLose {
				assert.Equal(t, "1.0.0", m.version("acme/one"))
				return
			}
			assert.Equal(t, "1.1.0", m.version("acme/one"))
			events := e.heard()
			last := events[len(events)-1]
			assert.Equal(t, update.KindInDoubt, last.Kind)
			assert.Contains(t, last.Reason, "lose what it has written")
		})
	}
}

func TestSoakDoesNotUndoWhatOthersDid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"), rel("acme/two@1.0.0"))
		bad := m.ripe("acme/one@1.1.0")
		r, e := newRunner(t, m, &keeper{}, auto)
		defer start(t, r)()
		time.Sleep(time.Minute)
		plan, err := m.Plan(t.Context(), []catalog.Ref{m.publish("acme/two@2.0.0").Ref})
		require.NoError(t, err)
		_, err = m.Apply(t.Context(), plan, install.Approval{Actor: "admin"})
		require.NoError(t, err)
		m.set(func() { m.fails[bad.Ref] = errors.New("broken") })
		time.Sleep(10 * time.Minute)
		assert.Equal(t, "2.0.0", m.version("acme/two"))
		assert.Equal(t, "1.1.0", m.version("acme/one"))
		events := e.heard()
		assert.Contains(t, events[len(events)-1].Reason, "other plugins were changed since")
	})
}

func TestSoakEndsWhenChangedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		m.ripe("acme/one@1.1.0")
		r, e := newRunner(t, m, &keeper{}, auto)
		defer start(t, r)()
		time.Sleep(time.Minute)
		plan, err := m.PlanRollback(t.Context(), 1)
		require.NoError(t, err)
		_, err = m.Apply(t.Context(), plan, install.Approval{Actor: "admin"})
		require.NoError(t, err)
		m.set(func() { m.fails[rel("acme/one@1.0.0").Ref] = errors.New("broken too") })
		time.Sleep(10 * time.Minute)
		assert.Empty(t, r.State().Soaks)
		assert.NotContains(t, e.kinds(), "rolled_back")
	})
}

// die runs a check in which the process ends while an update is applied, and returns
// what a new process finds on disk.
func die(t *testing.T, m *market, k *keeper, p update.Policy) *keeper {
	t.Helper()
	r, _ := newRunner(t, m, k, p)
	m.set(func() { m.dies = true })
	func() {
		defer func() { require.Equal(t, errDied, recover()) }()
		_ = r.Check(t.Context()) // does not return
	}()
	m.set(func() { m.dies = false })
	b, err := json.Marshal(k.state)
	require.NoError(t, err)
	found := &keeper{}
	require.NoError(t, json.Unmarshal(b, &found.state))
	return found
}

func TestPanelThatDiesInAnUpdate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"), rel("acme/two@1.0.0"))
		bad := m.ripe("acme/one@1.1.0")
		m.ripe("acme/two@1.1.0")
		k := die(t, m, &keeper{}, auto)
		require.Len(t, k.state.Soaks, 1)

		r, e := newRunner(t, m, k, auto)
		m.set(func() { m.refuses[bad.Ref] = errSick })
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, "1.1.0", m.version("acme/two"), "each by itself now")
		assert.Equal(t, "1.0.0", m.version("acme/one"))
		assert.Equal(t, "Not updated: acme/one@1.1.0, acme/two@1.1.0", e.heard()[0].Title)
		f, _ := r.State().Poisoned(bad.Digest)
		assert.Equal(t, 2, f.Count)
	})
}

func TestPanelThatDiesAfterACommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		bad := m.ripe("acme/one@1.1.0")
		m.commits = true
		k := die(t, m, &keeper{}, auto)
		require.Equal(t, "1.1.0", m.version("acme/one"))

		m.set(func() { m.fails[bad.Ref] = errors.New("broken") })
		r, e := newRunner(t, m, k, auto)
		defer start(t, r)()
		time.Sleep(10 * time.Minute)
		assert.Equal(t, "1.0.0", m.version("acme/one"), "is watched all the same")
		assert.Equal(t, []string{"succeeded", "rolled_back"}, e.kinds()[:2])
	})
}

// A panel that dies whenever it applies an update stops trying more and more often,
// and one such plugin does not keep the others from being updated.
func TestCrashLoopEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		m.ripe("acme/one@1.1.0")
		k := die(t, m, &keeper{}, auto)
		k = die(t, m, k, auto)
		r, e := newRunner(t, m, k, auto)
		require.NoError(t, r.Check(t.Context()))
		assert.Equal(t, 2, r.State().Failures[0].Count)
		assert.Equal(t, []string{"rolled_back", "poisoned"}, e.kinds()[:2])
		assert.Equal(t, 2, m.count(&m.applies), "left alone for eight hours")
	})
}

// A panel that is stopped in the middle is not a panel that crashed.
func TestStoppingBlamesNobody(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket(rel("acme/one@1.0.0"))
		m.ripe("acme/one@1.1.0")
		m.takes = time.Hour
		k := &keeper{}
		r, _ := newRunner(t, m, k, auto)
		stop := start(t, r)
		time.Sleep(time.Minute)
		require.Len(t, r.State().Soaks, 1, "in the middle of it")
		stop()
		assert.Empty(t, k.state.Soaks)
		assert.Empty(t, k.state.Failures)
	})
}
