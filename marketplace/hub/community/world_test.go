package community_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
	"github.com/souk-dev/souk/verify"
)

// world is a hub with some people and one plugin, acme/backup@1.0.0, owned by ann.
type world struct {
	*community.Service
	t      testing.TB
	store  hub.Store
	mu     sync.Mutex
	now    time.Time
	policy hub.Policy

	ann, bob, eve  hub.Actor // owner of acme, and two users
	mod, mod2, rev hub.Actor // moderators and a reviewer
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

func newWorld(t testing.TB) *world {
	t.Helper()
	store := openStore(t)
	w := &world{t: t, store: store, now: time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC), policy: hub.Policy{}.WithDefaults()}
	var err error
	w.Service, err = community.New(hub.Env{Store: store, Now: w.clock, Policy: func() hub.Policy { return w.policy }}, community.Options{})
	require.NoError(t, err)
	w.ann, w.bob, w.eve = w.person("ann"), w.person("bob"), w.person("eve")
	w.mod, w.mod2, w.rev = w.person("mod", hub.RoleModerator), w.person("mod2", hub.RoleModerator), w.person("rev", hub.RoleReviewer)
	w.owns(&w.ann, "acme")
	w.release("acme/backup", "1.0.0")
	return w
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(time.Millisecond)
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) update(f func(context.Context, hub.Tx) error) {
	w.t.Helper()
	ctx := w.t.Context()
	require.NoError(w.t, w.store.Update(ctx, func(tx hub.Tx) error { return f(ctx, tx) }))
}

func (w *world) person(name string, roles ...hub.Role) hub.Actor {
	w.update(func(ctx context.Context, tx hub.Tx) error {
		return tx.Accounts().Insert(ctx, &hub.Account{ID: "acc_" + name, Name: name, Roles: roles, State: hub.AccountActive, Created: w.now})
	})
	return hub.Actor{Account: "acc_" + name, Name: name, Roles: roles, Via: "session", Fresh: true, Memberships: map[string]hub.MemberRole{}}
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

func digestOf(plugin, version string) verify.Digest {
	return verify.DigestOf([]byte(plugin + "@" + version))
}

// release publishes a release with a submission, and lists the plugin.
func (w *world) release(plugin, version string) {
	id := catalog.PluginID(plugin)
	m := catalog.Manifest{
		Format: catalog.ManifestFormat, ID: id, Version: version, Name: "The " + id.Name(), Summary: "Does things.", License: "MIT",
		Runtime: catalog.Runtime{Kind: catalog.RuntimeStatic},
	}
	raw, err := m.Canonical()
	require.NoError(w.t, err)
	w.update(func(ctx context.Context, tx hub.Tx) error {
		if _, err := tx.Plugins().Get(ctx, plugin); err != nil {
			if err := tx.Plugins().Insert(ctx, &hub.Plugin{ID: plugin, Publisher: id.Publisher(), State: hub.PluginNew, Created: w.now}); err != nil {
				return err
			}
		}
		sub := hub.Submission{ID: "sub_" + id.Name() + version, Plugin: plugin, Version: version, Publisher: id.Publisher(), State: hub.StatePublished, Round: 1, Created: w.now, Updated: w.now}
		if err := tx.Submissions().Insert(ctx, &sub); err != nil {
			return err
		}
		r := hub.Release{
			Plugin: plugin, Version: version, Publisher: id.Publisher(), Digest: string(digestOf(plugin, version)), Manifest: raw, Notes: []byte("{}"),
			Percent: 100, Submission: sub.ID, Published: w.now,
		}
		if err := tx.Releases().Insert(ctx, &r); err != nil {
			return err
		}
		return hub.RefreshPlugin(ctx, tx, plugin)
	})
}

// row reads one record.
func row[V any](w *world, table func(hub.Tx) hub.Table[V], key ...any) V {
	w.t.Helper()
	var v V
	ctx := w.t.Context()
	require.NoError(w.t, w.store.View(ctx, func(tx hub.Tx) (err error) {
		v, err = table(tx).Get(ctx, key...)
		return err
	}))
	return v
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

// crowd makes n people.
func (w *world) crowd(n int) []hub.Actor {
	out := make([]hub.Actor, n)
	w.update(func(ctx context.Context, tx hub.Tx) error {
		for i := range out {
			id := fmt.Sprintf("acc_crowd%04d", i)
			if err := tx.Accounts().Insert(ctx, &hub.Account{ID: id, Name: "crowd", State: hub.AccountActive, Created: w.now}); err != nil {
				return err
			}
			out[i] = hub.Actor{Account: id, Via: "session", Fresh: true}
		}
		return nil
	})
	return out
}

func (w *world) rate(a hub.Actor, stars int) hub.Rating {
	w.t.Helper()
	r, err := w.Rate(w.t.Context(), a, community.NewRating{Plugin: "acme/backup", Stars: stars, Text: "It works."})
	require.NoError(w.t, err)
	return r
}

func (w *world) score() hub.Score {
	var s hub.Score
	ctx := w.t.Context()
	require.NoError(w.t, w.store.View(ctx, func(tx hub.Tx) error {
		list, err := tx.Scores().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("plugin", "acme/backup")}})
		if len(list) == 1 {
			s = list[0]
		}
		return err
	}))
	return s
}

// truth is what the shown ratings add up to, counted anew.
func (w *world) truth() hub.Score {
	s := hub.Score{Plugin: "acme/backup"}
	for _, r := range rows(w, hub.Tx.Ratings, hub.Eq("plugin", s.Plugin), hub.Eq("state", hub.Shown)) {
		*[]*int64{&s.S1, &s.S2, &s.S3, &s.S4, &s.S5}[r.Stars-1]++
	}
	return s
}
