package marketplace

import (
	"context"
	"fmt"
	"iter"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox/phrase"
	"github.com/souk-dev/souk/verify"
)

// Installed returns the installed plugins in order of their ids.
func (m *Market) Installed() []install.Installed { return m.store.Installed() }

// Health asks the panel how an installed plugin is: nil when it is well, an error
// wrapping install.ErrHealthUnknown when that cannot be told, and otherwise what is wrong.
func (m *Market) Health(ctx context.Context, id catalog.PluginID) error {
	for _, p := range m.store.Installed() {
		if p.Plugin == id {
			if err := m.allowed(p); err != nil {
				return err
			}
			return m.ask(ctx, p)
		}
	}
	return fmt.Errorf("plugin %s is not installed: %w", id, catalog.ErrNotFound)
}

// healthTime is the most that the answer about one plugin's health may take.
const healthTime = 30 * time.Second

// ask asks the host as the installer does: with a time limit, and a panic is an error.
func (m *Market) ask(ctx context.Context, p install.Installed) (err error) {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	defer func() {
		if v := recover(); v != nil {
			m.opt.Log.Error("the host panicked", "call", "health", "plugin", p.Ref.String(), "panic", v, "stack", string(debug.Stack()))
			err = fmt.Errorf("health: the host panicked: %v", v)
		}
	}()
	return m.opt.Host.Health(ctx, p)
}

// Plan says what a change would do, and keeps the plan for an hour to be applied.
// It changes nothing. When there is no solution the error is a *resolve.Conflict
// that explains itself.
func (m *Market) Plan(ctx context.Context, c install.Change) (*install.Plan, error) {
	if c.Rollback != 0 {
		return m.shelve(m.rollback(c.Rollback, c.Override))
	}
	bound := m.bound()
	for _, w := range c.Install {
		at, installed := bound[w.Plugin]
		if installed && c.Source != "" && at != c.Source {
			return nil, cannot(phrase.Of("market.othersource", "Cannot install {0} from source “{1}”.", w.Plugin, c.Source),
				resolve.Say(phrase.Of("market.fromsource", "{0} is installed from source “{1}”", w.Plugin, at)),
				resolve.Say(phrase.Of("market.elsewhere", "a plugin of that name from elsewhere is another plugin: remove this one first")))
		}
		if !installed && c.Source != "" {
			bound[w.Plugin] = c.Source
		}
	}
	for _, id := range c.Update {
		if _, installed := bound[id]; !installed {
			return nil, fmt.Errorf("%s is not installed: %w", id, catalog.ErrNotFound)
		}
	}
	return m.solve(ctx, bound, m.request(c))
}

// solve turns a request into a plan, and keeps it.
func (m *Market) solve(ctx context.Context, bound map[catalog.PluginID]string, req resolve.Request) (*install.Plan, error) {
	res, err := resolve.Solve(ctx, m.mirror.Universe(bound), req)
	if err != nil {
		return nil, err
	}
	if err := m.fresh(res); err != nil {
		return nil, err
	}
	return m.shelve(m.store.Plan(res, m.planOptions()))
}

func (m *Market) planOptions() install.PlanOptions {
	return install.PlanOptions{Policy: m.opt.Policy, Signers: m.signers}
}

func (m *Market) shelve(p *install.Plan, err error) (*install.Plan, error) {
	if err != nil {
		return nil, err
	}
	return m.plans.put(p), nil
}

// request puts a change that a person wants in the solver's terms. What is held
// stays, unless it is named; what is pinned stays in any case.
func (m *Market) request(c install.Change) resolve.Request {
	req := m.standing()
	req.Install, req.Update, req.Remove = c.Install, c.Update, c.Remove
	holds, now := m.UpdateState().Holds, m.opt.Now()
	for i := range req.Installed {
		in := &req.Installed[i]
		id := in.Release.Plugin
		h, held := holds[id]
		held = held && h.Version == "" && h.Active(now)
		if c.UpdateAll && !held {
			req.Update = append(req.Update, id)
		}
		named := slices.Contains(c.Update, id) || slices.ContainsFunc(c.Install, func(w resolve.Want) bool { return w.Plugin == id })
		if held && (h.Pin || !named) {
			in.Hold, in.Held, in.Pin = h.Sentence(), h.Says(), h.Pin
		}
	}
	return req
}

// standing is the request that changes nothing: what is installed, and the rules.
func (m *Market) standing() resolve.Request {
	req := resolve.Request{Panel: m.opt.Panel, Platform: m.opt.Platform, Blocked: m.blocked, Say: sayBlocked}
	for _, p := range m.store.Installed() {
		req.Installed = append(req.Installed, resolve.Installed{Release: m.releaseOf(p), Root: p.Root})
	}
	return req
}

// releaseOf returns the catalog's record of an installed plugin, or, when the
// catalog has it no more, one made of what was kept.
func (m *Market) releaseOf(p install.Installed) catalog.Release {
	if snap, err := m.snapshotOf(p.Plugin, p.Source); err == nil {
		if r, err := snap.Release(p.Ref); err == nil && r.Digest == p.Digest {
			return r
		}
	}
	return catalog.Release{Ref: p.Ref, Source: p.Source, Digest: p.Digest, Manifest: p.Manifest, Published: p.Published, State: catalog.Withdrawn}
}

// fresh refuses a resolution that installs something from an expired catalog.
func (m *Market) fresh(res *resolve.Resolution) error {
	for _, c := range res.Chosen {
		if c.From == c.Release.Version {
			continue
		}
		snap, err := m.snapshotOf(c.Release.Plugin, c.Release.Source)
		if err != nil {
			return err
		}
		if err := m.current(snap); err != nil {
			return &catalog.RefError{Op: "install", Ref: c.Release.Ref, Err: err}
		}
	}
	return nil
}

func (m *Market) current(s *catalog.Snapshot) error {
	if m.opt.Now().After(s.Expires()) {
		return fmt.Errorf("source %q: %w on %s", s.Source(), catalog.ErrExpired, s.Expires().UTC().Format(time.RFC1123))
	}
	return nil
}

// signers returns who may sign a release now; nobody when its catalog is not there.
func (m *Market) signers(r catalog.Release) []verify.Identity {
	snap, err := m.snapshotOf(r.Plugin, r.Source)
	if err != nil {
		return nil
	}
	may, _ := m.maySign(snap, r)
	return may
}

// PlanByID returns a plan made before; after an hour, or when many were made
// since, it is catalog.ErrNotFound.
func (m *Market) PlanByID(id string) (*install.Plan, error) { return m.plans.get(id) }

// Apply starts a plan as one transaction, after any that is running, and returns
// at once with the operation to watch. The approval must hold an agreement to each
// of the plan's consents that is not optional.
func (m *Market) Apply(ctx context.Context, planID string, a install.Approval) (install.Operation, error) {
	p, err := m.plans.get(planID)
	if err != nil {
		return install.Operation{}, err
	}
	if err := m.mayReturn(p); err != nil {
		return install.Operation{}, err
	}
	unwell := m.unwell(ctx, p)
	m.submitting.Lock()
	defer m.submitting.Unlock()
	op, err := m.queue.Submit(p, a)
	if err != nil {
		return op, err
	}
	m.work.Go(func() { m.decided(p, op.ID, a.Actor, unwell) })
	return op, nil
}

// Operation returns an operation as it stands; one of an earlier run of the
// process is answered from the history.
func (m *Market) Operation(id string) (install.Operation, error) { return m.queue.Get(id) }

// Operations returns the operations of this run, newest first.
func (m *Market) Operations() []install.Operation { return m.queue.List() }

// Cancel stops an operation that has not begun to start plugins.
func (m *Market) Cancel(id string) error { return m.queue.Cancel(id) }

// Events yields what happens to operations after the event numbered after, until
// ctx ends or the market is closed; 0 begins with what is remembered.
func (m *Market) Events(ctx context.Context, after uint64) iter.Seq[install.Event] {
	return func(yield func(install.Event) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(m.closed, cancel)()
		for e := range m.queue.Events(ctx, after) {
			if !yield(e) {
				return
			}
		}
	}
}

// History returns finished transactions, newest first. It is read from the disk when an
// operation has ended since the last time.
func (m *Market) History() ([]install.Entry, error) {
	var ended strings.Builder // an operation is in the history before it is final
	for _, op := range m.queue.List() {
		if op.State.Final() {
			ended.WriteString(op.ID + " ")
		}
	}
	return m.history.get(ended.String(), m.store.History)
}

// historyShelf keeps the history that was read last: every page asks for it.
type historyShelf struct {
	mu   sync.Mutex
	read bool
	at   string // the operations that had ended
	list []install.Entry
}

func (s *historyShelf) get(at string, read func() ([]install.Entry, error)) ([]install.Entry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.read || s.at != at {
		list, err := read()
		if err != nil {
			return nil, err
		}
		s.read, s.at, s.list = true, at, list
	}
	return slices.Clone(s.list), nil
}

// Generations returns the installed sets that are kept, newest first: the one that is
// installed now, and those that a rollback may go to. The empty set that every store
// begins with is none of these: to go there, remove what is installed.
func (m *Market) Generations() ([]install.Generation, error) {
	all, err := m.store.Generations()
	if n := len(all); n > 1 && all[n-1].N == 0 {
		all = all[:n-1]
	}
	return all, err
}

// planShelf keeps plans between the moment they are shown and the moment they are
// confirmed. It is safe for concurrent use.
type planShelf struct {
	now func() time.Time
	mu  sync.Mutex
	all []*shelved // oldest first
}

type shelved struct {
	id   string
	plan *install.Plan
	at   time.Time
}

// Bounds of the shelf: a person who needs longer plans again, and nobody fills the memory.
const (
	maxPlans = 256
	planLife = time.Hour
)

func newPlanShelf(now func() time.Time) *planShelf { return &planShelf{now: now} }

func (s *planShelf) put(p *install.Plan) *install.Plan {
	id := p.ID()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(x *shelved) bool { return x.id == id || s.now().Sub(x.at) > planLife })
	if len(s.all) >= maxPlans {
		s.all = s.all[1:]
	}
	s.all = append(s.all, &shelved{id, p, s.now()})
	return p
}

func (s *planShelf) get(id string) (*install.Plan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.all {
		if x.id == id && s.now().Sub(x.at) <= planLife {
			return x.plan, nil
		}
	}
	return nil, fmt.Errorf("plan %.40s is not known any more, make it again: %w", id, catalog.ErrNotFound)
}
