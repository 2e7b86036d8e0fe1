package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/tuf"
)

// keyring keeps the private keys of the demo's publishers and of its catalog in
// files. In earnest they would be on different machines, the root keys offline.
type keyring struct{ dir string }

// load reads a key, or makes it the first time.
func (k keyring) load(name string, generate func() ([]byte, error)) ([]byte, error) {
	file := filepath.Join(k.dir, name+".pem")
	b, err := os.ReadFile(file)
	if !errors.Is(err, fs.ErrNotExist) {
		return b, err
	}
	if b, err = generate(); err != nil {
		return nil, err
	}
	return b, replaceFile(file, b)
}

// publisher returns the signer of a namespace.
func (k keyring) publisher(name string) (*sigstore.KeySigner, error) {
	b, err := k.load("publisher-"+name, sigstore.GenerateKey)
	if err != nil {
		return nil, fmt.Errorf("key of publisher %s: %w", name, err)
	}
	return sigstore.ParseKeySigner(b)
}

// catalog returns the keys of the catalog: three for the root, of which two have to
// sign, and one for each of the others.
func (k keyring) catalog() (keys tuf.Keys, err error) {
	for _, role := range []struct {
		into  *[]tuf.Key
		names []string
	}{
		{&keys.Root, []string{"root-1", "root-2", "root-3"}},
		{&keys.Targets, []string{"targets"}},
		{&keys.Snapshot, []string{"snapshot"}},
		{&keys.Timestamp, []string{"timestamp"}},
	} {
		for _, name := range role.names {
			b, err := k.load("catalog-"+name, func() ([]byte, error) {
				key, err := tuf.GenerateKey()
				if err != nil {
					return nil, err
				}
				return key.PEM()
			})
			if err != nil {
				return keys, fmt.Errorf("catalog key %s: %w", name, err)
			}
			key, err := tuf.ParseKey(b)
			if err != nil {
				return keys, fmt.Errorf("catalog key %s: %w", name, err)
			}
			*role.into = append(*role.into, key)
		}
	}
	return keys, nil
}
