package hubtest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
)

func TestSeededHub(t *testing.T) {
	w := hubtest.New(t, hubtest.Options{Seed: true})
	mira := w.Person("Mira Neu")
	c := w.Client(mira)
	list, err := c.Releases(t.Context(), "acme/backup")
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.Equal(t, "1.1.0", list[0].Version)
	sum, err := c.RatingSummary(t.Context(), "acme/backup")
	require.NoError(t, err)
	assert.Positive(t, sum.Count)
	_, err = c.Submissions(t.Context(), "", "")
	require.NoError(t, err)
	_, err = w.Client(w.Person("Rosa Reviewer", hub.RoleReviewer)).Releases(t.Context(), "nobody/nothing")
	assert.ErrorIs(t, err, hub.ErrNotFound)
}

func BenchmarkNewSeeded(b *testing.B) {
	for b.Loop() {
		hubtest.New(b, hubtest.Options{Seed: true})
	}
}
