package update_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/update"
)

// A year of a panel with ten plugins that each publish every other week. Every sixth
// release does not start, every sixth other one falls ill within minutes, and the
// panel restarts every few days. At the end everybody has the newest good release.
func TestYear(t *testing.T) {
	t.Parallel()
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) { year(t, rand.New(rand.NewPCG(seed, seed))) })
	}
}

func year(t *testing.T, rng *rand.Rand) {
	var has []catalog.Release
	good := map[catalog.PluginID]string{}
	for i := range 10 {
		r := rel(fmt.Sprintf("acme/plugin%d@1.0.0", i), out(0))
		has = append(has, r)
		good[r.Plugin] = r.Version
	}
	m := newMarket(has...)
	m.anonymous = rng.IntN(2) == 0
	m.takes = 10 * time.Second
	k := &keeper{}
	policy := update.Nightly("Europe/Berlin")
	r, e := newRunner(t, m, k, policy)
	stop := start(t, r)
	bad := 0
	begin := time.Now()
	for day := range 365 {
		for i := range 10 {
			if (day+i)%14 != 0 || day > 340 {
				continue
			}
			next := m.publish(fmt.Sprintf("acme/plugin%d@1.0.%d", i, day+1))
			switch rng.IntN(6) {
			case 0:
				m.set(func() { m.refuses[next.Ref] = errSick })
				bad++
			case 1:
				m.set(func() { m.fails[next.Ref] = errors.New("fell ill") })
				bad++
			default:
				good[next.Plugin] = next.Version
			}
		}
		if day%5 == 4 {
			stop()
			k = reread(t, k)
			r, _ = newRunner(t, m, k, policy)
			stop = start(t, r)
		}
		time.Sleep(24 * time.Hour)
	}
	stop()
	require.Equal(t, 365*24*time.Hour, time.Since(begin))
	for id, v := range good {
		assert.Equal(t, v, m.version(id), id)
	}
	assert.NotEmpty(t, e.kinds())
	assert.InDelta(t, 365*4, m.count(&m.syncs), 200, "a check every six hours")
	// Every good release once, every bad one some ten times at most before it is outgrown.
	assert.Less(t, m.count(&m.applies), 260+12*bad)
	assert.Greater(t, m.count(&m.applies), 100)
	for _, f := range r.State().Failures {
		assert.LessOrEqual(t, f.Count, 11, f.Ref)
	}
	for _, line := range m.history() {
		at, err := time.Parse("2006-01-02 15:04", line[:16])
		require.NoError(t, err)
		start, _, err := policy.Windows[0].At(at)
		require.NoError(t, err)
		// What was applied in a window may be taken back soon after it.
		assert.False(t, start.After(at.Add(0)) && !within(policy, at.Add(-20*time.Minute)), "outside of all windows: %s", line)
	}
}

func within(p update.Policy, at time.Time) bool {
	start, err := p.Begin(at, 0)
	return err == nil && !start.After(at)
}
