package publish

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify/tuf"
)

// Catalog is a catalog on the publisher's side: what it contains, and what of that
// is published. Changes gather until [Catalog.Publish]. It is not safe for
// concurrent use.
type Catalog struct {
	tuf      *tuf.Repository
	serial   uint64 // of the last publish; 0 before the first
	segments map[catalog.Family][]segment

	publishers []catalog.Publisher
	advisories catalog.Advisories
	advised    bool // the advisories changed since the last publish

	families map[catalog.Family]*family
}

// family is the content of one family of segments.
type family struct {
	lines   map[catalog.PluginID][]byte
	changed map[catalog.PluginID]bool // since the last publish, removed ones too
}

// segment is a published segment and whose records are in it.
type segment struct {
	catalog.Segment
	ids []catalog.PluginID
}

// New returns an empty catalog that is signed as repository says; see [tuf.Init].
func New(repository *tuf.Repository) *Catalog {
	c := &Catalog{
		tuf:      repository,
		segments: make(map[catalog.Family][]segment),
		families: make(map[catalog.Family]*family),
	}
	for _, f := range catalog.Families() {
		c.families[f] = &family{lines: make(map[catalog.PluginID][]byte), changed: make(map[catalog.PluginID]bool)}
	}
	return c
}

// Serial returns the number of the last publish, 0 before the first.
func (c *Catalog) Serial() uint64 { return c.serial }

// TUF returns the repository that signs the catalog, to renew it or rotate its
// keys with [Catalog.Renew] and [Catalog.Rotate].
func (c *Catalog) TUF() *tuf.Repository { return c.tuf }

// IDs returns the plugins that the catalog lists, in order.
func (c *Catalog) IDs() []catalog.PluginID {
	return slices.Sorted(maps.Keys(c.families[catalog.FamilyListing].lines))
}

// SetPlugin puts a plugin into the catalog, in place of what it had of it.
func (c *Catalog) SetPlugin(l catalog.Listing, releases []catalog.Release) error {
	listing, err := catalog.NewListingRecord(l)
	if err != nil {
		return fmt.Errorf("list %w", err)
	}
	all, err := catalog.NewReleasesRecord(l.ID, releases)
	if err != nil {
		return fmt.Errorf("list releases of %w", err)
	}
	c.families[catalog.FamilyListing].set(listing)
	c.families[catalog.FamilyReleases].set(all)
	return nil
}

// AddRelease puts a release into the catalog, in place of the one with its version
// if there is one, and lists the plugin by [ListingOf]. What a publisher said of
// the whole plugin (deprecated, featured) stays.
func (c *Catalog) AddRelease(r catalog.Release) error {
	releases, err := c.Releases(r.Plugin)
	if err != nil {
		return err
	}
	releases = slices.DeleteFunc(releases, func(old catalog.Release) bool { return old.Version == r.Version })
	releases = append(releases, r)
	l, err := ListingOf(releases)
	if err != nil {
		return err
	}
	if old, err := c.Listing(r.Plugin); err == nil {
		l.Deprecated, l.Featured = old.Deprecated, old.Featured
	} else if !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	return c.SetPlugin(l, releases)
}

// Remove takes a plugin out of the catalog. Clients lose it with the next publish;
// to say why a release is gone, withdraw it with an advisory instead.
func (c *Catalog) Remove(id catalog.PluginID) {
	for _, f := range c.families {
		f.remove(id)
	}
}

// SetStats puts a plugin's numbers into the catalog.
func (c *Catalog) SetStats(s catalog.Stats) error {
	r, err := catalog.NewStatsRecord(s)
	if err != nil {
		return fmt.Errorf("set numbers of %w", err)
	}
	c.families[catalog.FamilyStats].set(r)
	return nil
}

// SetPublishers says who owns which namespace and who may sign there. All of them
// are given each time.
func (c *Catalog) SetPublishers(all []catalog.Publisher) error {
	sorted := slices.SortedFunc(slices.Values(all), func(a, b catalog.Publisher) int { return cmp.Compare(a.Namespace, b.Namespace) })
	if _, err := (catalog.Publishers{Format: catalog.PublishersFormat, Publishers: sorted}).Encode(); err != nil {
		return err
	}
	c.publishers = sorted
	return nil
}

// SetAdvisories sets all advisories, rescinded ones too.
func (c *Catalog) SetAdvisories(all []catalog.Advisory) error {
	next := catalog.Advisories{Format: catalog.AdvisoriesFormat, Serial: c.advisories.Serial, Advisories: slices.Clone(all)}
	if _, err := next.Encode(); err != nil {
		return err
	}
	c.advisories, c.advised = next, true
	return nil
}

// Releases returns the releases of a plugin, newest first; none when it is not listed.
func (c *Catalog) Releases(id catalog.PluginID) ([]catalog.Release, error) {
	line, ok := c.families[catalog.FamilyReleases].lines[id]
	if !ok {
		return nil, nil
	}
	return new(catalog.RecordReader).Releases(catalog.Record{ID: id, Line: line})
}

// Listing returns the listing of a plugin, or an error that wraps [catalog.ErrNotFound].
func (c *Catalog) Listing(id catalog.PluginID) (catalog.Listing, error) {
	line, ok := c.families[catalog.FamilyListing].lines[id]
	if !ok {
		return catalog.Listing{}, fmt.Errorf("plugin %s: %w", id, catalog.ErrNotFound)
	}
	return new(catalog.RecordReader).Listing(catalog.Record{ID: id, Line: line})
}

func (f *family) set(r catalog.Record) {
	if !bytes.Equal(f.lines[r.ID], r.Line) {
		f.lines[r.ID], f.changed[r.ID] = bytes.Clone(r.Line), true
	}
}

func (f *family) remove(id catalog.PluginID) {
	if _, ok := f.lines[id]; ok {
		delete(f.lines, id)
		f.changed[id] = true
	}
}

// records yields the present records of the plugins, which are in order: a
// tombstone for each that is gone, unless base.
func (f *family) records(ids []catalog.PluginID, base bool) iter.Seq2[catalog.Record, error] {
	return func(yield func(catalog.Record, error) bool) {
		for _, id := range ids {
			line, ok := f.lines[id]
			switch {
			case ok && !yield(catalog.Record{ID: id, Line: line}, nil):
				return
			case !ok && !base && !yield(catalog.Tombstone(id), nil):
				return
			}
		}
	}
}

// ListingOf returns the listing of a plugin as its releases have it: texts, risk
// and icon are those of the newest active stable release, else of the newest
// active one, else of the newest.
func ListingOf(releases []catalog.Release) (catalog.Listing, error) {
	if len(releases) == 0 {
		return catalog.Listing{}, errors.New("a plugin without releases has no listing")
	}
	best := slices.MaxFunc(releases, func(a, b catalog.Release) int {
		return cmp.Or(cmp.Compare(standing(a), standing(b)), catalog.CompareVersions(a.Version, b.Version))
	})
	m := best.Manifest
	l := catalog.Listing{
		ID: best.Plugin, Name: m.Name, Summary: m.Summary, Categories: m.Categories, Tags: m.Tags,
		Keywords: m.Keywords, Localized: m.Localized, License: m.License, Latest: best.Version,
	}
	if best.State != catalog.Active {
		l.Latest = ""
	}
	for _, r := range releases {
		if r.Published.After(l.Updated) {
			l.Updated = r.Published.UTC().Truncate(time.Second)
		}
	}
	for _, d := range best.Media {
		if d.Title == m.Icon && m.Icon != "" {
			icon := d
			l.Icon = &icon
		}
	}
	all, _, err := m.Wants()
	if err != nil {
		return catalog.Listing{}, fmt.Errorf("%s: %w", best.Ref, err)
	}
	l.Risk = riskOf(all)
	return l, nil
}

// riskOf returns the highest risk of a set. What a panel registers itself (api,
// event, ui) only the panel can judge: in a catalog it counts as medium.
func riskOf(set sandbox.Set) sandbox.Risk {
	highest := sandbox.RiskLow
	for p := range set.All() {
		_, risk := sandbox.Explain(p)
		if k := p.Kind(); k == sandbox.KindAPI || k == sandbox.KindEvent || k == sandbox.KindUI {
			risk = sandbox.RiskMedium
		}
		highest = min(highest, risk) // the highest risk has the lowest number
	}
	return highest
}

// standing says which release speaks for the plugin; the highest does.
func standing(r catalog.Release) int {
	v, err := catalog.ParseVersion(r.Version)
	switch {
	case r.State != catalog.Active:
		return 0
	case err != nil || v.Prerelease() != "":
		return 1
	}
	return 2
}

// Publishers returns who owns which namespace, as it was set or published last.
func (c *Catalog) Publishers() []catalog.Publisher { return slices.Clone(c.publishers) }

// Advisories returns all advisories, as they were set or published last.
func (c *Catalog) Advisories() []catalog.Advisory { return slices.Clone(c.advisories.Advisories) }
