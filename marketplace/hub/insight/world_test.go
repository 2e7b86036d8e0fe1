package insight_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/insight"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
	"github.com/souk-dev/souk/verify"
)

// world is a hub with some people and the plugin acme/backup@1.0.0, owned by ann.
type world struct {
	*insight.Service
	t     testing.TB
	store hub.Store
	env   hub.Env
	mu    sync.Mutex
	now   time.Time

	ann, bob hub.Actor
}

// openStore opens an empty store: SQLite, and PostgreSQL below TestOnPostgres.
func openStore(t testing.TB) hub.Store {
	t.Helper()
	o := sqlstore.Options{Volatile: true, Timeout: time.Minute}
	if strings.HasPrefix(t.Name(), "TestOnPostgres/") {
		store, _ := hubtest.PostgresStore(t, o)
		return store
	}
	store, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "hub.db"), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	return store
}

func newWorld(t testing.TB, o insight.Options) *world {
	t.Helper()
	store := openStore(t)
	w := &world{t: t, store: store, now: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)}
	w.env = hub.Env{Store: store, Now: w.clock}
	w.Service = w.another(o)
	w.ann, w.bob = w.person("ann"), w.person("bob")
	w.owns(&w.ann, "acme")
	w.release("acme/backup", "1.0.0", nil)
	return w
}

// another is a service on the same store, as of another process.
func (w *world) another(o insight.Options) *insight.Service {
	w.t.Helper()
	if o.BaseURL == "" {
		o.BaseURL = "https://hub.example.org"
	}
	s, err := insight.New(w.env, o)
	require.NoError(w.t, err)
	return s
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Millisecond)
	return w.now
}

func (w *world) set(at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = at
}

func (w *world) today() int { return hub.Day(w.clock()) }

func (w *world) update(f func(context.Context, hub.Tx) error) {
	w.t.Helper()
	ctx := w.t.Context()
	require.NoError(w.t, w.store.Update(ctx, func(tx hub.Tx) error { return f(ctx, tx) }))
}

func (w *world) person(name string) hub.Actor {
	w.update(func(ctx context.Context, tx hub.Tx) error {
		return tx.Accounts().Insert(ctx, &hub.Account{ID: "acc_" + name, Name: name, Email: name + "@example.org", State: hub.AccountActive, Created: w.now})
	})
	return hub.Actor{Account: "acc_" + name, Name: name, Via: "session", Fresh: true, Memberships: map[string]hub.MemberRole{}}
}

func (w *world) owns(a *hub.Actor, namespace string) {
	w.update(func(ctx context.Context, tx hub.Tx) error {
		if err := tx.Publishers().Insert(ctx, &hub.Publisher{Namespace: namespace, Name: namespace, State: hub.PublisherActive, Created: w.now}); err != nil {
			return err
		}
		return tx.Members().Insert(ctx, &hub.Member{Publisher: namespace, Account: a.Account, Role: hub.MemberOwner, Added: w.now})
	})
	a.Memberships[namespace] = hub.MemberOwner
}

func digestOf(plugin, version string) string {
	return string(verify.DigestOf([]byte(plugin + "@" + version)))
}

// release publishes a release and lists the plugin.
func (w *world) release(plugin, version string, change func(*catalog.Manifest)) {
	w.t.Helper()
	id := catalog.PluginID(plugin)
	m := catalog.Manifest{
		Format: catalog.ManifestFormat, ID: id, Version: version, Name: "The " + id.Name(), Summary: "Does things.", License: "MIT",
		Runtime: catalog.Runtime{Kind: catalog.RuntimeStatic},
	}
	if change != nil {
		change(&m)
	}
	raw, err := m.Canonical()
	require.NoError(w.t, err)
	w.update(func(ctx context.Context, tx hub.Tx) error {
		if _, err := tx.Plugins().Get(ctx, plugin); err != nil {
			if err := tx.Plugins().Insert(ctx, &hub.Plugin{ID: plugin, Publisher: id.Publisher(), State: hub.PluginNew, Created: w.now}); err != nil {
				return err
			}
		}
		r := hub.Release{
			Plugin: plugin, Version: version, Publisher: id.Publisher(), Digest: digestOf(version, plugin), Content: digestOf(plugin, version), Manifest: raw, Notes: json.RawMessage("{}"),
			NotesText: "Added: <b>things</b> & more.", Percent: 100, Published: w.now,
		}
		if err := tx.Releases().Insert(ctx, &r); err != nil {
			return err
		}
		return hub.RefreshPlugin(ctx, tx, plugin)
	})
}

// rows reads the records that meet the conditions.
func rows[V any](w *world, table func(hub.Tx) hub.Table[V], where ...hub.Cond) []V {
	w.t.Helper()
	var v []V
	ctx := w.t.Context()
	require.NoError(w.t, w.store.View(ctx, func(tx hub.Tx) (err error) {
		v, err = table(tx).List(ctx, hub.Query{Where: where})
		return err
	}))
	return v
}

// total sums up all tallies of a kind, of a plugin.
func (w *world) total(kind, plugin string) int64 {
	w.t.Helper()
	var n int64
	ctx := w.t.Context()
	require.NoError(w.t, w.store.View(ctx, func(tx hub.Tx) error {
		n = 0
		list, err := tx.Totals(ctx, hub.TotalQuery{Kind: kind, Plugin: plugin, To: 1 << 20, By: []string{"day"}})
		for _, t := range list {
			n += t.N
		}
		return err
	}))
	return n
}

func (w *world) tally(t ...hub.Tally) {
	w.t.Helper()
	_, err := w.store.Tally(w.t.Context(), t)
	require.NoError(w.t, err)
}

// emit keeps an event and returns it.
func (w *world) emit(e hub.Event) hub.Event {
	w.t.Helper()
	at := w.clock().UTC().Truncate(time.Microsecond)
	w.update(func(ctx context.Context, tx hub.Tx) error { return hub.Emit(ctx, tx, at, e) })
	list := rows(w, hub.Tx.Events, hub.Eq("at", at))
	require.Len(w.t, list, 1)
	return list[0]
}

// run does a job once, as the store would.
func (w *world) run(s *insight.Service, kind, subject string) error {
	return s.Handlers()[kind](w.t.Context(), hub.Job{Kind: kind, Subject: subject, Attempt: 1})
}
