package identity_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

const issuer = "https://login.example"

// world is a hub's accounts on an SQLite database, with a clock that stands still.
type world struct {
	*identity.Service
	t      testing.TB
	path   string
	store  *counting
	policy hub.Policy
	log    *safeBuffer

	mu    sync.Mutex
	clock time.Time
}

// counting counts the changes that were asked for.
type counting struct {
	hub.Store
	mu      sync.Mutex
	updates int
}

func (c *counting) Update(ctx context.Context, f func(hub.Tx) error) error {
	c.mu.Lock()
	c.updates++
	c.mu.Unlock()
	return c.Store.Update(ctx, f)
}

func (c *counting) writes() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.updates
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newWorld(t testing.TB, options ...identity.Options) *world {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hub.db")
	store, err := sqlstore.OpenSQLite(t.Context(), path, sqlstore.Options{Volatile: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	w := worldOn(t, store, options...)
	w.path = path
	return w
}

func worldOn(t testing.TB, store hub.Store, options ...identity.Options) *world {
	t.Helper()
	w := &world{t: t, store: &counting{Store: store}, policy: hub.Policy{}.WithDefaults(), log: &safeBuffer{}, clock: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}
	o := identity.Options{AllowSignUp: true}
	if len(options) > 0 {
		o = options[0]
	}
	var err error
	w.Service, err = identity.New(hub.Env{Store: w.store, Now: w.now, Policy: func() hub.Policy { return w.policy },
		Log: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, o)
	require.NoError(t, err)
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock = w.clock.Add(d)
}

func (w *world) ctx() context.Context { return w.t.Context() }

func external(name string) identity.ExternalIdentity {
	return identity.ExternalIdentity{Issuer: issuer, Subject: "sub-" + name, Name: name, Email: name + "@mail.example", EmailVerified: true}
}

// signIn signs a person in and returns the cookie.
func (w *world) signIn(name string) string {
	w.t.Helper()
	cookie, _, err := w.SignIn(w.ctx(), external(name), identity.Browser{})
	require.NoError(w.t, err)
	return cookie
}

// actor is a person who has just signed in.
func (w *world) actor(name string) hub.Actor {
	w.t.Helper()
	return w.who(w.signIn(name))
}

func (w *world) who(cookie string) hub.Actor {
	w.t.Helper()
	a, err := w.Authenticate(w.ctx(), cookie)
	require.NoError(w.t, err)
	return a
}

// again reads an actor's standing anew, as fresh as it was.
func (w *world) again(name string) hub.Actor { return w.actor(name) }

func (w *world) update(f func(context.Context, hub.Tx) error) {
	w.t.Helper()
	require.NoError(w.t, w.store.Store.Update(w.ctx(), func(tx hub.Tx) error { return f(w.ctx(), tx) }))
}

func (w *world) view(f func(context.Context, hub.Tx) error) {
	w.t.Helper()
	require.NoError(w.t, w.store.View(w.ctx(), func(tx hub.Tx) error { return f(w.ctx(), tx) }))
}

// publisher makes a namespace with members.
func (w *world) publisher(namespace string, members map[string]hub.MemberRole) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx hub.Tx) error {
		if err := tx.Publishers().Insert(ctx, &hub.Publisher{Namespace: namespace, Name: namespace, State: hub.PublisherActive, Created: w.now()}); err != nil {
			return err
		}
		for account, role := range members {
			if err := tx.Members().Insert(ctx, &hub.Member{Publisher: namespace, Account: account, Role: role, Added: w.now()}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *world) leave(namespace, account string) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx hub.Tx) error { return tx.Members().Delete(ctx, namespace, account) })
}

// admin makes the person an administrator by the setup code and returns them.
func (w *world) admin(name string) hub.Actor {
	w.t.Helper()
	code, err := w.SetupCode(w.ctx())
	require.NoError(w.t, err)
	require.NotEmpty(w.t, code)
	require.NoError(w.t, w.ClaimAdmin(w.ctx(), w.actor(name), code))
	return w.actor(name)
}

// roles gives roles past all rules.
func (w *world) roles(name string, roles ...hub.Role) hub.Actor {
	w.t.Helper()
	_, err := w.SetRoles(w.ctx(), hub.SystemActor("test"), w.actor(name).Account, roles)
	require.NoError(w.t, err)
	return w.actor(name)
}

// token makes a token for the actor.
func (w *world) token(a hub.Actor, n identity.NewToken) (string, hub.Token) {
	w.t.Helper()
	if n.Name == "" {
		n.Name = "a token"
	}
	raw, t, err := w.CreateToken(w.ctx(), a, n)
	require.NoError(w.t, err)
	return raw, t
}

// audit returns the log.
func (w *world) audit() (lines []hub.Audit) {
	w.t.Helper()
	w.view(func(ctx context.Context, tx hub.Tx) (err error) {
		lines, err = tx.Audit().List(ctx, hub.Query{})
		return err
	})
	return lines
}

func (w *world) audited(act hub.Action) (lines []hub.Audit) {
	for _, l := range w.audit() {
		if l.Action == act {
			lines = append(lines, l)
		}
	}
	return lines
}

// stored returns the bytes of the database and of its log.
func (w *world) stored() []byte {
	w.t.Helper()
	var all []byte
	files, err := filepath.Glob(w.path + "*")
	require.NoError(w.t, err)
	require.NotEmpty(w.t, files)
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(w.t, err)
		all = append(all, b...)
	}
	return all
}

func (w *world) suspendPublisher(namespace string) {
	w.t.Helper()
	w.update(func(ctx context.Context, tx hub.Tx) error {
		p, err := tx.Publishers().Get(ctx, namespace)
		if err != nil {
			return err
		}
		p.State = hub.PublisherSuspended
		return tx.Publishers().Update(ctx, &p)
	})
}
