package marketplace_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/souk-dev/souk/catalog/search"
	"github.com/souk-dev/souk/install/installtest"
	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify/sigstore"
)

// A Market wants to know who checks signatures and what runs plugins; what plugins
// may be granted without asking is nothing, unless the panel says otherwise. Without
// a source it is empty, and keeps running what is installed.
func ExampleOpen() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	host := &installtest.Host{} // a panel brings its own plugin runtime

	_, err = marketplace.Open(dir, marketplace.Options{Host: host})
	fmt.Println(strings.HasPrefix(err.Error(), "open marketplace: Options.Verifier is nil"))

	signed, err := sigstore.New(sigstore.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := marketplace.Open(dir, marketplace.Options{Verifier: signed, Host: host, Policy: sandbox.Policy{Deny: sandbox.MustSet("exec:/")}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("plugins:", m.Search(search.Query{}).Total, "installed:", len(m.Installed()))
	offers, err := m.Offers(context.Background())
	fmt.Println("updates:", len(offers), err)
	fmt.Println(m.Close())
	// Output:
	// true
	// plugins: 0 installed: 0
	// updates: 0 <nil>
	// <nil>
}
