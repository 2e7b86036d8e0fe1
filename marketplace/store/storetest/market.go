package storetest

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/catalog/search"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
)

// Now is when the samples play.
var Now = time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)

// Market is a [store.Market] in memory that does as it is told: what is
// in its exported fields is what it answers, and what was asked of it stands there too.
// The zero value is an empty one. Fields are set before it is used.
type Market struct {
	mu        sync.Mutex
	asked     int // how often Health was called
	Listed    map[catalog.PluginID]catalog.Plugin
	Catalogs  []mirror.Status
	Here      []install.Installed
	Sick      map[catalog.PluginID]error
	Rules     sandbox.Policy
	Offered   []update.Offer
	Updating  update.State
	Updates   update.Policy
	API       string            // version of the panel's plugin API; empty: not checked
	Platform  string            // of the panel; empty: not checked
	Blobs     map[string][]byte // by title
	Made      map[string]*install.Plan
	Next      *install.Plan // what Plan answers
	Asked     []install.Change
	Applied   []install.Approval
	Synced    int
	Running   []install.Operation
	Past      []install.Event
	More      chan install.Event // events yet to come
	Entries   []install.Entry
	Points    []install.Generation
	Cancelled []string

	MediaWait time.Duration // how long Media takes

	// What the methods answer instead; nil: what they would.
	PlanErr, ApplyErr, MediaErr, OffersErr, HistoryErr, SyncErr, CancelErr, PolicyErr error
}

var _ store.Market = (*Market)(nil)

func (m *Market) Search(q search.Query) search.Result {
	m.mu.Lock()
	defer m.mu.Unlock()
	var r search.Result
	counts := map[string]int{}
	for _, p := range m.Listed {
		if q.Text != "" && !strings.Contains(strings.ToLower(p.Name+" "+p.Summary), strings.ToLower(q.Text)) {
			continue
		}
		if q.Publisher != "" && p.ID.Publisher() != q.Publisher || q.Tag != "" && !slices.Contains(p.Tags, q.Tag) {
			continue
		}
		for _, c := range p.Categories {
			counts[c]++
		}
		if q.Category != "" && !slices.Contains(p.Categories, q.Category) {
			continue
		}
		r.Hits = append(r.Hits, search.Hit{Listing: p.Listing, Source: p.Source, Stats: p.Stats})
	}
	slices.SortFunc(r.Hits, func(a, b search.Hit) int {
		if q.Sort == search.ByUpdated {
			if c := b.Updated.Compare(a.Updated); c != 0 {
				return c
			}
		}
		return cmp.Or(cmp.Compare(b.Stats.Rank, a.Stats.Rank), cmp.Compare(a.ID, b.ID))
	})
	for c, n := range counts {
		r.Categories = append(r.Categories, search.Count{Value: c, N: n})
	}
	slices.SortFunc(r.Categories, func(a, b search.Count) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Value, b.Value)) })
	r.Total = len(r.Hits)
	r.Hits = r.Hits[min(q.Offset, len(r.Hits)):]
	r.Hits = r.Hits[:min(cmp.Or(q.Limit, search.DefaultLimit), len(r.Hits))]
	return r
}

func (m *Market) Sources() []mirror.Status { return m.Catalogs }

func (m *Market) Sync(context.Context) error {
	m.Synced++
	return m.SyncErr
}

func (m *Market) Plugin(id catalog.PluginID) (catalog.Plugin, error) {
	p, ok := m.Listed[id]
	if !ok {
		return catalog.Plugin{}, fmt.Errorf("plugin %s: %w", id, catalog.ErrNotFound)
	}
	return p, nil
}

func (m *Market) Media(ctx context.Context, _ catalog.Release, title string) ([]byte, string, error) {
	select {
	case <-time.After(m.MediaWait):
	case <-ctx.Done():
		return nil, "", ctx.Err()
	}
	if m.MediaErr != nil {
		return nil, "", m.MediaErr
	}
	b, ok := m.Blobs[title]
	if !ok {
		return nil, "", catalog.ErrNotFound
	}
	return b, "application/octet-stream", nil
}

func (m *Market) Installed() []install.Installed { return slices.Clone(m.Here) }

func (m *Market) Health(_ context.Context, id catalog.PluginID) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	return m.Sick[id]
}

// AskedHealth returns how often a plugin was asked how it is.
func (m *Market) AskedHealth() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.asked
}

func (m *Market) Policy() sandbox.Policy { return m.Rules }

func (m *Market) Offers(context.Context) ([]update.Offer, error) { return m.Offered, m.OffersErr }

func (m *Market) UpdateState() update.State { return m.Updating }

func (m *Market) Panel() (api, platform string) { return m.API, m.Platform }

func (m *Market) UpdatePolicy() update.Policy {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.Updates
}

func (m *Market) SetUpdatePolicy(_ context.Context, p update.Policy) error {
	if err := p.Validate(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.PolicyErr != nil {
		return m.PolicyErr
	}
	m.Updates = p
	return nil
}

func (m *Market) Freeze(_ context.Context, on bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Updating.Frozen = on
	return nil
}

func (m *Market) Forgive(_ context.Context, d verify.Digest) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Updating.Failures = slices.DeleteFunc(slices.Clone(m.Updating.Failures), func(f update.Failure) bool { return f.Digest == d })
	return nil
}

func (m *Market) Hold(_ context.Context, id catalog.PluginID, h update.Hold) error {
	if m.Updating.Holds == nil {
		m.Updating.Holds = map[catalog.PluginID]update.Hold{}
	}
	m.Updating.Holds[id] = h
	return nil
}

func (m *Market) Unhold(_ context.Context, id catalog.PluginID) error {
	delete(m.Updating.Holds, id)
	return nil
}

func (m *Market) Plan(_ context.Context, c install.Change) (*install.Plan, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.Asked = append(m.Asked, c)
	if m.PlanErr != nil {
		return nil, m.PlanErr
	}
	p := m.Next
	if m.Made == nil {
		m.Made = map[string]*install.Plan{}
	}
	m.Made[p.ID()] = p
	return p, nil
}

func (m *Market) PlanByID(id string) (*install.Plan, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.Made[id]
	if !ok {
		return nil, fmt.Errorf("plan: %w", catalog.ErrNotFound)
	}
	return p, nil
}

func (m *Market) Apply(_ context.Context, planID string, a install.Approval) (install.Operation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ApplyErr != nil {
		return install.Operation{}, m.ApplyErr
	}
	m.Applied = append(m.Applied, a)
	op := install.Operation{ID: fmt.Sprintf("tx-%d", len(m.Applied)), Plan: planID, Title: m.Made[planID].Title, Says: m.Made[planID].Says, Actor: a.Actor, State: install.StateQueued, Started: Now}
	for _, s := range m.Made[planID].Steps {
		op.Plugins = append(op.Plugins, s.Release.Plugin)
	}
	m.Running = append([]install.Operation{op}, m.Running...)
	return op, nil
}

func (m *Market) Operation(id string) (install.Operation, error) {
	for _, op := range m.Operations() {
		if op.ID == id {
			return op, nil
		}
	}
	return install.Operation{}, fmt.Errorf("operation: %w", catalog.ErrNotFound)
}

func (m *Market) Operations() []install.Operation {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.Running)
}

func (m *Market) Cancel(id string) error {
	if m.CancelErr != nil {
		return m.CancelErr
	}
	m.Cancelled = append(m.Cancelled, id)
	return nil
}

func (m *Market) Events(ctx context.Context, after uint64) iter.Seq[install.Event] {
	return func(yield func(install.Event) bool) {
		for _, e := range m.Past {
			if e.Seq > after && !yield(e) {
				return
			}
		}
		for {
			select {
			case e := <-m.More:
				if !yield(e) {
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}
}

func (m *Market) History() ([]install.Entry, error) { return m.Entries, m.HistoryErr }

func (m *Market) Generations() ([]install.Generation, error) { return m.Points, m.HistoryErr }
