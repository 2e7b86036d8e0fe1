package search

import "math/bits"

// docset is a set of docs, a bit for each. Sets of one index are equally long.
type docset []uint64

func newDocset(n int) docset { return make(docset, (n+63)/64) }

func (s docset) add(i int32)      { s[i>>6] |= 1 << (i & 63) }
func (s docset) has(i int32) bool { return s[i>>6]&(1<<(i&63)) != 0 }

// fill makes s the set of all n docs.
func (s docset) fill(n int) {
	for i := range s {
		s[i] = ^uint64(0)
	}
	if n&63 != 0 {
		s[len(s)-1] = 1<<(n&63) - 1
	}
}

// set makes s the set of these docs.
func (s docset) set(docs []int32) {
	clear(s)
	for _, i := range docs {
		s.add(i)
	}
}

// intersect makes s what is in both a and b.
func (s docset) intersect(a, b docset) {
	for i := range s {
		s[i] = a[i] & b[i]
	}
}

func (s docset) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// shared returns how many docs are in both.
func (s docset) shared(t docset) int {
	n := 0
	for i, w := range s {
		n += bits.OnesCount64(w & t[i])
	}
	return n
}
