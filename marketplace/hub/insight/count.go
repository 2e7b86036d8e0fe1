package insight

import (
	"context"
	"time"
)

// Numbers of counting.
const (
	FlushEvery = 250 * time.Millisecond // how long a counted download is in memory only
	MaxPending = 50_000                 // so many in memory, some minutes of a busy hub; then [hub.ErrUnavailable]
	MaxBatch   = 5_000                  // downloads in one call
	KeyGrace   = 2 * time.Hour          // how long after its day a key is kept, for what comes late
)

// Download is a manifest that somebody fetched from the registry.
type Download struct {
	Repository string // of the registry; for people's eyes only, the digest decides
	Digest     string // of the manifest
	// Client is the address and user agent of who fetched. Nothing of it is kept.
	Client string
	At     time.Time // zero: now
}

// CountDownloads counts downloads of releases: one per release, day and client. What is
// no release is left out. An error that wraps [hub.ErrUnavailable] means that nothing of
// the batch was counted, or not all; sending it again is safe.
func (s *Service) CountDownloads(ctx context.Context, batch []Download) error {
	return errNotBuilt
}
