package oci

import (
	"context"
	"fmt"
	"io"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// Reader reads repositories of a registry by digest, without a catalog: what a hub
// validates lies in "staging/acme/backup" and is in no catalog yet. Nothing it returns was
// verified beyond its digest. It is safe for concurrent use.
type Reader struct {
	c      *client
	prefix string
}

// NewReader returns a Reader for a registry ("registry.example.org") or a part of one
// ("registry.example.org/staging"); the repositories it is told are below that. It
// asks nothing of the registry yet.
func NewReader(at string, o Options) (*Reader, error) {
	l, err := parseLocation(at, o.Insecure)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return &Reader{c: newClient(l, o), prefix: l.path}, nil
}

// Close drops the idle connections. Reads under way go on; the Reader stays usable.
func (r *Reader) Close() error {
	r.c.plain.CloseIdleConnections()
	return nil
}

// Manifest reads a manifest or an index, at most verify.MaxManifest bytes, as it was
// pushed. See [catalog.ParseOCIManifest] and [catalog.ParseArtifact].
func (r *Reader) Manifest(ctx context.Context, repo string, d verify.Digest) ([]byte, error) {
	full, err := below(r.prefix, repo)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return r.c.manifest(ctx, full, d)
}

// Blob opens a blob: the config, the content or any other layer of a manifest. The
// reader checks size and digest while it streams, and goes on where it was when the
// connection drops; wrong bytes are [verify.ErrDigest]. It is the caller who refuses a
// size it does not want. Close it.
func (r *Reader) Blob(ctx context.Context, repo string, d catalog.Descriptor) (io.ReadCloser, error) {
	full, err := below(r.prefix, repo)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return r.c.blob(ctx, full, d.Digest, d.Size)
}

// Evidence reads the manifest and every signature bundle about it, as
// [Source.Evidence] does.
func (r *Reader) Evidence(ctx context.Context, repo string, d verify.Digest) (verify.Evidence, error) {
	full, err := below(r.prefix, repo)
	if err != nil {
		return verify.Evidence{}, fmt.Errorf("read: %w", err)
	}
	return r.c.evidence(ctx, full, d)
}

// below checks a repository's name and puts the prefix before it.
func below(prefix, repo string) (string, error) {
	full := join(prefix, repo)
	if repo == "" || len(full) > maxRepository || !repository.MatchString(full) {
		return "", fmt.Errorf("%.200q is not a repository's name", full)
	}
	return full, nil
}
