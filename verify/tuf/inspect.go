package tuf

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/souk-dev/souk/verify"
)

// The functions here look at the form of metadata before go-tuf acts on it. It
// reads maps of pointers and keys of any length, and takes their presence for
// granted; and this package wants less than the specification allows.

func inspectForm(b []byte, limit int) error {
	if len(b) > limit {
		return fmt.Errorf("%w: it has more than %d bytes", verify.ErrDigest, limit)
	}
	return strict(b)
}

func inspectRoot(b []byte) error {
	if err := inspectForm(b, MaxRoot); err != nil {
		return err
	}
	root, err := metadata.Root().FromBytes(b)
	if err != nil {
		return err
	}
	if root.Signed.Version < 1 {
		return fmt.Errorf("version %d; the first is 1", root.Signed.Version)
	}
	if !root.Signed.ConsistentSnapshot {
		return errors.New("it does not use consistent snapshots")
	}
	for id, key := range root.Signed.Keys {
		if key == nil {
			return fmt.Errorf("key %.64q is null", id)
		}
		public, err := key.ToPublicKey()
		if err != nil {
			return fmt.Errorf("key %.64q: %w", id, err)
		}
		switch k := public.(type) {
		case ed25519.PublicKey:
			if len(k) != ed25519.PublicKeySize {
				return fmt.Errorf("key %.64q has %d bytes, not %d", id, len(k), ed25519.PublicKeySize)
			}
		case *ecdsa.PublicKey:
			if k.Curve != elliptic.P256() {
				return fmt.Errorf("key %.64q is on %s, not P-256", id, k.Curve.Params().Name)
			}
		default:
			return fmt.Errorf("key %.64q is %T; use Ed25519 or ECDSA P-256", id, public)
		}
	}
	for _, name := range metadata.TOP_LEVEL_ROLE_NAMES {
		role := root.Signed.Roles[name]
		if role == nil {
			return fmt.Errorf("it names nobody for the role %s", name)
		}
		if role.Threshold < 1 || role.Threshold > len(role.KeyIDs) {
			return fmt.Errorf("role %s wants %d signatures of %d keys", name, role.Threshold, len(role.KeyIDs))
		}
	}
	return nil
}

func inspectTimestamp(b []byte) error {
	if err := inspectForm(b, MaxTimestamp); err != nil {
		return err
	}
	stamp, err := metadata.Timestamp().FromBytes(b)
	if err != nil {
		return err
	}
	return inspectMeta(stamp.Signed.Meta, "snapshot.json")
}

func inspectSnapshot(b []byte) error {
	if err := inspectForm(b, MaxSnapshot); err != nil {
		return err
	}
	snapshot, err := metadata.Snapshot().FromBytes(b)
	if err != nil {
		return err
	}
	return inspectMeta(snapshot.Signed.Meta, "targets.json")
}

// inspectMeta wants exactly one file described: there are no delegations.
func inspectMeta(meta map[string]*metadata.MetaFiles, name string) error {
	file := meta[name]
	if len(meta) != 1 || file == nil {
		return fmt.Errorf("it does not describe %s, and only that", name)
	}
	if file.Version < 1 || file.Length < 0 {
		return fmt.Errorf("it describes %s of version %d and length %d", name, file.Version, file.Length)
	}
	return nil
}

func inspectTargets(b []byte) error {
	if err := inspectForm(b, MaxTargets); err != nil {
		return err
	}
	targets, err := metadata.Targets().FromBytes(b)
	if err != nil {
		return err
	}
	if targets.Signed.Delegations != nil {
		return errors.New("it delegates to others, which is not supported")
	}
	for _, name := range TargetNames() {
		file := targets.Signed.Targets[name]
		if file == nil {
			return fmt.Errorf("it has no target %q", name)
		}
		if len(file.Hashes["sha256"]) != sha256.Size {
			return fmt.Errorf("target %q has no sha256", name)
		}
		if file.Length < 0 || file.Length > MaxFile {
			return fmt.Errorf("target %q has %d bytes; at most %d are read", name, file.Length, MaxFile)
		}
	}
	return nil
}
