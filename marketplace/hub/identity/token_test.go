package identity_test

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

// checksumOfZeros is the checksum of "souk_a" and 30 zeros, computed elsewhere.
const checksumOfZeros = "4UJ9zY"

var scanner = regexp.MustCompile(`^souk_[acp][0-9A-Za-z]{36}$`)

func TestTokenText(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	seen := map[string]bool{}
	for range 50 {
		raw, tok := w.token(mira, identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}})
		require.Regexp(t, scanner, raw)
		require.Len(t, raw, identity.TokenLen)
		require.True(t, identity.LooksLikeToken(raw))
		require.True(t, strings.HasPrefix(raw, tok.Hint))
		require.LessOrEqual(t, len(tok.Hint), 10)
		require.False(t, seen[raw])
		seen[raw] = true
		for i := range raw { // any character changed is noticed
			b := []byte(raw)
			b[i] = map[bool]byte{true: 'b', false: 'a'}[b[i] == 'a']
			require.False(t, identity.LooksLikeToken(string(b)), "%d", i)
		}
	}
	// The checksum is pinned: scanners everywhere know it.
	assert.True(t, identity.LooksLikeToken("souk_a"+strings.Repeat("0", 30)+checksumOfZeros))
	for _, s := range []string{"", "souk_", "souk_a", strings.Repeat("a", identity.TokenLen), "souk_x" + strings.Repeat("0", 30) + checksumOfZeros} {
		assert.False(t, identity.LooksLikeToken(s), s)
	}
}

func FuzzLooksLikeToken(f *testing.F) {
	f.Add("souk_a" + strings.Repeat("0", 30) + checksumOfZeros)
	f.Add("souk_\xff")
	f.Fuzz(func(t *testing.T, s string) {
		if identity.LooksLikeToken(s) && !scanner.MatchString(s) {
			t.Fatalf("%q does not have the documented form", s)
		}
	})
}

// No secret is in the database, its write-ahead log, or the log of the program.
func TestSecretsAreNotKept(t *testing.T) {
	w := newWorld(t)
	cookie := w.signIn("mira")
	mira := w.who(cookie)
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	raw, tok := w.token(mira, identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}})
	_, err := w.AuthenticateToken(w.ctx(), raw)
	require.NoError(t, err)
	ci := w.exchange(mira, "jti-1")
	started, err := w.StartDevice(w.ctx(), panelRequest("panel"))
	require.NoError(t, err)
	require.NoError(t, w.ApproveDevice(w.ctx(), mira, started.UserCode))
	panel, err := w.PollDevice(w.ctx(), started.DeviceCode)
	require.NoError(t, err)
	setup, err := w.SetupCode(w.ctx())
	require.NoError(t, err)
	ceremony, err := w.StartCeremony(w.ctx(), "login", "some data")
	require.NoError(t, err)
	exported, err := w.Export(w.ctx(), mira)
	require.NoError(t, err)

	stored := w.stored()
	require.True(t, bytes.Contains(stored, []byte(tok.ID)), "the control: what is kept is found")
	require.True(t, bytes.Contains(stored, []byte(tok.Hash)))
	for name, secret := range map[string]string{"session": cookie, "token": raw, "ci": ci, "device": started.DeviceCode, "panel": panel, "setup": setup, "ceremony": ceremony} {
		require.NotEmpty(t, secret, name)
		assert.False(t, bytes.Contains(stored, []byte(secret)), "%s is kept in clear", name)
		assert.False(t, bytes.Contains(stored, []byte(secret[12:])), "%s is kept in part", name)
		assert.False(t, bytes.Contains(exported, []byte(secret[12:])), "%s is exported", name)
		assert.NotContains(t, w.log.String(), secret[12:], name)
	}
	assert.False(t, bytes.Contains(exported, []byte(tok.Hash)), "not even the hash is exported")
	assert.True(t, bytes.Contains(exported, []byte(tok.ID)))
	for _, line := range w.audit() {
		for _, hidden := range []string{tok.Hash, "mira@", started.UserCode} {
			assert.NotContains(t, string(line.Detail)+line.Target+line.Via, hidden)
		}
	}
}

func TestCreateToken(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberMaintainer})
	w.publisher("globex", nil)
	mira = w.again("mira")
	read := []hub.Verb{hub.VerbRead}
	for _, bad := range []struct {
		n    identity.NewToken
		says string
	}{
		{identity.NewToken{Verbs: read}, "name is missing"},
		{identity.NewToken{Name: "a\u202eb", Verbs: read}, "name has the character"},
		{identity.NewToken{Name: "x"}, "verbs are missing"},
		{identity.NewToken{Name: "x", Verbs: []hub.Verb{"root"}}, `verbs has "root"`},
		{identity.NewToken{Name: "x", Verbs: []hub.Verb{hub.VerbPanel}}, `verbs has "panel"`},
		{identity.NewToken{Name: "x", Verbs: read, Publisher: "globex"}, "none that you are a member of"},
		{identity.NewToken{Name: "x", Verbs: read, Publisher: "nobody"}, "none that you are a member of"},
		{identity.NewToken{Name: "x", Verbs: read, Plugin: "acme"}, "plugin is no plugin"},
		{identity.NewToken{Name: "x", Verbs: read, Publisher: "acme", Plugin: "globex/tool"}, "not one of the publisher"},
		{identity.NewToken{Name: "x", Verbs: read, Life: time.Second}, "life is not between"},
		{identity.NewToken{Name: "x", Verbs: read, Life: -time.Hour}, "life is not between"},
		{identity.NewToken{Name: "x", Verbs: read, Life: 367 * 24 * time.Hour}, "life is not between"},
	} {
		_, _, err := w.CreateToken(w.ctx(), mira, bad.n)
		var invalid *hub.InvalidError
		if assert.ErrorAs(t, err, &invalid, "%+v", bad.n) {
			assert.ErrorContains(t, err, bad.says)
		}
	}
	raw, tok := w.token(mira, identity.NewToken{Plugin: "acme/backup", Verbs: []hub.Verb{hub.VerbSubmit, hub.VerbPush, hub.VerbPush}, Life: 366 * 24 * time.Hour})
	assert.Equal(t, "acme", tok.Publisher)
	assert.Equal(t, []hub.Verb{hub.VerbPush, hub.VerbSubmit}, tok.Verbs)
	assert.Equal(t, w.now().Add(366*24*time.Hour), tok.Expires)
	a, err := w.AuthenticateToken(w.ctx(), raw)
	require.NoError(t, err)
	assert.Equal(t, "token "+tok.ID, a.Via)
	assert.NoError(t, a.May(hub.ActStagingPush, hub.Object{Publisher: "acme", Plugin: "acme/backup"}))
	assert.ErrorIs(t, a.May(hub.ActStagingPush, hub.Object{Publisher: "acme", Plugin: "acme/other"}), hub.ErrForbidden)
	assert.ErrorIs(t, a.May(hub.ActReleaseYank, hub.Object{Publisher: "acme", Plugin: "acme/backup"}), hub.ErrForbidden)
	_, _, err = w.CreateToken(w.ctx(), a, identity.NewToken{Name: "x", Verbs: read})
	assert.ErrorIs(t, err, hub.ErrForbidden, "a token makes no token")

	_, usual := w.token(mira, identity.NewToken{Verbs: read})
	assert.Equal(t, w.now().Add(identity.DefaultTokenLife), usual.Expires)
	w.policy.TokenLife = time.Hour
	_, short := w.token(mira, identity.NewToken{Verbs: read})
	assert.Equal(t, w.now().Add(time.Hour), short.Expires)
	lines := w.audited(hub.ActTokenManage)
	require.Len(t, lines, 3)
	assert.Equal(t, "token "+tok.ID, lines[0].Target)
	assert.Contains(t, string(lines[0].Detail), `"verbs":["push","submit"]`)
}

func TestTokenEnds(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	ends := func(raw string) {
		t.Helper()
		_, err := w.AuthenticateToken(w.ctx(), raw)
		assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	}
	lives := func(raw string) hub.Actor {
		t.Helper()
		a, err := w.AuthenticateToken(w.ctx(), raw)
		require.NoError(t, err)
		return a
	}
	read := identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}, Life: time.Hour}
	revoked, tok := w.token(mira, read)
	lives(revoked)
	stale := mira
	stale.Fresh = false
	require.NoError(t, w.RevokeToken(w.ctx(), stale, tok.ID), "revoking does not wait for a sign-in")
	require.NoError(t, w.RevokeToken(w.ctx(), stale, tok.ID), "twice is no error")
	ends(revoked)

	expired, _ := w.token(mira, read)
	w.pass(time.Hour - time.Second)
	lives(expired)
	w.pass(time.Second)
	ends(expired)

	for _, raw := range []string{"", "x", "souk_a" + strings.Repeat("0", 30) + checksumOfZeros, strings.Repeat("é", 21)} {
		ends(raw)
	}
	assert.Len(t, must(w.Tokens(w.ctx(), mira)), 2, "they are shown for a while")

	other, _ := w.token(w.again("mira"), read)
	require.NoError(t, w.Suspend(w.ctx(), hub.SystemActor("test"), mira.Account, "spam"))
	ends(other)
	require.NoError(t, w.Unsuspend(w.ctx(), hub.SystemActor("test"), mira.Account))
	ends(other)
}

// A token has never more than its owner, also when the owner loses it later.
func TestTokenOfAMemberWhoWasRemoved(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	w.roles("mira", hub.RoleReviewer)
	raw, _ := w.token(w.again("mira"), identity.NewToken{Verbs: []hub.Verb{hub.VerbPush, hub.VerbReview, hub.VerbManage}})
	o := hub.Object{Publisher: "acme", Plugin: "acme/backup"}
	now := func() hub.Actor { return must(w.AuthenticateToken(w.ctx(), raw)) }
	require.NoError(t, now().May(hub.ActStagingPush, o))
	require.NoError(t, now().May(hub.ActPublisherEdit, o))
	require.NoError(t, now().May(hub.ActReviewQueue, hub.Object{}))
	w.leave("acme", mira.Account)
	assert.ErrorIs(t, now().May(hub.ActStagingPush, o), hub.ErrForbidden)
	assert.ErrorIs(t, now().May(hub.ActPublisherEdit, o), hub.ErrForbidden)
	w.roles("mira")
	assert.ErrorIs(t, now().May(hub.ActReviewQueue, hub.Object{}), hub.ErrForbidden)
}

func TestTokensAreBounded(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	read := identity.NewToken{Name: "x", Verbs: []hub.Verb{hub.VerbRead}}
	var last hub.Token
	for range identity.MaxTokens {
		_, last = w.token(mira, read)
	}
	_, _, err := w.CreateToken(w.ctx(), mira, read)
	var limit *hub.LimitError
	require.ErrorAs(t, err, &limit)
	require.NoError(t, w.RevokeToken(w.ctx(), mira, last.ID))
	w.token(mira, read)
	list := must(w.Tokens(w.ctx(), mira))
	assert.Len(t, list, identity.MaxTokens+1)
	assert.True(t, slices.IsSortedFunc(list, func(a, b hub.Token) int { return strings.Compare(b.ID, a.ID) }), "newest first")
}
