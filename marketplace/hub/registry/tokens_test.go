package registry_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/registry"
)

// ask asks for a token, with Basic authentication unless the name is "-".
func ask(s http.Handler, q url.Values, name, password string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/token?"+q.Encode(), nil)
	if name != "-" {
		r.SetBasicAuth(name, password)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func form(s http.Handler, q url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(q.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func query(kv ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(kv); i += 2 {
		q.Add(kv[i], kv[i+1])
	}
	return q
}

// claims reads a token without checking it.
func claims(t testing.TB, token string) (header, body map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	require.Len(t, parts, 3)
	for i, into := range []*map[string]any{&header, &body} {
		b, err := base64.RawURLEncoding.DecodeString(parts[i])
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(b, into))
	}
	return header, body
}

func TestToken(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	s := newTokens(t, func(o *registry.TokenOptions) { o.Now = func() time.Time { return now } })
	w := ask(s, query("service", service, "account", "ann", "offline_token", "true", "client_id", "docker",
		"scope", "repository:staging/acme/backup:push,pull", "scope", "repository:acme/backup:pull,push repository:staging/other/x:pull"), "ann", "souk_ann")
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	assert.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	var got map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	assert.Equal(t, got["token"], got["access_token"])
	assert.EqualValues(t, 300, got["expires_in"])
	assert.Equal(t, "2026-11-24T12:00:00Z", got["issued_at"])
	assert.NotContains(t, got, "refresh_token")
	header, body := claims(t, got["token"].(string))
	var set struct{ Keys []map[string]any }
	require.NoError(t, json.Unmarshal(s.JWKS(), &set))
	assert.Equal(t, map[string]any{"alg": "ES256", "typ": "JWT", "kid": set.Keys[0]["kid"]}, header)
	id := body["jti"]
	assert.NotEmpty(t, id)
	delete(body, "jti")
	assert.Equal(t, map[string]any{
		"iss": "souk", "sub": "ann", "aud": service,
		"iat": float64(now.Unix()), "nbf": float64(now.Unix()), "exp": float64(now.Unix() + 300),
		"access": []any{
			map[string]any{"type": "repository", "name": "staging/acme/backup", "actions": []any{"pull", "push"}},
			map[string]any{"type": "repository", "name": "acme/backup", "actions": []any{"pull"}},
		},
	}, body)

	w = form(s, query("grant_type", "password", "service", service, "username", "ann", "password", "souk_ann", "client_id", "x", "access_type", "offline",
		"scope", "repository:staging/acme/backup:pull"))
	require.Equal(t, http.StatusOK, w.Code, w.Body)
	got = nil
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
	assert.Equal(t, "repository:staging/acme/backup:pull", got["scope"])
	assert.NotContains(t, got, "refresh_token")
	_, body = claims(t, got["access_token"].(string))
	assert.NotEqual(t, id, body["jti"])
}

// TestKid: the key id is the RFC 7638 thumbprint.
func TestKid(t *testing.T) {
	t.Parallel()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalECPrivateKey(k)
	require.NoError(t, err)
	s := newTokens(t, func(o *registry.TokenOptions) {
		o.Key = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	})
	raw, err := k.PublicKey.Bytes()
	require.NoError(t, err)
	b64 := base64.RawURLEncoding.EncodeToString
	want := sum(fmt.Sprintf(`{"crv":"P-256","kty":"EC","x":"%s","y":"%s"}`, b64(raw[1:33]), b64(raw[33:])))
	assert.Contains(t, string(s.JWKS()), `"kid": "`+want+`"`)
	assert.NotContains(t, string(s.JWKS()), `"d"`, "no private key")
}

func TestAnonymous(t *testing.T) {
	t.Parallel()
	s := newTokens(t, nil)
	for scope, access := range map[string]string{
		"repository:acme/backup:pull":              `[{"actions":["pull"],"name":"acme/backup","type":"repository"}]`,
		"repository:acme/backup:pull,push,delete":  `[{"actions":["pull"],"name":"acme/backup","type":"repository"}]`,
		"repository(plugin):acme/backup:pull":      `[{"actions":["pull"],"name":"acme/backup","type":"repository"}]`,
		"repository:staging/acme/backup:pull,push": `[]`,
		"registry:catalog:*":                       `[]`,
		"":                                         `[]`,
	} {
		w := ask(s, query("service", service, "scope", scope), "-", "")
		require.Equal(t, http.StatusOK, w.Code, "%s: %s", scope, w.Body)
		var got struct{ Token string }
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &got))
		_, body := claims(t, got.Token)
		b, err := json.Marshal(body["access"])
		require.NoError(t, err)
		assert.JSONEq(t, access, string(b), scope)
		assert.Empty(t, body["sub"])
	}
}

func TestTokenRefuses(t *testing.T) {
	t.Parallel()
	s := newTokens(t, nil)
	scope := "repository:acme/backup:pull"
	many := query("service", service)
	for i := range registry.MaxScopes + 1 {
		many.Add("scope", fmt.Sprintf("repository:acme/p%d:pull", i))
	}
	for name, c := range map[string]struct {
		got    *httptest.ResponseRecorder
		status int
	}{
		"control":           {ask(s, query("service", service, "scope", scope), "ann", "souk_ann"), 200},
		"wrong token":       {ask(s, query("service", service, "scope", scope), "ann", "souk_Ann"), 401},
		"unknown account":   {ask(s, query("service", service, "scope", scope), "bob", "souk_ann"), 401},
		"empty credentials": {ask(s, query("service", service, "scope", scope), "", ""), 401},
		"no name":           {ask(s, query("service", service, "scope", scope), "", "souk_ann"), 401},
		"huge password":     {ask(s, query("service", service, "scope", scope), "ann", strings.Repeat("x", 5000)), 401},
		"other service":     {ask(s, query("service", "other.example.org", "scope", scope), "ann", "souk_ann"), 400},
		"no service":        {ask(s, query("scope", scope), "ann", "souk_ann"), 400},
		"two services":      {ask(s, query("service", service, "service", "x", "scope", scope), "ann", "souk_ann"), 400},
		"malformed scope":   {ask(s, query("service", service, "scope", "repository:acme/backup"), "ann", "souk_ann"), 400},
		"many scopes":       {ask(s, many, "ann", "souk_ann"), 400},
		"long scope":        {ask(s, query("service", service, "scope", "repository:"+strings.Repeat("a", registry.MaxScope)+":pull"), "ann", "souk_ann"), 400},
		"long query":        {ask(s, query("service", service, "client_id", strings.Repeat("a", 20_000)), "ann", "souk_ann"), 414},
		"form control":      {form(s, query("service", service, "scope", scope, "grant_type", "password", "username", "ann", "password", "souk_ann")), 200},
		"form wrong":        {form(s, query("service", service, "scope", scope, "grant_type", "password", "username", "ann", "password", "no")), 401},
		"form anonymous":    {form(s, query("service", service, "scope", scope, "grant_type", "password")), 401},
		"form service":      {form(s, query("service", "x", "scope", scope, "grant_type", "password", "username", "ann", "password", "souk_ann")), 400},
		"refresh token":     {form(s, query("service", service, "scope", scope, "grant_type", "refresh_token", "refresh_token", "x")), 400},
		"other grant":       {form(s, query("service", service, "grant_type", "client_credentials")), 400},
		"long form":         {form(s, query("service", service, "grant_type", "password", "x", strings.Repeat("a", 40_000))), 400},
	} {
		assert.Equal(t, c.status, c.got.Code, "%s: %s", name, c.got.Body)
		assert.Equal(t, c.status == 401, c.got.Header().Get("WWW-Authenticate") != "", name)
		if c.status != 200 {
			assert.NotContains(t, c.got.Body.String(), "token\":", name)
		}
	}
	assert.Contains(t, form(s, query("service", service, "grant_type", "refresh_token")).Body.String(), "unsupported_grant_type")

	r := httptest.NewRequest(http.MethodGet, "/token?service="+service, nil)
	r.Header.Set("Authorization", "Bearer x")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	assert.Equal(t, http.StatusUnauthorized, w.Code, "what is not understood is not anonymous")
	for method, status := range map[string]int{http.MethodPut: 405, http.MethodPost: 415} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(method, "/token", strings.NewReader("x")))
		assert.Equal(t, status, w.Code)
	}
}

// TestNoDecision: an authorizer that cannot say, or grants what nobody asked for,
// gives nothing, and no secret is logged.
func TestNoDecision(t *testing.T) {
	t.Parallel()
	for name, authorize := range map[string]registry.Authorizer{
		"away": func(context.Context, registry.Credential, []registry.Access) ([]registry.Access, string, error) {
			return nil, "", errors.New("database away")
		},
		"other name": func(context.Context, registry.Credential, []registry.Access) ([]registry.Access, string, error) {
			return []registry.Access{registry.Repository("acme/other", "pull")}, "ann", nil
		},
		"more": func(_ context.Context, _ registry.Credential, want []registry.Access) ([]registry.Access, string, error) {
			return []registry.Access{registry.Repository(want[0].Name, "pull", "push")}, "ann", nil
		},
		"star": func(_ context.Context, _ registry.Credential, want []registry.Access) ([]registry.Access, string, error) {
			return []registry.Access{registry.Repository(want[0].Name, "*")}, "ann", nil
		},
		"subject": func(_ context.Context, _ registry.Credential, want []registry.Access) ([]registry.Access, string, error) {
			return want, strings.Repeat("x", 300), nil
		},
	} {
		var log logger
		s := newTokens(t, func(o *registry.TokenOptions) { o.Authorize, o.Log = authorize, log.slog(slog.LevelDebug) })
		w := ask(s, query("service", service, "scope", "repository:acme/backup:pull"), "ann", "souk_secret")
		assert.Equal(t, http.StatusServiceUnavailable, w.Code, name)
		assert.NotEmpty(t, w.Header().Get("Retry-After"), name)
		assert.NotContains(t, w.Body.String(), "database", name)
		assert.Contains(t, log.String(), "not issued", name)
		assert.NotContains(t, log.String(), "souk_secret", name)
	}
	c := registry.Credential{Username: "ann", Password: "souk_secret"}
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v %s", c, c, c, c), "souk_secret")
}

func TestNewTokensRefuses(t *testing.T) {
	t.Parallel()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(rsaKey)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	der384, err := x509.MarshalPKCS8PrivateKey(p384)
	require.NoError(t, err)
	good := registry.TokenOptions{Realm: "https://hub.example.org/token", Service: service, Key: key(t), Authorize: rules}
	_, err = registry.NewTokens(good)
	require.NoError(t, err)
	for name, change := range map[string]func(*registry.TokenOptions){
		"no realm":       func(o *registry.TokenOptions) { o.Realm = "" },
		"relative realm": func(o *registry.TokenOptions) { o.Realm = "/token" },
		"plain realm":    func(o *registry.TokenOptions) { o.Realm = "http://hub.example.org/token" },
		"login in realm": func(o *registry.TokenOptions) { o.Realm = "https://a:b@hub.example.org/token" },
		"no service":     func(o *registry.TokenOptions) { o.Service = "" },
		"no authorizer":  func(o *registry.TokenOptions) { o.Authorize = nil },
		"no key":         func(o *registry.TokenOptions) { o.Key = nil },
		"no PEM":         func(o *registry.TokenOptions) { o.Key = []byte("key") },
		"RSA": func(o *registry.TokenOptions) {
			o.Key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		},
		"P-384": func(o *registry.TokenOptions) {
			o.Key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der384})
		},
		"damaged": func(o *registry.TokenOptions) {
			o.Key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der[:40]})
		},
		"certificate": func(o *registry.TokenOptions) {
			o.Key = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		},
		"huge":        func(o *registry.TokenOptions) { o.Key = make([]byte, 1<<20) },
		"bad accept":  func(o *registry.TokenOptions) { o.Accept = [][]byte{[]byte("x")} },
		"many accept": func(o *registry.TokenOptions) { o.Accept = make([][]byte, registry.MaxKeys) },
		"short life":  func(o *registry.TokenOptions) { o.TTL = time.Second },
		"long life":   func(o *registry.TokenOptions) { o.TTL = 24 * time.Hour },
	} {
		o := good
		change(&o)
		_, err := registry.NewTokens(o)
		assert.Error(t, err, name)
	}
	for _, realm := range []string{"http://127.0.0.1:5000/token", "http://localhost/token", "http://[::1]/token"} {
		o := good
		o.Realm = realm
		_, err := registry.NewTokens(o)
		assert.NoError(t, err, realm)
	}
	o := good
	o.Realm, o.Insecure = "http://hub.lan/token", true
	_, err = registry.NewTokens(o)
	assert.NoError(t, err)
}

func TestIssueRefuses(t *testing.T) {
	t.Parallel()
	s := newTokens(t, nil)
	_, err := s.Issue("hub", []registry.Access{registry.Repository("acme/backup", "pull")}, time.Minute)
	require.NoError(t, err)
	for name, a := range map[string][]registry.Access{
		"no action":  {registry.Repository("acme/backup")},
		"bad name":   {registry.Repository("Acme/../x", "pull")},
		"bad type":   {{Type: "", Name: "a", Actions: []string{"pull"}}},
		"bad action": {registry.Repository("acme/backup", "pull,push")},
		"many":       make([]registry.Access, registry.MaxScopes+1),
	} {
		_, err := s.Issue("hub", a, 0)
		assert.Error(t, err, name)
	}
	for _, ttl := range []time.Duration{-time.Minute, time.Second, 2 * time.Hour} {
		_, err := s.Issue("hub", nil, ttl)
		assert.Error(t, err, ttl)
	}
}

func TestParseScopes(t *testing.T) {
	t.Parallel()
	got, err := registry.ParseScopes([]string{"repository:a:pull repository:b/c:push,pull", "repository:a:push,pull,push"})
	require.NoError(t, err)
	assert.Equal(t, []registry.Access{registry.Repository("a", "pull", "push"), registry.Repository("b/c", "pull", "push")}, got)
	for _, bad := range []string{
		"repository", "repository:a", "repository::pull", ":a:pull", "repository:a:", "repository:a:pull,", "repository:A:pull", "repository:a//b:pull",
		"repository:../a:pull", "repository(:a:pull", "repository():a:pull", "repository(a)b:a:pull", "repository:a:PULL", "repository:host:5000/a:pull",
		"repository:a:**", "repository:a:pull;push", "Repository:a:pull", "repository:a:pull:push", "repository:a\x00:pull",
	} {
		_, err := registry.ParseScopes([]string{bad})
		assert.Error(t, err, "%q", bad)
	}
}

func FuzzParseScopes(f *testing.F) {
	for _, s := range []string{"repository:a/b:pull,push", "registry:catalog:*", "repository(plugin):a:pull repository:b:pull", ":::", "a:b:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := registry.ParseScopes([]string{s})
		if err != nil {
			return
		}
		require.LessOrEqual(t, len(list), registry.MaxScopes)
		for _, a := range list {
			again, err := registry.ParseScopes([]string{a.String()})
			require.NoError(t, err)
			require.Equal(t, []registry.Access{a}, again)
		}
	})
}
