package publishing_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
	"github.com/souk-dev/souk/verify/scan"
	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/tuf"
)

// A hub's publishing side: a store, a registry, keys, scanners. In a real hub the store's
// Work runs the jobs.
func Example() {
	ctx := context.Background()
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	dir, err := os.MkdirTemp("", "hub")
	must(err)
	defer os.RemoveAll(dir)
	store, err := sqlstore.OpenSQLite(ctx, filepath.Join(dir, "hub.db"), sqlstore.Options{})
	must(err)
	defer store.Close()

	registry, err := catalogtest.NewHandler(catalogtest.RegistryOptions{})
	must(err)
	server := httptest.NewServer(registry)
	defer server.Close()
	at, o := server.Listener.Addr().String()+"/plugins", oci.Options{Credentials: oci.Anonymous}
	pusher, err := oci.NewPusher(at, o)
	must(err)
	reader, err := oci.NewReader(at, o)
	must(err)
	source, err := oci.New(at+"/catalog", o)
	must(err)

	var keys [5]tuf.Key
	for i := range keys {
		keys[i], err = tuf.GenerateKey()
		must(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	reviews, err := sigstore.NewKeySigner(key)
	must(err)
	verifier, err := sigstore.New(sigstore.Options{})
	must(err)

	s, err := publishing.New(hub.Env{Store: store, Policy: publishing.PolicyFunc(store, nil)}, publishing.Options{
		Registry: pusher, Reader: reader, Source: source, Verifier: verifier, Attester: reviews,
		Keys:     tuf.Keys{Targets: keys[2:3], Snapshot: keys[3:4], Timestamp: keys[4:]},
		Scanners: []scan.Scanner{scan.Archives(), scan.Secrets(), scan.Native(), scan.Squatting()},
	})
	must(err)
	defer s.Close()
	root, err := s.InitCatalog(ctx, publishing.InitOptions{Root: keys[:2]})
	must(err)

	ann := hub.Actor{Account: "acc_ann", Via: "session", Fresh: true}
	p, err := s.CreatePublisher(ctx, ann, publishing.PublisherEdit{Namespace: "acme", Name: "Acme"})
	must(err)
	fmt.Println(len(root) > 0, p.Namespace, s.StagingRepo("acme/backup"))
	// Output: true acme staging/acme/backup
}
