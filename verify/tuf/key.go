package tuf

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

const (
	pemPublic  = "PUBLIC KEY"
	pemPrivate = "PRIVATE KEY"
)

// Key is an Ed25519 key of a role: a private key, or a public key that can stand
// in a root but cannot sign. The zero value is no key. Printing it shows no secret.
type Key struct {
	public  ed25519.PublicKey
	private ed25519.PrivateKey // nil for a public key
}

// GenerateKey returns a new private key.
func GenerateKey() (Key, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return Key{}, fmt.Errorf("generate key: %w", err)
	}
	return Key{public: public, private: private}, nil
}

// ParseKey reads a key from PEM: PKCS #8 for a private key, PKIX for a public one.
// It is not encrypted: the caller guards it.
func ParseKey(text []byte) (Key, error) {
	block, rest := pem.Decode(text)
	if block == nil {
		return Key{}, errors.New("key is not PEM")
	}
	if len(bytes.TrimSpace(rest)) != 0 {
		return Key{}, errors.New("more than one key in the PEM")
	}
	var key any
	var err error
	switch block.Type {
	case pemPrivate:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case pemPublic:
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	default:
		return Key{}, fmt.Errorf("PEM block is %.40q; %q or %q is needed", block.Type, pemPrivate, pemPublic)
	}
	if err != nil {
		return Key{}, fmt.Errorf("parse key: %w", err)
	}
	switch k := key.(type) {
	case ed25519.PrivateKey:
		return Key{public: ed25519.PublicKey(k[ed25519.SeedSize:]), private: k}, nil
	case ed25519.PublicKey:
		return Key{public: k}, nil
	}
	return Key{}, fmt.Errorf("key is %T; use Ed25519", key)
}

// PEM returns the key for ParseKey: a private key with its secret.
func (k Key) PEM() ([]byte, error) {
	if k.private == nil {
		return k.Public().publicPEM()
	}
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: der}), nil
}

func (k Key) publicPEM() ([]byte, error) {
	if k.public == nil {
		return nil, errors.New("encode key: there is none")
	}
	der, err := x509.MarshalPKIXPublicKey(k.public)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}), nil
}

// Public returns the public half.
func (k Key) Public() Key { return Key{public: k.public} }

// CanSign reports whether k is a private key.
func (k Key) CanSign() bool { return k.private != nil }

// ID returns the key's TUF key ID, 64 hex digits, or "" for the zero Key.
func (k Key) ID() string {
	if k.public == nil {
		return ""
	}
	key, err := metadata.KeyFromPublicKey(k.public)
	if err != nil {
		return ""
	}
	id, err := key.ID()
	if err != nil {
		return ""
	}
	return id
}

// String names the key by its ID.
func (k Key) String() string { return "key " + k.ID() }

// GoString is String, so that %#v shows no secret.
func (k Key) GoString() string { return k.String() }

func (k Key) signer() (signature.Signer, error) { return signature.LoadED25519Signer(k.private) }
