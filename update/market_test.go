package update_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/update"
)

// market is a panel with plugins in memory. What is wrong with which release is set
// by its fields, between two steps of a test.
type market struct {
	mu          sync.Mutex
	releases    []catalog.Release
	advisories  []catalog.Advisory
	generations []install.Generation

	takes     time.Duration              // how long an Apply takes
	refuses   map[catalog.Ref]error      // its health gate, in the transaction
	anonymous bool                       // errors do not name the release
	fails     map[catalog.Ref]error      // its health from then on
	plans     func(*install.Plan)        // changes every plan
	planErr   map[catalog.PluginID]error // of Plan
	syncErr   error
	applyErr  error // whatever it is about
	enableErr error
	dies      bool // the process ends in the middle of Apply, before anything changed
	commits   bool // ... or after everything was

	snapshot *catalog.Snapshot // of the first so many releases
	listed   int

	syncs, polls, facts, applies, fetches int
	log                                   []string // what was applied, "2000-01-02 03:04 acme/one@1.1.0"
}

// newMarket has these releases installed, and a catalog of them.
func newMarket(has ...catalog.Release) *market {
	m := &market{releases: has, refuses: map[catalog.Ref]error{}, fails: map[catalog.Ref]error{}, planErr: map[catalog.PluginID]error{}}
	var plugins []install.Installed
	for _, r := range has {
		plugins = append(plugins, installed(r))
	}
	m.generations = []install.Generation{generation(1, plugins...)}
	return m
}

// publish adds a release to the catalog, published now.
func (m *market) publish(ref string, edits ...edit) catalog.Release {
	r := rel(ref, append([]edit{func(r *catalog.Release) { r.Published = time.Now() }}, edits...)...)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.releases = append(m.releases, r)
	return r
}

// ripe adds a release that has been out for long.
func (m *market) ripe(ref string, edits ...edit) catalog.Release {
	return m.publish(ref, append(edits, func(r *catalog.Release) { r.Published = time.Now().AddDate(0, 0, -30) })...)
}

// count reads one of the counters.
func (m *market) count(n *int) int { m.mu.Lock(); defer m.mu.Unlock(); return *n }

func (m *market) set(f func()) { m.mu.Lock(); defer m.mu.Unlock(); f() }

func (m *market) current() install.Generation { return m.generations[len(m.generations)-1] }

func (m *market) version(id catalog.PluginID) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.current().Plugins[id].Version
}

func (m *market) history() []string { m.mu.Lock(); defer m.mu.Unlock(); return slices.Clone(m.log) }

func (m *market) Sync(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.syncs++
	return m.syncErr
}

func (m *market) Facts(context.Context) (update.Facts, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.facts++
	if m.snapshot == nil || m.listed != len(m.releases) || !reflect.DeepEqual(m.snapshot.Advisories(), m.advisories) {
		s, err := m.catalog()
		if err != nil {
			return update.Facts{}, err
		}
		m.snapshot, m.listed = s, len(m.releases)
	}
	return update.Facts{Generation: m.current(), Snapshots: []*catalog.Snapshot{m.snapshot}}, nil
}

func (m *market) catalog() (*catalog.Snapshot, error) {
	c := catalog.Contents{Source: "main", Serial: 1, Expires: now.AddDate(100, 0, 0), Releases: m.releases, Advisories: m.advisories}
	listed, owned := map[catalog.PluginID]bool{}, map[string]bool{}
	for _, r := range m.releases {
		if !listed[r.Plugin] {
			listed[r.Plugin] = true
			c.Listings = append(c.Listings, catalog.Listing{ID: r.Plugin})
		}
		if p := r.Plugin.Publisher(); !owned[p] {
			owned[p] = true
			c.Publishers = append(c.Publishers, catalog.Publisher{Namespace: p, Signers: []catalog.Signer{{Identity: acmeKey}}})
		}
	}
	return catalog.NewSnapshot(c)
}

func (m *market) Plan(_ context.Context, to []catalog.Ref) (*install.Plan, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g := m.current()
	p := &install.Plan{Base: g.N, Title: fmt.Sprintf("Update %d plugins", len(to))}
	for _, ref := range to {
		if err := m.planErr[ref.Plugin]; err != nil {
			return nil, err
		}
		i := slices.IndexFunc(m.releases, func(r catalog.Release) bool { return r.Ref == ref })
		if i < 0 {
			return nil, catalog.ErrNotFound
		}
		from := g.Plugins[ref.Plugin]
		action := install.ActUpdate
		if catalog.CompareVersions(ref.Version, from.Version) < 0 {
			action = install.ActDowngrade
		}
		p.Steps = append(p.Steps, install.Step{Action: action, Release: m.releases[i], Source: "main", From: &from})
	}
	if m.plans != nil {
		m.plans(p)
	}
	return p, nil
}

func (m *market) PlanRollback(_ context.Context, n uint64) (*install.Plan, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return &install.Plan{Base: m.current().N, Rollback: n, Title: fmt.Sprintf("Roll back to %d", n)}, nil
}

// errDied stands for the end of the process.
var errDied = errors.New("the process ended")

func (m *market) Apply(ctx context.Context, p *install.Plan, a install.Approval) (*install.Transaction, error) {
	select {
	case <-time.After(m.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.applies++
	was := m.current()
	switch {
	case m.applyErr != nil:
		return nil, m.applyErr
	case p.Base != was.N:
		return nil, install.ErrStalePlan
	case m.dies && !m.commits:
		panic(errDied)
	}
	next := install.Generation{N: was.N + 1, Parent: was.N, Plugins: maps.Clone(was.Plugins), Actor: a.Actor}
	line := time.Now().Format("2006-01-02 15:04")
	for _, s := range p.Steps {
		if err := m.refuses[s.Release.Ref]; err != nil {
			ie := &install.Error{Op: "update", Phase: install.StateChecking, Ref: s.Release.Ref, Restored: true, Err: err}
			if m.anonymous {
				ie.Ref = catalog.Ref{}
			}
			return nil, ie
		}
		q := installed(s.Release)
		q.Enabled = s.From == nil || s.From.Enabled
		next.Plugins[s.Release.Plugin] = q
		line += " " + s.Release.String()
	}
	if p.Rollback != 0 {
		i := slices.IndexFunc(m.generations, func(g install.Generation) bool { return g.N == p.Rollback })
		next.Plugins = maps.Clone(m.generations[i].Plugins)
		line += fmt.Sprintf(" back to %d", p.Rollback)
	}
	m.generations = append(m.generations, next)
	m.log = append(m.log, line)
	if m.dies {
		panic(errDied)
	}
	return &install.Transaction{From: was.N, To: next.N, Actor: a.Actor}, nil
}

func (m *market) Health(_ context.Context, id catalog.PluginID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.fails[m.current().Plugins[id].Ref]
}

func (m *market) SetEnabled(_ context.Context, id catalog.PluginID, on bool, _ string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.enableErr != nil {
		return m.enableErr
	}
	p := m.current().Plugins[id]
	p.Enabled = on
	m.current().Plugins[id] = p
	return nil
}

func (m *market) SyncAdvisories(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.polls++
	return nil
}

func (m *market) Fetch(context.Context, *install.Plan) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fetches++
	return nil
}

func (m *market) Excerpt(_ context.Context, id catalog.PluginID) []string {
	return []string{string(id) + ": panic"}
}

// keeper keeps a state in memory.
type keeper struct {
	mu    sync.Mutex
	state update.State
	saves int
	err   error // of Save
}

func (k *keeper) Load(context.Context) (update.State, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state, nil
}

func (k *keeper) Save(_ context.Context, s update.State) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.err != nil {
		return k.err
	}
	k.state, k.saves = s, k.saves+1
	return nil
}

// ear hears events, "kind title".
type ear struct {
	mu     sync.Mutex
	events []update.Event
}

func (e *ear) Notify(_ context.Context, ev update.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.events = append(e.events, ev)
	return nil
}

// kinds returns what was heard since the last call.
func (e *ear) kinds() (out []string) {
	for _, ev := range e.heard() {
		out = append(out, string(ev.Kind))
	}
	return out
}

func (e *ear) heard() []update.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := e.events
	e.events = nil
	return out
}

// zeros is a source of randomness without any.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// newRunner makes a runner of m that applies all within the rules; its first check is
// at once.
func newRunner(t testing.TB, m update.Market, k *keeper, p update.Policy) (*update.Runner, *ear) {
	t.Helper()
	e := &ear{}
	r, err := update.New(t.Context(), m, k, update.Options{Policy: p, Notifiers: []update.Notifier{e}, Rand: zeros{}})
	require.NoError(t, err)
	return r, e
}

// start runs r until the returned function is called, which waits for its end.
func start(t testing.TB, r *update.Runner) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	return func() {
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	}
}
