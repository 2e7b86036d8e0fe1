package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestHub is the ways of all kinds of people through a hub's portal, from its first start
// on. All but signing in goes once more without JavaScript.
func TestHub(t *testing.T) {
	began := time.Now()
	w := newTown(t)
	ada := w.person(t, "ada")
	ada.passkeys()
	ada.firstAdministrator()
	ada.send(`form[action="/signout"]`, nil, "")
	ada.signIn()
	eve := w.person(t, "eve").join("Eve Else")
	eve.tells()
	ada.again(eve)
	ada.goTo("/admin/categories")
	ada.look("admin-categories-none")
	ada.send(`form[action="/admin/categories"]`, fields{"slug": "tools", "name": "Tools", "summary": "What helps with other things.", "position": "1"}, "")

	casts := []*cast{newCast(w, "olga", "Olga Labs"), newCast(w, "nora", "Nora & Sons")}
	for _, c := range casts {
		c.join(t, ada)
	}
	t.Run("ways", func(t *testing.T) {
		for i, way := range []string{"script", "noscript"} {
			t.Run(way, func(t *testing.T) {
				t.Parallel()
				casts[i].walk(t, way == "noscript")
			})
		}
	})
	ada.content()
	t.Logf("the walk took %s", time.Since(began).Round(time.Second))
}

// tells shows that a breach of the pages' policy would be noticed.
func (p *person) tells() {
	p.content()
	p.eval(`document.head.append(Object.assign(document.createElement('style'), { textContent: 'main { color: red }' }))`, nil)
	require.Eventually(p.t, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return strings.Contains(strings.Join(p.problems, " "), "policy style-src-elem")
	}, 10*time.Second, 20*time.Millisecond)
}

// signIn signs in with the passkey that is plugged in.
func (p *person) signIn() {
	p.t.Helper()
	p.goTo("/signin")
	p.prove()
	p.truth(`document.querySelector('.hub-me form[action="/signout"]')`, "nobody is signed in")
}

// cannot tries a passkey, and reads why it is not accepted.
func (p *person) cannot(form, because string) {
	p.t.Helper()
	p.may("Failed to load resource")
	p.press(form, nil, "")
	p.truth(`document.querySelector('`+form+` [role=alert]').textContent.includes(`+quote(because)+`)`, "it should be refused with: "+because)
}

const (
	loginForm = `form[data-souk-passkey=login]`
	addForm   = `form[data-souk-passkey=register]`
)

// passkeys: an account by a passkey, signing in and out, a second one, one removed, and
// all kinds of wrong ones.
func (p *person) passkeys() {
	p.goTo("/")
	p.look("front-empty")
	p.tabs(30)
	p.goTo("/plugins")
	p.look("shelf-empty")
	p.goTo("/account")
	assert.Equal(p.t, "/signin?to=%2Faccount", p.at(), "who is not signed in is asked to")
	p.look("signin")
	p.tabs(30)
	p.join("Ada Admin")
	p.send(`form[action="/signout"]`, nil, "")
	p.says("You are signed out.")
	p.signIn()
	p.send(`form[action="/signout"]`, nil, "")

	p.goTo("/signin")
	p.do(webauthn.SetUserVerified(p.keys, false))
	p.cannot(loginForm, "Nothing was chosen.")
	p.look("signin-not-verified")
	p.do(webauthn.SetUserVerified(p.keys, true), webauthn.SetResponseOverrideBits(p.keys).WithIsBogusSignature(true))
	p.cannot(loginForm, "That proves nothing.")
	p.do(webauthn.SetResponseOverrideBits(p.keys).WithIsBogusSignature(false))
	p.signIn()

	p.move()
	p.goTo("/account/security")
	p.says("your only way in")
	p.press(addForm, fields{"passkey": "Twice"}, "")
	p.truth(`document.querySelector('`+addForm+` [role=alert]').textContent.includes('has a passkey of yours already')`, "the same device is taken twice")
	first := p.unplug()
	p.plug()
	p.press(addForm, fields{"passkey": "Spare key"}, "")
	p.truth(`location.search === '?done=added' && document.querySelectorAll('#passkeys ~ table tbody tr').length === 2`, "there is no second passkey")
	p.look("security")
	p.send(`form[action="/signout"]`, nil, "")
	p.signIn() // with the second one

	p.send(`form[action="/signout"]`, nil, "")
	second := p.unplug()
	require.Len(p.t, second, 1)
	second[0].SignCount = 0 // a copy of it, made before it was used
	p.plug(second...)
	p.goTo("/signin")
	p.cannot(loginForm, "may have been copied")
	p.unplug()
	p.plug(first...)
	p.signIn()
	p.goTo("/account/security")
	p.send(`form[action="/account/security/passkeys/remove"]`, nil, "Remove passkey Spare key")
	p.says("Removed.", "your only way in")
	p.send(`form[action="/signout"]`, nil, "")
	first = p.unplug()
	second[0].SignCount = 99
	p.plug(second...)
	p.goTo("/signin")
	p.cannot(loginForm, "belongs to no account here")
	p.unplug()
	p.plug(first...)
	p.signIn()
}

// firstAdministrator shows the code that the hub printed.
func (p *person) firstAdministrator() {
	p.move()
	p.may("Failed to load resource")
	p.goTo("/admin")
	p.says("That is not for you")
	p.look("refused")
	p.goTo("/setup")
	p.look("setup")
	p.refused(`form[action="/setup"]`, fields{"code": "wrong-" + p.w.setup[6:]}, "", "That is not for you")
	p.goTo("/setup")
	p.send(`form[action="/setup"]`, fields{"code": p.w.setup}, "")
	assert.Contains(p.t, p.at(), "/admin")
	p.goTo("/setup")
	p.refused(`form[action="/setup"]`, fields{"code": p.w.setup}, "", "That is not possible now")
}

// again: dangerous things want a fresh proof, of the same person.
func (p *person) again(other *person) {
	p.goTo("/admin/policy")
	p.look("admin-policy")
	p.send(`form[action="/admin/policy"]`, fields{"freshFor": "4", "freshFor.unit": "seconds"}, "Save")
	began := time.Now()
	p.goTo("/account")
	p.look("account")
	p.goTo("/account/tokens")
	p.look("tokens-none")
	time.Sleep(time.Until(began.Add(5 * time.Second))) // proofs get old by time alone
	token := fields{"name": "Desk", "verb": "read,admin"}
	p.press(`form[action="/account/tokens"]`, token, "Make token")
	p.arrive()
	assert.Equal(p.t, "/signin?again=1&to=%2Faccount%2Ftokens", p.at())
	p.says("Is it still you?")
	p.look("signin-again")

	mine := p.unplug()
	p.plug(other.unplug()...)
	p.cannot(loginForm, "That is another account")
	p.unplug()
	p.plug(mine...)
	p.prove()
	assert.Equal(p.t, "/account/tokens", p.at(), "back to where it was")
	p.send(`form[action="/account/tokens"]`, token, "Make token")
	p.says("shown this one time")
	p.look("token-made")
	p.goTo("/account/tokens")
	p.send(`form[action="/account/tokens/revoke"]`, nil, "Revoke token Desk")
	p.says("Revoked.")
	p.goTo("/admin/policy")
	p.send(`form[action="/admin/policy"]`, fields{"freshFor": ""}, "Save")
	p.says("Saved.")
}

// join makes the accounts of a cast, and has an administrator give them their roles.
func (c *cast) join(t *testing.T, admin *person) {
	for _, m := range []struct {
		who   **person
		name  string
		roles string
	}{
		{&c.owner, "Owner", ""}, {&c.user, "User", ""}, {&c.first, "Reviewer", "reviewer"},
		{&c.second, "Both", "reviewer,moderator"}, {&c.moderator, "Moderator", "moderator"}, {&c.admin, "Admin", "admin"},
	} {
		p := c.w.person(t, c.ns+"-"+m.name)
		p.called = c.ns + " " + m.name
		p.join(p.called)
		*m.who = p
		if m.roles == "" {
			continue
		}
		admin.goTo("/admin/users?find=" + c.ns + "+" + m.name)
		admin.follow(p.called)
		admin.look("admin-user")
		admin.send(`form[action$="/roles"]`, fields{"role": m.roles}, "Save the roles")
	}
}
