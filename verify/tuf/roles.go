package tuf

import (
	"fmt"
	"maps"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/souk-dev/souk/verify"
)

// RoleStatus is the version of a role's metadata and when it expires; zero when
// nothing was published yet.
type RoleStatus struct {
	Version int64
	Expires time.Time
}

// Status is what an operator watches, so that no role expires unnoticed.
type Status struct {
	Root, Targets, Snapshot, Timestamp RoleStatus
}

// Status returns the version and expiry of each role.
func (r *Repository) Status() Status {
	s := Status{Root: RoleStatus{r.root.Signed.Version, r.root.Signed.Expires}}
	if r.targets != nil {
		s.Targets = RoleStatus{r.targets.Signed.Version, r.targets.Signed.Expires}
		s.Snapshot = RoleStatus{r.snapshot.Signed.Version, r.snapshot.Signed.Expires}
		s.Timestamp = RoleStatus{r.timestamp.Signed.Version, r.timestamp.Signed.Expires}
	}
	return s
}

// Root returns the newest root, which operators of panels pin.
func (r *Repository) Root() ([]byte, error) { return r.root.ToBytes(false) }

func expiry(now time.Time, lifetime time.Duration) time.Time {
	return now.UTC().Truncate(time.Second).Add(lifetime)
}

func (r *Repository) newRoot(version int64, keys Keys, now time.Time) (*metadata.Metadata[metadata.RootType], error) {
	root := metadata.Root(expiry(now, r.config.RootLifetime))
	root.Signed.Version = version
	for _, name := range metadata.TOP_LEVEL_ROLE_NAMES {
		threshold := 1
		switch name {
		case metadata.ROOT:
			threshold = r.config.RootThreshold
		case metadata.TARGETS:
			threshold = r.config.TargetsThreshold
		}
		for _, key := range keys.role(name) {
			if key.public == nil {
				return nil, fmt.Errorf("a key of the role %s is empty", name)
			}
			public, err := metadata.KeyFromPublicKey(key.public)
			if err != nil {
				return nil, err
			}
			if err := root.Signed.AddKey(public, name); err != nil {
				return nil, err
			}
		}
		role := root.Signed.Roles[name]
		role.Threshold = threshold
		if len(role.KeyIDs) < threshold {
			return nil, fmt.Errorf("the role %s has %d keys, and needs %d", name, len(role.KeyIDs), threshold)
		}
	}
	return root, nil
}

func (r *Repository) renewTargets(p *Publication, keys Keys, files map[string]*metadata.TargetFiles, now time.Time) error {
	targets := metadata.Targets(expiry(now, r.config.TargetsLifetime))
	if r.targets != nil {
		targets.Signed.Version = r.targets.Signed.Version + 1
	}
	targets.Signed.Targets = maps.Clone(files)
	if err := r.issue(now, targets, metadata.TARGETS, keys); err != nil {
		return err
	}
	r.targets = targets
	return put(p, fmt.Sprintf("%d.targets.json", targets.Signed.Version), targets)
}

func (r *Repository) renewSnapshot(p *Publication, keys Keys, now time.Time) error {
	snapshot := metadata.Snapshot(expiry(now, r.config.SnapshotLifetime))
	if r.snapshot != nil {
		snapshot.Signed.Version = r.snapshot.Signed.Version + 1
	}
	var err error
	if snapshot.Signed.Meta["targets.json"], err = describe(r.targets, r.targets.Signed.Version); err != nil {
		return err
	}
	if err := r.issue(now, snapshot, metadata.SNAPSHOT, keys); err != nil {
		return err
	}
	r.snapshot = snapshot
	return put(p, fmt.Sprintf("%d.snapshot.json", snapshot.Signed.Version), snapshot)
}

func (r *Repository) renewTimestamp(p *Publication, keys Keys, now time.Time) error {
	stamp := metadata.Timestamp(expiry(now, r.config.TimestampLifetime))
	if r.timestamp != nil {
		stamp.Signed.Version = r.timestamp.Signed.Version + 1
	}
	var err error
	if stamp.Signed.Meta["snapshot.json"], err = describe(r.snapshot, r.snapshot.Signed.Version); err != nil {
		return err
	}
	if err := r.issue(now, stamp, metadata.TIMESTAMP, keys); err != nil {
		return err
	}
	r.timestamp = stamp
	return put(p, "timestamp.json", stamp)
}

// issue signs a role's metadata under the current root, which must be in time:
// nobody would accept it under an expired one.
func (r *Repository) issue(now time.Time, m signed, role string, keys Keys) error {
	if r.root.Signed.IsExpired(now) {
		return fmt.Errorf("its root expired at %s; rotate it first: %w", say(r.root.Signed.Expires), verify.ErrExpired)
	}
	return sign(r.root, m, role, keys.role(role))
}

// put adds metadata to a publication as its bytes.
func put(p *Publication, name string, m signed) error {
	b, err := m.ToBytes(false)
	if err != nil {
		return fmt.Errorf("encode %s: %w", name, err)
	}
	p.add(name, b)
	return nil
}

// describe returns length, digest and version of metadata, for its superior.
func describe(m signed, version int64) (*metadata.MetaFiles, error) {
	b, err := m.ToBytes(false)
	if err != nil {
		return nil, err
	}
	file, err := metadata.TargetFile().FromBytes("", b)
	if err != nil {
		return nil, err
	}
	return &metadata.MetaFiles{Version: version, Length: file.Length, Hashes: file.Hashes}, nil
}

// signed is metadata of any role.
type signed interface {
	Sign(signature.Signer) (*metadata.Signature, error)
	ToBytes(pretty bool) ([]byte, error)
}

// sign adds the signatures of those keys that are private and not used yet, and
// checks that they are enough for the root.
func sign(root *metadata.Metadata[metadata.RootType], m signed, role string, keys []Key) error {
	done := make(map[string]bool)
	if again, ok := m.(*metadata.Metadata[metadata.RootType]); ok {
		for _, s := range again.Signatures {
			done[s.KeyID] = true
		}
	}
	for _, key := range keys {
		if !key.CanSign() || done[key.ID()] {
			continue
		}
		done[key.ID()] = true
		signer, err := key.signer()
		if err != nil {
			return err
		}
		if _, err := m.Sign(signer); err != nil {
			return fmt.Errorf("sign %s: %w", role, err)
		}
	}
	if err := root.VerifyDelegate(role, m); err != nil {
		return fmt.Errorf("sign %s: too few of its keys signed: %w", role, err)
	}
	return nil
}
