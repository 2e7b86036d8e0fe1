// Command minimal is the least a panel does to have a plugin store.
//
//	go run ./examples/minimal registry.example.org/plugins/catalog root.json
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/signal"

	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/tuf"
)

// open returns the marketplace kept in dir, and its pages at /plugins/.
func open(dir, ref string, root []byte, host install.Host) (*marketplace.Market, http.Handler, error) {
	src, err := oci.New(ref, oci.Options{}) // any OCI registry
	if err != nil {
		return nil, nil, err
	}
	trust, err := tuf.New(root, tuf.Options{}) // is this my catalog, and is it fresh?
	if err != nil {
		return nil, nil, err
	}
	signed, err := sigstore.New(sigstore.Options{}) // did its publisher make it?
	if err != nil {
		return nil, nil, err
	}
	m, err := marketplace.Open(dir, marketplace.Options{
		Sources:  []marketplace.Source{{Name: "main", Source: src, Trust: trust}},
		Verifier: signed,
		Host:     host,
		Policy:   sandbox.Policy{}, // nothing without consent
	}) // a crash in the last run has by now been finished or undone
	if err != nil {
		return nil, nil, err
	}
	shop, err := store.New(m, store.Options{BasePath: "/plugins/", Actor: actor})
	return m, shop, err
}

// actor is the panel's own session: here everybody who reaches this address may do all.
func actor(*http.Request) (store.Actor, error) {
	return store.Actor{Name: "operator", View: true, Install: true, ApproveRisky: true, Administer: true}, nil
}

// runtime is the panel's side of a plugin's life. This one only says what happens.
type runtime struct{}

func (runtime) Activate(_ context.Context, p install.Installed) error {
	fmt.Println("run", p.Ref, "from", p.Dir, "with", p.Grants)
	return nil
}

func (runtime) Deactivate(_ context.Context, p install.Installed) error {
	fmt.Println("stop", p.Ref)
	return nil
}

func (runtime) Health(context.Context, install.Installed) error { return nil }

func run(ctx context.Context, ref, rootFile string) error {
	root, err := os.ReadFile(rootFile)
	if err != nil {
		return err
	}
	m, shop, err := open("plugins", ref, root, runtime{})
	if err != nil {
		return err
	}
	defer m.Close()
	go m.Run(ctx) // keeps the catalog fresh, applies the update policy
	mux := http.NewServeMux()
	mux.Handle("/plugins/", shop)
	fmt.Println("http://127.0.0.1:8081/plugins/")
	return http.ListenAndServe("127.0.0.1:8081", mux)
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: minimal <catalog in a registry> <root.json>")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "minimal:", err)
		os.Exit(1)
	}
}
