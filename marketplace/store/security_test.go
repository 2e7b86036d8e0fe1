package store_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
)

// changing are the routes that need more than to view; all others need that.
var changing = map[string]string{
	"POST plans": "install", "POST plans/{id}/apply": "install", "POST operations/{id}/cancel": "install", "POST operations/{id}/retry": "install",
	"POST hold": "install", "POST unhold": "install", "POST forgive": "install",
	"POST sync": "administer", "POST settings/updates": "administer", "POST settings/freeze": "administer",
	"POST p/{publisher}/{name}/reviews": "install", "POST p/{publisher}/{name}/reviews/delete": "install", "POST p/{publisher}/{name}/reviews/helpful": "install",
	"GET p/{publisher}/{name}/report": "install", "POST p/{publisher}/{name}/report": "install",
	"POST account/link": "administer", "GET account/unlink": "administer", "POST account/unlink": "administer",
	"DELETE api/v1/operations/{id}": "install", "POST api/v1/operations/{id}/retry": "install", "DELETE api/v1/failures/{digest}": "install",
	"PUT api/v1/settings/updates": "administer", "PUT api/v1/holds/{publisher}/{name}": "install", "DELETE api/v1/holds/{publisher}/{name}": "install",
	"POST api/v1/sync": "administer", "POST api/v1/plans": "install", "POST api/v1/plans/{id}/apply": "install",
	"GET api/v1/plugins/{publisher}/{name}/reviews/mine": "install", "PUT api/v1/plugins/{publisher}/{name}/reviews/mine": "install", "DELETE api/v1/plugins/{publisher}/{name}/reviews/mine": "install",
	"PUT api/v1/plugins/{publisher}/{name}/reviews/{author}/helpful": "install", "DELETE api/v1/plugins/{publisher}/{name}/reviews/{author}/helpful": "install",
	"POST api/v1/plugins/{publisher}/{name}/reports": "install", "POST api/v1/account/link": "administer", "DELETE api/v1/account/link": "administer",
}

// place is a storefront with what is behind it, to try its routes on.
type place struct {
	*store.Handler
	m   *market
	hub *storetest.Hub
}

func newPlace(t *testing.T, change ...func(*store.Options)) place {
	t.Helper()
	m, hub := newMarket(), newHub()
	m.Made = map[string]*install.Plan{m.Next.ID(): m.Next}
	return place{shop(t, m, admin, append(change, hub.In)...), m, hub}
}

// visit calls a route.
func (h place) visit(t *testing.T, pattern string) *httptest.ResponseRecorder {
	t.Helper()
	method, path, ok := strings.Cut(pattern, " ")
	if !ok {
		method, path = http.MethodGet, pattern+"nothing"
	}
	id := h.m.Next.ID()
	if strings.Contains(path, "operations/") {
		id = "t3"
	}
	path = strings.NewReplacer("{$}", "", "{publisher}", "acme", "{name}", "backup", "{tab}", "versions", "{version}", "2.1.0", "{title...}", "shots/1.png", "{path...}", "no/where",
		"{n}", "0", "{id}", id, "{author}", "acc_bob", "{digest}", string(newMarket().Updating.Failures[0].Digest)).Replace(path)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if strings.HasSuffix(path, "/events") {
		cancel() // it is cut after its first words
	}
	body := `{"nothing":1}`
	if method == http.MethodGet || method == http.MethodDelete {
		body = ""
	}
	r := httptest.NewRequestWithContext(ctx, method, "http://127.0.0.1/plugins/"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(path, "api/") {
		r.Header.Set("Content-Type", asJSON)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestRightsOfEveryRoute tries every route, of the pages and of the JSON, as everybody. Who
// may not is refused before anything is read or done; who may is not.
func TestRightsOfEveryRoute(t *testing.T) {
	t.Parallel()
	for who, a := range map[string]store.Actor{
		"nobody": {}, "without view": {Install: true, ApproveRisky: true, Administer: true}, "viewer": {View: true}, "risk approver": {View: true, ApproveRisky: true},
		"installer": {View: true, Install: true}, "administrator": {View: true, Administer: true}, "all": admin, "signed out": admin,
	} {
		as := func(o *store.Options) {
			o.Actor = func(*http.Request) (store.Actor, error) {
				if who == "signed out" {
					return a, store.ErrUnauthenticated
				}
				return a, nil
			}
		}
		open, closed := newPlace(t, as), newPlace(t, as) // for what they may, and for what not
		for pattern := range changing {
			assert.Contains(t, closed.Routes(), pattern, "a route that is gone")
		}
		for pattern := range closed.Routes() {
			need := changing[pattern]
			name := who + ": " + pattern
			if a.View && (need == "" || need == "install" && a.Install || need == "administer" && a.Administer) && who != "signed out" {
				assert.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, open.visit(t, pattern).Code, name)
				continue
			}
			want := http.StatusForbidden
			if who == "signed out" {
				want = http.StatusUnauthorized
			}
			w := closed.visit(t, pattern)
			assert.Equal(t, want, w.Code, name)
			if strings.Contains(pattern, "api/") {
				assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"), name)
			}
			if !a.View || who == "signed out" {
				assert.NotContains(t, w.Body.String(), "Mailer", name)
			}
		}
		m := closed.m
		assert.Empty(t, m.Asked, who)
		assert.Empty(t, m.Applied, who)
		assert.Empty(t, m.Cancelled, who)
		assert.Empty(t, m.Updating.Holds, who)
		assert.Zero(t, m.Synced, who)
		assert.Empty(t, closed.hub.Did, who)
	}
}

// TestHeadersOfEveryAnswer: whatever is answered is kept by no cache that others use, is
// taken for nothing else than it says, and stands in no frame of another site.
func TestHeadersOfEveryAnswer(t *testing.T) {
	t.Parallel()
	for _, a := range []store.Actor{admin, {}} {
		h := newPlace(t, func(o *store.Options) { o.Actor = func(*http.Request) (store.Actor, error) { return a, nil } })
		for pattern := range h.Routes() {
			w := h.visit(t, pattern)
			cached := w.Header().Get("Cache-Control")
			picture := w.Code == http.StatusOK && strings.HasPrefix(w.Header().Get("Content-Type"), "image/")
			assert.True(t, cached == "no-store" || picture && strings.HasPrefix(cached, "private"), "%s: %s", pattern, cached)
			assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"), pattern)
			assert.Equal(t, "SAMEORIGIN", w.Header().Get("X-Frame-Options"), pattern)
			if strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") && w.Code != http.StatusSeeOther {
				assert.Contains(t, w.Header().Get("Content-Security-Policy"), "frame-ancestors 'self'", pattern)
			}
		}
	}
}

// TestErrorsGiveNothingAway lets everything fail with what only the log may say.
func TestErrorsGiveNothingAway(t *testing.T) {
	t.Parallel()
	const secret = "/var/lib/panel/keys: 10.1.2.3 refused token=s3cret"
	failed := 0
	h := newPlace(t)
	m, hub, err := h.m, h.hub, errors.New(secret)
	m.PlanErr, m.ApplyErr, m.MediaErr, m.OffersErr, m.HistoryErr, m.SyncErr, m.CancelErr, m.PolicyErr = err, err, err, err, err, err, err, err
	hub.Err, hub.ActErr, m.Catalogs[0].Err = err, err, err
	for pattern := range h.Routes() {
		w := h.visit(t, pattern)
		assert.NotContains(t, w.Body.String(), "s3cret", pattern)
		assert.NotContains(t, w.Body.String(), "/var/lib", pattern)
		if w.Code == http.StatusInternalServerError {
			failed++
		}
	}
	assert.Greater(t, failed, 4, "a control: errors were met")
}

// TestNobodyIsLedElsewhere: where a form goes on to is ours, whatever it says.
func TestNobodyIsLedElsewhere(t *testing.T) {
	t.Parallel()
	h := shop(t, newMarket(), admin, newHub().In)
	led := 0
	for _, evil := range []string{"https://evil.example/", "//evil.example/", `/\evil.example`, "/plugins/../../evil", "updates\r\nSet-Cookie: a=b", "javascript:alert(1)", "updates"} {
		for path, form := range map[string]url.Values{
			"hold": {"plugin": {"acme/backup"}}, "unhold": {"plugin": {"acme/backup"}}, "settings/freeze": {"on": {"1"}}, "sync": {}, "plans": {"do": {"install"}, "plugin": {"acme/backup"}},
			"p/acme/backup/reviews/helpful": {"author": {"acc_bob"}, "helpful": {"1"}, "sort": {evil}, "stars": {evil}, "cursor": {evil}},
		} {
			for _, key := range []string{"back", "next", "return", "url", "Location"} {
				form.Set(key, evil)
			}
			w := post(h, "/plugins/"+path+"?back="+url.QueryEscape(evil), form, "Referer", evil)
			to := w.Header().Get("Location")
			if w.Code != http.StatusSeeOther {
				continue
			}
			led++
			u, err := url.Parse(to)
			require.NoError(t, err, to)
			assert.Empty(t, u.Host+u.Scheme, to)
			assert.True(t, strings.HasPrefix(u.Path, "/plugins/"), to)
			assert.NotContains(t, u.Path, "..")
			assert.False(t, strings.ContainsFunc(to, unicode.IsControl), "%q", to)
		}
	}
	assert.Greater(t, led, 30, "a control: they were led somewhere")
	for _, path := range []string{"/plugins//evil.example/x", "/plugins/%0d%0aSet-Cookie:%20a=b", "/plugins/p/acme/x%0d%0aa:b", "/plugins/compare?id=%0d%0aa:b&id=x", "/plugins/../..//evil.example", "/plugins/plans/%0aX:y", "/plugins/media/acme/backup/2.1.0/a%0d%0ab"} {
		w := get(h, path)
		for key, values := range w.Header() {
			assert.False(t, strings.ContainsFunc(key+strings.Join(values, ""), unicode.IsControl), "%s: %s: %q", path, key, values)
		}
		assert.False(t, strings.HasPrefix(w.Header().Get("Location"), "//"), path)
	}
}

// TestOnlyMediaOfTheReleaseIsServed: a title is looked up and leads to no path.
func TestOnlyMediaOfTheReleaseIsServed(t *testing.T) {
	t.Parallel()
	m := newMarket()
	h := shop(t, m, admin)
	for _, title := range []string{"../etc/passwd", "/etc/passwd", "shots/../secret.png", "secret.png", "shots/1.png/", "", "shots\\1.png", "shots/1.png\x00.txt"} {
		m.Blobs[title] = picture(8, 8, 1) // what could be had is not
		w := get(h, "/plugins/media/acme/backup/2.1.0/"+url.PathEscape(title))
		assert.Equal(t, http.StatusNotFound, w.Code, "%q", title)
		assert.NotContains(t, w.Header().Get("Content-Type"), "image", title)
	}
	assert.Equal(t, http.StatusOK, get(h, "/plugins/media/acme/backup/2.1.0/shots%2F1.png").Code, "a control")
	assert.Equal(t, http.StatusNotFound, get(h, "/plugins/media/acme/backup/README.md/..%2F2.1.0").Code)
	assert.Equal(t, http.StatusNotFound, get(h, "/plugins/media/acme/backup/2.1.0/README.md").Code, "no picture")
}

// dripping is a body that never comes to its end, on a connection with deadlines.
type dripping struct {
	*httptest.ResponseRecorder
	deadline time.Time
}

func (d *dripping) SetReadDeadline(at time.Time) error { d.deadline = at; return nil }
func (d *dripping) Close() error                       { return nil }

func (d *dripping) Read(b []byte) (int, error) {
	if time.Now().Add(time.Second).After(d.deadline) {
		return 0, os.ErrDeadlineExceeded
	}
	time.Sleep(time.Second)
	b[0] = ' '
	return 1, nil
}

// TestSlowBodiesAreNotWaitedFor sends a body that drips.
func TestSlowBodiesAreNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, path := range []string{"plans", "api/v1/plans"} {
			m := newMarket()
			w, began := &dripping{ResponseRecorder: httptest.NewRecorder()}, time.Now()
			r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1/plugins/"+path, w)
			r.Header.Set("Content-Type", asJSON)
			shop(t, m, admin).ServeHTTP(w, r)
			assert.Equal(t, http.StatusRequestTimeout, w.Code, w.Body)
			assert.LessOrEqual(t, time.Since(began), 31*time.Second)
			assert.True(t, w.deadline.IsZero(), "it holds for the body only")
			assert.Empty(t, m.Asked)
		}
	})
}

// poison puts an attack at the end of every text below v, but for those that name
// something: ids, versions, digests, files.
func poison(v reflect.Value, name, attack string) (n int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				n += poison(v.Field(i), f.Name, attack)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			n += poison(v.Index(i), name, attack)
		}
	case reflect.String:
		switch name {
		case "ID", "Plugin", "Version", "Latest", "Digest", "Namespace", "File", "Title", "Docs", "Kind", "State", "Source", "Risk", "Range", "Target", "Action", "Publisher":
			return 0
		}
		v.SetString(v.String() + attack)
		return 1
	}
	return n
}

// TestTextOfPublishersTurnsNothingAround puts what turns text around, control characters and
// markup into every text of every plugin, and asks for every page.
func TestTextOfPublishersTurnsNothingAround(t *testing.T) {
	t.Parallel()
	const attack = "\u202egnp.\u202d\u202a\u202b\x1b[31m\x07\"'><xss onmouseover=alert(1)><a href=javascript:alert(1)>\u2028${7*7}{{7*7}}"
	h, poisoned := newPlace(t), 0
	m := h.m
	for id, p := range m.Listed {
		p.Advisories = []catalog.Advisory{{ID: "ADV-1", Title: "It", Detail: "It", URL: "https://example.org/", Action: catalog.ActionWarn, Plugin: id, Issued: now}}
		poisoned += poison(reflect.ValueOf(&p).Elem(), "", attack)
		p.Releases[0].Manifest.Homepage, p.Releases[0].Manifest.Source, p.Publisher.Homepage = "javascript:alert(1)", "data:text/html,<script>alert(1)</script>", " JaVaScRiPt:alert(1)"
		m.Listed[id] = p
	}
	for i := range m.Here {
		m.Here[i].Manifest.Name += attack
	}
	m.Blobs["README.md"] = []byte("# Hi " + attack + "\n\n[a](javascript:alert(1)) <a href='data:text/html,x'>b</a>")
	m.Offered[0].Name, m.Offered[0].Notes[0].Text = attack, attack
	m.Next = backupPlan(m)
	m.Made = map[string]*install.Plan{m.Next.ID(): m.Next}
	require.Greater(t, poisoned, 200)
	pages, shown := 0, 0
	for pattern := range h.Routes() {
		w := h.visit(t, pattern)
		if !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") || w.Code >= 300 {
			continue
		}
		pages++
		page := w.Body.String()
		shown += strings.Count(page, "&lt;xss")
		assert.False(t, strings.ContainsFunc(page, func(c rune) bool { return c >= 0x202a && c <= 0x202e }), pattern)
		assert.NotContains(t, page, "49{{", pattern)
		wellFormed(t, page)
		doc, err := html.Parse(strings.NewReader(page))
		require.NoError(t, err)
		for n := range doc.Descendants() {
			assert.NotEqual(t, "xss", n.Data, pattern)
			for _, a := range n.Attr {
				if a.Key == "href" || a.Key == "src" || a.Key == "action" {
					u, err := url.Parse(strings.TrimSpace(a.Val))
					if assert.NoError(t, err, "%s: %s", pattern, a.Val) {
						assert.Contains(t, []string{"", "https", "http", "mailto"}, u.Scheme, "%s: %s", pattern, a.Val)
					}
				}
			}
		}
	}
	assert.Greater(t, pages, 10)
	assert.Greater(t, shown, 20, "a control: it is shown, as text")
}
