package community_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
)

// fill adds shown ratings without the rules.
func (w *world) fill(plugin string, n int) {
	w.t.Helper()
	for from := 0; from < n; from += 5000 {
		w.update(func(ctx context.Context, tx hub.Tx) error {
			for i := from; i < min(n, from+5000); i++ {
				at := w.now.AddDate(0, 0, -60).Add(time.Duration(i*31%n) * time.Second)
				r := hub.Rating{
					Plugin: plugin, Account: fmt.Sprintf("acc_f%06d", i*7919%n), Stars: i%5 + 1, Text: "Works for me, mostly.", State: hub.Shown,
					Helpful: i % 11, Created: at, Updated: at,
				}
				if err := tx.Ratings().Insert(ctx, &r); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func TestRatingsInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.fill("acme/backup", 103)
	for _, q := range []community.RatingsQuery{
		{}, {Sort: community.SortNewest}, {Sort: community.SortHelpful}, {Sort: community.SortStars}, {Sort: community.SortHelpful, Stars: 3},
	} {
		q.Plugin, q.Limit = "acme/backup", 10
		seen := map[string]bool{}
		last := community.RatingView{Rating: hub.Rating{Helpful: 1 << 30, Stars: 5}}
		for {
			page, err := w.Ratings(ctx, hub.Actor{}, q)
			require.NoError(t, err)
			for _, r := range page.Items {
				assert.False(t, seen[r.Account], "%s twice", r.Account)
				seen[r.Account] = true
				switch q.Sort {
				case community.SortHelpful:
					assert.LessOrEqual(t, r.Helpful, last.Helpful)
				case community.SortStars:
					assert.LessOrEqual(t, r.Stars, last.Stars)
				}
				last = r
			}
			if q.Cursor = page.Next; q.Cursor == "" {
				break
			}
		}
		if q.Stars == 0 {
			assert.Len(t, seen, 103)
		} else {
			assert.Len(t, seen, 21)
		}
	}
	page, err := w.Ratings(ctx, hub.Actor{}, community.RatingsQuery{Plugin: "acme/backup", Limit: 10})
	require.NoError(t, err)
	var invalid *hub.InvalidError
	for _, bad := range []community.RatingsQuery{
		{Plugin: "acme/backup", Sort: community.SortStars, Cursor: page.Next}, // of another order
		{Plugin: "acme/backup", Cursor: "x"}, {Plugin: "acme/backup", Sort: "x"}, {Plugin: "acme/backup", Stars: 6},
	} {
		_, err = w.Ratings(ctx, hub.Actor{}, bad)
		assert.ErrorAs(t, err, &invalid)
	}
}

func TestWhoSeesRatings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.rate(w.bob, 5)
	_, err := w.Decide(ctx, w.mod, community.NewDecision{Kind: hub.DecisionHide, Subject: hub.SubjectPlugin, About: "acme/backup", Text: "Look into it."})
	require.NoError(t, err)
	for name, c := range map[string]struct {
		who  hub.Actor
		sees bool
	}{"nobody": {hub.Actor{}, false}, "user": {w.eve, false}, "owner": {w.ann, true}, "moderator": {w.mod, true}} {
		page, err := w.Ratings(ctx, c.who, community.RatingsQuery{Plugin: "acme/backup"})
		if c.sees {
			assert.NoError(t, err, name)
			assert.Len(t, page.Items, 1, name)
		} else {
			assert.ErrorIs(t, err, hub.ErrNotFound, name)
		}
	}
	_, err = w.Summary(ctx, "acme/backup")
	assert.ErrorIs(t, err, hub.ErrNotFound)
	mine, err := w.MyRatings(ctx, w.bob, "", 0)
	require.NoError(t, err)
	assert.Len(t, mine.Items, 1)
	mine, err = w.MyRatings(ctx, w.eve, "", 0)
	require.NoError(t, err)
	assert.Empty(t, mine.Items)
}

func TestSummary(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	sum, err := w.Summary(ctx, "acme/backup")
	require.NoError(t, err)
	assert.Equal(t, community.Summary{Plugin: "acme/backup", Bayesian: 3}, sum)
	crowd := w.crowd(3)
	w.rate(crowd[0], 5)
	w.rate(crowd[1], 4)
	sum, err = w.Summary(ctx, "acme/backup")
	require.NoError(t, err)
	assert.Equal(t, [5]int64{0, 0, 0, 1, 1}, sum.Histogram)
	assert.Zero(t, sum.Mean, "two say nothing")
	w.rate(crowd[2], 3)
	sum, err = w.Summary(ctx, "acme/backup")
	require.NoError(t, err)
	assert.InDelta(t, 4, sum.Mean, 1e-9)
	assert.InDelta(t, (3*10.+12)/13, sum.Bayesian, 1e-9, "the prior is kept for an hour")
	w.pass(2 * time.Hour)
	sum, err = w.Summary(ctx, "acme/backup")
	require.NoError(t, err)
	assert.InDelta(t, 4, sum.Bayesian, 1e-9)
	_, err = w.Summary(ctx, "acme/none")
	assert.ErrorIs(t, err, hub.ErrNotFound)
}
