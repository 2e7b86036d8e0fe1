package registry_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/marketplace/hub/registry"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func sum(s string) string { h := sha256.Sum256([]byte(s)); return b64(h[:]) }

// forge makes a token with another header, signed with HMAC or not at all.
func forge(t testing.TB, token string, header map[string]any, hmacKey []byte) string {
	t.Helper()
	h, err := json.Marshal(header)
	require.NoError(t, err)
	text := b64(h) + "." + strings.Split(token, ".")[1]
	if hmacKey == nil {
		return text + "."
	}
	m := hmac.New(sha256.New, hmacKey)
	m.Write([]byte(text))
	return text + "." + b64(m.Sum(nil))
}

// TestForgedTokens: only a token of this issuer, for this service, with this key, now
// and for this repository opens a door.
func TestForgedTokens(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		access := []registry.Access{registry.Repository("staging/acme/backup", "pull", "push")}
		issue := func(change func(*registry.TokenOptions)) string {
			s := newTokens(t, func(o *registry.TokenOptions) {
				o.Key = w.Key
				if change != nil {
					change(o)
				}
			})
			token, err := s.Issue("ann", access, time.Minute)
			require.NoError(t, err)
			return token
		}
		good := issue(nil)
		parts := strings.Split(good, ".")
		body, err := base64.RawURLEncoding.DecodeString(parts[1])
		require.NoError(t, err)
		var set struct{ Keys []map[string]any }
		require.NoError(t, json.Unmarshal(w.Tokens.JWKS(), &set))
		kid := set.Keys[0]["kid"].(string)
		block, _ := pem.Decode(w.Key)
		otherPEM := key(t)
		foreign := issue(func(o *registry.TokenOptions) { o.Key = otherPEM })
		other, _ := keyPair(t, otherPEM)
		sign := func(o *jose.SignerOptions) string { // the claims of good, with another key that calls itself ours
			s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: other, KeyID: kid}}, o)
			require.NoError(t, err)
			signed, err := s.Sign(body)
			require.NoError(t, err)
			token, err := signed.CompactSerialize()
			require.NoError(t, err)
			return token
		}
		elsewhere, err := w.Tokens.Issue("ann", []registry.Access{registry.Repository("staging/acme/other", "pull", "push")}, 0)
		require.NoError(t, err)
		readOnly, err := w.Tokens.Issue("ann", []registry.Access{registry.Repository("staging/acme/backup", "pull")}, 0)
		require.NoError(t, err)
		nothing, err := w.Tokens.Issue("ann", nil, 0)
		require.NoError(t, err)

		const upload = "/v2/staging/acme/backup/blobs/uploads/"
		require.Equal(t, http.StatusAccepted, w.status(t, http.MethodPost, upload, good), "the control")
		require.Equal(t, http.StatusAccepted, w.status(t, http.MethodPost, "/v2/staging/acme/other/blobs/uploads/", elsewhere), "the other control")
		require.Equal(t, http.StatusNotFound, w.status(t, http.MethodGet, "/v2/staging/acme/backup/manifests/1", readOnly), "may look")
		for name, token := range map[string]string{
			"none":               "",
			"garbage":            "garbage",
			"other scope":        elsewhere,
			"pull only":          readOnly,
			"no access":          nothing,
			"expired":            issue(func(o *registry.TokenOptions) { o.Now = func() time.Time { return time.Now().Add(-5 * time.Minute) } }),
			"not yet":            issue(func(o *registry.TokenOptions) { o.Now = func() time.Time { return time.Now().Add(5 * time.Minute) } }),
			"other service":      issue(func(o *registry.TokenOptions) { o.Service = "other.example.org" }),
			"other issuer":       issue(func(o *registry.TokenOptions) { o.Issuer = "mallory" }),
			"other key":          foreign,
			"other key, our kid": sign(nil),
			"embedded key":       sign(&jose.SignerOptions{EmbedJWK: true}),
			"alg none":           forge(t, good, map[string]any{"alg": "none", "typ": "JWT", "kid": kid}, nil),
			"HS256, PEM":         forge(t, good, map[string]any{"alg": "HS256", "typ": "JWT", "kid": kid}, publicPEM(t, w.Key)),
			"HS256, JWKS":        forge(t, good, map[string]any{"alg": "HS256", "typ": "JWT", "kid": kid}, w.Tokens.JWKS()),
			"HS256, DER":         forge(t, good, map[string]any{"alg": "HS256", "typ": "JWT", "kid": kid}, block.Bytes),
			"HS256, empty":       forge(t, good, map[string]any{"alg": "HS256", "typ": "JWT", "kid": kid}, []byte{}),
			"tampered": parts[0] + "." + b64([]byte(strings.Replace(string(body), "ann", "bob", 1))) +
				"." + parts[2],
			"no signature": parts[0] + "." + parts[1] + ".",
			"cut":          good[:len(good)-4],
		} {
			resp := w.do(t, http.MethodPost, upload, token, nil)
			assert.Equal(t, http.StatusUnauthorized, resp.StatusCode, name)
			challenge := resp.Header.Get("WWW-Authenticate")
			assert.Contains(t, challenge, `/token",service="`+service+`",scope="repository:staging/acme/backup:`, name)
		}
	})
}

func publicPEM(t testing.TB, private []byte) []byte {
	t.Helper()
	_, public := keyPair(t, private)
	return public
}

// TestStaging: who may what, through the whole login.
func TestStaging(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a, err := catalogtest.NewArtifact("acme/backup", "1.4.2", []byte("content"), nil)
		require.NoError(t, err)
		ann, nobody, operator := w.pusher(t, "", w.as("ann")), w.pusher(t, "", w.as("")), w.pusher(t, "", w.as("operator"))

		require.NoError(t, a.Push(t.Context(), ann, "staging"))
		assert.Error(t, a.Push(t.Context(), nobody, "staging"), "anonymous")
		assert.Error(t, a.Push(t.Context(), ann, ""), "ann publishes herself")
		other, err := catalogtest.NewArtifact("other/backup", "1.0.0", []byte("content"), nil)
		require.NoError(t, err)
		assert.Error(t, other.Push(t.Context(), ann, "staging"), "another publisher's staging")
		assert.Error(t, nobody.Copy(t.Context(), "acme/backup", "staging/acme/backup", "1.4.2", a.Release.Digest))
		assert.Error(t, ann.Copy(t.Context(), "acme/backup", "staging/acme/backup", "1.4.2", a.Release.Digest))
		wrong := w.as("ann")
		wrong.Credentials = w.as("mallory").Credentials
		assert.Error(t, a.Push(t.Context(), w.pusher(t, "", wrong), "staging"), "a wrong token")

		manifest := "/v2/acme/backup/manifests/" + string(a.Release.Digest)
		pull := w.issue(t, registry.Repository("acme/backup", "pull"))
		accept := []string{"Accept", catalog.TypeManifest}
		require.Equal(t, http.StatusNotFound, w.do(t, http.MethodGet, manifest, pull, nil, accept...).StatusCode, "not published yet")
		require.NoError(t, operator.Copy(t.Context(), "acme/backup", "staging/acme/backup", "1.4.2", a.Release.Digest))
		assert.Equal(t, http.StatusOK, w.do(t, http.MethodGet, manifest, pull, nil, accept...).StatusCode)

		// Who mounts must be able to pull what is mounted.
		blob := string(catalogtestDigest(a))
		public := w.issue(t, registry.Repository("staging/acme/thief", "pull", "push"))
		resp := w.do(t, http.MethodPost, "/v2/staging/acme/thief/blobs/uploads/?mount="+blob+"&from=staging/acme/backup", public, nil)
		assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
		assert.Equal(t, http.StatusUnauthorized, w.status(t, http.MethodDelete, manifest, pull))
		assert.Equal(t, http.StatusUnauthorized, w.status(t, http.MethodGet, "/v2/_catalog", pull))

		r, err := http.Get(w.URL + "/v2/")
		require.NoError(t, err)
		defer r.Body.Close()
		assert.Equal(t, http.StatusUnauthorized, r.StatusCode, "so that docker login finds the token service")
	})
}

// TestRotation: tokens of the old and of the new key are good while both are accepted.
func TestRotation(t *testing.T) {
	t.Parallel()
	old, next := key(t), key(t)
	access := registry.Repository("acme/backup", "pull", "push")
	signs := func(k []byte, accept ...[]byte) *registry.Tokens {
		return newTokens(t, func(o *registry.TokenOptions) { o.Key, o.Accept = k, accept })
	}
	_, oldPublic := keyPair(t, old)
	_, nextPublic := keyPair(t, next)
	for name, c := range map[string]struct {
		registry *registry.Tokens
		good     map[string][]byte
		bad      map[string][]byte
	}{
		"before":   {signs(old), map[string][]byte{"old": old}, map[string][]byte{"new": next}},
		"prepared": {signs(old, nextPublic), map[string][]byte{"old": old, "new": next}, nil},
		"turned":   {signs(next, oldPublic), map[string][]byte{"old": old, "new": next}, nil},
		"private":  {signs(next, old, next), map[string][]byte{"old": old, "new": next}, nil},
		"done":     {signs(next), map[string][]byte{"new": next}, map[string][]byte{"old": old}},
	} {
		r, err := registry.Open(t.TempDir(), registry.Options{Tokens: c.registry, InMemory: true})
		require.NoError(t, err)
		ask := func(k []byte) int {
			token, err := signs(k).Issue("hub", []registry.Access{access}, 0)
			require.NoError(t, err)
			req := httptest.NewRequest(http.MethodPost, "/v2/acme/backup/blobs/uploads/", nil)
			req.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			r.ServeHTTP(w, req)
			return w.Code
		}
		for who, k := range c.good {
			assert.Equal(t, http.StatusAccepted, ask(k), "%s: %s", name, who)
		}
		for who, k := range c.bad {
			assert.Equal(t, http.StatusUnauthorized, ask(k), "%s: %s", name, who)
		}
		require.NoError(t, r.Close())
	}
}

// TestKeyFile: the key set on disk holds nothing secret.
func TestKeyFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tokens := newTokens(t, nil)
	r, err := registry.Open(dir, registry.Options{Tokens: tokens})
	require.NoError(t, err)
	require.NoError(t, r.Close())
	b, err := os.ReadFile(dir + "/jwks.json")
	require.NoError(t, err)
	assert.Equal(t, string(tokens.JWKS()), string(b))
	assert.NotContains(t, string(b), `"d"`)
}
