package sigstore_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

func publicPEM(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func privatePEM(t testing.TB, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// TestIdentityIsTheKeyNotItsFile: however the PEM is wrapped, it is one identity,
// and evidence by it is accepted.
func TestIdentityIsTheKeyNotItsFile(t *testing.T) {
	t.Parallel()
	acme := newSigner(t)
	text := acme.Identity().Key
	unwrapped := strings.Split(strings.TrimSpace(text), "\n")
	one := unwrapped[0] + "\n" + strings.Join(unwrapped[1:len(unwrapped)-1], "") + "\n" + unwrapped[len(unwrapped)-1]
	good := signed(t, acme)
	for name, same := range map[string]string{
		"as it is": text, "no newline at the end": strings.TrimSpace(text), "blank lines around": "\n\n" + text + "\n \n",
		"CRLF": strings.ReplaceAll(text, "\n", "\r\n"), "one line": one,
	} {
		id, err := sigstore.KeyIdentity([]byte(same))
		require.NoError(t, err, name)
		assert.Equal(t, acme.Identity(), id, name)
		report, err := newVerifier(t).Verify(t.Context(), subject(verify.Identity{Key: same}), evidence(good))
		require.NoError(t, err, name)
		assert.Equal(t, acme.Identity().ID(), report.Signer().ID(), name)
	}
}

func TestKeyIdentityRefuses(t *testing.T) {
	t.Parallel()
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	good := newSigner(t).Identity().Key
	secret, err := sigstore.GenerateKey()
	require.NoError(t, err)
	for name, tt := range map[string]struct{ text, say string }{
		"empty":         {"", "not PEM"},
		"text":          {"ssh-ed25519 AAAA", "not PEM"},
		"text before":   {"# acme\n" + good, "not PEM"},
		"text after":    {good + "acme", "more than one key"},
		"two keys":      {good + good, "more than one key"},
		"private key":   {string(secret), "a public key"},
		"P-384":         {publicPEM(t, &p384.PublicKey), "P-384"},
		"RSA":           {publicPEM(t, &weak.PublicKey), "use ECDSA P-256 or Ed25519"},
		"broken inside": {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "parse public key"},
		"no end":        {"-----BEGIN PUBLIC KEY-----\nAAAA\n", "not PEM"},
	} {
		id, err := sigstore.KeyIdentity([]byte(tt.text))
		assert.ErrorContains(t, err, tt.say, name)
		assert.Zero(t, id, name)
	}
}

func TestParseKeySigner(t *testing.T) {
	t.Parallel()
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	sec1, err := x509.MarshalECPrivateKey(curve)
	require.NoError(t, err)
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		text []byte
		of   any
	}{
		"Ed25519": {privatePEM(t, edwards), edwards.Public()},
		"PKCS #8": {privatePEM(t, curve), curve.Public()},
		"SEC 1":   {pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1}), curve.Public()},
	} {
		s, err := sigstore.ParseKeySigner(tt.text)
		require.NoError(t, err, name)
		assert.Equal(t, publicPEM(t, tt.of), s.Identity().Key, name)
	}
	for name, text := range map[string][]byte{
		"empty":     nil,
		"RSA":       privatePEM(t, weak),
		"encrypted": pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED SIGSTORE PRIVATE KEY", Bytes: []byte("x")}),
		"broken":    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}),
		"public":    []byte(publicPEM(t, edwards.Public())),
	} {
		_, err := sigstore.ParseKeySigner(text)
		assert.Error(t, err, name)
	}
	_, err = sigstore.NewKeySigner(nil)
	require.Error(t, err)
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	_, err := s.Sign(t.Context(), "sha256:../../etc/passwd")
	require.ErrorIs(t, err, verify.ErrDigest)
	_, err = s.Attest(t.Context(), verify.DigestOf(nil), "https://example.org/review/v1", []byte("{"))
	require.ErrorContains(t, err, "encode statement")
	_, err = s.Attest(t.Context(), verify.DigestOf(nil), "https://example.org/review/v1",
		[]byte(`"`+strings.Repeat("x", verify.MaxBundle)+`"`))
	require.ErrorContains(t, err, "at most")
}
