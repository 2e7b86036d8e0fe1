package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/markettest"
)

const password = "correct horse battery"

// start serves PocketBase with the store, and returns its address. The catalog has one plugin.
func start(t *testing.T, change ...func(*core.Collection)) string {
	t.Helper()
	w := markettest.New(t, markettest.Options{NoSync: true}, markettest.Plugin{
		Manifest: markettest.Manifest("acme/hello", "1.0.0"), Files: map[string]string{"hello.txt": "Hello from a plugin."},
	})
	app := pocketbase.NewWithConfig(pocketbase.Config{DefaultDataDir: t.TempDir(), HideStartBanner: true})
	require.NoError(t, app.Bootstrap())
	attach(app, w.CatalogRef(), w.Root())
	for collection, email := range map[string]string{core.CollectionNameSuperusers: "ada@example.org", "users": "vic@example.org"} {
		c, err := app.FindCollectionByNameOrId(collection)
		require.NoError(t, err)
		for _, f := range change {
			f(c)
		}
		require.NoError(t, app.Save(c))
		r := core.NewRecord(c)
		r.SetEmail(email)
		r.SetPassword(password)
		require.NoError(t, app.Save(r))
	}
	router, err := apis.NewRouter(app)
	require.NoError(t, err)
	var server *httptest.Server
	se := &core.ServeEvent{App: app, Router: router}
	require.NoError(t, app.OnServe().Trigger(se, func(e *core.ServeEvent) error {
		mux, err := e.Router.BuildMux()
		if err == nil {
			server = httptest.NewServer(mux)
		}
		return err
	}))
	t.Cleanup(func() {
		server.Close()
		require.NoError(t, app.OnTerminate().Trigger(&core.TerminateEvent{App: app}, func(e *core.TerminateEvent) error { return app.ResetBootstrapState() }))
	})
	return server.URL
}

// person is a browser with cookies and without script.
type person struct {
	t      *testing.T
	base   string
	cookie *http.Cookie
}

// signIn is PocketBase's own sign-in.
func signIn(t *testing.T, base, collection, email string) person {
	t.Helper()
	body, err := json.Marshal(map[string]string{"identity": email, "password": password})
	require.NoError(t, err)
	resp, err := http.Post(base+"/api/collections/"+collection+"/auth-with-password", "application/json", bytes.NewReader(body))
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Len(t, resp.Cookies(), 1)
	c := resp.Cookies()[0]
	assert.True(t, c.HttpOnly)
	assert.Equal(t, http.SameSiteStrictMode, c.SameSite)
	return person{t, base, c}
}

// do sends a form, or without one asks for a page; it follows where that leads.
func (p person) do(path string, form url.Values, header ...string) (int, string, string) {
	p.t.Helper()
	method, body := http.MethodGet, ""
	if form != nil {
		method, body = http.MethodPost, form.Encode()
	}
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.base+path, strings.NewReader(body))
	require.NoError(p.t, err)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	if p.cookie != nil {
		r.AddCookie(p.cookie)
	}
	client := http.Client{CheckRedirect: func(to *http.Request, _ []*http.Request) error {
		if p.cookie != nil && to.Header.Get("Cookie") == "" {
			to.AddCookie(p.cookie)
		}
		return nil
	}}
	resp, err := client.Do(r)
	require.NoError(p.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	return resp.StatusCode, resp.Request.URL.Path, string(b)
}

// TestInstallInPocketBase: a superuser of PocketBase installs a plugin with plain forms, and
// PocketBase serves it; a user may look only, a stranger nothing.
func TestInstallInPocketBase(t *testing.T) {
	base := start(t)
	install := url.Values{"do": {"install"}, "plugin": {"acme/hello"}, "source": {"main"}}

	status, _, _ := person{t: t, base: base}.do("/plugins/", nil)
	assert.Equal(t, http.StatusUnauthorized, status)
	status, _, _ = person{t, base, &http.Cookie{Name: cookieName, Value: "x.y.z"}}.do("/plugins/", nil)
	assert.Equal(t, http.StatusUnauthorized, status, "a token of somebody's own making")

	vic := signIn(t, base, "users", "vic@example.org")
	status, _, _ = vic.do("/plugins/", nil)
	assert.Equal(t, http.StatusOK, status)
	status, _, _ = vic.do("/plugins/plans", install)
	assert.Equal(t, http.StatusForbidden, status)

	ada := signIn(t, base, core.CollectionNameSuperusers, "ada@example.org")
	status, _, _ = ada.do("/plugins/sync", url.Values{}, "Sec-Fetch-Site", "cross-site")
	assert.Equal(t, http.StatusForbidden, status, "a form of another site")
	status, _, page := ada.do("/plugins/sync", url.Values{})
	require.Equal(t, http.StatusOK, status, page)
	status, at, page := ada.do("/plugins/plans", install)
	require.Equal(t, http.StatusOK, status, page)
	require.Contains(t, at, "/plugins/plans/")
	status, _, _ = ada.do("/x/acme/hello/hello.txt", nil)
	assert.Equal(t, http.StatusNotFound, status, "it is not installed yet")
	consents := url.Values{}
	for _, hit := range regexp.MustCompile(`name="consent" value="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		consents.Add("consent", hit[1])
	}
	status, at, page = ada.do(at+"/apply", consents)
	require.Equal(t, http.StatusOK, status, page)
	require.Contains(t, at, "/plugins/operations/")
	require.Eventually(t, func() bool {
		_, _, body := ada.do(strings.Replace(at, "/plugins/", "/plugins/api/v1/", 1), nil)
		return strings.Contains(body, `"state":"done"`)
	}, 20*time.Second, 50*time.Millisecond)
	status, _, body := ada.do("/x/acme/hello/hello.txt", nil)
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, "Hello from a plugin.", body)
	_, _, page = ada.do("/plugins/history", nil)
	assert.Contains(t, page, "ada@example.org")
}

// TestFirstFactorIsNoSignIn: where PocketBase asks for two factors, the first opens nothing here.
// That a sign-in without them does, the test above shows.
func TestFirstFactorIsNoSignIn(t *testing.T) {
	base := start(t, func(c *core.Collection) { c.MFA.Enabled, c.OTP.Enabled = true, true })
	for collection, email := range map[string]string{core.CollectionNameSuperusers: "ada@example.org", "users": "vic@example.org"} {
		resp, err := http.Post(base+"/api/collections/"+collection+"/auth-with-password", "application/json", strings.NewReader(`{"identity":"`+email+`","password":"`+password+`"}`))
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, http.StatusUnauthorized, resp.StatusCode)
		assert.Empty(t, resp.Cookies())
	}
}

// TestEmbeddingIsShort counts the lines that the embedding takes.
func TestEmbeddingIsShort(t *testing.T) {
	b, err := os.ReadFile("embed.go")
	require.NoError(t, err)
	_, from, ok := strings.Cut(string(b), "\n// embed\n")
	require.True(t, ok)
	lines, _, ok := strings.Cut(from, "\n// end\n")
	require.True(t, ok)
	assert.LessOrEqual(t, strings.Count(strings.TrimSpace(lines), "\n")+1, 30)
}
