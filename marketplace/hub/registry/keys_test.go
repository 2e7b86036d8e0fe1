package registry_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/marketplace/hub/registry"
	"github.com/souk-dev/souk/verify"
)

// keyPair is a key of GenerateKey and its public half as PEM.
func keyPair(t testing.TB, private []byte) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	block, rest := pem.Decode(private)
	require.Empty(t, rest)
	k, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	der, err := x509.MarshalPKIXPublicKey(k.(*ecdsa.PrivateKey).Public())
	require.NoError(t, err)
	return k.(*ecdsa.PrivateKey), pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

func catalogtestDigest(a *catalogtest.Artifact) verify.Digest { return verify.DigestOf(a.Content) }

func FuzzKey(f *testing.F) {
	k, err := registry.GenerateKey()
	require.NoError(f, err)
	f.Add(k)
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := registry.NewTokens(registry.TokenOptions{Realm: "https://a/t", Service: "a", Key: b, Authorize: rules})
		if err == nil {
			_, err = s.Issue("x", nil, 0)
			require.NoError(t, err)
		}
	})
}
