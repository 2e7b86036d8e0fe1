package update

import (
	"errors"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
)

// components divides offers into the smallest parts that have nothing to do with each
// other: two belong together when there is a way between their plugins over what is
// installed or offered, by dependencies, conflicts or replacements. The order is kept.
func components(facts Facts, offers []Offer) [][]Offer {
	leader := make(map[catalog.PluginID]catalog.PluginID) // union-find over all plugins
	var find func(catalog.PluginID) catalog.PluginID
	find = func(id catalog.PluginID) catalog.PluginID {
		up, ok := leader[id]
		if !ok || up == id {
			return id
		}
		up = find(up)
		leader[id] = up
		return up
	}
	offered := make(map[catalog.PluginID]bool)
	for _, o := range offers {
		offered[o.Plugin] = true
	}
	join := func(id catalog.PluginID, m *catalog.Manifest) {
		for _, other := range related(m) {
			// What does not move ties nobody together: it allows each or not.
			if offered[id] && offered[other] {
				leader[find(other)] = find(id)
			}
		}
	}
	for id, p := range facts.Generation.Plugins {
		join(id, &p.Manifest)
	}
	for _, o := range offers {
		join(o.Plugin, &o.To.Manifest)
	}
	var parts [][]Offer
	place := make(map[catalog.PluginID]int)
	for _, o := range offers {
		l := find(o.Plugin)
		if i, ok := place[l]; ok {
			parts[i] = append(parts[i], o)
		} else {
			place[l] = len(parts)
			parts = append(parts, []Offer{o})
		}
	}
	return parts
}

func related(m *catalog.Manifest) []catalog.PluginID {
	var out []catalog.PluginID
	for _, d := range m.Dependencies {
		out = append(out, d.ID)
	}
	for _, r := range slices.Concat(m.Conflicts, m.Replaces) {
		out = append(out, r.ID)
	}
	return append(out, m.Provides...)
}

// culprit returns the part that has the release which an error names, or -1.
func culprit(parts [][]Offer, err error) int {
	var ie *install.Error
	if !errors.As(err, &ie) {
		return -1
	}
	return slices.IndexFunc(parts, func(part []Offer) bool {
		return slices.ContainsFunc(part, func(o Offer) bool { return o.To.Ref == ie.Ref })
	})
}
