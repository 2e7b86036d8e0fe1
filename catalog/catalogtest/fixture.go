package catalogtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// SourceFixture is a source together with what is in it, for [SourceConformance].
type SourceFixture struct {
	// Source is what is tested. It serves all that follows.
	Source catalog.Source
	// Metadata are the TUF files by name; timestamp.json must be one of them.
	Metadata map[string][]byte
	// Blob is a blob of the catalog.
	Blob []byte
	// Release is a release, and Content, Media (by title) and Bundles what belongs
	// to it. Media and Bundles are looked at when the Source serves them.
	Release catalog.Release
	Content []byte
	Media   map[string][]byte
	Bundles [][]byte
	// Unsigned is another release, that has no evidence at all.
	Unsigned catalog.Release
	// Change makes the source serve another timestamp.json, and returns it. Nil
	// when the source never changes.
	Change func(t testing.TB) []byte
	// Fail makes the source unreachable from now on. Nil when it cannot fail.
	Fail func(t testing.TB)
	// Spoil makes the source serve wrong bytes for Content. Nil when it cannot.
	Spoil func(t testing.TB)
}

// Fill puts a small catalog and two releases, one of them with two signature
// bundles, into a registry below prefix: the catalog in <prefix>/catalog. What is
// signed is not: the bundles are no signatures and the TUF files are not TUF. It
// returns a fixture that lacks only the Source, Fail and Spoil.
func Fill(t testing.TB, p Pusher, prefix string) SourceFixture {
	t.Helper()
	ctx := t.Context()
	f := SourceFixture{
		Metadata: map[string][]byte{
			"1.root.json":      []byte(`{"signed":{"_type":"root","version":1}}`),
			"3.snapshot.json":  []byte(`{"signed":{"_type":"snapshot","version":3}}`),
			"index":            []byte(`{"format":1}`),
			"timestamp.json":   []byte(`{"signed":{"_type":"timestamp","version":7}}`),
			"abcdef0123.index": bytes.Repeat([]byte("x"), 70_000),
		},
		Blob:    bytes.Repeat([]byte("segment "), 10_000),
		Content: pattern(3 << 20),
		Media:   map[string][]byte{"README.md": []byte("# Backup\n"), "icon.png": []byte("\x89PNG\r\n\x1a\n")},
		Bundles: [][]byte{[]byte(`{"mediaType":"one"}`), []byte(`{"mediaType":"two"}`)},
	}
	repo := "catalog"
	if prefix != "" {
		repo = prefix + "/catalog"
	}
	for name, b := range f.Metadata {
		require.NoError(t, putMetadata(ctx, p, repo, name, b))
	}
	require.NoError(t, pushBlob(ctx, p, repo, catalog.TypeSegment, f.Blob))

	signed, err := NewArtifact("acme/backup", "1.4.2", f.Content, f.Media)
	require.NoError(t, err)
	require.NoError(t, signed.Push(ctx, p, prefix))
	for _, b := range f.Bundles {
		require.NoError(t, p.Attach(ctx, signed.Repo(prefix), signed.Subject(), bundleType, b, map[string]string{"n": string(verify.DigestOf(b).Short())}))
	}
	f.Release = signed.Release

	unsigned, err := NewArtifact("acme/clock", "0.1.0", []byte("tick"), nil)
	require.NoError(t, err)
	require.NoError(t, unsigned.Push(ctx, p, prefix))
	f.Unsigned = unsigned.Release

	version := 7
	f.Change = func(t testing.TB) []byte {
		t.Helper()
		version++
		b := fmt.Appendf(nil, `{"signed":{"_type":"timestamp","version":%d}}`, version)
		require.NoError(t, putMetadata(context.WithoutCancel(ctx), p, repo, "timestamp.json", b))
		return b
	}
	return f
}

// bundleType is how cosign v3 marks a sigstore bundle.
const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// pattern is n bytes in which no two blocks are alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i ^ i>>8*31 ^ i>>16*17)
	}
	return b
}

func readAll(r io.ReadCloser) ([]byte, error) {
	defer r.Close()
	return io.ReadAll(r)
}
