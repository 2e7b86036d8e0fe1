package sigstore_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

var manifest = []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}`)

func newSigner(t testing.TB) *sigstore.KeySigner {
	t.Helper()
	key, err := sigstore.GenerateKey()
	require.NoError(t, err)
	s, err := sigstore.ParseKeySigner(key)
	require.NoError(t, err)
	return s
}

func newVerifier(t testing.TB) *sigstore.Verifier {
	t.Helper()
	v, err := sigstore.New(sigstore.Options{})
	require.NoError(t, err)
	return v
}

func subject(signers ...verify.Identity) verify.Subject {
	return verify.Subject{Name: "acme/backup@1.4.2", Digest: verify.DigestOf(manifest), Signers: signers}
}

func signed(t testing.TB, s verify.Signer) []byte {
	t.Helper()
	b, err := s.Sign(context.Background(), verify.DigestOf(manifest))
	require.NoError(t, err)
	return b
}

func evidence(bundles ...[]byte) verify.Evidence {
	return verify.Evidence{Manifest: manifest, Bundles: bundles}
}

func TestSignedIsVerified(t *testing.T) {
	t.Parallel()
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	ecdsaKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	for name, key := range map[string]crypto.Signer{"Ed25519": edwards, "ECDSA P-256": ecdsaKey} {
		s, err := sigstore.NewKeySigner(key)
		require.NoError(t, err, name)
		b := signed(t, s)
		report, err := newVerifier(t).Verify(t.Context(), subject(s.Identity()), evidence(b))
		require.NoError(t, err, name)
		require.NoError(t, report.Err(), name)
		assert.Equal(t, s.Identity(), report.Signer(), name)
		assert.Equal(t, verify.DigestOf(b), report.Checks[0].Bundle, name)
		assert.Zero(t, report.Checks[0].Time, "a key proves no time")
		assert.Contains(t, report.Checks[0].Detail, s.Identity().ID())
	}
}

// TestRefused is the table of attacks: each changes one thing about evidence that
// would pass.
func TestRefused(t *testing.T) {
	t.Parallel()
	acme, evil := newSigner(t), newSigner(t)
	good := signed(t, acme)
	elsewhere, err := acme.Sign(t.Context(), verify.DigestOf([]byte("another plugin")))
	require.NoError(t, err)
	review, err := acme.Attest(t.Context(), verify.DigestOf(manifest), "https://example.org/review/v1", json.RawMessage(`{}`))
	require.NoError(t, err)
	edit := func(old, now string) []byte {
		require.Contains(t, string(good), old)
		return []byte(strings.Replace(string(good), old, now, 1))
	}
	var parts struct {
		Envelope struct {
			Payload    []byte
			Signatures []struct{ Sig string }
		} `json:"dsseEnvelope"`
		Material struct {
			PublicKey struct{ Hint string } `json:"publicKey"`
		} `json:"verificationMaterial"`
	}
	require.NoError(t, json.Unmarshal(good, &parts))
	// What the key holder could sign, but no honest tool would.
	crafted := func(statement string) []byte { return envelope(t, acme, statement) }
	hex := verify.DigestOf(manifest).Hex()
	one := `{"digest":{"sha256":"` + hex + `"}}`

	for name, tt := range map[string]struct {
		bundles [][]byte
		say     string
	}{
		"nothing attached":     {nil, "no signature: nothing is attached"},
		"by somebody else":     {[][]byte{signed(t, evil)}, "signed by somebody who may not sign for acme"},
		"moved to another":     {[][]byte{elsewhere}, "no signature of this release"},
		"attestation instead":  {[][]byte{review}, "no signature: it states"},
		"forged under a hint":  {[][]byte{bytes.Replace(signed(t, evil), []byte(hintOf(t, signed(t, evil))), []byte(parts.Material.PublicKey.Hint), 1)}, "signature broken"},
		"payload changed":      {[][]byte{reEnvelope(t, good, `"predicate":{}`, `"predicate":{"x":1}`)}, "signature broken"},
		"signature emptied":    {[][]byte{edit(parts.Envelope.Signatures[0].Sig, "")}, "signature broken"},
		"signature dropped":    {[][]byte{edit(`{"sig":"`+parts.Envelope.Signatures[0].Sig+`"}`, "")}, "signature broken"},
		"two signatures":       {[][]byte{edit(`"signatures":[`, `"signatures":[{"sig":"AAAA"},`)}, "signature broken"},
		"payload type changed": {[][]byte{edit("application/vnd.in-toto+json", "text/plain")}, "no in-toto statement"},
		"older bundle format":  {[][]byte{edit("bundle.v0.3+json", "bundle+json;version=0.2")}, "is not supported"},
		"newer bundle format":  {[][]byte{edit("bundle.v0.3+json", "bundle.v0.4+json")}, "not a sigstore bundle"},
		"no key named":         {[][]byte{edit(parts.Material.PublicKey.Hint, "")}, "may not sign for acme"},
		"not JSON":             {[][]byte{[]byte("-----BEGIN PGP SIGNATURE-----")}, "not a sigstore bundle"},
		"empty":                {[][]byte{{}}, "not a sigstore bundle"},
		"cut short":            {[][]byte{good[:len(good)/2]}, "not a sigstore bundle"},
		"trailing data":        {[][]byte{append(bytes.Clone(good), good...)}, "not a sigstore bundle"},
		"repeated key":         {[][]byte{edit(`{"mediaType"`, `{"mediaType":"x","mediaType"`)}, "not a sigstore bundle"},
		"too large":            {[][]byte{append(bytes.Clone(good), bytes.Repeat([]byte(" "), verify.MaxBundle)...)}, "at most 1048576 are read"},
		"two subjects":         {[][]byte{crafted(statement(one+","+one, sigstore.SignatureType))}, "2 subjects, not exactly one"},
		"no subject":           {[][]byte{crafted(statement("", sigstore.SignatureType))}, "0 subjects, not exactly one"},
		"two digests":          {[][]byte{crafted(statement(`{"digest":{"sha256":"`+hex+`","sha512":"00"}}`, sigstore.SignatureType))}, "no signature of this release"},
		"digest in capitals":   {[][]byte{crafted(statement(`{"digest":{"sha256":"`+strings.ToUpper(hex)+`"}}`, sigstore.SignatureType))}, "no signature of this release"},
		"other algorithm":      {[][]byte{crafted(statement(`{"digest":{"sha512":"`+hex+`"}}`, sigstore.SignatureType))}, "no signature of this release"},
		"almost the type":      {[][]byte{crafted(statement(one, sigstore.SignatureType+"/"))}, "no signature: it states"},
		"statement repeats":    {[][]byte{crafted(`{"predicateType":"x",` + statement(one, sigstore.SignatureType)[1:])}, "no in-toto statement"},
		"old statement":        {[][]byte{crafted(strings.Replace(statement(one, sigstore.SignatureType), "Statement/v1", "Statement/v0.1", 1))}, "statement type"},
	} {
		report, err := newVerifier(t).Verify(t.Context(), subject(acme.Identity()), evidence(tt.bundles...))
		assert.ErrorIs(t, err, verify.ErrUntrusted, name)
		assert.ErrorContains(t, err, tt.say, name)
		assert.Error(t, report.Err(), name)
		assert.Len(t, report.Considered, len(tt.bundles), name)

		// And none of them spoils a good one, wherever it stands.
		report, err = newVerifier(t).Verify(t.Context(), subject(acme.Identity()), evidence(append(tt.bundles, good)...))
		assert.NoError(t, err, name)
		assert.Equal(t, verify.DigestOf(good), report.Checks[0].Bundle, name)
	}
}

func TestCraftedHelperIsAcceptedWhenHonest(t *testing.T) {
	t.Parallel()
	acme := newSigner(t)
	b := envelope(t, acme, statement(`{"digest":{"sha256":"`+verify.DigestOf(manifest).Hex()+`"}}`, sigstore.SignatureType))
	_, err := newVerifier(t).Verify(t.Context(), subject(acme.Identity()), evidence(b))
	require.NoError(t, err)
}

// TestRefusedSubject changes what the catalog says, not the bundle.
func TestRefusedSubject(t *testing.T) {
	t.Parallel()
	acme := newSigner(t)
	good, who := signed(t, acme), acme.Identity()
	for name, tt := range map[string]struct {
		change func(*verify.Subject, *verify.Evidence)
		err    error
		say    string
	}{
		"other manifest served": {func(_ *verify.Subject, e *verify.Evidence) { e.Manifest = []byte("{}") }, verify.ErrDigest, "the catalog promised"},
		"no manifest served":    {func(_ *verify.Subject, e *verify.Evidence) { e.Manifest = nil }, verify.ErrDigest, "the catalog promised"},
		"huge manifest": {func(_ *verify.Subject, e *verify.Evidence) { e.Manifest = make([]byte, verify.MaxManifest+1) },
			verify.ErrUntrusted, "at most 4194304 are read"},
		"no digest":       {func(s *verify.Subject, _ *verify.Evidence) { s.Digest = "" }, verify.ErrDigest, "gives no digest"},
		"nobody may sign": {func(s *verify.Subject, _ *verify.Evidence) { s.Signers = nil }, verify.ErrUntrusted, "nobody may sign for acme"},
		"zero identity":   {func(s *verify.Subject, _ *verify.Evidence) { s.Signers = append(s.Signers, verify.Identity{}) }, verify.ErrUntrusted, "signer 2"},
		"key and subject": {func(s *verify.Subject, _ *verify.Evidence) { s.Signers[0].Subject = "x" }, verify.ErrUntrusted, "signer 1"},
		"key is no key":   {func(s *verify.Subject, _ *verify.Evidence) { s.Signers[0].Key = "x" }, verify.ErrUntrusted, "not PEM"},
		"subject alone":   {func(s *verify.Subject, _ *verify.Evidence) { s.Signers[0] = verify.Identity{Subject: "x"} }, verify.ErrUntrusted, "signer 1"},
		"issuer alone":    {func(s *verify.Subject, _ *verify.Evidence) { s.Signers[0] = verify.Identity{Issuer: "x"} }, verify.ErrUntrusted, "signer 1"},
		"ambiguous issuer": {func(s *verify.Subject, _ *verify.Evidence) {
			s.Signers[0] = verify.Identity{Issuer: "a#b", Subject: "c"}
		}, verify.ErrUntrusted, "fragment"},
		"too many bundles": {func(_ *verify.Subject, e *verify.Evidence) { e.Bundles = make([][]byte, verify.MaxBundles+1) }, verify.ErrUntrusted, "at most 100"},
		"only keyless may": {func(s *verify.Subject, _ *verify.Evidence) {
			s.Signers[0] = verify.Identity{Issuer: "https://i.example", Subject: "acme"}
		}, verify.ErrUntrusted, "may not sign for acme"},
	} {
		s, e := subject(who), evidence(good)
		tt.change(&s, &e)
		report, err := newVerifier(t).Verify(t.Context(), s, e)
		assert.ErrorIs(t, err, tt.err, name)
		assert.ErrorIs(t, err, verify.ErrUntrusted, name)
		assert.ErrorContains(t, err, tt.say, name)
		assert.Error(t, report.Err(), name)
	}
}

// TestJunkCostsNoSignatures: what is not a candidate does not count, and of what
// looks like one only so many are computed.
func TestJunkCostsNoSignatures(t *testing.T) {
	t.Parallel()
	acme, evil := newSigner(t), newSigner(t)
	good := signed(t, acme)
	forged := bytes.Replace(signed(t, evil), []byte(hintOf(t, signed(t, evil))), []byte(hintOf(t, good)), 1)
	fill := func(b []byte, n int) [][]byte {
		out := make([][]byte, n, n+1)
		for i := range out {
			out[i] = b
		}
		return append(out, good)
	}
	v, s := newVerifier(t), subject(acme.Identity())
	_, err := v.Verify(t.Context(), s, evidence(fill(signed(t, evil), verify.MaxBundles-1)...))
	require.NoError(t, err, "99 by strangers")
	_, err = v.Verify(t.Context(), s, evidence(fill(forged, verify.MaxVerified-1)...))
	require.NoError(t, err, "15 forged")
	report, err := v.Verify(t.Context(), s, evidence(fill(forged, verify.MaxVerified)...))
	require.ErrorIs(t, err, verify.ErrUntrusted)
	require.ErrorContains(t, err, "and 14 more")
	assert.Contains(t, report.Considered[verify.MaxVerified].Detail, "not looked at")
}

func TestQuestionsAreNotMixed(t *testing.T) {
	t.Parallel()
	const kind = "https://example.org/review/v1"
	acme, reviewer := newSigner(t), newSigner(t)
	review, err := reviewer.Attest(t.Context(), verify.DigestOf(manifest), kind, json.RawMessage(`{"verdict":"ok"}`))
	require.NoError(t, err)
	both := evidence(signed(t, acme), signed(t, reviewer), review)
	v := newVerifier(t)

	found, report, err := v.Attested(t.Context(), subject(reviewer.Identity()), both, kind)
	require.NoError(t, err)
	assert.JSONEq(t, `{"verdict":"ok"}`, string(found.Predicate))
	assert.Equal(t, reviewer.Identity(), found.Signer)
	assert.Equal(t, "attestation", report.Checks[0].Name)

	_, _, err = v.Attested(t.Context(), subject(acme.Identity()), both, kind)
	require.ErrorIs(t, err, verify.ErrUntrusted, "the publisher does not review")
	_, _, err = v.Attested(t.Context(), subject(reviewer.Identity()), both, "https://example.org/scan/v1")
	require.ErrorIs(t, err, verify.ErrUntrusted, "a review is not a scan")
	_, err = v.Verify(t.Context(), subject(reviewer.Identity()), evidence(review))
	require.ErrorIs(t, err, verify.ErrUntrusted, "a review is not a signature")
	for _, wrong := range []string{"", sigstore.SignatureType} {
		_, _, err = v.Attested(t.Context(), subject(acme.Identity()), both, wrong)
		require.Error(t, err)
		_, err = acme.Attest(t.Context(), verify.DigestOf(manifest), wrong, json.RawMessage(`{}`))
		require.Error(t, err)
	}
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	acme := newSigner(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newVerifier(t).Verify(ctx, subject(acme.Identity()), evidence(signed(t, acme)))
	require.ErrorIs(t, err, context.Canceled)
	_, err = acme.Sign(ctx, verify.DigestOf(manifest))
	require.ErrorIs(t, err, context.Canceled)
}
