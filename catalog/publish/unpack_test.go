package publish_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/verify"
)

func TestUnpack(t *testing.T) {
	t.Parallel()
	p, err := publish.Pack(t.Context(), plugin(t), publish.PackOptions{})
	require.NoError(t, err)
	r, err := p.Open(p.Artifact.Content.Digest)
	require.NoError(t, err)
	files, err := publish.Unpack(t.Context(), r, &p.Artifact, publish.PackOptions{})
	require.NoError(t, err)
	require.NoError(t, fstest.TestFS(files, "plugin.json", "bin/server", "bin/tool", "README.md", "icon.png", "ünïcode/a-b", "ünïcode/a/b1"))
	info, err := fs.Stat(files, "bin/server")
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o555), info.Mode())
	b, err := files.ReadFile("bin/tool")
	require.NoError(t, err)
	assert.Equal(t, "tool", string(b))
	b[0] = 'x'
	b, err = files.ReadFile("bin/tool")
	require.NoError(t, err)
	assert.Equal(t, "tool", string(b), "nobody changes what another reads")

	// What was unpacked packs to the same, and is the manifest that was pushed.
	again, err := publish.Pack(t.Context(), files, publish.PackOptions{})
	require.NoError(t, err)
	assert.Equal(t, p.OCI.Digest, again.OCI.Digest)
	for _, problem := range publish.Validate(t.Context(), publish.Input{Files: files, Manifest: &p.Manifest, Notes: &publish.Notes{Summary: "x"}}) {
		assert.Equal(t, publish.SeverityWarning, problem.Severity, problem)
	}
}

// item is an entry of a tar.
type item struct {
	tar.Header
	body string
}

func file(name, body string) item {
	return item{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644}, body}
}

// layer packs items into a layer, whose artifact tells the truth about it.
func layer(t testing.TB, items ...item) ([]byte, *catalog.Artifact) {
	t.Helper()
	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	a := &catalog.Artifact{Entries: len(items)}
	for _, i := range items {
		if i.Size == 0 {
			i.Size = int64(len(i.body))
		}
		require.NoError(t, w.WriteHeader(&i.Header))
		_, err := io.WriteString(w, i.body)
		require.NoError(t, err)
		a.Unpacked += i.Size
	}
	require.NoError(t, w.Close())
	return squeeze(t, a, plain.Bytes())
}

func squeeze(t testing.TB, a *catalog.Artifact, plain []byte) ([]byte, *catalog.Artifact) {
	t.Helper()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	require.NoError(t, err)
	b := z.EncodeAll(plain, nil)
	require.NoError(t, z.Close())
	a.DiffID = verify.DigestOf(plain)
	a.Content = catalog.Descriptor{MediaType: catalog.TypePluginContent, Digest: verify.DigestOf(b), Size: int64(len(b))}
	return b, a
}

func TestUnpackRefuses(t *testing.T) {
	t.Parallel()
	small := publish.PackOptions{MaxEntries: 3, MaxFile: 100, MaxUnpacked: 150}
	head := func(kind byte, name string, mode int64) item {
		return item{Header: tar.Header{Typeflag: kind, Name: name, Mode: mode, Linkname: map[byte]string{tar.TypeSymlink: "/etc", tar.TypeLink: "a"}[kind]}}
	}
	for say, items := range map[string][]item{
		"no links":                    {head(tar.TypeSymlink, "a", 0o777)},
		"no links, devices":           {file("a", "x"), head(tar.TypeLink, "b", 0o644)},
		"devices or sparse":           {head(tar.TypeChar, "a", 0o644)},
		"setuid":                      {head(tar.TypeReg, "a", 0o4755)},
		"does not stay inside":        {file("../a", "x")},
		"a path is relative":          {file("/a", "x")},
		"device on Windows":           {file("con", "x")},
		"appears twice":               {file("a", "x"), file("a", "y")},
		"the same as \"a\"":           {file("a", "x"), file("A", "y")},
		"the same as \"dir\"":         {file("dir/a", "x"), file("Dir/b", "y")},
		"lies below the file \"a\"":   {file("a", "x"), file("a/b", "y")},
		"\"a\" appears twice":         {file("a/b", "x"), file("a", "y")},
		"lies below the file":         {file("a", "x"), head(tar.TypeDir, "a/b/", 0o755)},
		"more than 3 files":           {file("a", ""), file("b", ""), file("c", ""), file("d", "")},
		"more than 100":               {file("a", strings.Repeat("x", 101))},
		"together have more":          {file("a", strings.Repeat("x", 100)), file("b", strings.Repeat("x", 51))},
		"extended record \"SCHILY.xa": {{tar.Header{Typeflag: tar.TypeReg, Name: "a", Mode: 0o644, PAXRecords: map[string]string{"SCHILY.xattr.user.a": "b"}}, ""}},
	} {
		b, a := layer(t, items...)
		a.Unpacked, a.Entries = min(a.Unpacked, 150), min(a.Entries, 3)
		_, err := publish.Unpack(t.Context(), bytes.NewReader(b), a, small)
		assert.ErrorIs(t, err, catalog.ErrArchive, say)
		assert.ErrorContains(t, err, say)
	}
	b, a := layer(t, file("a", strings.Repeat("x", 100)), file("b/c", "y"))
	_, err := publish.Unpack(t.Context(), bytes.NewReader(b), a, small)
	require.NoError(t, err, "the control")
}

// TestUnpackHoldsToItsWord: what is announced must be true.
func TestUnpackHoldsToItsWord(t *testing.T) {
	t.Parallel()
	raw, good := layer(t, file("a", "hello"))
	for say, tt := range map[string]struct {
		edit func(a *catalog.Artifact)
		is   error
	}{
		"more than 268435456": {func(a *catalog.Artifact) { a.Unpacked = 1 << 30 }, catalog.ErrArchive},
		"announced were 1 of": {func(a *catalog.Artifact) { a.Unpacked = 4 }, catalog.ErrArchive},
		"announced were 2 of": {func(a *catalog.Artifact) { a.Entries = 2 }, catalog.ErrArchive},
		"the unpacked tar is": {func(a *catalog.Artifact) { a.DiffID = verify.DigestOf(nil) }, verify.ErrDigest},
		"digest mismatch":     {func(a *catalog.Artifact) { a.Content.Digest = verify.DigestOf(nil) }, verify.ErrDigest},
		"longer than the":     {func(a *catalog.Artifact) { a.Content.Size-- }, verify.ErrDigest},
		"ended after":         {func(a *catalog.Artifact) { a.Content.Size++ }, verify.ErrDigest},
		"a download of":       {func(a *catalog.Artifact) { a.Content.Size = 1 << 40 }, catalog.ErrArchive},
	} {
		a := *good
		tt.edit(&a)
		_, err := publish.Unpack(t.Context(), bytes.NewReader(raw), &a, publish.PackOptions{})
		assert.ErrorIs(t, err, tt.is, say)
		assert.ErrorContains(t, err, say)
	}

	var plain bytes.Buffer
	w := tar.NewWriter(&plain)
	require.NoError(t, w.Close())
	b, a := squeeze(t, &catalog.Artifact{}, append(plain.Bytes(), make([]byte, 512)...))
	_, err := publish.Unpack(t.Context(), bytes.NewReader(b), a, publish.PackOptions{})
	require.ErrorContains(t, err, "after the end of the tar")
	b, a = squeeze(t, &catalog.Artifact{}, bytes.Repeat([]byte{'x'}, 600))
	_, err = publish.Unpack(t.Context(), bytes.NewReader(b), a, publish.PackOptions{})
	require.ErrorIs(t, err, catalog.ErrArchive)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = publish.Unpack(ctx, bytes.NewReader(raw), good, publish.PackOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

// TestUnpackBomb: much more than its size, however little is announced.
func TestUnpackBomb(t *testing.T) {
	t.Parallel()
	b, a := layer(t, file("a", strings.Repeat("\x00", 30<<20)))
	require.Less(t, len(b), 100<<10)
	_, err := publish.Unpack(t.Context(), bytes.NewReader(b), a, publish.PackOptions{})
	require.ErrorIs(t, err, catalog.ErrArchive)
	require.ErrorContains(t, err, "times its size")
}

func FuzzUnpack(f *testing.F) {
	for _, items := range [][]item{{file("a", "x")}, {file("a/b", "x"), file("a", "y")}, {{tar.Header{Typeflag: tar.TypeDir, Name: "d/", Mode: 0o755}, ""}}} {
		var plain bytes.Buffer
		w := tar.NewWriter(&plain)
		for _, i := range items {
			i.Size = int64(len(i.body))
			require.NoError(f, w.WriteHeader(&i.Header))
			_, err := io.WriteString(w, i.body)
			require.NoError(f, err)
		}
		require.NoError(f, w.Close())
		f.Add(plain.Bytes(), true)
	}
	f.Add([]byte("x"), false)
	f.Fuzz(func(t *testing.T, b []byte, pack bool) {
		a := &catalog.Artifact{Unpacked: 1, Entries: 1, DiffID: verify.DigestOf(b), Content: catalog.Descriptor{Digest: verify.DigestOf(b), Size: int64(len(b))}}
		if pack {
			b, a = squeeze(t, a, b)
		}
		files, err := publish.Unpack(t.Context(), bytes.NewReader(b), a, publish.PackOptions{MaxEntries: 10, MaxFile: 1 << 10, MaxUnpacked: 4 << 10})
		if err == nil {
			require.NoError(t, fs.WalkDir(files, ".", func(name string, _ fs.DirEntry, err error) error {
				if name != "." {
					require.NoError(t, catalog.CheckPath(name))
				}
				return err
			}))
		}
	})
}

func TestDiffFiles(t *testing.T) {
	t.Parallel()
	old := fstest.MapFS{"same": {Data: []byte("s")}, "gone": {Data: []byte("gone")}, "dir/changed": {Data: []byte("a")}, "tool": {Data: []byte("t")}, "plain": {Data: []byte("p"), Mode: 0o755}}
	now := fstest.MapFS{"same": {Data: []byte("s")}, "new": {Data: []byte("n"), Mode: 0o755}, "dir/changed": {Data: []byte("bc")}, "tool": {Data: []byte("t"), Mode: 0o755}, "plain": {Data: []byte("p")}}
	got, err := publish.DiffFiles(t.Context(), old, now)
	require.NoError(t, err)
	sum := func(s string) verify.Digest { return verify.DigestOf([]byte(s)) }
	assert.Equal(t, []publish.FileChange{
		{Path: "dir/changed", Kind: "changed", OldSize: 1, NewSize: 2, OldDigest: sum("a"), NewDigest: sum("bc")},
		{Path: "gone", Kind: "removed", OldSize: 4, OldDigest: sum("gone")},
		{Path: "new", Kind: "added", NewSize: 1, NewDigest: sum("n"), Exec: true},
		{Path: "tool", Kind: "changed", OldSize: 1, NewSize: 1, OldDigest: sum("t"), NewDigest: sum("t"), Exec: true},
	}, got)
	got, err = publish.DiffFiles(t.Context(), nil, fstest.MapFS{"a": {}})
	require.NoError(t, err)
	assert.Len(t, got, 1)
	got, err = publish.DiffFiles(t.Context(), now, now)
	require.NoError(t, err)
	assert.Empty(t, got)
	_, err = publish.DiffFiles(t.Context(), now, fstest.MapFS{"a": {Mode: fs.ModeSymlink}})
	require.ErrorContains(t, err, "not a file")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = publish.DiffFiles(ctx, now, now)
	require.ErrorIs(t, err, context.Canceled)
}

func BenchmarkUnpack(b *testing.B) {
	files := plugin(b)
	noise := make([]byte, 8<<20)
	r := rand.NewChaCha8([32]byte{})
	_, _ = r.Read(noise)
	files["noise"] = &fstest.MapFile{Data: noise}
	p, err := publish.Pack(b.Context(), files, publish.PackOptions{})
	require.NoError(b, err)
	b.SetBytes(p.Artifact.Unpacked)
	b.ReportAllocs()
	for b.Loop() {
		r, err := p.Open(p.Artifact.Content.Digest)
		require.NoError(b, err)
		_, err = publish.Unpack(b.Context(), r, &p.Artifact, publish.PackOptions{})
		require.NoError(b, err)
	}
}
