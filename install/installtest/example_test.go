package installtest_test

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
)

// A test of whatever talks to an install.Store needs neither registry nor keys: the
// Supply makes releases in memory and believes its own signatures.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	var supply installtest.Supply
	var host installtest.Host
	release := supply.Add(installtest.Manifest("acme/backup", "1.0.0"), installtest.Files{"hello.txt": "hello"})

	s, err := install.Open(ctx, dir, install.Options{
		Host: &host, Supply: &supply, Verifier: &supply,
		Gate: install.Gate{OK: 1, Within: time.Second, Every: time.Millisecond},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	plan, err := s.Plan(&resolve.Resolution{Chosen: []resolve.Chosen{{Release: release, Root: true}}}, install.PlanOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = s.Apply(ctx, plan, install.Approval{Actor: "test"}, install.Events{})
	fmt.Println(plan.Title, err, host.Versions())
	fmt.Println(s.Close())
	// Output:
	// Install backup 1.0.0 <nil> [acme/backup@1.0.0]
	// <nil>
}
