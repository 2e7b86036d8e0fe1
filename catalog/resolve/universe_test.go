package resolve_test

import (
	"fmt"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// universe is a Universe in memory.
type universe struct {
	releases  map[catalog.PluginID][]catalog.Release
	providers map[catalog.PluginID][]catalog.PluginID
}

func newUniverse(rs ...catalog.Release) *universe {
	u := &universe{map[catalog.PluginID][]catalog.Release{}, map[catalog.PluginID][]catalog.PluginID{}}
	for _, r := range rs {
		u.releases[r.Plugin] = append(u.releases[r.Plugin], r)
		for _, id := range r.Manifest.Provides {
			u.providers[id] = append(u.providers[id], r.Plugin)
		}
		for _, x := range r.Manifest.Replaces {
			u.providers[x.ID] = append(u.providers[x.ID], r.Plugin)
		}
	}
	for _, rs := range u.releases {
		slices.SortFunc(rs, func(a, b catalog.Release) int { return catalog.CompareVersions(b.Version, a.Version) })
	}
	for id, ps := range u.providers {
		slices.Sort(ps)
		u.providers[id] = slices.Compact(ps)
	}
	return u
}

func (u *universe) Releases(id catalog.PluginID) []catalog.Release   { return u.releases[id] }
func (u *universe) Providers(id catalog.PluginID) []catalog.PluginID { return u.providers[id] }

func (u *universe) find(id catalog.PluginID, version string) (catalog.Release, bool) {
	i := slices.IndexFunc(u.releases[id], func(r catalog.Release) bool { return r.Version == version })
	if i < 0 {
		return catalog.Release{}, false
	}
	return u.releases[id][i], true
}

// rel makes a release; its digest is made of its name.
func rel(id catalog.PluginID, version string, deps ...catalog.Dependency) catalog.Release {
	return catalog.Release{
		Ref:      catalog.Ref{Plugin: id, Version: version},
		Digest:   verify.Digest(fmt.Sprintf("sha256:%064x", []byte(string(id)+version))[:71]),
		Manifest: catalog.Manifest{ID: id, Version: version, Dependencies: deps},
	}
}

func need(id catalog.PluginID, text string) catalog.Dependency {
	return catalog.Dependency{ID: id, Range: text}
}
