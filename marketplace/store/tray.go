package store

import (
	"net/url"
	"slices"

	"github.com/souk-dev/souk/catalog"
)

const (
	minCompared = 2
	maxCompared = 4 // columns that fit a page and a head
	// maxTray is the most ids that are read from an address: more than may be compared, so
	// that somebody who chose too many is told which.
	maxTray = 12
)

// tray is what somebody chose to compare. It stands in the address alone: nothing is
// stored, and two tabs have two of them.
type tray struct {
	IDs     []catalog.PluginID
	at      func([]catalog.PluginID) string // the page that is shown, with other ids
	compare func([]catalog.PluginID) string
	Items   []trayItem
}

type trayItem struct {
	ID      catalog.PluginID
	Name    string
	Without string // address of the page without it
}

// chooser is a card's way into the tray, or out of it. The zero value offers none.
type chooser struct {
	URL    string
	Chosen bool
}

// chosenIDs reads plugin ids from an address. What is no id, or stands there twice, is
// left out.
func chosenIDs(values []string) []catalog.PluginID {
	var out []catalog.PluginID
	for _, s := range values[:min(len(values), maxTray)] {
		if id, err := catalog.ParsePluginID(s); err == nil && !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out
}

// newTray reads the tray of an address, "with=acme/backup&with=kiln/redis"; at writes the
// address of the page with other ids.
func (h *shop) newTray(v url.Values, at func([]catalog.PluginID) string) *tray {
	t := &tray{at: at, compare: h.compareURL}
	for _, id := range chosenIDs(v["with"]) {
		if p, err := h.m.Plugin(id); err == nil && len(t.IDs) < maxCompared { // one that is gone is not chosen
			t.IDs = append(t.IDs, id)
			name, _ := h.words(p.Listing)
			t.Items = append(t.Items, trayItem{ID: id, Name: name})
		}
	}
	for i, id := range t.IDs {
		t.Items[i].Without = at(t.less(id))
	}
	return t
}

func (t *tray) less(id catalog.PluginID) []catalog.PluginID {
	return slices.DeleteFunc(slices.Clone(t.IDs), func(other catalog.PluginID) bool { return other == id })
}

// choose returns what a card's link does.
func (t *tray) choose(id catalog.PluginID) chooser {
	switch {
	case slices.Contains(t.IDs, id):
		return chooser{t.at(t.less(id)), true}
	case len(t.IDs) >= maxCompared:
		return chooser{}
	}
	return chooser{t.at(append(slices.Clone(t.IDs), id)), false}
}

func (t *tray) Full() bool   { return len(t.IDs) == maxCompared }
func (t *tray) Ready() bool  { return len(t.IDs) >= minCompared }
func (t *tray) Go() string   { return t.compare(t.IDs) }
func (t *tray) None() string { return t.at(nil) }

func idValues(key string, ids []catalog.PluginID) url.Values {
	v := url.Values{}
	for _, id := range ids {
		v.Add(key, string(id))
	}
	return v
}

// withIDs adds ids to an address of ours.
func withIDs(address, key string, ids []catalog.PluginID) string {
	if len(ids) == 0 {
		return address
	}
	mark := "?"
	if u, err := url.Parse(address); err == nil && u.RawQuery != "" {
		mark = "&"
	}
	return address + mark + idValues(key, ids).Encode()
}

func (h *shop) compareURL(ids []catalog.PluginID) string {
	return withIDs(h.url("compare"), "id", ids)
}
