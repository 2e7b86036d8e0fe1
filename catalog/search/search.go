package search

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Weights of how a word was found, and bonuses for the whole text.
const (
	whole     float32 = 1
	beginning float32 = 0.6
	mistaken  float32 = 0.3

	bonusSame  float32 = 16 // the name is what was typed
	bonusBegin float32 = 4  // the name begins with it
)

const (
	maxWords  = 16 // of a query; more are ignored
	maxTags   = 50 // of a Result
	minTypo   = 4  // letters of a word that may have a mistake
	noneYet   = 0  // stamp of a doc that no word was found in
	unlimited = int(^uint(0) >> 1)
)

// scratch is the working memory of one query. Between queries all stamps are zero.
type scratch struct {
	stamp []uint8   // how many of the first words were found
	score []float32 // of these words
	best  []float32 // of the last of them
	found []int32
	next  []int32
	count []int32 // of facets
}

func newScratch(n int) *scratch {
	return &scratch{stamp: make([]uint8, n), score: make([]float32, n), best: make([]float32, n)}
}

// Search answers a query. Bounds of [Query] are applied, never an error: an unknown
// Sort is ByRelevance, a negative Offset is 0.
func (x *Index) Search(q Query) Result {
	s := x.scratch.Get().(*scratch)
	defer x.scratch.Put(s)
	q = q.bounded()
	text := fold(q.Text)
	split := words(text)
	all := x.orders[ByRelevance].docs
	if len(split) > 0 {
		all = x.match(s, split, q.Language)
		defer s.clear()
		x.bonus(s, all, strings.Join(split, " "))
	}
	return x.page(s, q, all, len(split) > 0)
}

func (q Query) bounded() Query {
	if len(q.Text) > MaxText {
		q.Text = strings.ToValidUTF8(q.Text[:MaxText], "")
	}
	q.Offset = max(q.Offset, 0)
	if q.Limit <= 0 {
		q.Limit = DefaultLimit
	}
	q.Limit = min(q.Limit, MaxLimit)
	switch q.Sort {
	case ByName, ByUpdated, ByDownloads, ByRating:
	default:
		q.Sort = ByRelevance
	}
	return q
}

func (s *scratch) clear() {
	for _, i := range s.found {
		s.stamp[i] = noneYet
	}
	s.found = s.found[:0]
}

// match returns the docs in which all words are found, with their scores in s. All
// docs that it touched are in s.found.
func (x *Index) match(s *scratch, split []string, language string) []int32 {
	split = split[:min(len(split), maxWords)]
	indexes := append([]*terms{x.text}, x.local(language)...)
	s.found = s.found[:0]
	for n, w := range split {
		last := n == len(split)-1
		s.next = s.next[:0]
		for _, t := range indexes {
			if last {
				s.take(t.prefix(w), n, beginning)
			}
			s.take(t.exact(w), n, whole)
		}
		if len(s.next) == 0 && utf8.RuneCountInString(w) >= minTypo {
			for _, t := range indexes {
				s.mistakes(t, w, n)
			}
		}
		if n == 0 {
			s.found = append(s.found, s.next...)
		}
		if len(s.next) == 0 {
			break
		}
	}
	return s.next
}

// local returns the indexes of a language: of "de-AT" and of "de".
func (x *Index) local(language string) []*terms {
	var out []*terms
	language = strings.ToLower(language)
	if t := x.languages[language]; t != nil {
		out = append(out, t)
	}
	if base, _, regional := strings.Cut(language, "-"); regional && x.languages[base] != nil {
		out = append(out, x.languages[base])
	}
	return out
}

// take counts a word, the n-th of the query, for the docs in which all words
// before it were found. Of several fields and ways the best one counts.
func (s *scratch) take(list []posting, n int, way float32) {
	before, now := uint8(n), uint8(n+1)
	for _, p := range list {
		i, w := p.doc(), p.weight()*way
		switch s.stamp[i] {
		case before:
			s.stamp[i], s.best[i] = now, w
			if n == 0 {
				s.score[i] = 0
			}
			s.score[i] += w
			s.next = append(s.next, i)
		case now:
			if w > s.best[i] {
				s.score[i] += w - s.best[i]
				s.best[i] = w
			}
		}
	}
}

func (s *scratch) mistakes(t *terms, w string, n int) {
	first, size := utf8.DecodeRuneInString(w)
	from, _ := slices.BinarySearch(t.words, w[:size])
	for i := from; i < len(t.words) && strings.HasPrefix(t.words[i], string(first)); i++ {
		if near(w, t.words[i]) {
			s.take(t.postings[t.starts[i]:t.starts[i+1]], n, mistaken)
		}
	}
}

// bonus prefers plugins that are called what was typed.
func (x *Index) bonus(s *scratch, all []int32, typed string) {
	for _, i := range all {
		if s.score[i] < weights[inName]*beginning {
			continue // no word in the name
		}
		switch name := x.docs[i].name; {
		case name == typed:
			s.score[i] += bonusSame
		case strings.HasPrefix(name, typed):
			s.score[i] += bonusBegin
		}
	}
}

// page filters, counts, orders and cuts.
func (x *Index) page(s *scratch, q Query, all []int32, scored bool) Result {
	category, tag, publisher := number(x.categories.number, q.Category), number(x.tags.number, q.Tag), number(x.publishers, q.Publisher)
	categories := make([]int32, len(x.categories.names))
	s.count = append(s.count[:0], make([]int32, len(x.tags.names))...)
	hits := make([]int32, 0, min(len(all), 4096))
	for _, i := range all {
		d := &x.docs[i]
		if publisher != every && d.publisher != publisher {
			continue
		}
		inCategory := category == every || slices.Contains(d.categories, category)
		inTag := tag == every || slices.Contains(d.tags, tag)
		if inTag {
			for _, c := range d.categories {
				categories[c]++
			}
		}
		if inCategory {
			for _, t := range d.tags {
				s.count[t]++
			}
		}
		if inCategory && inTag {
			hits = append(hits, i)
		}
	}
	r := Result{
		Total:      len(hits),
		Categories: counts(x.categories.names, categories, unlimited),
		Tags:       counts(x.tags.names, s.count, maxTags),
		Hits:       []Hit{},
	}
	for _, i := range x.best(s, q, hits, scored) {
		d := &x.docs[i]
		h := Hit{Listing: d.listing, Source: d.source, Stats: d.stats}
		if scored {
			h.Score = float64(s.score[i])
		}
		r.Hits = append(r.Hits, h)
	}
	return r
}

const every int32 = -1 // no filter

// number returns the number of a value, every for the empty one, and one that nothing
// has for one that is not known.
func number(numbers map[string]int32, value string) int32 {
	if value == "" {
		return every
	}
	if n, ok := numbers[value]; ok {
		return n
	}
	return every - 1
}

// best returns the docs of the page, in order.
func (x *Index) best(s *scratch, q Query, hits []int32, scored bool) []int32 {
	if q.Offset >= len(hits) {
		return nil
	}
	place := x.orders[q.Sort].place
	less := func(a, b int32) int { return cmp.Compare(place[a], place[b]) }
	if q.Sort == ByRelevance && scored {
		less = func(a, b int32) int {
			if s.score[a] != s.score[b] {
				return cmp.Compare(s.score[b], s.score[a])
			}
			return cmp.Compare(place[a], place[b])
		}
	}
	end := min(q.Offset+q.Limit, len(hits))
	first := top(hits, end, less)
	return first[q.Offset:]
}

// top returns the first n of list in order. It keeps the n best so far in a heap
// whose root is the worst of them, so that a page costs little of a long list.
func top(list []int32, n int, less func(a, b int32) int) []int32 {
	heap := slices.Clone(list[:n])
	sink := func(i int) {
		for {
			worst := i
			for _, child := range [2]int{2*i + 1, 2*i + 2} {
				if child < n && less(heap[child], heap[worst]) > 0 {
					worst = child
				}
			}
			if worst == i {
				return
			}
			heap[i], heap[worst] = heap[worst], heap[i]
			i = worst
		}
	}
	for i := n/2 - 1; i >= 0; i-- {
		sink(i)
	}
	for _, v := range list[n:] {
		if less(v, heap[0]) < 0 {
			heap[0] = v
			sink(0)
		}
	}
	slices.SortFunc(heap, less)
	return heap
}

// counts returns the values that occur, most first, at most so many.
func counts(names []string, n []int32, most int) []Count {
	out := []Count{}
	for i, c := range n {
		if c > 0 {
			out = append(out, Count{names[i], int(c)})
		}
	}
	slices.SortFunc(out, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Value, b.Value)) })
	return out[:min(len(out), most)]
}
