package resolve_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
)

// answer is all that a solve says, as text.
func answer(t *testing.T, u resolve.Universe, req resolve.Request) string {
	t.Helper()
	res, err := resolve.Solve(t.Context(), u, req)
	var c *resolve.Conflict
	if errors.As(err, &c) {
		b, err := json.Marshal(c)
		require.NoError(t, err)
		return c.String() + string(b)
	}
	require.NoError(t, err)
	b, err := json.Marshal(res)
	require.NoError(t, err)
	return string(b)
}

// shuffled is the same universe and request in another order.
func shuffled(r *rand.Rand, u *universe, req resolve.Request) (*shuffledUniverse, resolve.Request) {
	s := &shuffledUniverse{universe{map[catalog.PluginID][]catalog.Release{}, map[catalog.PluginID][]catalog.PluginID{}}}
	swap := func(n int, f func(i, j int)) { r.Shuffle(n, f) }
	for id, rs := range u.releases {
		rs = slices.Clone(rs)
		swap(len(rs), func(i, j int) { rs[i], rs[j] = rs[j], rs[i] })
		for i := range rs {
			ds := slices.Clone(rs[i].Manifest.Dependencies)
			swap(len(ds), func(i, j int) { ds[i], ds[j] = ds[j], ds[i] })
			rs[i].Manifest.Dependencies = ds
		}
		s.releases[id] = rs
	}
	for id, ps := range u.providers {
		ps = slices.Clone(ps)
		swap(len(ps), func(i, j int) { ps[i], ps[j] = ps[j], ps[i] })
		s.providers[id] = ps
	}
	req.Install, req.Installed = slices.Clone(req.Install), slices.Clone(req.Installed)
	req.Update, req.Remove = slices.Clone(req.Update), slices.Clone(req.Remove)
	swap(len(req.Install), func(i, j int) { req.Install[i], req.Install[j] = req.Install[j], req.Install[i] })
	swap(len(req.Installed), func(i, j int) { req.Installed[i], req.Installed[j] = req.Installed[j], req.Installed[i] })
	swap(len(req.Update), func(i, j int) { req.Update[i], req.Update[j] = req.Update[j], req.Update[i] })
	swap(len(req.Remove), func(i, j int) { req.Remove[i], req.Remove[j] = req.Remove[j], req.Remove[i] })
	return s, req
}

type shuffledUniverse struct{ universe }

func TestOrderDoesNotMatter(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 11))
		u, req := small(r, true)
		u = alternatives(r, u)
		req.Installed = nil
		req.Update, req.Remove = nil, nil
		want := plain(t, u, req)
		v, again := shuffled(r, u, req)
		require.Equal(t, want, plain(t, v, again), "seed %d\n%s", seed, describe(u, req))
	}
}

// plain is an answer without the manifests in it, whose order of dependencies is the
// publisher's.
func plain(t *testing.T, u resolve.Universe, req resolve.Request) string {
	res, err := resolve.Solve(t.Context(), u, req)
	if err != nil {
		return err.Error()
	}
	s := ""
	for _, c := range res.Chosen {
		s += fmt.Sprintln(c.Release.Ref, c.Root, c.From, c.Why, c.NeededBy)
	}
	return s + fmt.Sprint(res.Removed, res.Warnings)
}

func TestSameAnswerOnOneProcessorAndTwo(t *testing.T) {
	var answers []string
	for _, n := range []int{1, 2} {
		was := runtime.GOMAXPROCS(n)
		s := ""
		for seed := range uint64(150) {
			u, req := small(rand.New(rand.NewPCG(seed, 13)), true)
			s += answer(t, u, req)
		}
		runtime.GOMAXPROCS(was)
		answers = append(answers, s)
	}
	assert.Equal(t, answers[0], answers[1])
}

func TestWarmIndexGivesTheSameAnswer(t *testing.T) {
	t.Parallel()
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 17))
		u, req := small(r, true)
		_, other := small(r, false)
		ix := resolve.NewIndex(u)
		other.Installed = nil
		_ = answer(t, ix, other) // only to fill the index with something else
		require.Equal(t, answer(t, u, req), answer(t, ix, req), "seed %d", seed)
	}
}

func TestUnreachablePluginChangesNothing(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		u, req := small(rand.New(rand.NewPCG(seed, 19)), true)
		var rels []catalog.Release
		for _, rs := range u.releases {
			rels = append(rels, rs...)
		}
		more := newUniverse(append(rels, rel("acme/zz", "1.0.0", need("acme/pa", "^2"), need("acme/nowhere", "")),
			rel("acme/aa", "3.0.0", need("acme/pb", "^1")))...)
		require.Equal(t, answer(t, u, req), answer(t, more, req), "seed %d", seed)
	}
}

func TestSolvesAtTheSameTime(t *testing.T) {
	t.Parallel()
	u := large(300, 6, 4, 10)
	ix := resolve.NewIndex(u)
	req := roots(10, 30)
	want := answer(t, u, req)
	var wg sync.WaitGroup
	got := make([]string, 4)
	for i := range got {
		wg.Go(func() { got[i] = answer(t, ix, req) })
	}
	wg.Wait()
	for _, g := range got {
		assert.Equal(t, want, g)
	}
}

func TestLargeAnswerIsValid(t *testing.T) {
	t.Parallel()
	u := large(2000, 10, 5, 0)
	req := roots(50, 40)
	res, err := resolve.Solve(t.Context(), u, req)
	require.NoError(t, err)
	require.Greater(t, len(res.Chosen), 1000)
	checkAnswer(t, u, req, res)
	checkStays(t, u, req, res)
}

func TestMoreReleasesThanAWordHasBits(t *testing.T) {
	t.Parallel()
	var rels []catalog.Release
	for i := range 200 {
		text := fmt.Sprintf("=1.%d.0", 300+i) // only the oldest one is there
		if i == 3 {
			text = "=1.150.0"
		}
		rels = append(rels, rel("acme/app", fmt.Sprintf("1.%d.0", i), need("acme/lib", text)), rel("acme/lib", fmt.Sprintf("1.%d.0", i)))
	}
	u := newUniverse(rels...)
	req := resolve.Request{Install: []resolve.Want{{Plugin: "acme/app"}}}
	res, err := resolve.Solve(t.Context(), u, req)
	require.NoError(t, err)
	assert.Equal(t, map[catalog.PluginID]string{"acme/app": "1.3.0", "acme/lib": "1.150.0"}, versionsOf(res))
	req.Install[0].Range = ">=1.4"
	_, err = resolve.Solve(t.Context(), u, req)
	var c *resolve.Conflict
	require.ErrorAs(t, err, &c)
}

func TestEveryLearnedRuleFollows(t *testing.T) {
	t.Parallel()
	total := 0
	for seed := range uint64(400) {
		u, req := small(rand.New(rand.NewPCG(seed, 23)), true)
		bad, learned, err := resolve.BadLearned(t.Context(), u, req)
		require.NoError(t, err)
		require.Zero(t, bad, "seed %d", seed)
		total += learned
	}
	for n := 3; n <= 6; n++ {
		u, req := pigeons(n)
		bad, learned, err := resolve.BadLearned(t.Context(), u, req)
		require.NoError(t, err)
		require.Zero(t, bad)
		total += learned
	}
	require.Greater(t, total, 200)
}

func TestPigeonholeAnswersOrGivesUp(t *testing.T) {
	t.Parallel()
	u, req := pigeons(9)
	_, err := resolve.Solve(t.Context(), u, req)
	var c *resolve.Conflict
	if !errors.As(err, &c) {
		require.ErrorIs(t, err, resolve.ErrBudget)
		return
	}
	assert.LessOrEqual(t, len(c.Lines), 121, "an explanation has a bound")
	b, err := json.Marshal(c)
	require.NoError(t, err)
	assert.Less(t, len(b), 4<<20)
	small, req := pigeons(4)
	checkProof(t, small, req)
}

func TestBudget(t *testing.T) {
	t.Parallel()
	u, req := pigeons(7)
	var c *resolve.Conflict
	for _, b := range []resolve.Budget{{Conflicts: 3}, {Steps: 10}} {
		req.Budget = b
		_, err := resolve.Solve(t.Context(), u, req)
		require.ErrorIs(t, err, resolve.ErrBudget)
		require.False(t, errors.As(err, &c), "giving up is no proof")
	}
	req.Budget = resolve.Budget{}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := resolve.Solve(ctx, u, req)
	require.ErrorIs(t, err, resolve.ErrBudget)
	require.ErrorIs(t, err, context.Canceled)
}

func TestRequestsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	app := rel("acme/app", "1.0.0")
	bad := rel("acme/app", "one")
	u := newUniverse(app)
	for _, c := range []struct {
		req  resolve.Request
		says string
	}{
		{resolve.Request{Panel: "3"}, "panel: version"},
		{resolve.Request{Install: []resolve.Want{{Plugin: "acme/app", Range: "a b"}}}, "install acme/app: version range"},
		{resolve.Request{Installed: []resolve.Installed{{Release: bad}}}, "installed acme/app: version"},
		{resolve.Request{Installed: []resolve.Installed{{Release: app}, {Release: app}}}, "acme/app is installed twice"},
		{resolve.Request{Update: []catalog.PluginID{"acme/app"}}, "update acme/app: it is not installed"},
	} {
		_, err := resolve.Solve(t.Context(), u, c.req)
		require.ErrorContains(t, err, c.says)
		var conflict *resolve.Conflict
		require.False(t, errors.As(err, &conflict))
	}
	_, err := resolve.Solve(t.Context(), u, resolve.Request{Update: []catalog.PluginID{"acme/app"}})
	require.ErrorIs(t, err, catalog.ErrNotFound)
}

// TestNumbersOfSteps checks that what is numbered is referred to, and nothing else.
func TestNumbersOfSteps(t *testing.T) {
	t.Parallel()
	numbered := 0
	for n := 3; n <= 6; n++ {
		u, req := pigeons(n)
		_, err := resolve.Solve(t.Context(), u, req)
		var c *resolve.Conflict
		require.ErrorAs(t, err, &c)
		text := ""
		for _, l := range c.Lines {
			text += l.Text + "\n"
			if i := strings.Index(l.Text, "see ("); i >= 0 {
				label := 0
				_, err := fmt.Sscanf(l.Text[i:], "see (%d)", &label)
				require.NoError(t, err)
				require.True(t, slices.ContainsFunc(c.Lines, func(o resolve.Line) bool { return o.Label == label }), "nothing is numbered %d", label)
			}
		}
		if len(c.Lines) > 120 {
			continue // what refers to a number may be cut off
		}
		for _, l := range c.Lines {
			if l.Label > 0 {
				numbered++
				require.Contains(t, text, fmt.Sprintf("see (%d)", l.Label), "numbered, but used once")
			}
		}
	}
	require.Positive(t, numbered)
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	with := func(r catalog.Release, panel string) catalog.Release { r.Manifest.Panel = panel; return r }
	mail, shop := with(rel("acme/mail", "1.0.0"), "^3"), with(rel("acme/shop", "1.0.0"), "^3")
	u := newUniverse(mail, shop, with(rel("acme/shop", "2.0.0"), "^4"), with(rel("acme/mail", "2.0.0-rc.1"), "^4"))
	req := resolve.Request{Panel: "3.0.0", Installed: []resolve.Installed{{Release: mail, Root: true}, {Release: shop, Root: true}}}

	up, err := resolve.Blocks(t.Context(), u, req, "4.0.0")
	require.NoError(t, err)
	require.Len(t, up.Blockers, 1, "a pre-release does not count")
	assert.Equal(t, catalog.PluginID("acme/mail"), up.Blockers[0].Plugin)
	assert.Nil(t, up.Plan)

	req.Prerelease = map[catalog.PluginID]bool{"acme/mail": true}
	up, err = resolve.Blocks(t.Context(), u, req, "4.0.0")
	require.NoError(t, err)
	require.Empty(t, up.Blockers)
	assert.Equal(t, map[catalog.PluginID]string{"acme/mail": "2.0.0-rc.1", "acme/shop": "2.0.0"}, versionsOf(up.Plan))

	req.Installed[1].Pin = true
	up, err = resolve.Blocks(t.Context(), u, req, "4.0.0")
	require.NoError(t, err)
	require.NotNil(t, up.Conflict, "a release is there, but the pin keeps it out")
	assert.Contains(t, up.Conflict.String(), "acme/shop is pinned at 1.0.0")
}
