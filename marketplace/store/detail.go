package store

import (
	"cmp"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
)

var tabs = []string{"", "permissions", "versions", "dependencies", "security"}

type detailPage struct {
	card
	Tab           string
	Tabs          []facet
	Release       catalog.Release // the one described: the newest, or the installed one when there is none
	Owner         catalog.Publisher
	Source        string
	Docs          docs // on the overview only
	Shots         []shot
	Rules         []rule
	Versions      []version
	Needs         []dependency
	NeededBy      []dependent
	SignerHistory []signerView
	Advisories    []advisory
	Links         []facet
	Failed        *failure // the last change of it that failed
	Risk          sandbox.Risk
	Signers       []string
	Platforms     string
	Reviews       *reviewsTab // on their tab only
	MayReport     bool
}

// shot is a screenshot: its picture, and the page that shows it large.
type shot struct{ URL, Alt, Caption, Page string }

// rule is a permission in words.
type rule struct {
	sandbox.Ruling
	Reason   string // by the publisher
	Optional bool
}

type version struct {
	catalog.Release
	Notes     template.HTML
	Installed bool
	Choose    bool   // may be installed in place of what is there
	Why       string // it may not be, in words; empty: it may, or is there, or was taken back
}

type dependency struct {
	catalog.Dependency
	Name      string
	Installed string // version
	Known     bool
}

// Top are the riskiest permissions, as many as the overview has lines for.
func (d detailPage) Top() []rule { return d.Rules[:min(len(d.Rules), 3)] }

// Newest is the release that is described, when it says what is new in it.
func (d detailPage) Newest() *version {
	for i := range d.Versions {
		if v := &d.Versions[i]; v.Version == d.Release.Version && v.Notes != "" {
			return v
		}
	}
	return nil
}

// dependent is an installed plugin that needs this one.
type dependent struct {
	ID       catalog.PluginID
	Name     string
	Range    string
	Optional bool
}

func (h *shop) dependents(on panel, id catalog.PluginID) []dependent {
	var out []dependent
	for _, i := range on.here {
		for _, n := range i.Manifest.Dependencies {
			if n.ID == id {
				out = append(out, dependent{i.Plugin, oneLine(cmp.Or(i.Manifest.Name, string(i.Plugin)), 200), n.Range, n.Optional})
			}
		}
	}
	slices.SortFunc(out, func(a, b dependent) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

type advisory struct {
	catalog.Advisory
	Text   template.HTML
	Here   bool // concerns the installed version
	Active bool
	Link   string
}

func (h *shop) detail(w http.ResponseWriter, r *http.Request, a Actor) error {
	id, err := pluginID(r)
	if err != nil {
		return err
	}
	tab := r.PathValue("tab")
	if !slices.Contains(h.tabs(), tab) {
		return errNoPage
	}
	p, err := h.m.Plugin(id)
	if err != nil {
		return err
	}
	return h.detailPage(w, r, a, p, tab, http.StatusOK, nil)
}

// tabs are those of a plugin: reviews need a hub.
func (h *shop) tabs() []string {
	if h.o.Community == nil {
		return tabs
	}
	return slices.Insert(slices.Clone(tabs), 3, "reviews")
}

// detailPage shows a plugin. form is a review that was sent and refused; nil: none.
func (h *shop) detailPage(w http.ResponseWriter, r *http.Request, a Actor, p catalog.Plugin, tab string, status int, form *reviewForm) error {
	id, on := p.ID, h.panel()
	d := h.describe(on, a, p)
	d.Tab = tab
	if h.o.Community != nil {
		d.MayReport = a.Install && h.ofHub(p)
	}
	if tab == "reviews" {
		d.Reviews = h.reviewsOf(r, a, p, form)
	}
	for _, t := range h.tabs() {
		name := t
		if t == "" {
			name = "overview"
		}
		f := facet{Value: t, Name: h.text.T("tab." + name), URL: h.url("p", id.Publisher(), id.Name()), Current: t == tab}
		if t != "" {
			f.URL = h.url("p", id.Publisher(), id.Name(), t)
		}
		switch t {
		case "versions":
			f.N = len(p.Releases)
		case "permissions":
			f.N = len(d.Rules)
		}
		d.Tabs = append(d.Tabs, f)
	}
	if tab == "" {
		d.Docs = h.docs(r.Context(), d.Release)
	}
	d.Failed = h.lastFailure(id)
	out := &page{Title: d.Name, Nav: "browse", Notices: h.shelfNotices(), Content: d, Refresh: on.running()}
	if d.Docs.Later {
		out.Every = docsAgain
	}
	h.show(w, r, a, status, "detail", out)
	return nil
}

// describe works out everything of a detail page that needs no I/O.
func (h *shop) describe(on panel, a Actor, p catalog.Plugin) detailPage {
	d := detailPage{Owner: p.Publisher, Source: p.Source, Risk: sandbox.RiskLow}
	d.Listing, d.Stats, d.Publisher = p.Listing, p.Stats, p.ID.Publisher()
	d.Name, d.Summary = h.words(p.Listing)
	d.Standing = h.judge(h.standing(on, a, p.Listing, p.Source), p)
	if i := slices.IndexFunc(p.Releases, func(r catalog.Release) bool { return r.Version == p.Latest }); i >= 0 {
		d.Release = p.Releases[i]
	} else if len(p.Releases) > 0 {
		d.Release = p.Releases[0]
	}
	m := d.Release.Manifest
	if blob, ok := blob(d.Release, m.Icon); ok {
		d.Icon = h.mediaURL(d.Release.Ref, blob)
	}
	for _, s := range m.Screenshots {
		if b, ok := blob(d.Release, s.File); ok {
			n := strconv.Itoa(len(d.Shots) + 1)
			d.Shots = append(d.Shots, shot{h.mediaURL(d.Release.Ref, b), s.Alt, s.Caption, h.url("p", p.ID.Publisher(), p.ID.Name(), "screenshots", n)})
		}
	}
	d.Rules = h.rules(m, d.Standing.Here)
	for _, r := range d.Rules {
		d.Risk = min(d.Risk, r.Risk)
	}
	d.Platforms = strings.Join(m.Platforms, ", ")
	for _, l := range []struct{ key, url string }{{"homepage", m.Homepage}, {"source", m.Source}, {"support", m.Support}} {
		if web(l.url) {
			d.Links = append(d.Links, facet{Name: h.text.T("link." + l.key), URL: l.url})
		}
	}
	for _, r := range p.Releases {
		v := version{Release: r, Notes: h.note(r.Notes), Installed: d.Standing.Here != nil && d.Standing.Version == r.Version}
		if !v.Installed && r.State == catalog.Active {
			if v.Why = h.forbidden(p, r); v.Why == "" && h.expired(p.Source) {
				v.Why = h.text.T("unavailable.expired")
			}
			v.Choose = v.Why == ""
		}
		d.Versions = append(d.Versions, v)
	}
	d.NeededBy = h.dependents(on, p.ID)
	d.SignerHistory = h.signerHistory(p.Publisher)
	for _, n := range m.Dependencies {
		dep := dependency{Dependency: n, Name: string(n.ID), Installed: on.here[n.ID].Version}
		if q, err := h.m.Plugin(n.ID); err == nil { // not listed: shown by its id
			dep.Known = true
			dep.Name, _ = h.words(q.Listing)
		}
		d.Needs = append(d.Needs, dep)
	}
	here := ""
	if d.Standing.Here != nil {
		here = d.Standing.Version
	}
	d.Advisories = h.advisories(p, here)
	d.Signers = h.signers(p.Publisher)
	return d
}

// advisories are those of a plugin in words; here is the version that is installed.
func (h *shop) advisories(p catalog.Plugin, here string) []advisory {
	var out []advisory
	for _, v := range p.Advisories {
		link := ""
		if web(v.URL) {
			link = v.URL
		}
		concerns := here != "" && slices.ContainsFunc(p.Releases, func(r catalog.Release) bool { return r.Version == here && v.Concerns(r) })
		out = append(out, advisory{v, h.note(v.Detail), concerns, v.Active(h.o.Now()), link})
	}
	return out
}

// rules says of each permission of a manifest what the panel makes of it, the
// riskiest first.
func (h *shop) rules(m catalog.Manifest, here *install.Installed) []rule {
	all, _, err := m.Wants()
	if err != nil {
		return nil // a manifest that was read by catalog has only good ones
	}
	given := sandbox.Consent{}
	if here != nil {
		given = here.Consent
	}
	var out []rule
	for _, r := range h.m.Policy().Decide(all, given).Rulings {
		line := rule{Ruling: h.ruling(r)}
		if i := slices.IndexFunc(m.Permissions, func(q catalog.PermissionRequest) bool { return q.Permission() == r.Permission }); i >= 0 {
			line.Reason, line.Optional = oneLine(m.Permissions[i].Reason, 500), m.Permissions[i].Optional
		}
		out = append(out, line)
	}
	slices.SortStableFunc(out, func(a, b rule) int { return int(a.Risk) - int(b.Risk) })
	return out
}

// signers says who may sign in a publisher's name now.
func (h *shop) signers(p catalog.Publisher) []string {
	var out []string
	now := h.o.Now()
	for _, s := range p.Signers {
		if !s.Revoked.IsZero() || !s.Until.IsZero() && now.After(s.Until) || now.Before(s.From) {
			continue
		}
		out = append(out, h.signer(s.ID()))
	}
	return out
}

// web reports whether an address by a publisher may be a link.
func web(url string) bool {
	return strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
}
