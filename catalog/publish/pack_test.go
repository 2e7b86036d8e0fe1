package publish_test

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/verify"
)

const pluginJSON = `{
	"format": 1, "id": "acme/backup", "version": "1.2.0+b1", "name": "Backup", "summary": "Backs up.", "license": "MIT",
	"runtime": {"kind": "process", "entry": "bin/server"}, "docs": "README.md", "icon": "icon.png",
	"screenshots": [{"file": "icon.png", "alt": "The icon"}]
}`

func picture(t testing.TB, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))))
	return b.Bytes()
}

func plugin(t testing.TB) fstest.MapFS {
	t.Helper()
	return fstest.MapFS{
		"plugin.json":  {Data: []byte(pluginJSON), Mode: 0o600, ModTime: time.Now()},
		"bin/server":   {Data: []byte("#!/bin/sh\n"), Mode: 0o644},
		"bin/tool":     {Data: []byte("tool"), Mode: 0o711},
		"README.md":    {Data: []byte("# Backup\n"), Mode: 0o666},
		"icon.png":     {Data: picture(t, 48, 48)},
		"ünïcode/a-b":  {Data: []byte("x")},
		"ünïcode.d":    {Mode: fs.ModeDir | 0o700},
		"ünïcode/a/b1": {Data: []byte("y")},
	}
}

func TestPackIsDeterministic(t *testing.T) {
	t.Parallel()
	first, err := publish.Pack(t.Context(), plugin(t), publish.PackOptions{})
	require.NoError(t, err)
	again := plugin(t)
	for _, f := range again {
		f.ModTime = time.Now().Add(time.Hour)
	}
	again["plugin.json"].Data = []byte(strings.ReplaceAll(pluginJSON, "\t", "  "))
	second, err := publish.Pack(t.Context(), again, publish.PackOptions{})
	require.NoError(t, err)
	assert.Equal(t, string(first.Raw()), string(second.Raw()))
	assert.Equal(t, first.Blobs, second.Blobs)
}

func TestPackContent(t *testing.T) {
	t.Parallel()
	p, err := publish.Pack(t.Context(), plugin(t), publish.PackOptions{})
	require.NoError(t, err)
	r := p.Release(time.Date(2026, 5, 3, 14, 0, 0, 0, time.FixedZone("CEST", 7200)), "Notes")
	assert.Equal(t, "acme/backup@1.2.0+b1", r.Ref.String())
	assert.Equal(t, "2026-05-03T12:00:00Z", r.Published.Format(time.RFC3339))
	a, err := catalog.ParseArtifact(p.Raw(), r)
	require.NoError(t, err)
	assert.Equal(t, p.Artifact, *a)
	assert.Equal(t, a.Content.Size, r.Size)
	require.Len(t, a.Media, 2, "README and icon, which is also the screenshot")
	assert.Equal(t, "README.md", a.Media[0].Title)
	assert.Equal(t, "text/markdown", a.Media[0].MediaType)
	assert.Equal(t, "image/png", a.Media[1].MediaType)

	rc, err := p.Open(a.Content.Digest)
	require.NoError(t, err)
	z, err := zstd.NewReader(verify.NewReader(rc, a.Content.Digest, a.Content.Size))
	require.NoError(t, err)
	defer z.Close()
	plain, err := io.ReadAll(z)
	require.NoError(t, err)
	assert.Equal(t, a.DiffID, verify.DigestOf(plain))
	var names []string
	var unpacked int64
	for tr := tar.NewReader(bytes.NewReader(plain)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		names = append(names, fmt.Sprintf("%s %o", h.Name, h.Mode))
		unpacked += h.Size
		assert.Zero(t, h.Uid+h.Gid)
		assert.Empty(t, h.Uname+h.Gname)
		assert.Zero(t, h.ModTime.Unix())
		b, err := io.ReadAll(tr)
		require.NoError(t, err)
		if h.Name == "plugin.json" {
			canonical, err := p.Manifest.Canonical()
			require.NoError(t, err)
			assert.Equal(t, string(canonical), string(b))
		}
	}
	assert.Equal(t, []string{
		"README.md 644", "bin/ 755", "bin/server 755", "bin/tool 755", "icon.png 644", "plugin.json 644",
		"ünïcode/ 755", "ünïcode.d/ 755", "ünïcode/a/ 755", "ünïcode/a-b 644", "ünïcode/a/b1 644",
	}, names)
	assert.Equal(t, a.Entries, len(names))
	assert.Equal(t, a.Unpacked, unpacked)
	_, err = p.Open(verify.DigestOf([]byte("else")))
	require.ErrorIs(t, err, catalog.ErrNotFound)
}

func TestPackRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(fstest.MapFS)
		says   string
	}{
		"no manifest":   {func(m fstest.MapFS) { delete(m, "plugin.json") }, "plugin.json: file does not exist"},
		"bad manifest":  {func(m fstest.MapFS) { m["plugin.json"].Data = []byte("{}") }, "plugin.json: format: is 0"},
		"big manifest":  {func(m fstest.MapFS) { m["plugin.json"].Data = bytes.Repeat([]byte(" "), 300<<10) }, "more than 262144"},
		"no entry":      {func(m fstest.MapFS) { delete(m, "bin/server") }, `runtime.entry: there is no file "bin/server"`},
		"no README":     {func(m fstest.MapFS) { delete(m, "README.md") }, `docs: there is no file "README.md"`},
		"link":          {func(m fstest.MapFS) { m["l"] = &fstest.MapFile{Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink} }, "only regular files"},
		"device":        {func(m fstest.MapFS) { m["d"] = &fstest.MapFile{Mode: fs.ModeDevice} }, "only regular files"},
		"name":          {func(m fstest.MapFS) { m["a:b"] = &fstest.MapFile{} }, `U+003A`},
		"device name":   {func(m fstest.MapFS) { m["aux.txt"] = &fstest.MapFile{} }, `device on Windows`},
		"case":          {func(m fstest.MapFS) { m["readme.MD"] = &fstest.MapFile{} }, `are one file on some systems`},
		"not a picture": {func(m fstest.MapFS) { m["icon.png"].Data = []byte("<svg/>") }, `not a picture`},
		"huge picture":  {func(m fstest.MapFS) { m["icon.png"].Data = picture(t, 5000, 1) }, `5000 x 1 pixels`},
		"huge README":   {func(m fstest.MapFS) { m["README.md"].Data = make([]byte, catalog.MaxMedia+1) }, "more than 4194304"},
		"huge file":     {func(m fstest.MapFS) { m["big"] = &fstest.MapFile{Data: make([]byte, publish.MaxFile+1)} }, "more than 67108864"},
		"README a folder": {func(m fstest.MapFS) {
			delete(m, "README.md")
			m["README.md/x"] = &fstest.MapFile{}
		}, `there is no file "README.md"`},
	} {
		files := plugin(t)
		c.change(files)
		_, err := publish.Pack(t.Context(), files, publish.PackOptions{})
		assert.ErrorContains(t, err, c.says, name)
	}
	for name, o := range map[string]publish.PackOptions{"entries": {MaxEntries: 3}, "size of all": {MaxUnpacked: 100}} {
		_, err := publish.Pack(t.Context(), plugin(t), o)
		assert.ErrorContains(t, err, "more than", name)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := publish.Pack(ctx, plugin(t), publish.PackOptions{})
	require.ErrorIs(t, err, context.Canceled)
}

func TestPackFromDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, plugin(t)))
	_, err := publish.Pack(t.Context(), os.DirFS(dir), publish.PackOptions{})
	require.NoError(t, err)
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(dir, "README")))
	_, err = publish.Pack(t.Context(), os.DirFS(dir), publish.PackOptions{})
	require.ErrorContains(t, err, "only regular files")
}

// growing is a file system in which a file is longer than it said.
type growing struct{ fstest.MapFS }

func (g growing) Open(name string) (fs.File, error) {
	if name == "bin/tool" {
		return fstest.MapFS{"bin/tool": {Data: []byte("tool, and more")}}.Open(name)
	}
	return g.MapFS.Open(name)
}

func TestPackNoticesChanges(t *testing.T) {
	t.Parallel()
	_, err := publish.Pack(t.Context(), growing{plugin(t)}, publish.PackOptions{})
	require.ErrorContains(t, err, `"bin/tool" changed while it was packed`)
}

// recorder is a registry that records what is written to it.
type recorder struct {
	log      []string
	attached map[string]string
	fail     string // step that fails
}

func (r *recorder) step(s string) error {
	if r.fail != "" && strings.HasPrefix(s, r.fail) {
		return errors.New("connection reset")
	}
	r.log = append(r.log, s)
	return nil
}

func (r *recorder) PushBlob(_ context.Context, repo string, d catalog.Descriptor, open func() (io.ReadCloser, error)) error {
	rc, err := open()
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, verify.NewReader(rc, d.Digest, d.Size)); err != nil {
		return err
	}
	return r.step("blob " + repo + " " + d.MediaType)
}

func (r *recorder) PushManifest(_ context.Context, repo, tag, mediaType string, raw []byte) (verify.Digest, error) {
	return verify.DigestOf(raw), r.step("manifest " + repo + ":" + tag + " " + mediaType)
}

func (r *recorder) Attach(_ context.Context, repo string, subject catalog.Descriptor, artifactType string, blob []byte, annotations map[string]string) error {
	r.attached = annotations
	return r.step("attach " + repo + " " + artifactType + " " + string(blob))
}

type signer struct{ err error }

func (s signer) Sign(_ context.Context, d verify.Digest) ([]byte, error) {
	return []byte("signed " + d.Short()), s.err
}
func (signer) Identity() verify.Identity { return verify.Identity{Key: "k"} }

func TestPush(t *testing.T) {
	t.Parallel()
	p, err := publish.Pack(t.Context(), plugin(t), publish.PackOptions{})
	require.NoError(t, err)
	r := &recorder{}
	require.NoError(t, publish.Push(t.Context(), r, "plugins/", p, signer{}))
	assert.Equal(t, []string{
		"blob plugins/acme/backup application/vnd.souk.plugin.content.v1.tar+zstd",
		"blob plugins/acme/backup application/vnd.souk.plugin.manifest.v1+json",
		"blob plugins/acme/backup text/markdown",
		"blob plugins/acme/backup image/png",
		"manifest plugins/acme/backup:1.2.0_b1 application/vnd.oci.image.manifest.v1+json",
		"attach plugins/acme/backup application/vnd.dev.sigstore.bundle.v0.3+json signed " + p.OCI.Digest.Short(),
	}, r.log)
	assert.Equal(t, "https://sigstore.dev/cosign/sign/v1", r.attached["dev.sigstore.bundle.predicateType"])

	for _, step := range []string{"blob", "manifest", "attach"} {
		err := publish.Push(t.Context(), &recorder{fail: step}, "", p, signer{})
		require.EqualError(t, err, "push acme/backup@1.2.0+b1: connection reset", step)
	}
	r = &recorder{}
	require.Error(t, publish.Push(t.Context(), r, "", p, signer{errors.New("no key")}))
	require.ErrorIs(t, publish.Push(t.Context(), r, "", p, nil), verify.ErrUntrusted)
	assert.Empty(t, r.log, "nothing is pushed that was not signed")
}

// What cosign v3 wrote is in the corpus; the annotations and types are the same.
func TestSignatureIsAttachedAsCosignDoes(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("SOUK_CORPORA")
	if dir == "" {
		dir = "../../../shared/corpora"
	}
	raw, err := os.ReadFile(filepath.Join(dir, "cosign", "signature-2.manifest.json"))
	if err != nil {
		if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
			t.Fatalf("corpus cosign is required: %v", err)
		}
		t.Skipf("NOT RUN: no corpus cosign: %v", err)
	}
	var m catalog.OCIManifest
	require.NoError(t, json.Unmarshal(raw, &m))
	p, err := publish.Pack(t.Context(), plugin(t), publish.PackOptions{})
	require.NoError(t, err)
	r := &recorder{}
	require.NoError(t, publish.Push(t.Context(), r, "", p, signer{}))
	assert.Equal(t, m.ArtifactType, publish.TypeBundle)
	assert.Equal(t, m.Layers[0].MediaType, publish.TypeBundle)
	for k, v := range r.attached {
		assert.Equal(t, m.Annotations[k], v, k)
	}
}

func ExamplePack() {
	files := fstest.MapFS{
		"plugin.json": {Data: []byte(`{"format": 1, "id": "acme/theme", "version": "1.0.0", "name": "Theme",
			"summary": "A dark theme.", "license": "MIT", "runtime": {"kind": "static", "entry": "www"}}`)},
		"www/theme.css": {Data: []byte("body { background: black }")},
	}
	p, err := publish.Pack(context.Background(), files, publish.PackOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := p.Release(time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC), "First release.")
	fmt.Println(r.Ref, p.Artifact.Entries, "entries", p.Artifact.Unpacked, "bytes")
	fmt.Println("to", publish.Repo("plugins", r.Plugin), "tag", publish.Tag(r.Version))
	// Output:
	// acme/theme@1.0.0 3 entries 173 bytes
	// to plugins/acme/theme tag 1.0.0
}
