package mirror_test

import (
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/sandbox/safefs"
)

// TestPowerCutAtEveryChange cuts the power at every change of the disk during a
// sync: afterwards there is the old catalog or the new one, and the next sync works.
func TestPowerCutAtEveryChange(t *testing.T) {
	t.Parallel()
	var olds, news int
	for cut := int64(1); ; cut++ {
		w := newWorld(t)
		w.add("acme/backup@1.0.0")
		w.add("acme/notes@1.0.0")
		w.publish()
		var left atomic.Int64
		left.Store(1 << 40)
		fault := func(op safefs.Op) error {
			if op.Changes() && !op.Done && left.Add(-1) < 0 {
				return errors.New("power cut")
			}
			return nil
		}
		m := w.openFault(fault)
		_, err := m.Sync(t.Context(), "main")
		require.NoError(t, err)
		w.add("acme/backup@1.1.0")
		w.cat.Remove("acme/notes")
		w.publish()

		left.Store(cut - 1)
		_, err = m.Sync(t.Context(), "main")
		if left.Load() >= 0 {
			require.NoError(t, err)
			break // the whole sync has fewer changes
		}
		after := w.open()
		snap, oerr := after.Snapshot("main")
		require.NoError(t, oerr, "cut %d", cut)
		switch snap.Serial() {
		case 1:
			olds++
			require.Error(t, err, "a sync that succeeded survives, cut %d", cut)
			assert.True(t, snap.Has("acme/notes"), "cut %d", cut)
		case 2:
			news++
			assert.False(t, snap.Has("acme/notes"), "cut %d", cut)
			assert.Len(t, snap.Releases("acme/backup"), 2, "cut %d", cut)
		default:
			t.Fatalf("cut %d: serial %d", cut, snap.Serial())
		}
		snap, err = after.Sync(t.Context(), "main")
		require.NoError(t, err, "cut %d", cut)
		assert.EqualValues(t, 2, snap.Serial(), "cut %d", cut)
		assert.Equal(t, mirror.Fresh, status(t, after).State)
	}
	assert.Greater(t, olds, 5)
	assert.Positive(t, news)
}

// A full disk is an error of the sync, not of the catalog.
func TestFullDiskKeepsTheOldCatalog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("acme/backup@1.0.0")
	w.publish()
	var full atomic.Bool
	m := w.openFault(func(op safefs.Op) error {
		if full.Load() && op.Kind == safefs.OpWrite && !op.Done {
			return errors.New("no space left on device")
		}
		return nil
	})
	_, err := m.Sync(t.Context(), "main")
	require.NoError(t, err)
	w.add("acme/backup@1.1.0")
	w.publish()
	full.Store(true)
	_, err = m.Sync(t.Context(), "main")
	require.ErrorContains(t, err, "no space left on device")
	st := status(t, m)
	assert.Equal(t, mirror.Stale, st.State)
	assert.EqualValues(t, 1, st.Serial)
	full.Store(false)
	_, err = m.Sync(t.Context(), "main")
	require.NoError(t, err)
	assert.EqualValues(t, 2, status(t, m).Serial)
}
