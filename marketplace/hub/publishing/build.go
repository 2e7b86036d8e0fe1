package publishing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
)

// build is what goes into the next publish, read from one state of the store.
type build struct {
	taken []int64 // changes that it settles
	more  bool    // others wait
	fresh []ref   // releases that no catalog had

	plugins    []pluginRecords
	publishers []catalog.Publisher // nil: unchanged, as the next
	advisories []catalog.Advisory
	shared     bool    // publishers and advisories are set
	sharedSeqs []int64 // of changes to them
	statsDue   bool
	stats      bool // were added
}

type ref struct{ plugin, version string }

// empty reports whether nothing changed.
func (b *build) empty() bool { return len(b.plugins) == 0 && !b.shared }

// pluginRecords are the rows of one plugin.
type pluginRecords struct {
	plugin   hub.Plugin
	gone     bool
	releases []hub.Release
	seqs     []int64 // of its changes
}

// collect reads what changed.
func (s *Service) collect(ctx context.Context, tx hub.Tx) (*build, error) {
	b := &build{}
	seqs := make(map[string][]int64)
	var order []string
	for last, n := int64(0), 0; ; {
		page, err := tx.Changes().List(ctx, hub.Query{Where: []hub.Cond{hub.Gt("seq", last)}})
		if err != nil {
			return nil, err
		}
		for _, c := range page {
			last = c.Seq
			if _, known := seqs[c.Plugin]; !known {
				order = append(order, c.Plugin)
			}
			seqs[c.Plugin] = append(seqs[c.Plugin], c.Seq)
		}
		if n += len(page); len(page) < hub.MaxList {
			break
		}
		if b.more = n >= maxChanges; b.more {
			break
		}
	}
	for _, id := range order {
		if id == "" {
			if err := s.collectShared(ctx, tx, b); err != nil {
				return nil, err
			}
			b.sharedSeqs = seqs[id]
			continue
		}
		if err := b.collectPlugin(ctx, tx, id, seqs[id]); err != nil {
			return nil, err
		}
	}
	st, _, err := readSigned(ctx, tx)
	b.statsDue = s.o.Stats != nil && s.now().Sub(st.Stats) >= statsEvery
	return b, err
}

func (b *build) collectPlugin(ctx context.Context, tx hub.Tx, id string, seqs []int64) error {
	r := pluginRecords{seqs: seqs}
	var err error
	if r.plugin, err = tx.Plugins().Get(ctx, id); errors.Is(err, hub.ErrNotFound) {
		r.plugin.ID, r.gone = id, true
	} else if err != nil {
		return err
	}
	if r.releases, err = hub.ReleasesOf(ctx, tx, id); err != nil {
		return err
	}
	b.plugins = append(b.plugins, r)
	return nil
}

// collectAll reads everything, for the first catalog.
func (s *Service) collectAll(ctx context.Context, tx hub.Tx) (*build, error) {
	b, err := s.collect(ctx, tx)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool)
	for _, p := range b.plugins {
		seen[p.plugin.ID] = true
	}
	for last := ""; ; {
		page, err := tx.Plugins().List(ctx, hub.Query{Where: []hub.Cond{hub.Gt("id", last)}})
		if err != nil {
			return nil, err
		}
		for _, p := range page {
			if last = p.ID; seen[p.ID] || p.State != hub.PluginListed {
				continue
			}
			if err := b.collectPlugin(ctx, tx, p.ID, nil); err != nil {
				return nil, err
			}
		}
		if len(page) < hub.MaxList {
			break
		}
	}
	if b.shared {
		return b, nil
	}
	return b, s.collectShared(ctx, tx, b)
}

// collectShared reads publishers with their signers, and advisories.
func (s *Service) collectShared(ctx context.Context, tx hub.Tx, b *build) error {
	b.shared = true
	signers := make(map[string][]catalog.Signer)
	for last := ""; ; {
		page, err := tx.Signers().List(ctx, hub.Query{Where: []hub.Cond{hub.Gt("id", last)}})
		if err != nil {
			return err
		}
		for _, one := range page {
			last = one.ID
			signers[one.Publisher] = append(signers[one.Publisher], one.Catalog())
		}
		if len(page) < hub.MaxList {
			break
		}
	}
	for last := ""; ; {
		page, err := tx.Publishers().List(ctx, hub.Query{Where: []hub.Cond{hub.Gt("namespace", last)}})
		if err != nil {
			return err
		}
		for _, p := range page {
			last = p.Namespace
			b.publishers = append(b.publishers, catalog.Publisher{
				Namespace: p.Namespace, Name: p.Name, Homepage: p.Homepage, Signers: signers[p.Namespace],
			})
		}
		if len(page) < hub.MaxList {
			break
		}
	}
	for last := ""; ; {
		page, err := tx.Advisories().List(ctx, hub.Query{Where: []hub.Cond{hub.Gt("id", last)}})
		if err != nil {
			return err
		}
		for _, one := range page {
			last = one.ID
			body := one.Body
			body.Rescinded = one.Rescinded
			b.advisories = append(b.advisories, body)
		}
		if len(page) < hub.MaxList {
			return nil
		}
	}
}

// apply puts what was read into a catalog. A plugin whose rows cannot be listed is left
// out, with its changes still waiting; the others are not held up by it.
func (b *build) apply(c *publish.Catalog) error {
	var faults []error
	for _, r := range b.plugins {
		if err := r.apply(c); err != nil {
			faults = append(faults, fmt.Errorf("list %s: %w", r.plugin.ID, err))
			continue
		}
		b.taken = append(b.taken, r.seqs...)
		for _, one := range r.releases {
			if one.Serial == 0 && r.plugin.State == hub.PluginListed {
				b.fresh = append(b.fresh, ref{one.Plugin, one.Version})
			}
		}
	}
	if b.shared {
		if err := errors.Join(c.SetPublishers(b.publishers), c.SetAdvisories(b.advisories)); err != nil {
			faults = append(faults, err)
		} else {
			b.taken = append(b.taken, b.sharedSeqs...)
		}
	}
	return errors.Join(faults...)
}

func (r *pluginRecords) apply(c *publish.Catalog) error {
	if r.gone || r.plugin.State != hub.PluginListed || len(r.releases) == 0 {
		c.Remove(catalog.PluginID(r.plugin.ID))
		return nil
	}
	var all []catalog.Release
	for _, row := range r.releases {
		one, err := release(row)
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	l, err := publish.ListingOf(all)
	if err != nil {
		return err
	}
	l.Deprecated, l.Featured = r.plugin.Deprecated, r.plugin.Featured
	return c.SetPlugin(l, all)
}

// release returns a row as a catalog lists it.
func release(r hub.Release) (catalog.Release, error) {
	m, err := catalog.ParseManifest(r.Manifest)
	if err != nil {
		return catalog.Release{}, fmt.Errorf("kept manifest of %s: %w", r.Ref(), err)
	}
	out := catalog.Release{
		Ref: catalog.Ref{Plugin: catalog.PluginID(r.Plugin), Version: r.Version}, Digest: verify.Digest(r.Digest), Size: r.Size,
		Manifest: m, State: r.State, Reason: r.Reason, Published: r.Published.UTC().Truncate(time.Second), Notes: r.NotesText, Media: r.Media,
	}
	if r.Percent < 100 || r.Paused {
		out.Rollout = &catalog.Rollout{Percent: r.Percent, Paused: r.Paused}
	}
	return out, nil
}

// addStats puts every listed plugin's numbers into the catalog when that is due. That
// they cannot be had holds nothing else up.
func (s *Service) addStats(ctx context.Context, c *publish.Catalog, b *build) error {
	if !b.statsDue {
		return nil
	}
	all, err := s.o.Stats(ctx)
	if err != nil {
		return fmt.Errorf("numbers for the catalog: %w", err)
	}
	listed := make(map[catalog.PluginID]bool)
	for _, id := range c.IDs() {
		listed[id] = true
	}
	for _, one := range all {
		if !listed[one.ID] {
			continue
		}
		if err := c.SetStats(one); err != nil {
			return err
		}
	}
	b.stats = true
	return nil
}

// signed says what the publish of a build changes in what is kept about the catalog.
func (b *build) signed(now time.Time) func(*signedState) {
	return func(st *signedState) {
		st.Published = now
		if b.stats {
			st.Stats = now
		}
	}
}
