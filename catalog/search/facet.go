package search

import (
	"cmp"
	"math/bits"
	"slices"
)

// facet has the values of each doc, and the docs of each value. Values are numbered in
// their order.
type facet struct {
	values []string
	starts []uint32 // where the values of a doc begin; one more at the end
	flat   []int32

	from   []uint32 // where the docs of a value begin; one more at the end
	docs   []int32
	dense  []docset // the same for values that many docs have; nil for the others
	common []int32  // values, those that most docs have first
}

// manyDocs says which share of all docs is worth a pass over a bit for each of them.
const manyDocs = 1.0 / 16

// newFacet numbers the values that of returns for each of n docs.
func newFacet(n int, of func(i int) []string) facet {
	f := facet{starts: make([]uint32, 0, n+1)}
	first := make(map[string]int32) // numbered as they come
	for i := range n {
		start := len(f.flat)
		f.starts = append(f.starts, uint32(start))
		for _, v := range of(i) {
			number, known := first[v]
			if !known {
				number = int32(len(f.values))
				first[v] = number
				f.values = append(f.values, v)
			}
			if !slices.Contains(f.flat[start:], number) {
				f.flat = append(f.flat, number)
			}
		}
	}
	f.starts = append(f.starts, uint32(len(f.flat)))
	slices.Sort(f.values)
	final := make([]int32, len(f.values))
	for i, v := range f.values {
		final[first[v]] = int32(i)
	}
	for i, v := range f.flat {
		f.flat[i] = final[v]
	}
	f.invert(n)
	return f
}

// invert computes the docs of each value.
func (f *facet) invert(n int) {
	f.from = make([]uint32, len(f.values)+1)
	for _, v := range f.flat {
		f.from[v+1]++
	}
	for v := range f.values {
		f.from[v+1] += f.from[v]
	}
	f.docs = make([]int32, len(f.flat))
	next := slices.Clone(f.from)
	for i := range int32(n) {
		for _, v := range f.of(i) {
			f.docs[next[v]] = i
			next[v]++
		}
	}
	f.dense, f.common = make([]docset, len(f.values)), make([]int32, len(f.values))
	for v := range f.common {
		f.common[v] = int32(v)
		if docs := f.docsOf(int32(v)); float64(len(docs)) > manyDocs*float64(n) {
			f.dense[v] = newDocset(n)
			f.dense[v].set(docs)
		}
	}
	slices.SortFunc(f.common, func(a, b int32) int {
		return cmp.Or(len(f.docsOf(b))-len(f.docsOf(a)), int(a-b))
	})
}

func (f *facet) of(i int32) []int32     { return f.flat[f.starts[i]:f.starts[i+1]] }
func (f *facet) docsOf(v int32) []int32 { return f.docs[f.from[v]:f.from[v+1]] }

// filter returns the docs that have a value.
func (f *facet) filter(value string) []int32 {
	if v, ok := slices.BinarySearch(f.values, value); ok {
		return f.docsOf(int32(v))
	}
	return nil
}

// countAll counts the values of all docs.
func (f *facet) countAll(most int) []Count {
	best := top{n: most}
	for v := range f.values {
		best.add(countKey(len(f.docsOf(int32(v))), int32(v)))
	}
	return f.counted(best.sorted())
}

// countKey orders values by how often they occur, most first, then as numbered.
func countKey(n int, v int32) uint64 { return uint64(^uint32(n))<<32 | uint64(uint32(v)) }

func (f *facet) counted(keys []uint64) []Count {
	out := make([]Count, len(keys))
	for i, k := range keys {
		out[i] = Count{f.values[uint32(k)], int(^uint32(k >> 32))}
	}
	return out
}

// count returns the values that occur in a set of size docs, most first, at most so
// many. The counters in n are all zero, before and after.
func (f *facet) count(set docset, size, most int, s *scratch) []Count {
	best := top{keys: s.counts[:0], n: most}
	if float64(size) > manyDocs*float64(len(f.starts)-1) {
		f.countValues(set, &best)
	} else {
		f.countDocs(set, s, &best)
	}
	s.counts = best.sorted()
	return f.counted(s.counts)
}

// countValues looks at the values, the most common ones first, until the others cannot
// occur as often.
func (f *facet) countValues(set docset, best *top) {
	for _, v := range f.common {
		docs, n := f.docsOf(v), 0
		if !best.wants(countKey(len(docs), v)) {
			return
		}
		if f.dense[v] != nil {
			n = set.shared(f.dense[v])
		} else {
			for _, i := range docs {
				if set.has(i) {
					n++
				}
			}
		}
		if n > 0 {
			best.add(countKey(n, v))
		}
	}
}

// countDocs looks at the docs of the set.
func (f *facet) countDocs(set docset, s *scratch, best *top) {
	s.values = s.values[:0]
	for at, w := range set {
		for ; w != 0; w &= w - 1 {
			for _, v := range f.of(int32(at<<6 + bits.TrailingZeros64(w))) {
				if s.times[v] == 0 {
					s.values = append(s.values, v)
				}
				s.times[v]++
			}
		}
	}
	for _, v := range s.values {
		best.add(countKey(int(s.times[v]), v))
		s.times[v] = 0
	}
}
