package catalogtest_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/verify"
)

type reply struct {
	status int
	header http.Header
	body   string
	err    error // of the body
}

func ask(t *testing.T, method, url string, header ...string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(b), err}
}

func start(t *testing.T, o catalogtest.RegistryOptions) (reg *catalogtest.Registry, blob string) {
	t.Helper()
	reg = catalogtest.NewRegistry(t, o)
	d := reg.PutBlob("", []byte("0123456789"))
	return reg, reg.URL + "/v2/acme/backup/blobs/" + string(d.Digest)
}

func TestRanges(t *testing.T) {
	t.Parallel()
	_, blob := start(t, catalogtest.RegistryOptions{})
	for header, want := range map[string]reply{
		"":                {status: 200, body: "0123456789"},
		"bytes=2-4":       {status: 206, body: "234"},
		"bytes=2-":        {status: 206, body: "23456789"},
		"bytes=-3":        {status: 206, body: "789"},
		"bytes=2-99":      {status: 206, body: "23456789"},
		"bytes=0-1,4-5":   {status: 200, body: "0123456789"},
		"bytes=10-11":     {status: 416},
		"bytes=9-9":       {status: 206, body: "9"},
		"nonsense=yes":    {status: 416},
		"bytes=4-2":       {status: 416},
		"bytes=0-9223372": {status: 206, body: "0123456789"},
	} {
		got := ask(t, http.MethodGet, blob, "Range", header)
		assert.Equal(t, want.status, got.status, header)
		if want.body != "" {
			assert.Equal(t, want.body, got.body, header)
		}
	}
	got := ask(t, http.MethodGet, blob, "Range", "bytes=2-4")
	assert.Equal(t, "bytes 2-4/10", got.header.Get("Content-Range"))
	got = ask(t, http.MethodHead, blob)
	assert.Equal(t, "10", got.header.Get("Content-Length"))
	assert.Empty(t, got.body)
}

func TestConditional(t *testing.T) {
	t.Parallel()
	reg, blob := start(t, catalogtest.RegistryOptions{})
	require.NoError(t, reg.PutMetadata(t.Context(), "plugins/catalog", "timestamp.json", []byte("1")))
	tag := reg.URL + "/v2/plugins/catalog/manifests/timestamp.json"
	for _, url := range []string{tag, blob} {
		etag := ask(t, http.MethodGet, url).header.Get("ETag")
		require.NotEmpty(t, etag)
		assert.Equal(t, 304, ask(t, http.MethodGet, url, "If-None-Match", etag).status)
		assert.Equal(t, 200, ask(t, http.MethodGet, url, "If-None-Match", `"other"`).status)
	}
	etag := ask(t, http.MethodGet, tag).header.Get("ETag")
	require.NoError(t, reg.PutMetadata(t.Context(), "plugins/catalog", "timestamp.json", []byte("2")))
	assert.Equal(t, 200, ask(t, http.MethodGet, tag, "If-None-Match", etag).status, "the tag moved")
	assert.Equal(t, 404, ask(t, http.MethodGet, reg.URL+"/v2/plugins/catalog/manifests/none").status)
}

// TestManifestByDigest: a manifest is stored under its own digest or not at all.
func TestManifestByDigest(t *testing.T) {
	t.Parallel()
	reg, _ := start(t, catalogtest.RegistryOptions{})
	for digest, want := range map[verify.Digest]int{verify.DigestOf([]byte("{}")): 201, verify.DigestOf([]byte("other")): 400} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, reg.URL+"/v2/acme/backup/manifests/"+string(digest), bytes.NewReader([]byte("{}")))
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, want, resp.StatusCode)
	}
}

func TestReferrersOnAndOff(t *testing.T) {
	t.Parallel()
	for off, want := range map[bool]int{false: 200, true: 404} {
		reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{NoReferrers: off})
		f := catalogtest.Fill(t, reg, "plugins")
		got := ask(t, http.MethodGet, reg.URL+"/v2/plugins/acme/backup/referrers/"+string(f.Release.Digest))
		assert.Equal(t, want, got.status)
		_, err := reg.Manifest(t.Context(), "plugins/acme/backup", "sha256-"+f.Release.Digest.Hex())
		if off {
			assert.NoError(t, err)
		} else {
			assert.ErrorIs(t, err, catalog.ErrNotFound)
		}
	}
}

func TestEffects(t *testing.T) {
	t.Parallel()
	cut := func(r reply) bool { return r.status == 200 && r.err != nil }
	for name, c := range map[string]struct {
		effect catalogtest.Effect
		ok     func(reply) bool
	}{
		"status":        {catalogtest.Status(500), func(r reply) bool { return r.status == 500 }},
		"too many":      {catalogtest.TooManyRequests(3 * time.Second), func(r reply) bool { return r.status == 429 && r.header.Get("Retry-After") == "3" }},
		"header":        {catalogtest.Header("X-Test", "1"), func(r reply) bool { return r.header.Get("X-Test") == "1" && r.body == "0123456789" }},
		"without":       {catalogtest.WithoutHeader("ETag"), func(r reply) bool { return r.header.Get("ETag") == "" && r.body == "0123456789" }},
		"change":        {catalogtest.ChangeHeader("ETag", func(s string) string { return s + "x" }), func(r reply) bool { return r.header.Get("ETag")[len(r.header.Get("ETag"))-1] == 'x' }},
		"drop":          {catalogtest.Drop(), func(r reply) bool { return r.status == 0 && r.err != nil }},
		"drop after":    {catalogtest.DropAfter(4), func(r reply) bool { return cut(r) && r.body == "0123" }},
		"drop at start": {catalogtest.DropAfter(0), func(r reply) bool { return cut(r) && r.body == "" }},
		"flip":          {catalogtest.FlipByte(1), func(r reply) bool { return r.body == "0\xce23456789" }},
		"answer":        {catalogtest.Answer("text/plain", []byte("no")), func(r reply) bool { return r.status == 200 && r.body == "no" }},
		"redirect": {catalogtest.Redirect("https://cdn.example.org"), func(r reply) bool {
			return r.status == 307 && r.header.Get("Location")[:24] == "https://cdn.example.org/"
		}},
		"challenge": {catalogtest.Challenge("Basic"), func(r reply) bool { return r.status == 401 && r.header.Get("WWW-Authenticate") == "Basic" }},
		"slow":      {catalogtest.Slow(time.Millisecond), func(r reply) bool { return r.body == "0123456789" }},
		"chain":     {catalogtest.Chain(catalogtest.FlipByte(0), catalogtest.DropAfter(2)), func(r reply) bool { return cut(r) && r.body == "\xcf1" }},
	} {
		reg, blob := start(t, catalogtest.RegistryOptions{})
		remove := reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Effect: c.effect})
		for range 2 { // an effect has no memory of another request
			got := ask(t, http.MethodGet, blob)
			assert.True(t, c.ok(got), "%s: %+v", name, got)
		}
		remove()
		remove()
		assert.Equal(t, "0123456789", ask(t, http.MethodGet, blob).body, "%s is over", name)
	}
}

func TestHang(t *testing.T) {
	t.Parallel()
	for _, effect := range []catalogtest.Effect{catalogtest.HangAfter(4), catalogtest.Slow(time.Hour)} {
		reg, blob := start(t, catalogtest.RegistryOptions{})
		reg.Inject(catalogtest.Fault{Effect: effect})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, blob, nil)
		require.NoError(t, err)
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			resp.Body.Close()
		}
		assert.ErrorIs(t, err, context.DeadlineExceeded)
	}
}

func TestStale(t *testing.T) {
	t.Parallel()
	reg, _ := start(t, catalogtest.RegistryOptions{})
	tag := reg.URL + "/v2/plugins/catalog/manifests/timestamp.json"
	reg.Inject(catalogtest.Fault{On: catalogtest.Tag("timestamp.json"), Effect: catalogtest.Stale()})
	require.NoError(t, reg.PutMetadata(t.Context(), "plugins/catalog", "timestamp.json", []byte("1")))
	first := ask(t, http.MethodGet, tag)
	require.NoError(t, reg.PutMetadata(t.Context(), "plugins/catalog", "timestamp.json", []byte("2")))
	assert.Equal(t, first.body, ask(t, http.MethodGet, tag).body)
	assert.Equal(t, 304, ask(t, http.MethodGet, tag, "If-None-Match", first.header.Get("ETag")).status)
	reg.Heal()
	assert.NotEqual(t, first.body, ask(t, http.MethodGet, tag).body)
}

// TestFaultsCount: Skip and Times are exact, and of many at once exactly as many fail.
func TestFaultsCount(t *testing.T) {
	t.Parallel()
	reg, blob := start(t, catalogtest.RegistryOptions{})
	reg.Inject(catalogtest.Fault{Skip: 2, Times: 3, Effect: catalogtest.Status(500)})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { ask(t, http.MethodGet, blob) })
	}
	wg.Wait()
	failed := 0
	for _, r := range reg.Requests() {
		if r.Status == 500 {
			failed++
		}
	}
	assert.Equal(t, 3, failed)
	assert.Len(t, reg.Requests(), 10)
	reg.Forget()
	assert.Empty(t, reg.Requests())
}

func TestMatches(t *testing.T) {
	t.Parallel()
	d := verify.DigestOf(nil)
	request := func(method, path string) *http.Request {
		r, err := http.NewRequestWithContext(t.Context(), method, "http://x"+path, nil)
		require.NoError(t, err)
		return r
	}
	blob := request("GET", "/v2/plugins/acme/backup/blobs/"+string(d))
	manifest := request("GET", "/v2/plugins/acme/backup/manifests/"+string(d))
	tag := request("HEAD", "/v2/plugins/catalog/manifests/timestamp.json")
	put := request("PUT", "/v2/plugins/catalog/manifests/timestamp.json")
	referrers := request("GET", "/v2/plugins/acme/backup/referrers/"+string(d))
	fallback := request("PUT", "/v2/plugins/acme/backup/manifests/sha256-"+d.Hex())
	upload := request("POST", "/v2/plugins/acme/backup/blobs/uploads/")
	token := request("GET", "/token?scope=x")
	all := []*http.Request{blob, manifest, tag, put, referrers, fallback, upload, token}
	for name, c := range map[string]struct {
		match catalogtest.Match
		want  []*http.Request
	}{
		"blobs":         {catalogtest.Blobs, []*http.Request{blob}},
		"manifests":     {catalogtest.Manifests, []*http.Request{manifest, tag}},
		"referrers":     {catalogtest.Referrers, []*http.Request{referrers}},
		"tokens":        {catalogtest.Tokens, []*http.Request{token}},
		"tag":           {catalogtest.Tag("timestamp.json"), []*http.Request{tag}},
		"referrers tag": {catalogtest.ReferrersTag(d), []*http.Request{fallback}},
		"digest":        {catalogtest.ByDigest(d), []*http.Request{blob, manifest}},
		"repository":    {catalogtest.Repository("plugins/acme/backup"), []*http.Request{blob, manifest, referrers, fallback, upload}},
		"method":        {catalogtest.Method("POST"), []*http.Request{upload}},
		"all":           {catalogtest.All(catalogtest.Repository("plugins/catalog"), catalogtest.Method("PUT")), []*http.Request{put}},
	} {
		var got []*http.Request
		for _, r := range all {
			if c.match(r) {
				got = append(got, r)
			}
		}
		assert.Equal(t, c.want, got, name)
	}
}

func TestUpstream(t *testing.T) {
	t.Parallel()
	_, err := catalogtest.NewHandler(catalogtest.RegistryOptions{Upstream: "nowhere"})
	assert.Error(t, err)
	behind, _ := start(t, catalogtest.RegistryOptions{})
	front := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{Upstream: behind.URL})
	blob := front.URL + "/v2/acme/backup/blobs/" + string(verify.DigestOf([]byte("0123456789")))
	assert.Equal(t, "0123456789", ask(t, http.MethodGet, blob).body)
	front.Inject(catalogtest.Fault{Effect: catalogtest.DropAfter(3)})
	assert.Equal(t, "012", ask(t, http.MethodGet, blob).body)
	_, err = front.PushManifest(t.Context(), "a/b", "1", catalog.TypeManifest, []byte("{}"))
	assert.Error(t, err, "it is filled over HTTP")
}

func TestArtifact(t *testing.T) {
	t.Parallel()
	a, err := catalogtest.NewArtifact("acme/backup", "1.0.0", []byte("content"), map[string][]byte{"README.md": []byte("# Hello")})
	require.NoError(t, err)
	parsed, err := catalog.ParseArtifact(a.Manifest, a.Release)
	require.NoError(t, err, "it is what Souk reads as a release")
	assert.Equal(t, verify.DigestOf(a.Content), parsed.Content.Digest)
	assert.Equal(t, a.Release.Media, parsed.Media)
	config, err := a.Release.Manifest.Canonical()
	require.NoError(t, err)
	_, err = catalog.ParseManifest(config)
	assert.NoError(t, err, "and its plugin.json is valid")
	_, err = catalogtest.NewArtifact("nonsense", "1.0.0", nil, nil)
	assert.Error(t, err)
}

func TestKeys(t *testing.T) {
	t.Parallel()
	for _, k := range []catalogtest.Key{catalogtest.NewEd25519Key(t), catalogtest.NewECDSAKey(t)} {
		block, _ := pem.Decode([]byte(k.Identity.Key))
		require.NotNil(t, block)
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		require.NoError(t, err)
		assert.Equal(t, k.Public(), public)
	}
}
