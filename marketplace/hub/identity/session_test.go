package identity_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

func TestNewWantsAStore(t *testing.T) {
	_, err := identity.New(hub.Env{}, identity.Options{})
	assert.ErrorContains(t, err, "no store")
	w := newWorld(t)
	_, err = identity.New(hub.Env{Store: w.store}, identity.Options{Administrators: []identity.IdentityRef{{Issuer: issuer}}})
	assert.ErrorContains(t, err, "lacks issuer or subject")
}

func TestSignInMakesAnAccountOnce(t *testing.T) {
	w := newWorld(t)
	first := w.actor("mira")
	assert.Equal(t, "mira", first.Name)
	assert.True(t, first.Fresh)
	assert.Equal(t, "session", first.Via)
	assert.Empty(t, first.Roles, "the first account is nobody special")
	assert.Equal(t, first.Account, w.actor("mira").Account)
	assert.NotEqual(t, first.Account, w.actor("tom").Account)

	// The same subject at another issuer is somebody else, and so is who has the same address.
	other := external("mira")
	other.Issuer = "https://elsewhere.example"
	cookie, _, err := w.SignIn(w.ctx(), other, identity.Browser{})
	require.NoError(t, err)
	assert.NotEqual(t, first.Account, w.who(cookie).Account)
	w.pass(90 * time.Minute)
	assert.Equal(t, time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC), must(w.Profile(w.ctx(), w.actor("tom"))).Seen, "to the hour")
	assert.Len(t, w.audited(identity.ActSignUp), 3)
	assert.Len(t, w.audited(identity.ActSignIn), 5)

	_, _, err = w.SignIn(w.ctx(), identity.ExternalIdentity{Issuer: issuer}, identity.Browser{})
	var invalid *hub.InvalidError
	assert.ErrorAs(t, err, &invalid)
}

func TestUnverifiedMailIsForgotten(t *testing.T) {
	w := newWorld(t)
	who := external("mira")
	who.EmailVerified = false
	cookie, _, err := w.SignIn(w.ctx(), who, identity.Browser{})
	require.NoError(t, err)
	p, err := w.Profile(w.ctx(), w.who(cookie))
	require.NoError(t, err)
	assert.Empty(t, p.Email)
	assert.Empty(t, p.Emails)
	_, err = w.EditProfile(w.ctx(), w.who(cookie), identity.ProfileEdit{Name: "mira", Email: "mira@mail.example"})
	assert.ErrorContains(t, err, "none that one of your identities vouches for")

	w.signIn("tom")
	p, err = w.Profile(w.ctx(), w.actor("tom"))
	require.NoError(t, err)
	assert.Equal(t, "tom@mail.example", p.Email, "a verified one is kept")
}

func TestSignUpPolicy(t *testing.T) {
	w := newWorld(t, identity.Options{Administrators: []identity.IdentityRef{{Issuer: issuer, Subject: "sub-root"}}})
	early := w.actor("early") // nobody runs this hub yet
	root := w.actor("root")
	assert.Equal(t, []hub.Role{hub.RoleAdmin}, root.Roles)
	_, _, err := w.SignIn(w.ctx(), external("late"), identity.Browser{})
	assert.ErrorIs(t, err, hub.ErrForbidden)
	_, _, err = w.SignUpPasskey(w.ctx(), "late", hub.Passkey{ID: "abc", Name: "key", Data: "{}"}, identity.Browser{})
	assert.ErrorIs(t, err, hub.ErrForbidden)
	assert.Equal(t, early.Account, w.actor("early").Account, "who has an account comes in")

	// The configuration is the authority: who is listed is an administrator at each sign-in.
	_, err = w.SetRoles(w.ctx(), hub.SystemActor("test"), early.Account, []hub.Role{hub.RoleAdmin})
	require.NoError(t, err)
	_, err = w.SetRoles(w.ctx(), w.actor("early"), root.Account, nil)
	require.NoError(t, err)
	assert.Equal(t, []hub.Role{hub.RoleAdmin}, w.actor("root").Roles)
}

// A session that was planted in a browser ends when its person signs in.
func TestSessionFixation(t *testing.T) {
	w := newWorld(t)
	planted := w.signIn("mallory")
	cookie, _, err := w.SignIn(w.ctx(), external("mira"), identity.Browser{Session: planted})
	require.NoError(t, err)
	assert.NotEqual(t, planted, cookie)
	_, err = w.Authenticate(w.ctx(), planted)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated, "the planted one is void")
	assert.Equal(t, "mira", w.who(cookie).Name)

	// A value that was never a session does not become one.
	chosen := "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
	require.Len(t, chosen, len(cookie))
	again, _, err := w.SignIn(w.ctx(), external("mira"), identity.Browser{Session: chosen})
	require.NoError(t, err)
	assert.NotEqual(t, chosen, again)
	_, err = w.Authenticate(w.ctx(), chosen)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	assert.Equal(t, "mira", w.who(cookie).Name, "the other browser stays signed in")
}

func TestSessionExpiry(t *testing.T) {
	w := newWorld(t)
	idle, used := w.signIn("mira"), w.signIn("mira")
	for range 6 {
		w.pass(24 * time.Hour)
		w.who(used)
	}
	w.pass(24*time.Hour - time.Second)
	w.who(used) // 7 days less a second
	_, err := w.Authenticate(w.ctx(), idle)
	assert.NoError(t, err, "not yet idle for 7 days")

	idle = w.signIn("mira")
	w.pass(7*24*time.Hour - time.Second)
	w.who(used)
	w.pass(time.Second)
	_, err = w.Authenticate(w.ctx(), idle)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated, "idle for 7 days")
	w.who(used)

	for range 15 {
		w.pass(24 * time.Hour)
		w.who(used)
	}
	w.pass(24*time.Hour - time.Second)
	w.who(used) // 29 days and all but a second
	w.pass(24 * time.Hour)
	_, err = w.Authenticate(w.ctx(), used)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated, "30 days after it began, used or not")
}

func TestShorterPolicyAppliesAtOnce(t *testing.T) {
	w := newWorld(t)
	cookie := w.signIn("mira")
	w.pass(time.Hour)
	w.who(cookie)
	w.policy.SessionLife = 30 * time.Minute
	_, err := w.Authenticate(w.ctx(), cookie)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
}

func TestReadingDoesNotWrite(t *testing.T) {
	w := newWorld(t)
	cookie := w.signIn("mira")
	raw, _ := w.token(w.who(cookie), identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}})
	_, err := w.AuthenticateToken(w.ctx(), raw) // its first use is written
	require.NoError(t, err)
	before := w.store.writes()
	for range 100 {
		w.who(cookie)
		_, err := w.AuthenticateToken(w.ctx(), raw)
		require.NoError(t, err)
		w.pass(time.Second / 2)
	}
	assert.Equal(t, before, w.store.writes(), "50 seconds")
	w.pass(10 * time.Second)
	for range 10 {
		w.who(cookie)
		_, err := w.AuthenticateToken(w.ctx(), raw)
		require.NoError(t, err)
	}
	assert.Equal(t, before+2, w.store.writes(), "one write each after a minute")
}

// A session works while nothing can be written.
func TestLastUseIsNotWorthAnError(t *testing.T) {
	w := newWorld(t)
	cookie := w.signIn("mira")
	w.pass(time.Hour)
	broken := &noWrites{Store: w.store}
	s, err := identity.New(hub.Env{Store: broken, Now: w.now}, identity.Options{})
	require.NoError(t, err)
	a, err := s.Authenticate(w.ctx(), cookie)
	require.NoError(t, err)
	assert.Equal(t, "mira", a.Name)
	assert.Equal(t, 1, broken.asked)
}

type noWrites struct {
	hub.Store
	asked int
}

func (n *noWrites) Update(context.Context, func(hub.Tx) error) error {
	n.asked++
	return hub.ErrUnavailable
}

// Standing is read for each request: roles, memberships, suspension.
func TestRevocationTakesEffectAtOnce(t *testing.T) {
	w := newWorld(t)
	cookie := w.signIn("mira")
	mira := w.who(cookie)
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberMaintainer})
	push := func() error { return w.who(cookie).May(hub.ActStagingPush, hub.Object{Publisher: "acme"}) }
	require.NoError(t, push())
	w.leave("acme", mira.Account)
	assert.ErrorIs(t, push(), hub.ErrForbidden, "removed in mid-session")

	queue := func() error { return w.who(cookie).May(hub.ActReviewQueue, hub.Object{}) }
	assert.ErrorIs(t, queue(), hub.ErrForbidden)
	w.roles("mira", hub.RoleReviewer)
	assert.NoError(t, queue())
	w.roles("mira")
	assert.ErrorIs(t, queue(), hub.ErrForbidden)
}

func TestFreshness(t *testing.T) {
	w := newWorld(t)
	cookie := w.signIn("mira")
	w.pass(15*time.Minute - time.Second)
	assert.True(t, w.who(cookie).Fresh)
	w.pass(time.Second)
	stale := w.who(cookie)
	assert.False(t, stale.Fresh)
	_, _, err := w.CreateToken(w.ctx(), stale, identity.NewToken{Name: "x", Verbs: []hub.Verb{hub.VerbRead}})
	assert.ErrorIs(t, err, hub.ErrNotFresh)

	w.signIn("tom")
	_, _, err = w.Refresh(w.ctx(), cookie, identity.Proof{Identity: external("tom")})
	assert.ErrorIs(t, err, hub.ErrForbidden, "somebody else's proof")
	_, _, err = w.Refresh(w.ctx(), cookie, identity.Proof{Identity: external("unknown")})
	assert.ErrorIs(t, err, hub.ErrForbidden)
	_, _, err = w.Refresh(w.ctx(), cookie, identity.Proof{})
	assert.Error(t, err)
	assert.False(t, w.who(cookie).Fresh, "nothing has changed")

	renewed, session, err := w.Refresh(w.ctx(), cookie, identity.Proof{Identity: external("mira")})
	require.NoError(t, err)
	assert.True(t, w.who(renewed).Fresh)
	assert.Equal(t, w.now().Add(30*24*time.Hour-15*time.Minute), session.Expires, "it lives no longer for it")
	_, err = w.Authenticate(w.ctx(), cookie)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated, "the id before is void")

	_, _, err = w.Refresh(w.ctx(), cookie, identity.Proof{Identity: external("mira")})
	assert.ErrorIs(t, err, hub.ErrUnauthenticated, "there is no session to renew")
}

func TestSignOutAndSessions(t *testing.T) {
	w := newWorld(t)
	one, two := w.signIn("mira"), w.signIn("mira")
	w.pass(2 * time.Minute)
	three, _, err := w.SignIn(w.ctx(), external("mira"), identity.Browser{UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"})
	require.NoError(t, err)
	mira := w.who(three)
	list, err := w.Sessions(w.ctx(), mira, three)
	require.NoError(t, err)
	require.Len(t, list, 3)
	assert.True(t, list[0].Current, "the last used first")
	assert.Equal(t, "Firefox on Linux", list[0].Agent)
	assert.Len(t, list[0].ID, 16)

	require.NoError(t, w.SignOut(w.ctx(), one))
	require.NoError(t, w.SignOut(w.ctx(), one), "twice is no error")
	require.NoError(t, w.SignOut(w.ctx(), "nonsense"))
	_, err = w.Authenticate(w.ctx(), one)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)

	n, err := w.EndSessions(w.ctx(), mira, three)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	_, err = w.Authenticate(w.ctx(), two)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	w.who(three)

	four := w.signIn("mira")
	for _, s := range must(w.Sessions(w.ctx(), mira, four)) {
		if s.Current {
			require.NoError(t, w.EndSession(w.ctx(), mira, s.ID))
		}
	}
	_, err = w.Authenticate(w.ctx(), four)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	assert.ErrorIs(t, w.EndSession(w.ctx(), mira, "0000000000000000"), hub.ErrNotFound)
	assert.ErrorIs(t, w.EndSession(w.ctx(), mira, ""), hub.ErrNotFound)
}

func TestOldestSessionEnds(t *testing.T) {
	w := newWorld(t)
	first := w.signIn("mira")
	w.pass(time.Second)
	var last string
	for range identity.MaxSessions {
		w.pass(time.Second)
		last = w.signIn("mira")
	}
	_, err := w.Authenticate(w.ctx(), first)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	assert.Len(t, must(w.Sessions(w.ctx(), w.who(last), last)), identity.MaxSessions)
}

func TestForeignCookies(t *testing.T) {
	w := newWorld(t)
	cookie := w.signIn("mira")
	for _, c := range []string{"", "x", cookie + "x", cookie[:42], cookie[:42] + "!", "\x00" + cookie[1:]} {
		_, err := w.Authenticate(w.ctx(), c)
		assert.ErrorIs(t, err, hub.ErrUnauthenticated, "%q", c)
	}
	w.who(cookie)
}

func TestCookie(t *testing.T) {
	s := hub.Session{Expires: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)}
	assert.Equal(t, "__Host-souk_session=v; Path=/; Expires=Wed, 01 Apr 2026 00:00:00 GMT; HttpOnly; Secure; SameSite=Lax", identity.Cookie("v", s, true).String())
	assert.Equal(t, "souk_session=v; Path=/; Expires=Wed, 01 Apr 2026 00:00:00 GMT; HttpOnly; SameSite=Lax", identity.Cookie("v", s, false).String())
	assert.Equal(t, "__Host-souk_session=; Path=/; Max-Age=0; HttpOnly; Secure; SameSite=Lax", identity.ClearCookie(true).String())
	for _, secure := range []bool{true, false} {
		c := identity.Cookie("v", s, secure)
		assert.NoError(t, c.Valid())
		assert.Empty(t, c.Domain)
		assert.Equal(t, http.SameSiteLaxMode, c.SameSite)
	}
}

func TestLinkIdentity(t *testing.T) {
	w := newWorld(t)
	cookie := w.signIn("mira")
	mira := w.who(cookie)
	second := external("mira-at-work")
	stale := mira
	stale.Fresh = false
	assert.ErrorIs(t, w.LinkIdentity(w.ctx(), stale, second), hub.ErrNotFresh)
	raw, _ := w.token(mira, identity.NewToken{Verbs: hub.Verbs()[:1]})
	program, err := w.AuthenticateToken(w.ctx(), raw)
	require.NoError(t, err)
	assert.ErrorIs(t, w.LinkIdentity(w.ctx(), program, second), hub.ErrForbidden)
	everything := program
	everything.Token = &hub.Token{Verbs: hub.Verbs()}
	assert.ErrorIs(t, w.LinkIdentity(w.ctx(), everything, second), hub.ErrForbidden, "no token adds a way in, whatever its scope")
	assert.ErrorIs(t, w.UnlinkIdentity(w.ctx(), mira, issuer, "sub-mira"), hub.ErrState, "the last way in")

	require.NoError(t, w.LinkIdentity(w.ctx(), mira, second))
	assert.Equal(t, mira.Account, w.actor("mira-at-work").Account)
	tom := w.actor("tom")
	assert.ErrorIs(t, w.LinkIdentity(w.ctx(), tom, second), hub.ErrExists)
	assert.ErrorIs(t, w.UnlinkIdentity(w.ctx(), tom, issuer, "sub-mira"), hub.ErrNotFound)
	assert.Len(t, must(w.Identities(w.ctx(), mira)), 2)
	require.NoError(t, w.UnlinkIdentity(w.ctx(), mira, issuer, "sub-mira"))
	assert.NotEqual(t, mira.Account, w.actor("mira").Account, "that identity is somebody new now")
	assert.Len(t, must(w.Notices(w.ctx(), mira, identity.NoticeQuery{})), 2, "of the token and of the identity")
}

func must[V any](v V, err error) V {
	if err != nil {
		panic(err)
	}
	return v
}
