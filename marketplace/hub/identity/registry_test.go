package identity_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

func TestAuthorizeRegistry(t *testing.T) {
	w := newWorld(t)
	mira, eve := w.actor("mira"), w.actor("eve")
	w.actor("rita")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberMaintainer})
	w.publisher("globex", map[string]hub.MemberRole{eve.Account: hub.MemberOwner})
	mira, eve = w.again("mira"), w.again("eve")
	rita := w.roles("rita", hub.RoleReviewer)

	everything := []string{"pull", "push", "delete", "*"}
	repositories := []string{"acme/backup", "catalog", "staging/acme/backup", "staging/acme/other", "staging/globex/tool",
		"staging", "staging/acme", "staging/acme/backup/x", "stagingx/acme/backup", "Acme/backup", "acme/../staging/acme/backup", "acme//x", "", "*", "acme/backup\n"}
	ask := func(user, secret string) map[string]string {
		t.Helper()
		var want []identity.RegistryAccess
		for _, r := range repositories {
			want = append(want, identity.RegistryAccess{Repository: r, Actions: everything})
		}
		granted, _, err := w.AuthorizeRegistry(w.ctx(), user, secret, want)
		require.NoError(t, err)
		out := map[string]string{}
		for _, g := range granted {
			out[g.Repository] = strings.Join(g.Actions, ",")
		}
		return out
	}
	public := map[string]string{"acme/backup": "pull", "catalog": "pull", "stagingx/acme/backup": "pull"}
	and := func(more ...string) map[string]string {
		out := map[string]string{}
		for k, v := range public {
			out[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	token := func(a hub.Actor, n identity.NewToken) string { raw, _ := w.token(a, n); return raw }
	push, read := []hub.Verb{hub.VerbPush}, []hub.Verb{hub.VerbRead}

	assert.Equal(t, public, ask("", ""), "anybody")
	assert.Equal(t, and("staging/acme/backup", "pull,push", "staging/acme/other", "pull,push"), ask("souk", token(mira, identity.NewToken{Verbs: push})))
	assert.Equal(t, and("staging/acme/backup", "pull,push"), ask("anything", token(mira, identity.NewToken{Verbs: push, Plugin: "acme/backup"})), "bound to a plugin")
	assert.Equal(t, and("staging/acme/backup", "pull", "staging/acme/other", "pull"), ask("souk", token(mira, identity.NewToken{Verbs: read})), "a member that may only read")
	assert.Equal(t, and(), ask("souk", token(mira, identity.NewToken{Verbs: []hub.Verb{hub.VerbRate}})))
	assert.Equal(t, and("staging/acme/backup", "pull", "staging/acme/other", "pull", "staging/globex/tool", "pull"), ask("souk", token(rita, identity.NewToken{Verbs: append(push, read...)})), "a reviewer never pushes")
	assert.Equal(t, and("staging/globex/tool", "pull,push"), ask("souk", token(eve, identity.NewToken{Verbs: push})), "of another publisher")

	_, subject, err := w.AuthorizeRegistry(w.ctx(), "souk", token(mira, identity.NewToken{Verbs: push}), nil)
	require.NoError(t, err)
	assert.Equal(t, mira.Account, subject)
	for _, c := range [][2]string{{"souk", "wrong"}, {"souk", ""}, {"", "wrong"}, {"mira", w.signIn("mira")}} {
		_, _, err := w.AuthorizeRegistry(w.ctx(), c[0], c[1], nil)
		assert.ErrorIs(t, err, hub.ErrUnauthenticated, "a wrong secret is not taken for nobody's")
	}

	pushing := token(mira, identity.NewToken{Verbs: push})
	w.suspendPublisher("acme")
	assert.Equal(t, and("staging/acme/backup", "pull", "staging/acme/other", "pull"), ask("souk", pushing), "a suspended publisher pushes nothing new")
	w.leave("acme", mira.Account)
	assert.Equal(t, and(), ask("souk", pushing), "who left")

	granted, _, err := w.AuthorizeRegistry(w.ctx(), "", "", []identity.RegistryAccess{{Repository: "acme/backup", Actions: []string{"push"}}})
	require.NoError(t, err)
	assert.Empty(t, granted, "what is not granted is left out")
	_, _, err = w.AuthorizeRegistry(w.ctx(), "", "", make([]identity.RegistryAccess, 101))
	assert.Error(t, err)
}

// What a CI token and a panel's may do at the registry.
func TestAuthorizeRegistryForPrograms(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	ci := w.exchange(mira, "one")
	panel, _ := w.link(w.again("mira"), "web-1")
	want := []identity.RegistryAccess{{Repository: "staging/acme/backup", Actions: []string{"pull", "push"}}, {Repository: "staging/acme/other", Actions: []string{"push", "pull"}}}
	granted, _, err := w.AuthorizeRegistry(w.ctx(), "souk", ci, want)
	require.NoError(t, err)
	assert.Equal(t, want[:1], granted)
	granted, _, err = w.AuthorizeRegistry(w.ctx(), "souk", panel, want)
	require.NoError(t, err)
	assert.Equal(t, []identity.RegistryAccess{{Repository: "staging/acme/backup", Actions: []string{"pull"}}, {Repository: "staging/acme/other", Actions: []string{"pull"}}}, granted,
		"its person's read access")
}
