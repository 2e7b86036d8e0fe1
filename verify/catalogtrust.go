package verify

import (
	"context"
	"time"
)

// CatalogTrust answers whether a catalog is the one the operator trusts and
// whether it is fresh. It is implemented by verify/tuf. Implementations are pure
// but for fetch, and safe for concurrent use.
type CatalogTrust interface {
	// Update moves the trusted state forward to what fetch serves, as seen at
	// now. known is the state that the last successful Update returned, nil at
	// first. It returns the new state, or an error that wraps ErrUntrusted,
	// ErrDigest, ErrExpired or ErrRollback, or fetch's own error. When it
	// returns an error the caller keeps the old state.
	Update(ctx context.Context, known *CatalogState, fetch FetchMetadata, now time.Time) (*CatalogState, error)
	// Load checks again what was kept on disk: signatures and digests, but not
	// expiry, which the caller judges by CatalogState.Expires.
	Load(ctx context.Context, kept *CatalogState) error
}

// FetchMetadata reads one metadata or target file by its name ("3.root.json",
// "timestamp.json", "2.snapshot.json", "5.targets.json"; a target under its digest,
// "<64 hex digits>.index"), at most limit bytes of it. Names are valid OCI tags. A file that does not exist is an error that wraps
// fs.ErrNotExist: that is how the end of the chain of roots is found.
type FetchMetadata func(ctx context.Context, name string, limit int64) ([]byte, error)

// CatalogState is everything about a catalog's trust that is kept between runs.
// It is JSON, to be written to disk as a whole.
type CatalogState struct {
	Chain     [][]byte          `json:"chain,omitempty"` // roots between the pinned one and Root, oldest first
	Root      []byte            `json:"root"`            // the newest trusted root
	Timestamp []byte            `json:"timestamp"`       // newest trusted metadata of each role
	Snapshot  []byte            `json:"snapshot"`
	Targets   []byte            `json:"targets"`
	Files     map[string][]byte `json:"files"`   // the targets "index", "publishers" and "advisories"
	Expires   time.Time         `json:"expires"` // the earliest expiry of any of them
	Seen      time.Time         `json:"seen"`    // the latest clock of a successful Update
}
