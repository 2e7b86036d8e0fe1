package resolve

// slab hands out values that live as long as it does. Those that are asked for one
// after the other lie next to each other, as they are read again.
type slab[T any] struct {
	free []T
	made int // values at once, last time
}

// maxSlab is the most values that are made at once, unless more are asked for.
const maxSlab = 512

// take returns n zero values.
func (s *slab[T]) take(n int) []T {
	if n > len(s.free) || s.free == nil {
		s.made = min(max(8, 2*s.made), maxSlab)
		s.free = make([]T, max(n, s.made))
	}
	out := s.free[:n:n]
	s.free = s.free[n:]
	return out
}

// one returns a pointer to a zero value.
func (s *slab[T]) one() *T { return &s.take(1)[0] }
