package oci_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
)

func prefix(s string) netip.Prefix { return netip.MustParsePrefix(s) }

func as(c oci.Credential) oci.Options {
	o := quick
	o.Credentials = func(context.Context, string) (oci.Credential, error) { return c, nil }
	return o
}

// TestLogin: push and pull with token and with basic login; wrong credentials are
// neither "not found" nor repeated.
func TestLogin(t *testing.T) {
	t.Parallel()
	for name, basic := range map[string]bool{"token": false, "basic": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{Username: "ann", Password: "secret", Basic: basic})
			ann := as(oci.Credential{Username: "ann", Password: "secret"})
			f := catalogtest.Fill(t, newPusher(t, reg.Host, ann), "plugins")
			ref := reg.Host + "/plugins/catalog"
			s := newSource(t, ref, ann)
			_, err := open(t.Context(), s, f.Release)
			require.NoError(t, err)
			reg.ExpireTokens()
			_, err = open(t.Context(), s, f.Release)
			require.NoError(t, err, "an expired token is renewed")

			for who, o := range map[string]oci.Options{
				"anonymous": quick,
				"wrong":     as(oci.Credential{Username: "ann", Password: "guess"}),
			} {
				reg.Forget()
				_, err = open(t.Context(), newSource(t, ref, o), f.Release)
				assert.ErrorIs(t, err, oci.ErrUnauthorized, who)
				assert.ErrorIs(t, err, catalog.ErrUnavailable, who)
				assert.NotErrorIs(t, err, catalog.ErrNotFound, who)
				assert.NotContains(t, err.Error(), "guess", "no secret in a message")
				assert.LessOrEqual(t, len(reg.Requests()), 2, who)
			}
		})
	}
}

// TestScopeIsOurs: the token is asked for what is needed, not for what the registry
// would like, and reading never asks for the right to write.
func TestScopeIsOurs(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{Username: "ann", Password: "secret"})
	f := catalogtest.Fill(t, reg, "plugins")
	reg.Inject(catalogtest.Fault{On: catalogtest.Manifests, Times: 1, Effect: catalogtest.Challenge(
		`Bearer realm="` + reg.URL + `/token",service="x",scope="repository:other/repo:pull,push,delete"`)})
	_, err := open(t.Context(), newSource(t, reg.Host+"/plugins/catalog", as(oci.Credential{Username: "ann", Password: "secret"})), f.Release)
	require.NoError(t, err)
	for _, r := range reg.Requests() {
		if strings.HasPrefix(r.Path, "/token") {
			assert.Contains(t, r.Path, "scope=repository%3Aplugins%2Facme%2Fbackup%3Apull&")
		}
	}
}

// TestRealm: only a token server that belongs to the registry sees the credentials.
func TestRealm(t *testing.T) {
	t.Parallel()
	want := "Basic " + base64.StdEncoding.EncodeToString([]byte("ann:secret"))
	for _, c := range []struct {
		registry, realm string
		tokenHosts      []string
		sent            bool
	}{
		{"registry.example.org", "https://registry.example.org/token", nil, true},
		{"registry.example.org", "https://example.org/jwt/auth", nil, true},
		{"registry.example.org", "https://auth.example.net/token", nil, false},
		{"registry.example.org", "https://auth.example.net/token", []string{"auth.example.net"}, true},
		{"registry.example.org", "https://auth.example.org/token", nil, false}, // siblings are not the same owner: think of .co.uk
		{"registry.example.org", "https://org/token", nil, false},
		{"registry.example.org", "https://registry.example.org.evil.net/token", nil, false},
		{"registry.example.org", "https://registry.example.org:8443/token", nil, false},
		{"registry.example.org", "http://registry.example.org/token", nil, false},
		{"registry.example.org", "https://ann@registry.example.org/token", nil, false},
		{"registry.example.org", "", nil, false},
		{"index.docker.io", "https://auth.docker.io/token", nil, true},
	} {
		var sent []string
		o := as(oci.Credential{Username: "ann", Password: "secret"})
		o.TokenHosts = c.tokenHosts
		o.Transport = transport(func(r *http.Request) (*http.Response, error) {
			if strings.HasPrefix(r.URL.Path, "/v2/") {
				return answer(r, http.StatusUnauthorized, http.Header{"Www-Authenticate": {`Bearer realm="` + c.realm + `"`}}), nil
			}
			sent = append(sent, r.Header.Get("Authorization"))
			return answer(r, http.StatusForbidden, nil), nil
		})
		_, err := newSource(t, c.registry+"/p/catalog", o).Snapshot(t.Context(), 0)
		assert.ErrorIs(t, err, catalog.ErrUnavailable, c.realm)
		if c.sent {
			assert.Equal(t, []string{want}, sent, c.realm)
		} else {
			assert.Empty(t, sent, c.realm)
		}
	}
}

// TestRealmRedirect: a token server cannot pass the credentials on.
func TestRealmRedirect(t *testing.T) {
	t.Parallel()
	var hosts []string
	o := as(oci.Credential{Username: "ann", Password: "secret"})
	o.Transport = transport(func(r *http.Request) (*http.Response, error) {
		hosts = append(hosts, r.URL.Host)
		if strings.HasPrefix(r.URL.Path, "/v2/") {
			return answer(r, http.StatusUnauthorized, http.Header{"Www-Authenticate": {`Bearer realm="https://registry.example.org/token"`}}), nil
		}
		return answer(r, http.StatusFound, http.Header{"Location": {"https://evil.example.net/token"}}), nil
	})
	_, err := newSource(t, "registry.example.org/p/catalog", o).Snapshot(t.Context(), 0)
	assert.ErrorIs(t, err, catalog.ErrUnavailable)
	assert.NotContains(t, hosts, "evil.example.net")
}

// TestChallenges: a server offers several kinds of login, or nonsense.
func TestChallenges(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{Username: "ann", Password: "secret"})
	f := catalogtest.Fill(t, reg, "plugins")
	ann := as(oci.Credential{Username: "ann", Password: "secret"})
	for challenge, ok := range map[string]bool{
		`BEARER  realm="` + reg.URL + `/token" , service="x"`: true,
		`Bearer service=x,realm="` + reg.URL + `/token"`:      true,
		`Bearer`:                     false,
		`Bearer realm="unterminated`: false,
		`Negotiate`:                  false,
		``:                           false,
	} {
		reg.Heal()
		reg.Inject(catalogtest.Fault{On: catalogtest.Manifests, Times: 1, Effect: catalogtest.Challenge(challenge)})
		_, err := open(t.Context(), newSource(t, reg.Host+"/plugins/catalog", ann), f.Release)
		if ok {
			assert.NoError(t, err, challenge)
		} else {
			assert.ErrorIs(t, err, catalog.ErrUnavailable, challenge)
		}
	}
}

// TestRegistryToken: a token that the registry takes as it is.
func TestRegistryToken(t *testing.T) {
	t.Parallel()
	o := as(oci.Credential{RegistryToken: "t0ken"})
	o.Transport = transport(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("Authorization") == "Bearer t0ken" {
			return answer(r, http.StatusNotFound, nil), nil
		}
		return answer(r, http.StatusUnauthorized, http.Header{"Www-Authenticate": {`Bearer realm="https://auth.example.net/token"`}}), nil
	})
	_, err := newSource(t, "registry.example.org/p/catalog", o).Snapshot(t.Context(), 0)
	assert.ErrorIs(t, err, catalog.ErrNotFound)
}

func TestCredentialHidesItself(t *testing.T) {
	t.Parallel()
	c := oci.Credential{Username: "ann", Password: "secret", IdentityToken: "secret", RegistryToken: "secret"}
	assert.NotContains(t, c.String(), "secret")
	assert.NotContains(t, c.LogValue().String(), "secret")
}
