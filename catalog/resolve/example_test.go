package resolve_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
)

// A Universe is usually a catalog.Snapshot with an index of what provides what; here
// it is a map.
func Example() {
	u := newUniverse(
		rel("acme/shop", "1.0.0", need("acme/cart", "^1")),
		rel("acme/shop", "2.0.0", need("acme/cart", "^2")),
		rel("acme/cart", "1.4.0"),
		rel("acme/cart", "2.0.1"),
	)
	shop, _ := u.find("acme/shop", "1.0.0")
	cart, _ := u.find("acme/cart", "1.4.0")
	req := resolve.Request{
		Installed: []resolve.Installed{{Release: shop, Root: true}, {Release: cart}},
		Update:    []catalog.PluginID{"acme/shop"},
	}

	res, err := resolve.Solve(context.Background(), u, req)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, c := range res.Chosen {
		fmt.Printf("%s: %s -> %s, because %s\n", c.Release.Plugin, c.From, c.Release.Version, c.Why)
	}

	req.Installed[1].Hold = "held by admin"
	req.Update = nil
	req.Install = []resolve.Want{{Plugin: "acme/shop", Range: "2.0.0"}}
	_, err = resolve.Solve(context.Background(), u, req)
	var conflict *resolve.Conflict
	if errors.As(err, &conflict) {
		fmt.Println()
		fmt.Print(conflict)
	}

	// Output:
	// acme/cart: 1.4.0 -> 2.0.1, because acme/shop 2.0.0 needs ^2
	// acme/shop: 1.0.0 -> 2.0.0, because you asked for its update
	//
	// Cannot update acme/shop to 2.0.0.
	//
	//   acme/shop 2.0.0 needs acme/cart ^2
	//   you HOLD acme/cart at 1.4.0 (held by admin)
	//     -> so acme/shop 2.0.0 cannot be installed
	//   you ask for acme/shop 2.0.0
	//     -> so this cannot be done
	//
	// What you can do:
	//   * release the hold on acme/cart -> acme/cart 2.0.1, acme/shop 2.0.0 (checked: works)
}

func ExampleBlocks() {
	mail := rel("acme/mail", "1.2.0")
	mail.Manifest.Panel = "^3"
	up, err := resolve.Blocks(context.Background(), newUniverse(mail),
		resolve.Request{Installed: []resolve.Installed{{Release: mail, Root: true}}}, "4.0.0")
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, b := range up.Blockers {
		fmt.Println(b.Why)
	}
	// Output: acme/mail 1.2.0 supports panel API ^3; no release that may be installed supports 4.0.0
}
