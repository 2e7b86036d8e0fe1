package identity_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

// What is somebody else's is not there: by every method that takes an id the answer for
// it is the same as for one that does not exist, in kind and in words but for the id. The
// control is the owner, for whom each works.
func TestObjectsOfOthers(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	w.pass(time.Minute)
	cookie := w.signIn("mira")
	mira = w.who(cookie)
	_, tok := w.token(mira, identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}})
	_, panel := w.link(mira, "web-1")
	must(w.AddPasskey(w.ctx(), mira, passkey("key1")))
	require.NoError(t, w.LinkIdentity(w.ctx(), mira, external("second")))
	rule := must(w.AddTrusted(w.ctx(), mira, ciRule()))
	notice := must(w.Notices(w.ctx(), mira, identity.NoticeQuery{}))[0]
	session := must(w.Sessions(w.ctx(), mira, cookie))[1] // not the one in use

	methods := []struct {
		name string
		id   string
		call func(a hub.Actor, id string) error
	}{
		{"Account", mira.Account, func(a hub.Actor, id string) error { _, err := w.Account(w.ctx(), a, id); return err }},
		{"MarkRead", notice.ID, func(a hub.Actor, id string) error { return w.MarkRead(w.ctx(), a, id) }},
		{"SetTelemetry", panel.ID, func(a hub.Actor, id string) error { return w.SetTelemetry(w.ctx(), a, id, true) }},
		{"UnlinkPanel", panel.ID, func(a hub.Actor, id string) error { return w.UnlinkPanel(w.ctx(), a, id) }},
		{"RevokeToken", tok.ID, func(a hub.Actor, id string) error { return w.RevokeToken(w.ctx(), a, id) }},
		{"RemovePasskey", "key1", func(a hub.Actor, id string) error { return w.RemovePasskey(w.ctx(), a, id) }},
		{"UnlinkIdentity", "sub-second", func(a hub.Actor, id string) error { return w.UnlinkIdentity(w.ctx(), a, issuer, id) }},
		{"EndSession", session.ID, func(a hub.Actor, id string) error { return w.EndSession(w.ctx(), a, id) }},
		{"RemoveTrusted", rule.ID, func(a hub.Actor, id string) error { return w.RemoveTrusted(w.ctx(), a, id) }},
	}
	eve, mod := w.actor("eve"), w.roles("mod", hub.RoleModerator)
	w.admin("root")
	root := w.again("root")
	for _, m := range methods {
		for _, a := range []hub.Actor{eve, mod, root} {
			if m.name == "Account" && a.Account == root.Account || m.name == "RemoveTrusted" && a.Account != eve.Account {
				continue // who may see it is told that they may not do it
			}
			err := m.call(a, m.id)
			require.ErrorIs(t, err, hub.ErrNotFound, "%s by %s", m.name, a.Name)
			unknown := strings.Repeat("0", len(m.id))
			other := m.call(a, unknown)
			require.ErrorIs(t, other, hub.ErrNotFound, "%s by %s", m.name, a.Name)
			assert.Equal(t, strings.ReplaceAll(err.Error(), m.id, "ID"), strings.ReplaceAll(other.Error(), unknown, "ID"), m.name)
		}
		assert.ErrorIs(t, m.call(hub.Actor{}, m.id), hub.ErrUnauthenticated, m.name)
		assert.ErrorIs(t, m.call(hub.Actor{}, "unknown"), hub.ErrUnauthenticated, m.name)
	}
	for _, err := range []error{w.RemoveTrusted(w.ctx(), mod, rule.ID), w.RemoveTrusted(w.ctx(), root, rule.ID)} {
		assert.ErrorIs(t, err, hub.ErrForbidden)
	}
	for _, m := range methods {
		require.NoError(t, m.call(mira, m.id), "%s by its owner", m.name)
	}
}

// Lists and changes of oneself are of oneself, for whoever asks; nobody gets none.
func TestOwnThingsOnly(t *testing.T) {
	w := newWorld(t)
	mira, eve := w.actor("mira"), w.actor("eve")
	w.token(mira, identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}})
	w.link(mira, "web-1")
	must(w.AddPasskey(w.ctx(), mira, passkey("key1")))
	lists := map[string]func(a hub.Actor) (any, error){
		"Identities":  func(a hub.Actor) (any, error) { return w.Identities(w.ctx(), a) },
		"PasskeysOf":  func(a hub.Actor) (any, error) { return w.PasskeysOf(w.ctx(), a) },
		"Tokens":      func(a hub.Actor) (any, error) { return w.Tokens(w.ctx(), a) },
		"Panels":      func(a hub.Actor) (any, error) { return w.Panels(w.ctx(), a) },
		"Sessions":    func(a hub.Actor) (any, error) { return w.Sessions(w.ctx(), a, "") },
		"Notices":     func(a hub.Actor) (any, error) { return w.Notices(w.ctx(), a, identity.NoticeQuery{}) },
		"Profile":     func(a hub.Actor) (any, error) { return w.Profile(w.ctx(), a) },
		"UnreadCount": func(a hub.Actor) (any, error) { return w.UnreadCount(w.ctx(), a) },
		"Export":      func(a hub.Actor) (any, error) { return w.Export(w.ctx(), a) },
	}
	own := map[string]bool{"Identities": true, "Sessions": true}
	for name, list := range lists {
		_, err := list(hub.Actor{})
		assert.ErrorIs(t, err, hub.ErrUnauthenticated, name)
		mine := must(list(mira))
		require.False(t, reflect.ValueOf(mine).IsZero(), name)
		theirs := must(list(eve))
		switch v := reflect.ValueOf(theirs); {
		case name == "Profile":
			assert.Equal(t, eve.Account, theirs.(identity.Profile).ID)
		case name == "Export":
			assert.NotContains(t, string(theirs.([]byte)), mira.Account)
		case v.Kind() == reflect.Slice && own[name]:
			for i := range v.Len() {
				assert.Equal(t, eve.Account, v.Index(i).FieldByName("Account").String(), name)
			}
		case v.Kind() == reflect.Slice:
			assert.Zero(t, v.Len(), name)
		default:
			assert.Zero(t, theirs, name)
		}
	}
}
