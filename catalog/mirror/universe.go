package mirror

import (
	"fmt"
	"maps"
	"slices"

	"github.com/souk-dev/souk/catalog"
)

// Universe is what can be installed, with every plugin bound to exactly one source:
// what the solver in catalog/resolve takes. It is immutable and safe for concurrent use; a later sync does not change it.
type Universe struct {
	sources []view // in the operator's order
	bound   map[catalog.PluginID]string
}

// view is what a Universe sees of a source. A nil held stands for a source that
// was never synced.
type view struct {
	name string
	held *held
}

// Universe returns what can be installed now. bound names the source of plugins
// that are installed, or that somebody asked for from that source; every other
// plugin belongs to the first source, in the operator's order, that lists or
// provides it.
//
// As long as a source was never synced, nobody knows what belongs to it: then no
// plugin of a source after it is offered unless it is bound. See [Universe.Owner].
func (m *Mirror) Universe(bound map[catalog.PluginID]string) *Universe {
	u := &Universe{bound: maps.Clone(bound)}
	for _, s := range m.sources {
		s.mu.Lock()
		u.sources = append(u.sources, view{s.Name, s.held})
		s.mu.Unlock()
	}
	return u
}

// NewUniverse returns a Universe over snapshots in the operator's order.
func NewUniverse(snapshots []*catalog.Snapshot, bound map[catalog.PluginID]string) *Universe {
	u := &Universe{bound: maps.Clone(bound)}
	for _, snap := range snapshots {
		var all []catalog.Release
		for l := range snap.Listings() {
			all = append(all, snap.Releases(l.ID)...)
		}
		u.sources = append(u.sources, view{snap.Source(), &held{snapshot: snap, providers: providersOf(all)}})
	}
	return u
}

// Owner returns the name of the source that a plugin belongs to. It is an error
// that wraps [catalog.ErrNotFound] when no source has it, and one that wraps
// [catalog.ErrUnavailable] when that is not known because a source was never synced.
func (u *Universe) Owner(id catalog.PluginID) (string, error) {
	if name, ok := u.bound[id]; ok {
		return name, nil
	}
	for _, v := range u.sources {
		switch {
		case v.held == nil:
			return "", fmt.Errorf("plugin %s: %w: source %s was never synced, so it is not known whether the plugin is from there", id, catalog.ErrUnavailable, v.name)
		case v.held.snapshot.Has(id) || len(v.held.providers[id]) > 0:
			return v.name, nil
		}
	}
	return "", fmt.Errorf("plugin %s: %w", id, catalog.ErrNotFound)
}

// owner returns the catalog that a plugin belongs to, nil when there is none.
func (u *Universe) owner(id catalog.PluginID) *view {
	name, err := u.Owner(id)
	if err != nil {
		return nil
	}
	i := slices.IndexFunc(u.sources, func(v view) bool { return v.name == name })
	if i < 0 || u.sources[i].held == nil {
		return nil
	}
	return &u.sources[i]
}

// Releases returns every release of a plugin in the source that it belongs to, newest
// first; none when there is no such source.
func (u *Universe) Releases(id catalog.PluginID) []catalog.Release {
	v := u.owner(id)
	if v == nil {
		return nil
	}
	return v.held.snapshot.Releases(id)
}

// Providers returns the plugins that have a release which provides or replaces id,
// in order of their ids. Only plugins of the source that id belongs to stand in for it.
func (u *Universe) Providers(id catalog.PluginID) []catalog.PluginID {
	v := u.owner(id)
	if v == nil {
		return nil
	}
	var out []catalog.PluginID
	for _, by := range v.held.providers[id] {
		if at := u.owner(by); at != nil && at.name == v.name {
			out = append(out, by)
		}
	}
	return out
}
