package catalog

import (
	"context"
	"io"

	"github.com/souk-dev/souk/verify"
)

// Source is where a catalog and its releases are fetched from. Implementations are
// safe for concurrent use and verify nothing beyond the digests they are asked
// for; catalog/catalogtest has a conformance suite for them.
//
// Errors: what does not exist is [ErrNotFound], what cannot be reached is
// [ErrUnavailable], wrong bytes are [verify.ErrDigest]. None of these stands for
// another.
type Source interface {
	// Snapshot opens what the source serves now. since is the serial of the
	// snapshot that the caller holds and got from this same Source, 0 for none;
	// only then may the answer be ErrNotModified. The Envelope is unverified.
	Snapshot(ctx context.Context, since uint64) (*Envelope, error)
	// Open streams the content layer (tar+zstd) of the manifest with r.Digest.
	// It ends in an error that wraps verify.ErrDigest, not io.EOF, when the
	// manifest or the layer is not what its digest says.
	Open(ctx context.Context, r Release) (io.ReadCloser, error)
}

// EvidenceSource is a Source that also serves proof. One that does not can serve
// no release that a policy wants signed.
type EvidenceSource interface {
	// Evidence returns the release's manifest and all its signature bundles, at
	// most verify.MaxBundles. No bundle at all is an empty list; that the
	// registry could not say is an error.
	Evidence(ctx context.Context, r Release) (verify.Evidence, error)
}

// MediaSource is a Source that serves the blobs of a detail page.
type MediaSource interface {
	// Media reads one of r.Media, checked against its digest; at most MaxMedia bytes.
	Media(ctx context.Context, r Release, d Descriptor) ([]byte, error)
}

// MaxMedia is the most bytes of a README, changelog, icon or screenshot.
const MaxMedia = 4 << 20

// Envelope is a catalog as a source serves it: unverified on purpose. Its readers
// fetch on demand, so that a sync reads only what it does not hold.
type Envelope struct {
	// Metadata reads a TUF metadata or target file by name, at most limit bytes.
	// A missing one wraps fs.ErrNotExist.
	Metadata verify.FetchMetadata
	// Blob opens a blob of the catalog's repository: the catalog manifest and its
	// segments. The reader checks digest and size while it streams.
	Blob func(ctx context.Context, d verify.Digest, size int64) (io.ReadCloser, error)
	// Accept, when not nil, tells the Source that this envelope was verified and is
	// the snapshot with this serial. Only what was accepted may be answered with
	// ErrNotModified later: an envelope that did not verify never counts as known.
	Accept func(serial uint64)
}
