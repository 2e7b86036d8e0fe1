package search

import "slices"

// top keeps the n smallest of the keys that are added, so that a page costs little
// of a long list. Until there are n it only gathers them; then they are a heap whose
// root is the largest.
type top struct {
	keys []uint64
	n    int
}

func (t *top) add(key uint64) {
	switch {
	case len(t.keys) < t.n:
		if t.keys = append(t.keys, key); len(t.keys) == t.n {
			for i := t.n/2 - 1; i >= 0; i-- {
				t.sink(i)
			}
		}
	case t.n > 0 && key < t.keys[0]:
		t.keys[0] = key
		t.sink(0)
	}
}

// wants reports whether a key would be among the smallest.
func (t *top) wants(key uint64) bool {
	return len(t.keys) < t.n || t.n > 0 && key < t.keys[0]
}

// sink moves the key at i down to where it belongs.
func (t *top) sink(i int) {
	for {
		child := 2*i + 1
		if child >= len(t.keys) {
			return
		}
		if child+1 < len(t.keys) && t.keys[child+1] > t.keys[child] {
			child++
		}
		if t.keys[i] >= t.keys[child] {
			return
		}
		t.keys[i], t.keys[child] = t.keys[child], t.keys[i]
		i = child
	}
}

// sorted returns the keys in order. Nothing is added after it.
func (t *top) sorted() []uint64 {
	slices.Sort(t.keys)
	return t.keys
}
