package link_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/link"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/verify"
)

// TestWholeFlow links a panel, which is restarted in the middle, rates with a receipt
// where the hub needs one, edits, votes, reports and unlinks.
func TestWholeFlow(t *testing.T) {
	t.Parallel()
	w := hubtest.New(t, hubtest.Options{Policy: hub.Policy{NeedReceipt: true, MinRatings: 1}})
	acme := w.Publisher(w.Person("Olga Acme"), "acme")
	release := w.Publish(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})
	w.Publish(acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/other", "1.0.0")})
	mira := w.Person("Mira Neu")
	dir := t.TempDir()
	p := open(t, w, dir)
	assert.Equal(t, store.Account{Hub: w.URL, State: store.LinkNone}, p.Account())
	var refused *store.RefusedError
	require.ErrorAs(t, p.Rate(t.Context(), "acme/backup", 5, ""), &refused)
	assert.True(t, refused.Relink)

	a, err := p.Link.Link(t.Context())
	require.NoError(t, err)
	assert.Equal(t, store.LinkWaiting, a.State)
	assert.Regexp(t, `^[A-Z]{4}-[A-Z]{4}$`, a.Code)
	assert.Contains(t, a.URL, w.URL+"/")
	assert.WithinDuration(t, time.Now().Add(15*time.Minute), a.Until, time.Minute)
	again, err := p.Link.Link(t.Context())
	require.NoError(t, err)
	assert.Equal(t, a, again, "one that waits goes on")
	secrets := p.secrets(t)
	require.Len(t, secrets, 2)

	p.stop()
	require.NoError(t, w.Hub.Identity.ApproveDevice(t.Context(), w.Actor(mira), a.Code))
	first := p.log.String()
	p = open(t, w, dir)
	assert.Equal(t, a, p.Account(), "the code outlives a restart")
	p.linked(t, "Mira Neu")
	secrets = append(secrets, p.secrets(t)...)
	info, err := os.Stat(filepath.Join(dir, "link.json"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())

	// Without the release there is no receipt, and this hub needs one.
	require.ErrorAs(t, p.Rate(t.Context(), "acme/backup", 5, ""), &refused)
	assert.Contains(t, refused.Reason, "Receipt is needed")
	p.market.install(release)
	require.NoError(t, p.Rate(t.Context(), "acme/backup", 4, "Does what it says.\nTwo lines."))
	mine, err := p.MyRating(t.Context(), "acme/backup")
	require.NoError(t, err)
	assert.Equal(t, 4, mine.Stars)
	assert.True(t, mine.Proved && mine.Mine && !mine.Held)
	assert.Equal(t, "1.0.0", mine.Version)
	require.NoError(t, p.Rate(t.Context(), "acme/backup", 2, "Changed my mind."))
	r, err := p.Ratings(t.Context(), "acme/backup", store.RatingsQuery{})
	require.NoError(t, err)
	assert.Equal(t, [5]int64{0, 1, 0, 0, 0}, r.Histogram, "the rating that is shown is the new one")
	require.Len(t, r.Items, 1)
	assert.Equal(t, "Mira Neu", r.Items[0].Name)
	assert.True(t, r.Items[0].Mine)

	// A digest that is no release of the hub proves nothing.
	p.market.install(hub.Release{Plugin: "acme/other", Version: "1.0.0", Digest: string(verify.DigestOf([]byte("x")))})
	require.ErrorAs(t, p.Rate(t.Context(), "acme/other", 5, ""), &refused)
	assert.Contains(t, refused.Reason, "no release here")

	require.NoError(t, p.Report(t.Context(), "acme/backup", "broken", "The page is empty."))
	require.ErrorAs(t, p.Report(t.Context(), "acme/backup", "because", "x"), &refused)
	_, err = p.Ratings(t.Context(), "acme/nothing", store.RatingsQuery{})
	require.ErrorIs(t, err, catalog.ErrNotFound)
	require.ErrorAs(t, p.Vote(t.Context(), "acme/backup", r.Items[0].Author, true), &refused, "nobody votes for themselves")
	assert.True(t, refused.Forbidden)

	require.NoError(t, p.DeleteRating(t.Context(), "acme/backup"))
	_, err = p.MyRating(t.Context(), "acme/backup")
	require.ErrorIs(t, err, catalog.ErrNotFound)

	require.NoError(t, p.Unlink(t.Context()))
	assert.Equal(t, store.Account{Hub: w.URL, State: store.LinkNone}, p.Account())
	panels, err := w.Hub.Identity.Panels(t.Context(), w.Actor(mira))
	require.NoError(t, err)
	assert.Empty(t, panels, "the hub knows that it is over")
	for _, secret := range secrets {
		assert.NotContains(t, first+p.log.String(), secret)
		b, err := os.ReadFile(filepath.Join(dir, "link.json"))
		require.NoError(t, err)
		assert.NotContains(t, string(b), secret, "what is over is forgotten")
	}
}

// TestVoteAndSuggestions reads as a stranger, and acts for the account.
func TestVoteAndSuggestions(t *testing.T) {
	t.Parallel()
	w := hubtest.New(t, hubtest.Options{Seed: true})
	p := open(t, w, t.TempDir())
	before, err := p.Ratings(t.Context(), "acme/backup", store.RatingsQuery{Sort: "newest"})
	require.NoError(t, err, "anybody may read")
	require.NotEmpty(t, before.Items)
	none, err := p.Recommend(t.Context(), 3)
	require.NoError(t, err)
	assert.Empty(t, none, "who has nothing gets nothing")
	p.market.install(hub.Release{Plugin: "northwind/notes", Version: "1.0.0"})
	tips, err := p.Recommend(t.Context(), 3)
	require.NoError(t, err)
	for _, s := range tips {
		assert.NotEqual(t, catalog.PluginID("northwind/notes"), s.Plugin)
		assert.NotEmpty(t, s.Because)
	}
	p.approve(t, w, w.Person("Vera Vote"))
	p.linked(t, "Vera Vote")
	who := before.Items[0].Author
	require.NoError(t, p.Vote(t.Context(), "acme/backup", who, true))
	after, err := p.Ratings(t.Context(), "acme/backup", store.RatingsQuery{Sort: "newest"})
	require.NoError(t, err)
	assert.Equal(t, before.Items[0].Helpful+1, after.Items[0].Helpful)
	assert.True(t, after.Items[0].Voted)
	require.NoError(t, p.Vote(t.Context(), "acme/backup", who, false))
}

// TestHubAway cuts and hangs: pages wait a bounded time once, then not at all, and old
// answers are shown with their age.
func TestHubAway(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"cut", "hang"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			w := hubtest.New(t, hubtest.Options{Seed: true})
			var ahead atomic.Int64
			clock := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			p := open(t, w, t.TempDir(), func(o *link.Options) { o.Now = clock })
			known, err := p.Ratings(t.Context(), "acme/backup", store.RatingsQuery{})
			require.NoError(t, err)
			p.gate.mode.Store(mode)

			asks := p.gate.asks.Load()
			soon, err := p.Ratings(t.Context(), "acme/backup", store.RatingsQuery{})
			require.NoError(t, err)
			assert.False(t, soon.Stale, "what was read just now is not asked for again")
			assert.Equal(t, asks, p.gate.asks.Load())

			ahead.Store(int64(time.Minute))
			began := time.Now()
			_, err = p.Ratings(t.Context(), "northwind/notes", store.RatingsQuery{})
			require.ErrorIs(t, err, catalog.ErrUnavailable)
			assert.Less(t, time.Since(began), 2*time.Second)
			asks = p.gate.asks.Load()
			old, err := p.Ratings(t.Context(), "acme/backup", store.RatingsQuery{})
			require.NoError(t, err)
			assert.True(t, old.Stale)
			assert.Equal(t, known.Items, old.Items)
			assert.WithinDuration(t, known.Read, old.Read, 0)
			_, err = p.Ratings(t.Context(), "northwind/clock", store.RatingsQuery{})
			require.ErrorIs(t, err, catalog.ErrUnavailable)
			assert.Equal(t, asks, p.gate.asks.Load(), "it is left alone for a while")

			began = time.Now()
			_, err = p.Link.Link(t.Context())
			require.ErrorIs(t, err, catalog.ErrUnavailable, "what a person does is tried")
			assert.Less(t, time.Since(began), link.WriteWait+time.Second)
			assert.Equal(t, store.LinkNone, p.Account().State)

			p.gate.mode.Store("")
			ahead.Store(int64(2 * time.Minute))
			back, err := p.Ratings(t.Context(), "acme/backup", store.RatingsQuery{})
			require.NoError(t, err)
			assert.False(t, back.Stale)
		})
	}
}

// TestLost ends the link at the hub: the panel says so, reads on, and can be linked anew.
func TestLost(t *testing.T) {
	t.Parallel()
	w := hubtest.New(t, hubtest.Options{Seed: true})
	mira := w.Person("Mira Neu")
	dir := t.TempDir()
	p := open(t, w, dir)
	p.approve(t, w, mira)
	p.linked(t, "Mira Neu")
	old := p.secrets(t)
	panels, err := w.Hub.Identity.Panels(t.Context(), w.Actor(mira))
	require.NoError(t, err)
	require.Len(t, panels, 1)
	assert.Equal(t, "web1", panels[0].Name)
	require.NoError(t, w.Hub.Identity.UnlinkPanel(t.Context(), w.Actor(mira), panels[0].ID))

	r, err := p.Ratings(t.Context(), "acme/backup", store.RatingsQuery{})
	require.NoError(t, err, "reading goes on without the account")
	assert.NotEmpty(t, r.Items)
	a := p.Account()
	assert.Equal(t, store.LinkLost, a.State)
	assert.Equal(t, store.LinkRefused, a.Problem)
	var refused *store.RefusedError
	require.ErrorAs(t, p.Rate(t.Context(), "acme/backup", 5, ""), &refused)
	assert.True(t, refused.Relink)
	p.stop()
	p = open(t, w, dir)
	assert.Equal(t, store.LinkLost, p.Account().State, "a restart knows it too")
	p.approve(t, w, mira)
	p.linked(t, "Mira Neu")
	for _, s := range p.secrets(t) {
		assert.NotContains(t, old, s, "each linking has its own key")
	}
}

func TestDeniedAndUntold(t *testing.T) {
	t.Parallel()
	w := hubtest.New(t, hubtest.Options{})
	mira := w.Person("Mira Neu")
	p := open(t, w, t.TempDir())
	a, err := p.Link.Link(t.Context())
	require.NoError(t, err)
	require.NoError(t, w.Hub.Identity.DenyDevice(t.Context(), w.Actor(mira), a.Code))
	require.Eventually(t, func() bool { return p.Account().Problem == store.LinkDenied }, 20*time.Second, 20*time.Millisecond)
	assert.Equal(t, store.LinkNone, p.Account().State)
	p.approve(t, w, mira)
	assert.Empty(t, p.Account().Problem)
	p.linked(t, "Mira Neu")
	p.gate.mode.Store("cut")
	require.NoError(t, p.Unlink(t.Context()))
	assert.Equal(t, store.Account{Hub: w.URL, State: store.LinkNone, Problem: store.LinkUntold}, p.Account())
}

// TestExpires: nobody types the code, and the hub is away when it ends.
func TestExpires(t *testing.T) {
	t.Parallel()
	w := hubtest.New(t, hubtest.Options{})
	dir := t.TempDir()
	p := open(t, w, dir)
	_, err := p.Link.Link(t.Context())
	require.NoError(t, err)
	p.stop()
	gone := newGate(t, w.URL)
	gone.mode.Store("cut")
	p = open(t, w, dir, func(o *link.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Hour) }
		o.HTTPClient = gone.client(t)
	})
	require.Eventually(t, func() bool { return p.Account().Problem == store.LinkExpired }, 20*time.Second, 20*time.Millisecond)
	assert.Equal(t, store.LinkNone, p.Account().State)
}

func TestAnotherHubGetsNoToken(t *testing.T) {
	t.Parallel()
	w, other := hubtest.New(t, hubtest.Options{}), hubtest.New(t, hubtest.Options{})
	dir := t.TempDir()
	p := open(t, w, dir)
	p.approve(t, w, w.Person("Mira Neu"))
	p.linked(t, "Mira Neu")
	p.stop()
	q := open(t, other, dir)
	assert.Equal(t, store.Account{Hub: other.URL, State: store.LinkNone, Problem: store.LinkOtherHub}, q.Account())
	_, err := link.Open(dir, link.Options{Hub: w.URL, Name: "x", Market: &market{}})
	require.ErrorContains(t, err, "another panel uses")
}

// TestNumbers are told once a day, only with consent, and count what the history says.
func TestNumbers(t *testing.T) {
	t.Parallel()
	w := hubtest.New(t, hubtest.Options{Seed: true})
	mira := w.Person("Mira Neu")
	silent := open(t, w, t.TempDir())
	silent.approve(t, w, mira)
	silent.linked(t, "Mira Neu")
	telemetry := func() []bool {
		panels, err := w.Hub.Identity.Panels(t.Context(), w.Actor(mira))
		require.NoError(t, err)
		var out []bool
		for _, p := range panels {
			out = append(out, p.Telemetry)
		}
		return out
	}
	assert.Equal(t, []bool{false}, telemetry())

	p := open(t, w, t.TempDir(), func(o *link.Options) { o.Telemetry = true })
	p.market.install(hub.Release{Plugin: "acme/backup", Version: "1.0.0"})
	p.market.history = []install.Entry{
		{State: install.StateFailed, Error: "update: acme/backup@1.1.0: health check failed: no", Changes: []install.HistoryStep{{Action: install.ActUpdate, Plugin: "acme/backup", From: "1.0.0", To: "1.1.0"}}},
		{State: install.StateDone, Changes: []install.HistoryStep{{Action: install.ActUpdate, Plugin: "northwind/notes", From: "1.0.0", To: "0.9.0"}}},
		{Transaction: install.Transaction{Ended: time.Now().Add(-time.Hour)}, State: install.StateDone, Changes: []install.HistoryStep{{Action: install.ActUpdate, Plugin: "acme/backup", From: "1.1.0", To: "1.0.0"}}},
	}
	p.approve(t, w, mira)
	p.linked(t, "Mira Neu")
	count := func(kind string) (n int64) {
		require.NoError(t, w.Hub.Store.View(t.Context(), func(tx hub.Tx) error {
			list, err := tx.Totals(t.Context(), hub.TotalQuery{Kind: kind, From: hub.Day(time.Now()) - 1, To: hub.Day(time.Now()) + 1})
			for _, total := range list {
				n += total.N
			}
			return err
		}))
		return n
	}
	require.Eventually(t, func() bool { return count("active") == 1 }, 20*time.Second, 50*time.Millisecond, "%s", p.log)
	assert.EqualValues(t, 2, count("rollback"), "what happened before the link is not counted")
	assert.EqualValues(t, 1, count("unhealthy"))
	assert.Contains(t, telemetry(), true)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for want, o := range map[string]link.Options{
		"Market": {Hub: "https://hub.example.org", Name: "x"},
		"Name":   {Hub: "https://hub.example.org", Market: &market{}},
		"https":  {Hub: "http://hub.example.org", Name: "x", Market: &market{}},
	} {
		_, err := link.Open(t.TempDir(), o)
		require.ErrorContains(t, err, want)
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "link.json"), []byte(`{"format":9}`), 0o600))
	_, err := link.Open(dir, link.Options{Hub: "https://hub.example.org", Name: "x", Market: &market{}})
	require.ErrorContains(t, err, "remove it, and link the panel again")
	require.False(t, errors.Is(err, catalog.ErrUnavailable))
}
