package search

import (
	"math"
	"math/bits"
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

// scratch is the working memory of one query. Between queries all stamps and times
// are zero.
type scratch struct {
	stamp []uint8   // how many of the first words were found
	score []float32 // of these words
	best  []float32 // of the last of them
	found []int32
	next  []int32
	keys  []uint64 // of the best hits so far

	text, inCategory, inTag, hits docset
	times                         []int32 // how often a value of a facet occurs
	values                        []int32 // those that do
	counts                        []uint64
}

func newScratch(n, values int) *scratch {
	return &scratch{
		stamp: make([]uint8, n), score: make([]float32, n), best: make([]float32, n),
		text: newDocset(n), inCategory: newDocset(n), inTag: newDocset(n), hits: newDocset(n),
		times: make([]int32, values),
	}
}

// Search answers a query. Bounds of [Query] are applied, never an error: an unknown
// Sort is ByRelevance, a negative Offset is 0.
func (x *Index) Search(q Query) Result {
	s := x.scratch.Get().(*scratch)
	defer x.scratch.Put(s)
	q = q.bounded()
	q.Offset = min(q.Offset, len(x.docs))
	split := slices.Collect(words(fold(q.Text)))
	if len(split) == 0 && q.Category+q.Tag+q.Publisher == "" {
		r := x.everything
		r.Categories, r.Tags = slices.Clone(r.Categories), slices.Clone(r.Tags)
		return x.page(s, r, x.orders[q.Sort].docs[q.Offset:min(q.Offset+q.Limit, r.Total)])
	}
	if len(split) > 0 {
		s.text.set(x.match(s, split, q.Language))
		defer s.clear()
		x.bonus(s, split)
	} else {
		s.text.fill(len(x.docs))
	}
	r := x.filter(s, q)
	keys := x.rank(s, q, len(split) > 0 && q.Sort == ByRelevance)
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

// bonus prefers plugins that are called what was typed. Their names lie together in
// the order of names.
func (x *Index) bonus(s *scratch, split []string) {
	typed := strings.Join(split, " ")
	all := uint8(min(len(split), maxWords))
	least := weights[inName] * (float32(all-1) + beginning) // all words in the name
	names := x.orders[ByName].docs
	from, _ := slices.BinarySearchFunc(names, typed, func(i int32, typed string) int { return strings.Compare(x.names[i], typed) })
	for _, i := range names[from:] {
		switch name := x.names[i]; {
		case !strings.HasPrefix(name, typed):
			return
		case s.stamp[i] != all || s.score[i] < least:
		case name == typed:
			s.score[i] += bonusSame
		default:
			s.score[i] += bonusBegin
		}
	}
}

// filter applies the filters to s.text, which leaves s.hits, and counts the facets.
func (x *Index) filter(s *scratch, q Query) Result {
	if q.Publisher != "" {
		s.hits.set(x.publishers.filter(q.Publisher))
		s.text.intersect(s.text, s.hits)
	}
	inCategory, inTag := s.text, s.text
	if q.Category != "" {
		inCategory = s.inCategory
		inCategory.set(x.categories.filter(q.Category))
		inCategory.intersect(inCategory, s.text)
	}
	if q.Tag != "" {
		inTag = s.inTag
		inTag.set(x.tags.filter(q.Tag))
		inTag.intersect(inTag, s.text)
	}
	s.hits.intersect(inCategory, inTag)
	return Result{
		Total:      s.hits.count(),
		Categories: x.categories.count(inTag, inTag.count(), unlimited, s),
		Tags:       x.tags.count(inCategory, inCategory.count(), maxTags, s),
	}
}

// rank returns the keys of the best hits, to the end of the page and in order. The low
// half of a key is a place in q.Sort.
func (x *Index) rank(s *scratch, q Query, byScore bool) []uint64 {
	place := x.orders[q.Sort].place
	best := top{keys: s.keys[:0], n: q.Offset + q.Limit}
	for at, w := range s.hits {
		for ; w != 0; w &= w - 1 {
			i := at<<6 + bits.TrailingZeros64(w)
			key := uint64(uint32(place[i]))
			if byScore { // the bits of positive floats are ordered as they are
				key |= uint64(^math.Float32bits(s.score[i])) << 32
			}
			if best.wants(key) {
				best.add(key)
			}
		}
	}
	s.keys = best.sorted()
	return s.keys
}

// page fills in the hits.
func (x *Index) page(s *scratch, r Result, docs []int32) Result {
	r.Hits = make([]Hit, len(docs))
	for n, i := range docs {
		d := x.docs[i]
		r.Hits[n] = Hit{Listing: d.listing, Source: d.source, Stats: d.stats}
		if s.stamp[i] != noneYet {
			r.Hits[n].Score = float64(s.score[i])
		}
	}
	return r
}
