package search

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"github.com/souk-dev/souk/catalog"
)

// Index answers queries over catalogs. It is immutable and safe for concurrent use.
//
// Docs are numbered in the order of relevance without text: by rank, then by name,
// then by id. What a query looks at for every match lies in flat arrays by doc; the
// docs themselves, which are large, are read for the hits of a page only.
type Index struct {
	docs       []*doc
	names      []string // folded
	text       *terms
	languages  map[string]*terms // localized texts, by lower-case language tag
	orders     map[Sort]order
	categories facet
	tags       facet
	publishers facet
	everything Result // of a query without text and filters, without hits
	scratch    *sync.Pool
}

type doc struct {
	listing   catalog.Listing
	source    string
	stats     catalog.Stats
	publisher string // its name; empty when unknown
}

// order is a sort order of all docs, and the place of each doc in it.
type order struct {
	docs  []int32
	place []int32
}

// Build indexes snapshots, which are in the operator's order: a plugin that an
// earlier one lists is not taken from a later one.
func Build(snapshots []*catalog.Snapshot) *Index {
	x := &Index{languages: make(map[string]*terms)}
	x.gather(snapshots)
	text, languages := newBuilder(), make(map[string]*builder)
	text.found = make([]occurrence, 0, usualWords*len(x.docs))
	for i := range x.docs {
		x.add(i, text, languages)
	}
	x.text = text.terms()
	for tag, b := range languages {
		x.languages[tag] = b.terms()
	}
	n := len(x.docs)
	x.categories = newFacet(n, func(i int) []string { return x.docs[i].listing.Categories })
	x.tags = newFacet(n, func(i int) []string { return x.docs[i].listing.Tags })
	x.publishers = newFacet(n, func(i int) []string { return []string{x.docs[i].listing.ID.Publisher()} })
	x.sort()
	x.everything = Result{Total: n, Categories: x.categories.countAll(unlimited), Tags: x.tags.countAll(maxTags)}
	values := max(len(x.categories.values), len(x.tags.values))
	x.scratch = &sync.Pool{New: func() any { return newScratch(n, values) }}
	return x
}

// Len returns the number of plugins in the index.
func (x *Index) Len() int { return len(x.docs) }

// usualWords is how many words a listing has, about.
const usualWords = 20

// gather collects and numbers the docs.
func (x *Index) gather(snapshots []*catalog.Snapshot) {
	type named struct {
		*doc
		name string
	}
	all := []named{}
	seen := make(map[catalog.PluginID]bool)
	for _, s := range snapshots {
		all = slices.Grow(all, s.Len())
		for l := range s.Listings() {
			if !seen[l.ID] {
				seen[l.ID] = true
				p, _ := s.Publisher(l.ID.Publisher())
				all = append(all, named{&doc{l, s.Source(), s.Stats(l.ID), p.Name}, fold(l.Name)})
			}
		}
	}
	slices.SortFunc(all, func(a, b named) int {
		if c := cmp.Compare(b.stats.Rank, a.stats.Rank); c != 0 {
			return c
		}
		if c := cmp.Compare(a.name, b.name); c != 0 {
			return c
		}
		return cmp.Compare(a.listing.ID, b.listing.ID)
	})
	x.docs, x.names = make([]*doc, len(all)), make([]string, len(all))
	for i, n := range all {
		x.docs[i], x.names[i] = n.doc, n.name
	}
}

// add indexes the words of a doc, field by field.
func (x *Index) add(n int, text *builder, languages map[string]*builder) {
	l := &x.docs[n].listing
	text.add(l.Name, n, inName)
	text.add(l.ID.Name(), n, inName)
	for _, list := range [][]string{l.Tags, l.Keywords, l.Categories} {
		for _, w := range list {
			text.add(w, n, inTags)
		}
	}
	text.add(l.Summary, n, inSummary)
	text.add(l.ID.Publisher(), n, inPublisher)
	text.add(x.docs[n].publisher, n, inPublisher)
	for tag, local := range l.Localized {
		tag = strings.ToLower(tag)
		if languages[tag] == nil {
			languages[tag] = newBuilder()
		}
		languages[tag].add(local.Name, n, inName)
		languages[tag].add(local.Summary, n, inSummary)
	}
}

// sort computes all orders. Equal docs stay as they are numbered.
func (x *Index) sort() {
	by := map[Sort]func(a, b int32) int{
		ByName:      func(a, b int32) int { return cmp.Compare(x.names[a], x.names[b]) },
		ByUpdated:   func(a, b int32) int { return x.docs[b].listing.Updated.Compare(x.docs[a].listing.Updated) },
		ByDownloads: func(a, b int32) int { return cmp.Compare(x.docs[b].stats.Downloads, x.docs[a].stats.Downloads) },
		ByRating:    func(a, b int32) int { return cmp.Compare(x.docs[b].stats.Rating, x.docs[a].stats.Rating) },
	}
	numbered := make([]int32, len(x.docs))
	for i := range numbered {
		numbered[i] = int32(i)
	}
	x.orders = map[Sort]order{ByRelevance: {numbered, numbered}}
	for name, first := range by {
		o := order{docs: slices.Clone(numbered), place: make([]int32, len(x.docs))}
		slices.SortFunc(o.docs, func(a, b int32) int { return cmp.Or(first(a, b), int(a-b)) })
		for place, i := range o.docs {
			o.place[i] = int32(place)
		}
		x.orders[name] = o
	}
}
