package sigstore_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify/sigstore"
)

// FuzzVerify feeds bundles that a registry could serve. Whatever they are, Verify
// does not panic, and says yes only with a report that says so too, and only of
// the one who signed.
func FuzzVerify(f *testing.F) {
	acme := newSigner(f)
	own := newInstance(f)
	v := own.verifier(f)
	f.Add(signed(f, acme))
	f.Add(signed(f, newSigner(f)))
	f.Add(own.signed(f, robot, ofManifest(), nil))
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
			require.Contains(t, s.Signers, report.Signer())
		}
		_, _, err = v.Attested(t.Context(), s, evidence(bundle), "https://example.org/review/v1")
		require.Error(t, err, "no seed is a review")
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
