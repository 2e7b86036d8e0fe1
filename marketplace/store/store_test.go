package store_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store"
)

var admin = store.Actor{Name: "ada", View: true, Install: true, ApproveRisky: true, Administer: true}

func conflict() *resolve.Conflict {
	return &resolve.Conflict{
		Summary:     "Cannot install Deploy 2.1.0.",
		Lines:       []resolve.Line{{Text: "orbit/deploy 2.1.0 needs kiln/redis >=7", Label: 1}, {Depth: 1, Text: "no version of kiln/redis is >=7"}},
		Suggestions: []resolve.Suggestion{{Text: "install orbit/deploy 2.0.3", Result: "works with kiln/redis 2.1.0"}},
		RuledOut:    []string{"kiln/redis 1.9.0 was yanked (data loss on upgrade)"},
	}
}

func shop(t testing.TB, m *market, a store.Actor, change ...func(*store.Options)) *store.Handler {
	t.Helper()
	o := store.Options{Actor: func(*http.Request) (store.Actor, error) { return a, nil }, Now: func() time.Time { return now }}
	for _, c := range change {
		c(&o)
	}
	h, err := store.New(m, o)
	require.NoError(t, err)
	return h
}

func do(h http.Handler, method, path, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(body))
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func get(h http.Handler, path string, header ...string) *httptest.ResponseRecorder {
	return do(h, http.MethodGet, path, "", header...)
}

func post(h http.Handler, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	return do(h, http.MethodPost, path, form.Encode(), header...)
}

// wellFormed checks what a browser and a screen reader rely on: one h1, ids that
// are unique, labels for fields, alternative texts, no inline code, no text without words.
func wellFormed(t *testing.T, page string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	ids, labels, headings := map[string]bool{}, map[string]bool{}, 0
	var fields []*html.Node
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
			assert.False(t, strings.HasPrefix(a.Key, "on"), "inline handler %s", a.Key)
			assert.NotEqual(t, "style", a.Key, "inline style in <%s>", n.Data)
			assert.False(t, strings.HasPrefix(a.Val, "javascript:"), a.Val)
		}
		if id := attr["id"]; id != "" {
			assert.False(t, ids[id], "id %q twice", id)
			ids[id] = true
		}
		switch n.Data {
		case "h1":
			headings++
		case "label":
			labels[attr["for"]] = true
		case "img":
			_, ok := attr["alt"]
			assert.True(t, ok, "img without alt")
			assert.True(t, strings.HasPrefix(attr["src"], "/"), "picture from elsewhere: %s", attr["src"])
		case "script":
			assert.NotEmpty(t, attr["src"], "inline script")
		case "style":
			assert.Fail(t, "inline style sheet")
		case "input", "select", "textarea":
			if attr["type"] != "hidden" && attr["type"] != "checkbox" {
				fields = append(fields, n)
			}
			_, ticked := attr["checked"]
			assert.False(t, ticked && attr["name"] == "consent", "something is agreed to beforehand")
		case "form":
			assert.Contains(t, []string{"post", "get"}, attr["method"])
		}
	}
	for _, f := range fields {
		for _, a := range f.Attr {
			if a.Key == "id" {
				assert.True(t, labels[a.Val], "field %q has no label", a.Val)
			}
		}
	}
	assert.Equal(t, 1, headings, "h1")
	assert.NotContains(t, page, "⟦", "a text is missing")
	assert.NotContains(t, page, "ZgotmplZ")
	assert.NotContains(t, page, "%!")
}

func TestNewRefusesWhatIsNotSaid(t *testing.T) {
	t.Parallel()
	actor := func(*http.Request) (store.Actor, error) { return admin, nil }
	for name, f := range map[string]func() (*store.Handler, error){
		"market": func() (*store.Handler, error) { return store.New(nil, store.Options{Actor: actor}) },
		"Actor":  func() (*store.Handler, error) { return store.New(newMarket(), store.Options{}) },
		"BasePath": func() (*store.Handler, error) {
			return store.New(newMarket(), store.Options{Actor: actor, BasePath: "/a"})
		},
		"Hosts": func() (*store.Handler, error) {
			return store.New(newMarket(), store.Options{Actor: actor, Hosts: []string{"a:80"}})
		},
	} {
		_, err := f()
		assert.ErrorContains(t, err, name)
	}
}

func TestHostsAgainstRebinding(t *testing.T) {
	t.Parallel()
	h := shop(t, newMarket(), admin, func(o *store.Options) { o.Hosts = []string{"panel.example.org", ".lan.example.org"} })
	for host, ok := range map[string]bool{
		"127.0.0.1": true, "127.0.0.1:8080": true, "[::1]:8080": true, "localhost:80": true, "panel.localhost": true, "panel.example.org": true,
		"PANEL.example.org:8443": true, "a.lan.example.org": true, "lan.example.org": false, ".lan.example.org": false, "evil.example": false, "panel.example.org.evil.example": false, "": false,
	} {
		r := httptest.NewRequest(http.MethodGet, "/plugins/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		want := http.StatusOK
		if !ok {
			want = http.StatusMisdirectedRequest
			assert.False(t, strings.Contains(w.Body.String(), "Backup"), "a stranger sees the shop")
		}
		assert.Equal(t, want, w.Code, host)
	}
}

func TestChangesOfAnotherOriginAreRefused(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	form := url.Values{"do": {"install"}, "plugin": {"acme/backup"}}
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "", "Origin", "https://evil.example"}} {
		for _, path := range []string{"/plugins/plans", "/plugins/plans/x/apply", "/plugins/hold", "/plugins/sync", "/plugins/operations/t3/cancel"} {
			w := post(h, path, form, header...)
			assert.Equal(t, http.StatusForbidden, w.Code, path)
		}
		w := do(h, http.MethodPost, "/plugins/api/v1/plans", `{"remove":["acme/mailer"]}`, append(header, "Content-Type", "application/json")...)
		assert.Equal(t, http.StatusForbidden, w.Code)
		w = do(h, http.MethodDelete, "/plugins/api/v1/operations/t3", "", header...)
		assert.Equal(t, http.StatusForbidden, w.Code)
	}
	assert.Empty(t, m.Asked)
	assert.Empty(t, m.Cancelled)
	assert.Zero(t, m.Synced)
}

func TestNothingChangesByGet(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	for _, path := range []string{"plans", "hold", "unhold", "sync", "plans/x/apply", "operations/t3/cancel"} {
		assert.Equal(t, http.StatusNotFound, get(h, "/plugins/"+path+"?do=remove&plugin=acme/mailer").Code, path)
	}
	assert.Empty(t, m.Asked)
	assert.Zero(t, m.Synced)
}

func TestViewerSeesButMayNotChange(t *testing.T) {
	t.Parallel()
	m := newMarket()
	m.Made = map[string]*install.Plan{m.Next.ID(): m.Next}
	h := shop(t, m, store.Actor{Name: "vic", View: true})
	for _, path := range []string{"", "p/acme/backup", "p/acme/backup/versions", "installed", "updates", "history", "settings", "plans/" + m.Next.ID(), "operations/t3"} {
		w := get(h, "/plugins/"+path)
		require.Equal(t, http.StatusOK, w.Code, path)
		wellFormed(t, w.Body.String())
		assert.NotContains(t, w.Body.String(), `action="/plugins/plans"`, path)
		assert.NotContains(t, w.Body.String(), `action="/plugins/hold"`, path)
		assert.Contains(t, w.Body.String(), "not change them", path)
	}
	for _, path := range []string{"plans", "plans/" + m.Next.ID() + "/apply", "hold", "unhold", "sync", "operations/t3/cancel"} {
		w := post(h, "/plugins/"+path, url.Values{"do": {"install"}, "plugin": {"acme/backup"}})
		assert.Equal(t, http.StatusForbidden, w.Code, path)
		wellFormed(t, w.Body.String())
	}
	assert.Empty(t, m.Asked)
	assert.Empty(t, m.Applied)
}

func TestActorWhoMayNothing(t *testing.T) {
	t.Parallel()
	h := shop(t, newMarket(), store.Actor{Name: "nobody"})
	w := get(h, "/plugins/installed")
	assert.Equal(t, http.StatusForbidden, w.Code)
	assert.NotContains(t, w.Body.String(), "Mailer")
	h = shop(t, newMarket(), admin, func(o *store.Options) {
		o.Actor = func(*http.Request) (store.Actor, error) { return admin, store.ErrUnauthenticated }
	})
	assert.Equal(t, http.StatusUnauthorized, get(h, "/plugins/").Code)
	h = shop(t, newMarket(), admin, func(o *store.Options) {
		o.Actor = func(*http.Request) (store.Actor, error) { return admin, io.ErrUnexpectedEOF }
	})
	w = get(h, "/plugins/")
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.NotContains(t, w.Body.String(), "unexpected EOF")
}

func TestLayoutOfThePanel(t *testing.T) {
	t.Parallel()
	var got store.Page
	h := shop(t, newMarket(), admin, func(o *store.Options) {
		o.BasePath = "/admin/ext/"
		o.Layout = func(w http.ResponseWriter, _ *http.Request, p store.Page) {
			got = p
			w.WriteHeader(p.Status)
			_, _ = io.WriteString(w, "<html>"+string(p.Head)+string(p.Body)) // a recorder does not fail
		}
	})
	w := get(h, "/admin/ext/p/acme/backup")
	require.Equal(t, http.StatusOK, w.Code)
	assert.Equal(t, "Backup", got.Title)
	assert.Equal(t, http.StatusNotFound, get(h, "/admin/ext/p/acme/nothing").Code, "an error's status is in the page")
	assert.Equal(t, http.StatusNotFound, got.Status)
	w = get(h, "/admin/ext/p/acme/backup")
	assert.Contains(t, string(got.Head), `href="/admin/ext/assets/souk.`)
	assert.Empty(t, w.Header().Get("Content-Security-Policy"), "the panel's own policy must stand")
	assert.NotContains(t, w.Body.String(), `"/plugins/`)
}

func TestAssetsAreForever(t *testing.T) {
	t.Parallel()
	h := shop(t, newMarket(), admin)
	w := get(h, "/plugins/")
	assert.Equal(t, store.ContentSecurityPolicy, w.Header().Get("Content-Security-Policy"))
	assert.Contains(t, store.ContentSecurityPolicy, "require-trusted-types-for 'script'")
	assert.NotContains(t, store.ContentSecurityPolicy, "unsafe")
	for _, name := range []string{"souk.css", "souk.js", "icons.svg"} {
		base, ext, _ := strings.Cut(name, ".")
		page := w.Body.String()
		path := regexp.MustCompile(`/plugins/assets/` + base + `\.[0-9a-f]+\.` + ext).FindString(page)
		require.NotEmpty(t, path, name)
		a := get(h, path)
		assert.Equal(t, http.StatusOK, a.Code, path)
		assert.Contains(t, a.Header().Get("Cache-Control"), "immutable")
		assert.Equal(t, "nosniff", a.Header().Get("X-Content-Type-Options"))
	}
	assert.Equal(t, http.StatusNotFound, get(h, "/plugins/assets/souk.css").Code)
}
