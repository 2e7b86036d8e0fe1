package store

import (
	"slices"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/search"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
)

// The states of a plugin on this panel, as the JSON names them. While something is done
// with it, its state is that of the operation: see install.State.
const (
	standUnavailable = "unavailable"
	standAvailable   = "available"
	standBusy        = "busy" // see standing.Busy
	standInstalled   = "installed"
	standUpdate      = "update" // installed, and there is a newer one
	standFailed      = "failed" // the last change of it did not work
	standDisabled    = "disabled"
	standRestart     = "needs restart"
	standCrashed     = "crashed"
	standRevoked     = "revoked" // stopped by an advisory
)

// standing is how a plugin stands on this panel, and so what its button does. It is
// worked out from what the market says at each request: two tabs agree, and a
// reload changes nothing.
type standing struct {
	State    string             // one of the states above
	Why      string             // of unavailable, failed, disabled, needs restart, crashed and revoked: in words
	Cause    string             // of failed and crashed: what was said, as it stands
	Version  string             // installed
	Newest   string             // the release that an install or an update would bring
	Retry    string             // of failed: what is tried again, "install", "update" or "remove"
	Newer    bool               // Newest is newer than what is installed
	Busy     *operationView     // of busy
	ReadOnly bool               // the actor sees but may not change
	Plugin   catalog.PluginID   //
	Source   string             //
	Disabled bool               // installed but switched off
	Here     *install.Installed // nil when it is not installed
	Failed   *failure           // of failed
}

// word is the state as the JSON names it.
func (s standing) word() string {
	if s.Busy != nil {
		return string(s.Busy.State)
	}
	return s.State
}

// panel is what stands on this panel, read once for a page.
type panel struct {
	here   map[catalog.PluginID]install.Installed
	busy   map[catalog.PluginID]install.Operation // unfinished
	failed map[catalog.PluginID]lastChange        // whose last change did not work
	sick   func(catalog.PluginID) error           // see healthBook.quick
}

func (h *shop) panel() panel {
	p := panel{here: map[catalog.PluginID]install.Installed{}, busy: map[catalog.PluginID]install.Operation{}, failed: h.lastFailed()}
	all := h.m.Installed()
	for _, i := range all {
		p.here[i.Plugin] = i
	}
	for _, op := range h.m.Operations() {
		if op.State.Final() {
			continue
		}
		for _, id := range op.Plugins {
			p.busy[id] = op // the oldest counts: it is the one at work
		}
	}
	p.sick = h.quick(all)
	return p
}

// running reports whether anything is going on.
func (p panel) running() bool { return len(p.busy) > 0 }

// standing says how a plugin stands, as far as its listing tells.
func (h *shop) standing(p panel, a Actor, l catalog.Listing, source string) standing {
	s := standing{Plugin: l.ID, Source: source, Newest: l.Latest, ReadOnly: !a.Install, State: standAvailable}
	if here, ok := p.here[l.ID]; ok {
		s.Here, s.Version, s.State, s.Disabled = &here, here.Version, standInstalled, !here.Enabled
		if s.Newer = l.Latest != "" && catalog.CompareVersions(l.Latest, here.Version) > 0; s.Newer {
			s.State = standUpdate
		}
	}
	if op, ok := p.busy[l.ID]; ok {
		v := h.operationView(op)
		s.State, s.Busy = standBusy, &v
		return s
	}
	if s.Here == nil && l.Latest == "" {
		s.State, s.Why = standUnavailable, h.text.T("unavailable.none")
		return s
	}
	if f, ok := p.failed[l.ID]; ok && f.concerns(s) {
		s.State, s.Failed, s.Retry = standFailed, h.failure(f.entry, f.step), f.retry()
		s.Why, s.Cause = s.Failed.Title+". "+s.Failed.Text, s.Failed.Cause
	}
	if s.Here != nil {
		h.ail(&s, p.sick(l.ID))
	}
	return s
}

// judge adds to a plugin's standing what its releases, the advisories and the
// policy say: the reasons for which an install would be refused anyway.
func (h *shop) judge(s standing, p catalog.Plugin) standing {
	if s.Here != nil && s.State != standBusy {
		if why := h.revoked(p, *s.Here); why != "" {
			s.State, s.Why, s.Cause = standRevoked, why, ""
		}
	}
	if s.Here != nil && !s.Newer || s.State == standBusy || s.State == standUnavailable {
		return s
	}
	newest, why := h.wanted(p)
	switch {
	case why != "" && s.Here != nil: // what is there stays; the update is not offered
		s.Newer = false
		if s.State == standUpdate || s.State == standFailed {
			s.State, s.Why, s.Failed = standInstalled, why, nil
		}
	case why != "":
		s.State, s.Why, s.Failed = standUnavailable, why, nil
	case s.Here != nil && catalog.CompareVersions(newest, s.Version) <= 0: // the newer ones are for another panel
		s.Newer = false
		if s.State == standUpdate {
			s.State = standInstalled
		}
	default:
		s.Newest = newest
	}
	return s
}

// wanted returns the release that an install or an update by hand would bring: the
// newest one that runs on this panel; or why there is none.
func (h *shop) wanted(p catalog.Plugin) (version, why string) {
	i := slices.IndexFunc(p.Releases, func(r catalog.Release) bool { return r.Version == p.Latest })
	if i < 0 || p.Releases[i].State != catalog.Active {
		return "", h.text.T("unavailable.none")
	}
	if h.expired(p.Source) {
		return "", h.text.T("unavailable.expired")
	}
	r := p.Releases[i]
	if unfit := h.unfit(r); unfit != "" {
		i = slices.IndexFunc(p.Releases, func(r catalog.Release) bool {
			return r.State == catalog.Active && h.unfit(r) == "" && catalog.CompareVersions(r.Version, p.Latest) < 0 && !prerelease(r.Version)
		})
		if i < 0 {
			return "", unfit
		}
		r = p.Releases[i]
	}
	return r.Version, h.forbidden(p, r)
}

func prerelease(version string) bool {
	v, err := catalog.ParseVersion(version)
	return err != nil || v.Prerelease() != ""
}

// unfit says why a release does not run on this panel; empty when it does.
func (h *shop) unfit(r catalog.Release) string {
	api, platform := h.m.Panel()
	if api != "" && r.Manifest.Panel != "" {
		want, err := catalog.ParseRange(r.Manifest.Panel)
		if err != nil {
			return h.text.T("unavailable.malformed")
		}
		want.IncludePrerelease = true
		if v, err := catalog.ParseVersion(api); err != nil || !want.Check(v) {
			return h.text.T("unavailable.panel", r.Manifest.Panel, api)
		}
	}
	if platform != "" && len(r.Manifest.Platforms) > 0 && !slices.Contains(r.Manifest.Platforms, platform) {
		return h.text.T("unavailable.platform", strings.Join(r.Manifest.Platforms, ", "), platform)
	}
	return ""
}

// forbidden says why a release may not be installed whoever asks; empty when it may.
func (h *shop) forbidden(p catalog.Plugin, r catalog.Release) string {
	if why := h.unfit(r); why != "" {
		return why
	}
	now := h.o.Now()
	for _, a := range p.Advisories {
		if a.Active(now) && a.Action != catalog.ActionWarn && a.Concerns(r) {
			return h.text.T("unavailable.advisory", a.ID, oneLine(a.Title, 200))
		}
	}
	all, optional, err := r.Manifest.Wants()
	if err != nil {
		return h.text.T("unavailable.malformed")
	}
	for _, d := range h.m.Policy().Decide(all, sandbox.Consent{}).Denied() {
		if !optional.Has(d.Permission) {
			return h.text.T("unavailable.policy", h.ruling(d).Sentence)
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
	Choose    chooser
}

func (h *shop) card(p panel, a Actor, hit search.Hit, shelf string) card {
	c := card{Listing: hit.Listing, Publisher: hit.ID.Publisher(), Stats: hit.Stats, Shelf: shelf, Standing: h.standing(p, a, hit.Listing, hit.Source)}
	if q, err := h.m.Plugin(hit.ID); err == nil { // gone since the search: what is known will do
		c.Standing = h.judge(c.Standing, q)
	}
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
