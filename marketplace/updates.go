package marketplace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
)

// Offers returns the updates there are for what is installed, with what the policy
// says of each.
func (m *Market) Offers(ctx context.Context) ([]update.Offer, error) { return m.runner.Offers(ctx) }

// CheckUpdates makes one pass now: it syncs, obeys advisories, and applies what the
// policy allows, if a window is open. Run does so by schedule.
func (m *Market) CheckUpdates(ctx context.Context) error { return m.runner.Check(ctx) }

// UpdateState returns what the updater remembers: holds, failures, last and next run.
func (m *Market) UpdateState() update.State { return m.runner.State() }

// UpdatePolicy returns the update policy in force.
func (m *Market) UpdatePolicy() update.Policy { return m.runner.Policy() }

// SetUpdatePolicy sets another update policy, also for the next start.
func (m *Market) SetUpdatePolicy(ctx context.Context, p update.Policy) error {
	return m.runner.SetPolicy(ctx, p)
}

// Freeze stops all automatic updates, or lets them go on. A change that is being
// watched is still taken back when it turns out bad.
func (m *Market) Freeze(ctx context.Context, on bool) error { return m.runner.Freeze(ctx, on) }

// Forgive lets a release that did not work here be tried again by itself.
func (m *Market) Forgive(ctx context.Context, d verify.Digest) error {
	return m.runner.Forgive(ctx, d)
}

// Hold keeps a plugin at its version until it is released or the hold ends.
func (m *Market) Hold(ctx context.Context, id catalog.PluginID, h update.Hold) error {
	return m.runner.Hold(ctx, id, h)
}

// Unhold lets a plugin be updated again.
func (m *Market) Unhold(ctx context.Context, id catalog.PluginID) error {
	return m.runner.Release(ctx, id)
}

// unwell returns which of the plugins that a plan changes are not healthy now: that
// they are not afterwards proves nothing against the new version.
func (m *Market) unwell(ctx context.Context, p *install.Plan) []catalog.PluginID {
	var out []catalog.PluginID
	for _, s := range p.Steps {
		if s.From == nil || s.Action == install.ActRemove {
			continue
		}
		if err := m.Health(ctx, s.From.Plugin); err != nil && !errors.Is(err, install.ErrHealthUnknown) {
			out = append(out, s.From.Plugin)
		}
	}
	return out
}

// decided waits for what a person applied, and tells the updater: a version they
// went back from does not come back by itself, and a new one is watched for a while.
func (m *Market) decided(p *install.Plan, operation, actor string, unwell []catalog.PluginID) {
	ctx := context.Background() // ends with the operation, and that with the queue
	op, err := m.await(ctx, operation)
	if err != nil || op.State != install.StateDone {
		return // it changed nothing
	}
	if err := m.runner.Applied(ctx, p, m.transaction(p, op), actor, unwell); err != nil {
		m.opt.Log.Warn("remember what was decided", "operation", operation, "err", err)
	}
}

func (m *Market) transaction(p *install.Plan, op install.Operation) *install.Transaction {
	return &install.Transaction{ID: op.ID, From: p.Base, To: m.store.Current().N, Title: op.Title, Says: op.Says, Actor: op.Actor, Started: op.Started, Ended: op.Ended}
}

// await returns an operation once it is final. What it was is asked of the queue, for
// who comes late finds its last event gone.
func (m *Market) await(ctx context.Context, id string) (install.Operation, error) {
	for range m.queue.Events(ctx, 0) {
		if op, err := m.queue.Get(id); err != nil || op.State.Final() {
			return op, err
		}
	}
	return install.Operation{}, fmt.Errorf("wait for operation %s: %w", id, context.Cause(ctx))
}

// updatable is the Market as the updater sees it.
type updatable struct{ m *Market }

var (
	_ update.Market         = (*updatable)(nil)
	_ update.AdvisoryPoller = (*updatable)(nil)
)

func (u *updatable) Sync(ctx context.Context) error { return u.m.Sync(ctx) }

// SyncAdvisories is a whole sync: where nothing is new, that is a single question.
func (u *updatable) SyncAdvisories(ctx context.Context) error { return u.m.Sync(ctx) }

// Facts has as not enabled what the updater knows to be stopped by an advisory, so that
// it tells of what it does not know yet.
func (u *updatable) Facts(context.Context) (update.Facts, error) {
	g := u.m.store.Current()
	for id := range u.m.UpdateState().Disabled {
		if p, ok := g.Plugins[id]; ok {
			p.Enabled = false
			g.Plugins[id] = p
		}
	}
	return update.Facts{Generation: g, Snapshots: u.m.mirror.Snapshots(), Panel: u.m.opt.Panel, Platform: u.m.opt.Platform}, nil
}

func (u *updatable) Plan(ctx context.Context, to []catalog.Ref) (*install.Plan, error) {
	req := u.m.standing()
	req.KeepOrphans = true
	holds, now := u.m.UpdateState().Holds, u.m.opt.Now()
	for i := range req.Installed {
		in := &req.Installed[i]
		if h, ok := holds[in.Release.Plugin]; ok && h.Pin && h.Active(now) {
			in.Hold, in.Held, in.Pin = h.Sentence(), h.Says(), true
		}
	}
	exactly := map[catalog.PluginID]string{}
	for _, r := range to {
		req.Update = append(req.Update, r.Plugin)
		exactly[r.Plugin] = r.Version
	}
	req.Blocked = func(r catalog.Release) string {
		if v, ok := exactly[r.Plugin]; ok && v != r.Version {
			return "the update is to " + v
		}
		return u.m.blocked(r)
	}
	return u.m.solve(ctx, u.m.bound(), req)
}

func (u *updatable) PlanRollback(_ context.Context, generation uint64) (*install.Plan, error) {
	return u.m.rollback(generation, false)
}

func (u *updatable) Apply(ctx context.Context, p *install.Plan, a install.Approval) (*install.Transaction, error) {
	op, err := u.m.queue.Submit(p, a)
	if err != nil {
		return nil, err
	}
	done, err := u.m.await(ctx, op.ID)
	if err != nil {
		return nil, err
	}
	if done.State != install.StateDone {
		if done.Err != nil {
			return nil, done.Err
		}
		return nil, fmt.Errorf("%s: %s", done.Title, done.State)
	}
	return u.m.transaction(p, done), nil
}

func (u *updatable) Health(ctx context.Context, id catalog.PluginID) error {
	return u.m.Health(ctx, id)
}

// SetEnabled is called when an advisory came or went, which is where the Market
// looks too when it decides what may run.
func (u *updatable) SetEnabled(ctx context.Context, _ catalog.PluginID, _ bool, _ string) error {
	return u.m.obey(ctx)
}

// stateFile keeps the updater's state on disk.
type stateFile struct{ root *safefs.Root }

const (
	stateDir  = "state"
	stateName = stateDir + "/update.json"
	maxState  = 4 << 20 // bytes: thousands of holds and failures
)

var _ update.Keeper = (*stateFile)(nil)

func (f *stateFile) Load(context.Context) (s update.State, err error) {
	b, err := f.root.ReadFile(stateName, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err == nil && len(s.Secret) == 0 { // the first that is ever saved
		err = errors.New("there is nothing in it")
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w; bring it back from a backup, or remove it, which forgets holds, pins and failed updates", stateName, err)
	}
	return s, nil
}

func (f *stateFile) Save(_ context.Context, s update.State) error {
	b, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return err
	}
	if len(b) >= maxState {
		return fmt.Errorf("%s would have more than %d bytes", stateName, maxState)
	}
	if err := f.root.MkdirAll(stateDir, 0o700); err != nil {
		return err
	}
	return f.root.WriteFile(stateName, slices.Concat(b, []byte("\n")), 0o600)
}
