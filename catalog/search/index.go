package search

import (
	"cmp"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/souk-dev/souk/catalog"
)

// Index answers queries over catalogs. It is immutable and safe for concurrent use.
type Index struct {
	docs       []doc
	text       *terms
	languages  map[string]*terms // localized texts, by lower-case language tag
	orders     map[Sort]order
	categories values
	tags       values
	publishers map[string]int32
	scratch    *sync.Pool
}

type doc struct {
	listing    catalog.Listing
	source     string
	stats      catalog.Stats
	name       string // folded
	publisher  int32
	categories []int32
	tags       []int32
}

// values numbers the values of a facet.
type values struct {
	names  []string
	number map[string]int32
}

func (v *values) of(list []string) []int32 {
	if len(list) == 0 {
		return nil
	}
	out := make([]int32, 0, len(list))
	for _, s := range list {
		n, known := v.number[s]
		if !known {
			n = int32(len(v.names))
			v.number[s] = n
			v.names = append(v.names, s)
		}
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
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

// prefix returns the postings of all words that begin with w, which lie together.
func (t *terms) prefix(w string) []posting {
	from, _ := slices.BinarySearch(t.words, w)
	n := sort.Search(len(t.words)-from, func(i int) bool { return !strings.HasPrefix(t.words[from+i], w) })
	return t.postings[t.starts[from]:t.starts[from+n]]
}

// Build indexes snapshots, which are in the operator's order: a plugin that an
// earlier one lists is not taken from a later one.
func Build(snapshots []*catalog.Snapshot) *Index {
	x := &Index{
		languages:  make(map[string]*terms),
		categories: values{number: make(map[string]int32)},
		tags:       values{number: make(map[string]int32)},
		publishers: make(map[string]int32),
	}
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
	x.sort()
	n := len(x.docs)
	x.scratch = &sync.Pool{New: func() any { return newScratch(n) }}
	return x
}

// Len returns the number of plugins in the index.
func (x *Index) Len() int { return len(x.docs) }

func (x *Index) add(s *catalog.Snapshot, l catalog.Listing, text *builder, languages map[string]*builder) {
	n := len(x.docs)
	namespace := l.ID.Publisher()
	number, known := x.publishers[namespace]
	if !known {
		number = int32(len(x.publishers))
		x.publishers[namespace] = number
	}
	x.docs = append(x.docs, doc{
		listing: l, source: s.Source(), stats: s.Stats(l.ID), name: fold(l.Name), publisher: number,
		categories: x.categories.of(l.Categories), tags: x.tags.of(l.Tags),
	})
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
	by := map[Sort]func(a, b *doc) int{
		ByRelevance: func(a, b *doc) int { return 0 },
		ByName:      func(a, b *doc) int { return cmp.Compare(a.name, b.name) },
		ByUpdated:   func(a, b *doc) int { return b.listing.Updated.Compare(a.listing.Updated) },
		ByDownloads: func(a, b *doc) int { return cmp.Compare(b.stats.Downloads, a.stats.Downloads) },
		ByRating:    func(a, b *doc) int { return cmp.Compare(b.stats.Rating, a.stats.Rating) },
	}
	x.orders = make(map[Sort]order, len(by))
	for name, first := range by {
		o := order{docs: make([]int32, len(x.docs)), place: make([]int32, len(x.docs))}
		for i := range o.docs {
			o.docs[i] = int32(i)
		}
		slices.SortFunc(o.docs, func(i, j int32) int {
			a, b := &x.docs[i], &x.docs[j]
			if c := first(a, b); c != 0 {
				return c
			}
			if c := cmp.Compare(b.stats.Rank, a.stats.Rank); c != 0 {
				return c
			}
			if c := cmp.Compare(a.name, b.name); c != 0 {
				return c
			}
			return cmp.Compare(a.listing.ID, b.listing.ID)
		})
		for place, i := range o.docs {
			o.place[i] = int32(place)
		}
		x.orders[name] = o
	}
}
