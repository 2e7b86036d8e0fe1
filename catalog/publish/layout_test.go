package publish_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

func layoutFS(t testing.TB, l *publish.Layout) fstest.MapFS {
	t.Helper()
	files, err := l.Files()
	require.NoError(t, err)
	out := fstest.MapFS{}
	for name, b := range files {
		out[name] = &fstest.MapFile{Data: b}
	}
	return out
}

// TestLayout packs, signs and pushes as three steps, and gets what one would give.
func TestLayout(t *testing.T) {
	t.Parallel()
	p, err := publish.Pack(t.Context(), plugin(t), publish.PackOptions{})
	require.NoError(t, err)
	packed := &publish.Layout{Package: p}
	registry := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	require.ErrorIs(t, packed.Push(t.Context(), registry, "plugins"), verify.ErrUntrusted, "nobody could install what is not signed")
	require.ErrorIs(t, packed.Sign(t.Context(), nil), verify.ErrUntrusted)

	l, err := publish.ReadLayout(t.Context(), layoutFS(t, packed), publish.PackOptions{})
	require.NoError(t, err)
	assert.Equal(t, p.Raw(), l.Package.Raw())
	assert.Equal(t, p.Blobs, l.Package.Blobs)
	assert.Equal(t, p.Artifact, l.Package.Artifact)
	assert.Empty(t, l.Bundles)
	signer, err := sigstore.NewKeySigner(catalogtest.NewECDSAKey(t))
	require.NoError(t, err)
	require.NoError(t, l.Sign(t.Context(), signer))

	l, err = publish.ReadLayout(t.Context(), layoutFS(t, l), publish.PackOptions{})
	require.NoError(t, err)
	require.Len(t, l.Bundles, 1)
	verifier, err := sigstore.New(sigstore.Options{})
	require.NoError(t, err)
	subject := verify.Subject{Name: "it", Digest: p.OCI.Digest, Signers: []verify.Identity{signer.Identity()}}
	_, err = verifier.Verify(t.Context(), subject, l.Evidence())
	require.NoError(t, err)

	require.NoError(t, l.Push(t.Context(), registry, "plugins"))
	require.NoError(t, l.Push(t.Context(), registry, "plugins"), "again")
	src, err := oci.New(registry.Host+"/plugins/catalog", oci.Options{Credentials: oci.Anonymous})
	require.NoError(t, err)
	e, err := src.Evidence(t.Context(), catalog.Release{Ref: catalog.Ref{Plugin: p.Manifest.ID}, Digest: p.OCI.Digest})
	require.NoError(t, err)
	require.Len(t, e.Bundles, 1)
	_, err = verifier.Verify(t.Context(), subject, e)
	require.NoError(t, err)
}

func TestReadLayoutRefuses(t *testing.T) {
	t.Parallel()
	p, err := publish.Pack(t.Context(), plugin(t), publish.PackOptions{})
	require.NoError(t, err)
	good := layoutFS(t, &publish.Layout{Package: p})
	content := "blobs/sha256/" + p.Artifact.Content.Digest.Hex()
	var index map[string]any
	require.NoError(t, json.Unmarshal(good["index.json"].Data, &index))
	list := index["manifests"].([]any)
	reindex := func(manifests ...any) string {
		b, err := json.Marshal(map[string]any{"schemaVersion": 2, "manifests": manifests})
		require.NoError(t, err)
		return string(b)
	}
	for say, edit := range map[string]func(fstest.MapFS){
		"file does not exist":  func(f fstest.MapFS) { delete(f, "oci-layout") },
		"imageLayoutVersion":   func(f fstest.MapFS) { f["oci-layout"].Data = []byte(`{"imageLayoutVersion":"2.0.0"}`) },
		"no plugin in it":      func(f fstest.MapFS) { f["index.json"].Data = []byte(reindex()) },
		"more than one plugin": func(f fstest.MapFS) { f["index.json"].Data = []byte(reindex(list[0], list[0])) },
		"holds something else": func(f fstest.MapFS) { f[content].Data = append([]byte("x"), f[content].Data[1:]...) },
		"something else":       func(f fstest.MapFS) { f[content].Data = append(f[content].Data, 'x') },
		"open " + content:      func(f fstest.MapFS) { delete(f, content) },
		"not a valid descriptor": func(f fstest.MapFS) {
			f["index.json"].Data = []byte(strings.Replace(reindex(list[0]), "sha256:", "sha256:../", 1))
		},
		"invalid character":  func(f fstest.MapFS) { f["index.json"].Data = []byte("x") },
		"manifests are more": func(f fstest.MapFS) { f["index.json"].Data = []byte(reindex(make([]any, 102)...)) },
	} {
		files := maps.Clone(good)
		for name, f := range files {
			files[name] = &fstest.MapFile{Data: append([]byte(nil), f.Data...)}
		}
		edit(files)
		_, err := publish.ReadLayout(t.Context(), files, publish.PackOptions{})
		assert.ErrorContains(t, err, say)
	}
	_, err = publish.ReadLayout(t.Context(), good, publish.PackOptions{})
	require.NoError(t, err, "the control")
}

// FuzzReadLayout: whatever an index says, there is an answer.
func FuzzReadLayout(f *testing.F) {
	p, err := publish.Pack(f.Context(), plugin(f), publish.PackOptions{})
	require.NoError(f, err)
	good := layoutFS(f, &publish.Layout{Package: p, Bundles: [][]byte{[]byte("{}")}})
	f.Add(good["index.json"].Data)
	f.Add([]byte(`{"manifests": [{"digest": "sha256:x"}]}`))
	f.Fuzz(func(t *testing.T, index []byte) {
		files := maps.Clone(good)
		files["index.json"] = &fstest.MapFile{Data: index}
		l, err := publish.ReadLayout(t.Context(), files, publish.PackOptions{})
		if err == nil {
			require.Equal(t, p.OCI, l.Package.OCI)
		}
	})
}
