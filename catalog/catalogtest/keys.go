package catalogtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/souk-dev/souk/verify"
)

// Key is a key to throw away.
type Key struct {
	crypto.Signer
	Identity verify.Identity // the public half, as a catalog lists a signer
}

// NewEd25519Key makes an Ed25519 key.
func NewEd25519Key(t testing.TB) Key {
	t.Helper()
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newKey(t, k)
}

// NewECDSAKey makes an ECDSA key on P-256.
func NewECDSAKey(t testing.TB) Key {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newKey(t, k)
}

func newKey(t testing.TB, k crypto.Signer) Key {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return Key{k, verify.Identity{Key: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}}
}
