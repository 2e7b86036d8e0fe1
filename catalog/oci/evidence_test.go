package oci_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/verify"
)

const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// signed is a registry with a release that has one bundle.
func signed(t testing.TB, o catalogtest.RegistryOptions) (*catalogtest.Registry, *oci.Source, *catalogtest.Artifact) {
	t.Helper()
	reg := catalogtest.NewRegistry(t, o)
	a, err := catalogtest.NewArtifact("acme/backup", "1.4.2", []byte("content"), nil)
	require.NoError(t, err)
	require.NoError(t, a.Push(t.Context(), reg, "plugins"))
	require.NoError(t, reg.Attach(t.Context(), "plugins/acme/backup", a.Subject(), bundleType, []byte("good"), nil))
	return reg, newSource(t, reg.Host+"/plugins/catalog", quick), a
}

// referrer stores a manifest that claims to be about subject.
func referrer(t testing.TB, reg *catalogtest.Registry, subject *verify.Digest, layerType, bundle string) catalog.OCIDescriptor {
	t.Helper()
	m := catalog.OCIManifest{
		SchemaVersion: 2, MediaType: catalog.TypeManifest, Config: reg.PutBlob("application/vnd.some.config", []byte("{}")),
		Layers: []catalog.OCIDescriptor{reg.PutBlob(layerType, []byte(bundle))},
	}
	if subject != nil {
		m.Subject = &catalog.OCIDescriptor{MediaType: catalog.TypeManifest, Digest: *subject, Size: 1}
	}
	raw, err := json.Marshal(m)
	require.NoError(t, err)
	d, err := reg.PushManifest(t.Context(), "plugins/acme/backup", "", catalog.TypeManifest, raw)
	require.NoError(t, err)
	return catalog.OCIDescriptor{MediaType: catalog.TypeManifest, Digest: d, Size: int64(len(raw))}
}

func index(t testing.TB, list ...catalog.OCIDescriptor) []byte {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"schemaVersion": 2, "mediaType": catalog.TypeIndex, "manifests": list})
	require.NoError(t, err)
	return raw
}

// TestThreeAnswers: not there, nothing there, and could not say.
func TestThreeAnswers(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]catalogtest.RegistryOptions{"api": {}, "tag": {NoReferrers: true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg, s, a := signed(t, o)
			e, err := s.Evidence(t.Context(), a.Release)
			require.NoError(t, err)
			assert.Equal(t, [][]byte{[]byte("good")}, e.Bundles)

			bare, err := catalogtest.NewArtifact("acme/clock", "1.0.0", []byte("tick"), nil)
			require.NoError(t, err)
			_, err = s.Evidence(t.Context(), bare.Release)
			assert.ErrorIs(t, err, catalog.ErrNotFound, "no release")
			require.NoError(t, bare.Push(t.Context(), reg, "plugins"))
			e, err = s.Evidence(t.Context(), bare.Release)
			require.NoError(t, err, "a release without evidence")
			assert.Empty(t, e.Bundles)
			for _, on := range []catalogtest.Match{catalogtest.Referrers, catalogtest.ReferrersTag(bare.Release.Digest)} {
				for _, status := range []int{500, 503, 429, 401, 403} {
					reg.Heal()
					reg.Inject(catalogtest.Fault{On: on, Effect: catalogtest.Status(status)})
					_, err = s.Evidence(t.Context(), bare.Release)
					assert.ErrorIs(t, err, catalog.ErrUnavailable, "could not say: %d", status)
					assert.NotErrorIs(t, err, catalog.ErrNotFound, status)
				}
			}
		})
	}
}

// TestFallback: registries say in many ways that they have no referrers API.
func TestFallback(t *testing.T) {
	t.Parallel()
	reg, s, a := signed(t, catalogtest.RegistryOptions{NoReferrers: true})
	for name, effect := range map[string]catalogtest.Effect{
		"400": catalogtest.Status(400), "404": catalogtest.Status(404), "405": catalogtest.Status(405), "406": catalogtest.Status(406),
		"501":     catalogtest.Status(501),
		"page":    catalogtest.Answer("text/html", []byte("<h1>Hello</h1>")),
		"subject": catalogtest.Answer(catalog.TypeManifest, a.Manifest),
		"empty":   catalogtest.Answer(catalog.TypeIndex, index(t)),
	} {
		reg.Heal()
		reg.Inject(catalogtest.Fault{On: catalogtest.Referrers, Effect: effect})
		e, err := s.Evidence(t.Context(), a.Release)
		require.NoError(t, err, name)
		assert.Len(t, e.Bundles, 1, name)
	}
}

// TestGitLab: the referrers tag is answered with the subject itself. That is no
// evidence, and no index to add to either.
func TestGitLab(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{NoReferrers: true})
	a, err := catalogtest.NewArtifact("acme/backup", "1.4.2", []byte("content"), nil)
	require.NoError(t, err)
	require.NoError(t, a.Push(t.Context(), reg, "plugins"))
	gitlab := catalogtest.All(catalogtest.ReferrersTag(a.Release.Digest), catalogtest.Method(http.MethodGet))
	reg.Inject(catalogtest.Fault{On: gitlab, Times: 2, Effect: catalogtest.SubjectAsReferrers()})
	s := newSource(t, reg.Host+"/plugins/catalog", quick)
	e, err := s.Evidence(t.Context(), a.Release)
	require.NoError(t, err)
	assert.Empty(t, e.Bundles)
	require.NoError(t, newPusher(t, reg.Host+"/plugins", quick).Attach(t.Context(), "acme/backup", a.Subject(), bundleType, []byte("good"), nil))
	e, err = s.Evidence(t.Context(), a.Release)
	require.NoError(t, err)
	assert.Len(t, e.Bundles, 1)
}

// TestUselessReferrers: what is about something else, gone or too large is passed
// over, and the good one beside it still counts.
func TestUselessReferrers(t *testing.T) {
	t.Parallel()
	reg, s, a := signed(t, catalogtest.RegistryOptions{})
	subject, other := a.Release.Digest, verify.DigestOf([]byte("another release"))
	list := []catalog.OCIDescriptor{
		referrer(t, reg, &other, bundleType, "moved from another release"),
		referrer(t, reg, nil, bundleType, "about nothing"),
		referrer(t, reg, &subject, "text/plain", "not a bundle"),
		{MediaType: catalog.TypeManifest, Digest: verify.DigestOf([]byte("gone")), Size: 10},
		{MediaType: catalog.TypeManifest, Digest: "sha512:abc", Size: 10},
		{MediaType: catalog.TypeManifest, Digest: subject, Size: 10},
		{MediaType: catalog.TypeManifest, Digest: verify.DigestOf([]byte("huge")), Size: verify.MaxManifest + 1},
	}
	big := referrer(t, reg, &subject, bundleType, string(make([]byte, verify.MaxBundle+1)))
	wanted := referrer(t, reg, &subject, bundleType, "wanted")
	wanted.ArtifactType = "application/vnd.some.config" // what go-containerregistry and others report
	reg.Inject(catalogtest.Fault{On: catalogtest.Referrers, Effect: catalogtest.Answer(catalog.TypeIndex, index(t, append(list, big, wanted, wanted)...))})
	e, err := s.Evidence(t.Context(), a.Release)
	require.NoError(t, err)
	assert.Equal(t, [][]byte{[]byte("wanted")}, e.Bundles)
}

// TestForgedReferrer: a registry that serves other bytes is found out, not passed over.
func TestForgedReferrer(t *testing.T) {
	t.Parallel()
	reg, s, a := signed(t, catalogtest.RegistryOptions{})
	reg.Corrupt(verify.DigestOf([]byte("good")), []byte("evil"))
	_, err := s.Evidence(t.Context(), a.Release)
	assert.ErrorIs(t, err, verify.ErrDigest)
	reg.Inject(catalogtest.Fault{On: catalogtest.ByDigest(a.Release.Digest), Effect: catalogtest.FlipByte(0)})
	_, err = s.Evidence(t.Context(), a.Release)
	assert.ErrorIs(t, err, verify.ErrDigest)
}

func TestTooManyReferrers(t *testing.T) {
	t.Parallel()
	reg, s, a := signed(t, catalogtest.RegistryOptions{})
	var list []catalog.OCIDescriptor
	for i := range verify.MaxBundles + 1 {
		list = append(list, catalog.OCIDescriptor{MediaType: catalog.TypeManifest, Digest: verify.DigestOf(fmt.Append(nil, i)), Size: 10})
	}
	reg.Inject(catalogtest.Fault{On: catalogtest.Referrers, Effect: catalogtest.Answer(catalog.TypeIndex, index(t, list...))})
	reg.Forget()
	_, err := s.Evidence(t.Context(), a.Release)
	assert.ErrorContains(t, err, "more than 100")
	assert.Len(t, reg.Requests(), 2, "none of them was read")
}

// TestPages: lists come in pages; they end, and they stay at the registry.
func TestPages(t *testing.T) {
	t.Parallel()
	reg, s, a := signed(t, catalogtest.RegistryOptions{})
	subject := a.Release.Digest
	second := referrer(t, reg, &subject, bundleType, "on page two")
	first := index(t, referrer(t, reg, &subject, bundleType, "on page one"))
	path := "/v2/plugins/acme/backup/referrers/" + string(subject)
	two := func(r *http.Request) bool { return r.URL.Query().Get("last") == "x" }
	one := func(r *http.Request) bool { return catalogtest.Referrers(r) && !two(r) }
	page := func(link string) catalogtest.Effect {
		return catalogtest.Chain(catalogtest.Header("Link", link), catalogtest.Answer(catalog.TypeIndex, first))
	}
	reg.Inject(catalogtest.Fault{On: two, Effect: catalogtest.Answer(catalog.TypeIndex, index(t, second))})
	remove := reg.Inject(catalogtest.Fault{On: one, Effect: page("<" + path + `?last=x>; rel="next"`)})
	e, err := s.Evidence(t.Context(), a.Release)
	require.NoError(t, err)
	assert.Equal(t, [][]byte{[]byte("on page one"), []byte("on page two")}, e.Bundles)
	remove()

	for name, effect := range map[string]catalogtest.Effect{
		"circle":       page("<" + path + `>; rel="next"`),
		"endless":      catalogtest.Chain(catalogtest.EndlessLink(), catalogtest.Answer(catalog.TypeIndex, first)),
		"other host":   page(`<https://evil.example.net` + path + `>; rel="next"`),
		"other scheme": page("<https://" + reg.Host + path + `>; rel="next"`),
		"credentials":  page("<http://ann:secret@" + reg.Host + path + `>; rel=next`),
	} {
		reg.Forget()
		remove := reg.Inject(catalogtest.Fault{On: catalogtest.Referrers, Effect: effect})
		_, err := s.Evidence(t.Context(), a.Release)
		assert.ErrorIs(t, err, catalog.ErrUnavailable, name)
		assert.ErrorContains(t, err, "refused", name)
		assert.LessOrEqual(t, len(reg.Requests()), oci.MaxPages+1, name)
		remove()
	}
}
