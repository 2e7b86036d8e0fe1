package portal_test

import (
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/marketplace/hub/signin/signintest"
)

// browserAt is a browser that is signed in at a hub which listens nowhere, and signs in
// at a provider that does.
type browserAt struct {
	t       *testing.T
	hub     *server.Server
	cookies map[string]string
}

const base = "http://localhost:1"

func (b *browserAt) do(method, path string, form url.Values) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequestWithContext(b.t.Context(), method, base+path, strings.NewReader(form.Encode()))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	b.hub.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		b.cookies[c.Name] = c.Value
	}
	return w
}

// follow goes where a link of the hub leads to, through the provider and back, and returns
// where the hub sends the browser in the end.
func (b *browserAt) follow(path string) string {
	b.t.Helper()
	w := b.do(http.MethodGet, path, nil)
	require.Equal(b.t, http.StatusSeeOther, w.Code, words(w.Body.String()))
	jar, err := cookiejar.New(nil)
	require.NoError(b.t, err)
	back := ""
	c := http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), base) {
			back = r.URL.RequestURI()
			return http.ErrUseLastResponse
		}
		return nil
	}}
	res, err := c.Get(w.Header().Get("Location"))
	require.NoError(b.t, err)
	require.NoError(b.t, res.Body.Close())
	require.NotEmpty(b.t, back, "the provider did not send the browser back")
	w = b.do(http.MethodGet, back, nil)
	require.Equal(b.t, http.StatusSeeOther, w.Code, words(w.Body.String()))
	return w.Header().Get("Location")
}

// TestLinkIdentity adds a provider's identity only to the account that asked for it, and
// only once: an address that leads back with a wish that nobody had links nothing.
func TestLinkIdentity(t *testing.T) {
	t.Parallel()
	op, err := signintest.NewProvider([]signintest.Client{{ID: "hub", Secret: "s3cret", RedirectURL: base + "/signin/oidc/0/callback"}},
		signintest.Person{Subject: "u-1", Name: "Uma Elsewhere", Email: "uma@else.example", EmailVerified: true})
	require.NoError(t, err)
	t.Cleanup(op.Close)
	s, err := server.Open(t.Context(), server.Options{
		Dir: t.TempDir(), BaseURL: base, Volatile: true, Limits: edge.Limits{Read: 1 << 20, Write: 1 << 20, SignIn: 1 << 20},
		Providers: []signin.ProviderOptions{{Name: "Elsewhere", Issuer: op.URL, ClientID: "hub", ClientSecret: "s3cret"}},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	people := hubtest.NewTown(s, base)
	enter := func(name string) (*browserAt, *hubtest.Person) {
		p, err := people.Enrol(t.Context(), name)
		require.NoError(t, err)
		return &browserAt{t, s, map[string]string{identity.CookieName(false): p.Cookie}}, p
	}
	linked := func(p *hubtest.Person) int {
		a, err := people.ActorOf(t.Context(), p)
		require.NoError(t, err)
		list, err := s.Identity.Identities(t.Context(), a)
		require.NoError(t, err)
		return len(list)
	}
	uma, umaP := enter("Uma User")
	erin, erinP := enter("Erin Else")

	// Coming back without having asked is a sign-in with another account, which is refused.
	to := "/signin/oidc/0?to=" + url.QueryEscape("/account/security?link=forged")
	assert.Equal(t, "/signin?error=other", uma.follow(to))
	assert.Equal(t, 1, linked(umaP))

	w := uma.do(http.MethodPost, "/account/security/identities/link", url.Values{"provider": {"0"}})
	require.Equal(t, http.StatusOK, w.Code, words(w.Body.String()))
	wish := between(t, w.Body.String(), `href="/signin/oidc/0?to=`, `"`)
	wish = "/signin/oidc/0?to=" + strings.ReplaceAll(wish, "&amp;", "&")
	assert.Equal(t, "/signin?error=other", erin.follow(wish), "somebody else's wish")
	assert.Equal(t, 1, linked(erinP))
	assert.Equal(t, "/account/security?done=added", uma.follow(wish))
	assert.Equal(t, 2, linked(umaP))
	assert.Equal(t, 1, linked(erinP))
	page := uma.do(http.MethodGet, "/account/security", nil)
	assert.Contains(t, page.Body.String(), "uma@else.example")
	assert.Contains(t, words(page.Body.String()), "Unlink")
	// It opens the account from now on.
	fresh := &browserAt{t, s, map[string]string{}}
	assert.Equal(t, "/account", fresh.follow("/signin/oidc/0?to=/account"))
	assert.Contains(t, fresh.do(http.MethodGet, "/account", nil).Body.String(), umaP.Account)
}

func between(t *testing.T, s, before, after string) string {
	t.Helper()
	_, rest, ok := strings.Cut(s, before)
	require.True(t, ok, "no %s", before)
	out, _, ok := strings.Cut(rest, after)
	require.True(t, ok)
	return out
}
