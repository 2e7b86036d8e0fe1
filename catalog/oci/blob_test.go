package oci_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/verify"
)

// served is a registry with one blob, and the envelope that reads it.
func served(t testing.TB, b []byte) (*catalogtest.Registry, *catalog.Envelope, verify.Digest) {
	t.Helper()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	d := reg.PutBlob("", b)
	require.NoError(t, reg.PutMetadata(t.Context(), "plugins/catalog", "timestamp.json", []byte("{}")))
	e, err := newSource(t, reg.Host+"/plugins/catalog", quick).Snapshot(t.Context(), 0)
	require.NoError(t, err)
	reg.Forget()
	return reg, e, d.Digest
}

func read(t testing.TB, e *catalog.Envelope, d verify.Digest, size int) ([]byte, error) {
	t.Helper()
	r, err := e.Blob(t.Context(), d, int64(size))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// TestBadLine: as long as there is progress a download goes on, however often the
// connection drops; without progress it ends after five tries.
func TestBadLine(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789abcdef"), 1<<20) // 16 MiB
	reg, e, d := served(t, body)
	reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Effect: catalogtest.DropAfter(1 << 20)})
	got, err := read(t, e, d, len(body))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(body, got))
	assert.Len(t, reg.Requests(), 16)

	reg.Heal()
	reg.Forget()
	reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Effect: catalogtest.DropAfter(100_000)})
	_, err = read(t, e, d, len(body))
	assert.ErrorIs(t, err, catalog.ErrUnavailable)
	assert.NotErrorIs(t, err, verify.ErrDigest, "a bad line is not a forgery")
	assert.Len(t, reg.Requests(), 5)
}

// TestNoRanges: a server that does not know ranges sends all of it again.
func TestNoRanges(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789"), 50_000)
	reg, e, d := served(t, body)
	reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Effect: catalogtest.WithoutHeader("Range")})
	reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Times: 2, Effect: catalogtest.DropAfter(200_000)})
	got, err := read(t, e, d, len(body))
	require.NoError(t, err)
	assert.True(t, bytes.Equal(body, got))
	assert.Len(t, reg.Requests(), 3)
}

// TestChangedWhileResuming: the digest is over all that came, from however many answers.
func TestChangedWhileResuming(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789"), 50_000)
	reg, e, d := served(t, body)
	reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Times: 1, Effect: catalogtest.DropAfter(200_000)})
	reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Skip: 1, Effect: catalogtest.FlipByte(7)})
	_, err := read(t, e, d, len(body))
	assert.ErrorIs(t, err, verify.ErrDigest)
	assert.Len(t, reg.Requests(), 2, "wrong bytes are not asked for again")
}

// TestContentRange: an answer about other bytes than were asked for is no answer.
func TestContentRange(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789"), 50_000)
	for _, header := range []string{"", "bytes 0-499999/500000", "bytes 200001-499999/500000", "bytes 200000-499998/500000", "bytes 200000-499999/500001", "bytes */500000", "200000-499999/500000"} {
		reg, e, d := served(t, body)
		reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Times: 1, Effect: catalogtest.DropAfter(200_000)})
		reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Skip: 1, Effect: catalogtest.ChangeHeader("Content-Range", func(string) string { return header })})
		_, err := read(t, e, d, len(body))
		assert.ErrorIs(t, err, catalog.ErrUnavailable, "%q", header)
		assert.Len(t, reg.Requests(), 2, "%q", header)
	}
	reg, e, d := served(t, body)
	reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Times: 1, Effect: catalogtest.DropAfter(200_000)})
	reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Skip: 1, Effect: catalogtest.ChangeHeader("Content-Range", func(string) string { return "bytes 200000-499999/*" })})
	_, err := read(t, e, d, len(body))
	assert.NoError(t, err, "a server may not know the whole length")
}

// TestShorter: a blob that shrank between two requests.
func TestShorter(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789"), 50_000)
	reg, e, d := served(t, body)
	reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Times: 1, Effect: catalogtest.DropAfter(200_000)})
	reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Skip: 1, Effect: catalogtest.Status(http.StatusRequestedRangeNotSatisfiable)})
	_, err := read(t, e, d, len(body))
	assert.ErrorIs(t, err, verify.ErrDigest)
}

// TestAnnouncedLength: a wrong length is refused before a byte is read.
func TestAnnouncedLength(t *testing.T) {
	t.Parallel()
	reg, e, d := served(t, []byte("right"))
	reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Effect: catalogtest.Answer("application/octet-stream", []byte("right and more"))})
	_, err := e.Blob(t.Context(), d, 5)
	assert.ErrorIs(t, err, verify.ErrDigest)
}

func TestEmptyBlob(t *testing.T) {
	t.Parallel()
	_, e, d := served(t, nil)
	got, err := read(t, e, d, 0)
	require.NoError(t, err)
	assert.Empty(t, got)
}

func TestClosedBlob(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("0123456789"), 500_000)
	reg, e, d := served(t, body)
	r, err := e.Blob(t.Context(), d, int64(len(body)))
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close(), "twice")
	_, err = io.ReadAll(r)
	assert.Error(t, err)
	assert.NotErrorIs(t, err, io.EOF)
	assert.Len(t, reg.Requests(), 1, "closing is not a drop")
}

// TestUrlsIgnored: the urls of a descriptor are never followed.
func TestUrlsIgnored(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	layer := verify.DigestOf([]byte("{}"))
	raw := `{"schemaVersion":2,"config":{"mediaType":"x","digest":"` + string(layer) + `","size":2},"layers":[{"mediaType":"x","digest":"` +
		string(layer) + `","size":2,"urls":["` + reg.URL + `/elsewhere"],"data":"e30="}]}`
	_, err := reg.PushManifest(t.Context(), "plugins/catalog", "timestamp.json", catalog.TypeManifest, []byte(raw))
	require.NoError(t, err)
	e, err := newSource(t, reg.Host+"/plugins/catalog", quick).Snapshot(t.Context(), 0)
	require.NoError(t, err)
	_, err = e.Metadata(t.Context(), "timestamp.json", 100)
	assert.ErrorIs(t, err, catalog.ErrNotFound, "the blob is not in the registry, wherever else it may be")
	for _, r := range reg.Requests() {
		assert.False(t, strings.HasPrefix(r.Path, "/elsewhere"))
	}
}
