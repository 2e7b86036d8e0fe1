package sigstore_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

func benchmarkVerify(b *testing.B, v *sigstore.Verifier, s verify.Subject, e verify.Evidence) {
	for b.Loop() {
		if _, err := v.Verify(b.Context(), s, e); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyECDSA(b *testing.B) {
	acme := newSigner(b)
	benchmarkVerify(b, newVerifier(b), subject(acme.Identity()), evidence(signed(b, acme)))
}

func BenchmarkVerifyEd25519(b *testing.B) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(b, err)
	acme, err := sigstore.NewKeySigner(key)
	require.NoError(b, err)
	benchmarkVerify(b, newVerifier(b), subject(acme.Identity()), evidence(signed(b, acme)))
}

func BenchmarkVerifyKeyless(b *testing.B) {
	own := newInstance(b)
	benchmarkVerify(b, own.verifier(b), subject(robot), evidence(own.signed(b, robot, ofManifest(), nil)))
}

// BenchmarkVerifyAmongJunk is the worst a registry can do: 99 by strangers first.
func BenchmarkVerifyAmongJunk(b *testing.B) {
	acme, evil := newSigner(b), newSigner(b)
	e := evidence()
	for range verify.MaxBundles - 1 {
		e.Bundles = append(e.Bundles, signed(b, evil))
	}
	e.Bundles = append(e.Bundles, signed(b, acme))
	benchmarkVerify(b, newVerifier(b), subject(acme.Identity()), e)
}
