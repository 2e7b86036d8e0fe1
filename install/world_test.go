package install_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
	"github.com/souk-dev/souk/sandbox"
)

// world is a store with everything around it.
type world struct {
	t      testing.TB
	dir    string
	supply *installtest.Supply
	host   *installtest.Host
	o      install.Options
	policy sandbox.Policy
	s      *install.Store
}

// newWorld returns a world whose store will be on the disk.
func newWorld(t testing.TB) *world { return newWorldIn(t, filepath.Join(t.TempDir(), "plugins")) }

// newWorldIn returns a world whose store is, or will be, in dir.
func newWorldIn(t testing.TB, dir string) *world {
	w := &world{t: t, dir: dir, supply: &installtest.Supply{}, host: &installtest.Host{}}
	w.o = install.Options{
		Host: w.host, Supply: w.supply, Verifier: w.supply,
		Gate: install.Gate{OK: 2, Within: 10 * time.Second, Every: time.Millisecond}, // a busy machine is not unhealthy
	}
	return w
}

func (w *world) open() *install.Store {
	w.t.Helper()
	s, err := install.Open(w.t.Context(), w.dir, w.o)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { assert.NoError(w.t, s.Close()) })
	w.s = s
	return s
}

// start opens the store and starts what is in it.
func (w *world) start() *install.Store {
	w.t.Helper()
	s := w.open()
	require.Empty(w.t, s.Start(w.t.Context()))
	return s
}

// solution is the solution of a request whose answer is this set.
func solution(g install.Generation, set ...catalog.Release) *resolve.Resolution {
	res := &resolve.Resolution{}
	wanted := map[catalog.PluginID]bool{}
	for _, r := range set {
		wanted[r.Plugin] = true
		c := resolve.Chosen{Release: r, Root: true, Why: "you asked for it"}
		if from, ok := g.Plugins[r.Plugin]; ok {
			c.From = from.Version
		}
		res.Chosen = append(res.Chosen, c)
	}
	for id, p := range g.Plugins {
		if !wanted[id] {
			res.Removed = append(res.Removed, resolve.Removed{Release: p.Release(), Why: "you asked for it"})
		}
	}
	return res
}

func (w *world) plan(set ...catalog.Release) *install.Plan {
	w.t.Helper()
	p, err := w.s.Plan(solution(w.s.Current(), set...), install.PlanOptions{Policy: w.policy})
	require.NoError(w.t, err)
	return p
}

// apply brings the store to this set, agreeing to everything.
func (w *world) apply(set ...catalog.Release) error {
	w.t.Helper()
	p := w.plan(set...)
	_, err := w.s.Apply(w.t.Context(), p, all(p), install.Events{})
	return err
}

// all agrees to everything a plan asks.
func all(p *install.Plan) install.Approval {
	a := install.Approval{Actor: "admin"}
	for _, n := range p.Consents {
		a.Consents = append(a.Consents, n.ID)
	}
	return a
}

// settled closes the store and checks the invariants.
func (w *world) settled() installtest.Set {
	w.t.Helper()
	require.NoError(w.t, w.s.Check(w.t.Context()))
	require.NoError(w.t, w.s.Close())
	return installtest.CheckStore(w.t, w.dir)
}

func (w *world) writeData(id catalog.PluginID, name, content string) {
	w.t.Helper()
	require.NoError(w.t, os.WriteFile(filepath.Join(w.data(id), name), []byte(content), 0o600))
}

func (w *world) readData(id catalog.PluginID, name string) string {
	w.t.Helper()
	b, err := os.ReadFile(filepath.Join(w.data(id), name))
	require.NoError(w.t, err)
	return string(b)
}

func (w *world) data(id catalog.PluginID) string {
	p, ok := w.s.Current().Plugins[id]
	require.True(w.t, ok)
	return p.DataDir
}

// release makes a release with a file that tells its version.
func (w *world) release(id catalog.PluginID, version string, change ...func(*catalog.Manifest)) catalog.Release {
	m := installtest.Manifest(id, version)
	for _, c := range change {
		c(&m)
	}
	return w.supply.Add(m, installtest.Files{"VERSION": version, "bin/run": "#!/bin/sh\n", "docs/a/b.md": string(id)})
}

func schema(n int) func(*catalog.Manifest) { return func(m *catalog.Manifest) { m.DataSchema = n } }

func needs(id catalog.PluginID) func(*catalog.Manifest) {
	return func(m *catalog.Manifest) { m.Dependencies = append(m.Dependencies, catalog.Dependency{ID: id}) }
}

func wants(kind sandbox.Kind, target string, optional bool) func(*catalog.Manifest) {
	return func(m *catalog.Manifest) {
		m.Permissions = append(m.Permissions, catalog.PermissionRequest{Kind: kind, Target: target, Optional: optional, Reason: "a test"})
	}
}
