package insight_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/insight"
)

func TestNewIsStrict(t *testing.T) {
	w := newWorld(t, insight.Options{})
	for _, base := range []string{"", "hub.example.org", "ftp://hub.example.org", "https://", "https://a/?b", "https://a/#b", "https://u:p@a/"} {
		_, err := insight.New(w.env, insight.Options{BaseURL: base})
		assert.Error(t, err, base)
	}
	_, err := insight.New(hub.Env{}, insight.Options{BaseURL: "https://a/"})
	assert.Error(t, err)
}

func download(plugin, version, client string) insight.Download {
	return insight.Download{Repository: plugin, Digest: digestOf(plugin, version), Client: client}
}

func TestDownloadsCountOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, insight.Options{})
	w.release("acme/backup", "1.1.0", nil)
	ctx := t.Context()
	count := func(s *insight.Service, d ...insight.Download) {
		require.NoError(t, s.CountDownloads(ctx, d))
		require.NoError(t, s.Close(ctx))
	}
	one := download("acme/backup", "1.0.0", "192.0.2.1 souk/1")
	other := w.another(insight.Options{})
	count(w.Service, one, one, download("acme/backup", "1.0.0", "192.0.2.2 souk/1"), download("acme/backup", "1.1.0", "192.0.2.1 souk/1"),
		insight.Download{Digest: digestOf("x", "y"), Client: "a"},                                                  // no release
		insight.Download{Digest: "sha256:zz", Client: "a"},                                                         // no digest
		insight.Download{Repository: "staging/acme/backup", Digest: digestOf("acme/backup", "1.0.0"), Client: "r"}, // a reviewer
		insight.Download{Repository: "souk/staging/acme/backup", Digest: digestOf("acme/backup", "1.0.0"), Client: "r"})
	assert.Equal(t, int64(3), w.total(hub.TallyDownload, "acme/backup"))
	count(other, one) // another process has the same key of the day
	assert.Equal(t, int64(3), w.total(hub.TallyDownload, "acme/backup"))

	w.set(w.now.AddDate(0, 0, 1))
	count(w.another(insight.Options{}), one)
	assert.Equal(t, int64(4), w.total(hub.TallyDownload, "acme/backup"), "another day")
	assert.ErrorIs(t, other.CountDownloads(ctx, []insight.Download{one}), hub.ErrUnavailable, "closed")
	var invalid *hub.InvalidError
	assert.ErrorAs(t, w.another(insight.Options{}).CountDownloads(ctx, make([]insight.Download, insight.MaxBatch+1)), &invalid)
}

// TestOneKeyADay: processes that start at once agree on the key, and it is gone when the
// day is over.
func TestOneKeyADay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, insight.Options{})
	ctx := t.Context()
	d := download("acme/backup", "1.0.0", "192.0.2.1 souk/1")
	d.At = w.clock()
	var wg sync.WaitGroup
	services := make([]*insight.Service, 10)
	for i := range services {
		services[i] = w.another(insight.Options{})
		wg.Go(func() { assert.NoError(t, services[i].CountDownloads(ctx, []insight.Download{d})) })
	}
	wg.Wait()
	for _, s := range services {
		require.NoError(t, s.Close(ctx))
	}
	assert.Equal(t, int64(1), w.total(hub.TallyDownload, "acme/backup"))
	keys := func() []hub.Setting {
		return rows(w, hub.Tx.Settings, hub.Ge("name", "insight.key."), hub.Lt("name", "insight.key/"))
	}
	require.Len(t, keys(), 1)
	old := keys()[0]

	midnight := w.now.Truncate(24 * time.Hour).Add(24 * time.Hour)
	w.set(midnight.Add(insight.KeyGrace / 2)) // what comes late still counts for its day
	late := w.another(insight.Options{})
	require.NoError(t, w.run(late, hub.JobNumbers, ""))
	assert.Equal(t, old, keys()[0])
	require.NoError(t, late.CountDownloads(ctx, []insight.Download{d}))
	require.NoError(t, late.Close(ctx))
	assert.Equal(t, int64(1), w.total(hub.TallyDownload, "acme/backup"), "it was counted yesterday")

	w.set(midnight.Add(insight.KeyGrace + time.Minute))
	require.NoError(t, w.run(late, hub.JobNumbers, ""))
	assert.Empty(t, keys(), "nobody can tell any more")
	later := w.another(insight.Options{})
	require.NoError(t, later.CountDownloads(ctx, []insight.Download{d}))
	require.NoError(t, later.Close(ctx))
	assert.Equal(t, int64(2), w.total(hub.TallyDownload, "acme/backup"), "counts for the day on which it came")
	require.Len(t, keys(), 1)
	assert.NotEqual(t, old.Value, keys()[0].Value)
	assert.Greater(t, keys()[0].Key, old.Key, "no key of a day that is over is made again")
	ahead := d
	ahead.At, ahead.Client = d.At.AddDate(1, 0, 0), "a clock that is wrong"
	last := w.another(insight.Options{})
	require.NoError(t, last.CountDownloads(ctx, []insight.Download{ahead}))
	require.NoError(t, last.Close(ctx))
	assert.Len(t, keys(), 1, "nor of one to come")
}

// flaky is a store whose Tally fails when told so.
type flaky struct {
	hub.Store
	down  atomic.Bool
	calls atomic.Int64
}

func (f *flaky) Tally(ctx context.Context, t []hub.Tally) (int, error) {
	f.calls.Add(1)
	if f.down.Load() {
		return 0, fmt.Errorf("no connection: %w", hub.ErrUnavailable)
	}
	return f.Store.Tally(ctx, t)
}

// TestNothingIsLost: 200 downloads a second for ten seconds from ten senders, with the
// store away for two of them.
func TestNothingIsLost(t *testing.T) {
	w := newWorld(t, insight.Options{})
	f := &flaky{Store: w.store}
	w.env.Store = f
	s := w.another(insight.Options{})
	require.NoError(t, s.CountDownloads(t.Context(), []insight.Download{download("acme/backup", "1.0.0", "first")})) // digests and the key are known
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		var wg sync.WaitGroup
		for sender := range 10 {
			wg.Go(func() {
				for i := range 200 { // 20 a second each
					d := download("acme/backup", "1.0.0", fmt.Sprintf("%d %d", sender, i))
					assert.NoError(t, s.CountDownloads(ctx, []insight.Download{d, d}))
					time.Sleep(50 * time.Millisecond)
					if sender == 0 && i == 60 {
						f.down.Store(true)
					}
					if sender == 0 && i == 100 {
						f.down.Store(false)
					}
				}
			})
		}
		wg.Wait()
		cancel()
		require.NoError(t, <-done)
	})
	assert.Equal(t, int64(2001), w.total(hub.TallyDownload, "acme/backup"))
	assert.Less(t, f.calls.Load(), int64(100), "in batches")
}

// TestBackPressure: while the store is away, counts wait up to a bound, then the caller
// hears of it; what was accepted is written when the store is back.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	w := newWorld(t, insight.Options{})
	f := &flaky{Store: w.store}
	w.env.Store = f
	s := w.another(insight.Options{})
	f.down.Store(true)
	accepted := 0
	var err error
	for i := 0; err == nil && i < 100; i++ {
		batch := make([]insight.Download, 1000)
		for k := range batch {
			batch[k] = download("acme/backup", "1.0.0", fmt.Sprintf("%d %d", i, k))
		}
		if err = s.CountDownloads(t.Context(), batch); err == nil {
			accepted += len(batch)
		}
	}
	require.ErrorIs(t, err, hub.ErrUnavailable)
	assert.Equal(t, insight.MaxPending, accepted)
	assert.ErrorIs(t, s.Close(t.Context()), hub.ErrUnavailable)
	f.down.Store(false)
	require.NoError(t, s.Close(t.Context()))
	assert.Equal(t, int64(accepted), w.total(hub.TallyDownload, "acme/backup"))
}

// TestNothingOfTheClientIsKept looks for the client in all that is written.
func TestNothingOfTheClientIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, insight.Options{})
	f := &spy{Store: w.store}
	w.env.Store = f
	s := w.another(insight.Options{})
	require.NoError(t, s.CountDownloads(t.Context(), []insight.Download{download("acme/backup", "1.0.0", "198.51.100.7 agent/1")}))
	require.NoError(t, s.Close(t.Context()))
	require.Len(t, f.seen, 1)
	assert.NotContains(t, fmt.Sprint(f.seen), "198.51.100.7")
	assert.Len(t, f.seen[0].Once, 22)
}

type spy struct {
	hub.Store
	seen []hub.Tally
}

func (f *spy) Tally(ctx context.Context, t []hub.Tally) (int, error) {
	f.seen = append(f.seen, t...)
	return f.Store.Tally(ctx, t)
}

func (w *world) panel(owner hub.Actor, id string, telemetry bool) hub.Actor {
	w.update(func(ctx context.Context, tx hub.Tx) error {
		return tx.Panels().Insert(ctx, &hub.Panel{ID: id, Account: owner.Account, Token: "tok_" + id, Telemetry: telemetry, Linked: w.now})
	})
	a := owner
	a.Token = &hub.Token{ID: "tok_" + id, Kind: hub.TokenPanel, Account: owner.Account, Verbs: []hub.Verb{hub.VerbPanel}}
	return a
}

func TestPanelReport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, insight.Options{})
	w.release("acme/other", "2.0.0", nil)
	ctx := t.Context()
	a := w.panel(w.bob, "pnl_1", true)
	quiet := w.panel(w.bob, "pnl_2", false)
	good := insight.Report{
		Day: w.today(), PanelVersion: "3.1.0",
		Installed: []insight.Installed{{"acme/other", "2.0.0"}, {"acme/backup", "1.0.0"}, {"elsewhere/thing", "1.0.0"}},
		Rollbacks: []insight.Happened{{"acme/backup", "1.0.0", 2}}, Unhealthy: []insight.Happened{{"acme/backup", "1.0.0", 3}, {"elsewhere/thing", "1.0.0", 3}},
	}
	session := w.bob
	api := a
	api.Token = &hub.Token{ID: "tok_x", Kind: hub.TokenAPI, Verbs: []hub.Verb{hub.VerbPanel}}
	stolen := w.ann // a panel's token for another account
	stolen.Token = a.Token
	for name, who := range map[string]hub.Actor{"session": session, "api token": api, "not opted in": quiet, "another account": stolen} {
		_, err := w.PanelReport(ctx, who, good)
		assert.ErrorIs(t, err, hub.ErrForbidden, name)
	}
	_, err := w.PanelReport(ctx, hub.Actor{}, good)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	for name, change := range map[string]func(*insight.Report){
		"tomorrow":       func(r *insight.Report) { r.Day++ },
		"long ago":       func(r *insight.Report) { r.Day -= 2 },
		"key is gone":    func(r *insight.Report) { r.Day-- }, // it is noon
		"panel version":  func(r *insight.Report) { r.PanelVersion = "=cmd()" },
		"plugin":         func(r *insight.Report) { r.Installed = []insight.Installed{{"x", "1.0.0"}} },
		"version":        func(r *insight.Report) { r.Installed = []insight.Installed{{"acme/backup", "one"}} },
		"twice":          func(r *insight.Report) { r.Installed = append(r.Installed, r.Installed[0]) },
		"many":           func(r *insight.Report) { r.Installed = make([]insight.Installed, insight.MaxInstalled+1) },
		"many rollbacks": func(r *insight.Report) { r.Rollbacks = make([]insight.Happened, insight.MaxInstalled+1) },
		"negative":       func(r *insight.Report) { r.Rollbacks = []insight.Happened{{"acme/backup", "1.0.0", -5}} },
		"too often": func(r *insight.Report) {
			r.Unhealthy = []insight.Happened{{"acme/backup", "1.0.0", insight.MaxHappened + 1}}
		},
	} {
		bad := good
		bad.Installed = append([]insight.Installed{}, good.Installed...)
		change(&bad)
		_, err := w.PanelReport(ctx, a, bad)
		var invalid *hub.InvalidError
		assert.ErrorAs(t, err, &invalid, name)
	}
	for range 3 {
		n, err := w.PanelReport(ctx, a, good)
		require.NoError(t, err)
		assert.Equal(t, 2, n)
	}
	assert.Equal(t, int64(1), w.total(hub.TallyActive, "acme/backup"), "once a day")
	assert.Equal(t, int64(2), w.total(hub.TallyRollback, "acme/backup"))
	assert.Equal(t, int64(3), w.total(hub.TallyUnhealthy, "acme/backup"))
	assert.Equal(t, int64(1), w.total(hub.TallyPair, "acme/backup"), "the smaller id comes first")
	assert.Zero(t, w.total(hub.TallyPair, "acme/other"))
	assert.Zero(t, w.total(hub.TallyActive, "elsewhere/thing"))
	second := w.panel(w.bob, "pnl_3", true)
	_, err = w.PanelReport(ctx, second, good)
	require.NoError(t, err)
	assert.Equal(t, int64(2), w.total(hub.TallyActive, "acme/backup"), "control: another panel")
}

// TestPairsAreBounded: a panel with very many plugins says what some of them are with.
func TestPairsAreBounded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, insight.Options{})
	a := w.panel(w.bob, "pnl_1", true)
	r := insight.Report{Day: w.today()}
	for i := range insight.MaxPaired + 10 {
		id := "acme/p" + strings.Repeat("x", i/26+1) + string(rune('a'+i%26))
		w.release(id, "1.0.0", nil)
		r.Installed = append(r.Installed, insight.Installed{Plugin: id, Version: "1.0.0"})
	}
	for range 2 {
		_, err := w.PanelReport(t.Context(), a, r)
		require.NoError(t, err)
	}
	assert.Equal(t, int64(insight.MaxPaired*(insight.MaxPaired-1)/2), w.total(hub.TallyPair, ""))
	assert.Equal(t, int64(insight.MaxPaired+10), w.total(hub.TallyActive, ""))
}
