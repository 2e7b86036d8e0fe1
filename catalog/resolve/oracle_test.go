package resolve_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
)

// The oracle lists every set of releases of a small universe, keeps those that the
// checker finds no fault with, and walks the documented order of decisions over them.

type oracle struct {
	u   *universe
	req resolve.Request
	ids []catalog.PluginID
	all []map[catalog.PluginID]catalog.Release // valid
}

func newOracle(u *universe, req resolve.Request) *oracle {
	o := &oracle{u: u, req: req}
	for id := range u.releases {
		o.ids = append(o.ids, id)
	}
	slices.Sort(o.ids)
	var pick []catalog.Release
	var walk func(i int)
	walk = func(i int) {
		if i == len(o.ids) {
			if c := newChecker(u, req, pick); len(c.faults()) == 0 {
				o.all = append(o.all, c.got)
			}
			return
		}
		walk(i + 1)
		for _, r := range u.releases[o.ids[i]] {
			pick = append(pick, r)
			walk(i + 1)
			pick = pick[:len(pick)-1]
		}
	}
	walk(0)
	return o
}

// keep filters the solutions; it reports whether any is left, and changes nothing if not.
func (o *oracle) keep(f func(map[catalog.PluginID]catalog.Release) bool) bool {
	var left []map[catalog.PluginID]catalog.Release
	for _, s := range o.all {
		if f(s) {
			left = append(left, s)
		}
	}
	if len(left) == 0 {
		return false
	}
	o.all = left
	return true
}

// preference lists the versions of a plugin, best first.
func (o *oracle) preference(id catalog.PluginID) []string {
	var vs []string
	for _, r := range o.u.releases[id] {
		vs = append(vs, r.Version)
	}
	in := newChecker(o.u, o.req, nil).installed(id)
	if in == nil {
		return vs
	}
	have := in.Release.Version
	if slices.Contains(o.req.Update, id) {
		return vs // newest first; what is installed stands where it stands
	}
	vs = slices.DeleteFunc(vs, func(v string) bool { return v == have })
	return append([]string{have}, vs...)
}

// best returns the chosen set of plugin -> version.
func (o *oracle) best() map[catalog.PluginID]string {
	decided := map[catalog.PluginID]string{}
	type task func() (more []catalog.PluginID)
	var agenda []task
	var settle func(id catalog.PluginID, version string)
	var needs func(d catalog.Dependency) task
	settle = func(id catalog.PluginID, version string) {
		decided[id] = version
		r, _ := o.u.find(id, version)
		ds := slices.Clone(r.Manifest.Dependencies)
		slices.SortFunc(ds, func(a, b catalog.Dependency) int {
			if c := slices.Compare([]byte(a.ID), []byte(b.ID)); c != 0 {
				return c
			}
			return slices.Compare([]byte(a.Range), []byte(b.Range))
		})
		for _, d := range ds {
			if !d.Optional {
				agenda = append(agenda, needs(d))
			}
		}
	}
	present := func(id catalog.PluginID, text string) bool {
		for _, v := range o.preference(id) {
			if within(v, text) && o.keep(func(s map[catalog.PluginID]catalog.Release) bool {
				r, ok := s[id]
				return ok && r.Version == v
			}) {
				settle(id, v)
				return true
			}
		}
		return false
	}
	needs = func(d catalog.Dependency) task {
		return func() []catalog.PluginID {
			if _, done := decided[d.ID]; !done && !present(d.ID, d.Range) {
				panic(fmt.Sprintf("%s %s has no solution", d.ID, d.Range))
			}
			return nil
		}
	}
	for _, f := range o.agenda(decided, present) {
		agenda = append(agenda, f)
	}
	for i := 0; i < len(agenda); i++ {
		agenda[i]()
	}
	return o.needed(decided)
}

// needed leaves out what no root needs, directly or not.
func (o *oracle) needed(decided map[catalog.PluginID]string) map[catalog.PluginID]string {
	out := map[catalog.PluginID]string{}
	var visit func(catalog.PluginID)
	visit = func(id catalog.PluginID) {
		if _, done := out[id]; done {
			return
		}
		out[id] = decided[id]
		r, _ := o.u.find(id, decided[id])
		for _, d := range r.Manifest.Dependencies {
			if !d.Optional {
				visit(d.ID)
			}
		}
	}
	c := newChecker(o.u, o.req, nil)
	for id := range decided {
		if in := c.installed(id); c.wanted(id) || in != nil && (in.Root || in.Pin || in.Hold != "") {
			visit(id)
		}
	}
	return out
}

// agenda is what the request puts first: what is asked for, then what is installed,
// the other way round with Minimal.
func (o *oracle) agenda(decided map[catalog.PluginID]string, present func(catalog.PluginID, string) bool) []func() []catalog.PluginID {
	var wanted, updates, rest []catalog.PluginID
	for _, w := range o.req.Install {
		wanted = append(wanted, w.Plugin)
	}
	for _, in := range o.req.Installed {
		id := in.Release.Plugin
		switch {
		case slices.Contains(wanted, id):
		case in.Root && slices.Contains(o.req.Update, id):
			wanted = append(wanted, id)
		case slices.Contains(o.req.Update, id):
			updates = append(updates, id)
		default:
			rest = append(rest, id)
		}
	}
	task := func(id catalog.PluginID) func() []catalog.PluginID {
		return func() []catalog.PluginID {
			c := newChecker(o.u, o.req, nil)
			in := c.installed(id)
			_, done := decided[id]
			removed := slices.Contains(o.req.Remove, id)
			if done || removed && !c.wanted(id) && !(in != nil && in.Pin) {
				return nil
			}
			named := c.wanted(id) || slices.Contains(o.req.Update, id) || removed
			if c.wanted(id) || in.Root || in.Pin || in.Hold != "" && !named {
				present(id, "")
				return nil
			}
			if slices.Contains(o.req.Update, id) {
				present(id, "") // nothing may need it: then it is dropped in the end
				return nil
			}
			x := in.Release
			if x.Manifest.Panel != "" && !within(o.req.Panel, x.Manifest.Panel) ||
				len(x.Manifest.Platforms) > 0 && !slices.Contains(x.Manifest.Platforms, o.req.Platform) {
				return nil
			}
			o.keep(func(s map[catalog.PluginID]catalog.Release) bool { // it may go, but not move without need
				r, ok := s[id]
				return !ok || r.Version == x.Version
			})
			return nil
		}
	}
	var out []func() []catalog.PluginID
	wanted, rest = append(order(o.u, wanted), order(o.u, updates)...), order(o.u, rest)
	if o.req.Prefer == resolve.Minimal {
		wanted, rest = rest, wanted
	}
	for _, id := range slices.Concat(wanted, rest) {
		out = append(out, task(id))
	}
	return out
}

// order sorts by id, but what needs another one before it.
func order(u *universe, ids []catalog.PluginID) (out []catalog.PluginID) {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	var visit func(catalog.PluginID)
	visit = func(id catalog.PluginID) {
		if !slices.Contains(ids, id) || slices.Contains(out, id) {
			return
		}
		out = append(out, id) // held open: marks it as visited
		at := len(out) - 1
		var ds []catalog.PluginID
		for _, r := range u.releases[id] {
			for _, d := range r.Manifest.Dependencies {
				if !d.Optional {
					ds = append(ds, d.ID)
				}
			}
		}
		slices.Sort(ds)
		slices.Reverse(ds)
		for _, d := range ds {
			visit(d)
		}
		out = append(slices.Delete(out, at, at+1), id)
	}
	for _, id := range slices.Backward(ids) {
		visit(id)
	}
	slices.Reverse(out)
	return out
}

// small makes a universe of up to 6 plugins with up to 4 versions, and a request.
func small(r *rand.Rand, rich bool) (*universe, resolve.Request) {
	n := 2 + r.IntN(5)
	name := func(i int) catalog.PluginID { return catalog.PluginID(fmt.Sprintf("acme/p%c", 'a'+i)) }
	ranges := []string{"", "=1.0.0", ">=2.0.0", "<3.0.0", "^2.0.0", ">=1.0.0 <3.0.0", "=1.0.0 || =3.0.0", ">=4.0.0", ">9.0.0"}
	text := func() string { return ranges[r.IntN(len(ranges))] }
	var rels []catalog.Release
	for i := range n {
		for v := 1; v <= 1+r.IntN(4); v++ {
			x := rel(name(i), fmt.Sprintf("%d.0.0", v))
			m := &x.Manifest
			used := map[int]bool{i: true}
			for range r.IntN(4) {
				j := r.IntN(n + 1)
				if used[j] || j == n && r.IntN(4) > 0 {
					continue
				}
				used[j] = true
				switch k := r.IntN(10); {
				case rich && k == 0:
					m.Conflicts = append(m.Conflicts, catalog.Relation{ID: name(j), Range: text()})
				case rich && k == 1:
					m.Dependencies = append(m.Dependencies, catalog.Dependency{ID: name(j), Range: text(), Optional: true})
				default:
					m.Dependencies = append(m.Dependencies, need(name(j), text()))
				}
			}
			if rich {
				switch r.IntN(14) {
				case 0:
					m.Panel = "^1"
				case 1:
					x.State = catalog.Yanked
				case 2:
					m.Platforms = []string{"plan9/arm"}
				}
			}
			rels = append(rels, x)
		}
	}
	u := newUniverse(rels...)
	req := resolve.Request{Panel: "2.0.0", Platform: "linux/amd64", Prefer: resolve.Prefer(r.IntN(2))}
	for i := range n {
		rs := u.releases[name(i)]
		switch k := r.IntN(7); {
		case k < 2:
			req.Install = append(req.Install, resolve.Want{Plugin: name(i), Range: []string{"", "", ">=2.0.0", "<3.0.0"}[r.IntN(4)]})
		case k < 5 && rich:
			in := resolve.Installed{Release: rs[r.IntN(len(rs))], Root: r.IntN(2) == 0}
			switch r.IntN(8) {
			case 0:
				in.Hold = "by admin"
			case 1:
				in.Pin = true
			}
			req.Installed = append(req.Installed, in)
			switch r.IntN(6) {
			case 0:
				req.Update = append(req.Update, name(i))
			case 1:
				req.Remove = append(req.Remove, name(i))
			case 2:
				req.Install = append(req.Install, resolve.Want{Plugin: name(i), Range: text()})
			}
		}
	}
	return u, req
}

// alternatives adds plugins that provide or replace others.
func alternatives(r *rand.Rand, u *universe) *universe {
	var rels []catalog.Release
	ids := []catalog.PluginID{}
	for id := range u.releases {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		for _, x := range u.releases[id] {
			other := ids[r.IntN(len(ids))]
			if other != id {
				switch r.IntN(6) {
				case 0:
					x.Manifest.Provides = []catalog.PluginID{other}
				case 1:
					x.Manifest.Replaces = []catalog.Relation{{ID: other, Range: []string{"", "<3.0.0"}[r.IntN(2)]}}
				}
			}
			rels = append(rels, x)
		}
	}
	return newUniverse(rels...)
}

func versionsOf(res *resolve.Resolution) map[catalog.PluginID]string {
	out := map[catalog.PluginID]string{}
	for _, c := range res.Chosen {
		out[c.Release.Plugin] = c.Release.Version
	}
	return out
}

func describe(u *universe, req resolve.Request) string {
	s := ""
	for id, rs := range u.releases {
		for _, r := range rs {
			s += fmt.Sprintf("%s %s %s deps=%v conflicts=%v provides=%v replaces=%v panel=%s platforms=%v\n", id, r.Version, r.State,
				r.Manifest.Dependencies, r.Manifest.Conflicts, r.Manifest.Provides, r.Manifest.Replaces, r.Manifest.Panel, r.Manifest.Platforms)
		}
	}
	for _, in := range req.Installed {
		s += fmt.Sprintf("installed %s root=%v hold=%q pin=%v\n", in.Release.Ref, in.Root, in.Hold, in.Pin)
	}
	return s + fmt.Sprintf("install=%v update=%v remove=%v prefer=%d", req.Install, req.Update, req.Remove, req.Prefer)
}

// compare solves, and compares with the oracle.
func compareWithOracle(t *testing.T, u *universe, req resolve.Request, optimal bool) (solvable bool) {
	t.Helper()
	o := newOracle(u, req)
	res, err := resolve.Solve(t.Context(), u, req)
	var c *resolve.Conflict
	if errors.As(err, &c) {
		require.Empty(t, o.all, "said to be unsolvable:\n%s\n%s", describe(u, req), c)
		require.NotEmpty(t, c.Lines)
		for _, s := range c.Suggestions {
			require.NotEmpty(t, s.Result)
		}
		checkProof(t, u, req)
		return false
	}
	require.NoError(t, err)
	require.NotEmpty(t, o.all, "said to be solvable:\n%s\n%v", describe(u, req), versionsOf(res))
	checkAnswer(t, u, req, res)
	if optimal {
		require.Equal(t, o.best(), versionsOf(res), "%s", describe(u, req))
	}
	checkStays(t, u, req, res)
	return true
}

func TestBruteForce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		rich, alts bool
		runs       int
	}{
		{"dependencies only", false, false, 2500},
		{"all rules", true, false, 2500},
		{"provides and replaces", true, true, 2000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			solvable := 0
			for seed := range uint64(c.runs) {
				r := rand.New(rand.NewPCG(seed, 7))
				u, req := small(r, c.rich)
				if c.alts {
					u = alternatives(r, u)
					for i := range req.Installed {
						old := req.Installed[i].Release
						req.Installed[i].Release, _ = u.find(old.Plugin, old.Version)
					}
				}
				if compareWithOracle(t, u, req, !c.alts) {
					solvable++
				}
			}
			t.Logf("%d of %d solvable", solvable, c.runs)
			require.Greater(t, solvable, c.runs/5)
			require.Less(t, solvable, c.runs*95/100)
		})
	}
}
