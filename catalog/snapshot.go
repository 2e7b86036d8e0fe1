package catalog

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"
)

// Contents is what a Snapshot is made from.
type Contents struct {
	Source     string // name the operator gave the source
	Serial     uint64 // rises with every publish
	Expires    time.Time
	Synced     time.Time // when it was last confirmed to be the newest
	Listings   []Listing
	Releases   []Release // any order
	Stats      []Stats
	Publishers []Publisher
	Advisories []Advisory
}

// Snapshot is a catalog that was verified. It is immutable and safe for concurrent
// use; what it returns is shared and must not be changed.
type Snapshot struct {
	c          Contents
	ids        []PluginID
	listings   map[PluginID]Listing
	releases   map[PluginID][]Release // newest first
	stats      map[PluginID]Stats
	publishers map[string]Publisher
	about      aboutIndex
}

// aboutIndex says which advisories, by their place in the contents, can be about a plugin,
// so that a page of plugins does not read all advisories for each of them.
type aboutIndex struct {
	plugin    map[PluginID][]int
	publisher map[string][]int
	digests   []int // about digests of whatever plugin
}

func indexAdvisories(all []Advisory) aboutIndex {
	x := aboutIndex{make(map[PluginID][]int), make(map[string][]int), nil}
	for i := range all {
		a := &all[i]
		if a.Plugin != "" {
			x.plugin[a.Plugin] = append(x.plugin[a.Plugin], i)
		}
		if a.Publisher != "" {
			x.publisher[a.Publisher] = append(x.publisher[a.Publisher], i)
		}
		if a.Plugin == "" && len(a.Digests) > 0 {
			x.digests = append(x.digests, i)
		}
	}
	return x
}

// NewSnapshot indexes contents. Whoever calls it says that they were verified:
// catalog/mirror after a sync, and tests. It fails when a release or a listing
// appears twice or names are malformed, never silently keeping one of two.
func NewSnapshot(c Contents) (*Snapshot, error) {
	s := &Snapshot{
		c:          c,
		listings:   make(map[PluginID]Listing, len(c.Listings)),
		releases:   make(map[PluginID][]Release, len(c.Listings)),
		stats:      make(map[PluginID]Stats, len(c.Stats)),
		publishers: make(map[string]Publisher, len(c.Publishers)),
	}
	for _, l := range c.Listings {
		if _, err := ParsePluginID(string(l.ID)); err != nil {
			return nil, err
		}
		if _, double := s.listings[l.ID]; double {
			return nil, fmt.Errorf("catalog %s lists %s twice", c.Source, l.ID)
		}
		s.listings[l.ID] = l
	}
	if err := s.addReleases(); err != nil {
		return nil, err
	}
	for _, st := range c.Stats {
		s.stats[st.ID] = st
	}
	for _, p := range c.Publishers {
		if _, double := s.publishers[p.Namespace]; double {
			return nil, fmt.Errorf("catalog %s lists publisher %s twice", c.Source, p.Namespace)
		}
		s.publishers[p.Namespace] = p
	}
	s.ids = slices.SortedFunc(maps.Keys(s.listings), cmp.Compare)
	s.about = indexAdvisories(c.Advisories)
	return s, nil
}

// addReleases groups the releases by plugin, newest first. Releases mostly come in
// that order, so that only those of a plugin that do not are sorted.
func (s *Snapshot) addReleases() error {
	unsorted := make(map[PluginID]bool)
	var before PluginID
	var last *semver.Version
	for _, r := range s.c.Releases {
		v, err := ParseVersion(r.Version)
		if err != nil {
			return fmt.Errorf("release of %s: %w", r.Plugin, err)
		}
		if !r.Digest.Valid() {
			return fmt.Errorf("release %s has no valid digest", r.Ref)
		}
		if _, ok := s.listings[r.Plugin]; !ok {
			return fmt.Errorf("catalog %s has release %s without a listing", s.c.Source, r.Ref)
		}
		r.Source = s.c.Source
		if all := s.releases[r.Plugin]; len(all) > 0 && (r.Plugin != before || last.Compare(v) <= 0) {
			unsorted[r.Plugin] = true
		}
		s.releases[r.Plugin] = append(s.releases[r.Plugin], r)
		before, last = r.Plugin, v
	}
	for id := range unsorted {
		rs := s.releases[id]
		slices.SortFunc(rs, newestFirst)
		for i := 1; i < len(rs); i++ {
			if rs[i].Version == rs[i-1].Version {
				return fmt.Errorf("catalog %s lists %s@%s twice", s.c.Source, id, rs[i].Version)
			}
		}
	}
	return nil
}

// Source returns the name of the source.
func (s *Snapshot) Source() string { return s.c.Source }

// Serial returns the number of the catalog; a higher one is newer.
func (s *Snapshot) Serial() uint64 { return s.c.Serial }

// Expires returns when the catalog's freshest signature runs out.
func (s *Snapshot) Expires() time.Time { return s.c.Expires }

// Synced returns when the source last confirmed this snapshot as the newest.
func (s *Snapshot) Synced() time.Time { return s.c.Synced }

// At returns the same snapshot, confirmed as the newest at another time.
func (s *Snapshot) At(synced, expires time.Time) *Snapshot {
	t := *s
	t.c.Synced, t.c.Expires = synced, expires
	return &t
}

// Len returns the number of plugins.
func (s *Snapshot) Len() int { return len(s.ids) }

// Listings yields all listings in order of their ids.
func (s *Snapshot) Listings() iter.Seq[Listing] {
	return func(yield func(Listing) bool) {
		for _, id := range s.ids {
			if !yield(s.listings[id]) {
				return
			}
		}
	}
}

// Has reports whether the plugin is listed.
func (s *Snapshot) Has(id PluginID) bool { _, ok := s.listings[id]; return ok }

// Releases returns the releases of a plugin, newest first; none when it is not listed.
func (s *Snapshot) Releases(id PluginID) []Release { return s.releases[id] }

// Release returns one release, or [ErrNotFound] in a [*RefError].
func (s *Snapshot) Release(r Ref) (Release, error) {
	for _, rel := range s.releases[r.Plugin] {
		if rel.Version == r.Version {
			return rel, nil
		}
	}
	return Release{}, &RefError{"look up", r, ErrNotFound}
}

// Stats returns a plugin's numbers; zero when there are none.
func (s *Snapshot) Stats(id PluginID) Stats { return s.stats[id] }

// Publisher returns the owner of a namespace.
func (s *Snapshot) Publisher(namespace string) (Publisher, bool) {
	p, ok := s.publishers[namespace]
	return p, ok
}

// Advisories returns all advisories, rescinded ones too.
func (s *Snapshot) Advisories() []Advisory { return s.c.Advisories }

// Plugin returns everything about one plugin, or an error wrapping [ErrNotFound].
func (s *Snapshot) Plugin(id PluginID) (Plugin, error) {
	l, ok := s.listings[id]
	if !ok {
		return Plugin{}, fmt.Errorf("plugin %s: %w", id, ErrNotFound)
	}
	p := Plugin{Listing: l, Source: s.c.Source, Releases: s.releases[id], Stats: s.stats[id]}
	p.Publisher = s.publishers[id.Publisher()]
	which := slices.Concat(s.about.plugin[id], s.about.publisher[id.Publisher()])
	for _, i := range s.about.digests {
		if slices.ContainsFunc(p.Releases, s.c.Advisories[i].Concerns) {
			which = append(which, i)
		}
	}
	slices.Sort(which)
	for _, i := range slices.Compact(which) {
		p.Advisories = append(p.Advisories, s.c.Advisories[i])
	}
	return p, nil
}
