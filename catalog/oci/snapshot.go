package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// timestampFile is the TUF file that changes with every publish and renewal.
const timestampFile = "timestamp.json"

// tag is what the distribution spec allows as a tag, and so as a metadata file.
var tag = regexp.MustCompile(`^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$`)

// Snapshot implements [catalog.Source]. When the caller holds a snapshot that it
// accepted, this is one conditional request; nothing else is asked until the
// envelope is read.
func (s *Source) Snapshot(ctx context.Context, since uint64) (*catalog.Envelope, error) {
	s.mu.Lock()
	held, holds := s.known[since]
	s.mu.Unlock()
	holds = holds && since > 0
	r := s.c.manifestRequest(s.catalog, timestampFile)
	also := []int(nil)
	if holds && held.etag != "" {
		r.header.Set("If-None-Match", held.etag)
		also = []int{http.StatusNotModified}
	}
	doc, err := s.c.read(ctx, r, verify.MaxManifest, also...)
	if err != nil {
		return nil, err
	}
	now := timestamp{doc.header.Get("ETag"), verify.DigestOf(doc.body)}
	if doc.status == http.StatusNotModified || holds && now.digest == held.digest {
		return nil, fmt.Errorf("%s: %w", r.what, catalog.ErrNotModified)
	}
	return &catalog.Envelope{
		Metadata: func(ctx context.Context, name string, limit int64) ([]byte, error) {
			if name == timestampFile { // the one that was asked for, whatever the tag says by now
				return s.c.layer(ctx, s.catalog, name, doc.body, limit)
			}
			return s.metadata(ctx, name, limit)
		},
		Blob: func(ctx context.Context, d verify.Digest, size int64) (io.ReadCloser, error) {
			return s.c.blob(ctx, s.catalog, d, size)
		},
		Accept: func(serial uint64) { s.accept(serial, now) },
	}, nil
}

func (s *Source) accept(serial uint64, t timestamp) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxKnown {
		clear(s.known) // costs an unconditional request, no more
	}
	s.known[serial] = t
}

// metadata reads the TUF file that is stored under the tag of its name.
func (s *Source) metadata(ctx context.Context, name string, limit int64) ([]byte, error) {
	if !tag.MatchString(name) {
		return nil, fmt.Errorf("read %s: %.150q cannot be a metadata file: not a tag of a registry", s.catalog, name)
	}
	doc, err := s.c.read(ctx, s.c.manifestRequest(s.catalog, name), verify.MaxManifest)
	if err != nil {
		return nil, err
	}
	return s.c.layer(ctx, s.catalog, name, doc.body, limit)
}

// layer reads the one layer of a metadata file's manifest, at most limit bytes.
func (c *client) layer(ctx context.Context, repo, name string, manifest []byte, limit int64) ([]byte, error) {
	var m catalog.OCIManifest
	if err := json.Unmarshal(manifest, &m); err != nil {
		return nil, fmt.Errorf("read %s:%s: %w: the registry answered with something that is not a manifest", repo, name, catalog.ErrUnavailable)
	}
	if len(m.Layers) != 1 {
		return nil, fmt.Errorf("read %s:%s: %d layers, a metadata file has one", repo, name, len(m.Layers))
	}
	if size := m.Layers[0].Size; size > limit {
		return nil, fmt.Errorf("read %s:%s: %d bytes are more than %d", repo, name, size, limit)
	}
	return c.wholeBlob(ctx, repo, m.Layers[0].Digest, m.Layers[0].Size)
}
