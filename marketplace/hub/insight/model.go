package insight

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"unicode"
)

// Numbers of the model.
const (
	MinTogether  = 5    // panels that have both, before that says anything
	shrink       = 10.0 // panels that stand against a chance meeting of few
	maxNeighbors = 50   // kept for each plugin
	minAlike     = 0.1  // cosine below which texts have nothing in common
	maxTerms     = 64   // of a plugin
)

// document is what a plugin says of itself.
type document struct {
	id, name, summary string
	tags, categories  []string
	rev               int64 // of the plugin, to see that it changed
}

// pair is how many panels have both plugins; a panel's day counts one.
type pair struct {
	a, b string
	n    float64
}

// model answers what goes with what. It is immutable once made, and pure.
type model struct {
	docs     []document
	index    map[string]int       // of a plugin in docs
	together map[string][]weighed // neighbours, best first
	vectors  [][]weight           // of docs: terms with weights, of length one
	postings [][]weight           // of terms: docs with weights
}

type weighed struct {
	id  string
	sim float64
}

type weight struct {
	i int
	w float64
}

// newModel computes a model. active is how many panels have each plugin, in the same
// measure as pairs; docs are what may be recommended.
func newModel(docs []document, active map[string]float64, pairs []pair) *model {
	m := &model{docs: docs, index: make(map[string]int, len(docs)), together: map[string][]weighed{}}
	for i, d := range docs {
		m.index[d.id] = i
	}
	for _, p := range pairs {
		sim := cosine(p.n, active[p.a], active[p.b])
		if sim == 0 || p.a == p.b {
			continue
		}
		m.together[p.a] = append(m.together[p.a], weighed{p.b, sim})
		m.together[p.b] = append(m.together[p.b], weighed{p.a, sim})
	}
	for id, list := range m.together {
		slices.SortFunc(list, func(x, y weighed) int { return cmp.Or(cmp.Compare(y.sim, x.sim), cmp.Compare(x.id, y.id)) })
		m.together[id] = slices.Clone(list[:min(len(list), maxNeighbors)])
	}
	m.read()
	return m
}

// cosine is the cosine of the sets of panels that have a and b, shrunk towards nothing
// where both are had by few; 0 below [MinTogether].
func cosine(both, a, b float64) float64 {
	if both < MinTogether || a <= 0 || b <= 0 {
		return 0
	}
	return min(both/math.Sqrt(a*b), 1) * both / (both + shrink)
}

// read makes the vectors of the documents: tf-idf of the terms of a name (three times),
// tags (three), categories (two) and the summary.
func (m *model) read() {
	terms := map[string]int{}
	counts := make([]map[int]float64, len(m.docs))
	var df []float64
	for i, d := range m.docs {
		counts[i] = map[int]float64{}
		add := func(text string, times float64) {
			for _, word := range words(text) {
				t, ok := terms[word]
				if !ok {
					if len(counts[i]) >= maxTerms {
						continue
					}
					t = len(terms)
					terms[word] = t
					df = append(df, 0)
				}
				if counts[i][t] == 0 {
					if len(counts[i]) >= maxTerms {
						continue
					}
					df[t]++
				}
				counts[i][t] += times
			}
		}
		add(d.name, 3)
		for _, t := range d.tags {
			add(t, 3)
		}
		for _, c := range d.categories {
			add(c, 2)
		}
		add(d.summary, 1)
	}
	common, many := float64(len(m.docs))/5, len(m.docs) >= 50
	m.vectors, m.postings = make([][]weight, len(m.docs)), make([][]weight, len(df))
	for i, c := range counts {
		length := 0.0
		var v []weight
		for t, n := range c {
			if df[t] < 2 || many && df[t] > common { // nobody shares it, or everybody
				continue
			}
			w := (1 + math.Log(n)) * math.Log(1+float64(len(m.docs))/df[t])
			v = append(v, weight{t, w})
			length += w * w
		}
		slices.SortFunc(v, func(a, b weight) int { return cmp.Compare(a.i, b.i) })
		for k := range v {
			v[k].w /= math.Sqrt(length)
			m.postings[v[k].i] = append(m.postings[v[k].i], weight{i, v[k].w})
		}
		m.vectors[i] = v
	}
}

// words returns the terms of a text: runs of letters and digits in lower case, of at
// least three characters, or two where they are no ASCII letters.
func words(text string) []string {
	out := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
	return slices.DeleteFunc(out, func(w string) bool { return len(w) < 3 || len(w) > 60 || stop(w) })
}

// stop reports whether a word says nothing about a plugin.
func stop(w string) bool {
	switch w {
	case "and", "the", "for", "with", "your", "from", "that", "this", "you", "all", "are", "can", "its", "into", "plugin", "plugins", "panel":
		return true
	}
	return false
}

// suggestion is a plugin and why.
type suggestion struct {
	id, because string
	how         How
	score       float64
}

// suggest returns at most n plugins for who has have, best first: those that are
// installed together before those that are alike. A plugin that several of have speak
// for scores as if each convinced somebody on its own; because is the strongest.
func (m *model) suggest(have []string, n int) []suggestion {
	owned := map[string]bool{}
	for _, h := range have {
		owned[h] = true
	}
	pick := func(how How, each func(h string, vote func(id string, sim float64)), taken map[string]bool) []suggestion {
		best := map[string]*suggestion{}
		strongest := map[string]float64{}
		for _, h := range have {
			each(h, func(id string, sim float64) {
				if _, known := m.index[id]; !known || owned[id] || taken[id] {
					return
				}
				s := best[id]
				if s == nil {
					s = &suggestion{id: id, how: how}
					best[id] = s
				}
				s.score = 1 - (1-s.score)*(1-min(sim, 1))
				if sim > strongest[id] {
					strongest[id], s.because = sim, h
				}
			})
		}
		out := make([]suggestion, 0, len(best))
		for _, s := range best {
			out = append(out, *s)
		}
		slices.SortFunc(out, func(a, b suggestion) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(a.id, b.id)) })
		return out[:min(len(out), n)]
	}
	out := pick(Together, func(h string, vote func(string, float64)) {
		for _, w := range m.together[h] {
			vote(w.id, w.sim)
		}
	}, nil)
	if len(out) >= n {
		return out
	}
	taken := map[string]bool{}
	for _, s := range out {
		taken[s.id] = true
	}
	more := pick(Alike, m.alike, taken)
	return append(out, more[:min(len(more), n-len(out))]...)
}

// alike votes for the documents whose texts are like h's.
func (m *model) alike(h string, vote func(id string, sim float64)) {
	i, known := m.index[h]
	if !known {
		return
	}
	sims := map[int]float64{}
	for _, t := range m.vectors[i] {
		for _, d := range m.postings[t.i] {
			sims[d.i] += t.w * d.w
		}
	}
	for d, sim := range sims {
		if sim >= minAlike {
			vote(m.docs[d].id, sim)
		}
	}
}
