package store

import (
	"net/http"
	"net/url"
	"strconv"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/search"
)

const (
	perPage      = 24  // cards of a page of results
	shelfLength  = 4   // cards of "featured" and "recently updated": a row of the widest page
	lookFeatured = 100 // hits among which featured plugins are looked for
	maxOffset    = 100_000
)

type browsePage struct {
	Query      search.Query
	Searching  bool // something was asked for: results only, without the shelves
	Featured   []card
	Recent     []card
	Tips       []card // for who has what is installed
	Cards      []card
	Total      int
	Categories []facet
	Tags       []facet
	Sorts      []facet
	Previous   string // addresses; empty: there is none
	Next       string
	From, To   int
	AnySource  bool
	Clear      string
	Tray       *tray
	Chosen     []facet // filters beside the category, and the address without each
	Ways       []facet // of empty results: where there is something
}

// facet is one choice of a filter.
type facet struct {
	Value, Name, URL string
	N                int
	Current          bool
}

// query reads what is looked for from an address. Bounds are search's own.
func (h *shop) query(v url.Values) search.Query {
	q := search.Query{
		Text: oneLine(v.Get("q"), search.MaxText), Category: v.Get("category"), Tag: v.Get("tag"), Publisher: v.Get("publisher"),
		Language: h.text.Lang(), Limit: perPage,
	}
	switch s := search.Sort(v.Get("sort")); s {
	case search.ByName, search.ByUpdated, search.ByDownloads, search.ByRating:
		q.Sort = s
	}
	return q
}

func (h *shop) browse(w http.ResponseWriter, r *http.Request, a Actor) error {
	q := h.query(r.URL.Query())
	if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil && n > 1 && n <= maxOffset/perPage {
		q.Offset = (n - 1) * perPage
	}
	p := h.panel()
	found := h.m.Search(q)
	b := browsePage{
		Tray:  h.newTray(r.URL.Query(), func(ids []catalog.PluginID) string { return withIDs(h.searchURL(q), "with", ids) }),
		Query: q, Total: found.Total, AnySource: len(h.m.Sources()) > 0, Clear: h.url(),
		Searching: q.Text != "" || q.Category != "" || q.Tag != "" || q.Publisher != "" || q.Sort != "" || q.Offset > 0,
	}
	for _, hit := range found.Hits {
		b.Cards = append(b.Cards, h.card(p, a, hit, "all"))
	}
	b.From, b.To = q.Offset+1, q.Offset+len(b.Cards)
	link := func(change func(*search.Query)) string {
		c := q
		c.Offset = 0
		change(&c)
		return withIDs(h.searchURL(c), "with", b.Tray.IDs)
	}
	b.Categories = append(b.Categories, facet{Name: h.text.T("browse.all"), URL: link(func(c *search.Query) { c.Category = "" }), Current: q.Category == ""})
	for _, n := range found.Categories {
		b.Categories = append(b.Categories, facet{n.Value, h.category(n.Value), link(func(c *search.Query) { c.Category = n.Value }), n.N, q.Category == n.Value})
	}
	for _, s := range []search.Sort{search.ByRelevance, search.ByUpdated, search.ByDownloads, search.ByRating, search.ByName} {
		b.Sorts = append(b.Sorts, facet{Value: string(s), Name: h.text.T("sort." + string(s)), Current: q.Sort == s})
	}
	if q.Offset > 0 {
		b.Previous = link(func(c *search.Query) { c.Offset = max(0, q.Offset-perPage) })
	}
	if b.To < b.Total {
		b.Next = link(func(c *search.Query) { c.Offset = q.Offset + perPage })
	}
	if !b.Searching {
		b.Featured, b.Recent = h.shelves(p, a)
		b.Tips = h.tips(r, p, a)
	}
	b.filters(h, q, found.Tags, link)
	for _, shelf := range [][]card{b.Featured, b.Tips, b.Recent, b.Cards} {
		for i := range shelf {
			shelf[i].Choose = b.Tray.choose(shelf[i].ID)
		}
	}
	title := h.text.T("browse.title")
	if q.Text != "" {
		title = h.text.T("browse.results", q.Text)
	}
	h.show(w, r, a, http.StatusOK, "browse", &page{Title: title, Nav: "browse", Notices: h.shelfNotices(), Content: b})
	return nil
}

// shelves returns the rows of the first page: featured, and recently updated.
func (h *shop) shelves(p panel, a Actor) (featured, recent []card) {
	for _, hit := range h.m.Search(search.Query{Limit: lookFeatured, Language: h.text.Lang()}).Hits {
		if hit.Featured && len(featured) < shelfLength {
			featured = append(featured, h.card(p, a, hit, "featured"))
		}
	}
	for _, hit := range h.m.Search(search.Query{Limit: shelfLength, Sort: search.ByUpdated, Language: h.text.Lang()}).Hits {
		recent = append(recent, h.card(p, a, hit, "recent"))
	}
	return featured, recent
}

// searchURL is the address of a search.
func (h *shop) searchURL(q search.Query) string {
	v := url.Values{}
	for key, value := range map[string]string{"q": q.Text, "category": q.Category, "tag": q.Tag, "publisher": q.Publisher, "sort": string(q.Sort)} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if q.Offset > 0 {
		v.Set("page", strconv.Itoa(q.Offset/perPage+1))
	}
	if len(v) == 0 {
		return h.url()
	}
	return h.url() + "?" + v.Encode()
}

// mediaURL is the address of a blob. It holds the digest, so the answer never changes.
func (h *shop) mediaURL(ref catalog.Ref, d catalog.Descriptor) string {
	return h.url("media", ref.Plugin.Publisher(), ref.Plugin.Name(), ref.Version, d.Title) + "?d=" + d.Digest.Short()
}
