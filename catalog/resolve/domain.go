package resolve

import (
	"iter"
	"math/bits"
)

// set is a subset of a plugin's domain: bit 0 is "not installed", bit i is its i-th
// newest release. Sets of one plugin have the same number of words.
type set []uint64

const absent = 0 // the bit of "not installed"

func words(n int) int { return (n + 63) / 64 }

func newSet(w int) set { return make(set, w) }

func (s set) has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }
func (s set) add(i int)      { s[i>>6] |= 1 << (i & 63) }
func (s set) drop(i int)     { s[i>>6] &^= 1 << (i & 63) }

func (s set) empty() bool {
	for _, w := range s {
		if w != 0 {
			return false
		}
	}
	return true
}

// within reports whether every element of s is in t.
func (s set) within(t set) bool {
	for i, w := range s {
		if w&^t[i] != 0 {
			return false
		}
	}
	return true
}

// meets reports whether s and t share an element.
func (s set) meets(t set) bool {
	for i, w := range s {
		if w&t[i] != 0 {
			return true
		}
	}
	return false
}

// outside returns the smallest element of s that is not in t, or -1.
func (s set) outside(t set) int {
	for i, w := range s {
		if w &^= t[i]; w != 0 {
			return i<<6 + bits.TrailingZeros64(w)
		}
	}
	return -1
}

func (s set) equal(t set) bool { return s.within(t) && t.within(s) }

func (s set) count() int {
	n := 0
	for _, w := range s {
		n += bits.OnesCount64(w)
	}
	return n
}

// and, or and not change s.
func (s set) and(t set) {
	for i := range s {
		s[i] &= t[i]
	}
}

func (s set) or(t set) {
	for i := range s {
		s[i] |= t[i]
	}
}

func (s set) not(t set) {
	for i := range s {
		s[i] &^= t[i]
	}
}

func (s set) clone() set { return append(set(nil), s...) }

// minus returns what of s is not in t.
func (s set) minus(t set) set { c := s.clone(); c.not(t); return c }

// all yields the elements in rising order.
func (s set) all() iter.Seq[int] {
	return func(yield func(int) bool) {
		for i, w := range s {
			for ; w != 0; w &= w - 1 {
				if !yield(i<<6 + bits.TrailingZeros64(w)) {
					return
				}
			}
		}
	}
}
