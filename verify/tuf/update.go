package tuf

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/souk-dev/souk/verify"
)

// update is one run of the client workflow. It works on a chain of its own, so
// that an error leaves no trace.
// See https://theupdateframework.github.io/specification/v1.0.31/#detailed-client-workflow.
type update struct {
	trust *Trust
	known *verify.CatalogState // nil at first
	fetch verify.FetchMetadata
	now   time.Time

	chain   *trustedmetadata.TrustedMetadata
	roots   [][]byte // above the pinned one, oldest first
	rotated bool     // the root is newer than the known one, which may have revoked keys
}

func (u *update) run(ctx context.Context, stamp []byte) (*verify.CatalogState, error) {
	stamp, err := u.root(ctx, stamp)
	if err != nil {
		return nil, err
	}
	u.chain.RefTime = u.now
	next := &verify.CatalogState{Seen: u.now}
	if next.Timestamp, err = u.timestamp(stamp); err != nil {
		return nil, err
	}
	if next.Snapshot, err = u.snapshot(ctx); err != nil {
		return nil, err
	}
	if next.Targets, err = u.targets(ctx); err != nil {
		return nil, err
	}
	if next.Files, err = u.files(ctx); err != nil {
		return nil, err
	}
	next.Root = u.trust.pinned
	if n := len(u.roots); n > 0 {
		next.Chain, next.Root = u.roots[:n-1], u.roots[n-1]
	}
	next.Expires = earliestExpiry(u.chain)
	return next, nil
}

// root follows the chain of roots to its end. When there was a new one, the
// timestamp read before it may be older than it, and is read again.
func (u *update) root(ctx context.Context, stamp []byte) ([]byte, error) {
	var err error
	if u.chain, u.roots, err = u.trust.climb(u.known); err != nil {
		return nil, err
	}
	before := u.chain.Root.Signed.Version
	if u.known != nil {
		kept, err := metadata.Root().FromBytes(u.known.Root)
		if err != nil {
			return nil, u.trust.refuse("kept root", err)
		}
		u.rotated = kept.Signed.Version < before
	}
	for {
		version := u.chain.Root.Signed.Version + 1
		name := fmt.Sprintf("%d.root.json", version)
		b, err := u.get(ctx, name, MaxRoot)
		if notThere(err) {
			break
		}
		if err != nil {
			return nil, err
		}
		if version-before > MaxRoots {
			return nil, u.trust.refuse("root", fmt.Errorf("more than %d new roots; pin a newer one", MaxRoots))
		}
		if err := inspectRoot(b); err != nil {
			return nil, u.trust.refuse(name, err)
		}
		if _, err := u.chain.UpdateRoot(b); err != nil {
			return nil, u.trust.refuse(name, mixed(err))
		}
		u.roots = append(u.roots, b)
	}
	if u.chain.Root.Signed.Version == before {
		return stamp, nil
	}
	u.rotated = true
	return u.get(ctx, "timestamp.json", MaxTimestamp)
}

// timestamp takes the known one first, so that the new one is held against it.
func (u *update) timestamp(stamp []byte) ([]byte, error) {
	if u.known != nil {
		if err := inspectTimestamp(u.known.Timestamp); err != nil {
			return nil, u.trust.refuse("kept timestamp", err)
		}
		_, err := u.chain.UpdateTimestamp(u.known.Timestamp)
		if err != nil && !u.usable(err, u.chain.Timestamp != nil) {
			return nil, u.trust.refuse("timestamp", err)
		}
	}
	if err := inspectTimestamp(stamp); err != nil {
		return nil, u.trust.refuse("timestamp", err)
	}
	_, err := u.chain.UpdateTimestamp(stamp)
	same := errors.Is(err, &metadata.ErrEqualVersionNumber{})
	if t := u.chain.Timestamp; t != nil && t.Signed.IsExpired(u.now) && (same || errors.Is(err, &metadata.ErrExpiredMetadata{})) {
		return nil, u.trust.refuse("timestamp", fmt.Errorf("%w: timestamp.json was good until %s; the catalog was not renewed, or an old copy is served",
			verify.ErrExpired, say(t.Signed.Expires)))
	}
	if same {
		return u.known.Timestamp, nil
	}
	if err != nil {
		return nil, u.trust.refuse("timestamp", err)
	}
	return stamp, nil
}

// usable reports whether an error over known metadata is none: it is expired, but
// loaded, and good enough to hold the new against; or it is by a key that a newer
// root revoked, and rightly forgotten: so a catalog recovers from a stolen key
// whose thief counted versions up to the sky.
func (u *update) usable(err error, loaded bool) bool {
	if loaded {
		return errors.Is(err, &metadata.ErrExpiredMetadata{}) || errors.Is(err, &metadata.ErrBadVersionNumber{})
	}
	return u.rotated && errors.Is(err, &metadata.ErrUnsignedMetadata{})
}

func (u *update) snapshot(ctx context.Context) ([]byte, error) {
	promised := u.chain.Timestamp.Signed.Meta["snapshot.json"]
	if u.known != nil {
		if err := inspectSnapshot(u.known.Snapshot); err != nil {
			return nil, u.trust.refuse("kept snapshot", err)
		}
		_, err := u.chain.UpdateSnapshot(u.known.Snapshot, true)
		if err == nil && promised.VerifyLengthHashes(u.known.Snapshot) == nil {
			return u.known.Snapshot, nil
		}
		if err != nil && !u.usable(err, u.chain.Snapshot != nil) {
			return nil, u.trust.refuse("snapshot", err)
		}
	}
	name := fmt.Sprintf("%d.snapshot.json", promised.Version)
	b, err := u.get(ctx, name, limit(promised.Length, MaxSnapshot))
	if err != nil {
		return nil, err
	}
	if err := promised.VerifyLengthHashes(b); err != nil {
		return nil, u.trust.refuse(name, err)
	}
	if err := inspectSnapshot(b); err != nil {
		return nil, u.trust.refuse(name, err)
	}
	older := u.chain.Snapshot
	if _, err = u.chain.UpdateSnapshot(b, false); err != nil {
		if u.chain.Snapshot != older {
			return nil, u.trust.refuse(name, mixed(err))
		}
		return nil, u.trust.refuse(name, err)
	}
	return b, nil
}

func (u *update) targets(ctx context.Context) ([]byte, error) {
	promised := u.chain.Snapshot.Signed.Meta["targets.json"]
	if u.known != nil && inspectTargets(u.known.Targets) == nil {
		if _, err := u.chain.UpdateTargets(u.known.Targets); err == nil {
			return u.known.Targets, nil
		}
	}
	name := fmt.Sprintf("%d.targets.json", promised.Version)
	b, err := u.get(ctx, name, limit(promised.Length, MaxTargets))
	if err != nil {
		return nil, err
	}
	if err := promised.VerifyLengthHashes(b); err != nil {
		return nil, u.trust.refuse(name, err)
	}
	if err := inspectTargets(b); err != nil {
		return nil, u.trust.refuse(name, err)
	}
	if _, err := u.chain.UpdateTargets(b); err != nil {
		return nil, u.trust.refuse(name, mixed(err))
	}
	return b, nil
}

// files reads the target files that are not at hand already.
func (u *update) files(ctx context.Context) (map[string][]byte, error) {
	targets := u.chain.Targets[metadata.TARGETS].Signed.Targets
	out := make(map[string][]byte, len(TargetNames()))
	for _, name := range TargetNames() {
		promised := targets[name]
		if u.known != nil && promised.VerifyLengthHashes(u.known.Files[name]) == nil {
			out[name] = u.known.Files[name]
			continue
		}
		path := filePath(name, promised)
		b, err := u.get(ctx, path, promised.Length)
		if err != nil {
			return nil, err
		}
		if err := promised.VerifyLengthHashes(b); err != nil {
			return nil, u.trust.refuse(name, err)
		}
		out[name] = b
	}
	return out, nil
}

// filePath is the name under which a target file lies: consistent snapshots.
func filePath(name string, f *metadata.TargetFiles) string {
	return hex.EncodeToString(f.Hashes["sha256"]) + "." + name
}

func limit(promised, most int64) int64 {
	if promised > 0 && promised < most {
		return promised
	}
	return most
}
