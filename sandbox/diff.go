package sandbox

import "slices"

// DiffOf says how what new permits differs from what old permits. It compares
// meaning: what another permission of the same set implies is left out of both.
//
// Each remaining permission of new that old does not have is Widened when it
// implies more than one or several of old (Was is the first of them), Narrowed
// when one of old implies it (that is Was), else Added. One of old is Removed when
// nothing in new stands for any of it. Each list is in order.
func DiffOf(old, new Set) Diff {
	var d Diff
	was, is := old.reduced(), new.reduced()
	for _, p := range is {
		if _, same := slices.BinarySearch(was, p); same {
			continue
		}
		if i := slices.IndexFunc(was, func(q Permission) bool { return covers(p, q) }); i >= 0 {
			d.Widened = append(d.Widened, Change{p, was[i]})
		} else if i := slices.IndexFunc(was, func(q Permission) bool { return covers(q, p) }); i >= 0 {
			d.Narrowed = append(d.Narrowed, Change{p, was[i]})
		} else {
			d.Added = append(d.Added, Change{Permission: p})
		}
	}
	for _, q := range was {
		if !slices.ContainsFunc(is, func(p Permission) bool { return covers(p, q) || covers(q, p) }) {
			d.Removed = append(d.Removed, Change{Permission: q})
		}
	}
	return d
}

// Wider reports whether something is permitted that was not before: exactly when
// the new set is not a subset of the old one.
func (d Diff) Wider() bool { return len(d.Added)+len(d.Widened) > 0 }

// Empty reports whether both sets permit the same.
func (d Diff) Empty() bool { return !d.Wider() && len(d.Removed)+len(d.Narrowed) == 0 }
