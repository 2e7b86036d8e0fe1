package sigstore_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

// A publisher signs the digest of a manifest; a panel verifies that one of those
// the catalog names did.
func Example() {
	ctx := context.Background()
	key, err := sigstore.GenerateKey()
	if err != nil {
		log.Fatal(err)
	}
	acme, err := sigstore.ParseKeySigner(key)
	if err != nil {
		log.Fatal(err)
	}
	manifest := []byte(`{"schemaVersion":2}`)
	bundle, err := acme.Sign(ctx, verify.DigestOf(manifest))
	if err != nil {
		log.Fatal(err)
	}

	v, err := sigstore.New(sigstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	subject := verify.Subject{
		Name:    "acme/backup@1.4.2",
		Digest:  verify.DigestOf(manifest),
		Signers: []verify.Identity{acme.Identity()},
	}
	report, err := v.Verify(ctx, subject, verify.Evidence{Manifest: manifest, Bundles: [][]byte{bundle}})
	fmt.Println(report.Checks[0].Verdict, err)

	_, err = v.Verify(ctx, subject, verify.Evidence{Manifest: manifest})
	fmt.Println(errors.Is(err, verify.ErrUntrusted), err)
	// Output:
	// pass <nil>
	// true verify acme/backup@1.4.2: signature: not trusted: no signature: nothing is attached to the release
}
