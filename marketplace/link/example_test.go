package link_test

import (
	"fmt"
	"os"

	"github.com/souk-dev/souk/marketplace/link"
)

func Example() {
	dir, err := os.MkdirTemp("", "link-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	l, err := link.Open(dir, link.Options{Hub: "https://hub.example.org", Name: "web1", Market: &market{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	a := l.Account() // go l.Run(ctx), and hand l to store.Options.Community
	fmt.Println(a.Hub, a.State)
	fmt.Println(l.Close())
	// Output:
	// https://hub.example.org none
	// <nil>
}
