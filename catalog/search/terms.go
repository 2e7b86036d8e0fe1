package search

import (
	"slices"
	"sort"
	"strings"
)

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

// builder gathers the words of a terms. Docs come in rising order, and the fields of
// a doc too, so that the postings of a word are sorted as they are.
type builder struct {
	number map[string]uint32
	words  []string
	found  []occurrence
}

// occurrence is a word's number in the high half and a posting in the low one.
type occurrence uint64

func newBuilder() *builder { return &builder{number: make(map[string]uint32)} }

func (b *builder) add(text string, d int, f field) {
	for w := range words(fold(text)) {
		n, known := b.number[w]
		if !known {
			n = uint32(len(b.words))
			w = strings.Clone(w)
			b.number[w] = n
			b.words = append(b.words, w)
		}
		b.found = append(b.found, occurrence(n)<<32|occurrence(d)<<fieldBits|occurrence(f))
	}
}

func (b *builder) terms() *terms {
	t := &terms{words: b.words, starts: make([]uint32, len(b.words)+1)}
	slices.Sort(t.words)
	place := make([]uint32, len(t.words)) // by number
	for i, w := range t.words {
		place[b.number[w]] = uint32(i)
	}
	for _, o := range b.found {
		t.starts[place[o>>32]+1]++
	}
	for i := range t.words {
		t.starts[i+1] += t.starts[i]
	}
	t.postings = make([]posting, len(b.found))
	next := slices.Clone(t.starts)
	for _, o := range b.found {
		at := &next[place[o>>32]]
		t.postings[*at] = posting(o)
		*at++
	}
	t.compact()
	return t
}

// compact keeps one posting of each doc in a list: that of the best field.
func (t *terms) compact() {
	n := uint32(0)
	for i := range t.words {
		list := t.postings[t.starts[i]:t.starts[i+1]]
		t.starts[i] = n
		for k, p := range list {
			if k == 0 || p.doc() != list[k-1].doc() {
				t.postings[n] = p
				n++
			}
		}
	}
	t.starts[len(t.words)] = n
	t.postings = t.postings[:n]
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
