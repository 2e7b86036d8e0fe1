package marketplace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/catalog/search"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
)

// Source is one catalog, in the operator's order: where a plugin id is listed by
// several, the first one counts.
type Source struct {
	Name   string              // for people and for the disk: 1 to 40 of a-z, 0-9, dot, hyphen and underscore, beginning with a letter or digit
	Source catalog.Source      // where it is fetched from
	Trust  verify.CatalogTrust // whether it is the operator's, and fresh
}

// Options are the decisions of the operator. Verifier and Host are required, and
// Trust in every Source.
type Options struct {
	Sources   []Source
	Verifier  verify.Verifier   // did its publisher make it?
	Host      install.Host      // the panel's plugin runtime
	Policy    sandbox.Policy    // what any plugin may be granted; zero: nothing without consent
	Update    update.Policy     // zero: every update is asked for
	Notifiers []update.Notifier // told of updates and advisories
	Panel     string            // version of the panel's plugin API, SemVer; empty: not checked
	Platform  string            // "linux/amd64"; empty: that of this process
	Keep      int               // generations kept for rollback; 0: the install package's default
	Gate      install.Gate      // health gate of a transaction; zero: the install package's default
	Now       func() time.Time
	Log       *slog.Logger // nil: discards
}

// Market is a panel's plugin marketplace. It is safe for concurrent use.
type Market struct {
	opt      Options
	mirror   *mirror.Mirror
	store    *install.Store
	queue    *install.Queue
	runner   *update.Runner
	state    *stateFile
	root     *safefs.Root // of the directory
	catalogs *safefs.Root // of the mirror

	plans   *planShelf
	history historyShelf
	media   *mediaShelf

	indexing sync.Mutex // held while an index is made
	mu       sync.Mutex // guards index
	index    *search.Index

	closed     context.Context // ends with the market
	close      context.CancelFunc
	submitting sync.Mutex     // held from a submission until its end is waited for
	work       sync.WaitGroup // the queue, and who waits for what a person applied

	obeying  sync.Mutex                // guards disabled
	disabled map[catalog.PluginID]bool // stopped by an advisory
}

// Open opens the marketplace kept in dir, which is created when absent. A
// transaction that a crash cut off has by then been finished or undone, and the
// installed plugins were started; one that could not be is logged and shows in
// [Market.Health]. The catalogs are those of the last sync: Open does not use the
// network. Close it when done.
func Open(dir string, o Options) (m *Market, err error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("open marketplace: %w", err)
	}
	ctx := context.Background() // bounded by the hook time limits of the installer
	m = &Market{opt: o, plans: newPlanShelf(o.Now), media: newMediaShelf(), disabled: map[catalog.PluginID]bool{}}
	m.closed, m.close = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = fmt.Errorf("open marketplace %s: %w", dir, errors.Join(err, m.Close()))
			m = nil
		}
	}()
	var sources []mirror.Source
	for _, s := range o.Sources {
		sources = append(sources, mirror.Source{Name: s.Name, Source: s.Source, Trust: s.Trust})
	}
	if m.root, err = safefs.Open(dir, safefs.Options{}); err != nil {
		return m, err
	}
	m.state = &stateFile{root: m.root}
	if m.catalogs, err = safefs.Open(filepath.Join(dir, "catalogs"), safefs.Options{}); err != nil {
		return m, err
	}
	if m.mirror, err = mirror.Open(ctx, m.catalogs, sources, mirror.Options{Now: o.Now, Log: o.Log}); err != nil {
		return m, err
	}
	m.runner, err = update.New(ctx, &updatable{m}, m.state, update.Options{Policy: o.Update, Notifiers: o.Notifiers, Now: o.Now, Log: o.Log})
	if err != nil {
		return m, err
	}
	m.store, err = install.Open(ctx, filepath.Join(dir, "installed"), install.Options{
		Host: o.Host, Supply: &supply{m}, Verifier: o.Verifier, Allow: m.allowed,
		Keep: o.Keep, Gate: o.Gate, Now: o.Now, Log: o.Log,
	})
	if err != nil {
		return m, err
	}
	m.reindex()
	for _, e := range m.store.Start(ctx) {
		if e.Plugin.Plugin == "" {
			return m, e // busy or closed: nothing was started
		}
		if errors.Is(e, catalog.ErrBlocked) {
			m.disabled[e.Plugin.Plugin] = true
		}
		o.Log.Warn("a plugin does not run", "plugin", e.Plugin.Ref.String(), "err", e.Err)
	}
	m.queue = install.NewQueue(m.store, install.QueueOptions{Ended: m.ended})
	m.work.Go(func() {
		if err := m.queue.Run(ctx); err != nil {
			o.Log.Error("operations", "err", err)
		}
	})
	return m, nil
}

func (o *Options) complete() error {
	if o.Verifier == nil {
		return errors.New("Options.Verifier is nil: say who checks signatures, there is no way to leave it out")
	}
	if o.Host == nil {
		return errors.New("Options.Host is nil: say what runs the plugins")
	}
	seen := map[string]bool{}
	for _, s := range o.Sources {
		if s.Source == nil || s.Trust == nil {
			return fmt.Errorf("source %q needs both a Source and a Trust", s.Name)
		}
		if seen[s.Name] {
			return fmt.Errorf("two sources are named %q", s.Name)
		}
		seen[s.Name] = true
	}
	if o.Panel != "" {
		if _, err := catalog.ParseVersion(o.Panel); err != nil {
			return fmt.Errorf("Options.Panel: %w", err)
		}
	}
	if o.Platform == "" {
		o.Platform = runtime.GOOS + "/" + runtime.GOARCH
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Run keeps the catalogs fresh and applies the update policy until ctx ends. It
// returns ctx's error, and is called once.
func (m *Market) Run(ctx context.Context) error { return m.runner.Run(ctx) }

// Close waits for a running operation to come to its end or, where it still can be
// cancelled, cancels it; then it lets go of the directory. Plugins keep running:
// stopping them with the panel is the panel's affair.
func (m *Market) Close() error {
	var errs []error
	if m.queue != nil {
		errs = append(errs, m.queue.Close(context.Background()))
	}
	m.submitting.Lock() // the queue takes nothing any more, and all it took is waited for
	defer m.submitting.Unlock()
	m.work.Wait()
	m.close()
	m.media.close()
	if m.store != nil {
		errs = append(errs, m.store.Close())
	}
	for _, root := range []*safefs.Root{m.catalogs, m.root} {
		if root != nil {
			errs = append(errs, root.Close())
		}
	}
	return errors.Join(errs...)
}

// Panel returns the version of the panel's plugin API and the platform, which releases
// are held to; an empty version is not checked.
func (m *Market) Panel() (api, platform string) { return m.opt.Panel, m.opt.Platform }

// Policy returns what any plugin may be granted.
func (m *Market) Policy() sandbox.Policy { return m.opt.Policy }

// Sources says how each catalog stands, in the operator's order.
func (m *Market) Sources() []mirror.Status { return m.mirror.StatusAll() }

// Sync asks every source for news now. Sources that failed keep their last good
// catalog; their errors are joined, and shown by Sources.
func (m *Market) Sync(ctx context.Context) error {
	err := m.mirror.SyncAll(ctx)
	m.reindex()
	obeyed := m.obey(ctx)
	if errors.Is(obeyed, install.ErrBusy) {
		obeyed = nil // done when the operation that runs has ended, see ended
	}
	return errors.Join(err, obeyed)
}

// ended obeys the advisories that came while an operation ran, about what was there
// before it and what it brought.
func (m *Market) ended(install.Operation) {
	if err := m.obey(context.Background()); err != nil {
		m.opt.Log.Warn("obey advisories after an operation", "err", err)
	}
}

func (m *Market) reindex() {
	m.indexing.Lock() // or the index of an older catalog could come last
	defer m.indexing.Unlock()
	ix := search.Build(m.mirror.Snapshots())
	m.mu.Lock()
	defer m.mu.Unlock()
	m.index = ix
}

// Search finds plugins, in memory.
func (m *Market) Search(q search.Query) search.Result {
	m.mu.Lock()
	ix := m.index
	m.mu.Unlock()
	return ix.Search(q)
}

// Plugin returns everything the catalogs know of one plugin: of the source it is
// installed from, else of the first that lists it. An unknown one is
// catalog.ErrNotFound.
func (m *Market) Plugin(id catalog.PluginID) (catalog.Plugin, error) {
	snap, err := m.snapshotOf(id, m.bound()[id])
	if err != nil {
		return catalog.Plugin{}, err
	}
	return snap.Plugin(id)
}

// snapshotOf returns the snapshot that a plugin id belongs to: the named source's,
// or with no name the first that lists it.
func (m *Market) snapshotOf(id catalog.PluginID, source string) (*catalog.Snapshot, error) {
	for _, s := range m.mirror.Snapshots() {
		if source == "" && s.Has(id) || source != "" && s.Source() == source {
			return s, nil
		}
	}
	if source != "" {
		return nil, fmt.Errorf("plugin %s: no catalog of source %q: %w", id, source, catalog.ErrNotFound)
	}
	return nil, fmt.Errorf("plugin %s: %w", id, catalog.ErrNotFound)
}

// bound says which source each installed plugin came from: it stays there.
func (m *Market) bound() map[catalog.PluginID]string {
	bound := map[catalog.PluginID]string{}
	for id, p := range m.store.Current().Plugins {
		bound[id] = p.Source
	}
	return bound
}

func (m *Market) source(name string) (catalog.Source, error) {
	for _, s := range m.opt.Sources {
		if s.Name == name {
			return s.Source, nil
		}
	}
	return nil, fmt.Errorf("source %q is not configured any more: %w", name, catalog.ErrNotFound)
}
