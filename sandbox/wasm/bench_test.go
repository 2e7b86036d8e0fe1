package wasm_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/wasm"
)

// The goal is 200 ms: each start is in a new Runtime, so nothing but the disk is warm.
func BenchmarkStartFromCache(b *testing.B) {
	for b.Loop() {
		rt, err := wasm.New(b.Context(), wasm.Options{CacheDir: cacheDir})
		require.NoError(b, err)
		_, err = rt.Start(b.Context(), goModule())
		require.NoError(b, err)
		require.NoError(b, rt.Close(b.Context()))
	}
}

func BenchmarkColdCompile(b *testing.B) {
	for b.Loop() {
		rt, err := wasm.New(b.Context(), wasm.Options{})
		require.NoError(b, err)
		require.NoError(b, rt.Compile(b.Context(), goGuest))
		require.NoError(b, rt.Close(b.Context()))
	}
}

// The goal is that the check costs at most 5 % of a host call: compare "check" of
// BenchmarkPermissionCheck with ns/hostcall here. The fixed function checks one
// permission, the other parses one from the request first, under a set of 20 rules.
func BenchmarkHostCall(b *testing.B) {
	perms := []sandbox.Permission{"ui:dashboard.card", "net.out:*.example.com:443"}
	for c := 'a'; c < 'a'+18; c++ {
		perms = append(perms, sandbox.Permission("net.out:"+string(c)+".example.org:443"))
	}
	grants := sandbox.MustSet(perms...)
	for _, c := range []struct {
		name string
		f    wasm.HostFunc
	}{
		{"fixed", wasm.HostFunc{Name: "ui.card", Permission: "ui:dashboard.card"}},
		{"from-request", wasm.HostFunc{Name: "ui.card", Kind: sandbox.KindNetOut, Needs: func(in []byte) (sandbox.Permission, error) {
			return sandbox.Parse("net.out:" + string(in))
		}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.f.Call = func(context.Context, []byte) ([]byte, error) { return nil, nil }
			m := goModule()
			m.Grants = grants
			m.Host[0] = c.f
			in := start(b, wasm.Options{}, m)
			req := []byte("api.example.com:443")
			for b.Loop() {
				_, err := in.Call(b.Context(), "cards", req)
				require.NoError(b, err)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/hostcall")
		})
	}
	b.Run("check-only", func(b *testing.B) {
		for b.Loop() {
			if !grants.Covers("ui:dashboard.card") {
				b.Fatal("not covered")
			}
		}
	})
}

func BenchmarkCall(b *testing.B) {
	in := start(b, wasm.Options{}, goModule())
	req := make([]byte, 100)
	for b.Loop() {
		_, err := in.Call(b.Context(), "echo", req)
		require.NoError(b, err)
	}
}
