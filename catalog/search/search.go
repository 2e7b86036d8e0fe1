package search

import (
	"math"
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
	tags  []int32  // counts
	keys  []uint64 // of the best hits so far
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
	q.Offset = min(q.Offset, len(x.docs))
	text := fold(q.Text)
	split := words(text)
	r := x.everything
	var keys []uint64
	switch {
	case len(split) > 0:
		all := x.match(s, split, q.Language)
		defer s.clear()
		x.bonus(s, all, split)
		r, keys = x.sift(s, q, all, true)
	case q.Category+q.Tag+q.Publisher != "":
		r, keys = x.sift(s, q, x.orders[q.Sort].docs, false)
	default:
		r.Categories, r.Tags = slices.Clone(r.Categories), slices.Clone(r.Tags)
		return x.page(s, r, x.orders[q.Sort].docs[min(q.Offset, r.Total):min(q.Offset+q.Limit, r.Total)])
	}
	docs := make([]int32, 0, q.Limit)
	for _, k := range keys[min(q.Offset, len(keys)):] {
		docs = append(docs, x.orders[q.Sort].docs[uint32(k)])
	}
	return x.page(s, r, docs)
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
			s.take(t.exact(w), n, whole)
			if last {
				s.take(t.longer(w), n, beginning)
			}
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
func (x *Index) bonus(s *scratch, all []int32, split []string) {
	typed := strings.Join(split, " ")
	least := weights[inName] * (float32(min(len(split), maxWords)-1) + beginning) // all words in the name
	for _, i := range all {
		if s.score[i] < least {
			continue
		}
		switch name := x.names[i]; {
		case name == typed:
			s.score[i] += bonusSame
		case strings.HasPrefix(name, typed):
			s.score[i] += bonusBegin
		}
	}
}

// sift filters docs, counts their facets, and returns the keys of the best of them,
// to the end of the page and in order. The low half of a key is a place in q.Sort.
func (x *Index) sift(s *scratch, q Query, all []int32, scored bool) (Result, []uint64) {
	category, tag, publisher := x.categories.filter(q.Category), x.tags.filter(q.Tag), x.publishers.filter(q.Publisher)
	place := x.orders[q.Sort].place
	byScore := scored && q.Sort == ByRelevance
	categories := make([]int32, len(x.categories.values))
	s.tags = append(s.tags[:0], make([]int32, len(x.tags.values))...)
	best := top{keys: s.keys[:0], n: q.Offset + q.Limit}
	total := 0
	for _, i := range all {
		if !x.publishers.allows(i, publisher) {
			continue
		}
		inCategory, inTag := x.categories.allows(i, category), x.tags.allows(i, tag)
		if inTag {
			for _, c := range x.categories.of(i) {
				categories[c]++
			}
		}
		if inCategory {
			for _, t := range x.tags.of(i) {
				s.tags[t]++
			}
		}
		if inCategory && inTag {
			total++
			key := uint64(uint32(place[i]))
			if byScore { // the bits of positive floats are ordered as they are
				key |= uint64(^math.Float32bits(s.score[i])) << 32
			}
			best.add(key)
		}
	}
	s.keys = best.sorted()
	return Result{Total: total, Categories: x.categories.counts(categories, unlimited), Tags: x.tags.counts(s.tags, maxTags)}, s.keys
}

// page fills in the hits.
func (x *Index) page(s *scratch, r Result, docs []int32) Result {
	r.Hits = make([]Hit, len(docs))
	for n, i := range docs {
		d := &x.docs[i]
		r.Hits[n] = Hit{Listing: d.listing, Source: d.source, Stats: d.stats}
		if s.stamp[i] != noneYet {
			r.Hits[n].Score = float64(s.score[i])
		}
	}
	return r
}

// counts returns the values that occur, most first, at most so many.
func (f *facet) counts(n []int32, most int) []Count {
	best := top{n: most}
	for i, c := range n {
		if c > 0 {
			best.add(uint64(^uint32(c))<<32 | uint64(uint32(i)))
		}
	}
	out := []Count{}
	for _, k := range best.sorted() {
		i := uint32(k)
		out = append(out, Count{f.values[i], int(n[i])})
	}
	return out
}

// countAll counts the values of all docs.
func (f *facet) countAll(most int) []Count {
	n := make([]int32, len(f.values))
	for _, v := range f.flat {
		n[v]++
	}
	return f.counts(n, most)
}
