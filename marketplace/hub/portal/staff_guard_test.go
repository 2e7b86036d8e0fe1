package portal_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
)

// staffRoute is a route of those who work at the hub, and which of them it is for.
type staffRoute struct {
	pattern string
	who     string // of "rma": reviewer, moderator, administrator
}

// staffRoutes are all of them, in the order of the files.
var staffRoutes = []staffRoute{
	{"GET /review", "rma"}, {"GET /review/all", "rma"}, {"GET /review/{submission}", "rma"},
	{"POST /review/{submission}/decide", "r"}, {"POST /review/{submission}/comment", "r"},
	{"POST /review/{submission}/retry", "ra"}, {"POST /review/{submission}/take", "ra"},

	{"GET /moderation", "ma"}, {"GET /moderation/reports/{report}", "ma"}, {"POST /moderation/reports/{report}/decide", "m"},
	{"GET /moderation/subject?kind=account&about={account}", "ma"}, {"POST /moderation/subject", "m"},
	{"GET /moderation/held", "ma"}, {"POST /moderation/held", "m"},
	{"GET /moderation/appeals", "ma"}, {"GET /moderation/appeals/{appeal}", "ma"}, {"POST /moderation/appeals/{appeal}", "m"},
	{"GET /moderation/advisories", "ma"}, {"GET /moderation/advisories/new", "m"}, {"POST /moderation/advisories", "m"},
	{"GET /moderation/advisories/{advisory}", "ma"}, {"POST /moderation/advisories/{advisory}/rescind", "m"},
	{"GET /moderation/decisions", "ma"}, {"GET /moderation/decisions/{decision}", "ma"}, {"POST /moderation/decisions/{decision}/reverse", "m"},

	{"GET /admin", "a"}, {"GET /admin/users", "ma"}, {"GET /admin/users/{account}", "a"},
	{"POST /admin/users/{account}/roles", "a"}, {"POST /admin/users/{account}/suspend", "a"}, {"POST /admin/users/{account}/unsuspend", "a"},
	{"GET /admin/policy", "a"}, {"POST /admin/policy", "a"}, {"GET /admin/categories", "a"}, {"POST /admin/categories", "a"},
	{"POST /admin/categories/{slug}/remove", "a"}, {"GET /admin/reserved", "a"}, {"POST /admin/reserved", "a"}, {"POST /admin/reserved/remove", "a"},
	{"GET /admin/featured", "ma"}, {"POST /admin/featured", "ma"}, {"GET /admin/audit", "a"},
}

// TestStaffRoutesAreAllHere holds the table above to the code.
func TestStaffRoutesAreAllHere(t *testing.T) {
	have := map[string]bool{}
	braces := regexp.MustCompile(`\{\w+\}`)
	for _, r := range staffRoutes {
		path, _, _ := strings.Cut(r.pattern, "?")
		have[braces.ReplaceAllString(path, "{}")] = true
	}
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	n := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`h\.staff(?:Form)?\("([A-Z]+ /[^"]*)"`).FindAllStringSubmatch(string(b), -1) {
			n++
			assert.True(t, have[braces.ReplaceAllString(m[1], "{}")], "%s in %s", m[1], name)
		}
	}
	assert.Equal(t, len(staffRoutes), n)
}

// things are one of each that a route can be about.
func (o *office) things() map[string]string {
	o.t.Helper()
	ctx := o.t.Context()
	report := o.report(hub.SubjectPlugin, "acme/backup", "spam", "An advertisement.")
	d, err := o.Hub.Community.Decide(ctx, o.Actor(o.mo), community.NewDecision{Kind: hub.DecisionHide, Subject: hub.SubjectRating, About: o.rate(o.uma, "Slow."), Text: "It insults."})
	require.NoError(o.t, err)
	p, err := o.Hub.Community.Appeal(ctx, o.Actor(o.uma), community.NewAppeal{Decision: d.ID, Text: "It does not."})
	require.NoError(o.t, err)
	v, err := o.Hub.Community.IssueAdvisory(ctx, o.Actor(o.mo), catalog.Advisory{Action: catalog.ActionWarn, Title: "Slow", Plugin: "acme/backup"})
	require.NoError(o.t, err)
	require.NoError(o.t, o.Hub.Publishing.SetCategory(ctx, o.Actor(o.ada), hub.Category{Slug: "backup", Name: "Backup"}))
	return map[string]string{
		"submission": o.sub.ID, "report": report.ID, "decision": d.ID, "appeal": p.ID, "advisory": v.ID, "account": o.uma.Account, "slug": "backup",
	}
}

func (r staffRoute) at(things map[string]string) (method, path string) {
	method, path, _ = strings.Cut(r.pattern, " ")
	for name, id := range things {
		path = strings.ReplaceAll(path, "{"+name+"}", id)
	}
	return method, path
}

// TestStaffOnly asks each route as everybody: who may not gets no page, and no form of
// theirs is looked at.
func TestStaffOnly(t *testing.T) {
	o := newOffice(t)
	things := o.things()
	people := []struct {
		name, role string
		who        *hubtest.Person
	}{
		{"nobody", "", nil}, {"a user", "", o.uma}, {"an owner", "", o.olga}, {"a reviewer", "r", o.rosa}, {"a moderator", "m", o.max}, {"an administrator", "a", o.ada},
	}
	for _, r := range staffRoutes {
		method, path := r.at(things)
		for _, p := range people {
			a := o.do(method, path, p.who, url.Values{}, "same-origin")
			what := p.name + ": " + r.pattern
			switch {
			case p.who == nil:
				assert.Equal(t, http.StatusSeeOther, a.Status, what)
				assert.Equal(t, "/signin", a.To(), what)
			case p.role != "" && strings.Contains(r.who, p.role):
				assert.NotEqual(t, http.StatusForbidden, a.Status, what)
				if method == http.MethodGet {
					assert.Equal(t, http.StatusOK, a.Status, what)
					staffPageInOrder(t, path, a.Body)
				}
			default:
				assert.Contains(t, []int{http.StatusForbidden, http.StatusNotFound, http.StatusUnprocessableEntity, http.StatusConflict, http.StatusPreconditionFailed}, a.Status, what)
				if p.role == "" {
					assert.Equal(t, http.StatusForbidden, a.Status, what)
				}
			}
		}
	}
	// What is not there is not there.
	gone := map[string]string{}
	for name := range things {
		gone[name] = "none"
	}
	for _, r := range staffRoutes {
		method, path := r.at(gone)
		if !strings.Contains(r.pattern, "{") || method != http.MethodGet {
			continue
		}
		who := map[byte]*hubtest.Person{'r': o.rosa, 'm': o.mo, 'a': o.ada}[r.who[0]]
		a := o.get(who, path)
		assert.Equal(t, http.StatusNotFound, a.Status, path)
		staffPageInOrder(t, path, a.Body)
	}
}

// TestStaffFormsOfOtherSites sends each form from elsewhere, as who may: it is refused
// before anything is looked at, and nothing is changed.
func TestStaffFormsOfOtherSites(t *testing.T) {
	o := newOffice(t)
	things := o.things()
	lines := func() (n int64) {
		o.read(func(tx hub.Tx) error {
			list, err := tx.Audit().List(t.Context(), hub.Query{Desc: true, Limit: 1})
			n = list[0].Seq
			return err
		})
		return n
	}
	before := lines()
	for _, r := range staffRoutes {
		method, path := r.at(things)
		if method != http.MethodPost {
			continue
		}
		who := map[byte]*hubtest.Person{'r': o.rosa, 'm': o.max, 'a': o.ada}[r.who[len(r.who)-1]]
		a := o.do(method, path, who, url.Values{"rev": {"1"}, "text": {"x"}, "kind": {"hide"}, "name": {"souk"}, "reason": {"x"}, "round": {"1"}}, "cross-site")
		assert.Equal(t, http.StatusForbidden, a.Status, path)
		assert.Contains(t, pageWords(a.Body), "another site", path)
	}
	assert.Equal(t, before, lines(), "something was changed")
}

// hostile is what somebody might write anywhere.
const hostile = `"><script>alert(1)</script>'><img src=x onerror=alert(2)> %!d`

// TestStaffPagesEscapeWhatPeopleWrite puts hostile text past the services, where people's
// texts are kept, and looks at all pages.
func TestStaffPagesEscapeWhatPeopleWrite(t *testing.T) {
	o := newOffice(t)
	things := o.things()
	o.posted(o.rosa, "/review/"+o.sub.ID+"/comment", "text", "x", "file", "index.html")
	held := o.rate(o.rick, "x")
	o.write(func(tx hub.Tx) error {
		ctx := t.Context()
		accounts, err := tx.Accounts().List(ctx, hub.Query{})
		require.NoError(t, err)
		for _, x := range accounts {
			x.Name, x.Email, x.Reason = hostile, hostile, hostile
			require.NoError(t, tx.Accounts().Update(ctx, &x))
		}
		pub, err := tx.Publishers().Get(ctx, "acme")
		require.NoError(t, err)
		pub.Name, pub.Homepage, pub.About, pub.Contact, pub.Reason = hostile, "javascript:alert(1)", hostile, hostile, hostile
		require.NoError(t, tx.Publishers().Update(ctx, &pub))
		plugin, err := tx.Plugins().Get(ctx, "acme/backup")
		require.NoError(t, err)
		plugin.Name, plugin.Summary, plugin.Reason, plugin.Deprecated, plugin.Featured = hostile, hostile, hostile, hostile, true
		require.NoError(t, tx.Plugins().Update(ctx, &plugin))
		s, err := tx.Submissions().Get(ctx, o.sub.ID)
		require.NoError(t, err)
		s.Reason, s.Via, s.NotesText = hostile, hostile, hostile
		s.Problems = []byte(`[{"severity":"error","file":"\"><script>x</script>","rule":"<b>","field":"<i>","message":"<script>alert(1)</script>","advice":"<script>alert(1)</script>"}]`)
		s.Diff = []byte(`{"base":"<b>","files":[{"path":"javascript:alert(1)","kind":"added"},{"path":"\"><script>x</script>","kind":"changed"}],"imports":{"added":["<script>x</script>"]},
			"dependencies":{"removed":["<script>x</script>"]},"signer":{"old":"<script>x</script>","new":"y"},"runtime":{"old":"<b>","new":"<i>"},"size":{"new":1},
			"permissions":{"added":[{"permission":"<script>x</script>"}],"widened":[{"permission":"net.out:<b>:1","was":"<i>"}]},
			"notes":{"summary":"<script>x</script>","added":["[x](javascript:alert(1))"]},"risk":[{"rule":"<b>","points":3,"text":"<script>x</script>","grew":true}]}`)
		require.NoError(t, tx.Submissions().Update(ctx, &s))
		scan, err := tx.Scans().Get(ctx, s.ID, 1, "secrets")
		require.NoError(t, err)
		scan.Detail = hostile
		scan.Report = []byte(`{"verdict":"fail","version":"<b>","findings":[{"rule":"<b>","severity":"high","confidence":"high","file":"<script>x</script>","title":"<script>x</script>","detail":"<script>x</script>","advice":"<script>x</script>"}],"components":[{"name":"<script>x</script>"}]}`)
		require.NoError(t, tx.Scans().Put(ctx, &scan))
		comments, err := tx.Comments().List(ctx, hub.Query{})
		require.NoError(t, err)
		for _, x := range comments {
			x.Text, x.File = hostile, hostile
			require.NoError(t, tx.Comments().Put(ctx, &x))
		}
		rep, err := tx.Reports().Get(ctx, things["report"])
		require.NoError(t, err)
		rep.Text, rep.Reason, rep.Evidence, rep.Publisher = hostile, "spam", []string{"javascript:alert(1)", hostile}, hostile
		require.NoError(t, tx.Reports().Update(ctx, &rep))
		rating, err := tx.Ratings().Get(ctx, "acme/backup", strings.TrimPrefix(held, "acme/backup#"))
		require.NoError(t, err)
		rating.State, rating.Text, rating.Version, rating.Answer, rating.Reason = hub.Held, hostile, hostile, hostile, hostile
		require.NoError(t, tx.Ratings().Update(ctx, &rating))
		dec, err := tx.Decisions().Get(ctx, things["decision"])
		require.NoError(t, err)
		dec.Text, dec.Publisher = hostile, hostile
		require.NoError(t, tx.Decisions().Put(ctx, &dec))
		app, err := tx.Appeals().Get(ctx, things["appeal"])
		require.NoError(t, err)
		app.Text, app.Answer = hostile, hostile
		require.NoError(t, tx.Appeals().Update(ctx, &app))
		adv, err := tx.Advisories().Get(ctx, things["advisory"])
		require.NoError(t, err)
		adv.Body.Title, adv.Body.Detail, adv.Body.URL, adv.Body.FixedIn, adv.Body.Range = hostile, hostile, "javascript:alert(1)", hostile, hostile
		require.NoError(t, tx.Advisories().Update(ctx, &adv))
		cat := hub.Category{Slug: "backup", Name: hostile, Summary: hostile}
		require.NoError(t, tx.Categories().Put(ctx, &cat))
		require.NoError(t, tx.Reserved().Put(ctx, &hub.Reserved{Name: "souk", Reason: hostile}))
		return hub.Record(ctx, tx, o.Actor(o.ada), o.sub.Created, "account.edit", "plugin "+hostile, map[string]any{hostile: hostile, "list": []string{hostile}})
	})
	shown := 0
	visit := func(who *hubtest.Person, path string) {
		a := o.get(who, path)
		require.Equal(t, http.StatusOK, a.Status, "%s: %s", path, pageWords(a.Body))
		page := strings.ReplaceAll(a.Body, "%!d", "") // they wrote that
		staffPageInOrder(t, path, page)
		for _, bad := range []string{"<script>alert", "<script>x", "<img src=x", `href="javascript:`, "href=\"#ZgotmplZ"} {
			assert.NotContains(t, page, bad, path)
		}
		shown += strings.Count(page, "&lt;script&gt;")
	}
	for _, r := range staffRoutes {
		if method, path := r.at(things); method == http.MethodGet {
			visit(map[byte]*hubtest.Person{'r': o.rosa, 'm': o.max, 'a': o.ada}[r.who[len(r.who)-1]], path)
			visit(map[byte]*hubtest.Person{'r': o.rosa, 'm': o.max, 'a': o.ada}[r.who[0]], path)
		}
	}
	for _, subject := range []string{"kind=plugin&about=acme/backup", "kind=release&about=acme/backup@1.0.0", "kind=publisher&about=acme", "kind=submission&about=" + o.sub.ID, "kind=rating&about=" + url.QueryEscape(held)} {
		visit(o.max, "/moderation/subject?"+subject)
	}
	q := url.QueryEscape(hostile)
	for _, path := range []string{
		"/review?show=" + q + "&sort=" + q, "/review/all?find=" + q, "/review/" + o.sub.ID + "?file=" + q, "/moderation?publisher=" + q + "&kind=" + q, "/moderation/held?plugin=" + q,
		"/moderation/decisions?about=" + q + "&subject=" + q + "&publisher=" + q, "/moderation/advisories?plugin=" + q + "&show=" + q, "/admin/users?find=" + q,
		"/admin/audit?who=" + q, "/admin/audit?target=" + q + "&action=" + q, "/admin/reserved?find=" + q, "/admin/categories?edit=" + q, "/admin/featured?find=" + q,
	} {
		visit(o.ada, path)
	}
	assert.Greater(t, shown, 100, "the texts do stand there")
}
