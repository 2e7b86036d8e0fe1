package signin_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/marketplace/hub/signin/signintest"
)

var mira = signintest.Person{Subject: "u-1", Name: "Mira Example", Email: "mira@example.org", EmailVerified: true}

func testKey() []byte { return []byte("0123456789abcdef0123456789abcdef") }

// clock is a time that a test sets.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// site is a small hub: it begins a sign-in, keeps the pending one in a cookie, and says
// who came back.
type site struct {
	*httptest.Server
	p *signin.Provider

	mu   sync.Mutex
	who  signin.Identity
	to   string
	err  error
	back url.Values // the query of the last callback
}

func newSite(t *testing.T) *site {
	s := &site{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /begin", func(w http.ResponseWriter, r *http.Request) {
		to, begun, err := s.p.Begin(r.Context(), r.FormValue("to"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "pending", Value: string(begun), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, to, http.StatusFound)
	})
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.back = r.URL.Query()
		var begun signin.Pending
		if c, err := r.Cookie("pending"); err == nil {
			begun = signin.Pending(c.Value)
		}
		s.who, s.to, s.err = s.p.Finish(r.Context(), begun, s.back)
		_, _ = io.WriteString(w, "done")
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// zitadel starts a site and a real provider library for it.
func zitadel(t *testing.T, change func(*signin.ProviderOptions), people ...signintest.Person) (*site, *signintest.Provider) {
	t.Helper()
	s := newSite(t)
	op, err := signintest.NewProvider([]signintest.Client{
		{ID: "hub", Secret: "s3cret", RedirectURL: s.URL + "/callback"},
		{ID: "public", RedirectURL: s.URL + "/callback"},
		{ID: "other", Secret: "0ther", RedirectURL: s.URL + "/callback"},
	}, people...)
	require.NoError(t, err)
	t.Cleanup(op.Close)
	o := signin.ProviderOptions{Issuer: op.URL, ClientID: "hub", ClientSecret: "s3cret", RedirectURL: s.URL + "/callback", Key: testKey()}
	if change != nil {
		change(&o)
	}
	s.p, err = signin.NewProvider(o)
	require.NoError(t, err)
	return s, op
}

func browser(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &http.Client{Jar: jar}
}

func get(t *testing.T, c *http.Client, u string) string {
	t.Helper()
	resp, err := c.Get(u)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

func TestSignIn(t *testing.T) {
	for name, change := range map[string]func(*signin.ProviderOptions){
		"with a secret":   nil,
		"a public client": func(o *signin.ProviderOptions) { o.ClientID, o.ClientSecret = "public", "" },
	} {
		t.Run(name, func(t *testing.T) {
			s, op := zitadel(t, change, mira)
			require.Equal(t, "done", get(t, browser(t), s.URL+"/begin?to="+url.QueryEscape("/plugins/?q=a b")))
			require.NoError(t, s.err)
			assert.Equal(t, "/plugins/?q=a b", s.to)
			assert.Equal(t, signin.Identity{
				Issuer: op.URL, Subject: "u-1", Name: "Mira Example", Email: "mira@example.org", EmailVerified: true,
			}, s.who)
		})
	}
}

// TestSignInChoose takes the second of two people on the provider's page.
func TestSignInChoose(t *testing.T) {
	s, _ := zitadel(t, nil, mira, signintest.Person{Subject: "u-2", Name: "Noor"})
	b := browser(t)
	page := get(t, b, s.URL+"/begin?to=//evil.example")
	at := strings.Index(page, `/login?id=`)
	require.Positive(t, at)
	id, _, _ := strings.Cut(page[at+len(`/login?id=`):], "&")
	get(t, b, s.p.Issuer()+"/login?as=u-2&id="+id)
	require.NoError(t, s.err)
	assert.Equal(t, signin.Identity{Issuer: s.p.Issuer(), Subject: "u-2", Name: "Noor"}, s.who)
	assert.Equal(t, "/", s.to, "not to another site")
}

// TestSignInAttacks goes through the provider up to the callback, and comes back with
// something else.
func TestSignInAttacks(t *testing.T) {
	c := newClock()
	s, op := zitadel(t, func(o *signin.ProviderOptions) { o.Now = c.now }, mira)
	// come signs in up to the callback and returns what the browser would bring.
	come := func() (signin.Pending, url.Values) {
		to, begun, err := s.p.Begin(t.Context(), "/")
		require.NoError(t, err)
		get(t, browser(t), to) // its callback finds no cookie
		require.ErrorIs(t, s.err, signin.ErrExpired)
		require.NotEmpty(t, s.back.Get("code"))
		return begun, s.back
	}
	finish := func(b signin.Pending, q url.Values) error {
		who, to, err := s.p.Finish(t.Context(), b, q)
		if err != nil {
			assert.Zero(t, who)
			assert.Empty(t, to)
			assert.NotContains(t, err.Error(), "s3cret")
			if code := q.Get("code"); code != "" {
				assert.NotContains(t, err.Error(), code)
			}
		}
		return err
	}

	begun, back := come()
	require.NoError(t, finish(begun, back), "the control")
	require.ErrorIs(t, finish(begun, back), signin.ErrRefused, "a code is good once")

	begun, back = come()
	other, otherBack := come()
	require.ErrorIs(t, finish(other, back), signin.ErrRefused, "the state of another browser")
	require.ErrorIs(t, finish(begun, otherBack), signin.ErrRefused, "and the other way round")
	swapped := url.Values{"state": back["state"], "code": otherBack["code"]}
	require.ErrorIs(t, finish(begun, swapped), signin.ErrRefused, "the code of another sign-in: PKCE")
	require.NoError(t, finish(begun, back), "the control")

	begun, back = come()
	for name, q := range map[string]url.Values{
		"no state":  {"code": back["code"]},
		"no code":   {"state": back["state"]},
		"two codes": {"state": back["state"], "code": {back.Get("code"), "x"}},
		"long code": {"state": back["state"], "code": {strings.Repeat("x", 5000)}},
		"mix-up":    {"state": back["state"], "code": back["code"], "iss": {"https://evil.example"}},
		"empty iss": {"state": back["state"], "code": back["code"], "iss": {""}},
		"an error":  {"state": back["state"], "error": {"invalid_scope"}},
		"injection": {"state": back["state"], "error": {"<script>\n"}},
		"empty":     {},
	} {
		err := finish(begun, q)
		require.ErrorIs(t, err, signin.ErrRefused, name)
		assert.NotContains(t, err.Error(), "<script>")
	}
	require.ErrorIs(t, finish(begun, url.Values{"state": back["state"], "error": {"access_denied"}}), signin.ErrDeclined)
	require.ErrorIs(t, finish(begun, url.Values{"state": back["state"], "error": {"temporarily_unavailable"}}), signin.ErrUnavailable)
	require.ErrorIs(t, finish("", back), signin.ErrExpired)
	require.ErrorIs(t, finish("bm90IG91cnM", back), signin.ErrRefused)
	require.ErrorIs(t, finish(begun[:len(begun)-2]+"AA", back), signin.ErrRefused, "a changed cookie")
	back.Set("iss", op.URL)
	require.NoError(t, finish(begun, back), "RFC 9207: the control")

	begun, back = come()
	c.add(signin.MaxPending)
	require.ErrorContains(t, finish(begun, back), "the sign-in took longer")
}

// TestPendingIsBound shows that what one provider's sign-in left in the browser is
// nothing to another provider, client or key.
func TestPendingIsBound(t *testing.T) {
	base := signin.ProviderOptions{Issuer: "http://127.0.0.1:9/a", ClientID: "hub", RedirectURL: "https://hub.example.org/a", Key: testKey()}
	i := signintest.NewIssuer(signintest.IssuerOptions{})
	defer i.Close()
	c := newClock()
	base.Issuer, base.Now = i.URL, c.now
	p, err := signin.NewProvider(base)
	require.NoError(t, err)
	_, begun, err := p.Begin(t.Context(), "/")
	require.NoError(t, err)
	_, _, err = p.Finish(t.Context(), begun, url.Values{})
	require.ErrorContains(t, err, "(state)", "the control: it opens")
	c.add(signin.MaxPending - 2*time.Second)
	_, _, err = p.Finish(t.Context(), begun, url.Values{})
	require.ErrorContains(t, err, "(state)", "it still does")
	c.add(2 * time.Second)
	_, _, err = p.Finish(t.Context(), begun, url.Values{})
	require.ErrorIs(t, err, signin.ErrExpired)
	require.ErrorContains(t, err, "the sign-in took longer")
	for name, change := range map[string]func(*signin.ProviderOptions){
		"issuer":   func(o *signin.ProviderOptions) { o.Issuer = "https://other.example" },
		"client":   func(o *signin.ProviderOptions) { o.ClientID = "other" },
		"redirect": func(o *signin.ProviderOptions) { o.RedirectURL = "https://hub.example.org/b" },
		"key":      func(o *signin.ProviderOptions) { o.Key = []byte(strings.Repeat("k", 32)) },
	} {
		o := base
		change(&o)
		p, err := signin.NewProvider(o)
		require.NoError(t, err)
		_, _, err = p.Finish(t.Context(), begun, url.Values{})
		require.ErrorIs(t, err, signin.ErrRefused, name)
		require.ErrorContains(t, err, "not ours", name)
	}
}

// TestProviderWantsVerifier shows that the provider does not give a token for a code
// without the PKCE verifier, or with another.
func TestProviderWantsVerifier(t *testing.T) {
	s, op := zitadel(t, func(o *signin.ProviderOptions) { o.ClientID, o.ClientSecret = "public", "" }, mira)
	to, begun, err := s.p.Begin(t.Context(), "/")
	require.NoError(t, err)
	asked, err := url.Parse(to)
	require.NoError(t, err)
	assert.Equal(t, "S256", asked.Query().Get("code_challenge_method"))
	assert.NotEmpty(t, asked.Query().Get("nonce"))
	get(t, browser(t), to)
	form := url.Values{
		"grant_type": {"authorization_code"}, "client_id": {"public"},
		"redirect_uri": {s.URL + "/callback"}, "code": s.back["code"],
	}
	for _, verifier := range []string{"", strings.Repeat("a", 43)} {
		form.Set("code_verifier", verifier)
		resp, err := http.PostForm(op.URL+"/oauth/token", form)
		require.NoError(t, err)
		resp.Body.Close()
		assert.Equal(t, http.StatusBadRequest, resp.StatusCode, "verifier %q", verifier)
	}
	_, _, err = s.p.Finish(t.Context(), begun, s.back)
	require.NoError(t, err, "the control: the right verifier")
}

func TestWrongSecret(t *testing.T) {
	s, _ := zitadel(t, func(o *signin.ProviderOptions) { o.ClientSecret = "wrong" }, mira)
	get(t, browser(t), s.URL+"/begin")
	require.ErrorIs(t, s.err, signin.ErrRefused)
	require.ErrorContains(t, s.err, "invalid_client")
	assert.NotContains(t, s.err.Error(), "wrong")
}

// TestSecretInForm sends the secret the way the provider wants it, once.
func TestSecretInForm(t *testing.T) {
	h := newHostile(t, newClock())
	for _, methods := range [][]string{nil, {"client_secret_post"}, {"client_secret_post", "client_secret_basic"}} {
		h := newHostile(t, newClock())
		if methods != nil {
			h.SetMetadata("token_endpoint_auth_methods_supported", methods)
		}
		h.SetMetadata("token_endpoint", h.URL+"/tokens")
		inForm := len(methods) == 1
		h.Handle("POST /tokens", func(w http.ResponseWriter, r *http.Request) {
			_, password, basic := r.BasicAuth()
			assert.Equal(t, !inForm, basic)
			assert.Equal(t, "s3cret", password+r.PostFormValue("client_secret"))
			w.WriteHeader(http.StatusBadRequest)
		})
		p, err := signin.NewProvider(signin.ProviderOptions{
			Issuer: h.URL, ClientID: "hub", ClientSecret: "s3cret", RedirectURL: "https://hub.example.org/callback", Key: testKey(),
		})
		require.NoError(t, err)
		h.p = p
		_, err = h.begin(t)
		require.ErrorIs(t, err, signin.ErrRefused)
		require.Equal(t, 1, h.Fetches("/tokens"))
	}
	_, err := h.signIn(t, h.Token)
	require.NoError(t, err, "the control: a public client")
}

// TestOptionsKeepSecrets prints and logs the options.
func TestOptionsKeepSecrets(t *testing.T) {
	o := signin.ProviderOptions{Issuer: "https://id.example.org", ClientSecret: "s3cret", Key: testKey()}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("starts", "provider", o)
	for _, text := range []string{log.String(), fmt.Sprint(o), fmt.Sprintf("%+v %#v", o, o)} {
		assert.Contains(t, text, "id.example.org")
		assert.NotContains(t, text, "s3cret")
		assert.NotContains(t, text, string(testKey()))
	}
}

// TestProviderDownAtStart begins while the provider is away, and again when it is back.
func TestProviderDownAtStart(t *testing.T) {
	i := signintest.NewIssuer(signintest.IssuerOptions{})
	defer i.Close()
	i.SetDown(true)
	c := newClock()
	p, err := signin.NewProvider(signin.ProviderOptions{
		Issuer: i.URL, ClientID: "hub", RedirectURL: "https://hub.example.org/callback", Key: testKey(), Now: c.now,
	})
	require.NoError(t, err, "not fatal")
	_, _, err = p.Begin(t.Context(), "/")
	require.ErrorIs(t, err, signin.ErrUnavailable)
	require.ErrorContains(t, err, "503")
	i.SetDown(false)
	_, _, err = p.Begin(t.Context(), "/")
	require.ErrorIs(t, err, signin.ErrUnavailable, "it is left alone for a second")
	require.Equal(t, 1, i.Fetches("/.well-known/openid-configuration"))
	c.add(time.Second)
	_, _, err = p.Begin(t.Context(), "/")
	require.NoError(t, err)
	i.SetDown(true)
	c.add(2 * time.Hour)
	_, _, err = p.Begin(t.Context(), "/")
	require.NoError(t, err, "what was known is good for hours")
	c.add(5 * time.Hour)
	_, _, err = p.Begin(t.Context(), "/")
	require.ErrorIs(t, err, signin.ErrUnavailable, "and not for ever")
}

func TestNewProviderRefuses(t *testing.T) {
	good := signin.ProviderOptions{Issuer: "https://id.example.org", ClientID: "hub", ClientSecret: "s3cret", RedirectURL: "https://hub.example.org/cb", Key: testKey()}
	p, err := signin.NewProvider(good)
	require.NoError(t, err)
	assert.Equal(t, "id.example.org", p.Name())
	for name, change := range map[string]func(*signin.ProviderOptions){
		"no issuer":      func(o *signin.ProviderOptions) { o.Issuer = "" },
		"plain http":     func(o *signin.ProviderOptions) { o.Issuer = "http://id.example.org" },
		"user in issuer": func(o *signin.ProviderOptions) { o.Issuer = "https://a:b@id.example.org" },
		"a query":        func(o *signin.ProviderOptions) { o.Issuer = "https://id.example.org?tenant=1" },
		"file":           func(o *signin.ProviderOptions) { o.Issuer = "file:///etc/passwd" },
		"no client":      func(o *signin.ProviderOptions) { o.ClientID = "" },
		"no redirect":    func(o *signin.ProviderOptions) { o.RedirectURL = "" },
		"plain redirect": func(o *signin.ProviderOptions) { o.RedirectURL = "http://hub.example.org/cb" },
		"no key":         func(o *signin.ProviderOptions) { o.Key = nil },
		"short key":      func(o *signin.ProviderOptions) { o.Key = testKey()[:31] },
	} {
		o := good
		change(&o)
		_, err := signin.NewProvider(o)
		require.Error(t, err, name)
		assert.NotContains(t, err.Error(), "s3cret")
	}
}

// TestContextEnds shows that a caller who goes away does not wait for the provider, and
// that whoever comes next is not told of it.
func TestContextEnds(t *testing.T) {
	i := signintest.NewIssuer(signintest.IssuerOptions{})
	defer i.Close()
	p, err := signin.NewProvider(signin.ProviderOptions{Issuer: i.URL, ClientID: "hub", RedirectURL: "https://hub.example.org/callback", Key: testKey()})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = p.Begin(ctx, "/")
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, signin.ErrUnavailable)
	_, _, err = p.Begin(t.Context(), "/")
	require.NoError(t, err)
}

// TestOneLoads has one caller give up while the provider is slow: the request goes on
// for the others.
func TestOneLoads(t *testing.T) {
	i := signintest.NewIssuer(signintest.IssuerOptions{})
	defer i.Close()
	asked, answer := make(chan struct{}), make(chan struct{})
	slow := roundTripper(func(r *http.Request) (*http.Response, error) {
		close(asked)
		<-answer
		return http.DefaultTransport.RoundTrip(r)
	})
	p, err := signin.NewProvider(signin.ProviderOptions{
		Issuer: i.URL, ClientID: "hub", RedirectURL: "https://hub.example.org/callback", Key: testKey(), HTTPClient: &http.Client{Transport: slow},
	})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		_, _, err := p.Begin(ctx, "/")
		assert.NoError(t, err, "it was answered after all")
	})
	<-asked
	for range 3 {
		all.Go(func() {
			_, _, err := p.Begin(t.Context(), "/")
			assert.NoError(t, err)
		})
	}
	cancel()
	_, _, err = p.Begin(ctx, "/")
	require.ErrorIs(t, err, context.Canceled, "it does not wait")
	close(answer)
	all.Wait()
	require.Equal(t, 1, i.Fetches("/.well-known/openid-configuration"))
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
