package mirror

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify"
)

// Source is where one catalog comes from, and who vouches for it.
type Source struct {
	Name   string // 1 to 40 of a-z, 0-9, dot, hyphen and underscore, beginning with a letter or digit
	Source catalog.Source
	Trust  verify.CatalogTrust
}

// Options of a Mirror. The zero value is complete.
type Options struct {
	Now func() time.Time // nil: time.Now
	Log *slog.Logger     // nil: nothing is logged
}

// Mirror keeps the catalogs of several sources. It is safe for concurrent use: one
// sync of a source runs at a time, and readers never wait for one.
type Mirror struct {
	sources []*source // in the operator's order
	now     func() time.Time
	log     *slog.Logger
}

// source is the mirror of one source.
type source struct {
	Source
	disk disk
	now  func() time.Time

	syncing sync.Mutex // held during a sync; guards kept and unsure
	kept    *kept      // what was verified last; nil: nothing yet
	unsure  bool       // the next sync asks without naming a serial

	mu   sync.Mutex // guards what follows
	held *held
	err  error
}

// held is a verified snapshot with what is computed once from it.
type held struct {
	snapshot  *catalog.Snapshot
	contents  catalog.Contents
	catalog   verify.Digest // of the catalog manifest
	providers map[catalog.PluginID][]catalog.PluginID
}

var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,39}$`)

// Open returns the mirror of sources, which are in the operator's order of
// preference, kept in a directory each below root. What is there is verified again
// and served at once, without network; what is damaged is in the source's [Status]
// and comes back with the next sync. Root stays the caller's to close, and is used
// by no other mirror at the same time.
func Open(ctx context.Context, root *safefs.Root, sources []Source, o Options) (*Mirror, error) {
	m := &Mirror{now: o.Now, log: o.Log}
	if m.now == nil {
		m.now = time.Now
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	seen := make(map[string]bool)
	for _, s := range sources {
		switch {
		case !namePattern.MatchString(s.Name):
			return nil, fmt.Errorf("source %.60q: its name must be 1 to 40 of a-z, 0-9, dot, hyphen and underscore", s.Name)
		case seen[s.Name]:
			return nil, fmt.Errorf("source %s is given twice", s.Name)
		case s.Source == nil || s.Trust == nil:
			return nil, fmt.Errorf("source %s: a place to fetch from and a trust are needed", s.Name)
		}
		seen[s.Name] = true
	}
	for _, s := range sources {
		one := &source{Source: s, disk: disk{root, s.Name}, now: m.now, unsure: true}
		if err := one.disk.prepare(); err != nil {
			return nil, fmt.Errorf("source %s: %w", s.Name, err)
		}
		one.open(ctx)
		if one.err != nil {
			m.log.Warn("kept catalog is not usable, it will be fetched again", "source", s.Name, "error", one.err)
		}
		m.sources = append(m.sources, one)
	}
	return m, ctx.Err()
}

func (m *Mirror) find(name string) (*source, error) {
	for _, s := range m.sources {
		if s.Name == name {
			return s, nil
		}
	}
	return nil, fmt.Errorf("source %.60q: %w", name, catalog.ErrNotFound)
}

// Sync brings one source up to date and returns its snapshot. On an error, which is
// also in its [Status], the snapshot before it stays. Errors wrap
// [verify.ErrUntrusted], [verify.ErrDigest], [catalog.ErrExpired] or
// [catalog.ErrRollback] when the source served what it must not, and
// [catalog.ErrUnavailable] when it could not be asked.
func (m *Mirror) Sync(ctx context.Context, name string) (*catalog.Snapshot, error) {
	s, err := m.find(name)
	if err != nil {
		return nil, err
	}
	before := s.snapshot()
	after, err := s.sync(ctx)
	if err != nil {
		m.log.Warn("catalog not synced", "source", name, "error", err)
		return nil, fmt.Errorf("sync %s: %w", name, err)
	}
	if before == nil || before.Serial() != after.Serial() {
		m.log.Info("catalog synced", "source", name, "serial", after.Serial(), "plugins", after.Len())
	}
	return after, nil
}

// SyncAll brings all sources up to date, one after the other, whatever becomes of
// the others, and returns all errors joined.
func (m *Mirror) SyncAll(ctx context.Context) error {
	var all []error
	for _, s := range m.sources {
		if _, err := m.Sync(ctx, s.Name); err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// Names returns the names of the sources in the operator's order.
func (m *Mirror) Names() []string {
	out := make([]string, len(m.sources))
	for i, s := range m.sources {
		out[i] = s.Name
	}
	return out
}

// Snapshot returns the last good snapshot of a source, or an error that wraps
// [catalog.ErrNotFound] when there is no such source, and the reason in
// [catalog.ErrUnavailable] when it has none yet.
func (m *Mirror) Snapshot(name string) (*catalog.Snapshot, error) {
	s, err := m.find(name)
	if err != nil {
		return nil, err
	}
	if snap := s.snapshot(); snap != nil {
		return snap, nil
	}
	if st := m.status(s); st.Err != nil {
		return nil, fmt.Errorf("source %s: %w: %w", name, catalog.ErrUnavailable, st.Err)
	}
	return nil, fmt.Errorf("source %s: %w: it was not synced yet", name, catalog.ErrUnavailable)
}

// Snapshots returns the last good snapshots of those sources that have one, in the
// operator's order.
func (m *Mirror) Snapshots() []*catalog.Snapshot {
	var out []*catalog.Snapshot
	for _, s := range m.sources {
		if snap := s.snapshot(); snap != nil {
			out = append(out, snap)
		}
	}
	return out
}

// Status returns what is known of one source.
func (m *Mirror) Status(name string) (Status, error) {
	s, err := m.find(name)
	if err != nil {
		return Status{}, err
	}
	return m.status(s), nil
}

// StatusAll returns what is known of all sources, in the operator's order.
func (m *Mirror) StatusAll() []Status {
	out := make([]Status, len(m.sources))
	for i, s := range m.sources {
		out[i] = m.status(s)
	}
	return out
}

func (m *Mirror) status(s *source) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Status{Name: s.Name, Err: s.err}
	var snap *catalog.Snapshot
	if s.held != nil {
		snap = s.held.snapshot
		st.Serial, st.Synced, st.Expires, st.Plugins = snap.Serial(), snap.Synced(), snap.Expires(), snap.Len()
	}
	st.State = stateOf(snap, s.err, m.now())
	return st
}
