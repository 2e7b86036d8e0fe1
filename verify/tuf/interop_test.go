package tuf_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"testing"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

// foreign is a catalog as another TUF tool would write it: one key for all roles,
// and no lengths or digests of metadata promised, which TUF leaves open.
func foreign(t *testing.T, key crypto.Signer) map[string][]byte {
	t.Helper()
	signer, err := signature.LoadSigner(key, crypto.SHA256)
	require.NoError(t, err)
	public, err := metadata.KeyFromPublicKey(key.Public())
	require.NoError(t, err)
	root, targets := metadata.Root(start.Add(day)), metadata.Targets(start.Add(day))
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		require.NoError(t, root.Signed.AddKey(public, role))
	}
	served := make(map[string][]byte)
	for name, b := range files("foreign") {
		f, err := metadata.TargetFile().FromBytes(name, b, "sha256", "sha512")
		require.NoError(t, err)
		targets.Signed.Targets[name] = f
		served[verify.DigestOf(b).Hex()+"."+name] = b
	}
	for name, m := range map[string]interface {
		Sign(signature.Signer) (*metadata.Signature, error)
		ToBytes(bool) ([]byte, error)
	}{
		"1.root.json": root, "1.targets.json": targets,
		"1.snapshot.json": metadata.Snapshot(start.Add(day)), "timestamp.json": metadata.Timestamp(start.Add(day)),
	} {
		_, err := m.Sign(signer)
		require.NoError(t, err)
		served[name], err = m.ToBytes(true)
		require.NoError(t, err)
	}
	return served
}

func TestCatalogOfAnotherTool(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	s := &simulator{t: t, served: foreign(t, key), now: start}
	s.trust, err = tuf.New(s.served["1.root.json"], tuf.Options{})
	require.NoError(t, err)
	require.NoError(t, s.update())
	assert.Equal(t, "index foreign", s.index())
}

func TestKeysThatAreRefused(t *testing.T) {
	t.Parallel()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, key := range map[string]crypto.Signer{"P-384": p384, "use Ed25519": weak} {
		_, err := tuf.New(foreign(t, key)["1.root.json"], tuf.Options{})
		assert.ErrorIs(t, err, verify.ErrUntrusted, name)
		assert.ErrorContains(t, err, name)
	}
}
