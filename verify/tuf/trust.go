package tuf

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/souk-dev/souk/verify"
)

var _ verify.CatalogTrust = (*Trust)(nil)

// TargetNames are the target files a catalog has, all of them.
func TargetNames() []string { return []string{"index", "publishers", "advisories"} }

// Bounds of what is read, in bytes; what is over is an error. Those of the
// metadata are go-tuf's own.
const (
	MaxRoot      = 512_000
	MaxTimestamp = 16_384
	MaxSnapshot  = 2_000_000
	MaxTargets   = 5_000_000
	MaxFile      = 16 << 20 // a target file; publishers and advisories of 10,000 names have some 5 MB
)

// MaxRoots is how many new roots one Update follows. A catalog has one a year,
// and one for each key that is replaced in between.
const MaxRoots = 64

// ClockSlack is how far the clock may stand behind the last successful Update,
// as it does after a correction. What is expired is judged by the later of both.
const ClockSlack = time.Minute

// Options configures a Trust. The zero value is complete.
type Options struct {
	// Name says in errors which catalog it is; empty means "catalog".
	Name string
}

// Trust checks one catalog. It is immutable, does no I/O but for the fetch it is
// given, and is safe for concurrent use.
type Trust struct {
	name   string
	pinned []byte
}

// New returns a Trust for the catalog whose root.json the operator pinned, of any
// version. An expired root is accepted here: Update follows it to its successors.
func New(root []byte, o Options) (*Trust, error) {
	t := &Trust{name: o.Name, pinned: bytes.Clone(root)}
	if t.name == "" {
		t.name = "catalog"
	}
	if _, err := t.pin(); err != nil {
		return nil, err
	}
	return t, nil
}

// pin returns a chain that starts, and so far ends, at the pinned root.
func (t *Trust) pin() (*trustedmetadata.TrustedMetadata, error) {
	if err := inspectRoot(t.pinned); err != nil {
		return nil, t.refuse("root", err)
	}
	chain, err := trustedmetadata.New(t.pinned)
	if err != nil {
		return nil, t.refuse("root", err)
	}
	chain.RefTime = time.Time{} // before any expiry, until the caller knows better than the machine's clock
	return chain, nil
}

// climb follows the kept roots up from the pinned one, and returns those that lie
// above it, oldest first.
func (t *Trust) climb(kept *verify.CatalogState) (*trustedmetadata.TrustedMetadata, [][]byte, error) {
	chain, err := t.pin()
	if err != nil || kept == nil {
		return chain, nil, err
	}
	var roots [][]byte
	for _, b := range append(kept.Chain[:len(kept.Chain):len(kept.Chain)], kept.Root) {
		if bytes.Equal(b, t.pinned) {
			continue
		}
		if err := inspectRoot(b); err != nil {
			return nil, nil, t.refuse("kept root", err)
		}
		next, err := metadata.Root().FromBytes(b)
		if err != nil {
			return nil, nil, t.refuse("kept root", err)
		}
		if next.Signed.Version <= chain.Root.Signed.Version {
			continue // the operator pinned a newer one since
		}
		if _, err := chain.UpdateRoot(b); err != nil {
			return nil, nil, t.refuse("kept root", mixed(err))
		}
		roots = append(roots, b)
	}
	return chain, roots, nil
}

// Load checks again what was kept on disk, from the pinned root up: every
// signature, every digest, and that Expires is what the metadata says. It does
// not judge expiry. It does no I/O and ignores ctx.
func (t *Trust) Load(_ context.Context, kept *verify.CatalogState) error {
	if kept == nil {
		return t.refuse("state", errors.New("nothing was kept"))
	}
	chain, _, err := t.climb(kept)
	if err != nil {
		return err
	}
	if err := inspectTimestamp(kept.Timestamp); err != nil {
		return t.refuse("timestamp", err)
	}
	if _, err := chain.UpdateTimestamp(kept.Timestamp); err != nil {
		return t.refuse("timestamp", mixed(err))
	}
	if err := inspectSnapshot(kept.Snapshot); err != nil {
		return t.refuse("snapshot", err)
	}
	if _, err := chain.UpdateSnapshot(kept.Snapshot, false); err != nil {
		return t.refuse("snapshot", mixed(err))
	}
	if err := inspectTargets(kept.Targets); err != nil {
		return t.refuse("targets", err)
	}
	targets, err := chain.UpdateTargets(kept.Targets)
	if err != nil {
		return t.refuse("targets", mixed(err))
	}
	for _, name := range TargetNames() {
		if err := targets.Signed.Targets[name].VerifyLengthHashes(kept.Files[name]); err != nil {
			return t.refuse(name, err)
		}
	}
	if expires := earliestExpiry(chain); !kept.Expires.Equal(expires) {
		return t.refuse("state", fmt.Errorf("it says it expires at %s, its metadata says %s", say(kept.Expires), say(expires)))
	}
	return nil
}

func earliestExpiry(c *trustedmetadata.TrustedMetadata) time.Time {
	first := c.Root.Signed.Expires
	for _, t := range []time.Time{
		c.Timestamp.Signed.Expires, c.Snapshot.Signed.Expires, c.Targets[metadata.TARGETS].Signed.Expires,
	} {
		if t.Before(first) {
			first = t
		}
	}
	return first.UTC()
}

// Update implements [verify.CatalogTrust]. Errors are [*verify.Error] with the
// role as Check, or fetch's own.
func (t *Trust) Update(ctx context.Context, known *verify.CatalogState, fetch verify.FetchMetadata, now time.Time) (*verify.CatalogState, error) {
	now = now.UTC()
	if known != nil {
		if now.Before(known.Seen.Add(-ClockSlack)) {
			return nil, t.refuse("clock", fmt.Errorf("%w: the clock says %s, but the catalog was seen at %s; set the clock right",
				verify.ErrRollback, say(now), say(known.Seen)))
		}
		if now.Before(known.Seen) {
			now = known.Seen.UTC()
		}
	}
	u := &update{trust: t, known: known, fetch: fetch, now: now}
	stamp, err := u.get(ctx, "timestamp.json", MaxTimestamp)
	if err != nil {
		return nil, err
	}
	// The same timestamp leads to the same catalog. Who serves it again could as
	// well withhold a newer root, so asking for one would prove nothing; it holds
	// until it expires. If what was kept is damaged, the whole way repairs it.
	if known != nil && bytes.Equal(stamp, known.Timestamp) && !now.After(known.Expires) && t.Load(ctx, known) == nil {
		same := *known
		same.Seen = now
		return &same, nil
	}
	return u.run(ctx, stamp)
}

// get reads one file, and holds fetch to the limit it was given.
func (u *update) get(ctx context.Context, name string, limit int64) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := u.fetch(ctx, name, limit)
	if err != nil {
		return nil, fmt.Errorf("fetch %s: %w", name, err)
	}
	if int64(len(b)) > limit {
		return nil, u.trust.refuse(name, fmt.Errorf("%w: it has more than %d bytes", verify.ErrDigest, limit))
	}
	return b, nil
}

// notThere reports whether a file does not exist, which ends the chain of roots.
func notThere(err error) bool { return errors.Is(err, fs.ErrNotExist) }
