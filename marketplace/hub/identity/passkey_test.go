package identity_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

func passkey(id string) hub.Passkey {
	return hub.Passkey{ID: id, Name: "laptop", Data: `{"signCount":1}`}
}

func TestPasskeyAccount(t *testing.T) {
	w := newWorld(t)
	cookie, session, err := w.SignUpPasskey(w.ctx(), "Mira", passkey("key1"), identity.Browser{})
	require.NoError(t, err)
	mira := w.who(cookie)
	assert.Equal(t, "Mira", mira.Name)
	assert.Equal(t, mira.Account, session.Account)
	_, _, err = w.SignUpPasskey(w.ctx(), "Eve", passkey("key1"), identity.Browser{})
	assert.ErrorIs(t, err, hub.ErrExists)

	w.pass(time.Hour)
	again, _, err := w.SignInPasskey(w.ctx(), identity.PasskeyUse{ID: "key1", Was: `{"signCount":1}`, Data: `{"signCount":2}`}, identity.Browser{Session: cookie})
	require.NoError(t, err)
	assert.Equal(t, mira.Account, w.who(again).Account)
	_, err = w.Authenticate(w.ctx(), cookie)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated, "the session of before is ended")
	key, err := w.PasskeyByID(w.ctx(), "key1")
	require.NoError(t, err)
	assert.Equal(t, `{"signCount":2}`, key.Data)
	assert.Equal(t, w.now(), key.Used)

	// The answer of before does not count again: it was made from what is no longer there.
	_, _, err = w.SignInPasskey(w.ctx(), identity.PasskeyUse{ID: "key1", Was: `{"signCount":1}`, Data: `{"signCount":2}`}, identity.Browser{})
	assert.ErrorIs(t, err, hub.ErrMoved)
	_, _, err = w.SignInPasskey(w.ctx(), identity.PasskeyUse{ID: "unknown"}, identity.Browser{})
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	_, err = w.PasskeyByID(w.ctx(), "unknown")
	assert.ErrorIs(t, err, hub.ErrNotFound)

	w.pass(time.Hour)
	require.False(t, w.who(again).Fresh)
	renewed, _, err := w.Refresh(w.ctx(), again, identity.Proof{Passkey: identity.PasskeyUse{ID: "key1", Was: `{"signCount":2}`, Data: `{"signCount":3}`}})
	require.NoError(t, err)
	assert.True(t, w.who(renewed).Fresh)
}

func TestPasskeysOfAnAccount(t *testing.T) {
	w := newWorld(t)
	cookie, _, err := w.SignUpPasskey(w.ctx(), "Mira", passkey("key1"), identity.Browser{})
	require.NoError(t, err)
	mira := w.who(cookie)
	assert.ErrorIs(t, w.RemovePasskey(w.ctx(), mira, "key1"), hub.ErrState, "the last way in")
	stale := mira
	stale.Fresh = false
	_, err = w.AddPasskey(w.ctx(), stale, passkey("key2"))
	assert.ErrorIs(t, err, hub.ErrNotFresh)
	token := mira
	token.Token = &hub.Token{Verbs: hub.Verbs()}
	_, err = w.AddPasskey(w.ctx(), token, passkey("key2"))
	assert.ErrorIs(t, err, hub.ErrForbidden)

	foreign := passkey("key2")
	foreign.Account = "acc_of_somebody_else"
	added, err := w.AddPasskey(w.ctx(), mira, foreign)
	require.NoError(t, err)
	assert.Equal(t, mira.Account, added.Account, "it is the actor's, whatever the caller says")
	_, err = w.AddPasskey(w.ctx(), mira, passkey("key2"))
	assert.ErrorIs(t, err, hub.ErrExists)
	tom := w.actor("tom")
	_, err = w.AddPasskey(w.ctx(), tom, passkey("key2"))
	assert.ErrorIs(t, err, hub.ErrExists)
	assert.ErrorIs(t, w.RemovePasskey(w.ctx(), stale, "key1"), hub.ErrNotFresh)
	require.NoError(t, w.RemovePasskey(w.ctx(), mira, "key1"))
	assert.Len(t, must(w.PasskeysOf(w.ctx(), mira)), 1)
	assert.ErrorIs(t, w.RemovePasskey(w.ctx(), mira, "key2"), hub.ErrState)

	var invalid *hub.InvalidError
	for _, change := range []func(*hub.Passkey){
		func(k *hub.Passkey) { k.ID = "" }, func(k *hub.Passkey) { k.ID = "a b" }, func(k *hub.Passkey) { k.ID = strings.Repeat("a", 1365) },
		func(k *hub.Passkey) { k.Name = "" }, func(k *hub.Passkey) { k.Data = "" }, func(k *hub.Passkey) { k.Data = strings.Repeat("x", 17<<10) },
	} {
		bad := passkey("key9")
		change(&bad)
		_, err := w.AddPasskey(w.ctx(), mira, bad)
		assert.ErrorAs(t, err, &invalid)
	}
	for i := range identity.MaxPasskeys - 1 {
		must(w.AddPasskey(w.ctx(), mira, passkey("more"+string(rune('a'+i)))))
	}
	_, err = w.AddPasskey(w.ctx(), mira, passkey("toomany"))
	var limit *hub.LimitError
	assert.ErrorAs(t, err, &limit)
}

func TestSuspectedPasskey(t *testing.T) {
	w := newWorld(t)
	cookie, _, err := w.SignUpPasskey(w.ctx(), "Mira", passkey("key1"), identity.Browser{})
	require.NoError(t, err)
	require.NoError(t, w.SuspectPasskey(w.ctx(), identity.PasskeyUse{ID: "key1", Was: `{"signCount":1}`, Data: `{"cloneSuspected":true}`}))
	notices := must(w.Notices(w.ctx(), w.who(cookie), identity.NoticeQuery{}))
	require.Len(t, notices, 1)
	assert.Contains(t, notices[0].Title, "may have been copied")
	assert.Equal(t, `{"cloneSuspected":true}`, must(w.PasskeyByID(w.ctx(), "key1")).Data)
	assert.Len(t, w.audited(identity.ActSuspectKey), 1)
	require.NoError(t, w.UsePasskey(w.ctx(), identity.PasskeyUse{ID: "key1", Was: `{"cloneSuspected":true}`, Data: `{}`}))
	assert.ErrorIs(t, w.UsePasskey(w.ctx(), identity.PasskeyUse{ID: "key1", Was: `{"cloneSuspected":true}`, Data: `{}`}), hub.ErrMoved)
}

func TestCeremonyIsTakenOnce(t *testing.T) {
	w := newWorld(t)
	id := must(w.StartCeremony(w.ctx(), "passkey.login", "the challenge"))
	_, err := w.TakeCeremony(w.ctx(), "passkey.register", id)
	assert.ErrorIs(t, err, hub.ErrNotFound, "for another purpose")
	assert.Equal(t, "the challenge", must(w.TakeCeremony(w.ctx(), "passkey.login", id)))
	_, err = w.TakeCeremony(w.ctx(), "passkey.login", id)
	assert.ErrorIs(t, err, hub.ErrNotFound)

	id = must(w.StartCeremony(w.ctx(), "passkey.login", "x"))
	w.pass(identity.CeremonyLife)
	_, err = w.TakeCeremony(w.ctx(), "passkey.login", id)
	assert.ErrorIs(t, err, hub.ErrNotFound, "too late")

	_, err = w.StartCeremony(w.ctx(), "passkey.login", strings.Repeat("x", 5000))
	assert.Error(t, err)
	_, err = w.StartCeremony(w.ctx(), "", "x")
	assert.Error(t, err)
}
