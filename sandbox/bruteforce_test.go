package sandbox_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox"
)

// A world is all that can happen and can be permitted of one kind, in small: acts are
// what a plugin could do, permits says of each permission which acts it allows, in
// the plainest way there is. The worlds have acts that no permission names, as the
// real one does (hosts, ports and files are never all listed).
type world struct {
	kind    sandbox.Kind
	targets []string
	acts    []string
	permits func(target, act string) bool
}

func product(a, b []string, sep string) []string {
	var out []string
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+sep+y)
		}
	}
	return out
}

func same(target, act string) bool { return target == act }

// names yields all host names of up to three labels that end in x or y.
func names() []string {
	labels := []string{"a", "b", "z"}
	one := []string{"x", "y", "xx"}
	two := product(labels, one, ".")
	three := product(labels, two, ".")
	return slices.Concat(one, two, three)
}

func hostPermits(target, act string) bool {
	if target == "*" {
		return true
	}
	t, a := strings.Split(target, "."), strings.Split(act, ".")
	if t[0] != "*" {
		return slices.Equal(t, a)
	}
	rest := t[1:]
	return len(a) > len(rest) && slices.Equal(a[len(a)-len(rest):], rest)
}

func portPermits(target, act string) bool { return target == "*" || target == act }

func pathPermits(target, act string) bool {
	t := slices.DeleteFunc(strings.Split(target, "/"), func(s string) bool { return s == "" })
	a := slices.DeleteFunc(strings.Split(act, "/"), func(s string) bool { return s == "" })
	return len(a) >= len(t) && slices.Equal(a[:len(t)], t)
}

func paths(parts ...string) []string {
	one := product([]string{""}, parts, "/")
	two := product(one, parts, "/")
	return slices.Concat([]string{"/"}, one, two, product(two, parts, "/"))
}

func worlds() []world {
	hosts := []string{"*", "*.x", "*.y", "*.xx", "*.a.x", "*.b.x", "*.a.b.x", "x", "y", "a.x", "b.x", "a.b.x", "b.a.x", "a.y", "1.2.3.4", "[::1]"}
	acts := append(names(), "z.z.z.x", "z.a.b.x", "1.2.3.4", "9.2.3.4", "[::1]", "[::9]")
	two := product([]string{"a", "b", "a.b"}, []string{"read", "write"}, ":")
	ports := []string{"1", "2", "22", "*"}
	list := []world{
		{sandbox.KindNetOut, product(hosts, ports[1:], ":"), product(acts, []string{"1", "2", "22", "9"}, ":"),
			func(t, a string) bool {
				i, j := strings.LastIndex(t, ":"), strings.LastIndex(a, ":")
				return hostPermits(t[:i], a[:j]) && portPermits(t[i+1:], a[j+1:])
			}},
		{sandbox.KindNetListen, ports, []string{"1", "2", "22", "9"}, portPermits},
		{sandbox.KindAPI, two, append(two, "z:read"), same},
		{sandbox.KindDB, two, append(two, "a:z"), same},
		{sandbox.KindJob, []string{"@hourly", "* * * * *", "1 * * * *"}, []string{"@hourly", "* * * * *", "1 * * * *", "9 9 9 9 1"}, same},
	}
	for _, k := range []sandbox.Kind{sandbox.KindFSRead, sandbox.KindFSWrite, sandbox.KindExec} {
		list = append(list, world{k, paths("a", "b", "aa"), paths("a", "b", "aa", "z"), pathPermits})
	}
	for _, k := range []sandbox.Kind{sandbox.KindEnv, sandbox.KindSecret, sandbox.KindEvent, sandbox.KindUI} {
		list = append(list, world{k, []string{"a", "b", "aa"}, []string{"a", "b", "aa", "z"}, same})
	}
	return list
}

// meaning is a set of acts, by index.
type meaning []bool

func (m meaning) within(n meaning) bool {
	for i := range m {
		if m[i] && !n[i] {
			return false
		}
	}
	return true
}

func (m meaning) meets(n meaning) bool {
	for i := range m {
		if m[i] && n[i] {
			return true
		}
	}
	return false
}

func (w world) meaning(targets ...string) meaning {
	m := make(meaning, len(w.acts))
	for i, a := range w.acts {
		m[i] = slices.ContainsFunc(targets, func(t string) bool { return w.permits(t, a) })
	}
	return m
}

func (w world) permission(target string) sandbox.Permission {
	return sandbox.Permission(string(w.kind) + ":" + target)
}

func (w world) set(t *testing.T, targets []string) sandbox.Set {
	var list []sandbox.Permission
	for _, x := range targets {
		list = append(list, w.permission(x))
	}
	s, err := sandbox.NewSet(list...)
	require.NoError(t, err)
	return s
}

func TestWorldsHaveAllKinds(t *testing.T) {
	t.Parallel()
	var have []sandbox.Kind
	for _, w := range worlds() {
		have = append(have, w.kind)
	}
	assert.ElementsMatch(t, sandbox.Kinds(), have)
}

// Covers is inclusion of what is permitted, for every pair of every kind.
func TestCoversAgainstBruteForce(t *testing.T) {
	t.Parallel()
	for _, w := range worlds() {
		means := make([]meaning, len(w.targets))
		for i, x := range w.targets {
			means[i] = w.meaning(x)
		}
		for i, x := range w.targets {
			single := w.set(t, []string{x})
			for j, y := range w.targets {
				p, q := w.permission(x), w.permission(y)
				want := means[j].within(means[i])
				if sandbox.Covers(p, q) != want || single.Covers(q) != want {
					t.Fatalf("%s covers %s: want %v", p, q, want)
				}
				deny := sandbox.Policy{Deny: single}.Decide(w.set(t, []string{y}), sandbox.Consent{})
				if registered := w.kind == sandbox.KindAPI || w.kind == sandbox.KindEvent || w.kind == sandbox.KindUI; !registered {
					meets := means[i].meets(means[j])
					if denied := deny.Rulings[0].Verdict == sandbox.Denied; denied != meets {
						t.Fatalf("with %s denied, %s is denied: want %v", p, q, meets)
					}
				}
			}
		}
	}
}

// SubsetOf and DiffOf agree with what is permitted, for 3,000 random pairs of sets
// of every kind: 36,000 in all.
func TestSubsetAndDiffAgainstBruteForce(t *testing.T) {
	t.Parallel()
	for _, w := range worlds() {
		rnd := rand.New(rand.NewPCG(1, uint64(len(w.targets))))
		pick := func() []string {
			out := make([]string, rnd.IntN(6))
			for i := range out {
				out[i] = w.targets[rnd.IntN(len(w.targets))]
			}
			return out
		}
		subsets := 0
		for n := range 3000 {
			x, y := pick(), pick()
			if n%3 == 0 { // make inclusion less rare
				y = append(y, x...)
			}
			s, u := w.set(t, x), w.set(t, y)
			ms, mu := w.meaning(x...), w.meaning(y...)
			want := ms.within(mu)
			if want {
				subsets++
			}
			if s.SubsetOf(u) != want {
				t.Fatalf("%s: %v is a subset of %v: want %v", w.kind, x, y, want)
			}
			d := sandbox.DiffOf(u, s)
			if d.Wider() == want {
				t.Fatalf("%s: from %v to %v is wider: want %v: %+v", w.kind, y, x, !want, d)
			}
			if equal := want && mu.within(ms); d.Empty() != equal {
				t.Fatalf("%s: from %v to %v is no change: want %v: %+v", w.kind, y, x, equal, d)
			}
			// Consent is asked exactly for what was not agreed to.
			if dec := (sandbox.Policy{}).Decide(s, sandbox.Consent{Set: u}); !slices.Contains([]sandbox.Kind{sandbox.KindAPI, sandbox.KindEvent, sandbox.KindUI}, w.kind) {
				if (len(dec.Needs()) == 0) != want {
					t.Fatalf("%s: %v with consent to %v asks: %+v", w.kind, x, y, dec)
				}
			}
		}
		assert.Greater(t, subsets, 500, w.kind)
		assert.Less(t, subsets, 2900, w.kind)
	}
}

func TestKindsDoNotImplyEachOther(t *testing.T) {
	t.Parallel()
	var all []sandbox.Permission
	for _, w := range worlds() {
		all = append(all, w.permission(w.targets[0]))
	}
	for i, p := range all {
		for j, q := range all {
			assert.Equal(t, i == j, sandbox.Covers(p, q), "%s covers %s", p, q)
			assert.Equal(t, i == j, sandbox.MustSet(p).SubsetOf(sandbox.MustSet(q)), "{%s} in {%s}", p, q)
		}
	}
}

func TestWhatIsNotCanonicalIsNotCovered(t *testing.T) {
	t.Parallel()
	s := sandbox.MustSet("fs.read:/srv", "net.out:*.example.com:443")
	for _, p := range []sandbox.Permission{
		"", ":", "fs.read", "fs.read:", "fs.read:/srv/../etc/passwd", "fs.read:/srv/", "fs.read:srv", "root:/srv", "Fs.read:/srv",
		"net.out:a.example.com", "net.out:A.example.com:443", "net.out:a.example.com.:443", "net.out:.example.com:443", "net.out:a.example.com:0443",
	} {
		assert.False(t, s.Covers(p), "%q", p)
		assert.False(t, sandbox.Covers(p, p), "%q", p)
		assert.False(t, sandbox.Covers("fs.read:/srv", p), "%q", p)
	}
	assert.False(t, sandbox.Set{}.Covers("fs.read:/srv"))
	assert.True(t, sandbox.Set{}.SubsetOf(sandbox.Set{}))
}
