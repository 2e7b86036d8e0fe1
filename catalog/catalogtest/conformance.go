package catalogtest

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

const maxMetadata = 1 << 20 // bytes of a metadata file that the suite asks for

// SourceConformance checks that an implementation of [catalog.Source], and of
// [catalog.EvidenceSource] and [catalog.MediaSource] when it is one, does what their
// documentation says. fixture is called once for every subtest.
func SourceConformance(t *testing.T, fixture func(t testing.TB) SourceFixture) {
	for name, test := range map[string]func(*testing.T, SourceFixture){
		"Metadata":    testMetadata,
		"Blob":        testBlob,
		"NotModified": testNotModified,
		"Open":        testOpen,
		"Missing":     testMissing,
		"Media":       testMedia,
		"Evidence":    testEvidence,
		"Concurrent":  testConcurrent,
		"Cancelled":   testCancelled,
		"Fail":        testFail,
		"Spoil":       testSpoil,
	} {
		t.Run(name, func(t *testing.T) { test(t, fixture(t)) })
	}
}

func snapshot(t *testing.T, s catalog.Source) *catalog.Envelope {
	t.Helper()
	e, err := s.Snapshot(t.Context(), 0)
	require.NoError(t, err)
	return e
}

func testMetadata(t *testing.T, f SourceFixture) {
	e := snapshot(t, f.Source)
	for name, want := range f.Metadata {
		got, err := e.Metadata(t.Context(), name, maxMetadata)
		require.NoError(t, err, name)
		assert.Equal(t, string(want), string(got), name)
		got, err = e.Metadata(t.Context(), name, int64(len(want)))
		require.NoError(t, err, "a file that is exactly as long as the limit")
		assert.Len(t, got, len(want))
		_, err = e.Metadata(t.Context(), name, int64(len(want)-1))
		assert.Error(t, err, "%s is longer than the limit", name)
	}
	_, err := e.Metadata(t.Context(), "999.root.json", maxMetadata)
	assert.ErrorIs(t, err, fs.ErrNotExist, "the end of the chain of roots is found by this")
	assert.NotErrorIs(t, err, catalog.ErrUnavailable)
	for _, name := range []string{"", "../timestamp.json", "a/b", "sha256:abc", "a?b"} {
		_, err := e.Metadata(t.Context(), name, maxMetadata)
		assert.Error(t, err, "%q is no name of a file", name)
	}
}

func testBlob(t *testing.T, f SourceFixture) {
	e := snapshot(t, f.Source)
	d, size := verify.DigestOf(f.Blob), int64(len(f.Blob))
	got, err := readBlob(t.Context(), e, d, size)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(f.Blob, got))
	for _, wrong := range []int64{size - 1, size + 1} {
		_, err = readBlob(t.Context(), e, d, wrong)
		assert.ErrorIs(t, err, verify.ErrDigest, "a size of %d is wrong", wrong)
	}
	_, err = readBlob(t.Context(), e, verify.DigestOf([]byte("not there")), 9)
	assert.ErrorIs(t, err, catalog.ErrNotFound)
	_, err = readBlob(t.Context(), e, "sha256:short", 9)
	assert.Error(t, err)
}

func readBlob(ctx context.Context, e *catalog.Envelope, d verify.Digest, size int64) ([]byte, error) {
	r, err := e.Blob(ctx, d, size)
	if err != nil {
		return nil, err
	}
	return readAll(r)
}

// testNotModified: what was not accepted is never "not modified", and what was is
// that only until it changes.
func testNotModified(t *testing.T, f SourceFixture) {
	e := snapshot(t, f.Source)
	_, err := f.Source.Snapshot(t.Context(), 5)
	require.NoError(t, err, "serial 5 was never accepted")
	if e.Accept == nil {
		return // a source that never says ErrNotModified is correct
	}
	e.Accept(5)
	_, err = f.Source.Snapshot(t.Context(), 5)
	require.ErrorIs(t, err, catalog.ErrNotModified)
	_, err = f.Source.Snapshot(t.Context(), 0)
	require.NoError(t, err, "0 holds nothing")
	_, err = f.Source.Snapshot(t.Context(), 4)
	require.NoError(t, err, "serial 4 was never accepted")
	if f.Change == nil {
		return
	}
	want := f.Change(t)
	changed, err := f.Source.Snapshot(t.Context(), 5)
	require.NoError(t, err, "it changed")
	got, err := changed.Metadata(t.Context(), "timestamp.json", maxMetadata)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
	_, err = f.Source.Snapshot(t.Context(), 5)
	require.NoError(t, err, "the change was not accepted, perhaps it did not verify")
	changed.Accept(5) // a renewal: new timestamp, same serial
	_, err = f.Source.Snapshot(t.Context(), 5)
	require.ErrorIs(t, err, catalog.ErrNotModified)
}

func open(ctx context.Context, s catalog.Source, r catalog.Release) ([]byte, error) {
	rc, err := s.Open(ctx, r)
	if err != nil {
		return nil, err
	}
	return readAll(rc)
}

func testOpen(t *testing.T, f SourceFixture) {
	got, err := open(t.Context(), f.Source, f.Release)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(f.Content, got), "the content arrives whole and in order")

	rc, err := f.Source.Open(t.Context(), f.Release)
	require.NoError(t, err)
	_, err = io.ReadFull(rc, make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, rc.Close(), "closed before its end")

	other := f.Release
	other.Manifest.Summary = "what the publisher never signed"
	_, err = open(t.Context(), f.Source, other)
	assert.ErrorIs(t, err, verify.ErrUntrusted, "the catalog's plugin.json is not the one in the artifact")
}

// testMissing: what is not there is ErrNotFound and nothing else.
func testMissing(t *testing.T, f SourceFixture) {
	for name, change := range map[string]func(*catalog.Release){
		"digest": func(r *catalog.Release) { r.Digest = verify.DigestOf([]byte("not there")) },
		"plugin": func(r *catalog.Release) { r.Plugin = "nobody/nothing" },
	} {
		r := f.Release
		change(&r)
		_, err := open(t.Context(), f.Source, r)
		assert.ErrorIs(t, err, catalog.ErrNotFound, name)
		assert.NotErrorIs(t, err, catalog.ErrUnavailable, name)
		if s, ok := f.Source.(catalog.EvidenceSource); ok {
			_, err := s.Evidence(t.Context(), r)
			assert.ErrorIs(t, err, catalog.ErrNotFound, "no release is not the same as no evidence: %s", name)
		}
	}
	for _, id := range []catalog.PluginID{"", "acme", "../acme/backup", "acme/backup/more", "Acme/Backup"} {
		r := f.Release
		r.Plugin = id
		_, err := open(t.Context(), f.Source, r)
		assert.Error(t, err, "%q is no plugin", id)
	}
}

func testMedia(t *testing.T, f SourceFixture) {
	s, ok := f.Source.(catalog.MediaSource)
	if !ok {
		t.Skip("the source serves no media")
	}
	require.NotEmpty(t, f.Release.Media)
	for _, d := range f.Release.Media {
		got, err := s.Media(t.Context(), f.Release, d)
		require.NoError(t, err, d.Title)
		assert.Equal(t, string(f.Media[d.Title]), string(got), d.Title)
	}
	d := f.Release.Media[0]
	d.Digest = verify.DigestOf([]byte("of another release"))
	_, err := s.Media(t.Context(), f.Release, d)
	assert.Error(t, err, "not a file of this release")
	big := f.Release
	big.Media = slices.Clone(big.Media)
	big.Media[0].Size = catalog.MaxMedia + 1
	_, err = s.Media(t.Context(), big, big.Media[0])
	assert.Error(t, err, "more than MaxMedia")
}

func testEvidence(t *testing.T, f SourceFixture) {
	s, ok := f.Source.(catalog.EvidenceSource)
	if !ok {
		t.Skip("the source serves no evidence")
	}
	e, err := s.Evidence(t.Context(), f.Release)
	require.NoError(t, err)
	assert.Equal(t, f.Release.Digest, verify.DigestOf(e.Manifest))
	assert.Equal(t, texts(f.Bundles), texts(e.Bundles))
	e, err = s.Evidence(t.Context(), f.Unsigned)
	require.NoError(t, err, "no bundle at all is an empty list")
	assert.Empty(t, e.Bundles)
	assert.Equal(t, f.Unsigned.Digest, verify.DigestOf(e.Manifest))
}

// texts are the bundles in some order.
func texts(bundles [][]byte) []string {
	var out []string
	for _, b := range bundles {
		out = append(out, string(b))
	}
	slices.Sort(out)
	return out
}

func testConcurrent(t *testing.T, f SourceFixture) {
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			got, err := open(t.Context(), f.Source, f.Release)
			assert.NoError(t, err)
			assert.True(t, bytes.Equal(f.Content, got))
			e, err := f.Source.Snapshot(t.Context(), 1)
			if !assert.NoError(t, err) {
				return
			}
			if e.Accept != nil {
				e.Accept(uint64(2))
			}
			_, err = e.Metadata(t.Context(), "timestamp.json", maxMetadata)
			assert.NoError(t, err)
		})
	}
	wg.Wait()
}

func testCancelled(t *testing.T, f SourceFixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := open(ctx, f.Source, f.Release)
	assert.ErrorIs(t, err, context.Canceled)
}

func testFail(t *testing.T, f SourceFixture) {
	if f.Fail == nil {
		t.Skip("the source cannot fail")
	}
	e := snapshot(t, f.Source)
	f.Fail(t)
	broken := func(what string, err error) {
		assert.ErrorIs(t, err, catalog.ErrUnavailable, what)
		assert.NotErrorIs(t, err, catalog.ErrNotFound, what)
		assert.NotErrorIs(t, err, fs.ErrNotExist, what)
		assert.NotErrorIs(t, err, catalog.ErrNotModified, what)
	}
	_, err := f.Source.Snapshot(t.Context(), 0)
	broken("snapshot", err)
	_, err = e.Metadata(t.Context(), "1.root.json", maxMetadata)
	broken("metadata", err)
	_, err = readBlob(t.Context(), e, verify.DigestOf(f.Blob), int64(len(f.Blob)))
	broken("blob", err)
	_, err = open(t.Context(), f.Source, f.Release)
	broken("open", err)
	if s, ok := f.Source.(catalog.EvidenceSource); ok {
		_, err = s.Evidence(t.Context(), f.Release)
		broken("evidence", err)
	}
	if s, ok := f.Source.(catalog.MediaSource); ok {
		_, err = s.Media(t.Context(), f.Release, f.Release.Media[0])
		broken("media", err)
	}
}

func testSpoil(t *testing.T, f SourceFixture) {
	if f.Spoil == nil {
		t.Skip("the source cannot be spoiled")
	}
	f.Spoil(t)
	_, err := open(t.Context(), f.Source, f.Release)
	assert.ErrorIs(t, err, verify.ErrDigest)
	assert.NotErrorIs(t, err, catalog.ErrUnavailable, "wrong bytes are not a bad line")
}
