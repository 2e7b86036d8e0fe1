package browser

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// moderate: a report decided, an appeal by whom it concerns, decided by somebody else.
func (c *cast) moderate() {
	m, other, p := c.second, c.moderator, c.owner
	m.goTo("/moderation?publisher=" + c.ns)
	m.look("moderation")
	m.follow("sends my hellos")
	m.says("It sends my hellos to somebody.", "https://example.org/seen")
	m.look("moderation-report")
	m.send(`form.hub-decide`, fields{"kind": "withdraw", "action": "block", "title": "Sends hellos away", "detail": "It sends to hooks.example.com.", "fixedIn": "0.3.0", "text": "That was not what it said."}, "")
	m.says("Your decision is recorded.")
	c.user.goTo("/notices")
	c.user.says("Your report was decided")
	c.user.send(`form[action="/notices/read"]`, nil, "Mark all as read")
	c.user.goTo("/advisories")
	c.user.look("advisories")
	c.user.follow("Sends hellos away")
	c.user.look("advisory")
	c.user.goTo("/plugins/" + c.ns + "/hello/releases")
	c.user.says("withdrawn")
	c.user.look("plugin-withdrawn")

	p.goTo("/notices")
	p.says("A moderator decided about")
	p.follow("A moderator decided about")
	p.says("That was not what it said.")
	p.look("decision")
	p.follow("Appeal")
	p.look("appeal-new")
	p.send(`form[action="/appeals"]`, fields{"text": "It is what the permission says, and people agreed to it."}, "")
	p.says("Your appeal is with the moderators.")
	p.look("appeal")
	p.goTo("/appeals")
	p.look("appeals")

	m.goTo("/moderation/appeals")
	m.look("moderation-appeals")
	m.follow("release of " + c.ns)
	m.truth(`!document.querySelector('main form[method=post]')`, "who decided decides about the appeal")
	appeal := m.at()
	other.goTo(appeal)
	other.look("moderation-appeal")
	other.send(`main form[method=post]`, fields{"verdict": "grant", "answer": "They are right: it said so."}, "")
	other.says("They are right: it said so.")
	p.goTo("/notices")
	p.follow("ppeal")
	p.says("They are right: it said so.")

	// On their own: a rating is hidden and shown again, an advisory issued and rescinded.
	m.goTo("/moderation/subject?kind=plugin&about=" + c.ns + "/hello")
	m.look("moderation-subject")
	m.send(`form.hub-decide`, fields{"kind": "hide", "text": "Until somebody has looked."}, "")
	m.goTo("/moderation/decisions?publisher=" + c.ns)
	m.look("moderation-decisions")
	m.follow("plugin " + c.ns + "/hello")
	m.look("moderation-decision")
	m.send(`form[action$="/reverse"]`, fields{"text": "Somebody has looked."}, "")
	m.goTo("/moderation/advisories/new?plugin=" + c.ns + "/hello")
	m.look("moderation-advisory-new")
	m.send(`form[action="/moderation/advisories"]`, fields{"plugin": c.ns + "/hello", "range": "<0.2.0", "action": "warn", "title": "Forgets colours", "detail": "Update."}, "")
	m.goTo("/moderation/advisories?plugin=" + c.ns + "/hello")
	m.look("moderation-advisories")
	m.follow("Forgets colours")
	m.look("moderation-advisory")
	m.send(`form[action$="/rescind"]`, fields{"text": "It does not."}, "")
	m.says("rescinded")
	m.goTo("/moderation/held")
	m.look("moderation-held")
}

// administrate: people, roles, policy, categories, reserved names, the log, the system.
func (c *cast) administrate() {
	p := c.admin
	p.goTo("/admin")
	p.says("Trust of the catalog", "root", "timestamp", "valid")
	p.look("admin")
	p.goTo("/admin/users?find=" + c.ns)
	p.look("admin-users")
	p.follow(c.user.called)
	p.send(`form[action$="/suspend"]`, fields{"reason": "Asked too loud."}, "Suspend")
	p.says("suspended", "Asked too loud.")
	p.look("admin-user-suspended")
	p.send(`form[action$="/unsuspend"]`, nil, "End the suspension")
	p.goTo("/admin/users?find=" + c.ns)
	p.follow(c.first.called)
	p.send(`form[action$="/roles"]`, fields{"role": "reviewer,moderator"}, "Save the roles")
	p.goTo("/admin/policy")
	p.send(`form[action="/admin/policy"]`, fields{"ratingsDay": "30"}, "Save")
	p.says("Saved.")
	p.goTo("/admin/categories")
	p.send(`form[action="/admin/categories"]`, fields{"slug": "of-" + c.ns, "name": "Things of " + c.ns, "position": "9"}, "")
	p.goTo("/admin/categories?edit=of-" + c.ns)
	p.look("admin-categories")
	p.send(`form[action="/admin/categories"]`, fields{"name": "All of " + c.ns, "summary": "What they make."}, "Save it")
	p.says("All of " + c.ns)
	p.send(`form[action$="/of-`+c.ns+`/remove"]`, nil, "")
	p.goTo("/admin/reserved")
	p.send(`form[action="/admin/reserved"]`, fields{"name": c.ns + "-official", "reason": "Could be taken for them."}, "Reserve it")
	p.look("admin-reserved")
	p.send(`form[action="/admin/reserved/remove"]`, nil, "Give "+c.ns+"-official free")
	p.goTo("/admin/featured?find=hello")
	p.look("admin-featured-search")
	p.send(`form[action="/admin/featured"]`, nil, "")
	p.goTo("/admin/featured")
	p.look("admin-featured")
	p.goTo("/admin/audit?target=" + url.QueryEscape("plugin "+c.ns+"/hello"))
	p.look("admin-audit")
	c.first.goTo("/review/all")
	c.first.look("review-all")
}

// client is a program that has the person's session.
func (p *person) client() *http.Client {
	p.t.Helper()
	var cookies []*network.Cookie
	p.do(chromedp.ActionFunc(func(ctx context.Context) (err error) {
		cookies, err = network.GetCookies().Do(ctx)
		return err
	}))
	jar, err := cookiejar.New(nil)
	require.NoError(p.t, err)
	base, err := url.Parse(p.url)
	require.NoError(p.t, err)
	for _, k := range cookies {
		jar.SetCookies(base, []*http.Cookie{{Name: k.Name, Value: k.Value}})
	}
	return &http.Client{Jar: jar}
}

// leave takes the data along and deletes the account.
func (c *cast) leave() {
	p := c.user
	if p.quiet { // its sessions ended with the suspension
		p.loud()
	}
	p.signIn()
	if c.quiet {
		p.noScript()
	}
	p.goTo("/account")
	resp, err := p.client().Get(c.w.url + "/account/export")
	require.NoError(p.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(p.t, err)
	assert.Contains(p.t, string(b), "Louder than I thought")
	assert.True(p.t, json.Valid(b))

	p.goTo("/account/delete")
	p.look("account-delete")
	p.refused(`form[action="/account/delete"]`, fields{"name": "somebody"}, "", "type your name")
	p.goTo("/account/delete")
	p.send(`form[action="/account/delete"]`, fields{"name": p.called}, "Delete my account")
	p.says("Your account is deleted.")
	c.owner.goTo("/account/delete")
	c.owner.press(`form[action="/account/delete"]`, fields{"name": c.owner.called}, "Delete my account")
	c.owner.may("Failed to load resource")
	c.owner.arrive()
	c.owner.says("You are the only owner of " + c.ns)
	c.owner.look("account-delete-owner")
}
