package store

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/search"
)

// maxOfPublisher is the most plugins of a publisher that are read for their advisories and
// dates; the page says when there are more.
const maxOfPublisher = 500

// publisherFacts are what the catalogs held here say of a publisher. A name in another
// source is another publisher: each has a record of its own.
type publisherFacts struct {
	Namespace  string
	Owners     []owner
	Plugins    []catalog.Plugin // at most maxOfPublisher
	Total      int
	Since      time.Time // first release that is still listed; zero: none
	Advisories []advisory
}

type owner struct {
	Source, Name, Homepage string
	Signers                []signerView
	Valid                  int // signers that may sign now
}

// signerView is somebody who may sign, or might once.
type signerView struct {
	Name  string
	State string // "valid", "early", "ended", "revoked"
	Kind  string
	Icon  string
	From  time.Time // zero: since ever
	Until time.Time // end, or revocation; zero: open
}

type publisherPage struct {
	publisherFacts
	Name     string
	Cards    []card
	From, To int
	Previous string
	Next     string
	Tray     *tray
	Partial  bool // not all plugins were read for what stands beside the cards
}

// publisherOf reads what is known of a namespace, or catalog.ErrNotFound. It needs no I/O.
func (h *shop) publisherOf(name string) (publisherFacts, error) {
	f := publisherFacts{Namespace: name}
	if _, err := catalog.ParsePluginID(name + "/any"); err != nil {
		return f, fmt.Errorf("publisher: %w: %w", catalog.ErrNotFound, err)
	}
	for len(f.Plugins) < maxOfPublisher {
		found := h.m.Search(search.Query{Publisher: name, Limit: search.MaxLimit, Offset: len(f.Plugins), Language: h.text.Lang()})
		f.Total = found.Total
		for _, hit := range found.Hits {
			p, err := h.m.Plugin(hit.ID)
			if err != nil { // gone since the search
				p = catalog.Plugin{Listing: hit.Listing, Source: hit.Source, Stats: hit.Stats}
			}
			f.Plugins = append(f.Plugins, p)
		}
		if len(found.Hits) == 0 || len(f.Plugins) >= found.Total {
			break
		}
	}
	if len(f.Plugins) == 0 {
		return f, fmt.Errorf("publisher %s: %w", name, catalog.ErrNotFound)
	}
	for _, p := range f.Plugins {
		if p.Publisher.Namespace == name && !slices.ContainsFunc(f.Owners, func(o owner) bool { return o.Source == p.Source }) {
			f.Owners = append(f.Owners, h.owner(p))
		}
		for _, r := range p.Releases {
			if !r.Published.IsZero() && (f.Since.IsZero() || r.Published.Before(f.Since)) {
				f.Since = r.Published
			}
		}
		for _, a := range h.advisories(p, h.installedVersion(p)) {
			if !slices.ContainsFunc(f.Advisories, func(o advisory) bool { return o.ID == a.ID }) {
				f.Advisories = append(f.Advisories, a)
			}
		}
	}
	slices.SortStableFunc(f.Advisories, func(a, b advisory) int { return b.Issued.Compare(a.Issued) })
	return f, nil
}

func (h *shop) owner(p catalog.Plugin) owner {
	o := owner{Source: p.Source, Name: oneLine(p.Publisher.Name, catalog.MaxPluginName)}
	if web(p.Publisher.Homepage) {
		o.Homepage = p.Publisher.Homepage
	}
	o.Signers = h.signerHistory(p.Publisher)
	for _, s := range o.Signers {
		if s.State == "valid" {
			o.Valid++
		}
	}
	return o
}

// signerHistory is who may sign in a publisher's name, and who might once, those of now
// first.
func (h *shop) signerHistory(p catalog.Publisher) []signerView {
	var out []signerView
	now := h.o.Now()
	for _, s := range p.Signers[:min(len(p.Signers), catalog.MaxSigners)] {
		v := signerView{Name: h.signer(s.ID()), State: "valid", Kind: "ok", Icon: "shield-check", From: s.From, Until: s.Until}
		switch {
		case !s.Revoked.IsZero():
			v.State, v.Kind, v.Icon, v.Until = "revoked", "danger", "ban", s.Revoked
		case !s.Until.IsZero() && now.After(s.Until):
			v.State, v.Kind, v.Icon = "ended", "", "clock"
		case now.Before(s.From):
			v.State, v.Kind, v.Icon = "early", "", "clock"
		}
		out = append(out, v)
	}
	order := []string{"valid", "early", "ended", "revoked"}
	slices.SortStableFunc(out, func(a, b signerView) int {
		return cmp.Or(slices.Index(order, a.State)-slices.Index(order, b.State), b.From.Compare(a.From))
	})
	return out
}

func (h *shop) installedVersion(p catalog.Plugin) string {
	for _, i := range h.m.Installed() {
		if i.Plugin == p.ID {
			return i.Version
		}
	}
	return ""
}

func (h *shop) publisher(w http.ResponseWriter, r *http.Request, a Actor) error {
	f, err := h.publisherOf(r.PathValue("publisher"))
	if err != nil {
		return err
	}
	c := publisherPage{publisherFacts: f, Name: f.Namespace, Partial: f.Total > len(f.Plugins)}
	if len(f.Owners) > 0 {
		c.Name = cmp.Or(f.Owners[0].Name, f.Namespace)
	}
	v, self := r.URL.Query(), h.url("publishers", f.Namespace)
	n, err := strconv.Atoi(v.Get("page"))
	if err != nil || n < 1 || n > maxOffset/perPage {
		n = 1
	}
	at := func(n int, ids []catalog.PluginID) string {
		to := self
		if n > 1 {
			to += "?" + url.Values{"page": {strconv.Itoa(n)}}.Encode()
		}
		return withIDs(to, "with", ids)
	}
	c.Tray = h.newTray(v, func(ids []catalog.PluginID) string { return at(n, ids) })
	on := h.panel()
	offset := (n - 1) * perPage
	for _, hit := range h.m.Search(search.Query{Publisher: f.Namespace, Limit: perPage, Offset: offset, Language: h.text.Lang()}).Hits {
		k := h.card(on, a, hit, "all")
		k.Choose = c.Tray.choose(hit.ID)
		c.Cards = append(c.Cards, k)
	}
	c.From, c.To = offset+1, offset+len(c.Cards)
	if n > 1 {
		c.Previous = at(n-1, c.Tray.IDs)
	}
	if c.To < f.Total && len(c.Cards) > 0 {
		c.Next = at(n+1, c.Tray.IDs)
	}
	h.show(w, r, a, http.StatusOK, "publisher", &page{Title: c.Name, Nav: "browse", Notices: h.shelfNotices(), Content: c, Refresh: on.running()})
	return nil
}

type publisherJSON struct {
	Publisher  string             `json:"publisher"`
	Records    []recordJSON       `json:"records"` // one a source that knows it
	Since      time.Time          `json:"since,omitzero"`
	Total      int                `json:"total"`
	Plugins    []pluginJSON       `json:"plugins"` // at most maxOfPublisher
	Advisories []catalog.Advisory `json:"advisories"`
}

type recordJSON struct {
	Source   string       `json:"source"`
	Name     string       `json:"name"`
	Homepage string       `json:"homepage,omitempty"`
	Signers  []signerJSON `json:"signers"`
}

type signerJSON struct {
	Name  string    `json:"name"`
	State string    `json:"state"`
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

func (h *shop) apiPublisher(w http.ResponseWriter, r *http.Request, a Actor) error {
	f, err := h.publisherOf(r.PathValue("publisher"))
	if err != nil {
		return err
	}
	out := publisherJSON{Publisher: f.Namespace, Records: []recordJSON{}, Since: f.Since, Total: f.Total, Plugins: []pluginJSON{}, Advisories: []catalog.Advisory{}}
	for _, o := range f.Owners {
		rec := recordJSON{Source: o.Source, Name: o.Name, Homepage: o.Homepage, Signers: []signerJSON{}}
		for _, s := range o.Signers {
			rec.Signers = append(rec.Signers, signerJSON{s.Name, s.State, s.From, s.Until})
		}
		out.Records = append(out.Records, rec)
	}
	on := h.panel()
	for _, p := range f.Plugins {
		out.Plugins = append(out.Plugins, h.pluginJSON(on, a, p.Listing, p.Source, p.Stats))
	}
	for _, v := range f.Advisories {
		out.Advisories = append(out.Advisories, v.Advisory)
	}
	h.writeJSON(w, http.StatusOK, out)
	return nil
}
