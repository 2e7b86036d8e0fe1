package sigstore_test

import (
	"bytes"
	"crypto/ed25519"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

// FuzzVerify feeds bundles that a registry could serve. Whatever they are, Verify
// does not panic, and says yes only with a report that says so too, and only of
// the one who signed. The key is fixed, so that every worker has the same seeds.
func FuzzVerify(f *testing.F) {
	acme, err := sigstore.NewKeySigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	require.NoError(f, err)
	evil, err := sigstore.NewKeySigner(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize)))
	require.NoError(f, err)
	v := newVerifier(f)
	f.Add(signed(f, acme))
	f.Add(signed(f, evil))
	f.Add(envelope(f, acme, "{}"))
	f.Add([]byte(`{"mediaType":"` + sigstore.MediaType + `"}`))
	f.Add([]byte(`{"mediaType":"` + sigstore.MediaType + `","dsseEnvelope":{},"verificationMaterial":{"certificate":{}}}`))
	f.Add([]byte(`{"mediaType":"` + sigstore.MediaType + `","dsseEnvelope":{"payload":"e30="},"verificationMaterial":{"publicKey":{}}}`))
	s := subject(acme.Identity(), robot)
	f.Fuzz(func(t *testing.T, bundle []byte) {
		report, err := v.Verify(t.Context(), s, evidence(bundle))
		require.NotNil(t, report)
		require.Equal(t, err == nil, report.Err() == nil)
		if err == nil {
			require.Equal(t, acme.Identity(), report.Signer())
		}
		_, _, err = v.Attested(t.Context(), s, evidence(bundle), "https://example.org/review/v1")
		require.Error(t, err, "no seed is a review")
	})
}

// FuzzKeyless mutates a bundle with certificate, log entry and timestamps.
func FuzzKeyless(f *testing.F) {
	dir := corpus(f, "sigstore-conformance")
	cases := filepath.Join(dir, "test", "assets", "bundle-verify")
	v, err := sigstore.New(sigstore.Options{TrustedRoot: read(f, dir, "trusted-root-public-good.json")})
	require.NoError(f, err)
	f.Add(read(f, cases, "happy-path-intoto-in-dsse-v3", "bundle.sigstore.json"))
	f.Add(read(f, cases, "happy-path-v0.3", "bundle.sigstore.json"))
	f.Add(read(f, cases, "rekor2-happy-path", "bundle.sigstore.json"))
	about := verify.DigestOf(read(f, cases, "a.txt"))
	f.Fuzz(func(t *testing.T, bundle []byte) {
		require.Error(t, v.Proves(bundle, robot, about), "whoever signed, it was not acme")
	})
}

func FuzzKeyIdentity(f *testing.F) {
	f.Add([]byte(newSigner(f).Identity().Key))
	f.Add([]byte("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"))
	f.Add([]byte(""))
	f.Fuzz(func(t *testing.T, text []byte) {
		id, err := sigstore.KeyIdentity(text)
		if err != nil {
			require.Zero(t, id)
			return
		}
		again, err := sigstore.KeyIdentity([]byte(id.Key))
		require.NoError(t, err)
		require.Equal(t, id, again, "canonical stays canonical")
	})
}
