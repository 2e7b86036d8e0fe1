package community_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
)

func TestBurst(t *testing.T) {
	month := func(perDay int) []int { return slices.Repeat([]int{perDay}, community.BurstDays) }
	for _, c := range []struct {
		name    string
		history []int
		today   int
		want    bool
	}{
		{"nothing", nil, 0, false},
		{"a new plugin's first ten", nil, 10, false},
		{"a new plugin's eleventh", nil, 11, true},
		{"a quiet plugin", month(1), 10, false},
		{"a quiet plugin in a storm", month(1), 11, true},
		{"three a day", month(3), 12, false},
		{"three a day, thirteen", month(3), 13, true},
		{"a busy plugin's good day", month(100), 400, false},
		{"a busy plugin's storm", month(100), 401, true},
		{"one earlier day explains it", append(month(0)[1:], 100), 14, false},
		{"but no more than that", append(month(0)[1:], 100), 15, true},
	} {
		assert.Equal(t, c.want, community.Burst(c.history, c.today), c.name)
	}
}

func TestABurstIsHeldAndReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	crowd := w.crowd(40)
	for i, a := range crowd[:13] {
		want := hub.Shown
		if i >= community.BurstFloor {
			want = hub.Held
		}
		assert.Equal(t, want, w.rate(a, 1).State, i)
	}
	assert.Equal(t, int64(10), w.score().Count())
	reports := rows(w, hub.Tx.Reports)
	require.Len(t, reports, 1, "one report a day")
	assert.Empty(t, reports[0].By)
	assert.Contains(t, reports[0].Text, "11 new ratings")

	// The author sees their held rating, others do not, and the queue has it.
	held := crowd[12]
	mine, err := w.RatingOf(ctx, held, "acme/backup")
	require.NoError(t, err)
	assert.Equal(t, hub.Held, mine.State)
	page, err := w.Ratings(ctx, held, community.RatingsQuery{Plugin: "acme/backup"})
	require.NoError(t, err)
	assert.Len(t, page.Items, 10)
	_, err = w.Held(ctx, held, "", "", 0)
	assert.ErrorIs(t, err, hub.ErrForbidden)
	queue, err := w.Held(ctx, w.mod, "acme/backup", "", 0)
	require.NoError(t, err)
	assert.Len(t, queue.Items, 3)
	_, err = w.Vote(ctx, w.bob, "acme/backup", held.Account, true)
	assert.ErrorIs(t, err, hub.ErrNotFound)

	// Editing a held one does not show it, nor does deleting it and writing it again.
	assert.Equal(t, hub.Held, w.rate(held, 2).State)
	require.NoError(t, w.DeleteRating(ctx, held, "acme/backup"))
	assert.Equal(t, hub.Held, w.rate(held, 2).State)

	// The next day is judged by its own.
	w.pass(24 * time.Hour)
	assert.Equal(t, hub.Shown, w.rate(crowd[20], 1).State)
	assert.Equal(t, w.truth(), w.score())

	_, err = w.Decide(ctx, w.mod, community.NewDecision{Kind: hub.DecisionShow, Subject: hub.SubjectRating, About: "acme/backup#" + held.Account, Text: "Real people."})
	require.NoError(t, err)
	assert.Equal(t, int64(12), w.score().Count())
	assert.Equal(t, w.truth(), w.score())
}

// TestABurstKnowsOldRatings: ratings from before the days were counted are history too.
func TestABurstKnowsOldRatings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("acme/backup", 60)
	w.pass(-50 * 24 * time.Hour) // ten days after those came
	for i, a := range w.crowd(12) {
		want := hub.Shown
		if i >= community.BurstFloor {
			want = hub.Held // 60 in 28 days explain 8
		}
		assert.Equal(t, want, w.rate(a, 3).State, i)
	}
	w2 := newWorld(t)
	w2.fill("acme/backup", 100)
	w2.pass(-50 * 24 * time.Hour)
	for i, a := range w2.crowd(12) {
		assert.Equal(t, hub.Shown, w2.rate(a, 3).State, i) // 100 in 28 days explain 14
	}
}
