package oci_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/verify"
)

// staged pushes a release with two bundles to staging.
func staged(t testing.TB, front *catalogtest.Registry) *catalogtest.Artifact {
	t.Helper()
	a, err := catalogtest.NewArtifact("acme/backup", "1.4.2", []byte(strings.Repeat("content ", 20_000)), map[string][]byte{"README.md": []byte("# Backup\n")})
	require.NoError(t, err)
	p := newPusher(t, front.Host, quick)
	require.NoError(t, a.Push(t.Context(), p, "staging"))
	for _, b := range []string{"one", "two"} {
		require.NoError(t, p.Attach(t.Context(), a.Repo("staging"), a.Subject(), bundleType, []byte(b), map[string]string{"n": b}))
	}
	front.Forget()
	return a
}

// complete checks that the release is public, with everything that belongs to it.
func complete(t testing.TB, front *catalogtest.Registry, a *catalogtest.Artifact, bundles ...string) {
	t.Helper()
	s := newSource(t, front.Host+"/catalog", quick)
	content, err := open(t.Context(), s, a.Release)
	require.NoError(t, err)
	assert.Equal(t, string(a.Content), string(content))
	readme, err := s.Media(t.Context(), a.Release, a.Release.Media[0])
	require.NoError(t, err)
	assert.Equal(t, "# Backup\n", string(readme))
	e, err := s.Evidence(t.Context(), a.Release)
	require.NoError(t, err)
	var got []string
	for _, b := range e.Bundles {
		got = append(got, string(b))
	}
	assert.ElementsMatch(t, bundles, got)
	assert.Equal(t, string(a.Manifest), string(e.Manifest))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, front.URL+"/v2/acme/backup/manifests/1.4.2", nil)
	require.NoError(t, err)
	req.Header.Set("Accept", catalog.TypeManifest)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, string(a.Release.Digest), resp.Header.Get("Docker-Content-Digest"), "the tag")
}

func publishCopy(t testing.TB, front *catalogtest.Registry, a *catalogtest.Artifact) error {
	t.Helper()
	return newPusher(t, front.Host, quick).Copy(t.Context(), "acme/backup", "staging/acme/backup", "1.4.2", a.Release.Digest)
}

// TestCopy: a release moves with its evidence and without its bytes, and doing it
// again changes nothing.
func TestCopy(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, front *catalogtest.Registry) {
		a := staged(t, front)
		for range 2 {
			require.NoError(t, publishCopy(t, front, a))
			complete(t, front, a, "one", "two")
		}
		for _, r := range front.Requests() {
			assert.False(t, r.Method == http.MethodPut && strings.Contains(r.Path, "/blobs/"), "%s %s: mounted, not uploaded", r.Method, r.Path)
		}
	})
}

// TestCopyCrash: whichever request is the last that gets through, the same call made
// again finishes.
func TestCopyCrash(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, front *catalogtest.Registry) {
		a := staged(t, front)
		require.NoError(t, publishCopy(t, front, a))
		steps := len(front.Requests())
		require.Greater(t, steps, 15)
		for n := range steps {
			to := fmt.Sprintf("acme/run%d", n) // has nothing yet
			effect := catalogtest.Status(http.StatusForbidden)
			if n%2 == 1 {
				effect = lost
			}
			remove := front.Inject(catalogtest.Fault{Skip: n, Effect: effect})
			err := newPusher(t, front.Host, quick).Copy(t.Context(), to, "staging/acme/backup", "1.4.2", a.Release.Digest)
			remove()
			require.ErrorIs(t, err, catalog.ErrUnavailable, "request %d of %d fails", n, steps)
			p := newPusher(t, front.Host, quick)
			require.NoError(t, p.Copy(t.Context(), to, "staging/acme/backup", "1.4.2", a.Release.Digest))
			front.Forget()
			require.NoError(t, p.Copy(t.Context(), to, "staging/acme/backup", "1.4.2", a.Release.Digest))
			for _, r := range front.Requests() {
				assert.NotContains(t, r.Path, "/blobs/uploads/", "all was there")
			}
			e, err := newReader(t, front.Host, quick).Evidence(t.Context(), to, a.Release.Digest)
			require.NoError(t, err)
			assert.Equal(t, string(a.Manifest), string(e.Manifest))
			assert.Len(t, e.Bundles, 2)
		}
	})
}

// lost does what was asked and does not tell.
func lost(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(http.StatusForbidden)
	})
}

// TestCopyWithoutMount: a registry that will not mount is given the bytes, checked.
func TestCopyWithoutMount(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, front *catalogtest.Registry) {
		a := staged(t, front)
		front.Inject(catalogtest.Fault{On: catalogtest.Method(http.MethodPost), Effect: noMount})
		require.NoError(t, publishCopy(t, front, a))
		complete(t, front, a, "one", "two")
	})
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	d := catalog.Descriptor{Digest: verify.DigestOf([]byte("right")), Size: 5}
	reg.Inject(catalogtest.Fault{On: catalogtest.Method(http.MethodPost), Effect: noMount})
	p := newPusher(t, reg.Host, quick)
	err := p.Mount(t.Context(), "acme/backup", "staging/acme/backup", d, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("wrong")), nil })
	require.ErrorIs(t, err, verify.ErrDigest)
	broken := errors.New("disk gone")
	err = p.Mount(t.Context(), "acme/backup", "staging/acme/backup", d, func() (io.ReadCloser, error) { return nil, broken })
	require.ErrorIs(t, err, broken)
	require.NoError(t, p.Mount(t.Context(), "acme/backup", "staging/acme/backup", d, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("right")), nil }))
}

// noMount is a registry that does not know mounting.
func noMount(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.RawQuery = ""
		next.ServeHTTP(w, r)
	})
}

// TestMountLie: a registry that says "created" must have the blob.
func TestMountLie(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	reg.Inject(catalogtest.Fault{On: catalogtest.Method(http.MethodPost), Effect: func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
	}})
	d := catalog.Descriptor{Digest: verify.DigestOf([]byte("right")), Size: 5}
	err := newPusher(t, reg.Host, quick).Mount(t.Context(), "acme/backup", "staging/acme/backup", d, func() (io.ReadCloser, error) { return nil, io.EOF })
	assert.ErrorIs(t, err, verify.ErrDigest)
	for _, name := range []string{"", "Acme", "../x"} {
		assert.Error(t, newPusher(t, reg.Host, quick).Mount(t.Context(), name, "a", d, nil))
		assert.Error(t, newPusher(t, reg.Host, quick).Mount(t.Context(), "a", name, d, nil))
		assert.Error(t, newPusher(t, reg.Host, quick).Copy(t.Context(), name, "a", "", d.Digest))
		assert.Error(t, newPusher(t, reg.Host, quick).Copy(t.Context(), "a", name, "", d.Digest))
	}
	assert.ErrorIs(t, newPusher(t, reg.Host, quick).Mount(t.Context(), "a", "b", catalog.Descriptor{Digest: "sha256:x"}, nil), verify.ErrDigest)
}

// TestMountScope: the token for a mount is asked to allow pull on the source.
func TestMountScope(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{Username: "ann", Password: "secret"})
	reg.PutBlob("", []byte("right"))
	o := quick
	o.Credentials = func(context.Context, string) (oci.Credential, error) {
		return oci.Credential{Username: "ann", Password: "secret"}, nil
	}
	d := catalog.Descriptor{Digest: verify.DigestOf([]byte("elsewhere")), Size: 9}
	err := newPusher(t, reg.Host, o).Mount(t.Context(), "acme/backup", "staging/acme/backup", d, func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("elsewhere")), nil
	})
	require.NoError(t, err)
	var asked []string
	for _, r := range reg.Requests() {
		if strings.HasPrefix(r.Path, "/token") {
			asked = append(asked, r.Path)
		}
	}
	require.Len(t, asked, 2, "one for reading and writing, one for the mount")
	assert.Contains(t, asked[1], "scope=repository%3Aacme%2Fbackup%3Apull%2Cpush")
	assert.Contains(t, asked[1], "scope=repository%3Astaging%2Facme%2Fbackup%3Apull")
}

// TestCopyUnion: evidence under the tag is copied beside that which the API knows,
// and what is no proof is left behind.
func TestCopyUnion(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	a := staged(t, reg)
	subject, other := a.Release.Digest, verify.DigestOf([]byte("another release"))
	late := referrerIn(t, reg, "staging/acme/backup", &other, bundleType, "moved")
	early := referrerIn(t, reg, "elsewhere", &subject, bundleType, "early") // the fake lists referrers by repository, and shares blobs
	raw, err := reg.Manifest(t.Context(), "elsewhere", string(early.Digest))
	require.NoError(t, err)
	reg.Inject(catalogtest.Fault{On: catalogtest.All(catalogtest.Repository("staging/acme/backup"), catalogtest.ByDigest(early.Digest)), Effect: catalogtest.Answer(catalog.TypeManifest, raw)})
	huge := referrerIn(t, reg, "elsewhere", &subject, bundleType, string(make([]byte, verify.MaxBundle+1)))
	rawHuge, err := reg.Manifest(t.Context(), "elsewhere", string(huge.Digest))
	require.NoError(t, err)
	reg.Inject(catalogtest.Fault{On: catalogtest.All(catalogtest.Repository("staging/acme/backup"), catalogtest.ByDigest(huge.Digest)), Effect: catalogtest.Answer(catalog.TypeManifest, rawHuge)})
	list := index(t, late, early, huge,
		catalog.OCIDescriptor{MediaType: catalog.TypeManifest, Digest: verify.DigestOf([]byte("gone")), Size: 4},
		catalog.OCIDescriptor{MediaType: catalog.TypeManifest, Digest: "sha512:x", Size: 4})
	reg.Inject(catalogtest.Fault{On: catalogtest.All(catalogtest.Repository("staging/acme/backup"), catalogtest.ReferrersTag(subject)), Effect: catalogtest.Answer(catalog.TypeIndex, list)})

	require.NoError(t, publishCopy(t, reg, a))
	complete(t, reg, a, "one", "two", "early")
	for _, d := range []catalog.OCIDescriptor{late, huge} {
		_, err := reg.Manifest(t.Context(), "acme/backup", string(d.Digest))
		assert.ErrorIs(t, err, catalog.ErrNotFound)
	}
}

func referrerIn(t testing.TB, reg *catalogtest.Registry, repo string, subject *verify.Digest, layerType, bundle string) catalog.OCIDescriptor {
	t.Helper()
	raw, err := json.Marshal(catalog.OCIManifest{
		SchemaVersion: 2, MediaType: catalog.TypeManifest, Config: reg.PutBlob(catalog.TypeEmpty, []byte("{}")),
		Layers:  []catalog.OCIDescriptor{reg.PutBlob(layerType, []byte(bundle))},
		Subject: &catalog.OCIDescriptor{MediaType: catalog.TypeManifest, Digest: *subject, Size: 1},
	})
	require.NoError(t, err)
	d, err := reg.PushManifest(t.Context(), repo, "", catalog.TypeManifest, raw)
	require.NoError(t, err)
	return catalog.OCIDescriptor{MediaType: catalog.TypeManifest, Digest: d, Size: int64(len(raw))}
}

// TestCopyIndex: a release with a manifest per platform is copied with all of them.
func TestCopyIndex(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, front *catalogtest.Registry) {
		p := newPusher(t, front.Host, quick)
		var list []catalog.OCIDescriptor
		for _, version := range []string{"1.0.0", "2.0.0"} { // two manifests that stand for platforms
			a, err := catalogtest.NewArtifact("acme/backup", version, []byte(version), nil)
			require.NoError(t, err)
			require.NoError(t, a.Push(t.Context(), p, "staging"))
			s := a.Subject()
			require.NoError(t, p.Attach(t.Context(), a.Repo("staging"), s, bundleType, []byte(version), nil))
			list = append(list, catalog.OCIDescriptor{MediaType: s.MediaType, Digest: s.Digest, Size: s.Size})
		}
		raw := index(t, list...)
		d, err := p.PushManifest(t.Context(), "staging/acme/backup", "3.0.0", catalog.TypeIndex, raw)
		require.NoError(t, err)
		require.NoError(t, p.Attach(t.Context(), "staging/acme/backup", catalog.Descriptor{MediaType: catalog.TypeIndex, Digest: d, Size: int64(len(raw))}, bundleType, []byte("all"), nil))

		require.NoError(t, p.Copy(t.Context(), "acme/backup", "staging/acme/backup", "3.0.0", d))
		r := newReader(t, front.Host, quick)
		for digest, bundle := range map[verify.Digest]string{d: "all", list[0].Digest: "1.0.0", list[1].Digest: "2.0.0"} {
			e, err := r.Evidence(t.Context(), "acme/backup", digest)
			require.NoError(t, err)
			assert.Equal(t, [][]byte{[]byte(bundle)}, e.Bundles)
		}
	})
}

// TestCopyBounds: what is too much, or not what its digest says, is an error and the
// tag is never written.
func TestCopyBounds(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	a := staged(t, reg)
	d := a.Release.Digest
	blob := reg.PutBlob("text/plain", []byte("x"))
	var layers []catalog.OCIDescriptor
	for range catalog.MaxLayers + 1 {
		layers = append(layers, blob)
	}
	push := func(v any) verify.Digest {
		raw, err := json.Marshal(v)
		require.NoError(t, err)
		d, err := reg.PushManifest(t.Context(), "staging/acme/backup", "", catalog.TypeManifest, raw)
		require.NoError(t, err)
		return d
	}
	inner := push(json.RawMessage(index(t, many(1)...)))
	for name, digest := range map[string]verify.Digest{
		"layers":       push(catalog.OCIManifest{SchemaVersion: 2, MediaType: catalog.TypeManifest, Config: blob, Layers: layers}),
		"platforms":    push(json.RawMessage(index(t, many(oci.MaxPlatforms+1)...))),
		"nested index": push(json.RawMessage(index(t, catalog.OCIDescriptor{MediaType: catalog.TypeIndex, Digest: inner, Size: 1}))),
		"neither":      push(map[string]any{"schemaVersion": 2, "mediaType": "text/plain"}),
		"both":         push(map[string]any{"schemaVersion": 2, "config": blob, "manifests": many(1)}),
		"blob size":    push(catalog.OCIManifest{SchemaVersion: 2, MediaType: catalog.TypeManifest, Config: catalog.OCIDescriptor{Digest: blob.Digest, Size: -1}}),
		"missing":      verify.DigestOf([]byte("missing")),
		"no digest":    "latest",
	} {
		err := newPusher(t, reg.Host, quick).Copy(t.Context(), "acme/backup", "staging/acme/backup", "9.9.9", digest)
		assert.Error(t, err, name)
		_, err = reg.Manifest(t.Context(), "acme/backup", "9.9.9")
		assert.ErrorIs(t, err, catalog.ErrNotFound, name)
	}
	reg.Inject(catalogtest.Fault{On: catalogtest.ByDigest(d), Times: 1, Effect: catalogtest.FlipByte(3)})
	assert.ErrorIs(t, publishCopy(t, reg, a), verify.ErrDigest)
	reg.Inject(catalogtest.Fault{On: catalogtest.Referrers, Times: 1, Effect: catalogtest.Answer(catalog.TypeIndex, index(t, many(verify.MaxBundles+1)...))})
	assert.ErrorContains(t, publishCopy(t, reg, a), "more than 100")
	assert.NoError(t, publishCopy(t, reg, a))
}

func newReader(t testing.TB, at string, o oci.Options) *oci.Reader {
	t.Helper()
	r, err := oci.NewReader(at, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return r
}

// TestReader: what a hub reads of a submission.
func TestReader(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, front *catalogtest.Registry) {
		a := staged(t, front)
		r := newReader(t, front.Host+"/staging", quick)
		raw, err := r.Manifest(t.Context(), "acme/backup", a.Release.Digest)
		require.NoError(t, err)
		assert.Equal(t, string(a.Manifest), string(raw))
		m, err := catalog.ParseOCIManifest(raw)
		require.NoError(t, err)
		for _, l := range append(m.Layers, m.Config) {
			rc, err := r.Blob(t.Context(), "acme/backup", catalog.Descriptor{Digest: l.Digest, Size: l.Size})
			require.NoError(t, err)
			b, err := io.ReadAll(rc)
			require.NoError(t, err)
			require.NoError(t, rc.Close())
			assert.Equal(t, l.Digest, verify.DigestOf(b))
		}
		e, err := r.Evidence(t.Context(), "acme/backup", a.Release.Digest)
		require.NoError(t, err)
		assert.Len(t, e.Bundles, 2)

		_, err = r.Manifest(t.Context(), "acme/backup", verify.DigestOf([]byte("other")))
		assert.ErrorIs(t, err, catalog.ErrNotFound)
		_, err = r.Blob(t.Context(), "acme/backup", catalog.Descriptor{Digest: verify.DigestOf([]byte("other")), Size: 5})
		assert.ErrorIs(t, err, catalog.ErrNotFound)
		_, err = r.Manifest(t.Context(), "acme/backup", "1.4.2")
		assert.ErrorIs(t, err, verify.ErrDigest, "a tag is no authority")
		for _, repo := range []string{"", "../acme/backup", "Acme"} {
			_, err = r.Manifest(t.Context(), repo, a.Release.Digest)
			assert.Error(t, err)
			_, err = r.Blob(t.Context(), repo, catalog.Descriptor{Digest: a.Release.Digest})
			assert.Error(t, err)
			_, err = r.Evidence(t.Context(), repo, a.Release.Digest)
			assert.Error(t, err)
		}
		front.Inject(catalogtest.Fault{On: catalogtest.ByDigest(verify.DigestOf(a.Content)), Effect: catalogtest.FlipByte(100)})
		rc, err := r.Blob(t.Context(), "acme/backup", catalog.Descriptor{Digest: verify.DigestOf(a.Content), Size: int64(len(a.Content))})
		require.NoError(t, err)
		_, err = io.ReadAll(rc)
		assert.ErrorIs(t, err, verify.ErrDigest)
		require.NoError(t, rc.Close())
	})
	_, err := oci.NewReader("nothing", quick)
	assert.Error(t, err)
}
