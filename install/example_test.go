package install_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "install")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	// A panel has its own Host, a Supply from its catalogs, and verify/sigstore.
	supply, host := &installtest.Supply{}, &installtest.Host{}
	release := supply.Add(installtest.Manifest("acme/backup", "1.4.2"), installtest.Files{"README.md": "# Backup"})

	store, err := install.Open(ctx, filepath.Join(dir, "plugins"), install.Options{
		Host: host, Supply: supply, Verifier: supply, Gate: install.Gate{OK: 1},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	for _, bad := range store.Start(ctx) {
		log.Print(bad)
	}

	solution := &resolve.Resolution{Chosen: []resolve.Chosen{{Release: release, Root: true, Why: "you asked for it"}}}
	plan, err := store.Plan(solution, install.PlanOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(plan.Title)
	if _, err := store.Apply(ctx, plan, install.Approval{Actor: "admin"}, install.Events{}); err != nil {
		log.Fatal(err)
	}
	for _, p := range store.Installed() {
		fmt.Println(p.Ref, "is installed, generation", store.Current().N)
	}
	// Output:
	// Install backup 1.4.2
	// acme/backup@1.4.2 is installed, generation 1
}
