package community_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
)

// BenchmarkRate writes ratings without syncing the disk: what the rules cost.
func BenchmarkRate(b *testing.B) {
	w := newWorld(b)
	w.policy.RatingsDay = 1 << 30
	crowd := w.crowd(1000)
	b.ResetTimer()
	for i := range b.N {
		_, err := w.Rate(b.Context(), crowd[i%len(crowd)], community.NewRating{Plugin: "acme/backup", Stars: i%5 + 1, Text: "It works."})
		require.NoError(b, err)
	}
}

// BenchmarkRatings reads the first page of a plugin with 100,000 ratings, in each order.
func BenchmarkRatings(b *testing.B) {
	w := newWorld(b)
	w.fill("acme/backup", 100_000)
	for _, q := range []community.RatingsQuery{
		{Sort: community.SortNewest}, {Sort: community.SortHelpful}, {Sort: community.SortStars}, {Sort: community.SortNewest, Stars: 3},
	} {
		q.Plugin = "acme/backup"
		b.Run(string(q.Sort)+map[bool]string{true: "-one-star"}[q.Stars > 0], func(b *testing.B) {
			for range b.N {
				page, err := w.Ratings(b.Context(), hub.Actor{}, q)
				require.NoError(b, err)
				require.Len(b, page.Items, hub.DefaultPage)
			}
		})
	}
}
