package identity_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

func TestFirstAdministrator(t *testing.T) {
	w := newWorld(t)
	eve, mira := w.actor("eve"), w.actor("mira")
	assert.ErrorIs(t, w.ClaimAdmin(w.ctx(), eve, ""), hub.ErrForbidden)
	code := must(w.SetupCode(w.ctx()))
	second := must(w.SetupCode(w.ctx())) // of another process
	require.NotEqual(t, code, second)
	assert.ErrorIs(t, w.ClaimAdmin(w.ctx(), eve, code+"x"), hub.ErrForbidden)
	assert.ErrorIs(t, w.ClaimAdmin(w.ctx(), hub.Actor{}, code), hub.ErrUnauthenticated)
	stale, program := mira, mira
	stale.Fresh = false
	program.Token = &hub.Token{Verbs: hub.Verbs()}
	assert.ErrorIs(t, w.ClaimAdmin(w.ctx(), stale, code), hub.ErrNotFresh)
	assert.ErrorIs(t, w.ClaimAdmin(w.ctx(), program, code), hub.ErrForbidden)

	require.NoError(t, w.ClaimAdmin(w.ctx(), mira, code))
	assert.Equal(t, []hub.Role{hub.RoleAdmin}, w.again("mira").Roles)
	for _, c := range []string{code, second} {
		assert.ErrorIs(t, w.ClaimAdmin(w.ctx(), eve, c), hub.ErrState, "once there is one, no code does")
	}
	assert.Empty(t, must(w.SetupCode(w.ctx())), "nothing to print")
	assert.Len(t, w.audited(identity.ActClaimAdmin), 1)
}

func TestSetupCodeExpires(t *testing.T) {
	w := newWorld(t)
	code := must(w.SetupCode(w.ctx()))
	w.pass(24 * time.Hour)
	assert.ErrorIs(t, w.ClaimAdmin(w.ctx(), w.actor("mira"), code), hub.ErrForbidden)
	require.NoError(t, w.ClaimAdmin(w.ctx(), w.actor("mira"), must(w.SetupCode(w.ctx()))))
}

func TestLastAdministratorStays(t *testing.T) {
	w := newWorld(t)
	mira := w.admin("mira")
	_, err := w.SetRoles(w.ctx(), mira, mira.Account, nil)
	assert.ErrorIs(t, err, hub.ErrForbidden, "not one's own")
	_, err = w.SetRoles(w.ctx(), hub.SystemActor("test"), mira.Account, nil)
	assert.ErrorIs(t, err, hub.ErrState)
	assert.ErrorIs(t, w.Suspend(w.ctx(), hub.SystemActor("test"), mira.Account, "why"), hub.ErrState)
	assert.ErrorIs(t, w.Delete(w.ctx(), mira, identity.Deletion{}), hub.ErrState)

	// One that is suspended does not count.
	tom := w.roles("tom", hub.RoleAdmin)
	require.NoError(t, w.Suspend(w.ctx(), mira, tom.Account, "why"))
	assert.ErrorIs(t, w.Delete(w.ctx(), mira, identity.Deletion{}), hub.ErrState)
	require.NoError(t, w.Unsuspend(w.ctx(), mira, tom.Account))

}

func TestSetRoles(t *testing.T) {
	w := newWorld(t)
	root, mira := w.admin("root"), w.actor("mira")
	for _, a := range []hub.Actor{{}, mira, w.roles("mod", hub.RoleModerator)} {
		_, err := w.SetRoles(w.ctx(), a, w.actor("tom").Account, []hub.Role{hub.RoleAdmin})
		assert.Error(t, err)
	}
	stale := root
	stale.Fresh = false
	_, err := w.SetRoles(w.ctx(), stale, mira.Account, nil)
	assert.ErrorIs(t, err, hub.ErrNotFresh)
	_, err = w.SetRoles(w.ctx(), root, mira.Account, []hub.Role{"god"})
	var invalid *hub.InvalidError
	assert.ErrorAs(t, err, &invalid)
	_, err = w.SetRoles(w.ctx(), root, "acc_unknown", nil)
	assert.ErrorIs(t, err, hub.ErrNotFound)
	acc := must(w.SetRoles(w.ctx(), root, mira.Account, []hub.Role{hub.RoleReviewer, hub.RoleModerator, hub.RoleReviewer}))
	assert.Equal(t, []hub.Role{hub.RoleModerator, hub.RoleReviewer}, acc.Roles)
	lines := w.audited(hub.ActAccountRoles)
	assert.JSONEq(t, `{"was":null,"roles":["moderator","reviewer"]}`, string(lines[len(lines)-1].Detail))
	require.NoError(t, w.Delete(w.ctx(), w.again("mira"), identity.Deletion{}))
	_, err = w.SetRoles(w.ctx(), root, mira.Account, []hub.Role{hub.RoleAdmin})
	assert.ErrorIs(t, err, hub.ErrState)
}

func TestSuspend(t *testing.T) {
	w := newWorld(t)
	root, mod := w.admin("root"), w.roles("mod", hub.RoleModerator)
	cookie := w.signIn("mira")
	mira := w.who(cookie)
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	raw, _ := w.token(w.who(cookie), identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}})
	panel, _ := w.link(w.who(cookie), "web-1")

	assert.ErrorIs(t, w.Suspend(w.ctx(), mira, w.actor("tom").Account, "why"), hub.ErrForbidden)
	assert.ErrorIs(t, w.Suspend(w.ctx(), mod, mod.Account, "why"), hub.ErrForbidden, "not oneself")
	assert.ErrorIs(t, w.Suspend(w.ctx(), mod, root.Account, "why"), hub.ErrForbidden, "a moderator no administrator")
	assert.ErrorIs(t, w.Suspend(w.ctx(), mod, "acc_unknown", "why"), hub.ErrNotFound)
	var invalid *hub.InvalidError
	assert.ErrorAs(t, w.Suspend(w.ctx(), mod, mira.Account, ""), &invalid)

	require.NoError(t, w.Suspend(w.ctx(), mod, mira.Account, "spam in ratings"))
	_, err := w.Authenticate(w.ctx(), cookie)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	for _, secret := range []string{raw, panel} {
		_, err := w.AuthenticateToken(w.ctx(), secret)
		assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	}
	assert.ErrorIs(t, w.Suspend(w.ctx(), mod, mira.Account, "again"), hub.ErrState)

	// They can come in to read why, and to appeal.
	again := w.actor("mira")
	assert.True(t, again.Suspended)
	assert.Empty(t, must(w.Panels(w.ctx(), again)))
	assert.Equal(t, "spam in ratings", must(w.Profile(w.ctx(), again)).Reason)
	titles := map[string]bool{}
	for _, n := range must(w.Notices(w.ctx(), again, identity.NoticeQuery{})) {
		titles[n.Title] = true
	}
	assert.True(t, titles["Your account is suspended"])
	o := hub.Object{Publisher: "acme", Account: again.Account}
	assert.NoError(t, again.May(hub.ActAppealCreate, o))
	for _, act := range []hub.Action{hub.ActStagingPush, hub.ActPublisherEdit, hub.ActRatingWrite, hub.ActTokenManage, hub.ActPanelManage} {
		assert.ErrorIs(t, again.May(act, o), hub.ErrForbidden, act)
	}
	_, _, err = w.CreateToken(w.ctx(), again, identity.NewToken{Name: "x", Verbs: []hub.Verb{hub.VerbRead}})
	assert.ErrorIs(t, err, hub.ErrForbidden)

	require.NoError(t, w.Unsuspend(w.ctx(), mod, mira.Account))
	assert.ErrorIs(t, w.Unsuspend(w.ctx(), mod, mira.Account), hub.ErrState)
	assert.False(t, w.again("mira").Suspended)
	assert.Len(t, w.audited(hub.ActAccountSuspend), 2)
}

// However an account came to be suspended (by a decision of a moderator, say), its tokens
// do nothing.
func TestSuspendedElsewhere(t *testing.T) {
	w := newWorld(t)
	cookie := w.signIn("mira")
	raw, _ := w.token(w.who(cookie), identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}})
	must(w.AuthenticateToken(w.ctx(), raw))
	w.update(func(ctx context.Context, tx hub.Tx) error {
		acc, err := tx.Accounts().Get(ctx, w.who(cookie).Account)
		if err != nil {
			return err
		}
		acc.State = "a state of a later version"
		return tx.Accounts().Update(ctx, &acc)
	})
	_, err := w.AuthenticateToken(w.ctx(), raw)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	assert.True(t, w.who(cookie).Suspended, "what is not known to be active is not")
}

func TestAccounts(t *testing.T) {
	w := newWorld(t)
	root, mod, mira := w.admin("root"), w.roles("mod", hub.RoleModerator), w.actor("mira")
	for _, name := range []string{"anna", "annabel", "bert"} {
		w.pass(time.Second)
		w.signIn(name)
	}
	_, err := w.Accounts(w.ctx(), mira, identity.AccountQuery{})
	assert.ErrorIs(t, err, hub.ErrForbidden)
	_, err = w.Accounts(w.ctx(), hub.Actor{}, identity.AccountQuery{})
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	list := must(w.Accounts(w.ctx(), root, identity.AccountQuery{Text: "ANN"}))
	require.Len(t, list, 2)
	assert.Equal(t, "annabel", list[0].Name, "newest first")
	assert.Equal(t, "annabel@mail.example", list[0].Email)
	assert.Empty(t, must(w.Accounts(w.ctx(), mod, identity.AccountQuery{Text: "ann"}))[0].Email, "a moderator sees no addresses")
	assert.Len(t, must(w.Accounts(w.ctx(), root, identity.AccountQuery{Text: "bert@mail"})), 1)
	assert.Empty(t, must(w.Accounts(w.ctx(), mod, identity.AccountQuery{Text: "bert@mail"})), "nor finds any by them")
	assert.Len(t, must(w.Accounts(w.ctx(), root, identity.AccountQuery{Role: hub.RoleModerator})), 1)
	assert.Empty(t, must(w.Accounts(w.ctx(), root, identity.AccountQuery{State: hub.AccountSuspended})))

	all := must(w.Accounts(w.ctx(), root, identity.AccountQuery{}))
	var paged []hub.Account
	for after := ""; ; {
		page := must(w.Accounts(w.ctx(), root, identity.AccountQuery{After: after, Limit: 2}))
		if paged = append(paged, page...); len(page) < 2 {
			break
		}
		after = page[1].ID
	}
	assert.Equal(t, all, paged)

	assert.Equal(t, "mira", must(w.Account(w.ctx(), root, mira.Account)).Name)
	must(w.Account(w.ctx(), mira, mira.Account))
	_, err = w.Account(w.ctx(), mira, root.Account)
	assert.ErrorIs(t, err, hub.ErrNotFound)
	_, unknown := w.Account(w.ctx(), mira, "acc_unknown")
	assert.ErrorIs(t, unknown, hub.ErrNotFound)
	_, err = w.Account(w.ctx(), hub.Actor{}, mira.Account)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
}
