package community_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
)

func TestNewNeedsAStore(t *testing.T) {
	_, err := community.New(hub.Env{}, community.Options{})
	assert.Error(t, err)
}

func TestRateAndEdit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	first := w.rate(w.bob, 2)
	assert.Equal(t, hub.Shown, first.State)
	assert.Equal(t, int64(1), w.score().S2)

	edited, err := w.Rate(ctx, w.bob, community.NewRating{Plugin: "acme/backup", Stars: 5, Text: " Better\r\n\r\n\r\nnow.\t ", Version: "1.0.0"})
	require.NoError(t, err)
	assert.Equal(t, "Better\n\nnow.", edited.Text)
	assert.Equal(t, "1.0.0", edited.Version)
	assert.Equal(t, first.Created, edited.Created)
	assert.Equal(t, hub.Score{Plugin: "acme/backup", S5: 1}, w.score())
	assert.Len(t, rows(w, hub.Tx.Ratings), 1)

	mine, err := w.RatingOf(ctx, w.bob, "acme/backup")
	require.NoError(t, err)
	assert.Equal(t, edited, mine)
	_, err = w.RatingOf(ctx, w.eve, "acme/backup")
	assert.ErrorIs(t, err, hub.ErrNotFound)

	require.NoError(t, w.DeleteRating(ctx, w.bob, "acme/backup"))
	assert.Equal(t, int64(0), w.score().Count())
	assert.ErrorIs(t, w.DeleteRating(ctx, w.bob, "acme/backup"), hub.ErrNotFound)
	assert.Len(t, rows(w, hub.Tx.Events, hub.Eq("kind", hub.EventRatingAdded)), 1, "an edit is no new rating")
	assert.Len(t, rows(w, hub.Tx.Audit, hub.Eq("action", hub.ActRatingWrite)), 3)
}

func TestWhoMayNotRate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	suspended := w.eve
	suspended.Suspended = true
	maintainer := w.eve
	maintainer.Memberships = map[string]hub.MemberRole{"acme": hub.MemberMaintainer}
	token := w.bob
	token.Token = &hub.Token{Verbs: []hub.Verb{hub.VerbRead}}
	for name, c := range map[string]struct {
		who  hub.Actor
		want error
	}{
		"nobody":     {hub.Actor{}, hub.ErrUnauthenticated},
		"the hub":    {hub.SystemActor("x"), hub.ErrUnauthenticated},
		"owner":      {w.ann, hub.ErrForbidden},
		"maintainer": {maintainer, hub.ErrForbidden},
		"suspended":  {suspended, hub.ErrForbidden},
		"token":      {token, hub.ErrForbidden},
		"user":       {w.bob, nil},
	} {
		_, err := w.Rate(t.Context(), c.who, community.NewRating{Plugin: "acme/backup", Stars: 5})
		assert.ErrorIs(t, err, c.want, name)
	}
}

func TestWhatIsNoRating(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.update(func(ctx context.Context, tx hub.Tx) error {
		return tx.Plugins().Insert(ctx, &hub.Plugin{ID: "acme/unborn", Publisher: "acme", State: hub.PluginNew})
	})
	family := "👨‍👩‍👧 like it ❤️ می\u200cخواهم"
	for _, c := range []struct {
		n    community.NewRating
		want string // in the error; empty: fine
	}{
		{community.NewRating{Plugin: "acme/backup", Stars: 0}, "stars"},
		{community.NewRating{Plugin: "acme/backup", Stars: 6}, "stars"},
		{community.NewRating{Plugin: "acme/backup", Stars: 5, Text: strings.Repeat("x", community.MaxRatingText+1)}, "characters"},
		{community.NewRating{Plugin: "acme/backup", Stars: 5, Text: strings.Repeat("x", 9*community.MaxRatingText)}, "characters"},
		{community.NewRating{Plugin: "acme/backup", Stars: 5, Text: "a\u202eb"}, "U+202E"},
		{community.NewRating{Plugin: "acme/backup", Stars: 5, Text: "a\x00b"}, "U+0000"},
		{community.NewRating{Plugin: "acme/backup", Stars: 5, Text: "a\xffb"}, "U+FFFD"},
		{community.NewRating{Plugin: "acme/backup", Stars: 5, Text: "a\u200db"}, "U+200D"},
		{community.NewRating{Plugin: "acme/backup", Stars: 5, Version: "9.9.9"}, "version"},
		{community.NewRating{Plugin: "acme/none", Stars: 5}, "not found"},
		{community.NewRating{Plugin: "acme/unborn", Stars: 5}, "not found"},
		{community.NewRating{Plugin: "../etc", Stars: 5}, "not found"},
		{community.NewRating{Plugin: "acme/backup", Stars: 5, Text: family}, ""},
		{community.NewRating{Plugin: "acme/backup", Stars: 5, Text: strings.Repeat("x", community.MaxRatingText)}, ""},
	} {
		_, err := w.Rate(t.Context(), w.bob, c.n)
		if c.want == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, c.want)
		}
	}
	r, err := w.Rate(t.Context(), w.bob, community.NewRating{Plugin: "acme/backup", Stars: 5, Text: family})
	require.NoError(t, err)
	assert.Equal(t, family, r.Text)
}

func TestRatingsOfADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy.RatingsDay = 2
	ctx := t.Context()
	w.rate(w.bob, 1)
	require.NoError(t, w.DeleteRating(ctx, w.bob, "acme/backup"))
	w.rate(w.bob, 2)
	_, err := w.Rate(ctx, w.bob, community.NewRating{Plugin: "acme/backup", Stars: 3})
	var limit *hub.LimitError
	require.ErrorAs(t, err, &limit)
	assert.InDelta(t, (12 * time.Hour).Seconds(), limit.After.Seconds(), 10)
	assert.Equal(t, int64(1), w.score().S2, "nothing was changed")
	w.rate(w.eve, 3) // another person's day is another's
	w.pass(limit.After)
	w.rate(w.bob, 4)
}

// TestScoreIsTheTruth: many at once, with edits and deletions, and the score is what the
// ratings add up to.
func TestScoreIsTheTruth(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	crowd := w.crowd(100)
	var wg sync.WaitGroup
	for i, a := range crowd {
		wg.Go(func() {
			w.rate(a, i%5+1)
			if i%3 == 0 {
				w.rate(a, (i+2)%5+1)
			}
			if i%7 == 0 {
				assert.NoError(t, w.DeleteRating(t.Context(), a, "acme/backup"))
			}
		})
	}
	wg.Wait()
	held := rows(w, hub.Tx.Ratings, hub.Eq("state", hub.Held))
	assert.NotEmpty(t, held, "a hundred at once are a burst")
	assert.Equal(t, w.truth(), w.score())
	for _, r := range held {
		_, err := w.Decide(t.Context(), w.mod, community.NewDecision{Kind: hub.DecisionShow, Subject: hub.SubjectRating, About: r.Plugin + "#" + r.Account, Text: "Fine."})
		require.NoError(t, err)
	}
	assert.Equal(t, int64(85), w.score().Count())
	assert.Equal(t, w.truth(), w.score())
}

// TestOneRatingFromManyHands: the same account at once has one rating, and counts once.
func TestOneRatingFromManyHands(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() { w.rate(w.bob, i%5+1) })
	}
	wg.Wait()
	assert.Equal(t, int64(1), w.score().Count())
	assert.Equal(t, w.truth(), w.score())
}

func TestReceipt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.policy.NeedReceipt = true
	w.release("acme/other", "1.0.0")
	ctx := t.Context()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	_, otherKey, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	w.update(func(ctx context.Context, tx hub.Tx) error {
		if err := tx.Panels().Insert(ctx, &hub.Panel{ID: "pnl_1", Account: w.bob.Account, Token: "tok_1", Key: base64.StdEncoding.EncodeToString(pub), Linked: w.now}); err != nil {
			return err
		}
		return tx.Panels().Insert(ctx, &hub.Panel{ID: "pnl_2", Account: w.bob.Account, Token: "tok_2", Key: base64.StdEncoding.EncodeToString(pub), Linked: w.now, Revoked: w.now})
	})
	n := 0
	receipt := func(key ed25519.PrivateKey, change func(*hub.Receipt)) string {
		n++
		r := hub.Receipt{
			Panel: "pnl_1", Account: w.bob.Account, Plugin: "acme/backup", Version: "1.0.0", Digest: string(digestOf("acme/backup", "1.0.0")),
			IssuedAt: w.clock(), Nonce: base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("n", 15) + string(rune('a'+n)))),
		}
		if change != nil {
			change(&r)
		}
		s, err := hub.SignReceipt(r, key)
		require.NoError(t, err)
		return s
	}
	rate := func(a hub.Actor, receipt string) error {
		_, err := w.Rate(ctx, a, community.NewRating{Plugin: "acme/backup", Stars: 4, Receipt: receipt})
		return err
	}
	for name, r := range map[string]string{
		"none":            "",
		"garbage":         "abc.def",
		"another key":     receipt(otherKey, nil),
		"revoked panel":   receipt(key, func(r *hub.Receipt) { r.Panel = "pnl_2" }),
		"no such panel":   receipt(key, func(r *hub.Receipt) { r.Panel = "pnl_3" }),
		"another account": receipt(key, func(r *hub.Receipt) { r.Account = w.eve.Account }),
		"another plugin":  receipt(key, func(r *hub.Receipt) { r.Plugin = "acme/other" }),
		"no release":      receipt(key, func(r *hub.Receipt) { r.Version = "2.0.0" }),
		"another digest":  receipt(key, func(r *hub.Receipt) { r.Digest = string(digestOf("x", "y")) }),
		"too old":         receipt(key, func(r *hub.Receipt) { r.IssuedAt = r.IssuedAt.Add(-hub.ReceiptLife) }),
		"from the future": receipt(key, func(r *hub.Receipt) { r.IssuedAt = r.IssuedAt.Add(hub.ReceiptSkew + time.Minute) }),
	} {
		var invalid *hub.InvalidError
		assert.ErrorAs(t, rate(w.bob, r), &invalid, name)
	}
	good := receipt(key, nil)
	assert.Error(t, rate(w.eve, good), "somebody else's receipt")
	require.NoError(t, rate(w.bob, good))
	mine, err := w.RatingOf(ctx, w.bob, "acme/backup")
	require.NoError(t, err)
	assert.True(t, mine.Proved)
	assert.Equal(t, "1.0.0", mine.Version)
	assert.ErrorContains(t, rate(w.bob, good), "used before")
	assert.NoError(t, rate(w.bob, ""), "what was proved once may be edited")
	assert.NoError(t, rate(w.bob, receipt(key, nil)))
	w.policy.NeedReceipt = false
	assert.NoError(t, rate(w.eve, ""), "control: without the policy none is needed")
}

func TestAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.rate(w.bob, 1)
	_, err := w.Answer(ctx, w.eve, "acme/backup", w.bob.Account, "I am the publisher, really.")
	assert.ErrorIs(t, err, hub.ErrForbidden)
	_, err = w.Answer(ctx, w.ann, "acme/backup", w.eve.Account, "Hello?")
	assert.ErrorIs(t, err, hub.ErrNotFound)
	for _, text := range []string{"Sorry.", "Fixed in 1.0.1."} {
		r, err := w.Answer(ctx, w.ann, "acme/backup", w.bob.Account, text)
		require.NoError(t, err)
		assert.Equal(t, text, r.Answer)
	}
	assert.Len(t, rows(w, hub.Tx.Notices, hub.Eq("account", w.bob.Account)), 1, "told once")
	r, err := w.Answer(ctx, w.ann, "acme/backup", w.bob.Account, "")
	require.NoError(t, err)
	assert.Empty(t, r.Answer+r.AnswerBy)
}

func TestVotes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.rate(w.bob, 4)
	vote := func(a hub.Actor, helpful bool) int {
		r, err := w.Vote(ctx, a, "acme/backup", w.bob.Account, helpful)
		require.NoError(t, err)
		return r.Helpful
	}
	assert.Equal(t, 1, vote(w.eve, true))
	assert.Equal(t, 1, vote(w.eve, true), "one vote each")
	assert.Equal(t, 2, vote(w.mod, true))
	assert.Equal(t, 1, vote(w.eve, false))
	assert.Equal(t, 1, vote(w.eve, false))
	_, err := w.Vote(ctx, w.bob, "acme/backup", w.bob.Account, true)
	assert.ErrorIs(t, err, hub.ErrForbidden, "not one's own")
	_, err = w.Vote(ctx, w.eve, "acme/backup", w.ann.Account, true)
	assert.ErrorIs(t, err, hub.ErrNotFound)

	page, err := w.Ratings(ctx, w.mod, community.RatingsQuery{Plugin: "acme/backup"})
	require.NoError(t, err)
	require.Len(t, page.Items, 1)
	assert.True(t, page.Items[0].Voted)
	assert.Equal(t, "bob", page.Items[0].Author)
	assert.False(t, page.Items[0].Mine)

	var wg sync.WaitGroup
	for _, a := range w.crowd(50) {
		wg.Go(func() { vote(a, true) })
	}
	wg.Wait()
	assert.Equal(t, 51, row(w, hub.Tx.Ratings, "acme/backup", w.bob.Account).Helpful)
	require.NoError(t, w.DeleteRating(ctx, w.bob, "acme/backup"))
	assert.Empty(t, rows(w, hub.Tx.Votes))
}
