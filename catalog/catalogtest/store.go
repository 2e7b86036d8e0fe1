package catalogtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"

	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// blobs keeps blobs in memory, of all repositories together.
type blobs struct {
	mu sync.RWMutex
	m  map[verify.Digest][]byte
}

var (
	_ registry.BlobHandler     = (*blobs)(nil)
	_ registry.BlobPutHandler  = (*blobs)(nil)
	_ registry.BlobStatHandler = (*blobs)(nil)
)

func (s *blobs) get(d verify.Digest) ([]byte, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, ok := s.m[d]
	return b, ok
}

func (s *blobs) set(d verify.Digest, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.m[d] = b
}

// Get implements registry.BlobHandler.
func (s *blobs) Get(_ context.Context, _ string, h v1.Hash) (io.ReadCloser, error) {
	b, ok := s.get(verify.Digest(h.String()))
	if !ok {
		return nil, registry.ErrNotFound
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

// Stat implements registry.BlobStatHandler.
func (s *blobs) Stat(_ context.Context, _ string, h v1.Hash) (int64, error) {
	b, ok := s.get(verify.Digest(h.String()))
	if !ok {
		return 0, registry.ErrNotFound
	}
	return int64(len(b)), nil
}

// Put implements registry.BlobPutHandler; the reader checks the digest.
func (s *blobs) Put(_ context.Context, _ string, h v1.Hash, rc io.ReadCloser) error {
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		return err
	}
	s.set(verify.Digest(h.String()), b)
	return nil
}

var errUpstream = errors.New("a registry with an Upstream is filled over HTTP")

// PutBlob stores a blob and returns its descriptor. It needs no repository: all
// share their blobs.
func (h *Handler) PutBlob(mediaType string, b []byte) catalog.OCIDescriptor {
	d := verify.DigestOf(b)
	h.blobs.set(d, bytes.Clone(b))
	return catalog.OCIDescriptor{MediaType: mediaType, Digest: d, Size: int64(len(b))}
}

// Corrupt stores b as the bytes of a blob that it is not, as a registry would that
// was broken into or has a bad disk.
func (h *Handler) Corrupt(d verify.Digest, b []byte) { h.blobs.set(d, bytes.Clone(b)) }

// PushBlob stores a blob without HTTP, so that faults and logins do not apply. With
// PushManifest and Attach it makes a Handler what catalog/publish writes through.
func (h *Handler) PushBlob(_ context.Context, _ string, d catalog.Descriptor, open func() (io.ReadCloser, error)) error {
	if h.o.Upstream != "" {
		return errUpstream
	}
	if _, there := h.blobs.get(d.Digest); there {
		return nil
	}
	rc, err := open()
	if err != nil {
		return err
	}
	defer rc.Close()
	b, err := io.ReadAll(verify.NewReader(rc, d.Digest, d.Size))
	if err != nil {
		return err
	}
	h.blobs.set(d.Digest, b)
	return nil
}

// PushManifest stores a manifest without HTTP, under tag or, when that is empty,
// under its digest only.
func (h *Handler) PushManifest(ctx context.Context, repo, tag string, mediaType string, raw []byte) (verify.Digest, error) {
	if h.o.Upstream != "" {
		return "", errUpstream
	}
	d := verify.DigestOf(raw)
	if tag == "" {
		tag = string(d)
	}
	rec, err := h.direct(ctx, http.MethodPut, repo, tag, mediaType, raw)
	if err == nil && rec.Code != http.StatusCreated {
		err = fmt.Errorf("push manifest %s:%s: %d: %s", repo, tag, rec.Code, rec.Body)
	}
	return d, err
}

// direct asks the registry without HTTP.
func (h *Handler) direct(ctx context.Context, method, repo, reference, mediaType string, body []byte) (*httptest.ResponseRecorder, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://registry.invalid/v2/"+repo+"/manifests/"+reference, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", mediaType)
	rec := httptest.NewRecorder()
	h.inner.ServeHTTP(rec, r)
	return rec, nil
}

// Manifest returns what a tag or digest stands for.
func (h *Handler) Manifest(ctx context.Context, repo, reference string) ([]byte, error) {
	if h.o.Upstream != "" {
		return nil, errUpstream
	}
	rec, err := h.direct(ctx, http.MethodGet, repo, reference, "", nil)
	if err != nil {
		return nil, err
	}
	if rec.Code != http.StatusOK {
		return nil, fmt.Errorf("manifest %s:%s: %w", repo, reference, catalog.ErrNotFound)
	}
	return rec.Body.Bytes(), nil
}

// PutMetadata stores a file of a catalog: the one layer of a manifest, tagged with
// the file's name.
func (h *Handler) PutMetadata(ctx context.Context, repo, name string, b []byte) error {
	return putMetadata(ctx, h, repo, name, b)
}

// Attach stores evidence about subject without HTTP: by subject, and without the
// referrers API also in the index under the tag "sha256-<hex>".
func (h *Handler) Attach(ctx context.Context, repo string, subject catalog.Descriptor, artifactType string, blob []byte, annotations map[string]string) error {
	raw, err := json.Marshal(catalog.OCIManifest{
		SchemaVersion: 2,
		MediaType:     catalog.TypeManifest,
		ArtifactType:  artifactType,
		Config:        h.PutBlob(catalog.TypeEmpty, []byte("{}")),
		Layers:        []catalog.OCIDescriptor{h.PutBlob(artifactType, blob)},
		Subject:       &catalog.OCIDescriptor{MediaType: subject.MediaType, Digest: subject.Digest, Size: subject.Size},
		Annotations:   annotations,
	})
	if err != nil {
		return err
	}
	d, err := h.PushManifest(ctx, repo, "", catalog.TypeManifest, raw)
	if err != nil || !h.o.NoReferrers {
		return err
	}
	type index struct {
		SchemaVersion int                     `json:"schemaVersion"`
		MediaType     string                  `json:"mediaType"`
		Manifests     []catalog.OCIDescriptor `json:"manifests"`
	}
	list := index{SchemaVersion: 2, MediaType: catalog.TypeIndex}
	tag := "sha256-" + subject.Digest.Hex()
	h.attach.Lock()
	defer h.attach.Unlock()
	if old, err := h.Manifest(ctx, repo, tag); err == nil {
		if err := json.Unmarshal(old, &list); err != nil {
			return err
		}
	}
	if slices.ContainsFunc(list.Manifests, func(have catalog.OCIDescriptor) bool { return have.Digest == d }) {
		return nil
	}
	list.Manifests = append(list.Manifests, catalog.OCIDescriptor{
		MediaType: catalog.TypeManifest, Digest: d, Size: int64(len(raw)), ArtifactType: artifactType, Annotations: annotations,
	})
	if raw, err = json.Marshal(list); err != nil {
		return err
	}
	_, err = h.PushManifest(ctx, repo, tag, catalog.TypeIndex, raw)
	return err
}
