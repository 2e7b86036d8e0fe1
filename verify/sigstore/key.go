package sigstore

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/souk-dev/souk/verify"
)

const (
	pemPublic  = "PUBLIC KEY"
	pemPrivate = "PRIVATE KEY"
	pemEC      = "EC PRIVATE KEY"
)

// KeyIdentity returns the identity of a public key given as PEM (PKIX, ECDSA
// P-256 or Ed25519). The PEM in it is canonical, so that the same key always has
// the same [verify.Identity.ID], however its file is wrapped or spaced.
func KeyIdentity(publicPEM []byte) (verify.Identity, error) {
	key, err := parsePublic(publicPEM)
	if err != nil {
		return verify.Identity{}, err
	}
	id, _, err := describe(key)
	return id, err
}

// GenerateKey returns a new ECDSA P-256 private key as PKCS #8 PEM, the kind
// cosign makes, for [ParseKeySigner]. It is not encrypted: the caller guards it.
func GenerateKey() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("generate key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemPrivate, Bytes: der}), nil
}

// describe returns the identity of a public key and the hint that cosign writes
// into bundles for it: the base64 of the SHA-256 of its PKIX form.
func describe(key crypto.PublicKey) (id verify.Identity, hint string, err error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return id, "", fmt.Errorf("key is ECDSA on %s; use P-256 or Ed25519", k.Curve.Params().Name)
		}
	case ed25519.PublicKey:
		if len(k) != ed25519.PublicKeySize {
			return id, "", fmt.Errorf("ed25519 key has %d bytes, not %d", len(k), ed25519.PublicKeySize)
		}
	default:
		return id, "", fmt.Errorf("key is %T; use ECDSA P-256 or Ed25519", key)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return id, "", fmt.Errorf("encode public key: %w", err)
	}
	sum := sha256.Sum256(der)
	id.Key = string(pem.EncodeToMemory(&pem.Block{Type: pemPublic, Bytes: der}))
	return id, base64.StdEncoding.EncodeToString(sum[:]), nil
}

func parsePublic(text []byte) (crypto.PublicKey, error) {
	block, err := onlyBlock(text)
	if err != nil {
		return nil, err
	}
	if block.Type != pemPublic {
		return nil, fmt.Errorf("PEM block is %.40q; a public key in a %q block is needed", block.Type, pemPublic)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	return key, nil
}

func parsePrivate(text []byte) (crypto.Signer, error) {
	block, err := onlyBlock(text)
	if err != nil {
		return nil, err
	}
	var key any
	switch block.Type {
	case pemPrivate:
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case pemEC:
		key, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("PEM block is %.40q; an unencrypted key in a %q block is needed", block.Type, pemPrivate)
	}
	if err != nil {
		return nil, fmt.Errorf("parse private key: %w", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key is %T; use ECDSA P-256 or Ed25519", key)
	}
	return signer, nil
}

// onlyBlock refuses text around the block: a file that reads as two keys, to two
// readers, is not an identity.
func onlyBlock(text []byte) (*pem.Block, error) {
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("-----BEGIN ")) {
		return nil, errors.New("key is not PEM")
	}
	block, rest := pem.Decode(text)
	if block == nil {
		return nil, errors.New("key is not PEM")
	}
	if len(bytes.TrimSpace(rest)) != 0 {
		return nil, errors.New("more than one key in the PEM")
	}
	return block, nil
}
