package marketplace_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/verify"
)

var readme = verify.DigestOf([]byte("readme"))

// slow returns a loader that takes three seconds, and counts.
func slow(n *atomic.Int32) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		n.Add(1)
		select {
		case <-time.After(3 * time.Second):
			return []byte("readme"), nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// TestMediaIsFetchedOnce: many who want it at once wait for one download, and who gives up
// does not end it for the others.
func TestMediaIsFetchedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := marketplace.NewMediaShelf()
		defer s.Close()
		var n atomic.Int32
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began := time.Now()
		_, err := s.Get(impatient, readme, slow(&n))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 100*time.Millisecond, time.Since(began))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				b, err := s.Get(t.Context(), readme, slow(&n))
				assert.NoError(t, err)
				assert.Equal(t, "readme", string(b))
			})
		}
		wg.Wait()
		assert.Equal(t, 3*time.Second, time.Since(began))
		_, err = s.Get(t.Context(), readme, slow(&n))
		require.NoError(t, err)
		assert.Equal(t, int32(1), n.Load())
		assert.Equal(t, 3*time.Second, time.Since(began), "remembered")
	})
}

// TestMediaFailsAnew: an error is not remembered.
func TestMediaFailsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := marketplace.NewMediaShelf()
		defer s.Close()
		_, err := s.Get(t.Context(), readme, func(context.Context) ([]byte, error) { return nil, catalog.ErrUnavailable })
		require.ErrorIs(t, err, catalog.ErrUnavailable)
		b, err := s.Get(t.Context(), readme, func(context.Context) ([]byte, error) { return []byte("now"), nil })
		require.NoError(t, err)
		assert.Equal(t, "now", string(b))
	})
}

// TestMediaEnds: a download without end is given up, and closing waits for none.
func TestMediaEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := marketplace.NewMediaShelf()
		never := func(ctx context.Context) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		began := time.Now()
		_, err := s.Get(t.Context(), readme, never)
		require.ErrorIs(t, err, catalog.ErrUnavailable)
		assert.Equal(t, 2*time.Minute, time.Since(began))
		got := make(chan error)
		go func() {
			_, err := s.Get(t.Context(), readme, never)
			got <- err
		}()
		synctest.Wait()
		s.Close()
		require.ErrorIs(t, <-got, catalog.ErrUnavailable)
		_, err = s.Get(t.Context(), readme, never)
		require.ErrorIs(t, err, catalog.ErrUnavailable)
	})
}

// TestMediaIsBounded: the least used goes first.
func TestMediaIsBounded(t *testing.T) {
	s := marketplace.NewMediaShelf()
	defer s.Close()
	loads := map[string]int{}
	get := func(name string) {
		_, err := s.Get(t.Context(), verify.DigestOf([]byte(name)), func(context.Context) ([]byte, error) {
			loads[name]++
			return make([]byte, 12<<20), nil
		})
		require.NoError(t, err)
	}
	get("a")
	get("b")
	get("a")
	get("c") // 36 MiB: b goes
	get("a")
	get("b")
	assert.Equal(t, map[string]int{"a": 1, "b": 2, "c": 1}, loads)
	_, err := s.Get(t.Context(), verify.DigestOf([]byte("huge")), func(context.Context) ([]byte, error) { return make([]byte, 40<<20), nil })
	require.NoError(t, err)
	get("a")
	assert.Equal(t, 1, loads["a"], "one that is too large drives nothing out")
}
