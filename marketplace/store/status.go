package store

import (
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/search"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
)

// standing is how a plugin stands on this panel, and so what its button does. It is
// worked out from what the market says at each request: two tabs agree, and a
// reload changes nothing.
type standing struct {
	State    string             // "available", "installed", "update", "busy", "unavailable"
	Why      string             // of unavailable: in words
	Version  string             // installed
	Newest   string             // of update
	Busy     *operationView     // of busy
	ReadOnly bool               // the actor sees but may not change
	Plugin   catalog.PluginID   //
	Source   string             //
	Disabled bool               // installed but switched off
	Here     *install.Installed // nil when it is not installed
}

// panel is what stands on this panel, read once for a page.
type panel struct {
	here map[catalog.PluginID]install.Installed
	busy map[catalog.PluginID]install.Operation // unfinished
}

func (h *shop) panel() panel {
	p := panel{here: map[catalog.PluginID]install.Installed{}, busy: map[catalog.PluginID]install.Operation{}}
	for _, i := range h.m.Installed() {
		p.here[i.Plugin] = i
	}
	for _, op := range h.m.Operations() {
		if op.State.Final() {
			continue
		}
		for _, id := range op.Plugins {
			p.busy[id] = op
		}
	}
	return p
}

// running reports whether anything is going on.
func (p panel) running() bool { return len(p.busy) > 0 }

// standing says how a plugin stands, as far as its listing tells.
func (h *shop) standing(p panel, a Actor, l catalog.Listing, source string) standing {
	s := standing{Plugin: l.ID, Source: source, Newest: l.Latest, ReadOnly: !a.Install, State: "available"}
	if here, ok := p.here[l.ID]; ok {
		s.Here, s.Version, s.State, s.Disabled = &here, here.Version, "installed", !here.Enabled
		if l.Latest != "" && catalog.CompareVersions(l.Latest, here.Version) > 0 {
			s.State = "update"
		}
	}
	if op, ok := p.busy[l.ID]; ok {
		v := h.operationView(op)
		s.State, s.Busy = "busy", &v
		return s
	}
	if s.Here == nil && l.Latest == "" {
		s.State, s.Why = "unavailable", h.text.T("unavailable.none")
	}
	return s
}

// judge adds to a plugin's standing what its releases, the advisories and the
// policy say: the reasons for which an install would be refused anyway.
func (h *shop) judge(s standing, p catalog.Plugin) standing {
	if s.State != "available" && s.State != "update" {
		return s
	}
	i := slices.IndexFunc(p.Releases, func(r catalog.Release) bool { return r.Version == p.Latest })
	why := ""
	switch {
	case i < 0 || p.Releases[i].State != catalog.Active:
		why = h.text.T("unavailable.none")
	case h.expired(p.Source):
		why = h.text.T("unavailable.expired")
	default:
		why = h.forbidden(p, p.Releases[i])
	}
	switch {
	case why == "":
	case s.State == "update": // what is there stays; the update is not offered
		s.State, s.Why = "installed", why
	default:
		s.State, s.Why = "unavailable", why
	}
	return s
}

// forbidden says why a release may not be installed whoever asks; empty when it may.
func (h *shop) forbidden(p catalog.Plugin, r catalog.Release) string {
	now := h.o.Now()
	for _, a := range p.Advisories {
		if a.Active(now) && a.Action != catalog.ActionWarn && a.Concerns(r) {
			return h.text.T("unavailable.advisory", a.ID, a.Title)
		}
	}
	all, optional, err := r.Manifest.Wants()
	if err != nil {
		return h.text.T("unavailable.malformed")
	}
	for _, d := range h.m.Policy().Decide(all, sandbox.Consent{}).Denied() {
		if !optional.Has(d.Permission) {
			return h.text.T("unavailable.policy", d.Sentence)
		}
	}
	return ""
}

// card is a plugin in a grid.
type card struct {
	catalog.Listing
	Name      string // in the language of the pages
	Summary   string
	Publisher string
	Stats     catalog.Stats
	Icon      string // address; empty: a generated one
	Standing  standing
	Shelf     string // which row of the page: tells two cards of one plugin apart
	Because   string // name of an installed plugin that it goes with; empty: not suggested
}

func (h *shop) card(p panel, a Actor, hit search.Hit, shelf string) card {
	c := card{Listing: hit.Listing, Publisher: hit.ID.Publisher(), Stats: hit.Stats, Shelf: shelf, Standing: h.standing(p, a, hit.Listing, hit.Source)}
	c.Name, c.Summary = h.words(hit.Listing)
	if d := hit.Listing.Icon; d != nil && hit.Latest != "" {
		c.Icon = h.mediaURL(catalog.Ref{Plugin: hit.ID, Version: hit.Latest}, *d)
	}
	return c
}

// words returns a listing's name and summary in the language of the pages.
func (h *shop) words(l catalog.Listing) (name, summary string) {
	name, summary = l.Name, l.Summary
	if t, ok := l.Localized[h.text.Lang()]; ok {
		if t.Name != "" {
			name = t.Name
		}
		if t.Summary != "" {
			summary = t.Summary
		}
	}
	return oneLine(name, 200), oneLine(summary, 500)
}
