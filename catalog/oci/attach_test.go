package oci_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/verify"
)

var _ publish.Registry = (*oci.Pusher)(nil)

// TestAttachKeepsOthers: the index under the referrers tag is added to, and what
// others wrote there stays as it was.
func TestAttachKeepsOthers(t *testing.T) {
	t.Parallel()
	reg, s, a := signed(t, catalogtest.RegistryOptions{NoReferrers: true})
	tag := "sha256-" + a.Release.Digest.Hex()
	before, err := reg.Manifest(t.Context(), "plugins/acme/backup", tag)
	require.NoError(t, err)
	var list map[string]any
	require.NoError(t, json.Unmarshal(before, &list))
	list["annotations"] = map[string]string{"kept": "yes"}
	list["manifests"].([]any)[0].(map[string]any)["platform"] = map[string]string{"os": "plan9", "architecture": "mips"}
	before, err = json.Marshal(list)
	require.NoError(t, err)
	_, err = reg.PushManifest(t.Context(), "plugins/acme/backup", tag, catalog.TypeIndex, before)
	require.NoError(t, err)

	p := newPusher(t, reg.Host+"/plugins", quick)
	require.NoError(t, p.Attach(t.Context(), "acme/backup", a.Subject(), bundleType, []byte("new"), nil))
	e, err := s.Evidence(t.Context(), a.Release)
	require.NoError(t, err)
	assert.Equal(t, [][]byte{[]byte("good"), []byte("new")}, e.Bundles)
	after, err := reg.Manifest(t.Context(), "plugins/acme/backup", tag)
	require.NoError(t, err)
	assert.Contains(t, string(after), `"plan9"`)
	assert.Contains(t, string(after), `"kept":"yes"`)
}

// TestAttachAtOnce: several at once lose nothing.
func TestAttachAtOnce(t *testing.T) {
	t.Parallel()
	reg, s, a := signed(t, catalogtest.RegistryOptions{NoReferrers: true})
	p := newPusher(t, reg.Host+"/plugins", quick)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			assert.NoError(t, p.Attach(t.Context(), "acme/backup", a.Subject(), bundleType, fmt.Append(nil, i), nil))
		})
	}
	wg.Wait()
	e, err := s.Evidence(t.Context(), a.Release)
	require.NoError(t, err)
	assert.Len(t, e.Bundles, 9)
}

// TestAttachOverwritten: somebody else writes the tag between our write and our
// look at it; then it is written again.
func TestAttachOverwritten(t *testing.T) {
	t.Parallel()
	for times, ok := range map[int]bool{1: true, 3: true, 0: false} {
		reg, s, a := signed(t, catalogtest.RegistryOptions{NoReferrers: true})
		write := catalogtest.All(catalogtest.ReferrersTag(a.Release.Digest), catalogtest.Method(http.MethodPut))
		reg.Inject(catalogtest.Fault{On: write, Times: times, Effect: func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
		}})
		err := newPusher(t, reg.Host+"/plugins", quick).Attach(t.Context(), "acme/backup", a.Subject(), bundleType, []byte("new"), nil)
		e, readErr := s.Evidence(t.Context(), a.Release)
		require.NoError(t, readErr)
		if ok {
			assert.NoError(t, err)
			assert.Len(t, e.Bundles, 2)
		} else {
			assert.ErrorIs(t, err, catalog.ErrUnavailable)
			assert.Len(t, e.Bundles, 1)
		}
	}
}

// TestAttachNeverOverwritesTheUnread: an index that could not be read is not replaced.
func TestAttachNeverOverwritesTheUnread(t *testing.T) {
	t.Parallel()
	reg, _, a := signed(t, catalogtest.RegistryOptions{NoReferrers: true})
	get := catalogtest.All(catalogtest.ReferrersTag(a.Release.Digest), catalogtest.Method(http.MethodGet))
	for name, effect := range map[string]catalogtest.Effect{
		"500":      catalogtest.Status(500),
		"403":      catalogtest.Status(403),
		"page":     catalogtest.Answer("text/html", []byte("<h1>Hello</h1>")),
		"manifest": catalogtest.Answer(catalog.TypeManifest, []byte(`{"schemaVersion":2,"config":{},"layers":[]}`)),
		"full":     catalogtest.Answer(catalog.TypeIndex, index(t, many(verify.MaxBundles)...)),
	} {
		reg.Heal()
		reg.Forget()
		reg.Inject(catalogtest.Fault{On: get, Effect: effect})
		err := newPusher(t, reg.Host+"/plugins", quick).Attach(t.Context(), "acme/backup", a.Subject(), bundleType, []byte("new"), nil)
		assert.Error(t, err, name)
		for _, r := range reg.Requests() {
			assert.False(t, r.Method == http.MethodPut && catalogtest.ReferrersTag(a.Release.Digest)(&http.Request{URL: mustURL(r.Path)}), name)
		}
	}
}

// TestAttachWithAPI: where the registry knows subjects, no tag is written.
func TestAttachWithAPI(t *testing.T) {
	t.Parallel()
	reg, s, a := signed(t, catalogtest.RegistryOptions{})
	require.NoError(t, newPusher(t, reg.Host, quick).Attach(t.Context(), "plugins/acme/backup", a.Subject(), bundleType, []byte("new"), map[string]string{"a": "b"}))
	_, err := reg.Manifest(t.Context(), "plugins/acme/backup", "sha256-"+a.Release.Digest.Hex())
	assert.ErrorIs(t, err, catalog.ErrNotFound)
	e, err := s.Evidence(t.Context(), a.Release)
	require.NoError(t, err)
	assert.Len(t, e.Bundles, 2)
}

// TestPushRefuses: names that a registry would take for something else.
func TestPushRefuses(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	p := newPusher(t, reg.Host, quick)
	for _, repo := range []string{"", "Acme", "acme/../x", "acme//x", "acme:1", "acme@sha256:x", "/acme", "acme?x"} {
		_, err := p.PushManifest(t.Context(), repo, "1", catalog.TypeManifest, []byte("{}"))
		assert.Error(t, err, "repository %q", repo)
	}
	for _, tag := range []string{"a/b", "a:b", "-a", "1.0.0+x", "a?b"} {
		_, err := p.PushManifest(t.Context(), "acme/backup", tag, catalog.TypeManifest, []byte("{}"))
		assert.Error(t, err, "tag %q", tag)
	}
	_, err := p.PushManifest(t.Context(), "acme/backup", "", catalog.TypeManifest, make([]byte, verify.MaxManifest+1))
	assert.Error(t, err)
	assert.Empty(t, reg.Requests())

	reg.Inject(catalogtest.Fault{On: catalogtest.Method(http.MethodPut), Effect: catalogtest.Chain(
		catalogtest.Header("Docker-Content-Digest", string(verify.DigestOf(nil))),
		func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) })
		})})
	_, err = p.PushManifest(t.Context(), "acme/backup", "", catalog.TypeManifest, []byte("{}"))
	assert.ErrorIs(t, err, verify.ErrDigest, "the registry stored something else")
}

// TestUploadElsewhere: where an upload goes is checked like any redirect, and
// uploads are sent once.
func TestUploadElsewhere(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	p := newPusher(t, reg.Host, quick)
	post := catalogtest.Method(http.MethodPost)
	for _, to := range []string{"http://evil.example.net/upload", "https://169.254.169.254/upload"} {
		reg.Heal()
		reg.Inject(catalogtest.Fault{On: post, Effect: catalogtest.ChangeHeader("Location", func(string) string { return to })})
		err := p.Attach(t.Context(), "acme/backup", catalog.Descriptor{Digest: verify.DigestOf(nil)}, bundleType, []byte("x"), nil)
		assert.ErrorIs(t, err, catalog.ErrUnavailable, to)
		assert.ErrorContains(t, err, "refused", to)
	}
	reg.Heal()
	reg.Forget()
	reg.Inject(catalogtest.Fault{On: post, Effect: catalogtest.Status(500)})
	err := p.Attach(t.Context(), "acme/backup", catalog.Descriptor{Digest: verify.DigestOf(nil)}, bundleType, []byte("x"), nil)
	assert.ErrorIs(t, err, catalog.ErrUnavailable)
	assert.Len(t, reg.Requests(), 2, "a HEAD and one POST")
}
