package registry

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// MaxKeys is how many verification keys there may be: the one that signs, those
// before it whose tokens still live, and the next.
const MaxKeys = 8

// maxPEM bounds a key file; one has some 250 bytes.
const maxPEM = 16 << 10

// GenerateKey makes a key for [TokenOptions]: ECDSA on P-256, PEM, PKCS #8. It is a
// secret; keep it in a file of mode 0600 or in a secret store.
func GenerateKey() ([]byte, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a token key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, fmt.Errorf("make a token key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}

// parsePrivate reads a private key; its errors never hold any of it.
func parsePrivate(b []byte) (*ecdsa.PrivateKey, error) {
	k, err := parsePEM(b)
	if err != nil {
		return nil, err
	}
	private, ok := k.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errors.New("is not a private key")
	}
	return private, nil
}

// parsePublic reads a public key, or takes that of a private one.
func parsePublic(b []byte) (*ecdsa.PublicKey, error) {
	k, err := parsePEM(b)
	if err != nil {
		return nil, err
	}
	if private, ok := k.(*ecdsa.PrivateKey); ok {
		return &private.PublicKey, nil
	}
	return k.(*ecdsa.PublicKey), nil
}

// parsePEM returns an *ecdsa.PrivateKey or an *ecdsa.PublicKey on P-256.
func parsePEM(b []byte) (any, error) {
	if len(b) > maxPEM {
		return nil, fmt.Errorf("%d bytes are more than a key has", len(b))
	}
	block, _ := pem.Decode(b)
	if block == nil {
		return nil, errors.New("is not PEM")
	}
	var k any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		k, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		k, err = x509.ParseECPrivateKey(block.Bytes)
	case "PUBLIC KEY":
		k, err = x509.ParsePKIXPublicKey(block.Bytes)
	default:
		return nil, fmt.Errorf("is PEM of type %.40q, not a key", block.Type)
	}
	if err != nil {
		return nil, errors.New("is damaged, or not a key of that type")
	}
	switch k := k.(type) {
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P256() {
			return k, nil
		}
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return k, nil
		}
	}
	return nil, errors.New("is not an ECDSA key on P-256")
}

// publicJWK is a verification key; its kid is the JWK thumbprint (RFC 7638, SHA-256).
func publicJWK(k *ecdsa.PublicKey) (jose.JSONWebKey, error) {
	j := jose.JSONWebKey{Key: k, Algorithm: string(jose.ES256), Use: "sig"}
	sum, err := j.Thumbprint(crypto.SHA256)
	if err != nil {
		return j, err
	}
	j.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	return j, nil
}

// keys are what tokens are signed and verified with.
type keys struct {
	signer jose.Signer
	jwks   []byte
}

// newKeys puts the signing key and those that are accepted beside it into a key set.
func newKeys(key []byte, accept [][]byte) (*keys, error) {
	if len(key) == 0 {
		return nil, errors.New("there is no Key; make one with GenerateKey and keep it")
	}
	private, err := parsePrivate(key)
	if err != nil {
		return nil, fmt.Errorf("key %w", err)
	}
	if len(accept) >= MaxKeys {
		return nil, fmt.Errorf("%d keys are more than %d", len(accept)+1, MaxKeys)
	}
	first, err := publicJWK(&private.PublicKey)
	if err != nil {
		return nil, err
	}
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{first}}
	for i, b := range accept {
		public, err := parsePublic(b)
		if err != nil {
			return nil, fmt.Errorf("accepted key %d %w", i, err)
		}
		j, err := publicJWK(public)
		if err != nil {
			return nil, err
		}
		if len(set.Key(j.KeyID)) == 0 {
			set.Keys = append(set.Keys, j)
		}
	}
	out := &keys{}
	if out.jwks, err = json.MarshalIndent(set, "", "  "); err != nil {
		return nil, err
	}
	out.signer, err = jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: first.KeyID}},
		(&jose.SignerOptions{}).WithType("JWT"))
	return out, err
}
