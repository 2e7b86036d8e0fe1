package resolve_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
)

// large makes n plugins with v versions and d dependencies each. Versions of a plugin
// depend on the same others; the ranges let the newest two thirds in, and bad percent
// of them nothing, except in the oldest versions, so that there is a solution.
func large(n, v, d, bad int) *universe {
	r := rand.New(rand.NewPCG(1, 2))
	name := func(i int) catalog.PluginID { return catalog.PluginID(fmt.Sprintf("acme/p%05d", i)) }
	var rels []catalog.Release
	for i := range n {
		var on []int
		for range d {
			if j := i + 1 + r.IntN(n); j < n { // no cycles: as real catalogs are, nearly
				on = append(on, j)
			} else {
				on = append(on, r.IntN(n))
			}
		}
		for k := range v {
			var deps []catalog.Dependency
			for _, j := range on {
				text := fmt.Sprintf(">=1.%d.0 <2.0.0", r.IntN(v/3+1))
				if r.IntN(100) < bad && k > v/3 {
					text = ">=9.0.0"
				}
				deps = append(deps, need(name(j), text))
			}
			rels = append(rels, rel(name(i), fmt.Sprintf("1.%d.0", k), deps...))
		}
	}
	return newUniverse(rels...)
}

func roots(n, every int) (req resolve.Request) {
	for i := range n {
		req.Install = append(req.Install, resolve.Want{Plugin: catalog.PluginID(fmt.Sprintf("acme/p%05d", i*every))})
	}
	return req
}

func BenchmarkSolve(b *testing.B) {
	req := roots(50, 200)
	for _, bad := range []int{0, 20} {
		u := large(10_000, 10, 5, bad)
		b.Run(fmt.Sprintf("bad=%d/cold", bad), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				solveOrProve(b, u, req)
			}
		})
		b.Run(fmt.Sprintf("bad=%d/warm", bad), func(b *testing.B) {
			b.ReportAllocs()
			ix := resolve.NewIndex(u)
			solveOrProve(b, ix, req)
			for b.Loop() {
				solveOrProve(b, ix, req)
			}
		})
	}
}

func solveOrProve(b *testing.B, u resolve.Universe, req resolve.Request) {
	res, err := resolve.Solve(b.Context(), u, req)
	var c *resolve.Conflict
	switch {
	case errors.As(err, &c):
		b.ReportMetric(0, "chosen")
		b.ReportMetric(float64(len(c.Lines)), "lines")
	case err != nil:
		b.Fatal(err)
	default:
		b.ReportMetric(float64(len(res.Chosen)), "chosen")
	}
}

// pigeons want a hole each, of one hole too few: no two may share one.
func pigeons(n int) (*universe, resolve.Request) {
	var rels []catalog.Release
	var req resolve.Request
	for i := range n {
		id := catalog.PluginID(fmt.Sprintf("acme/pigeon%02d", i))
		req.Install = append(req.Install, resolve.Want{Plugin: id})
		for h := range n - 1 {
			r := rel(id, fmt.Sprintf("1.%d.0", h))
			for j := range n {
				if j != i {
					r.Manifest.Conflicts = append(r.Manifest.Conflicts, catalog.Relation{
						ID: catalog.PluginID(fmt.Sprintf("acme/pigeon%02d", j)), Range: fmt.Sprintf("=1.%d.0", h)})
				}
			}
			rels = append(rels, r)
		}
	}
	return newUniverse(rels...), req
}

func BenchmarkPigeonhole(b *testing.B) {
	for _, n := range []int{6, 9} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			u, req := pigeons(n)
			for b.Loop() {
				_, err := resolve.Solve(b.Context(), u, req)
				var c *resolve.Conflict
				answered := errors.As(err, &c)
				require.True(b, answered || errors.Is(err, resolve.ErrBudget))
				b.ReportMetric(map[bool]float64{true: 1}[answered], "answered")
			}
		})
	}
}
