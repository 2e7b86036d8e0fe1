package signin_test

import (
	"crypto/x509"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/marketplace/hub/signin/signintest"
)

// hostile is a provider whose token endpoint says whatever a test wants.
type hostile struct {
	*signintest.Issuer
	p      *signin.Provider
	answer func(nonce string) map[string]any
	begun  signin.Pending
	asked  url.Values
}

func newHostile(t *testing.T, c *clock) *hostile {
	h := &hostile{Issuer: signintest.NewIssuer(signintest.IssuerOptions{Now: c.now})}
	t.Cleanup(h.Close)
	h.Handle("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		assert.NoError(t, json.NewEncoder(w).Encode(h.answer(h.asked.Get("nonce"))))
	})
	var err error
	h.p, err = signin.NewProvider(signin.ProviderOptions{
		Issuer: h.URL, ClientID: "hub", RedirectURL: "https://hub.example.org/callback", Key: testKey(), Now: c.now,
	})
	require.NoError(t, err)
	return h
}

// signIn begins and finishes, with what token makes of the claims of a good one.
func (h *hostile) signIn(t *testing.T, token func(claims map[string]any) string) (signin.Identity, error) {
	t.Helper()
	h.answer = func(nonce string) map[string]any {
		return map[string]any{"access_token": "at", "token_type": "Bearer", "id_token": token(map[string]any{
			"aud": "hub", "nonce": nonce, "sub": "u-1", "name": "Mira", "email": "mira@example.org", "email_verified": true,
		})}
	}
	return h.begin(t)
}

func (h *hostile) begin(t *testing.T) (signin.Identity, error) {
	t.Helper()
	to, begun, err := h.p.Begin(t.Context(), "/")
	require.NoError(t, err)
	u, err := url.Parse(to)
	require.NoError(t, err)
	h.begun, h.asked = begun, u.Query()
	who, _, err := h.p.Finish(t.Context(), begun, url.Values{"state": h.asked["state"], "code": {"c"}})
	return who, err
}

// with returns a maker of tokens that have a claim changed, or left out.
func (h *hostile) with(name string, value any) func(map[string]any) string {
	return func(claims map[string]any) string {
		claims[name] = value
		return h.Token(claims)
	}
}

func TestIDTokenAttacks(t *testing.T) {
	c := newClock()
	h := newHostile(t, c)
	at := func(d time.Duration) int64 { return c.now().Add(d).Unix() }
	other := signintest.NewIssuer(signintest.IssuerOptions{Now: c.now})
	defer other.Close()

	who, err := h.signIn(t, h.Token)
	require.NoError(t, err, "the control")
	require.Equal(t, signin.Identity{Issuer: h.URL, Subject: "u-1", Name: "Mira", Email: "mira@example.org", EmailVerified: true}, who)

	signed := func(key any, algorithm jose.SignatureAlgorithm, kind string) func(map[string]any) string {
		return func(claims map[string]any) string {
			claims["iss"], claims["iat"], claims["exp"] = h.URL, at(0), at(time.Minute)
			body, err := json.Marshal(claims)
			require.NoError(t, err)
			s, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key},
				(&jose.SignerOptions{}).WithType(jose.ContentType(kind)).WithHeader("kid", h.Key().KeyID))
			require.NoError(t, err)
			jws, err := s.Sign(body)
			require.NoError(t, err)
			raw, err := jws.CompactSerialize()
			require.NoError(t, err)
			return raw
		}
	}
	public, err := x509.MarshalPKIXPublicKey(h.Key().Public().Key)
	require.NoError(t, err)
	_, err = h.signIn(t, signed(h.Key().Key, jose.ES256, "JWT"))
	require.NoError(t, err, "the control")

	for name, token := range map[string]func(map[string]any) string{
		"alg none":             h.Unsigned,
		"another key":          h.Forge,
		"another issuer's":     other.Token,
		"claims to be ours":    func(m map[string]any) string { m["iss"] = h.URL; return other.Token(m) },
		"MAC with public key":  signed(public, jose.HS256, "JWT"),
		"an access token":      signed(h.Key().Key, jose.ES256, "at+jwt"),
		"a logout token":       signed(h.Key().Key, jose.ES256, "logout+jwt"),
		"other audience":       h.with("aud", "other"),
		"two audiences":        h.with("aud", []string{"hub", "other"}),
		"azp of another":       h.with("azp", "other"),
		"azp that is no text":  h.with("azp", []string{"hub"}),
		"no audience":          h.with("aud", nil),
		"nonce of another":     h.with("nonce", "another"),
		"no nonce":             h.with("nonce", nil),
		"iss of another":       h.with("iss", "https://evil.example"),
		"iss with a slash":     h.with("iss", h.URL+"/"),
		"ISS beside iss":       h.with("ISS", "https://evil.example"),
		"iſſ beside iss":       h.with("iſſ", h.URL),
		"issued in the future": h.with("iat", at(5*time.Minute)),
		"not yet":              h.with("nbf", at(5*time.Minute)),
		"no expiry":            h.with("exp", nil),
		"no issue":             h.with("iat", nil),
		"expiry that is text":  h.with("exp", "tomorrow"),
		"expiry beyond time":   h.with("exp", 1e300),
		"no subject":           h.with("sub", nil),
		"empty subject":        h.with("sub", ""),
		"long subject":         h.with("sub", strings.Repeat("x", 256)),
		"subject with newline": h.with("sub", "u\n1"),
		"wrong at_hash":        h.with("at_hash", "AAAAAAAAAAAAAAAAAAAAAA"),
		"padded":               func(m map[string]any) string { return h.Token(m) + "=" },
		"with a space":         func(m map[string]any) string { return " " + h.Token(m) },
		"with a line break":    func(m map[string]any) string { return strings.Replace(h.Token(m), ".", ".\n", 1) },
		"huge":                 h.with("filler", strings.Repeat("x", 20<<10)),
		"empty":                func(map[string]any) string { return "" },
		"not a token":          func(map[string]any) string { return "a.b.c" },
	} {
		who, err := h.signIn(t, token)
		require.ErrorIs(t, err, signin.ErrRefused, name)
		assert.Zero(t, who, name)
	}
	for name, token := range map[string]func(map[string]any) string{
		"azp is ours":          h.with("azp", "hub"),
		"two audiences, azp":   func(m map[string]any) string { m["aud"], m["azp"] = []string{"hub", "other"}, "hub"; return h.Token(m) },
		"expired, within skew": h.with("exp", at(-signin.Skew+time.Second)),
		"future, within skew":  h.with("iat", at(signin.Skew-time.Second)),
	} {
		_, err := h.signIn(t, token)
		require.NoError(t, err, name)
	}
	_, err = h.signIn(t, h.with("exp", at(-signin.Skew)))
	require.ErrorIs(t, err, signin.ErrExpired)
}

// TestIdentityIsClean shows what becomes of names and addresses that are odd.
func TestIdentityIsClean(t *testing.T) {
	h := newHostile(t, newClock())
	for value, want := range map[any]string{
		" A\tB\n ": "A B", "Mi\u202era": "Mira", strings.Repeat("é", 200): strings.Repeat("é", 100), "\x00": "",
	} {
		who, err := h.signIn(t, h.with("name", value))
		require.NoError(t, err)
		assert.Equal(t, want, who.Name)
	}
	for value, want := range map[any]string{
		"Mira <mira@example.org>": "", "nobody": "", "a@b.c\r\nBcc: x@y.z": "", "m@example.org": "m@example.org", 7: "",
	} {
		who, err := h.signIn(t, h.with("email", value))
		require.NoError(t, err)
		assert.Equal(t, want, who.Email)
		assert.Equal(t, want != "", who.EmailVerified)
	}
	for value, want := range map[any]bool{true: true, "true": true, false: false, "false": false, 1: false, "yes": false, nil: false} {
		who, err := h.signIn(t, h.with("email_verified", value))
		require.NoError(t, err)
		assert.Equal(t, want, who.EmailVerified, "%v", value)
	}
}

// TestUserInfo asks for the name where the token has none, and not about somebody else.
func TestUserInfo(t *testing.T) {
	h := newHostile(t, newClock())
	h.SetMetadata("userinfo_endpoint", h.URL+"/userinfo")
	about := map[string]any{"sub": "u-1", "name": "Mira", "email": "m@example.org", "email_verified": "true"}
	h.Handle("GET /userinfo", func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer at", r.Header.Get("Authorization"))
		assert.NoError(t, json.NewEncoder(w).Encode(about))
	})
	bare := func(m map[string]any) string {
		m["name"], m["email"], m["email_verified"] = nil, nil, nil
		return h.Token(m)
	}
	who, err := h.signIn(t, bare)
	require.NoError(t, err)
	assert.Equal(t, signin.Identity{Issuer: h.URL, Subject: "u-1", Name: "Mira", Email: "m@example.org", EmailVerified: true}, who)
	about["sub"] = "u-2"
	_, err = h.signIn(t, bare)
	require.ErrorIs(t, err, signin.ErrRefused)
	_, err = h.signIn(t, h.Token)
	require.NoError(t, err, "not asked when the token says it")
}

// TestTokenEndpoint shows which answers are nobody's fault, and that none is repeated.
func TestTokenEndpoint(t *testing.T) {
	h := newHostile(t, newClock())
	h.answer = func(string) map[string]any { return map[string]any{"access_token": "at", "token_type": "Bearer"} }
	_, err := h.begin(t)
	require.ErrorIs(t, err, signin.ErrRefused, "no ID token")
	for status, want := range map[int]error{400: signin.ErrRefused, 401: signin.ErrRefused, 302: signin.ErrRefused, 429: signin.ErrUnavailable, 500: signin.ErrUnavailable} {
		h := newHostileAnswering(t, status, `{"error":"invalid_grant","error_description":"the secret is hunter2"}`)
		_, err := h.begin(t)
		require.ErrorIs(t, err, want, "%d", status)
		assert.NotContains(t, err.Error(), "hunter2")
		assert.Equal(t, 1, h.Fetches("/answer"), "a code is shown once")
	}
	h = newHostileAnswering(t, 200, strings.Repeat(" ", 2<<20))
	_, err = h.begin(t)
	require.ErrorIs(t, err, signin.ErrUnavailable)
}

func newHostileAnswering(t *testing.T, status int, body string) *hostile {
	h := newHostile(t, newClock())
	h.SetMetadata("token_endpoint", h.URL+"/answer")
	h.Handle("/answer", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
	return h
}

// TestDiscoveryAttacks gives a provider metadata that it must not have.
func TestDiscoveryAttacks(t *testing.T) {
	for name, change := range map[string]struct {
		member string
		value  any
		want   error
	}{
		"another issuer":      {"issuer", "https://other.example", signin.ErrRefused},
		"plain http tokens":   {"token_endpoint", "http://id.example.org/token", signin.ErrRefused},
		"plain http keys":     {"jwks_uri", "http://169.254.169.254/keys", signin.ErrRefused},
		"a file":              {"jwks_uri", "file:///etc/passwd", signin.ErrRefused},
		"a password":          {"userinfo_endpoint", "https://a:b@id.example.org/", signin.ErrRefused},
		"no keys":             {"jwks_uri", "", signin.ErrUnavailable},
		"no authorization":    {"authorization_endpoint", "", signin.ErrUnavailable},
		"not what it says":    {"authorization_endpoint", 7, signin.ErrUnavailable},
		"longer than allowed": {"filler", strings.Repeat("x", 1<<20), signin.ErrUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t, newClock())
			h.SetMetadata(change.member, change.value)
			_, _, err := h.p.Begin(t.Context(), "/")
			require.ErrorIs(t, err, change.want)
		})
	}
	h := newHostile(t, newClock())
	_, _, err := h.p.Begin(t.Context(), "/")
	require.NoError(t, err, "the control")
}

// TestDiscoveryRedirect shows that a redirect is not followed.
func TestDiscoveryRedirect(t *testing.T) {
	i := signintest.NewIssuer(signintest.IssuerOptions{})
	defer i.Close()
	s := httptest.NewServer(http.RedirectHandler(i.URL+"/.well-known/openid-configuration", http.StatusFound))
	defer s.Close()
	p, err := signin.NewProvider(signin.ProviderOptions{Issuer: s.URL, ClientID: "hub", RedirectURL: "https://hub.example.org/callback", Key: testKey()})
	require.NoError(t, err)
	_, _, err = p.Begin(t.Context(), "/")
	require.ErrorIs(t, err, signin.ErrUnavailable)
	require.ErrorContains(t, err, "302")
	require.Zero(t, i.Fetches("/.well-known/openid-configuration"))
}

// TestIssuerParameter holds a provider to its word that it sends iss (RFC 9207).
func TestIssuerParameter(t *testing.T) {
	h := newHostile(t, newClock())
	h.SetMetadata("authorization_response_iss_parameter_supported", true)
	_, err := h.signIn(t, h.Token)
	require.ErrorIs(t, err, signin.ErrRefused, "it is missing")
	q := url.Values{"state": h.asked["state"], "code": {"c"}, "iss": {h.URL}}
	_, _, err = h.p.Finish(t.Context(), h.begun, q)
	require.NoError(t, err)
	q = maps.Clone(q)
	q.Set("iss", "https://other.example")
	_, _, err = h.p.Finish(t.Context(), h.begun, q)
	require.ErrorIs(t, err, signin.ErrRefused)
}

// TestKeys follows an issuer through rotations and failures.
func TestKeys(t *testing.T) {
	c := newClock()
	h := newHostile(t, c)
	in := func(token func(map[string]any) string) error {
		_, err := h.signIn(t, token)
		return err
	}
	require.NoError(t, in(h.Token))
	require.NoError(t, in(h.Token))
	require.Equal(t, 1, h.Fetches("/keys"), "kept")
	for range 20 {
		require.ErrorIs(t, in(h.Forge), signin.ErrRefused)
	}
	require.Equal(t, 1, h.Fetches("/keys"), "bad tokens cause no requests within a minute")

	h.Rotate()
	c.add(time.Minute)
	require.NoError(t, in(h.Token), "a new key is found")
	require.Equal(t, 2, h.Fetches("/keys"))

	old := h.Key()
	byOld := func(claims map[string]any) string {
		claims["iss"], claims["iat"], claims["exp"] = h.URL, c.now().Unix(), c.now().Unix()+60
		body, err := json.Marshal(claims)
		require.NoError(t, err)
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: *old}, nil)
		require.NoError(t, err)
		jws, err := s.Sign(body)
		require.NoError(t, err)
		raw, err := jws.CompactSerialize()
		require.NoError(t, err)
		return raw
	}
	require.NoError(t, in(byOld), "the control")
	h.Rotate()
	h.Retire()
	c.add(time.Minute)
	require.NoError(t, in(h.Token))
	require.ErrorIs(t, in(byOld), signin.ErrRefused, "a key that was taken back")

	h.SetDown(true)
	c.add(30 * time.Minute)
	h.SetDown(false)
	h.Rotate()
	h.SetMetadata("jwks_uri", h.URL+"/gone")
	c.add(31 * time.Minute) // metadata and keys are older than an hour
	require.ErrorIs(t, in(h.Token), signin.ErrUnavailable, "its key cannot be looked up: that is no refusal")
	h.SetMetadata("jwks_uri", h.URL+"/keys")
	c.add(2 * time.Hour)
	require.NoError(t, in(h.Token))
}

// TestKeysOdd ignores keys that are not for us, and refuses sets without any.
func TestKeysOdd(t *testing.T) {
	h := newHostile(t, newClock())
	h.SetMetadata("jwks_uri", h.URL+"/odd")
	mac := jose.JSONWebKey{Key: []byte("0123456789abcdef0123456789abcdef"), KeyID: "mac", Algorithm: "HS256"}
	encryption := h.Key().Public()
	encryption.Use = "enc"
	set := []any{map[string]any{"kty": "future"}, mac, encryption}
	h.Handle("GET /odd", func(w http.ResponseWriter, _ *http.Request) {
		assert.NoError(t, json.NewEncoder(w).Encode(map[string]any{"keys": set}))
	})
	_, err := h.signIn(t, h.Token)
	require.ErrorIs(t, err, signin.ErrUnavailable)
	require.ErrorContains(t, err, "no key that can be used")

	h2 := newHostile(t, newClock())
	h2.SetMetadata("jwks_uri", h2.URL+"/odd")
	h2.Handle("GET /odd", func(w http.ResponseWriter, _ *http.Request) {
		assert.NoError(t, json.NewEncoder(w).Encode(map[string]any{"keys": append(set, h2.Key().Public())}))
	})
	_, err = h2.signIn(t, h2.Token)
	require.NoError(t, err, "the control")
}
