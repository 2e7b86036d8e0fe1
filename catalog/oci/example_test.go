package oci_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http/httptest"
	"strings"

	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
)

// A release is pushed to a registry, with its evidence, and read back by its digest.
func Example() {
	ctx := context.Background()
	handler, err := catalogtest.NewHandler(catalogtest.RegistryOptions{})
	if err != nil {
		log.Fatal(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://") // plain HTTP, because it is on this machine

	pusher, err := oci.NewPusher(host, oci.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer pusher.Close()
	backup, err := catalogtest.NewArtifact("acme/backup", "1.4.2", []byte("what a package holds"), nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := backup.Push(ctx, pusher, "plugins"); err != nil {
		log.Fatal(err)
	}
	if err := pusher.Attach(ctx, "plugins/acme/backup", backup.Subject(), "application/vnd.dev.sigstore.bundle.v0.3+json", []byte("{}"), nil); err != nil {
		log.Fatal(err)
	}

	source, err := oci.New(host+"/plugins/catalog", oci.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	content, err := source.Open(ctx, backup.Release)
	if err != nil {
		log.Fatal(err)
	}
	defer content.Close()
	b, err := io.ReadAll(content) // fails when a single bit is not as the digest says
	if err != nil {
		log.Fatal(err)
	}
	evidence, err := source.Evidence(ctx, backup.Release)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %s; %d signature to verify\n", backup.Release.Ref, b, len(evidence.Bundles))
	// Output: acme/backup@1.4.2: what a package holds; 1 signature to verify
}
