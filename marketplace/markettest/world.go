package markettest

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/tuf"
)

// Options are the choices of New. The zero value is a panel that runs nothing and
// grants what is agreed to.
type Options struct {
	Host     install.Host                // nil: World.Host, which records what it is told
	Policy   sandbox.Policy              // of the panel
	Update   update.Policy               // zero: every update is asked for
	Panel    string                      // version of the panel's plugin API; empty: not checked
	Gate     install.Gate                // zero: one good answer is enough
	Registry catalogtest.RegistryOptions // what kind of registry
	Dir      string                      // of the Market; empty: a temporary one
	Log      *slog.Logger                // nil: nothing is logged
	// NoSync leaves the Market without its first sync.
	NoSync    bool
	Notifiers []update.Notifier // told of updates and advisories
}

// World is a registry, a catalog in it, its publishers, and a panel's Market.
type World struct {
	Registry *catalogtest.Registry
	Market   *marketplace.Market
	Host     *installtest.Host // what the Market runs plugins with, unless Options.Host is set
	Dir      string            // of the Market

	t       testing.TB
	o       Options
	office  *office
	mu      sync.Mutex
	advance time.Duration
}

// New makes a World with these plugins published, in which the Market has synced
// once. It ends with the test.
func New(t testing.TB, o Options, plugins ...Plugin) *World {
	t.Helper()
	w := &World{t: t, o: o, Host: &installtest.Host{}, Registry: catalogtest.NewRegistry(t, o.Registry), Dir: o.Dir}
	if w.Dir == "" {
		w.Dir = filepath.Join(t.TempDir(), "market")
	}
	w.office = newOffice(w)
	w.office.publish(t.Context(), plugins)
	w.Open()
	t.Cleanup(func() { require.NoError(t, w.Market.Close()) })
	if !o.NoSync {
		w.Sync()
	}
	return w
}

// CatalogRef is where the catalog lies: "127.0.0.1:43210/plugins/catalog".
func (w *World) CatalogRef() string { return w.Registry.Host + "/" + prefix + "/catalog" }

// Root is the catalog's root of trust, which a panel pins.
func (w *World) Root() []byte { return w.office.root }

// Signer returns the key of a publisher.
func (w *World) Signer(namespace string) verify.Signer { return w.office.signer(namespace) }

// Open opens the Market, after it was closed: a panel that starts again.
func (w *World) Open() {
	w.t.Helper()
	src, err := oci.New(w.CatalogRef(), oci.Options{Credentials: oci.Anonymous, RetryWait: time.Millisecond, Log: w.o.Log})
	require.NoError(w.t, err)
	trust, err := tuf.New(w.Root(), tuf.Options{Name: "test"})
	require.NoError(w.t, err)
	signed, err := sigstore.New(sigstore.Options{})
	require.NoError(w.t, err)
	host := w.o.Host
	if host == nil {
		host = w.Host
	}
	gate := w.o.Gate
	if gate == (install.Gate{}) {
		gate = install.Gate{OK: 1, Within: 5 * time.Second, Every: 10 * time.Millisecond}
	}
	w.Market, err = marketplace.Open(w.Dir, marketplace.Options{
		Sources:  []marketplace.Source{{Name: "test", Source: src, Trust: trust}},
		Verifier: signed, Host: host, Policy: w.o.Policy, Update: w.o.Update, Panel: w.o.Panel, Gate: gate,
		Notifiers: w.o.Notifiers, Now: w.now, Log: w.o.Log,
	})
	require.NoError(w.t, err)
}

// Publish publishes releases, which the Market sees after the sync that is made here.
func (w *World) Publish(plugins ...Plugin) {
	w.t.Helper()
	w.office.publish(w.t.Context(), plugins)
	w.Sync()
}

// Advise publishes advisories, all that there are from now on, which the Market sees
// after the sync that is made here.
func (w *World) Advise(advisories ...catalog.Advisory) {
	w.t.Helper()
	w.Issue(advisories...)
	w.Sync()
}

// Issue is Advise without the sync: the Market has not heard of it yet.
func (w *World) Issue(advisories ...catalog.Advisory) {
	w.t.Helper()
	w.office.advisories = advisories
	w.office.publish(w.t.Context(), nil)
}

// Renew signs the catalog anew, as its publisher does every few hours.
func (w *World) Renew() {
	w.t.Helper()
	require.NoError(w.t, w.office.catalog.Renew(w.t.Context(), w.office.target()))
}

// Sync lets the Market ask for news, and fails the test when that fails.
func (w *World) Sync() {
	w.t.Helper()
	require.NoError(w.t, w.Market.Sync(w.t.Context()))
}

// Advance sets everybody's clock ahead.
func (w *World) Advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance += d
}

func (w *World) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.advance)
}

// Install installs plugins and what they need, agreeing to everything, and fails the
// test when that fails.
func (w *World) Install(ids ...catalog.PluginID) {
	w.t.Helper()
	var c install.Change
	for _, id := range ids {
		c.Install = append(c.Install, resolve.Want{Plugin: id})
	}
	w.must(c)
}

// Update updates plugins, agreeing to everything, and fails the test when that fails.
func (w *World) Update(ids ...catalog.PluginID) {
	w.t.Helper()
	w.must(install.Change{Update: ids})
}

// Remove removes plugins, and fails the test when that fails.
func (w *World) Remove(ids ...catalog.PluginID) {
	w.t.Helper()
	w.must(install.Change{Remove: ids})
}

func (w *World) must(c install.Change) {
	w.t.Helper()
	op, err := w.Do(c)
	require.NoError(w.t, err)
	require.NoError(w.t, op.Err, "%s: %v", op.Title, op.Log)
	require.Equal(w.t, install.StateDone, op.State, op.Title)
}

// Do plans a change, agrees to everything, applies it and waits for its end. The
// error is that of planning and submitting; what went wrong later is in the
// operation's Err.
func (w *World) Do(c install.Change) (install.Operation, error) {
	w.t.Helper()
	p, err := w.Market.Plan(w.t.Context(), c)
	if err != nil {
		return install.Operation{}, err
	}
	a := install.Approval{Actor: "test"}
	for _, n := range p.Consents {
		a.Consents = append(a.Consents, n.ID)
	}
	op, err := w.Market.Apply(w.t.Context(), p.ID(), a)
	if err != nil {
		return op, err
	}
	return w.Wait(op.ID), nil
}

// Wait returns an operation once it has come to its end.
func (w *World) Wait(id string) install.Operation {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	for e := range w.Market.Events(ctx, 0) {
		if e.Operation.ID == id && e.Operation.State.Final() {
			op, err := w.Market.Operation(id)
			require.NoError(w.t, err)
			return op
		}
	}
	require.Fail(w.t, "operation did not end", "%s after a minute", id)
	return install.Operation{}
}

// Versions returns what is installed as sorted "acme/backup@1.0.0".
func (w *World) Versions() []string {
	out := []string{}
	for _, p := range w.Market.Installed() {
		out = append(out, p.Ref.String())
	}
	return out
}
