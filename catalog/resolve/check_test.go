package resolve_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/Masterminds/semver/v3"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
)

// checker knows the rules in another way than the solver: by plain loops over what is
// chosen. It handles only ranges whose pre-release rule it can decide itself.
type checker struct {
	u   *universe
	req resolve.Request
	got map[catalog.PluginID]catalog.Release
}

func newChecker(u *universe, req resolve.Request, got []catalog.Release) *checker {
	c := &checker{u, req, map[catalog.PluginID]catalog.Release{}}
	for _, r := range got {
		c.got[r.Plugin] = r
	}
	return c
}

func (c *checker) installed(id catalog.PluginID) *resolve.Installed {
	for i := range c.req.Installed {
		if c.req.Installed[i].Release.Plugin == id {
			return &c.req.Installed[i]
		}
	}
	return nil
}

var fits sync.Map // [2]string{version, range} -> bool

func within(version, text string) bool {
	key := [2]string{version, text}
	if ok, known := fits.Load(key); known {
		return ok.(bool)
	}
	ok := checkRange(version, text)
	fits.Store(key, ok)
	return ok
}

func checkRange(version, text string) bool {
	if text == "" {
		text = "*"
	}
	r, err := semver.NewConstraint(text)
	if err != nil {
		return false
	}
	r.IncludePrerelease = true
	return r.Check(semver.MustParse(version))
}

func (c *checker) wanted(id catalog.PluginID) bool {
	return slices.ContainsFunc(c.req.Install, func(w resolve.Want) bool { return w.Plugin == id })
}

// met reports whether a dependency is.
func (c *checker) met(d catalog.Dependency) bool {
	if r, ok := c.got[d.ID]; ok && within(r.Version, d.Range) {
		return true
	}
	if d.Optional {
		_, there := c.got[d.ID]
		return !there
	}
	for _, r := range c.got {
		if (d.Range == "" || d.Range == "*") && slices.Contains(r.Manifest.Provides, d.ID) {
			return true
		}
		for _, x := range r.Manifest.Replaces {
			if x.ID == d.ID && c.overlap(d.ID, d.Range, x.Range) {
				return true
			}
		}
	}
	return false
}

func (c *checker) overlap(id catalog.PluginID, a, b string) bool {
	if a == "" || a == "*" || b == "" || b == "*" || a == b {
		return true
	}
	versions := []string{}
	for _, r := range c.u.releases[id] {
		versions = append(versions, r.Version)
	}
	if in := c.installed(id); in != nil {
		versions = append(versions, in.Release.Version)
	}
	return slices.ContainsFunc(versions, func(v string) bool { return within(v, a) && within(v, b) })
}

// faults returns all that is wrong with what was chosen.
func (c *checker) faults() (out []string) {
	fail := func(s string) { out = append(out, s) }
	for id, r := range c.got {
		in := c.installed(id)
		same := in != nil && in.Release.Version == r.Version
		m := r.Manifest
		for _, d := range m.Dependencies {
			if !c.met(d) {
				fail(r.Ref.String() + " lacks " + string(d.ID) + " " + d.Range)
			}
		}
		for _, x := range slices.Concat(m.Conflicts, m.Replaces) {
			if o, ok := c.got[x.ID]; ok && x.ID != id && within(o.Version, x.Range) {
				fail(r.Ref.String() + " excludes " + o.Ref.String())
			}
		}
		if m.Panel != "" && c.req.Panel != "" && !within(c.req.Panel, m.Panel) {
			fail(r.Ref.String() + " is for another panel")
		}
		if len(m.Platforms) > 0 && c.req.Platform != "" && !slices.Contains(m.Platforms, c.req.Platform) {
			fail(r.Ref.String() + " is for another platform")
		}
		known, _ := c.u.find(id, r.Version)
		exact := slices.ContainsFunc(c.req.Install, func(w resolve.Want) bool {
			return w.Plugin == id && (w.Range == r.Version || w.Range == "="+r.Version)
		})
		if known.State == catalog.Withdrawn && !same || known.State == catalog.Yanked && !same && !exact {
			fail(r.Ref.String() + " was " + string(known.State))
		}
		if c.req.Blocked != nil && c.req.Blocked(r) != "" && !same {
			fail(r.Ref.String() + " is blocked")
		}
	}
	for _, w := range c.req.Install {
		if r, ok := c.got[w.Plugin]; !ok || !within(r.Version, w.Range) {
			fail("not installed as asked: " + string(w.Plugin))
		}
	}
	for _, id := range c.req.Remove {
		if _, ok := c.got[id]; ok {
			fail("not removed: " + string(id))
		}
	}
	for _, in := range c.req.Installed {
		id := in.Release.Plugin
		named := c.wanted(id) || slices.Contains(c.req.Update, id) || slices.Contains(c.req.Remove, id)
		r, there := c.got[id]
		if (in.Pin || in.Hold != "" && !named) && (!there || r.Version != in.Release.Version) {
			fail("held, and changed: " + string(id))
		}
		if in.Root && !there && !slices.Contains(c.req.Remove, id) && !c.replaced(in.Release) {
			fail("dropped: " + string(id))
		}
	}
	return out
}

func (c *checker) replaced(old catalog.Release) bool {
	for _, r := range c.got {
		for _, x := range r.Manifest.Replaces {
			if x.ID == old.Plugin && within(old.Version, x.Range) {
				return true
			}
		}
	}
	return false
}

func chosen(res *resolve.Resolution) (out []catalog.Release) {
	for _, c := range res.Chosen {
		out = append(out, c.Release)
	}
	return out
}

// checkAnswer checks a Resolution without the solver's help.
func checkAnswer(t *testing.T, u *universe, req resolve.Request, res *resolve.Resolution) {
	t.Helper()
	c := newChecker(u, req, chosen(res))
	require.Len(t, c.got, len(res.Chosen), "chosen twice")
	require.Empty(t, c.faults())
	at := map[catalog.PluginID]int{}
	for i, ch := range res.Chosen {
		at[ch.Release.Plugin] = i
		in := c.installed(ch.Release.Plugin)
		assert.NotEmpty(t, ch.Why)
		assert.True(t, slices.IsSorted(ch.NeededBy))
		assert.Equal(t, in != nil && in.Root || c.wanted(ch.Release.Plugin), ch.Root)
		if in == nil {
			assert.Empty(t, ch.From)
		} else {
			assert.Equal(t, in.Release.Version, ch.From)
		}
		held := in != nil && (in.Hold != "" || in.Pin || req.KeepOrphans || c.replaced(in.Release))
		stands := slices.ContainsFunc(req.Installed, func(o resolve.Installed) bool {
			return slices.ContainsFunc(ch.Release.Manifest.Replaces, func(r catalog.Relation) bool { return r.ID == o.Release.Plugin })
		})
		assert.True(t, ch.Root || len(ch.NeededBy) > 0 || held || stands, "%s is an orphan", ch.Release.Ref)
	}
	gone := 0
	for _, in := range req.Installed {
		if _, ok := at[in.Release.Plugin]; !ok {
			gone++
		}
	}
	assert.Len(t, res.Removed, gone)
}

// checkStays checks that solving again with the solution installed changes nothing.
func checkStays(t *testing.T, u *universe, req resolve.Request, res *resolve.Resolution) {
	t.Helper()
	var in []resolve.Installed
	for _, c := range res.Chosen {
		in = append(in, resolve.Installed{Release: c.Release, Root: c.Root})
	}
	again, err := resolve.Solve(context.Background(), u, resolve.Request{
		Panel: req.Panel, Platform: req.Platform, Installed: in, KeepOrphans: true, Blocked: req.Blocked,
		Prerelease: req.Prerelease, Prefer: req.Prefer})
	require.NoError(t, err)
	require.Empty(t, again.Removed)
	for _, c := range again.Chosen {
		require.Equal(t, c.From, c.Release.Version, "%s moved", c.Release.Plugin)
	}
}
