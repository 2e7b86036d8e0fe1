package portal_test

import (
	"net/http"
	"net/url"
	"path"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

func (o *office) rev(id string) string {
	o.t.Helper()
	var rev int64
	o.read(func(tx hub.Tx) error {
		r, err := tx.Reports().Get(o.t.Context(), id)
		rev = r.Rev
		return err
	})
	return itoa(rev)
}

func TestModerationOfReports(t *testing.T) {
	o := newOffice(t)
	assert.Contains(t, pageWords(o.page(o.mo, "/moderation")), "No open reports")
	assert.Contains(t, pageWords(o.page(o.mo, "/moderation?state=decided")), "Nothing was decided yet")
	spam := o.report(hub.SubjectPlugin, "acme/backup", "spam", "An advertisement.")
	bad := o.report(hub.SubjectRelease, "acme/backup@1.0.0", "malware", "It sends my files away.")

	queue := pageWords(o.page(o.mo, "/moderation"))
	assert.Regexp(t, "malware.*It sends my files away.*spam.*An advertisement", queue, "the gravest first")
	assert.Contains(t, queue, "Reports 2")
	assert.Contains(t, pageWords(o.page(o.ada, "/moderation?reason=malware")), "release acme/backup@1.0.0")
	assert.Contains(t, pageWords(o.page(o.mo, "/moderation?kind=account")), "None of them fits")

	at := "/moderation/reports/" + spam.ID
	page := pageWords(o.page(o.mo, at))
	for _, s := range []string{"An advertisement.", "Uma User", "https://forum.example.org/t/1", "plugin acme/backup", "Latest 1.0.0", "Dismiss", "Warn", "Hide", "There are none yet."} {
		assert.Contains(t, page, s)
	}
	assert.NotContains(t, page, "Suspend")
	assert.NotContains(t, page, "Withdraw the release")
	assert.Contains(t, pageWords(o.page(o.ada, at)), "Only moderators decide.")

	rev := o.rev(spam.ID)
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.mo, at+"/decide", "rev", rev, "kind", "hide").Status, "no reason")
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.mo, at+"/decide", "rev", rev, "kind", "suspend", "text", "x").Status, "does not fit")
	assert.Equal(t, http.StatusPreconditionFailed, o.post(o.mo, at+"/decide", "rev", "99", "kind", "hide", "text", "x").Status)
	to := o.posted(o.mo, at+"/decide", "rev", rev, "kind", "hide", "text", "It is an advertisement.").To()
	p, err := o.Hub.Publishing.Plugin(t.Context(), "acme/backup")
	require.NoError(t, err)
	assert.Equal(t, hub.PluginHidden, p.State)
	assert.Equal(t, http.StatusPreconditionFailed, o.post(o.mo, at+"/decide", "rev", rev, "kind", "dismiss", "text", "x").Status, "somebody was faster")
	assert.Contains(t, pageWords(o.page(o.mo, at)), "Mo Moderator hidden it")

	page = pageWords(o.page(o.mo, to))
	assert.Contains(t, page, "Take the decision back")
	assert.Contains(t, page, "It is an advertisement.")
	assert.Contains(t, pageWords(o.page(o.mo, "/moderation/decisions?publisher=acme")), "plugin acme/backup")
	assert.Contains(t, pageWords(o.page(o.mo, "/moderation/decisions?subject=account")), "None of them fits")
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.mo, to+"/reverse").Status, "no reason")
	back := o.posted(o.mo, to+"/reverse", "text", "We were wrong.").To()
	p, err = o.Hub.Publishing.Plugin(t.Context(), "acme/backup")
	require.NoError(t, err)
	assert.Equal(t, hub.PluginListed, p.State)
	assert.Contains(t, pageWords(o.page(o.mo, to)), "Mo Moderator took it back")
	assert.Contains(t, pageWords(o.page(o.mo, back)), "It takes back:")
	assert.Equal(t, http.StatusConflict, o.post(o.mo, to+"/reverse", "text", "Again.").Status)

	at = "/moderation/reports/" + bad.ID
	form := o.page(o.mo, at)
	assert.Contains(t, form, `name="fixedIn"`)
	rev = o.rev(bad.ID)
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.mo, at+"/decide", "rev", rev, "kind", "withdraw", "text", "x", "action", "block").Status, "an advisory without a title")
	to = o.posted(o.mo, at+"/decide", "rev", rev, "kind", "withdraw", "text", "It sends files away.", "action", "disable", "title", "Sends files away", "detail", "Remove it.", "fixedIn", "1.1.0").To()
	r, err := o.Hub.Publishing.Release(t.Context(), "acme/backup", "1.0.0")
	require.NoError(t, err)
	assert.Equal(t, catalog.Withdrawn, r.State)
	assert.Contains(t, pageWords(o.page(o.mo, to)), "The advisory that went with it")
	list, err := o.Hub.Community.Advisories(t.Context(), community.AdvisoryQuery{})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	assert.Contains(t, pageWords(o.page(o.mo, "/moderation/advisories/"+list.Items[0].ID)), "Panels stop running it.")
}

func TestModerationAnswersSeveralReports(t *testing.T) {
	o := newOffice(t)
	a := o.report(hub.SubjectPlugin, "acme/backup", "spam", "An advertisement.")
	b, err := o.Hub.Community.CreateReport(t.Context(), o.Actor(o.rick), community.NewReport{Kind: hub.SubjectPlugin, Subject: "acme/backup", Reason: "spam", Text: "So I think too."})
	require.NoError(t, err)
	page := o.page(o.mo, "/moderation/reports/"+a.ID)
	assert.Contains(t, pageWords(page), "So I think too.")
	assert.Contains(t, page, `value="`+b.ID+`" checked`)
	o.posted(o.mo, "/moderation/reports/"+a.ID+"/decide", "rev", o.rev(a.ID), "kind", "dismiss", "text", "It is fine.", "reports", a.ID, "reports", b.ID)
	assert.Contains(t, pageWords(o.page(o.mo, "/moderation")), "No open reports")
}

func TestModerationWithoutReport(t *testing.T) {
	o := newOffice(t)
	for _, c := range []struct{ kind, about, has, not string }{
		{"publisher", "acme", "Olga Owner (owner)", "Dismiss"},
		{"account", o.uma.Account, "the account of Uma User", "example.org"},
		{"submission", o.sub.ID, "submission acme/backup@1.1.0", "Hide"},
		{"release", "acme/backup@1.0.0", "how it was reviewed", "Suspend"},
		{"rating", o.rate(o.uma, "Slow."), "rating of acme/backup by Uma User", "Suspend"},
	} {
		page := pageWords(o.page(o.mo, "/moderation/subject?kind="+c.kind+"&about="+url.QueryEscape(c.about)))
		assert.Contains(t, page, c.has)
		assert.NotContains(t, page, c.not, c.kind)
	}
	assert.Equal(t, http.StatusNotFound, o.get(o.mo, "/moderation/subject?kind=plugin&about=acme/none").Status)
	assert.Equal(t, http.StatusNotFound, o.get(o.mo, "/moderation/subject?kind=release&about=strange").Status)
	assert.Equal(t, http.StatusUnprocessableEntity, o.get(o.mo, "/moderation/subject?kind=strange&about=acme").Status)
	o.posted(o.mo, "/moderation/subject", "subject", "publisher", "about", "acme", "kind", "suspend", "text", "It sends spam.")
	page := pageWords(o.page(o.mo, "/moderation/subject?kind=publisher&about=acme"))
	assert.Contains(t, page, "suspended")
	assert.Contains(t, page, "Restore")
	assert.Contains(t, pageWords(o.page(o.mo, "/moderation/subject?kind=account&about="+o.mo.Account)), "It is yours.")
	assert.Contains(t, pageWords(o.page(o.mo, "/admin/users?find=uma")), "Uma User", "moderators look people up")
}

func TestModerationOfHeldRatings(t *testing.T) {
	o := newOffice(t)
	assert.Contains(t, pageWords(o.page(o.mo, "/moderation/held")), "Nothing is held")
	about, other := o.rate(o.uma, "Slow."), o.rate(o.rick, "Bad.")
	hold := func(who string) {
		o.write(func(tx hub.Tx) error {
			r, err := tx.Ratings().Get(t.Context(), "acme/backup", who)
			if err != nil {
				return err
			}
			r.State = hub.Held
			return tx.Ratings().Update(t.Context(), &r)
		})
	}
	hold(o.uma.Account)
	hold(o.rick.Account)
	page := pageWords(o.page(o.mo, "/moderation/held"))
	assert.Contains(t, page, "Slow.")
	assert.Contains(t, page, "Held ratings 2")
	assert.Contains(t, pageWords(o.page(o.ada, "/moderation/held")), "Only moderators decide.")
	state := func(who string) (s hub.Visibility) {
		o.read(func(tx hub.Tx) error {
			r, err := tx.Ratings().Get(t.Context(), "acme/backup", who)
			s = r.State
			return err
		})
		return s
	}
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.mo, "/moderation/held", "about", about, "kind", "hide").Status, "to hide needs a reason")
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.mo, "/moderation/held", "about", about, "kind", "dismiss", "text", "x").Status)
	o.posted(o.mo, "/moderation/held", "about", about, "kind", "show")
	assert.Equal(t, hub.Shown, state(o.uma.Account))
	o.posted(o.mo, "/moderation/held", "about", other, "kind", "hide", "text", "It insults.")
	assert.Equal(t, hub.Hidden, state(o.rick.Account))
	assert.Equal(t, http.StatusNotFound, o.post(o.mo, "/moderation/held", "about", "acme/backup#acc_none", "kind", "show").Status)
}

func TestModerationOfAppeals(t *testing.T) {
	o := newOffice(t)
	assert.Contains(t, pageWords(o.page(o.mo, "/moderation/appeals")), "No open appeals")
	d, err := o.Hub.Community.Decide(t.Context(), o.Actor(o.mo), community.NewDecision{Kind: hub.DecisionHide, Subject: hub.SubjectPlugin, About: "acme/backup", Text: "It is spam."})
	require.NoError(t, err)
	p, err := o.Hub.Community.Appeal(t.Context(), o.Actor(o.olga), community.NewAppeal{Decision: d.ID, Text: "It is not."})
	require.NoError(t, err)
	at := "/moderation/appeals/" + p.ID
	assert.Contains(t, pageWords(o.page(o.mo, "/moderation/appeals")), "It is not.")
	assert.Contains(t, pageWords(o.page(o.mo, at)), "You decided before.")
	assert.Equal(t, http.StatusForbidden, o.post(o.mo, at, "rev", "1", "verdict", "uphold", "answer", "x").Status)
	page := pageWords(o.page(o.max, at))
	for _, s := range []string{"Olga Owner", "It is not.", "It is spam.", "Grant it", "Uphold the decision"} {
		assert.Contains(t, page, s)
	}
	assert.Equal(t, http.StatusPreconditionFailed, o.post(o.max, at, "rev", "9", "verdict", "grant", "answer", "x").Status)
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.max, at, "rev", "1", "verdict", "maybe", "answer", "x").Status)
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.max, at, "rev", "1", "verdict", "grant").Status)
	o.posted(o.max, at, "rev", "1", "verdict", "grant", "answer", "You are right.")
	plugin, err := o.Hub.Publishing.Plugin(t.Context(), "acme/backup")
	require.NoError(t, err)
	assert.Equal(t, hub.PluginListed, plugin.State)
	assert.Contains(t, pageWords(o.page(o.max, at)), "You are right.")
	assert.Contains(t, pageWords(o.page(o.max, "/moderation/appeals?state=granted")), "It is not.")
	assert.Contains(t, pageWords(o.page(o.max, "/moderation/appeals?state=upheld")), "None were upheld")

	// A rejected submission.
	_, err = o.Hub.Publishing.Decide(t.Context(), o.Actor(o.rosa), o.sub.ID, publishing.Decision{Round: 1, Digest: o.sub.Digest, Verdict: hub.VerdictReject, Text: "Too much."})
	require.NoError(t, err)
	p, err = o.Hub.Community.Appeal(t.Context(), o.Actor(o.olga), community.NewAppeal{Submission: o.sub.ID, Text: "It is needed."})
	require.NoError(t, err)
	page = pageWords(o.page(o.mo, "/moderation/appeals/"+p.ID))
	assert.Contains(t, page, "Appeal against the rejection of acme/backup 1.1.0")
	assert.Contains(t, page, "Rosa Review rejected")
	o.posted(o.mo, "/moderation/appeals/"+p.ID, "rev", "1", "verdict", "grant", "answer", "Look again.")
	assert.Equal(t, hub.StateInReview, o.submission().State)
}

func TestModerationOfAdvisories(t *testing.T) {
	o := newOffice(t)
	assert.Contains(t, pageWords(o.page(o.mo, "/moderation/advisories")), "No advisory is in force")
	o.page(o.mo, "/moderation/advisories/new?plugin=acme/backup")
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.mo, "/moderation/advisories", "action", "warn", "title", "x", "plugin", "acme/none").Status)
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.mo, "/moderation/advisories", "action", "warn", "title", "x", "plugin", "acme/backup", "publisher", "acme").Status, "two things")
	assert.Equal(t, http.StatusUnprocessableEntity, o.post(o.mo, "/moderation/advisories", "action", "warn", "title", "x", "plugin", "acme/backup", "url", "javascript:alert(1)").Status)
	to := o.posted(o.mo, "/moderation/advisories", "action", "block", "title", "Leaks keys", "detail", "Update.\r\nSoon.", "plugin", "acme/backup", "range", "<1.1.0", "fixedIn", "1.1.0", "url", "https://acme.example/1").To()
	page := pageWords(o.page(o.mo, to))
	for _, s := range []string{"Leaks keys", "Panels install it no more.", "plugin acme/backup <1.1.0", "Fixed in 1.1.0", "https://acme.example/1", "Rescind it"} {
		assert.Contains(t, page, s)
	}
	assert.Contains(t, pageWords(o.page(o.ada, to)), "Only moderators can.")
	o.posted(o.mo, to+"/rescind", "text", "It was another's.")
	assert.Contains(t, pageWords(o.page(o.mo, to)), "It is rescinded.")
	assert.NotContains(t, pageWords(o.page(o.mo, "/moderation/advisories")), "Leaks keys")
	assert.Contains(t, pageWords(o.page(o.mo, "/moderation/advisories?show=all")), "Leaks keys")
	assert.Equal(t, http.StatusConflict, o.post(o.mo, "/moderation/advisories/"+path.Base(to)+"/rescind", "text", "x").Status)
}
