package sandbox

import (
	"slices"
	"strings"
)

// Covers reports whether having a implies having b. It compares what the two say,
// so both have to be canonical: what [Parse] would not return unchanged covers
// nothing and is covered by nothing, itself included.
//
//   - net.out: the host and the port are both covered. A host covers itself,
//     *.example.com every name with one label or more before example.com (and
//     *.eu.example.com), but not example.com; * covers every host. An address is
//     only covered by itself and *. The port * covers every port.
//   - net.listen: a port covers itself, * every port.
//   - fs.read, fs.write, exec: a path covers itself and what is below it; /srv does
//     not cover /srv2. Links are the business of whoever opens the path.
//   - all others: a permission covers itself only. No kind implies another:
//     fs.write does not cover fs.read.
func Covers(a, b Permission) bool { return canonical(a) && canonical(b) && covers(a, b) }

func canonical(p Permission) bool {
	q, err := Parse(string(p))
	return err == nil && q == p
}

// covers is Covers for permissions that are known to be canonical.
func covers(a, b Permission) bool {
	if a == b {
		return true
	}
	k := a.Kind()
	if b.Kind() != k {
		return false
	}
	ta, tb := string(a)[len(k)+1:], string(b)[len(k)+1:]
	switch k {
	case KindNetOut:
		ha, pa := splitHostPort(ta)
		hb, pb := splitHostPort(tb)
		return starCovers(pa, pb) && hostCovers(ha, hb)
	case KindNetListen:
		return starCovers(ta, tb)
	case KindFSRead, KindFSWrite, KindExec:
		return pathCovers(ta, tb)
	}
	return false
}

func splitHostPort(s string) (host, port string) {
	i := strings.LastIndexByte(s, ':')
	return s[:i], s[i+1:]
}

func starCovers(a, b string) bool { return a == "*" || a == b }

func hostCovers(a, b string) bool {
	if a == "*" || a == b {
		return true
	}
	// The dot of the suffix ".example.com" keeps out the apex; an address never
	// ends so, since no wildcard stands before a number.
	return a[0] == '*' && len(b) > len(a)-1 && strings.HasSuffix(b, a[1:])
}

func pathCovers(a, b string) bool {
	return a == b || a == "/" ||
		len(b) > len(a) && b[len(a)] == '/' && b[:len(a)] == a
}

// overlaps reports whether something is covered by both a and b, canonical both.
// Hosts, ports and paths form trees, so of two that overlap one covers the other.
func overlaps(a, b Permission) bool {
	if a.Kind() == KindNetOut && b.Kind() == KindNetOut {
		ha, pa := splitHostPort(a.Target())
		hb, pb := splitHostPort(b.Target())
		return (starCovers(pa, pb) || starCovers(pb, pa)) && (hostCovers(ha, hb) || hostCovers(hb, ha))
	}
	return covers(a, b) || covers(b, a)
}

// Covers reports whether a permission of the set implies p. A p that is not
// canonical, or the zero one, is never covered.
func (s Set) Covers(p Permission) bool { return canonical(p) && s.covers(p) }

func (s Set) covers(p Permission) bool { return s.coveredBy(p) != "" }

// coveredBy returns the first permission of s that covers p, empty when none does.
// It is covers in a loop, with what is the same for all taken out of it.
func (s Set) coveredBy(p Permission) Permission {
	if len(s.list) == 0 {
		return ""
	}
	k := p.Kind()
	skip := len(k) + 1
	switch k {
	case KindFSRead, KindFSWrite, KindExec:
		path := string(p[skip:])
		for _, q := range s.ofKind(k) {
			if pathCovers(string(q[skip:]), path) {
				return q
			}
		}
	case KindNetOut:
		host, port := splitHostPort(string(p[skip:]))
		for _, q := range s.ofKind(k) {
			t := string(q[skip:])
			i := len(t) - len(port) - 1
			if i < 1 || t[i] != ':' || t[i+1:] != port {
				if i = len(t) - len(":*"); t[i:] != ":*" {
					continue
				}
			}
			if hostCovers(t[:i], host) {
				return q
			}
		}
	case KindNetListen:
		if every := Permission(KindNetListen + ":*"); s.Has(every) {
			return every
		}
		fallthrough
	default: // only itself
		if s.Has(p) {
			return p
		}
	}
	return ""
}

// ofKind returns the permissions of one kind, which stand together in the order.
func (s Set) ofKind(k Kind) []Permission {
	after := func(p Permission, end string) int { // compares p with k+end
		if c := strings.Compare(string(p[:min(len(p), len(k))]), string(k)); c != 0 {
			return c
		}
		return strings.Compare(string(p[len(k):]), end)
	}
	from, _ := slices.BinarySearchFunc(s.list, ":", after)
	to, _ := slices.BinarySearchFunc(s.list, ";", after) // the byte after a colon
	return s.list[from:to]
}

// SubsetOf reports whether t implies all of s. An empty set is contained in every
// set. Since a set is finite and there are always more hosts, ports and names than
// it mentions, what no single permission of t implies, all of them do not either.
func (s Set) SubsetOf(t Set) bool {
	for _, p := range s.list {
		if !t.covers(p) {
			return false
		}
	}
	return true
}

// reduced returns the permissions of s that no other one of s implies.
func (s Set) reduced() []Permission {
	var out []Permission
	for _, p := range s.list {
		if !slices.ContainsFunc(s.list, func(q Permission) bool { return q != p && covers(q, p) }) {
			out = append(out, p)
		}
	}
	return out
}
