package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// MaxSet bounds the permissions in a Set: nobody reads more than that.
const MaxSet = 100

// Set is a set of permissions, canonical, sorted and without doubles. The zero
// value is empty. A Set is immutable and safe for concurrent use. Its JSON form is
// an array of strings, checked when read.
type Set struct{ list []Permission }

// NewSet returns the set of the given permissions. It is an error when one is not
// canonical (see [Parse]) or there are more than [MaxSet].
func NewSet(perms ...Permission) (Set, error) {
	list := slices.Clone(perms)
	slices.Sort(list)
	list = slices.Compact(list)
	if len(list) > MaxSet {
		return Set{}, fmt.Errorf("%d permissions, more than %d", len(list), MaxSet)
	}
	for _, p := range list {
		q, err := Parse(string(p))
		if err != nil {
			return Set{}, err
		}
		if q != p {
			return Set{}, fmt.Errorf("permission %q is not canonical: write %q", p, q)
		}
	}
	return Set{list}, nil
}

// MustSet is NewSet for sets that stand in source code; it panics on an error.
func MustSet(perms ...Permission) Set {
	s, err := NewSet(perms...)
	if err != nil {
		panic(err)
	}
	return s
}

// Len returns how many permissions the set has.
func (s Set) Len() int { return len(s.list) }

// All yields the permissions in order.
func (s Set) All() iter.Seq[Permission] { return slices.Values(s.list) }

// Has reports whether p itself is in the set. See [Set.Covers] for what is implied.
func (s Set) Has(p Permission) bool {
	_, ok := slices.BinarySearch(s.list, p)
	return ok
}

// Union returns what is in s or in t. It fails over MaxSet.
func (s Set) Union(t Set) (Set, error) { return NewSet(slices.Concat(s.list, t.list)...) }

// Equal reports whether both hold the same permissions.
func (s Set) Equal(t Set) bool { return slices.Equal(s.list, t.list) }

// Hash names the set: "sha256:" and the hex digest of its permissions, a line each.
func (s Set) Hash() string {
	var b strings.Builder
	for _, p := range s.list {
		b.WriteString(string(p))
		b.WriteByte('\n')
	}
	sum := sha256.Sum256([]byte(b.String()))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// MarshalJSON writes an array of strings, never null.
func (s Set) MarshalJSON() ([]byte, error) {
	if s.list == nil {
		return []byte("[]"), nil
	}
	return json.Marshal(s.list)
}

// UnmarshalJSON reads an array of canonical permissions.
func (s *Set) UnmarshalJSON(b []byte) error {
	var list []Permission
	if err := json.Unmarshal(b, &list); err != nil {
		return err
	}
	set, err := NewSet(list...)
	if err != nil {
		return err
	}
	*s = set
	return nil
}
