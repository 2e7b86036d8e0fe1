package identity_test

import (
	"bytes"
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

func TestProfile(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	p := must(w.Profile(w.ctx(), mira))
	assert.Equal(t, []string{"mira@mail.example"}, p.Emails)
	require.Len(t, p.Memberships, 1)

	acc, err := w.EditProfile(w.ctx(), mira, identity.ProfileEdit{Rev: p.Rev, Name: "Mira M."})
	require.NoError(t, err)
	assert.Equal(t, []string{"Mira M.", ""}, []string{acc.Name, acc.Email})
	w.pass(2 * time.Hour)
	cookie := w.signIn("tom")
	tom := must(w.Profile(w.ctx(), w.who(cookie)))
	w.pass(2 * time.Hour)
	must(w.EditProfile(w.ctx(), w.who(cookie), identity.ProfileEdit{Rev: tom.Rev, Name: "Tom"})) // being seen is no change
	_, err = w.EditProfile(w.ctx(), mira, identity.ProfileEdit{Rev: p.Rev, Name: "Mira"})
	assert.ErrorIs(t, err, hub.ErrMoved)
	must(w.EditProfile(w.ctx(), mira, identity.ProfileEdit{Name: "Mira", Email: "mira@mail.example"}))
	for _, name := range []string{"", "  ", "Deleted User", "a\nb", "\u202eevil", string(bytes.Repeat([]byte("x"), 61))} {
		_, err := w.EditProfile(w.ctx(), mira, identity.ProfileEdit{Name: name})
		var invalid *hub.InvalidError
		assert.ErrorAs(t, err, &invalid, "%q", name)
	}
	for _, line := range w.audited(hub.ActAccountEdit) {
		assert.NotContains(t, string(line.Detail), "Mira")
	}
	assert.Equal(t, map[string]string{mira.Account: "Mira"}, must(w.Names(w.ctx(), []string{mira.Account, "acc_unknown"})))
	assert.Empty(t, must(w.Names(w.ctx(), nil)))

	// A provider's name that nobody could be called is replaced.
	odd := external("odd")
	odd.Name = "x\u202ey"
	cookie, _, err = w.SignIn(w.ctx(), odd, identity.Browser{})
	require.NoError(t, err)
	assert.Equal(t, "new user", w.who(cookie).Name)
}

// fill gives an account something of everything.
func fill(w *world, mira hub.Actor) {
	other := w.actor("tom").Account
	w.update(func(ctx context.Context, tx hub.Tx) error {
		now := w.now()
		steps := []error{
			tx.Plugins().Insert(ctx, &hub.Plugin{ID: "globex/tool", Publisher: "globex", Name: "tool", State: hub.PluginListed, Latest: "1.0.0", Created: now}),
			tx.Ratings().Insert(ctx, &hub.Rating{Plugin: "globex/tool", Account: mira.Account, Stars: 5, Text: "splendid", State: hub.Shown, Helpful: 1, Created: now}),
			tx.Ratings().Insert(ctx, &hub.Rating{Plugin: "globex/held", Account: mira.Account, Stars: 1, Text: "held", State: hub.Held, Created: now}),
			tx.Ratings().Insert(ctx, &hub.Rating{Plugin: "globex/tool", Account: other, Stars: 3, State: hub.Shown, Helpful: 2, Created: now}),
			tx.Scores().Put(ctx, &hub.Score{Plugin: "globex/tool", S3: 1, S5: 1}),
			tx.Scores().Put(ctx, &hub.Score{Plugin: "globex/held"}),
			tx.Votes().Insert(ctx, &hub.Vote{Plugin: "globex/tool", Author: mira.Account, Voter: other, Created: now}),
			tx.Votes().Insert(ctx, &hub.Vote{Plugin: "globex/tool", Author: other, Voter: mira.Account, Created: now}),
			tx.Reports().Insert(ctx, &hub.Report{ID: "rep_1", Kind: hub.SubjectPlugin, Subject: "globex/tool", Reason: "spam", By: mira.Account, Created: now}),
			tx.Comments().Insert(ctx, &hub.Comment{ID: "com_1", Submission: "sub_1", Author: mira.Account, Text: "a remark", Created: now}),
			tx.Hooks().Insert(ctx, &hub.Hook{ID: "hok_1", Account: mira.Account, URL: "https://mira.example/hook", Secret: "whsec_verysecret", Created: now}),
			tx.Hooks().Insert(ctx, &hub.Hook{ID: "hok_2", Account: mira.Account, Publisher: "acme", URL: "https://acme.example/hook", Secret: "whsec_another", Created: now}),
			tx.Transfers().Insert(ctx, &hub.Transfer{ID: "trf_1", Publisher: "acme", From: mira.Account, To: other, State: hub.TransferProposed, Created: now}),
			tx.Transfers().Insert(ctx, &hub.Transfer{ID: "trf_2", Publisher: "acme", From: other, To: mira.Account, State: hub.TransferDone, Created: now}),
		}
		for _, err := range steps {
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func TestExport(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	mira = w.again("mira")
	fill(w, mira)
	w.link(mira, "web-1")
	raw, tok := w.token(mira, identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}})
	must(w.AddPasskey(w.ctx(), mira, passkey("key1")))

	doc := must(w.Export(w.ctx(), mira))
	var all map[string]any
	require.NoError(t, json.Unmarshal(doc, &all))
	for _, part := range []string{"identities", "passkeys", "sessions", "tokens", "panels", "memberships", "transfers", "comments", "ratings", "votes", "reports", "hooks", "notices", "audit"} {
		assert.NotEmpty(t, all[part], part)
	}
	assert.Len(t, all["transfers"], 2)
	for _, has := range []string{"mira@mail.example", "splendid", "a remark", "web-1", tok.ID, "globex/held", "https://mira.example/hook"} {
		assert.Contains(t, string(doc), has)
	}
	for _, secret := range []string{raw[tokenHintLen:], tok.Hash, "whsec_", "signCount", panelRequest("").PublicKey, "tom@mail.example"} {
		assert.NotContains(t, string(doc), secret)
	}
	program := mira
	program.Token = &hub.Token{Verbs: []hub.Verb{hub.VerbRead}}
	_, err := w.Export(w.ctx(), program)
	assert.ErrorIs(t, err, hub.ErrForbidden)
	_, err = w.Export(w.ctx(), hub.Actor{})
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
}

const tokenHintLen = 10

func TestDelete(t *testing.T) {
	w := newWorld(t)
	cookie := w.signIn("mira")
	mira, tom := w.who(cookie), w.actor("tom")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner, tom.Account: hub.MemberOwner})
	mira = w.who(cookie)
	fill(w, mira)
	panel, _ := w.link(mira, "web-1")
	raw, _ := w.token(mira, identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}})
	ci := w.exchange(mira, "one")
	must(w.AddPasskey(w.ctx(), mira, passkey("key1")))

	stale := mira
	stale.Fresh = false
	assert.ErrorIs(t, w.Delete(w.ctx(), stale, identity.Deletion{}), hub.ErrNotFresh)
	must(w.AuthenticateToken(w.ctx(), raw)) // the control
	require.NoError(t, w.Delete(w.ctx(), mira, identity.Deletion{}))

	_, err := w.Authenticate(w.ctx(), cookie)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	for _, secret := range []string{raw, panel, ci} {
		_, err := w.AuthenticateToken(w.ctx(), secret)
		assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	}
	_, _, err = w.SignInPasskey(w.ctx(), identity.PasskeyUse{ID: "key1", Was: `{"signCount":1}`, Data: "{}"}, identity.Browser{})
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	assert.ErrorIs(t, w.Delete(w.ctx(), mira, identity.Deletion{}), hub.ErrNotFound, "twice")
	assert.Equal(t, map[string]string{mira.Account: identity.DeletedName}, must(w.Names(w.ctx(), []string{mira.Account})))
	assert.NotEqual(t, mira.Account, w.actor("mira").Account, "who comes back is somebody new")

	w.view(func(ctx context.Context, tx hub.Tx) error {
		acc, err := tx.Accounts().Get(ctx, mira.Account)
		require.NoError(t, err)
		assert.Equal(t, hub.AccountDeleted, acc.State)
		assert.Empty(t, acc.Email)
		own := hub.Eq("account", mira.Account)
		for name, count := range map[string]func(...hub.Cond) (int64, error){
			"identities": count(ctx, tx.Identities()), "passkeys": count(ctx, tx.Passkeys()), "sessions": count(ctx, tx.Sessions()),
			"tokens": count(ctx, tx.Tokens()), "panels": count(ctx, tx.Panels()), "notices": count(ctx, tx.Notices()), "members": count(ctx, tx.Members()),
			"ratings": count(ctx, tx.Ratings()), "devices": count(ctx, tx.Devices()),
		} {
			n, err := count(own)
			require.NoError(t, err)
			assert.Zero(t, n, name)
		}
		score, err := tx.Scores().Get(ctx, "globex/tool")
		require.NoError(t, err)
		assert.Equal(t, hub.Score{Plugin: "globex/tool", S3: 1}, score, "the rating counts no longer")
		held, err := tx.Scores().Get(ctx, "globex/held")
		require.NoError(t, err)
		assert.Equal(t, hub.Score{Plugin: "globex/held"}, held, "one that was held never did")
		rating, err := tx.Ratings().Get(ctx, "globex/tool", tom.Account)
		require.NoError(t, err)
		assert.Equal(t, 1, rating.Helpful, "nor does the vote")
		n, err := tx.Votes().Count(ctx)
		require.NoError(t, err)
		assert.Zero(t, n)
		_, err = tx.Reports().Get(ctx, "rep_1")
		assert.NoError(t, err, "what moderators work with stays")
		_, err = tx.Comments().Get(ctx, "com_1")
		assert.NoError(t, err)
		_, err = tx.Hooks().Get(ctx, "hok_1")
		assert.ErrorIs(t, err, hub.ErrNotFound)
		_, err = tx.Hooks().Get(ctx, "hok_2")
		assert.NoError(t, err, "the publisher's")
		transfer, err := tx.Transfers().Get(ctx, "trf_1")
		require.NoError(t, err)
		assert.Equal(t, hub.TransferCancelled, transfer.State)
		transfer, err = tx.Transfers().Get(ctx, "trf_2")
		require.NoError(t, err)
		assert.Equal(t, hub.TransferDone, transfer.State)
		rules, err := tx.Trusted().Count(ctx)
		require.NoError(t, err)
		assert.Zero(t, rules)
		acme, err := tx.Publishers().Get(ctx, "acme")
		require.NoError(t, err)
		assert.Equal(t, hub.PublisherActive, acme.State, "it has another owner")
		return nil
	})
	lines := w.audited(hub.ActAccountDelete)
	require.Len(t, lines, 1)
	assert.Equal(t, mira.Account, lines[0].Actor)
	for _, line := range w.audit() {
		assert.NotContains(t, string(line.Detail)+line.Target+line.Via, "mira", "the log can stay: it has no names")
		assert.NotContains(t, string(line.Detail), "splendid")
	}
}

// count is a table's Count with a context.
func count[V any](ctx context.Context, table hub.Table[V]) func(...hub.Cond) (int64, error) {
	return func(where ...hub.Cond) (int64, error) { return table.Count(ctx, where...) }
}

func TestDeleteOfASoleOwner(t *testing.T) {
	w := newWorld(t)
	mira, tom := w.actor("mira"), w.actor("tom")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner, tom.Account: hub.MemberMaintainer})
	w.publisher("empty", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	w.update(func(ctx context.Context, tx hub.Tx) error {
		return tx.Plugins().Insert(ctx, &hub.Plugin{ID: "acme/backup", Publisher: "acme", Name: "backup", Latest: "1.0.0", State: hub.PluginListed, Created: w.now()})
	})
	mira = w.again("mira")
	err := w.Delete(w.ctx(), mira, identity.Deletion{})
	var sole *identity.SoleOwnerError
	require.ErrorAs(t, err, &sole)
	require.ErrorIs(t, err, hub.ErrState)
	assert.Equal(t, []string{"acme"}, sole.Publishers, "the one with something published")
	w.again("mira") // nothing was deleted

	require.NoError(t, w.Delete(w.ctx(), mira, identity.Deletion{Abandon: true}))
	w.view(func(ctx context.Context, tx hub.Tx) error {
		for _, name := range []string{"acme", "empty"} {
			p, err := tx.Publishers().Get(ctx, name)
			require.NoError(t, err, "its name stays taken")
			assert.Equal(t, hub.PublisherSuspended, p.State, name)
			assert.NotEmpty(t, p.Reason)
		}
		p, err := tx.Plugins().Get(ctx, "acme/backup")
		require.NoError(t, err)
		assert.Equal(t, hub.PluginListed, p.State, "what is published stays")
		events, err := tx.Events().List(ctx, hub.Query{})
		require.NoError(t, err)
		assert.Len(t, events, 2)
		return nil
	})
	assert.JSONEq(t, `{"abandoned":["acme","empty"]}`, string(w.audited(hub.ActAccountDelete)[0].Detail))
}

func TestNotices(t *testing.T) {
	w := newWorld(t)
	mira, tom := w.actor("mira"), w.actor("tom")
	w.update(func(ctx context.Context, tx hub.Tx) error {
		for _, title := range []string{"one", "two", "three"} {
			w.pass(time.Second)
			if err := hub.Notify(ctx, tx, w.now(), []string{mira.Account, tom.Account}, hub.Notice{Title: title}); err != nil {
				return err
			}
		}
		return nil
	})
	assert.Equal(t, 3, must(w.UnreadCount(w.ctx(), mira)))
	page := must(w.Notices(w.ctx(), mira, identity.NoticeQuery{Limit: 2}))
	require.Len(t, page, 2)
	assert.Equal(t, "three", page[0].Title)
	rest := must(w.Notices(w.ctx(), mira, identity.NoticeQuery{After: page[1].ID}))
	require.Len(t, rest, 1)
	assert.Equal(t, "one", rest[0].Title)

	require.NoError(t, w.MarkRead(w.ctx(), mira, page[0].ID))
	assert.Equal(t, 2, must(w.UnreadCount(w.ctx(), mira)))
	assert.Len(t, must(w.Notices(w.ctx(), mira, identity.NoticeQuery{Unread: true})), 2)
	foreign := must(w.Notices(w.ctx(), tom, identity.NoticeQuery{}))[0].ID
	assert.ErrorIs(t, w.MarkRead(w.ctx(), mira, page[1].ID, foreign), hub.ErrNotFound)
	assert.Equal(t, 2, must(w.UnreadCount(w.ctx(), mira)), "all or none")
	require.NoError(t, w.MarkRead(w.ctx(), mira))
	assert.Zero(t, must(w.UnreadCount(w.ctx(), mira)))
	assert.Equal(t, 3, must(w.UnreadCount(w.ctx(), tom)))
	assert.Error(t, w.MarkRead(w.ctx(), mira, make([]string, identity.MaxMark+1)...))
}

func TestTidy(t *testing.T) {
	w := newWorld(t)
	mira := w.actor("mira")
	w.publisher("acme", map[string]hub.MemberRole{mira.Account: hub.MemberOwner})
	mira = w.again("mira")
	short, _ := w.token(mira, identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}, Life: time.Hour})
	long, _ := w.token(mira, identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}, Life: 300 * 24 * time.Hour})
	_, gone := w.token(mira, identity.NewToken{Verbs: []hub.Verb{hub.VerbRead}, Life: 300 * 24 * time.Hour})
	require.NoError(t, w.RevokeToken(w.ctx(), mira, gone.ID))
	_, unlinked := w.link(mira, "web-1")
	require.NoError(t, w.UnlinkPanel(w.ctx(), mira, unlinked.ID))
	w.exchange(mira, "one")
	must(w.StartDevice(w.ctx(), panelRequest("never")))
	must(w.StartCeremony(w.ctx(), "login", "x"))
	live, _ := w.link(w.again("mira"), "web-2")

	assert.Equal(t, identity.Tidied{}, must(w.Tidy(w.ctx())), "nothing has expired")
	w.pass(time.Hour)
	got := must(w.Tidy(w.ctx()))
	assert.Equal(t, identity.Tidied{Devices: 3, Onces: 2}, got, "the two grants that were used, too")
	_, err := w.AuthenticateToken(w.ctx(), short)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)

	w.pass(31 * 24 * time.Hour)
	got = must(w.Tidy(w.ctx()))
	assert.Equal(t, int64(4), got.Tokens, "expired, revoked, of the panel, of CI")
	assert.Equal(t, int64(1), got.Panels)
	assert.Positive(t, got.Sessions)
	must(w.AuthenticateToken(w.ctx(), long))
	must(w.AuthenticateToken(w.ctx(), live))
	assert.Equal(t, identity.Tidied{}, must(w.Tidy(w.ctx())))
}
