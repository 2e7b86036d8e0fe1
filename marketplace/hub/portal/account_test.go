package portal_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/server"
)

func TestProfile(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	w.posted(w.uma, "/account", "rev", rev(t, w.page(w.uma, "/account")), "name", "Uma Renamed", "email", "uma.user@example.org")
	page := w.page(w.uma, "/account?done=saved")
	assert.Contains(t, page, "Uma Renamed")
	assert.Contains(t, words(page), "Saved.")
	assert.Contains(t, page, w.uma.Account, "who adds somebody needs the number")
	assert.NotContains(t, w.page(w.uma, "/account?done=<b>anything"), "anything", "an address says nothing of its own")
	a := w.post(w.uma, "/account", "rev", "1", "name", "Stale", "email", "")
	assert.Equal(t, http.StatusPreconditionFailed, a.Status, "changed since the page was opened")
	inOrder(t, "/account", a)
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.uma, "/account", "rev", "0", "name", "Uma", "email", "not@mine.example").Status)
}

// rev is the revision that a page's first form has.
func rev(t *testing.T, page string) string {
	t.Helper()
	m := regexp.MustCompile(`name="rev" value="(\d+)"`).FindStringSubmatch(page)
	require.NotNil(t, m, "no revision on the page")
	return m[1]
}

func TestTokens(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	a := w.post(w.olga, "/account/tokens", "name", "Laptop", "publisher", "acme", "plugin", "backup", "verb", "read", "verb", "push", "life", "168h0m0s")
	require.Equal(t, http.StatusOK, a.Status, words(a.Body))
	inOrder(t, "/account/tokens", a)
	raw := regexp.MustCompile(`souk_a[0-9A-Za-z]{36}`).FindString(a.Body)
	require.True(t, identity.LooksLikeToken(raw))
	who, err := w.Hub.Identity.AuthenticateToken(t.Context(), raw)
	require.NoError(t, err)
	assert.Equal(t, w.olga.Account, who.Account)
	assert.Equal(t, "acme/backup", who.Token.Plugin)
	assert.Equal(t, []hub.Verb{hub.VerbPush, hub.VerbRead}, who.Token.Verbs)
	assert.NotContains(t, w.page(w.olga, "/account/tokens"), raw, "it is shown once")

	assert.Equal(t, http.StatusNotFound, w.post(w.erin, "/account/tokens/revoke", "id", who.Token.ID).Status, "somebody else's")
	_, err = w.Hub.Identity.AuthenticateToken(t.Context(), raw)
	require.NoError(t, err)
	w.posted(w.olga, "/account/tokens/revoke", "id", who.Token.ID)
	_, err = w.Hub.Identity.AuthenticateToken(t.Context(), raw)
	require.ErrorIs(t, err, hub.ErrUnauthenticated)
	assert.Contains(t, w.page(w.olga, "/account/tokens"), "revoked")

	for name, form := range map[string][]string{
		"no verb":             {"name", "x"},
		"a panel's verb":      {"name", "x", "verb", "panel"},
		"no name":             {"verb", "read"},
		"too long":            {"name", "x", "verb", "read", "life", "87600h"},
		"no time":             {"name", "x", "verb", "read", "life", "soon"},
		"somebody's":          {"name", "x", "verb", "push", "publisher", "evil"},
		"a plugin of nothing": {"name", "x", "verb", "push", "plugin", "backup"},
	} {
		a := w.post(w.olga, "/account/tokens", form...)
		assert.GreaterOrEqual(t, a.Status, 400, name)
		assert.Less(t, a.Status, 500, name)
	}
}

// TestOld sends somebody whose proof is old to sign in again, and back.
func TestOld(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	w.write(func(tx hub.Tx) error {
		all, err := tx.Sessions().List(t.Context(), hub.Query{Where: []hub.Cond{hub.Eq("account", w.olga.Account)}})
		if err != nil {
			return err
		}
		for _, s := range all {
			s.Fresh = s.Fresh.AddDate(0, 0, -1)
			if err := tx.Sessions().Put(t.Context(), &s); err != nil {
				return err
			}
		}
		return nil
	})
	for _, path := range []string{"/account/tokens", "/account/delete", "/publish/acme/members", "/publish/acme/signers"} {
		a := w.post(w.olga, path, "name", "Olga Owner", "verb", "read", "account", w.uma.Account, "role", "owner", "issuer", "https://a.example", "subject", "x")
		require.Equal(t, http.StatusSeeOther, a.Status, path)
		assert.Contains(t, a.Header.Get("Location"), "/signin?again=1", path)
	}
	w.page(w.olga, "/account")
}

func TestSessions(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	other := w.Person("Uma User") // signs in once more, elsewhere
	require.Equal(t, w.uma.Account, other.Account)
	list, err := w.Hub.Identity.Sessions(t.Context(), w.Actor(w.uma), w.uma.Cookie)
	require.NoError(t, err)
	require.Len(t, list, 2)
	var id string
	for _, s := range list {
		if !s.Current {
			id = s.ID
		}
	}
	assert.Equal(t, http.StatusNotFound, w.post(w.erin, "/account/security/sessions/end", "id", id).Status)
	w.page(other, "/account")
	w.posted(w.uma, "/account/security/sessions/end", "id", id)
	assert.Equal(t, "/signin", w.get(other, "/account").To())
	third := w.Person("Uma User")
	w.posted(w.uma, "/account/security/sessions/end")
	assert.Equal(t, "/signin", w.get(third, "/account").To())
	w.page(w.uma, "/account/security")

	assert.Equal(t, http.StatusConflict, w.post(w.uma, "/account/security/identities/remove", "issuer", hubtest.Issuer, "subject", "uma.user").Status, "the last way in")
	assert.Equal(t, http.StatusNotFound, w.post(w.erin, "/account/security/identities/remove", "issuer", hubtest.Issuer, "subject", "uma.user").Status)
	assert.Equal(t, http.StatusNotFound, w.post(w.uma, "/account/security/passkeys/remove", "id", "none").Status)
	require.NoError(t, w.Hub.Identity.LinkIdentity(t.Context(), w.Actor(w.uma), identity.ExternalIdentity{Issuer: hubtest.Issuer, Subject: "second"}))
	w.posted(w.uma, "/account/security/identities/remove", "issuer", hubtest.Issuer, "subject", "second")
	assert.Equal(t, http.StatusNotFound, w.post(w.uma, "/account/security/identities/link", "provider", "0").Status, "there is no provider")
}

func TestLinkPanel(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	begin := func(name string) identity.DeviceStart {
		d, err := w.Hub.Identity.StartDevice(t.Context(), identity.DeviceRequest{Name: name, PublicKey: strings.Repeat("A", 43) + "=", Address: "203.0.113.7"})
		require.NoError(t, err)
		return d
	}
	d := begin("Panel of the office")
	page := w.page(w.uma, "/link?code="+d.UserCode)
	for _, want := range []string{"Panel of the office", "203.0.113.7", d.UserCode, "Is this your panel?"} {
		assert.Contains(t, page, want)
	}
	a := w.get(w.uma, "/link?code=BBBB-BBBB")
	assert.Equal(t, http.StatusNotFound, a.Status)
	inOrder(t, "/link", a)
	assert.Contains(t, words(a.Body), "No panel waits with this code")
	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.uma, "/link", "code", d.UserCode, "do", "").Status)
	assert.Equal(t, "/account/panels", w.posted(w.uma, "/link", "code", d.UserCode, "do", "approve").To())
	token, err := w.Hub.Identity.PollDevice(t.Context(), d.DeviceCode)
	require.NoError(t, err)
	panels, err := w.Hub.Identity.Panels(t.Context(), w.Actor(w.uma))
	require.NoError(t, err)
	require.Len(t, panels, 1)
	assert.Contains(t, w.page(w.uma, "/account/panels"), "Panel of the office")

	for _, path := range []string{"/account/panels/telemetry", "/account/panels/unlink"} {
		assert.Equal(t, http.StatusNotFound, w.post(w.erin, path, "id", panels[0].ID, "on", "1").Status, path)
	}
	w.posted(w.uma, "/account/panels/telemetry", "id", panels[0].ID, "on", "1")
	panels, err = w.Hub.Identity.Panels(t.Context(), w.Actor(w.uma))
	require.NoError(t, err)
	assert.True(t, panels[0].Telemetry)
	w.posted(w.uma, "/account/panels/unlink", "id", panels[0].ID)
	_, err = w.Hub.Identity.AuthenticateToken(t.Context(), token)
	require.ErrorIs(t, err, hub.ErrUnauthenticated)
	assert.Contains(t, w.page(w.uma, "/account/panels"), "No panel is linked")

	d = begin("Another")
	w.posted(w.uma, "/link", "code", d.UserCode, "do", "deny")
	_, err = w.Hub.Identity.PollDevice(t.Context(), d.DeviceCode)
	require.ErrorIs(t, err, identity.ErrAccessDenied)
}

func TestLeave(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	a := w.get(w.uma, "/account/export")
	require.Equal(t, http.StatusOK, a.Status)
	assert.Contains(t, a.Header.Get("Content-Disposition"), "attachment")
	assert.True(t, json.Valid([]byte(a.Body)))
	assert.Contains(t, a.Body, w.uma.Account)

	assert.Equal(t, http.StatusUnprocessableEntity, w.post(w.uma, "/account/delete", "name", "Somebody").Status)
	w.page(w.uma, "/account")
	assert.Equal(t, "/", w.posted(w.uma, "/account/delete", "name", "Uma User").To())
	assert.Equal(t, "/signin", w.get(w.uma, "/account").To())

	a = w.post(w.olga, "/account/delete", "name", "Olga Owner")
	assert.Equal(t, http.StatusConflict, a.Status)
	inOrder(t, "/account/delete", a)
	assert.Contains(t, words(a.Body), "You are the only owner of acme")
	w.page(w.olga, "/account")
	w.posted(w.olga, "/account/delete", "name", "Olga Owner", "abandon", "1")
	assert.Contains(t, words(w.page(nil, "/publishers/acme")), "This publisher is suspended")
}

func TestNotices(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	list, err := w.Hub.Identity.Notices(t.Context(), w.Actor(w.olga), identity.NoticeQuery{})
	require.NoError(t, err)
	require.NotEmpty(t, list)
	page := w.page(w.olga, "/notices")
	assert.Contains(t, page, "/submissions/")
	assert.Contains(t, page, "hub-dot")
	assert.Equal(t, http.StatusNotFound, w.post(w.uma, "/notices/read", "id", list[0].ID).Status, "somebody else's")
	w.posted(w.olga, "/notices/read", "id", list[0].ID)
	unread, err := w.Hub.Identity.UnreadCount(t.Context(), w.Actor(w.olga))
	require.NoError(t, err)
	assert.Equal(t, len(list)-1, unread)
	w.posted(w.olga, "/notices/read")
	assert.Contains(t, w.page(w.olga, "/notices?show=unread"), "Nothing unread")
	a := w.posted(w.olga, "/notices/read", "id", list[0].ID, "to", "//evil.example/")
	assert.Equal(t, "/notices", a.Header.Get("Location"), "nothing leads away")
}

// TestReportAndAppeal goes from a report to a granted appeal, through its pages.
func TestReportAndAppeal(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	w.posted(w.uma, "/report", "kind", "plugin", "subject", "acme/backup", "reason", hub.Reasons()[0], "text", "It does what it should not.", "evidence", "https://a.example/1\nhttps://a.example/2")
	assert.Equal(t, http.StatusConflict, w.post(w.uma, "/report", "kind", "plugin", "subject", "acme/backup", "reason", hub.Reasons()[0], "text", "Again.").Status)
	assert.Equal(t, http.StatusNotFound, w.post(w.uma, "/report", "kind", "account", "subject", w.olga.Account, "reason", hub.Reasons()[0], "text", "x").Status)
	reports, err := w.Hub.Community.MyReports(t.Context(), w.Actor(w.uma), "", 0)
	require.NoError(t, err)
	require.Len(t, reports.Items, 1)
	assert.Len(t, reports.Items[0].Evidence, 2)
	assert.Contains(t, words(w.page(w.uma, "/account/reports")), "a moderator will look")
	assert.NotContains(t, w.page(w.erin, "/account/reports"), "should not")

	d, err := w.Hub.Community.Decide(t.Context(), w.Actor(w.mo), community.NewDecision{
		Kind: hub.DecisionHide, Subject: hub.SubjectPlugin, About: "acme/backup", Text: "It was not what it said.", Reports: []string{reports.Items[0].ID},
	})
	require.NoError(t, err)
	assert.Contains(t, words(w.page(w.uma, "/account/reports")), "it was hidden")
	assert.Contains(t, w.page(w.uma, "/decisions/"+d.ID), "It was not what it said.")
	assert.Equal(t, http.StatusNotFound, w.get(w.erin, "/decisions/"+d.ID).Status)
	assert.Equal(t, http.StatusNotFound, w.get(w.erin, "/appeals/new?decision="+d.ID).Status)
	assert.Equal(t, http.StatusNotFound, w.get(nil, "/plugins/acme/backup").Status, "hidden")
	assert.Contains(t, words(w.page(w.olga, "/plugins/acme/backup")), "Hidden by a moderator")
	w.page(w.olga, "/plugins/acme/backup/ratings")
	assert.Contains(t, words(w.page(w.olga, "/publish/acme/plugins/backup")), "Hidden by a moderator")

	assert.Contains(t, w.page(w.olga, "/decisions/"+d.ID), "/appeals/new?decision="+d.ID)
	assert.Contains(t, w.page(w.olga, "/appeals/new"), "/appeals/new?decision="+d.ID)
	assert.Contains(t, w.page(w.olga, "/appeals/new?decision="+d.ID), "It was not what it said.")
	assert.Equal(t, http.StatusNotFound, w.post(w.erin, "/appeals", "decision", d.ID, "text", "x").Status)
	a := w.posted(w.olga, "/appeals", "decision", d.ID, "text", "It is what it says: look again.")
	assert.Contains(t, w.page(w.olga, a.To()), "look again")
	assert.Contains(t, w.page(w.olga, "/appeals"), a.To())
	assert.Equal(t, http.StatusNotFound, w.get(w.erin, a.To()).Status)
	other := w.Person("Max Moderator", hub.RoleModerator)
	_, err = w.Hub.Community.DecideAppeal(t.Context(), w.Actor(other), strings.TrimPrefix(a.To(), "/appeals/"), true, "You are right.")
	require.NoError(t, err)
	assert.Contains(t, words(w.page(w.olga, a.To())), "It was decided in your favour You are right.")
	w.page(nil, "/plugins/acme/backup")
}

// TestSuspended may read, and appeal.
func TestSuspended(t *testing.T) {
	t.Parallel()
	w := newTown(t, server.Options{})
	d, err := w.Hub.Community.Decide(t.Context(), w.Actor(w.mo), community.NewDecision{
		Kind: hub.DecisionSuspend, Subject: hub.SubjectAccount, About: w.uma.Account, Text: "It wrote the same rating everywhere.",
	})
	require.NoError(t, err)
	w.uma = w.Person("Uma User") // the session has ended
	page := w.page(w.uma, "/")
	assert.Contains(t, words(page), "Your account is suspended.")
	assert.Contains(t, page, `href="/appeals/new"`)
	assert.Contains(t, w.page(w.uma, "/appeals/new"), "/appeals/new?decision="+d.ID)
	assert.Contains(t, w.page(w.uma, "/decisions/"+d.ID), "the same rating everywhere")
	for path, form := range map[string][]string{
		"/plugins/acme/backup/rating": {"stars", "5"}, "/publish": {"namespace", "uma", "name", "Uma"}, "/hooks": {"url", "https://h.example/", "kind", "release.published"},
	} {
		assert.Equal(t, http.StatusForbidden, w.post(w.uma, path, form...).Status, path)
	}
	for _, path := range []string{"/account", "/account/security", "/account/tokens", "/account/panels", "/account/hooks", "/notices", "/publish", "/link", "/plugins/acme/backup/ratings"} {
		w.page(w.uma, path)
	}
	a := w.posted(w.uma, "/appeals", "decision", d.ID, "text", "That was somebody else.")
	assert.Contains(t, w.page(w.uma, a.To()), "That was somebody else.")
}

func BenchmarkPages(b *testing.B) {
	w := hubtest.New(b, hubtest.Options{Seed: true})
	for _, path := range []string{"/", "/plugins", "/plugins/acme/backup", "/plugins/acme/backup/ratings"} {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				res := httptest.NewRecorder()
				w.Hub.ServeHTTP(res, httptest.NewRequestWithContext(b.Context(), http.MethodGet, w.URL+path, nil))
				if res.Code != http.StatusOK {
					b.Fatal(res.Code)
				}
			}
		})
	}
}
