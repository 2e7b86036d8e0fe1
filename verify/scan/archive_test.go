package scan_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

func zipOf(t testing.TB, pairs ...string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i+1 < len(pairs); i += 2 {
		w, err := z.Create(pairs[i])
		require.NoError(t, err)
		_, err = w.Write([]byte(pairs[i+1]))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.String()
}

func gzipOf(t testing.TB, s string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(s))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

func tarOf(t testing.TB, headers ...tar.Header) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		content := strings.Repeat("x", int(h.Size))
		require.NoError(t, w.WriteHeader(&h))
		_, err := w.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return b.String()
}

func file(name string) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 3, Mode: 0o644}
}

// overlapping is a zip whose entries all have the data of the first.
func overlapping(t testing.TB) string {
	one := zipOf(t, "a", strings.Repeat("data", 1000))
	central := strings.LastIndex(one, "PK\x01\x02")
	end := strings.LastIndex(one, "PK\x05\x06")
	entry, tail := one[central:end], []byte(one[end:])
	const n = 200
	size := len(entry) * n
	copy(tail[8:], []byte{n, 0, n, 0, byte(size), byte(size >> 8), byte(size >> 16), 0})
	return one[:central] + strings.Repeat(entry, n) + string(tail)
}

// liar is a zip with an entry that says it is small.
func liar(t testing.TB) string {
	b := []byte(zipOf(t, "a", strings.Repeat("\x00", 1000)))
	at := bytes.LastIndex(b, []byte("PK\x01\x02"))
	copy(b[at+24:], []byte{10, 0, 0, 0}) // uncompressed size
	return string(b)
}

func encrypted(t testing.TB) string {
	b := []byte(zipOf(t, "a", "secret"))
	b[bytes.LastIndex(b, []byte("PK\x01\x02"))+8] |= 1
	return string(b)
}

func TestArchives(t *testing.T) {
	t.Parallel()
	zeros := strings.Repeat("\x00", 17<<20)
	bomb := gzipOf(t, zeros)
	deep := zipOf(t, "leaf", "x")
	for range 5 {
		deep = zipOf(t, "in.zip", deep)
	}
	for name, c := range map[string]struct {
		file string
		want []string
	}{
		"zip":                {zipOf(t, "a/", "", "a/b.txt", "hello", "c", strings.Repeat("text ", 10_000)), nil},
		"tar":                {tarOf(t, file("a"), file("b/c"), tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o755}), nil},
		"tar.gz in zip":      {zipOf(t, "a.tar.gz", gzipOf(t, tarOf(t, file("a")))), nil},
		"inner link":         {tarOf(t, tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "b"}), nil},
		"gzip bomb":          {bomb, []string{"archive-bomb critical high"}},
		"zip bomb":           {zipOf(t, "a", zeros), []string{"archive-bomb critical high"}},
		"bomb in a bomb":     {zipOf(t, "a.zip", zipOf(t, "b.gz", bomb)), []string{"archive-bomb critical high"}},
		"bomb in a tar.gz":   {gzipOf(t, tarOf(t, file("a"), tar.Header{Name: "z", Typeflag: tar.TypeReg, Size: 17 << 20, Mode: 0o644})), []string{"archive-bomb critical high"}},
		"overlapping":        {overlapping(t), []string{"archive-overlap high high"}},
		"size is a lie":      {liar(t), []string{"archive-damaged medium medium"}},
		"too deep":           {deep, []string{"archive-depth high medium"}},
		"escapes":            {zipOf(t, "../../etc/passwd", "x"), []string{"name-escape high high"}},
		"escapes in tar":     {tarOf(t, file("a/../../b")), []string{"name-escape high high"}},
		"absolute":           {tarOf(t, file("/etc/passwd")), []string{"name-escape high high"}},
		"backslashes":        {zipOf(t, `..\..\evil.exe`, "x"), []string{"name-escape high high"}},
		"drive":              {zipOf(t, `C:evil.exe`, "x"), []string{"name-escape high high"}},
		"one backslash":      {zipOf(t, `\`, "x"), []string{"name-escape high high"}},
		"right to left":      {zipOf(t, "report\u202efdp.exe", "x"), []string{"name-hidden high high"}},
		"not UTF-8":          {zipOf(t, "a\xffb", "x"), []string{"name-encoding medium high"}},
		"twice":              {zipOf(t, "a", "x", "a", "y"), []string{"name-same medium high"}},
		"case":               {tarOf(t, file("Readme"), file("README")), []string{"name-same medium high"}},
		"long":               {tarOf(t, file(strings.Repeat("a/", 300)+"b")), []string{"name-long medium high"}},
		"link out":           {tarOf(t, tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc/shadow"}), []string{"archive-link medium high"}},
		"link up":            {tarOf(t, tar.Header{Name: "a", Typeflag: tar.TypeLink, Linkname: "../b"}), []string{"archive-link medium high"}},
		"device":             {tarOf(t, tar.Header{Name: "a", Typeflag: tar.TypeBlock}), []string{"archive-device high high"}},
		"encrypted":          {encrypted(t), []string{"archive-encrypted medium high"}},
		"xz":                 {"\xfd7zXZ\x00" + noise(100), []string{"archive-opaque low high"}},
		"zstd in zip":        {zipOf(t, "a.zst", "\x28\xb5\x2f\xfd"+noise(100)), []string{"archive-opaque low high"}},
		"damaged":            {gzipOf(t, noise(1000))[:100], []string{"archive-damaged medium medium"}},
		"damaged zip":        {zipOf(t, "a", "b")[:30], []string{"archive-damaged medium medium"}},
		"damaged, then more": {zipOf(t, "a.gz", "\x1f\x8b"+noise(100), "../b", "x"), []string{"name-escape high high", "archive-damaged medium medium"}},
		"not an archive":     {"BZ is a name", nil},
	} {
		r := look(t, scan.Archives(), files("data", c.file), subject)
		if c.want == nil {
			c.want = []string{}
		}
		assert.Equal(t, c.want, rules(r), "%s: %v", name, r.Findings)
		for _, f := range r.Findings {
			assert.Equal(t, "data", f.File, name)
		}
	}
}

// TestArchiveStream: what cannot ReadAt is looked at just so.
func TestArchiveStream(t *testing.T) {
	t.Parallel()
	r := look(t, scan.Archives(), streamFS{files("a.zip", zipOf(t, "../b", "x"))}, subject)
	assert.Equal(t, []string{"name-escape high high"}, rules(r))
}

type streamFS struct{ fs.FS }

func (s streamFS) Open(name string) (fs.File, error) {
	f, err := s.FS.Open(name)
	if dir, ok := f.(fs.ReadDirFile); ok || err != nil {
		return dir, err
	}
	return struct{ fs.File }{f}, nil
}

// TestArchivesTooLarge: more than is looked into, without being a bomb, is an error.
func TestArchivesTooLarge(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("words ", 50_000)
	m := files("a.gz", gzipOf(t, text), "b.zip", zipOf(t, "b", text), "c.tar", tarOf(t, tar.Header{Name: "c", Typeflag: tar.TypeReg, Size: 300_000, Mode: 0o644}))
	assert.Equal(t, verify.VerdictPass, look(t, scan.ArchivesUpTo(900_000), m, subject).Verdict)
	r, err := scan.ArchivesUpTo(899_999).Scan(t.Context(), m, subject)
	require.ErrorContains(t, err, "more than is looked into")
	assert.Equal(t, verify.VerdictError, r.Verdict)
}

func TestNames(t *testing.T) {
	t.Parallel()
	m := files("README.md", "a", "readme.md", "b", "ﬁle", "c", "file", "d", "in\u202evoice", "e", "soft\u00adhyphen", "f")
	m["link"] = &fstest.MapFile{Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink}
	m["root"] = &fstest.MapFile{Data: []byte("x"), Mode: fs.ModeSetuid | 0o755}
	r := look(t, scan.Archives(), m, subject)
	assert.ElementsMatch(t, []string{
		"name-same medium high", "name-same medium high", "name-hidden high high", "name-hidden medium high",
		"file-irregular high high", "file-setuid high high",
	}, rules(r))
	assert.Equal(t, verify.VerdictFail, r.Verdict)
	for _, f := range r.Findings {
		assert.NotContains(t, f.File+f.Detail, "\u202e")
	}
}

func FuzzArchives(f *testing.F) {
	f.Add([]byte(zipOf(f, "a", "b", "../c", "d")))
	f.Add([]byte(gzipOf(f, tarOf(f, file("a")))))
	f.Add([]byte(tarOf(f, file("a"), tar.Header{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/x"})))
	f.Add([]byte(overlapping(f)))
	f.Add([]byte("BZh91AY&SY"))
	// One that asks for a place before its beginning.
	f.Add([]byte("PK\x03\x04\x00\b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00../cJ\x01\x04\x00\x00\xff\xffPK\a\b\xccJݘ\a\x00\x00\x00\x01\x00\x00\x00PK\x01\x02\x14\x00\x14\x00\b\x00\b\x00\x00\x00\x00\x00\xf9\xef\xbeq\a\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00aPK\x01\x02\x14\x00\x14\x00\b\x00\b\x00\x00\x00\x00\x00\xccJݘ\a\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x006\x00\x00\x00../cPK\x05\x06\x00\x00\x00\x00\x02\x00\x02\x00a\x00\x00\x00o\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		look(t, scan.Archives(), files("a", string(data)), subject)
	})
}
