package server

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"github.com/souk-dev/souk/marketplace/hub/registry"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/tuf"
)

// Names of the files in Dir/keys.
const (
	keyDir     = "keys"
	maxKeyFile = 16 << 10 // bytes
)

// keys are the hub's own.
type keys struct {
	catalog  tuf.Keys            // without root keys when these are offline
	reviewer *sigstore.KeySigner // attests reviews
	registry []byte              // signs tokens of the registry, PEM
	cookies  []byte              // seals sign-ins that are under way
}

// keyring loads keys from files, and makes those that are missing.
type keyring struct{ root *safefs.Root }

// load reads a key, or makes it and stores it durably before anything is signed with it.
func (k keyring) load(name string, generate func() ([]byte, error)) ([]byte, error) {
	file := keyDir + "/" + name
	b, err := k.root.ReadFile(file, maxKeyFile)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if b, err = generate(); err != nil {
		return nil, err
	}
	if err := k.root.MkdirDurable(keyDir, 0o700); err != nil {
		return nil, err
	}
	return b, k.root.WriteFile(file, b, 0o600)
}

func (k keyring) tuf(names ...string) ([]tuf.Key, error) {
	var out []tuf.Key
	for _, name := range names {
		b, err := k.load(name+".pem", func() ([]byte, error) {
			key, err := tuf.GenerateKey()
			if err != nil {
				return nil, err
			}
			return key.PEM()
		})
		if err != nil {
			return nil, fmt.Errorf("catalog key %s: %w", name, err)
		}
		key, err := tuf.ParseKey(b)
		if err != nil {
			return nil, fmt.Errorf("catalog key %s: %w", name, err)
		}
		out = append(out, key)
	}
	return out, nil
}

// load reads all keys. Root keys are made with the catalog, and not asked for afterwards.
func loadKeys(root *safefs.Root) (k keys, err error) {
	ring := keyring{root}
	if k.catalog.Targets, err = ring.tuf("catalog-targets"); err != nil {
		return k, err
	}
	if k.catalog.Snapshot, err = ring.tuf("catalog-snapshot"); err != nil {
		return k, err
	}
	if k.catalog.Timestamp, err = ring.tuf("catalog-timestamp"); err != nil {
		return k, err
	}
	b, err := ring.load("reviews.pem", sigstore.GenerateKey)
	if err != nil {
		return k, fmt.Errorf("key of reviews: %w", err)
	}
	if k.reviewer, err = sigstore.ParseKeySigner(b); err != nil {
		return k, fmt.Errorf("key of reviews: %w", err)
	}
	if k.registry, err = ring.load("registry-tokens.pem", registry.GenerateKey); err != nil {
		return k, fmt.Errorf("key of the registry's tokens: %w", err)
	}
	text, err := ring.load("cookies.hex", func() ([]byte, error) {
		var b [32]byte
		if _, err := rand.Read(b[:]); err != nil {
			return nil, err
		}
		return []byte(hex.EncodeToString(b[:])), nil
	})
	if err != nil {
		return k, fmt.Errorf("key of cookies: %w", err)
	}
	if k.cookies, err = hex.DecodeString(string(text)); err != nil || len(k.cookies) != 32 {
		return k, fmt.Errorf("key of cookies: %s is damaged: remove it, and sign-ins that are under way begin again", root.Abs(keyDir+"/cookies.hex"))
	}
	return k, nil
}

// rootKeys makes or reads the three root keys, two of which have to sign.
func rootKeys(root *safefs.Root) ([]tuf.Key, error) {
	return keyring{root}.tuf("catalog-root-1", "catalog-root-2", "catalog-root-3")
}
