package wasm_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/wasm"
)

// A plugin is started with what it was granted. goGuest is a module compiled from
// testdata/guest.
func Example() {
	ctx := context.Background()
	rt, err := wasm.New(ctx, wasm.Options{CacheDir: cacheDir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rt.Close(ctx)

	imports, err := wasm.Inspect(goGuest)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("can reach:", imports.Host)

	plugin := wasm.Module{
		Name:   "acme/test@1.0.0",
		Code:   goGuest,
		Grants: sandbox.MustSet("ui:dashboard.card"),
		Host: []wasm.HostFunc{{
			Name:       "ui.card",
			Permission: "ui:dashboard.card",
			Call:       func(_ context.Context, card []byte) ([]byte, error) { return append([]byte("showing "), card...), nil },
		}, {
			Name:  "net.fetch",
			Kind:  sandbox.KindNetOut,
			Needs: func(in []byte) (sandbox.Permission, error) { return sandbox.Parse("net.out:" + string(in)) },
			Call:  func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no network here") },
		}},
	}
	_, err = rt.Start(ctx, plugin)
	fmt.Println(err)

	plugin.Grants = sandbox.MustSet("ui:dashboard.card", "net.out:*.example.com:443")
	in, err := rt.Start(ctx, plugin)
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := in.Call(ctx, "card", []byte("42 days"))
	fmt.Println(string(out), err)
	// Output:
	// can reach: [net.fetch ui.card]
	// wasm: start acme/test@1.0.0: permission denied: it imports souk.net.fetch, which needs something of kind net.out
	// showing 42 days <nil>
}
