package publish_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

var now = time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)

// shelf is a registry with one repository in memory.
type shelf struct {
	blobs map[verify.Digest][]byte
	tags  map[string][]byte
	order []string // tags as they were written
	fail  string   // tag that cannot be written
}

func newShelf() *shelf { return &shelf{blobs: map[verify.Digest][]byte{}, tags: map[string][]byte{}} }

func (s *shelf) PushBlob(_ context.Context, _ string, d catalog.Descriptor, open func() (io.ReadCloser, error)) error {
	rc, err := open()
	if err != nil {
		return err
	}
	b, err := io.ReadAll(verify.NewReader(rc, d.Digest, d.Size))
	s.blobs[d.Digest] = b
	return err
}

func (s *shelf) PushManifest(_ context.Context, _, tag, _ string, raw []byte) (verify.Digest, error) {
	if s.fail != "" && strings.HasSuffix(tag, s.fail) {
		return "", errors.New("connection reset")
	}
	var m catalog.OCIManifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return "", err
	}
	for _, d := range append(m.Layers, m.Config) {
		if _, ok := s.blobs[d.Digest]; !ok {
			return "", fmt.Errorf("manifest unknown blob %s", d.Digest)
		}
	}
	s.tags[tag] = raw
	s.order = append(s.order, tag)
	return verify.DigestOf(raw), nil
}

func (s *shelf) open(_ context.Context, d verify.Digest, _ int64) (io.ReadCloser, error) {
	b, ok := s.blobs[d]
	if !ok {
		return nil, catalog.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (s *shelf) file(t testing.TB, tag string) []byte {
	t.Helper()
	var m catalog.OCIManifest
	require.NoError(t, json.Unmarshal(s.tags[tag], &m), tag)
	return s.blobs[m.Layers[0].Digest]
}

// newest returns the catalog manifest of the last publish.
func (s *shelf) newest(t testing.TB, serial uint64) catalog.CatalogManifest {
	t.Helper()
	var holder catalog.OCIManifest
	require.NoError(t, json.Unmarshal(s.tags[fmt.Sprintf("catalog.%d", serial)], &holder))
	m, err := catalog.ParseCatalogManifest(s.blobs[holder.Config.Digest])
	require.NoError(t, err)
	return m
}

func newKeys(t testing.TB) tuf.Keys {
	t.Helper()
	key := func() []tuf.Key {
		k, err := tuf.GenerateKey()
		require.NoError(t, err)
		return []tuf.Key{k}
	}
	return tuf.Keys{Root: key(), Targets: key(), Snapshot: key(), Timestamp: key()}
}

// bench is a catalog and where it is published to.
type bench struct {
	c    *publish.Catalog
	s    *shelf
	keys tuf.Keys
	kept []byte
}

func newBench(t testing.TB) *bench {
	t.Helper()
	b := &bench{s: newShelf(), keys: newKeys(t)}
	repo, _, err := tuf.Init(b.keys, now, tuf.Config{RootThreshold: 1})
	require.NoError(t, err)
	b.c = publish.New(repo)
	return b
}

func (b *bench) target() publish.Target {
	return publish.Target{Registry: b.s, Repo: "catalog", Keys: b.keys, Now: now, Keep: func(kept []byte) error { b.kept = kept; return nil }}
}

func release(t testing.TB, ref string, perms ...catalog.PermissionRequest) catalog.Release {
	t.Helper()
	r, err := catalog.ParseRef(ref)
	require.NoError(t, err)
	return catalog.Release{
		Ref: r, Digest: verify.DigestOf([]byte(ref)), Size: 10, Published: now,
		Manifest: catalog.Manifest{Format: 1, ID: r.Plugin, Version: r.Version, Name: "Plugin " + r.Version, Summary: "A plugin.", License: "MIT", Permissions: perms,
			Runtime: catalog.Runtime{Kind: catalog.RuntimeStatic}},
	}
}

func TestPublishOrder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, b.c.AddRelease(release(t, "acme/backup@1.0.0")))
	serial, err := b.c.Publish(t.Context(), b.target())
	require.NoError(t, err)
	assert.EqualValues(t, 1, serial)
	require.Len(t, b.s.order, 8)
	assert.Equal(t, "catalog.1", b.s.order[0])
	assert.Equal(t, "1.root.json", b.s.order[1])
	assert.Equal(t, []string{"1.targets.json", "1.snapshot.json", "timestamp.json"}, b.s.order[5:])

	x, err := catalog.ParseIndex(indexOf(t, b.s))
	require.NoError(t, err)
	assert.EqualValues(t, 1, x.Serial)
	assert.Contains(t, b.s.blobs, x.Catalog)
}

func indexOf(t *testing.T, s *shelf) []byte {
	t.Helper()
	for i := len(s.order) - 1; i >= 0; i-- {
		if strings.HasSuffix(s.order[i], ".index") {
			return s.file(t, s.order[i])
		}
	}
	t.Fatal("no index was published")
	return nil
}

func TestPublishThatFailsShowsNothing(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"catalog.2", ".targets.json", ".snapshot.json", ".index"} {
		b := newBench(t)
		require.NoError(t, b.c.AddRelease(release(t, "acme/backup@1.0.0")))
		_, err := b.c.Publish(t.Context(), b.target())
		require.NoError(t, err)
		before, kept := b.s.tags["timestamp.json"], b.kept

		require.NoError(t, b.c.AddRelease(release(t, "acme/backup@1.1.0")))
		b.s.fail = step
		_, err = b.c.Publish(t.Context(), b.target())
		require.ErrorContains(t, err, "publish catalog 2", step)
		assert.Equal(t, before, b.s.tags["timestamp.json"], step)
		assert.Equal(t, kept, b.kept, step)

		b.s.fail = ""
		serial, err := b.c.Publish(t.Context(), b.target())
		require.NoError(t, err)
		assert.EqualValues(t, 2, serial, step)
		again, err := publish.Open(t.Context(), b.kept, b.s.open)
		require.NoError(t, err)
		all, err := again.Releases("acme/backup")
		require.NoError(t, err)
		assert.Len(t, all, 2, step)
	}
}

// The state is kept before the new catalog is visible, so that no serial is ever
// used for two catalogs that somebody saw.
func TestStateIsKeptBeforeItIsVisible(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.NoError(t, b.c.AddRelease(release(t, "acme/backup@1.0.0")))
	target := b.target()
	target.Keep = func([]byte) error {
		assert.NotContains(t, b.s.tags, "timestamp.json")
		return errors.New("disk full")
	}
	_, err := b.c.Publish(t.Context(), target)
	require.EqualError(t, err, "publish catalog 1: keep the state: disk full")
	assert.NotContains(t, b.s.tags, "timestamp.json")

	b.s.fail = "timestamp.json"
	_, err = b.c.Publish(t.Context(), b.target())
	require.Error(t, err)
	again, err := publish.Open(t.Context(), b.kept, b.s.open)
	require.NoError(t, err)
	lost := again.Serial()
	b.s.fail, b.c = "", again
	serial, err := again.Publish(t.Context(), b.target())
	require.NoError(t, err)
	assert.Greater(t, serial, lost)
}

func TestReopenedCatalogContinues(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for i := range 40 {
		require.NoError(t, b.c.AddRelease(release(t, fmt.Sprintf("acme/p%d@1.0.0", i))))
	}
	require.NoError(t, b.c.SetPublishers([]catalog.Publisher{{Namespace: "bolt", Name: "Bolt"}, {Namespace: "acme", Name: "Acme"}}))
	require.NoError(t, b.c.SetAdvisories([]catalog.Advisory{{ID: "A-1", Action: catalog.ActionWarn, Title: "T", Issued: now, Publisher: "acme"}}))
	for range 3 {
		_, err := b.c.Publish(t.Context(), b.target())
		require.NoError(t, err)
		b.c, err = publish.Open(t.Context(), b.kept, b.s.open)
		require.NoError(t, err)
	}
	assert.EqualValues(t, 3, b.c.Serial())
	assert.Len(t, b.c.IDs(), 40)
	assert.Len(t, b.s.newest(t, 3).Segments, 2, "what did not change adds nothing")

	b.c.Remove("acme/p1")
	require.NoError(t, b.c.AddRelease(release(t, "acme/p2@2.0.0")))
	_, err := b.c.Publish(t.Context(), b.target())
	require.NoError(t, err)
	m := b.s.newest(t, 4)
	assert.Len(t, m.Of(catalog.FamilyReleases), 2)
	assert.Equal(t, 2, m.Of(catalog.FamilyReleases)[1].Records)
	again, err := publish.Open(t.Context(), b.kept, b.s.open)
	require.NoError(t, err)
	assert.Equal(t, b.c.IDs(), again.IDs())
	_, err = again.Listing("acme/p1")
	require.ErrorIs(t, err, catalog.ErrNotFound)
	l, err := again.Listing("acme/p2")
	require.NoError(t, err)
	assert.Equal(t, "2.0.0", l.Latest)

	for d, blob := range b.s.blobs {
		b.s.blobs[d] = append([]byte{1}, blob...)
	}
	_, err = publish.Open(t.Context(), b.kept, b.s.open)
	require.ErrorIs(t, err, verify.ErrDigest)
	_, err = publish.Open(t.Context(), []byte(`{"format":2}`), b.s.open)
	require.ErrorContains(t, err, "format 2")
}

// What the publisher writes as merged is what a client computes from the inputs.
func TestMergedSegmentsAreWhatClientsCompute(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	set := func(id string, n int) {
		require.NoError(t, b.c.SetStats(catalog.Stats{ID: catalog.PluginID(id), Downloads: int64(n)}))
	}
	for i := range 100 {
		set(fmt.Sprintf("acme/p%d", i), 0)
	}
	_, err := b.c.Publish(t.Context(), b.target())
	require.NoError(t, err)
	checked, levels := map[verify.Digest]bool{}, map[int]bool{}
	for n := range 260 {
		id := fmt.Sprintf("acme/p%d", n*7%100)
		if n%11 == 5 {
			b.c.Remove(catalog.PluginID(id))
		} else {
			set(id, n+1)
		}
		serial, err := b.c.Publish(t.Context(), b.target())
		require.NoError(t, err)
		m := b.s.newest(t, serial)
		for i, s := range m.Segments {
			levels[s.Level] = true
			if len(s.From) == 0 || checked[s.DiffID] {
				continue
			}
			checked[s.DiffID] = true
			inputs := make([]iter.Seq2[catalog.Record, error], len(s.From))
			for j, in := range s.From {
				raw, kept := b.s.blobs[in.Digest]
				require.True(t, kept, "inputs are kept")
				inputs[j] = catalog.ReadSegment(bytes.NewReader(raw), in)
			}
			base := i == 0 || m.Segments[i-1].Family != s.Family
			_, made, err := catalog.WriteSegment(catalog.MergeRecords(base, inputs...))
			require.NoError(t, err)
			require.Equal(t, s.DiffID, made.DiffID, "publish %d, level %d", n, s.Level)
		}
		require.LessOrEqual(t, len(m.Segments), 3*catalog.SegmentFanout)
	}
	assert.Greater(t, len(checked), 10)
	assert.True(t, levels[1] && levels[2], "merges of merges were seen: %v", levels)
}

func TestDailyNumbersReplaceTheirFamily(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for day := range 20 {
		for i := range 30 {
			require.NoError(t, b.c.SetStats(catalog.Stats{ID: catalog.PluginID(fmt.Sprintf("acme/p%d", i)), Downloads: int64(day*100 + i)}))
		}
		serial, err := b.c.Publish(t.Context(), b.target())
		require.NoError(t, err)
		assert.Len(t, b.s.newest(t, serial).Segments, 1)
	}
}

func TestAdvisoriesHaveTheirOwnSerial(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	serials := func() uint64 {
		_, err := b.c.Publish(t.Context(), b.target())
		require.NoError(t, err)
		for i := len(b.s.order) - 1; i >= 0; i-- {
			if strings.HasSuffix(b.s.order[i], ".advisories") {
				a, err := catalog.ParseAdvisories(b.s.file(t, b.s.order[i]))
				require.NoError(t, err)
				return a.Serial
			}
		}
		return 0
	}
	assert.EqualValues(t, 1, serials())
	assert.EqualValues(t, 1, serials())
	require.NoError(t, b.c.SetAdvisories([]catalog.Advisory{{ID: "A-1", Action: catalog.ActionWarn, Title: "T", Issued: now, Publisher: "acme"}}))
	assert.EqualValues(t, 2, serials())
	require.Error(t, b.c.SetAdvisories([]catalog.Advisory{{ID: "A-1"}}))
	require.Error(t, b.c.SetPublishers([]catalog.Publisher{{Namespace: "A"}}))
}

func TestListingOf(t *testing.T) {
	t.Parallel()
	yanked := release(t, "acme/backup@3.0.0")
	yanked.State = catalog.Yanked
	risky := release(t, "acme/backup@2.0.0", catalog.PermissionRequest{Kind: sandbox.KindNetOut, Target: "*:*", Reason: "r"})
	api := release(t, "acme/backup@1.0.0", catalog.PermissionRequest{Kind: sandbox.KindAPI, Target: "servers:read", Reason: "r"})
	icon := catalog.Descriptor{Title: "icon.png", MediaType: "image/png", Digest: verify.DigestOf(nil), Size: 1}
	api.Manifest.Icon, api.Media, api.Published = "icon.png", []catalog.Descriptor{icon}, now.Add(time.Hour)

	l, err := publish.ListingOf([]catalog.Release{api, release(t, "acme/backup@2.1.0-rc.1"), yanked, risky})
	require.NoError(t, err)
	assert.Equal(t, "2.0.0", l.Latest, "newest active stable")
	assert.Equal(t, sandbox.RiskHigh, l.Risk)
	assert.Equal(t, now.Add(time.Hour), l.Updated)
	assert.Nil(t, l.Icon)
	l, err = publish.ListingOf([]catalog.Release{api})
	require.NoError(t, err)
	assert.Equal(t, &icon, l.Icon)
	assert.Equal(t, sandbox.RiskMedium, l.Risk)
	l, err = publish.ListingOf([]catalog.Release{yanked, release(t, "acme/backup@2.1.0-rc.1")})
	require.NoError(t, err)
	assert.Equal(t, "2.1.0-rc.1", l.Latest)
	assert.Equal(t, sandbox.RiskLow, l.Risk)
	l, err = publish.ListingOf([]catalog.Release{yanked})
	require.NoError(t, err)
	assert.Empty(t, l.Latest)
	_, err = publish.ListingOf(nil)
	require.Error(t, err)
}

func TestAddReleaseKeepsWhatWasSaid(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	l, err := publish.ListingOf([]catalog.Release{release(t, "acme/backup@1.0.0")})
	require.NoError(t, err)
	l.Deprecated, l.Featured = "use acme/vault", true
	require.NoError(t, b.c.SetPlugin(l, []catalog.Release{release(t, "acme/backup@1.0.0")}))
	require.NoError(t, b.c.AddRelease(release(t, "acme/backup@1.1.0")))
	changed := release(t, "acme/backup@1.1.0")
	changed.State, changed.Reason = catalog.Yanked, "loses data"
	require.NoError(t, b.c.AddRelease(changed))
	got, err := b.c.Listing("acme/backup")
	require.NoError(t, err)
	assert.Equal(t, "use acme/vault", got.Deprecated)
	assert.True(t, got.Featured)
	assert.Equal(t, "1.0.0", got.Latest)
	all, err := b.c.Releases("acme/backup")
	require.NoError(t, err)
	require.Len(t, all, 2)
	assert.Equal(t, catalog.Yanked, all[0].State)
	require.Error(t, b.c.AddRelease(catalog.Release{Ref: catalog.Ref{Plugin: "x", Version: "1"}}))
}

func TestRenewAndRotate(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	require.ErrorContains(t, b.c.Renew(t.Context(), b.target()), "nothing was published yet")
	require.NoError(t, b.c.AddRelease(release(t, "acme/backup@1.0.0")))
	_, err := b.c.Publish(t.Context(), b.target())
	require.NoError(t, err)
	before := b.s.tags["timestamp.json"]
	require.NoError(t, b.c.Renew(t.Context(), b.target()))
	assert.NotEqual(t, before, b.s.tags["timestamp.json"])

	old := b.keys
	b.keys = newKeys(t)
	require.NoError(t, b.c.Rotate(t.Context(), b.target(), old.Root))
	assert.Contains(t, b.s.tags, "2.root.json")
	again, err := publish.Open(t.Context(), b.kept, b.s.open)
	require.NoError(t, err)
	assert.EqualValues(t, 1, again.Serial())
	require.NoError(t, again.AddRelease(release(t, "acme/backup@1.1.0")))
	_, err = again.Publish(t.Context(), b.target())
	require.NoError(t, err)
	target := b.target()
	target.Keys = old
	_, err = again.Publish(t.Context(), target)
	require.Error(t, err, "the old keys sign nothing any more")
	target.Keep = nil
	require.ErrorContains(t, again.Renew(t.Context(), target), "a place to keep the state")
}

func BenchmarkPublishTenChanges(b *testing.B) {
	w := newBench(b)
	for i := range 10_000 {
		require.NoError(b, w.c.AddRelease(release(b, fmt.Sprintf("acme/p%d@1.0.0", i))))
	}
	_, err := w.c.Publish(b.Context(), w.target())
	require.NoError(b, err)
	var bytes, n int64
	for b.Loop() {
		for i := range 10 {
			require.NoError(b, w.c.AddRelease(release(b, fmt.Sprintf("acme/p%d@1.0.%d", i*997, n+1))))
		}
		serial, err := w.c.Publish(b.Context(), w.target())
		require.NoError(b, err)
		n++
		for _, s := range w.s.newest(b, serial).Segments {
			if s.Level == 0 && s.Records == 10 {
				bytes += s.Size
			}
		}
	}
	b.ReportMetric(float64(bytes)/float64(n), "level0-B")
}
