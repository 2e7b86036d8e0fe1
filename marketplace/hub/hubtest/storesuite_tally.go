package hubtest

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
)

func testTally(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	count := func(want int, list ...hub.Tally) {
		t.Helper()
		n, err := s.Tally(ctx, list)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	count(0)
	count(3,
		hub.Tally{Day: 10, Kind: "download", Plugin: "a/x", Version: "1", N: 1},
		hub.Tally{Day: 10, Kind: "download", Plugin: "a/x", Version: "1", N: 2},
		hub.Tally{Day: 11, Kind: "download", Plugin: "a/x", Version: "2", Detail: "p1", N: 4})
	count(2, hub.Tally{Day: 11, Kind: "download", Plugin: "b/y", Version: "1", N: 8}, hub.Tally{Day: 11, Kind: "install", Plugin: "b/y", N: 16})
	once := hub.Tally{Day: 11, Once: "hash", Kind: "download", Plugin: "b/y", Version: "1", N: 32}
	count(1, once, once) // twice in one call
	count(0, once)
	next := once
	next.Day = 12
	count(1, next)
	count(1, hub.Tally{Day: 12, Kind: "rating", Plugin: "b/y", Detail: "5", N: -1})

	totals := func(q hub.TotalQuery) []hub.Total {
		t.Helper()
		var out []hub.Total
		view(t, s, func(tx hub.Tx) {
			var err error
			out, err = tx.Totals(ctx, q)
			require.NoError(t, err)
		})
		return out
	}
	q := hub.TotalQuery{Kind: "download", From: 0, To: 100}
	assert.Equal(t, []hub.Total{{N: 79}}, totals(q))
	q.By = []string{"plugin"}
	assert.Equal(t, []hub.Total{{Plugin: "a/x", N: 7}, {Plugin: "b/y", N: 72}}, totals(q))
	q.Limit = 1
	assert.Equal(t, []hub.Total{{Plugin: "b/y", N: 72}}, totals(q), "the largest first")
	q = hub.TotalQuery{Kind: "download", From: 10, To: 11, By: []string{"day", "version"}}
	assert.Equal(t, []hub.Total{{Day: 10, Version: "1", N: 3}, {Day: 11, Version: "1", N: 40}, {Day: 11, Version: "2", N: 4}}, totals(q))
	q.By, q.Plugin = []string{"version", "day"}, "a/x"
	assert.Equal(t, []hub.Total{{Day: 10, Version: "1", N: 3}, {Day: 11, Version: "2", N: 4}}, totals(q))
	q.Detail = "p1"
	assert.Equal(t, []hub.Total{{Day: 11, Version: "2", N: 4}}, totals(q))
	assert.Equal(t, []hub.Total{{Detail: "5", N: -1}}, totals(hub.TotalQuery{Kind: "rating", To: 100, By: []string{"detail"}}))
	assert.Empty(t, totals(hub.TotalQuery{Kind: "none", To: 100, By: []string{"day"}}))
	for _, by := range [][]string{{"kind"}, {"n"}, {"day; --"}, {"day", "day"}} {
		view(t, s, func(tx hub.Tx) {
			_, err := tx.Totals(ctx, hub.TotalQuery{Kind: "download", By: by})
			assert.Error(t, err, by)
		})
	}

	require.NoError(t, s.Forget(ctx, 12))
	count(1, once) // day 11 is forgotten
	count(0, next) // day 12 is not
	assert.Equal(t, []hub.Total{{N: 111}}, totals(hub.TotalQuery{Kind: "download", To: 100}), "what was counted stays")

	_, err := s.Tally(ctx, []hub.Tally{{Day: 1, Kind: "a", N: 1}, {Day: 1, Kind: "a", Plugin: "a\x00b", N: 1}})
	require.Error(t, err)
	assert.Empty(t, totals(hub.TotalQuery{Kind: "a", To: 100, By: []string{"day"}}), "all or none")
}

// testTallyConcurrency counts from two processes at a time, in opposite orders, what is
// in part the same: each Once counts once, and nothing is lost.
func testTallyConcurrency(t *testing.T, open Database) {
	s, other, ctx := open(), open(), t.Context()
	const workers, calls, size = 4, 5, 700 // more than one statement
	var counted atomic.Int64
	var all sync.WaitGroup
	for w := range workers {
		store := []hub.Store{s, other}[w%2]
		all.Go(func() {
			for c := range calls {
				var list []hub.Tally
				for i := range size {
					list = append(list, hub.Tally{Day: 1, Once: fmt.Sprint(c, " ", i), Kind: "d", Plugin: fmt.Sprint(i % 50), N: 1})
				}
				if w%2 == 1 {
					for i, j := 0, len(list)-1; i < j; i, j = i+1, j-1 {
						list[i], list[j] = list[j], list[i]
					}
				}
				list = append(list, hub.Tally{Day: 1, Kind: "all", N: 1})
				n, err := store.Tally(ctx, list)
				assert.NoError(t, err)
				counted.Add(int64(n))
			}
		})
	}
	all.Wait()
	assert.EqualValues(t, calls*size+workers*calls, counted.Load())
	view(t, s, func(tx hub.Tx) {
		for kind, want := range map[string]int64{"d": calls * size, "all": workers * calls} {
			got, err := tx.Totals(ctx, hub.TotalQuery{Kind: kind, To: 1})
			require.NoError(t, err)
			assert.Equal(t, []hub.Total{{N: want}}, got)
		}
	})
}
