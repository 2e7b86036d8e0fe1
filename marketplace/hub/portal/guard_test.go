package portal_test

import (
	"fmt"
	"html"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/marketplace/hub/signin"
)

// changes are the patterns of all POST routes of this package, read from its source so
// that a new one cannot be forgotten.
func changes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	var out []string
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		src, err := os.ReadFile(f)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`"POST (/[^"]*)"`).FindAllStringSubmatch(string(src), -1) {
			out = append(out, m[1])
		}
	}
	require.Greater(t, len(out), 60)
	return out
}

// TestChangesFromElsewhere refuses every change that another site asks for, and every one
// by somebody who is not signed in.
func TestChangesFromElsewhere(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	fill := strings.NewReplacer("{namespace}", "acme", "{publisher}", "acme", "{name}", "backup")
	for _, pattern := range changes(t) {
		path := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(fill.Replace(pattern), "x")
		for _, site := range []string{"cross-site", "same-site"} {
			a := w.do(http.MethodPost, path, w.olga, pairs([]string{"name", "x"}), site)
			assert.Equal(t, http.StatusForbidden, a.Status, "%s from %s", path, site)
		}
		if strings.HasPrefix(path, "/passkey/") || path == "/signout" {
			continue // those are for people who are not signed in
		}
		a := w.post(nil, path, "name", "x")
		assert.Equal(t, http.StatusSeeOther, a.Status, path)
		assert.Equal(t, "/signin", a.To(), path)
	}
	w.page(w.olga, "/account") // and the sign-out of another site did nothing
	a := w.do(http.MethodPost, "/publish", w.olga, pairs([]string{"name", strings.Repeat("x", 300<<10)}), "same-origin")
	assert.Equal(t, http.StatusRequestEntityTooLarge, a.Status)
	inOrder(t, "/publish", a)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+"/publish", strings.NewReader("name=%zz"))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(&http.Cookie{Name: identity.CookieName(false), Value: w.olga.Cookie})
	res, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, http.StatusUnprocessableEntity, res.StatusCode)
}

// TestOthers sends every form about a publisher with good values as somebody who does not
// belong to it. With the same values its owner is heard, or is told of another reason.
func TestOthers(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{CI: []signin.Issuer{{URL: signin.GitHubIssuer, Kind: signin.GitHub, Audience: "https://hub.example.org"}}})
	sub := w.Submit(w.acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.1.0")})
	hook := w.hook("acme", w.olga)
	fill := strings.NewReplacer("{namespace}", "acme", "{name}", "backup", "/submissions/{id}", "/submissions/"+sub.ID, "/hooks/{id}", "/hooks/"+hook)
	r, err := w.Hub.Publishing.Release(t.Context(), "acme/backup", "1.0.0")
	require.NoError(t, err)
	of := map[string]string{
		"/submissions/{id}": fmt.Sprint(sub.Rev), "/publish/{namespace}/plugins": fmt.Sprint(r.Rev),
	}
	forms := []string{"name", "Taken", "account", w.erin.Account, "role", "owner", "key", "x", "issuer", signin.GitHubIssuer, "subject", "erin.example",
		"repository", "erin/x", "workflow", "x.yml", "kind", "dns", "reason", "Because.", "sure", "1", "to", w.erin.Account, "statement", "{}", "bundle", "{}",
		"version", "1.0.0", "percent", "1", "paused", "1", "text", "Hello.", "digest", sub.Digest, "added", "x", "url", "https://erin.example/x", "id", "x", "delivery", "x"}
	tried := 0
	for _, pattern := range changes(t) {
		if !strings.HasPrefix(pattern, "/publish/{namespace}") && !strings.HasPrefix(pattern, "/submissions/{id}") && !strings.HasPrefix(pattern, "/hooks/{id}") {
			continue
		}
		tried++
		rev := "0"
		for prefix, is := range of {
			if strings.HasPrefix(pattern, prefix) {
				rev = is
			}
		}
		form := append(slices.Clone(forms), "rev", rev)
		if strings.HasPrefix(pattern, "/hooks/") {
			form = append(form, "kind", "release.yanked")
		}
		for _, who := range []*hubtest.Person{w.erin, w.uma} {
			a := w.post(who, fill.Replace(pattern), form...)
			want := []int{http.StatusForbidden, http.StatusNotFound}
			if strings.HasSuffix(pattern, "/transfer") {
				want = append(want, http.StatusUnprocessableEntity) // it is said by the statement whose it is
			}
			assert.Contains(t, want, a.Status, "%s: %s", pattern, words(a.Body))
		}
	}
	assert.Greater(t, tried, 20)
	in := w.inside("acme", w.olga)
	assert.Equal(t, "Acme", in.Publisher.Name)
	assert.Len(t, in.Members, 2)
	assert.Len(t, in.Signers, 1)
	assert.Empty(t, in.Trusted)
	assert.Empty(t, in.Proofs)
	assert.Equal(t, sub.Rev, w.submission(sub.ID).Rev)
}

const markup = `"><script>alert(1)</script>`

// TestHostileTexts puts markup into every text that people can write, follows every link
// of the portal as several people, and finds nothing but text. Each page is held to the
// rules of all pages, and no link is dead.
func TestHostileTexts(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{CI: []signin.Issuer{{URL: signin.GitHubIssuer, Kind: signin.GitHub, Audience: "https://hub.example.org"}}})
	ctx := t.Context()
	taken := map[string]bool{}
	try := func(what string, who *hubtest.Person, path string, form ...string) {
		a := w.post(who, path, form...)
		require.Less(t, a.Status, 500, "%s: %s", what, words(a.Body))
		assert.NotContains(t, a.Body, "<script>alert", what)
		taken[what] = a.Status == http.StatusSeeOther || a.Status == http.StatusOK
	}
	for _, who := range []*hubtest.Person{w.olga, w.mona, w.uma, w.erin} {
		try("name", who, "/account", "rev", "0", "name", "N "+markup)
	}
	try("token", w.olga, "/account/tokens", "name", markup, "verb", "read")
	try("publisher", w.olga, "/publish/acme/settings", "rev", "0", "name", "P "+markup, "about", markup+"\n"+markup)
	try("homepage", w.olga, "/publish/acme/settings", "rev", "0", "name", "P "+markup, "homepage", "https://acme.example/?"+markup)
	for _, where := range []string{"javascript:alert(1)", "data:text/html,x", "http://acme.example"} {
		assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.olga, "/publish/acme/settings", "rev", "0", "name", "P", "homepage", where).Status, where)
	}
	try("keyless", w.olga, "/publish/acme/signers", "issuer", "https://a.example", "subject", markup)
	try("trusted", w.olga, "/publish/acme/trusted", "issuer", signin.GitHubIssuer, "repository", "acme/x", "workflow", markup+".yml", "environment", markup, "ref", "refs/heads/"+markup)
	try("trusted workflow", w.olga, "/publish/acme/trusted", "issuer", signin.GitHubIssuer, "repository", "acme/y", "workflow", "a.yml", "environment", markup)
	try("proof", w.olga, "/publish/acme/proofs", "kind", "repository", "subject", "github.com/acme/"+markup)
	try("hook", w.olga, "/hooks", "publisher", "acme", "url", "https://h.example.org/?"+markup, "kind", "rating.added")
	try("deprecate", w.olga, "/publish/acme/plugins/backup/deprecate", "text", markup)
	try("rating", w.uma, "/plugins/acme/backup/rating", "stars", "1", "text", markup)
	try("answer", w.mona, "/plugins/acme/backup/answer", "author", w.uma.Account, "text", markup)
	for kind, subject := range map[string]string{"plugin": "acme/backup", "rating": "acme/backup#" + w.uma.Account, "publisher": "acme"} {
		try("report "+kind, w.erin, "/report", "kind", kind, "subject", subject, "reason", hub.Reasons()[0], "text", markup, "evidence", "https://e.example/?"+markup)
	}
	draft := w.posted(w.olga, "/submissions", "publisher", "acme", "name", "backup", "version", "2.0.0", "summary", markup, "added", markup, "security", markup).To()
	try("remark", w.olga, draft+"/comment", "text", markup, "file", "a.js", "line", "3")
	try("remark on a file", w.olga, draft+"/comment", "text", markup, "file", markup)
	try("withdraw", w.olga, draft+"/withdraw", "rev", fmt.Sprint(w.submission(draft[len("/submissions/"):]).Rev), "reason", markup)
	m := hubtest.Manifest("acme/evil", "1.0.0")
	m.Name, m.Summary = "M "+markup, markup
	m.Homepage, m.Support = "https://m.example/", "https://m.example/help"
	m.Permissions = []catalog.PermissionRequest{{Kind: "net.out", Target: "a.example:443", Reason: markup}}
	d := w.Submit(w.acme, hubtest.Plugin{Manifest: m, Notes: publish.Notes{Summary: markup, Added: []string{markup, "[x](javascript:alert(1))", "![x](https://x.example/p.png)"}}})
	if d.State == hub.StateInReview {
		require.NoError(t, w.Approve(ctx, d))
		_, err := w.Settle(ctx, w.olga, d.ID)
		require.NoError(t, err)
	} else { // validation took offence, which is shown
		t.Log("not published:", d.State, d.Reason)
	}
	release, err := w.Hub.Publishing.Release(ctx, "acme/backup", "1.0.0")
	require.NoError(t, err)
	try("yank", w.olga, "/publish/acme/plugins/backup/yank", "version", "1.0.0", "rev", fmt.Sprint(release.Rev), "reason", markup)
	// What panels and staff write.
	dev, err := w.Hub.Identity.StartDevice(ctx, identity.DeviceRequest{Name: markup, PublicKey: strings.Repeat("A", 43) + "=", Address: "203.0.113.7"})
	require.NoError(t, err)
	assert.NotContains(t, w.page(w.olga, "/link?code="+dev.UserCode), "<script>alert")
	require.NoError(t, w.Hub.Identity.ApproveDevice(ctx, w.Actor(w.olga), dev.UserCode))
	_, err = w.Hub.Identity.PollDevice(ctx, dev.DeviceCode)
	require.NoError(t, err)
	_, err = w.Hub.Community.IssueAdvisory(ctx, w.Actor(w.mo), catalog.Advisory{Action: catalog.ActionWarn, Title: markup, Detail: markup + " [x](javascript:alert(1))", Plugin: "acme/backup"})
	require.NoError(t, err)
	dec, err := w.Hub.Community.Decide(ctx, w.Actor(w.mo), community.NewDecision{Kind: hub.DecisionWarn, Subject: hub.SubjectPlugin, About: "acme/backup", Text: markup})
	require.NoError(t, err)
	try("appeal", w.olga, "/appeals", "decision", dec.ID, "text", markup)
	rosa := w.Person("R "+markup, hub.RoleReviewer)
	x := w.Submit(w.acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/third", "1.0.0")})
	_, err = w.Hub.Publishing.Decide(ctx, w.Actor(rosa), x.ID, publishing.Decision{Round: x.Round, Digest: x.Digest, Verdict: hub.VerdictReject, Text: markup})
	require.NoError(t, err)
	t.Log(taken)
	for _, what := range []string{"name", "token", "publisher", "deprecate", "rating", "answer", "report plugin", "remark", "withdraw", "yank", "appeal"} {
		assert.True(t, taken[what], "%s was not taken: nothing is shown of it", what)
	}

	seen := map[string]int{}
	for _, who := range []*hubtest.Person{nil, w.olga, w.uma} {
		start := []string{"/", "/account", "/publish", "/notices", "/appeals"}
		if who == w.olga {
			start = append(start, "/submissions/"+x.ID, draft, "/decisions/"+dec.ID)
		}
		seen["pages"] += w.crawl(who, start, func(path, page string) {
			assert.NotContains(t, page, "<script>alert", path)
			seen["escaped"] += strings.Count(page, html.EscapeString("<script>alert(1)</script>"))
		})
	}
	t.Log(seen)
	assert.Greater(t, seen["pages"], 60)
	assert.Greater(t, seen["escaped"], 60, "the control: it is shown, as text")

	for what, path := range map[string]string{"name": "/account", "about": "/publish/acme/settings"} {
		a := w.post(w.olga, path, "rev", "0", "name", "Olga \u202e", "about", "x")
		assert.Equal(t, http.StatusUnprocessableEntity, a.Status, "%s that turns around what follows", what)
	}
}

// crawl follows every link within the portal, and returns how many pages there were.
func (w *town) crawl(who *hubtest.Person, start []string, see func(path, page string)) int {
	w.t.Helper()
	queue, known, pages := start, map[string]bool{}, 0
	for len(queue) > 0 && pages < 400 {
		path := queue[0]
		queue = queue[1:]
		if known[path] {
			continue
		}
		known[path] = true
		a := w.get(who, path)
		if who == nil && a.Status == http.StatusSeeOther {
			continue // sign in first
		}
		if !assert.Equal(w.t, http.StatusOK, a.Status, "a dead link: %s", path) {
			continue
		}
		if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
			continue
		}
		pages++
		inOrder(w.t, path, a)
		see(path, a.Body)
		for _, m := range regexp.MustCompile(`<a[^>]* href="(/[^"#]*)`).FindAllStringSubmatch(a.Body, -1) {
			queue = append(queue, html.UnescapeString(m[1]))
		}
	}
	return pages
}
