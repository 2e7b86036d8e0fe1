package portal_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/marketplace/ui"
)

// town is a hub with two publishers, and people who have to do with them or not.
type town struct {
	*hubtest.World
	t *testing.T

	olga, mona *hubtest.Person // owner and maintainer of acme
	erin       *hubtest.Person // owner of evil, and nothing else
	uma        *hubtest.Person // a user
	mo         *hubtest.Person // moderator
	acme, evil *hubtest.Publisher
}

// newTown publishes acme/backup, and founds evil.
func newTown(t *testing.T, o server.Options) *town {
	t.Helper()
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	}
	w := &town{World: hubtest.New(t, hubtest.Options{Server: o}), t: t}
	w.olga, w.mona, w.erin = w.Person("Olga Owner"), w.Person("Mona Maintainer"), w.Person("Erin Else")
	w.uma, w.mo = w.Person("Uma User"), w.Person("Mo Moderator", hub.RoleModerator)
	w.acme, w.evil = w.Publisher(w.olga, "acme"), w.Publisher(w.erin, "evil")
	require.NoError(t, w.Hub.Publishing.SetMember(t.Context(), w.Actor(w.olga), "acme", w.mona.Account, hub.MemberMaintainer))
	first := hubtest.Manifest("acme/backup", "1.0.0")
	first.Permissions = []catalog.PermissionRequest{{Kind: "net.out", Target: "backup.acme.example:443", Reason: "To send backups away."}}
	w.Publish(w.acme, hubtest.Plugin{Manifest: first, Notes: publish.Notes{Added: []string{"Everything."}}})
	return w
}

// reply is what the hub answered.
type reply struct {
	Status int
	Body   string
	Header http.Header
}

// To is where an answer leads, without what it says there.
func (a reply) To() string {
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil {
		return err.Error()
	}
	return u.Path
}

func (w *town) do(method, path string, who *hubtest.Person, form url.Values, site string) reply {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.URL+path, strings.NewReader(form.Encode()))
	require.NoError(w.t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Sec-Fetch-Site", site)
	if who != nil {
		r.AddCookie(&http.Cookie{Name: identity.CookieName(false), Value: who.Cookie})
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := c.Do(r)
	require.NoError(w.t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(w.t, err)
	return reply{res.StatusCode, string(body), res.Header}
}

func (w *town) get(who *hubtest.Person, path string) reply {
	w.t.Helper()
	return w.do(http.MethodGet, path, who, nil, "same-origin")
}

// page gets a page that has to be there and in order.
func (w *town) page(who *hubtest.Person, path string) string {
	w.t.Helper()
	a := w.get(who, path)
	require.Equal(w.t, http.StatusOK, a.Status, "%s: %s", path, words(a.Body))
	inOrder(w.t, path, a)
	return a.Body
}

func pairs(list []string) url.Values {
	form := url.Values{}
	for i := 0; i+1 < len(list); i += 2 {
		form.Add(list[i], list[i+1])
	}
	return form
}

// post sends a form, given as names and values.
func (w *town) post(who *hubtest.Person, path string, form ...string) reply {
	w.t.Helper()
	return w.do(http.MethodPost, path, who, pairs(form), "same-origin")
}

// posted is post for a form that has to be taken.
func (w *town) posted(who *hubtest.Person, path string, form ...string) reply {
	w.t.Helper()
	a := w.post(who, path, form...)
	require.Equal(w.t, http.StatusSeeOther, a.Status, "%s: %s", path, words(a.Body))
	require.NotEqual(w.t, "/signin", a.To(), path)
	return a
}

// write changes the store, past all rules.
func (w *town) write(f func(hub.Tx) error) {
	w.t.Helper()
	require.NoError(w.t, w.Hub.Store.Update(w.t.Context(), f))
}

// words are the texts of a page, for messages of tests.
func words(page string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return strings.Join(strings.Fields(b.String()), " ")
		case html.TextToken:
			b.Write(z.Text())
			b.WriteByte(' ')
		}
	}
}

// inOrder holds a page to what all pages keep to: the policy, one h1, nothing inline,
// ids once, a label for each field, balanced elements.
func inOrder(t *testing.T, path string, a reply) {
	t.Helper()
	assert.Equal(t, ui.ContentSecurityPolicy, a.Header.Get("Content-Security-Policy"), path)
	assert.Equal(t, "no-store", a.Header.Get("Cache-Control"), path)
	balanced(t, path, a.Body)
	doc, err := html.Parse(strings.NewReader(a.Body))
	require.NoError(t, err)
	ids, labels, headings, level := map[string]bool{}, map[string]bool{}, 0, 1
	var fields []string
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		attr := map[string]string{}
		for _, at := range n.Attr {
			attr[at.Key] = at.Val
			assert.False(t, strings.HasPrefix(at.Key, "on"), "%s: inline handler %s", path, at.Key)
			assert.NotEqual(t, "style", at.Key, "%s: inline style in <%s>", path, n.Data)
			assert.False(t, strings.HasPrefix(strings.ToLower(strings.TrimSpace(at.Val)), "javascript:"), "%s: %s", path, at.Val)
		}
		if id := attr["id"]; id != "" {
			assert.False(t, ids[id], "%s: id %q twice", path, id)
			ids[id] = true
		}
		switch n.Data {
		case "h1", "h2", "h3", "h4":
			if n.Data == "h1" {
				headings++
			}
			at := int(n.Data[1] - '0')
			assert.LessOrEqual(t, at, level+1, "%s: <%s> comes after h%d", path, n.Data, level)
			level = at
		case "label":
			labels[attr["for"]] = true
		case "script":
			assert.NotEmpty(t, attr["src"], "%s: inline script", path)
		case "style":
			assert.Fail(t, "inline style sheet", path)
		case "table":
			assert.True(t, n.FirstChild != nil && n.FirstChild.Data == "caption", "%s: a table without a caption", path)
		case "input", "select", "textarea":
			if attr["type"] != "hidden" && attr["type"] != "checkbox" {
				assert.NotEmpty(t, attr["id"], "%s: field %s has no id", path, attr["name"])
				fields = append(fields, attr["id"])
			}
		case "form":
			assert.Contains(t, []string{"post", "get", ""}, attr["method"], path)
		case "a":
			if strings.HasPrefix(attr["href"], "http") {
				assert.Contains(t, attr["rel"], "nofollow", "%s: %s", path, attr["href"])
				assert.Contains(t, attr["rel"], "noopener", "%s: %s", path, attr["href"])
			}
		}
	}
	for _, id := range fields {
		assert.True(t, labels[id], "%s: field %q has no label", path, id)
	}
	assert.Equal(t, 1, headings, "%s: h1", path)
	for _, bad := range []string{"⟦", "ZgotmplZ", "%!", "&lt;no value", "<no value"} {
		assert.NotContains(t, a.Body, bad, path)
	}
}

// balanced says whether every element that is opened is closed, in order.
func balanced(t *testing.T, path, page string) {
	t.Helper()
	void := map[string]bool{"meta": true, "link": true, "input": true, "br": true, "img": true, "hr": true, "use": true, "rect": true, "circle": true, "path": true, "line": true, "polyline": true}
	var open []string
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			assert.Empty(t, open, "%s: not closed", path)
			return
		case html.StartTagToken:
			name, _ := z.TagName()
			if !void[string(name)] {
				open = append(open, string(name))
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if len(open) == 0 || open[len(open)-1] != string(name) {
				assert.Fail(t, "elements cross", "%s: </%s> while %v is open", path, name, open)
				return
			}
			open = open[:len(open)-1]
		}
	}
}
