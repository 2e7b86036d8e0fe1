package sigstore_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	protobundle "github.com/sigstore/protobuf-specs/gen/pb-go/bundle/v1"
	protocommon "github.com/sigstore/protobuf-specs/gen/pb-go/common/v1"
	protorekor "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify/sigstore"
)

// statement is an in-toto statement with the given subjects and predicate type.
func statement(subjects, predicateType string) string {
	return fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[%s],"predicateType":%q,"predicate":{}}`, subjects, predicateType)
}

// envelope signs any text as if it were a statement, which no honest tool does.
func envelope(t testing.TB, s *sigstore.KeySigner, payload string) []byte {
	t.Helper()
	b, err := sigstore.SignPayload(s, []byte(payload))
	require.NoError(t, err)
	return b
}

// reEnvelope changes the payload inside a bundle, and not its signature.
func reEnvelope(t testing.TB, bundle []byte, old, now string) []byte {
	t.Helper()
	var parts struct {
		Envelope struct{ Payload string } `json:"dsseEnvelope"`
	}
	require.NoError(t, json.Unmarshal(bundle, &parts))
	payload, err := base64.StdEncoding.DecodeString(parts.Envelope.Payload)
	require.NoError(t, err)
	require.Contains(t, string(payload), old)
	payload = []byte(strings.Replace(string(payload), old, now, 1))
	return []byte(strings.Replace(string(bundle), parts.Envelope.Payload, base64.StdEncoding.EncodeToString(payload), 1))
}

func hintOf(t testing.TB, bundle []byte) string {
	t.Helper()
	var parts struct {
		Material struct {
			PublicKey struct{ Hint string } `json:"publicKey"`
		} `json:"verificationMaterial"`
	}
	require.NoError(t, json.Unmarshal(bundle, &parts))
	return parts.Material.PublicKey.Hint
}

func fromHex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

func keyMaterial() *protobundle.VerificationMaterial_PublicKey {
	return &protobundle.VerificationMaterial_PublicKey{PublicKey: &protocommon.PublicKeyIdentifier{Hint: "x"}}
}

// withoutTime takes away both the timestamp and the log's promise, which carries one.
func withoutTime(b *protobundle.Bundle) {
	b.VerificationMaterial.TimestampVerificationData = nil
	for _, e := range b.VerificationMaterial.TlogEntries {
		e.InclusionPromise, e.IntegratedTime = nil, 0
	}
}

func messageSignature(b *protobundle.Bundle) {
	b.Content = &protobundle.Bundle_MessageSignature{MessageSignature: &protocommon.MessageSignature{
		MessageDigest: &protocommon.HashOutput{Algorithm: protocommon.HashAlgorithm_SHA2_256, Digest: make([]byte, 32)},
		Signature:     b.GetDsseEnvelope().Signatures[0].Sig,
	}}
}

// entriesOf are the log entries of another, good signature of the same instance.
func entriesOf(t testing.TB, i instance) []*protorekor.TransparencyLogEntry {
	t.Helper()
	var entries []*protorekor.TransparencyLogEntry
	i.signed(t, robot, ofManifest(), func(b *protobundle.Bundle) { entries = b.VerificationMaterial.TlogEntries })
	return entries
}
