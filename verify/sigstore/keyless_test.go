package sigstore_test

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protodsse "github.com/sigstore/protobuf-specs/gen/pb-go/dsse"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/testing/ca"
	"github.com/sigstore/sigstore-go/pkg/tlog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

var robot = verify.Identity{Issuer: "https://issuer.example", Subject: "release@acme.example"}

// instance is a sigstore of our own: certificate authority, log and timestamps.
type instance struct{ *ca.VirtualSigstore }

func newInstance(t testing.TB) instance {
	t.Helper()
	v, err := ca.NewVirtualSigstore()
	require.NoError(t, err)
	return instance{v}
}

func (i instance) trustedRoot(t testing.TB, ctlogs map[string]*root.TransparencyLog) []byte {
	t.Helper()
	r, err := root.NewTrustedRoot(root.TrustedRootMediaType01, i.FulcioCertificateAuthorities(), ctlogs, i.TimestampingAuthorities(), i.rekor(t))
	require.NoError(t, err)
	b, err := r.MarshalJSON()
	require.NoError(t, err)
	return b
}

// rekor gives the log the ID it has on the wire: bytes, not their hex.
func (i instance) rekor(t testing.TB) map[string]*root.TransparencyLog {
	t.Helper()
	logs := i.RekorLogs()
	for id, log := range logs {
		log.ID = fromHex(t, id)
	}
	return logs
}

func (i instance) verifier(t testing.TB) *sigstore.Verifier {
	t.Helper()
	v, err := sigstore.New(sigstore.Options{TrustedRoot: i.trustedRoot(t, nil), NoCertificateLog: true})
	require.NoError(t, err)
	return v
}

// signed is a keyless bundle over payload, changed by edit if that is not nil.
func (i instance) signed(t testing.TB, who verify.Identity, payload string, edit func(*protobundle.Bundle)) []byte {
	t.Helper()
	entity, err := i.AttestAtTime(who.Subject, who.Issuer, []byte(payload), time.Now().Add(5*time.Minute), true)
	require.NoError(t, err)
	content, err := entity.VerificationContent()
	require.NoError(t, err)
	signature, err := entity.SignatureContent()
	require.NoError(t, err)
	sig, err := base64.StdEncoding.DecodeString(signature.EnvelopeContent().RawEnvelope().Signatures[0].Sig)
	require.NoError(t, err)
	stamps, err := entity.Timestamps()
	require.NoError(t, err)
	entries, err := entity.TlogEntries()
	require.NoError(t, err)

	material := &protobundle.VerificationMaterial{
		Content: &protobundle.VerificationMaterial_Certificate{
			Certificate: &protocommon.X509Certificate{RawBytes: content.Certificate().Raw},
		},
		TimestampVerificationData: &protobundle.TimestampVerificationData{},
	}
	for _, e := range entries {
		material.TlogEntries = append(material.TlogEntries, i.complete(t, e.TransparencyLogEntry()))
	}
	for _, s := range stamps {
		material.TimestampVerificationData.Rfc3161Timestamps = append(material.TimestampVerificationData.Rfc3161Timestamps,
			&protocommon.RFC3161SignedTimestamp{SignedTimestamp: s})
	}
	b := &protobundle.Bundle{
		MediaType:            sigstore.MediaType,
		VerificationMaterial: material,
		Content: &protobundle.Bundle_DsseEnvelope{DsseEnvelope: &protodsse.Envelope{
			Payload: []byte(payload), PayloadType: "application/vnd.in-toto+json",
			Signatures: []*protodsse.Signature{{Sig: sig}},
		}},
	}
	if edit != nil {
		edit(b)
	}
	out, err := protojson.Marshal(b)
	require.NoError(t, err)
	return out
}

// complete adds to a log entry what it has on the wire, and not in memory: its kind
// and the log's promise.
func (i instance) complete(t testing.TB, e *protorekor.TransparencyLogEntry) *protorekor.TransparencyLogEntry {
	t.Helper()
	promise, err := i.RekorSignPayload(tlog.RekorPayload{
		Body: base64.StdEncoding.EncodeToString(e.GetCanonicalizedBody()), IntegratedTime: e.GetIntegratedTime(),
		LogIndex: e.GetLogIndex(), LogID: hex.EncodeToString(e.GetLogId().GetKeyId()),
	})
	require.NoError(t, err)
	e.KindVersion = &protorekor.KindVersion{Kind: "dsse", Version: "0.0.1"}
	e.InclusionPromise = &protorekor.InclusionPromise{SignedEntryTimestamp: promise}
	return e
}

func ofManifest() string {
	return statement(`{"digest":{"sha256":"`+verify.DigestOf(manifest).Hex()+`"}}`, sigstore.SignatureType)
}

func TestKeyless(t *testing.T) {
	t.Parallel()
	own := newInstance(t)
	report, err := own.verifier(t).Verify(t.Context(), subject(newSigner(t).Identity(), robot), evidence(own.signed(t, robot, ofManifest(), nil)))
	require.NoError(t, err)
	assert.Equal(t, robot, report.Signer())
	assert.WithinDuration(t, time.Now(), report.Checks[0].Time, time.Hour, "a keyless signature proves its time")
}

func TestKeylessRefused(t *testing.T) {
	t.Parallel()
	own, theirs := newInstance(t), newInstance(t)
	other := func(issuer, subject string) verify.Identity { return verify.Identity{Issuer: issuer, Subject: subject} }
	for name, tt := range map[string]struct {
		bundle []byte
		say    string
	}{
		"another subject":          {own.signed(t, other(robot.Issuer, "release@evil.example"), ofManifest(), nil), "may not sign for acme"},
		"another issuer":           {own.signed(t, other("https://evil.example", robot.Subject), ofManifest(), nil), "may not sign for acme"},
		"subject with a tail":      {own.signed(t, other(robot.Issuer, robot.Subject+".evil"), ofManifest(), nil), "may not sign for acme"},
		"another sigstore":         {theirs.signed(t, robot, ofManifest(), nil), "signature broken"},
		"about another":            {own.signed(t, robot, strings.ReplaceAll(ofManifest(), verify.DigestOf(manifest).Hex(), verify.DigestOf(nil).Hex()), nil), "no signature of this release"},
		"an attestation":           {own.signed(t, robot, strings.Replace(ofManifest(), "cosign/sign", "other", 1), nil), "no signature: it states"},
		"not in the log":           {own.signed(t, robot, ofManifest(), func(b *protobundle.Bundle) { b.VerificationMaterial.TlogEntries = nil }), "signature broken"},
		"log entry of another":     {own.signed(t, robot, ofManifest(), func(b *protobundle.Bundle) { b.VerificationMaterial.TlogEntries = entriesOf(t, own) }), "signature broken"},
		"signature of another":     {own.signed(t, robot, ofManifest(), func(b *protobundle.Bundle) { b.GetDsseEnvelope().Signatures[0].Sig[8] ^= 1 }), "signature broken"},
		"certificate is not one":   {own.signed(t, robot, ofManifest(), func(b *protobundle.Bundle) { b.VerificationMaterial.GetCertificate().RawBytes = []byte("x") }), "signature broken"},
		"certificate by a key":     {own.signed(t, robot, ofManifest(), func(b *protobundle.Bundle) { b.VerificationMaterial.Content = keyMaterial() }), "may not sign for acme"},
		"without trusted time":     {own.signed(t, robot, ofManifest(), withoutTime), "signature broken"},
		"nothing but a statement":  {own.signed(t, robot, ofManifest(), func(b *protobundle.Bundle) { b.VerificationMaterial = nil }), "not a sigstore bundle"},
		"no envelope, just digest": {own.signed(t, robot, ofManifest(), messageSignature), "no DSSE envelope"},
	} {
		report, err := own.verifier(t).Verify(t.Context(), subject(robot), evidence(tt.bundle))
		assert.ErrorIs(t, err, verify.ErrUntrusted, name)
		assert.ErrorContains(t, err, tt.say, name)
		assert.Error(t, report.Err(), name)
	}
}

func TestKeylessNotConfigured(t *testing.T) {
	t.Parallel()
	own := newInstance(t)
	report, err := newVerifier(t).Verify(t.Context(), subject(robot), evidence(own.signed(t, robot, ofManifest(), nil)))
	require.ErrorIs(t, err, verify.ErrUntrusted)
	require.ErrorContains(t, err, "keyless signatures are not configured")
	assert.Equal(t, verify.VerdictNotConfigured, report.Considered[0].Verdict)
	assert.Equal(t, verify.VerdictFail, report.Checks[0].Verdict)
}

// TestKeylessNeedsCertificateLog: what our own instance issues is in no such log.
func TestKeylessNeedsCertificateLog(t *testing.T) {
	t.Parallel()
	own := newInstance(t)
	ctlogs := own.CTLogs()
	for id, log := range ctlogs {
		log.ID = fromHex(t, id)
	}
	v, err := sigstore.New(sigstore.Options{TrustedRoot: own.trustedRoot(t, ctlogs)})
	require.NoError(t, err)
	_, err = v.Verify(t.Context(), subject(robot), evidence(own.signed(t, robot, ofManifest(), nil)))
	require.ErrorIs(t, err, verify.ErrUntrusted)
	require.ErrorContains(t, err, "certificate timestamp")
}

func TestNewRefusesAnUnderspecifiedRoot(t *testing.T) {
	t.Parallel()
	own := newInstance(t)
	empty, err := root.NewTrustedRoot(root.TrustedRootMediaType01, nil, nil, nil, nil)
	require.NoError(t, err)
	nobody, err := empty.MarshalJSON()
	require.NoError(t, err)
	logless, err := root.NewTrustedRoot(root.TrustedRootMediaType01, own.FulcioCertificateAuthorities(), nil, nil, nil)
	require.NoError(t, err)
	unlogged, err := logless.MarshalJSON()
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		root []byte
		say  string
	}{
		"not JSON":           {[]byte("x"), "trusted root"},
		"empty object":       {[]byte("{}"), "media type"},
		"no authority":       {nobody, "no certificate authority"},
		"no log":             {unlogged, "no transparency log"},
		"no certificate log": {own.trustedRoot(t, nil), "NoCertificateLog"},
		"too large":          {make([]byte, sigstore.MaxTrustedRoot+1), "at most"},
	} {
		_, err := sigstore.New(sigstore.Options{TrustedRoot: tt.root})
		assert.ErrorContains(t, err, tt.say, name)
	}
}
