package mirror_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

func status(t *testing.T, m *mirror.Mirror) mirror.Status {
	t.Helper()
	s, err := m.Status("main")
	require.NoError(t, err)
	return s
}

func TestSyncFollowsThePublisher(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("acme/backup@1.0.0")
	w.publish()
	m := w.open()
	assert.Equal(t, mirror.Empty, status(t, m).State)
	_, err := m.Snapshot("main")
	require.ErrorIs(t, err, catalog.ErrUnavailable)

	snap, err := m.Sync(t.Context(), "main")
	require.NoError(t, err)
	assert.EqualValues(t, 1, snap.Serial())
	assert.True(t, snap.Has("acme/backup"))
	assert.Equal(t, "main", snap.Releases("acme/backup")[0].Source)
	assert.Equal(t, mirror.Status{Name: "main", State: mirror.Fresh, Serial: 1, Synced: w.now, Expires: w.now.Add(24 * time.Hour), Plugins: 1}, status(t, m))

	w.add("acme/backup@1.1.0")
	w.add("acme/notes@0.1.0")
	require.NoError(t, w.cat.SetStats(catalog.Stats{ID: "acme/notes", Downloads: 7}))
	require.NoError(t, w.cat.SetPublishers([]catalog.Publisher{{Namespace: "acme", Name: "Acme"}}))
	require.NoError(t, w.cat.SetAdvisories([]catalog.Advisory{{ID: "A-1", Action: catalog.ActionBlock, Title: "Bad", Issued: start, Plugin: "acme/backup", Range: "<1.1.0"}}))
	w.publish()
	snap, err = m.Sync(t.Context(), "main")
	require.NoError(t, err)
	p, err := snap.Plugin("acme/backup")
	require.NoError(t, err)
	assert.Equal(t, "1.1.0", p.Latest)
	assert.Len(t, p.Releases, 2)
	assert.Equal(t, "Acme", p.Publisher.Name)
	assert.Len(t, p.Advisories, 1)
	assert.EqualValues(t, 7, snap.Stats("acme/notes").Downloads)
}

func TestPollWithoutChangeIsOneRequest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("acme/backup@1.0.0")
	w.publish()
	m := w.open()
	_, err := m.Sync(t.Context(), "main")
	require.NoError(t, err)
	w.reg.asked()
	w.now = w.now.Add(time.Hour)
	_, err = m.Sync(t.Context(), "main")
	require.NoError(t, err)
	assert.Equal(t, []string{"timestamp.json not modified"}, w.reg.asked())
	assert.Equal(t, w.now, status(t, m).Synced)
	assert.Equal(t, []uint64{0, 1}, w.reg.sinces)
}

func TestRenewedTimestampKeepsContents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("acme/backup@1.0.0")
	w.publish()
	m := w.open()
	_, err := m.Sync(t.Context(), "main")
	require.NoError(t, err)
	w.reg.asked()
	w.now = w.now.Add(20 * time.Hour)
	require.NoError(t, w.cat.Renew(t.Context(), w.target()))
	snap, err := m.Sync(t.Context(), "main")
	require.NoError(t, err)
	assert.Equal(t, w.now.Add(24*time.Hour), snap.Expires())
	for _, asked := range w.reg.asked() {
		assert.NotContains(t, asked, "sha256:", "nothing but metadata is read")
	}
}

// Regression of a peer: what was missing from the index was deleted, so that an
// older index rolled the catalog back.
func TestOlderCatalogIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("acme/backup@1.0.0")
	w.publish()
	old := w.reg.state()
	w.add("acme/notes@1.0.0")
	w.publish()
	m := w.open()
	_, err := m.Sync(t.Context(), "main")
	require.NoError(t, err)

	w.reg.restore(old)
	_, err = m.Sync(t.Context(), "main")
	require.ErrorIs(t, err, catalog.ErrRollback)
	snap, err := m.Snapshot("main")
	require.NoError(t, err)
	assert.True(t, snap.Has("acme/notes"), "the newer plugin stays")
	st := status(t, m)
	assert.Equal(t, mirror.Stale, st.State)
	require.ErrorIs(t, st.Err, catalog.ErrRollback)

	again := w.open()
	snap, err = again.Snapshot("main")
	require.NoError(t, err)
	assert.EqualValues(t, 2, snap.Serial())
	_, err = again.Sync(t.Context(), "main")
	require.ErrorIs(t, err, catalog.ErrRollback, "a restart does not forget")
}

func TestPluginDisappearsOnlyByASignedIndex(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("acme/backup@1.0.0")
	w.add("acme/notes@1.0.0")
	w.publish()
	m := w.open()
	_, err := m.Sync(t.Context(), "main")
	require.NoError(t, err)
	w.cat.Remove("acme/notes")
	w.publish()
	snap, err := m.Sync(t.Context(), "main")
	require.NoError(t, err)
	assert.False(t, snap.Has("acme/notes"))
	assert.True(t, snap.Has("acme/backup"))
}

func TestUnreachableSourceKeepsItsCatalog(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("acme/backup@1.0.0")
	w.publish()
	m := w.open()
	w.reg.snapshotErr = catalog.ErrUnavailable
	_, err := m.Sync(t.Context(), "main")
	require.ErrorIs(t, err, catalog.ErrUnavailable)
	assert.Equal(t, mirror.Failed, status(t, m).State)

	w.reg.snapshotErr = nil
	_, err = m.Sync(t.Context(), "main")
	require.NoError(t, err)
	w.reg.snapshotErr = catalog.ErrUnavailable
	_, err = m.Sync(t.Context(), "main")
	require.ErrorIs(t, err, catalog.ErrUnavailable)
	assert.Len(t, m.Snapshots(), 1)
	assert.Equal(t, mirror.Stale, status(t, m).State)

	w.now = w.now.Add(25 * time.Hour)
	assert.Equal(t, mirror.Expired, status(t, m).State)
	offline := w.open()
	snap, err := offline.Snapshot("main")
	require.NoError(t, err)
	assert.True(t, snap.Has("acme/backup"), "it is served after a restart, without network")
	assert.Equal(t, mirror.Expired, status(t, offline).State)
}

func TestExpiredCatalogIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("acme/backup@1.0.0")
	w.publish()
	m := w.open()
	_, err := m.Sync(t.Context(), "main")
	require.NoError(t, err)
	w.now = w.now.Add(25 * time.Hour)
	for range 2 { // first by "not modified", then by the whole way
		_, err = m.Sync(t.Context(), "main")
		require.ErrorIs(t, err, catalog.ErrExpired)
	}
	assert.Equal(t, []uint64{0, 1, 0}, w.reg.sinces, "after a refusal nothing is taken as known")
	require.NoError(t, w.cat.Renew(t.Context(), w.target()))
	_, err = m.Sync(t.Context(), "main")
	require.NoError(t, err)
	assert.Equal(t, mirror.Fresh, status(t, m).State)
}

func TestFailedSyncIsNeverHiddenByNotModified(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("acme/backup@1.0.0")
	w.publish()
	m := w.open()
	_, err := m.Sync(t.Context(), "main")
	require.NoError(t, err)
	w.add("acme/notes@1.0.0")
	w.publish()
	w.reg.swap["timestamp.json"] = []byte(`{"signed":{}}`)
	_, err = m.Sync(t.Context(), "main")
	require.ErrorIs(t, err, verify.ErrUntrusted)
	delete(w.reg.swap, "timestamp.json")
	snap, err := m.Sync(t.Context(), "main")
	require.NoError(t, err)
	assert.EqualValues(t, 2, snap.Serial())
	assert.Equal(t, []uint64{0, 1, 0}, w.reg.sinces)
}

func TestNotModifiedWithoutHavingAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	m := w.open()
	w.reg.snapshotErr = catalog.ErrNotModified
	_, err := m.Sync(t.Context(), "main")
	require.ErrorIs(t, err, catalog.ErrUnavailable)
	assert.Equal(t, mirror.Failed, status(t, m).State, "an empty catalog would be a lie")
}

func TestSwappedBlobsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("acme/backup@1.0.0")
	w.publish()
	m := w.open()
	for d, b := range w.reg.blobs {
		w.reg.swap[string(d)] = append([]byte{'x'}, b[1:]...)
	}
	_, err := m.Sync(t.Context(), "main")
	require.ErrorIs(t, err, verify.ErrDigest)
	assert.Empty(t, m.Snapshots())
	clear(w.reg.swap)
	_, err = m.Sync(t.Context(), "main")
	require.NoError(t, err)
}

func TestAnotherPublishersCatalogIsRefused(t *testing.T) {
	t.Parallel()
	w, thief := newWorld(t), newWorld(t)
	thief.add("acme/backup@9.0.0")
	thief.publish()
	src := w.source("main")
	src.Source = thief.reg
	m := w.open(src)
	_, err := m.Sync(t.Context(), "main")
	require.ErrorIs(t, err, verify.ErrUntrusted)
}

func TestDamageOnDiskHealsWithTheNextSync(t *testing.T) {
	t.Parallel()
	for _, file := range []string{"main/segments/*", "main/state.json"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add("acme/backup@1.0.0")
			w.publish()
			_, err := w.open().Sync(t.Context(), "main")
			require.NoError(t, err)
			paths, err := filepath.Glob(filepath.Join(w.dir, file))
			require.NoError(t, err)
			require.NotEmpty(t, paths)
			for _, p := range paths {
				require.NoError(t, os.WriteFile(p, []byte("damaged"), 0o600))
			}
			m := w.open()
			st := status(t, m)
			assert.Equal(t, mirror.Failed, st.State)
			require.Error(t, st.Err)
			_, err = m.Sync(t.Context(), "main")
			require.NoError(t, err)
			assert.Equal(t, mirror.Fresh, status(t, m).State)
		})
	}
}

func TestKeptStateIsVerifiedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add("acme/backup@1.0.0")
	w.publish()
	_, err := w.open().Sync(t.Context(), "main")
	require.NoError(t, err)
	stranger := newWorld(t)
	trust, err := tuf.New(stranger.root, tuf.Options{})
	require.NoError(t, err)
	src := w.source("main")
	src.Trust = trust
	m := w.open(src)
	assert.Empty(t, m.Snapshots(), "the operator pinned another root since")
	require.ErrorIs(t, status(t, m).Err, verify.ErrUntrusted)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	good := w.source("main")
	for name, sources := range map[string][]mirror.Source{
		"name":   {{Name: "../etc", Source: good.Source, Trust: good.Trust}},
		"twice":  {good, good},
		"source": {{Name: "main", Trust: good.Trust}},
		"trust":  {{Name: "main", Source: good.Source}},
	} {
		_, err := mirror.Open(t.Context(), nil, sources, mirror.Options{})
		assert.Error(t, err, name)
	}
	m := w.open()
	_, err := m.Sync(t.Context(), "other")
	require.ErrorIs(t, err, catalog.ErrNotFound)
}

func TestSyncAllGoesOn(t *testing.T) {
	t.Parallel()
	w, second := newWorld(t), newWorld(t)
	second.add("bolt/clock@1.0.0")
	second.publish()
	w.reg.snapshotErr = errors.New("no route to host")
	other := second.source("second")
	m := w.open(w.source("main"), other)
	require.ErrorContains(t, m.SyncAll(t.Context()), "sync main: no route to host")
	snaps := m.Snapshots()
	require.Len(t, snaps, 1)
	assert.Equal(t, "second", snaps[0].Source())
	assert.Equal(t, []string{"main", "second"}, m.Names())
	all := m.StatusAll()
	assert.Equal(t, mirror.Failed, all[0].State)
	assert.Equal(t, mirror.Fresh, all[1].State)
}

// One change costs the same whatever the size of the catalog, and merges cost nothing.
func TestManyPublishesMergeWithoutDownloads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 200 {
		w.add(fmt.Sprintf("acme/base%d@1.0.0", i))
	}
	w.publish()
	m := w.open()
	_, err := m.Sync(t.Context(), "main")
	require.NoError(t, err)
	w.reg.asked()
	for i := range 40 {
		w.add(fmt.Sprintf("acme/new%d@1.0.0", i))
		if i%3 == 0 {
			w.cat.Remove(catalog.PluginID(fmt.Sprintf("acme/base%d", i)))
		}
		w.publish()
		_, err := m.Sync(t.Context(), "main")
		require.NoError(t, err)
		blobs := 0
		for _, asked := range w.reg.asked() {
			if len(asked) == len(verify.DigestOf(nil)) {
				blobs++
			}
		}
		assert.LessOrEqual(t, blobs, 3, "the catalog manifest and one new segment of each family")
	}
	snap, err := m.Snapshot("main")
	require.NoError(t, err)
	assert.Equal(t, 200+40-14, snap.Len())
	assert.False(t, snap.Has("acme/base0"))

	late := newWorld(t)
	late.reg, late.root, late.now = w.reg, w.root, w.now
	fresh, err := late.open().Sync(t.Context(), "main")
	require.NoError(t, err)
	assert.Equal(t, snap.Len(), fresh.Len(), "who comes late sees the same")
	assert.Equal(t, w.cat.IDs(), ids(fresh))

	files, err := filepath.Glob(filepath.Join(w.dir, "main/segments/*"))
	require.NoError(t, err)
	assert.Less(t, len(files), 40, "what is merged is removed")
}

func ids(s *catalog.Snapshot) []catalog.PluginID {
	var out []catalog.PluginID
	for l := range s.Listings() {
		out = append(out, l.ID)
	}
	return out
}
