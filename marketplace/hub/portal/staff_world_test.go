package portal_test

import (
	"io"
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
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/ui"
)

// office is a hub with one of each who works there, and something for each to do.
type office struct {
	*hubtest.World
	t *testing.T

	ada, rosa, rick, mo, max *hubtest.Person // administrator, two reviewers, two moderators
	olga, uma                *hubtest.Person // an owner of acme, a user
	acme                     *hubtest.Publisher
	sub                      publishing.Detail // in review, its risk grew
}

// newOffice publishes acme/backup 1.0.0 and puts 1.1.0 before reviewers.
func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{World: hubtest.New(t, hubtest.Options{}), t: t}
	o.ada = o.Person("Ada Admin", hub.RoleAdmin)
	o.rosa, o.rick = o.Person("Rosa Review", hub.RoleReviewer), o.Person("Rick Review", hub.RoleReviewer)
	o.mo, o.max = o.Person("Mo Moderator", hub.RoleModerator), o.Person("Max Moderator", hub.RoleModerator)
	o.olga, o.uma = o.Person("Olga Owner"), o.Person("Uma User")
	o.acme = o.Publisher(o.olga, "acme")
	o.Publish(o.acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})
	next := hubtest.Manifest("acme/backup", "1.1.0")
	next.Permissions = []catalog.PermissionRequest{{Kind: "net.out", Target: "backup.acme.example:443", Reason: "To send backups away."}}
	o.sub = o.Submit(o.acme, hubtest.Plugin{Manifest: next, Notes: publish.Notes{Added: []string{"Backups can be sent away."}}})
	require.Equal(t, hub.StateInReview, o.sub.State, o.sub.Reason)
	require.True(t, o.sub.Grew)
	return o
}

// officeAnswer is what the hub answered.
type officeAnswer struct {
	Status int
	Body   string
	Header http.Header
}

// To is the path that an answer leads to.
func (a officeAnswer) To() string {
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil {
		return err.Error()
	}
	return u.Path
}

func (o *office) do(method, path string, who *hubtest.Person, form url.Values, site string) officeAnswer {
	o.t.Helper()
	r, err := http.NewRequestWithContext(o.t.Context(), method, o.URL+path, strings.NewReader(form.Encode()))
	require.NoError(o.t, err)
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Sec-Fetch-Site", site)
	if who != nil {
		r.AddCookie(&http.Cookie{Name: identity.CookieName(false), Value: who.Cookie})
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	w, err := c.Do(r)
	require.NoError(o.t, err)
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	require.NoError(o.t, err)
	return officeAnswer{w.StatusCode, string(body), w.Header}
}

func (o *office) get(who *hubtest.Person, path string) officeAnswer {
	o.t.Helper()
	return o.do(http.MethodGet, path, who, nil, "same-origin")
}

// page gets a page that has to be there and in order.
func (o *office) page(who *hubtest.Person, path string) string {
	o.t.Helper()
	a := o.get(who, path)
	require.Equal(o.t, http.StatusOK, a.Status, "%s: %s", path, pageWords(a.Body))
	assert.Equal(o.t, ui.ContentSecurityPolicy, a.Header.Get("Content-Security-Policy"), path)
	staffPageInOrder(o.t, path, a.Body)
	return a.Body
}

// post sends a form, given as names and values.
func (o *office) post(who *hubtest.Person, path string, pairs ...string) officeAnswer {
	o.t.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return o.do(http.MethodPost, path, who, form, "same-origin")
}

// posted is post for a form that has to be accepted.
func (o *office) posted(who *hubtest.Person, path string, pairs ...string) officeAnswer {
	o.t.Helper()
	a := o.post(who, path, pairs...)
	require.Equal(o.t, http.StatusSeeOther, a.Status, "%s: %s", path, pageWords(a.Body))
	require.NotEqual(o.t, "/signin", a.To(), path)
	return a
}

// read and write look into the store and change it, past all rules.
func (o *office) read(f func(hub.Tx) error) {
	o.t.Helper()
	require.NoError(o.t, o.Hub.Store.View(o.t.Context(), f))
}

func (o *office) write(f func(hub.Tx) error) {
	o.t.Helper()
	require.NoError(o.t, o.Hub.Store.Update(o.t.Context(), f))
}

func (o *office) submission() hub.Submission {
	o.t.Helper()
	d, err := o.Hub.Publishing.Submission(o.t.Context(), o.Actor(o.rosa), o.sub.ID)
	require.NoError(o.t, err)
	return d.Submission
}

func (o *office) report(kind hub.SubjectKind, subject, reason, text string) hub.Report {
	o.t.Helper()
	r, err := o.Hub.Community.CreateReport(o.t.Context(), o.Actor(o.uma), community.NewReport{
		Kind: kind, Subject: subject, Reason: reason, Text: text, Evidence: []string{"https://forum.example.org/t/1"},
	})
	require.NoError(o.t, err)
	return r
}

func (o *office) rate(who *hubtest.Person, text string) string {
	o.t.Helper()
	_, err := o.Hub.Community.Rate(o.t.Context(), o.Actor(who), community.NewRating{Plugin: "acme/backup", Stars: 2, Text: text})
	require.NoError(o.t, err)
	return "acme/backup#" + who.Account
}

// pageWords are the texts of a page.
func pageWords(page string) string {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return page
	}
	var out []string
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.Data != "title" {
			out = append(out, strings.Fields(n.Data)...)
		}
	}
	return strings.Join(out, " ")
}

// inOrder holds a page to what every page has to keep: one heading of the first level,
// headings that skip none, ids that are unique, a label for each field, nothing inline, no
// link that runs script, and no mistake of a template.
func staffPageInOrder(t *testing.T, path, page string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	ids, labels, first, level := map[string]bool{}, map[string]bool{}, 0, 0
	var refs, fields []string
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
			assert.False(t, strings.HasPrefix(a.Key, "on"), "%s: inline handler %s", path, a.Key)
			assert.NotEqual(t, "style", a.Key, "%s: inline style in <%s>", path, n.Data)
			assert.False(t, strings.HasPrefix(strings.ToLower(strings.TrimSpace(a.Val)), "javascript:") && (a.Key == "href" || a.Key == "src" || a.Key == "action"), "%s: %s", path, a.Val)
		}
		if id := attr["id"]; id != "" {
			assert.False(t, ids[id], "%s: id %q twice", path, id)
			ids[id] = true
		}
		for _, key := range []string{"aria-labelledby", "aria-describedby", "list"} {
			if attr[key] != "" {
				refs = append(refs, attr[key])
			}
		}
		switch n.Data {
		case "h1", "h2", "h3", "h4":
			is := int(n.Data[1] - '0')
			assert.LessOrEqual(t, is, level+1, "%s: <%s> after level %d", path, n.Data, level)
			if level = is; is == 1 {
				first++
			}
		case "label":
			if attr["for"] != "" {
				labels[attr["for"]] = true
			}
		case "script":
			assert.NotEmpty(t, attr["src"], "%s: inline script", path)
		case "style":
			assert.Fail(t, path+": inline style sheet")
		case "table":
			assert.NotNil(t, n.FirstChild, path)
			assert.Equal(t, "caption", n.FirstChild.Data, "%s: a table without caption", path)
		case "a":
			if u, err := url.Parse(attr["href"]); err == nil && u.IsAbs() {
				assert.Equal(t, "nofollow noopener ugc", attr["rel"], "%s: %s", path, attr["href"])
			}
		case "input", "select", "textarea":
			labelled := n.Parent != nil && n.Parent.Data == "label" || attr["aria-label"] != "" || attr["type"] == "hidden"
			if !labelled {
				fields = append(fields, attr["id"])
			}
		case "form":
			assert.Contains(t, []string{"post", "get"}, attr["method"], path)
		}
	}
	for _, id := range refs {
		assert.True(t, ids[id], "%s: nothing has the id %q", path, id)
	}
	for _, id := range fields {
		assert.True(t, labels[id], "%s: field %q has no label", path, id)
	}
	assert.Equal(t, 1, first, "%s: h1", path)
	for _, mistake := range []string{"ZgotmplZ", "%!", "<no value>", "{{"} {
		assert.NotContains(t, page, mistake, path)
	}
}
