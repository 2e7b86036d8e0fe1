package sigstore

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/souk-dev/souk/verify"
)

var _ verify.Signer = (*KeySigner)(nil)

// KeySigner signs with a key, and writes bundles byte for byte as cosign v3 does.
// It is safe for concurrent use if its crypto.Signer is, as those of the standard
// library are.
type KeySigner struct {
	key      crypto.Signer
	identity verify.Identity
	hint     string
}

// NewKeySigner returns a signer for an ECDSA P-256 or Ed25519 key, which may live
// in a hardware token or a key service.
func NewKeySigner(key crypto.Signer) (*KeySigner, error) {
	if key == nil {
		return nil, fmt.Errorf("no key to sign with")
	}
	id, hint, err := describe(key.Public())
	if err != nil {
		return nil, err
	}
	return &KeySigner{key: key, identity: id, hint: hint}, nil
}

// ParseKeySigner returns a signer for an unencrypted private key in PEM, PKCS #8
// or SEC 1.
func ParseKeySigner(privatePEM []byte) (*KeySigner, error) {
	key, err := parsePrivate(privatePEM)
	if err != nil {
		return nil, err
	}
	return NewKeySigner(key)
}

// Identity returns the public key as an identity, in canonical PEM.
func (s *KeySigner) Identity() verify.Identity { return s.identity }

// Sign returns a bundle that says: I published the manifest with digest d.
func (s *KeySigner) Sign(ctx context.Context, d verify.Digest) ([]byte, error) {
	return s.sign(ctx, d, SignatureType, json.RawMessage("{}"))
}

// Attest returns a bundle that says something else about the manifest with digest
// d: a review, a scan, a provenance. The predicate is a JSON value of the given
// type, which must not be [SignatureType].
func (s *KeySigner) Attest(ctx context.Context, d verify.Digest, predicateType string, predicate json.RawMessage) ([]byte, error) {
	if err := checkAttestationType(predicateType); err != nil {
		return nil, err
	}
	return s.sign(ctx, d, predicateType, predicate)
}

// The wire forms, with their fields in the order in which cosign writes them.
type (
	wireBundle struct {
		MediaType string       `json:"mediaType"`
		Material  wireMaterial `json:"verificationMaterial"`
		Envelope  wireEnvelope `json:"dsseEnvelope"`
	}
	wireMaterial struct {
		PublicKey wireHint `json:"publicKey"`
	}
	wireHint struct {
		Hint string `json:"hint"`
	}
	wireEnvelope struct {
		Payload     []byte          `json:"payload"`
		PayloadType string          `json:"payloadType"`
		Signatures  []wireSignature `json:"signatures"`
	}
	wireSignature struct {
		Sig []byte `json:"sig"`
	}
	wireStatement struct {
		Type          string          `json:"_type"`
		Subject       []wireSubject   `json:"subject"`
		PredicateType string          `json:"predicateType"`
		Predicate     json.RawMessage `json:"predicate"`
	}
	wireSubject struct {
		Digest      map[string]string `json:"digest"`
		Annotations struct{}          `json:"annotations"`
	}
)

func (s *KeySigner) sign(ctx context.Context, d verify.Digest, predicateType string, predicate json.RawMessage) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if !d.Valid() {
		return nil, fmt.Errorf("sign: %w: %.80q is not a digest", verify.ErrDigest, string(d))
	}
	payload, err := json.Marshal(wireStatement{
		Type:          statementV1,
		Subject:       []wireSubject{{Digest: map[string]string{"sha256": d.Hex()}}},
		PredicateType: predicateType,
		Predicate:     predicate,
	})
	if err != nil {
		return nil, fmt.Errorf("sign: encode statement: %w", err)
	}
	return s.envelope(payload)
}

// envelope signs a statement and wraps it in a bundle.
func (s *KeySigner) envelope(payload []byte) ([]byte, error) {
	sig, err := s.signMessage(preAuthEncoding(payloadType, payload))
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	b, err := json.Marshal(wireBundle{
		MediaType: MediaType,
		Material:  wireMaterial{PublicKey: wireHint{Hint: s.hint}},
		Envelope: wireEnvelope{
			Payload: payload, PayloadType: payloadType,
			Signatures: []wireSignature{{Sig: sig}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("sign: encode bundle: %w", err)
	}
	if len(b) > verify.MaxBundle {
		return nil, fmt.Errorf("sign: bundle would have %d bytes; at most %d are read", len(b), verify.MaxBundle)
	}
	return b, nil
}

// signMessage hashes for ECDSA, and not for Ed25519, which hashes by itself.
func (s *KeySigner) signMessage(message []byte) ([]byte, error) {
	if _, ok := s.key.Public().(*ecdsa.PublicKey); ok {
		sum := sha256.Sum256(message)
		return s.key.Sign(rand.Reader, sum[:], crypto.SHA256)
	}
	return s.key.Sign(rand.Reader, message, crypto.Hash(0))
}

// preAuthEncoding is what a DSSE signature is computed over.
// See https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md.
func preAuthEncoding(kind string, payload []byte) []byte {
	return fmt.Appendf(nil, "DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload)
}
