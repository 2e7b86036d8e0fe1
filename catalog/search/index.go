package search

import (
	"cmp"
	"maps"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/souk-dev/souk/catalog"
)

// Index answers queries over catalogs. It is immutable and safe for concurrent use.
//
// What a query looks at for every match lies in flat arrays by doc; the docs
// themselves, which are large, are read for the hits of a page only.
type Index struct {
	docs       []doc
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
	listing catalog.Listing
	source  string
	stats   catalog.Stats
}

// facet has the values of each doc. Values are numbered in their order.
type facet struct {
	values []string
	starts []uint32 // where the values of a doc begin; one more at the end
	flat   []int32
}

// newFacet numbers the values that of returns for each of n docs.
func newFacet(n int, of func(i int) []string) facet {
	f := facet{starts: make([]uint32, 0, n+1)}
	number := make(map[string]int32)
	for i := range n {
		for _, v := range of(i) {
			number[v] = 0
		}
	}
	f.values = slices.Sorted(maps.Keys(number))
	for i, v := range f.values {
		number[v] = int32(i)
	}
	for i := range n {
		start := len(f.flat)
		f.starts = append(f.starts, uint32(start))
		for _, v := range of(i) {
			if !slices.Contains(f.flat[start:], number[v]) {
				f.flat = append(f.flat, number[v])
			}
		}
	}
	f.starts = append(f.starts, uint32(len(f.flat)))
	return f
}

func (f *facet) of(i int32) []int32 { return f.flat[f.starts[i]:f.starts[i+1]] }

// The filters that are no value.
const (
	everyValue int32 = -1 // no filter
	noValue    int32 = -2 // a value that nothing has
)

// filter returns the number of a value to look for.
func (f *facet) filter(value string) int32 {
	if value == "" {
		return everyValue
	}
	if i, ok := slices.BinarySearch(f.values, value); ok {
		return int32(i)
	}
	return noValue
}

func (f *facet) allows(i, filter int32) bool {
	return filter == everyValue || slices.Contains(f.of(i), filter)
}

// order is a sort order of all docs, and the place of each doc in it.
type order struct {
	docs  []int32
	place []int32
}

// field is where a word occurs, in falling order of weight.
type field uint32

const (
	inName field = iota
	inTags
	inSummary
	inPublisher
	fieldBits = 2
)

var weights = [...]float32{inName: 8, inTags: 4, inSummary: 2, inPublisher: 1}

// posting is a doc in the high bits and a field in the low ones.
type posting uint32

func (p posting) doc() int32      { return int32(p >> fieldBits) }
func (p posting) weight() float32 { return weights[p&(1<<fieldBits-1)] }

// terms is an inverted index: sorted words, and the postings of each.
type terms struct {
	words    []string
	starts   []uint32 // of the postings of words[i]; one more at the end
	postings []posting
}

// builder gathers the words of a terms.
type builder struct {
	number map[string]int32
	lists  [][]posting
}

func newBuilder() *builder { return &builder{number: make(map[string]int32)} }

func (b *builder) add(text string, d int, f field) {
	for _, w := range words(fold(text)) {
		n, known := b.number[w]
		if !known {
			n = int32(len(b.lists))
			b.number[strings.Clone(w)] = n
			b.lists = append(b.lists, nil)
		}
		b.lists[n] = append(b.lists[n], posting(d)<<fieldBits|posting(f))
	}
}

func (b *builder) terms() *terms {
	t := &terms{words: make([]string, 0, len(b.number)), starts: make([]uint32, 0, len(b.number)+1)}
	for w := range b.number {
		t.words = append(t.words, w)
	}
	slices.Sort(t.words)
	for _, w := range t.words {
		t.starts = append(t.starts, uint32(len(t.postings)))
		list := b.lists[b.number[w]]
		slices.Sort(list)
		list = slices.CompactFunc(list, func(a, b posting) bool { return a.doc() == b.doc() }) // keep the best field
		t.postings = append(t.postings, list...)
	}
	t.starts = append(t.starts, uint32(len(t.postings)))
	return t
}

// exact returns the postings of a word.
func (t *terms) exact(w string) []posting {
	i, ok := slices.BinarySearch(t.words, w)
	if !ok {
		return nil
	}
	return t.postings[t.starts[i]:t.starts[i+1]]
}

// longer returns the postings of all longer words that begin with w, which lie together.
func (t *terms) longer(w string) []posting {
	from, exact := slices.BinarySearch(t.words, w)
	if exact {
		from++
	}
	n := sort.Search(len(t.words)-from, func(i int) bool { return !strings.HasPrefix(t.words[from+i], w) })
	return t.postings[t.starts[from]:t.starts[from+n]]
}

// Build indexes snapshots, which are in the operator's order: a plugin that an
// earlier one lists is not taken from a later one.
func Build(snapshots []*catalog.Snapshot) *Index {
	x := &Index{languages: make(map[string]*terms)}
	seen := make(map[catalog.PluginID]bool)
	text, languages := newBuilder(), make(map[string]*builder)
	for _, s := range snapshots {
		for l := range s.Listings() {
			if !seen[l.ID] {
				seen[l.ID] = true
				x.add(s, l, text, languages)
			}
		}
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
	x.scratch = &sync.Pool{New: func() any { return newScratch(n) }}
	return x
}

// Len returns the number of plugins in the index.
func (x *Index) Len() int { return len(x.docs) }

func (x *Index) add(s *catalog.Snapshot, l catalog.Listing, text *builder, languages map[string]*builder) {
	n := len(x.docs)
	namespace := l.ID.Publisher()
	x.docs = append(x.docs, doc{listing: l, source: s.Source(), stats: s.Stats(l.ID)})
	x.names = append(x.names, fold(l.Name))
	text.add(l.Name, n, inName)
	text.add(l.ID.Name(), n, inName)
	for _, list := range [][]string{l.Tags, l.Keywords, l.Categories} {
		for _, w := range list {
			text.add(w, n, inTags)
		}
	}
	text.add(l.Summary, n, inSummary)
	text.add(namespace, n, inPublisher)
	if p, ok := s.Publisher(namespace); ok {
		text.add(p.Name, n, inPublisher)
	}
	for tag, local := range l.Localized {
		tag = strings.ToLower(tag)
		if languages[tag] == nil {
			languages[tag] = newBuilder()
		}
		languages[tag].add(local.Name, n, inName)
		languages[tag].add(local.Summary, n, inSummary)
	}
}

// sort computes all orders. Equal ones are ordered by rank, then by name, then by id.
func (x *Index) sort() {
	by := map[Sort]func(i, j int32) int{
		ByRelevance: func(i, j int32) int { return 0 },
		ByName:      func(i, j int32) int { return cmp.Compare(x.names[i], x.names[j]) },
		ByUpdated:   func(i, j int32) int { return x.docs[j].listing.Updated.Compare(x.docs[i].listing.Updated) },
		ByDownloads: func(i, j int32) int { return cmp.Compare(x.docs[j].stats.Downloads, x.docs[i].stats.Downloads) },
		ByRating:    func(i, j int32) int { return cmp.Compare(x.docs[j].stats.Rating, x.docs[i].stats.Rating) },
	}
	x.orders = make(map[Sort]order, len(by))
	for name, first := range by {
		o := order{docs: make([]int32, len(x.docs)), place: make([]int32, len(x.docs))}
		for i := range o.docs {
			o.docs[i] = int32(i)
		}
		slices.SortFunc(o.docs, func(i, j int32) int {
			if c := first(i, j); c != 0 {
				return c
			}
			if c := cmp.Compare(x.docs[j].stats.Rank, x.docs[i].stats.Rank); c != 0 {
				return c
			}
			if c := cmp.Compare(x.names[i], x.names[j]); c != 0 {
				return c
			}
			return cmp.Compare(x.docs[i].listing.ID, x.docs[j].listing.ID)
		})
		for place, i := range o.docs {
			o.place[i] = int32(place)
		}
		x.orders[name] = o
	}
}
