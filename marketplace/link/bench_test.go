package link_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/link"
	"github.com/souk-dev/souk/marketplace/store"
)

// BenchmarkRatings is what a page costs whose answer is remembered.
func BenchmarkRatings(b *testing.B) {
	w := hubtest.New(b, hubtest.Options{Seed: true})
	l, err := link.Open(b.TempDir(), link.Options{Hub: w.URL, Name: "bench", Market: &market{}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, l.Close()) })
	b.ReportAllocs()
	for b.Loop() {
		if _, err := l.Ratings(context.Background(), "acme/backup", store.RatingsQuery{}); err != nil {
			b.Fatal(err)
		}
	}
}
