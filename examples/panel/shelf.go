package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/verify"
)

// shelf keeps everything that was pushed to the in-process registry, which lives in
// memory, so that the next start can fill it again without building or signing.
// It stands in front of the registry's pusher.
type shelf struct {
	dir string
	to  publish.Registry

	mu      sync.Mutex
	entries []entry
}

// entry is one push: a blob, a manifest, or a piece of evidence.
type entry struct {
	Kind        string             `json:"kind"`
	Repo        string             `json:"repo"`
	Tag         string             `json:"tag,omitempty"`
	Type        string             `json:"type,omitempty"`
	Blob        catalog.Descriptor `json:"blob,omitzero"`
	Subject     catalog.Descriptor `json:"subject,omitzero"`
	Annotations map[string]string  `json:"annotations,omitempty"`
}

var _ publish.Registry = (*shelf)(nil)

func (s *shelf) path(d verify.Digest) string { return filepath.Join(s.dir, "blobs", d.Hex()) }

func (s *shelf) put(b []byte) (catalog.Descriptor, error) {
	d := catalog.Descriptor{Digest: verify.DigestOf(b), Size: int64(len(b))}
	if _, err := os.Stat(s.path(d.Digest)); err == nil {
		return d, nil
	}
	return d, replaceFile(s.path(d.Digest), b)
}

func (s *shelf) add(e entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Kind == "manifest" && e.Tag != "" { // a tag that moved
		for i, old := range s.entries {
			if old.Kind == e.Kind && old.Repo == e.Repo && old.Tag == e.Tag {
				s.entries = append(s.entries[:i], s.entries[i+1:]...)
				break
			}
		}
	}
	s.entries = append(s.entries, e)
}

func (s *shelf) PushBlob(ctx context.Context, repo string, d catalog.Descriptor, open func() (io.ReadCloser, error)) error {
	if _, err := os.Stat(s.path(d.Digest)); errors.Is(err, fs.ErrNotExist) {
		r, err := open()
		if err != nil {
			return err
		}
		b, err := io.ReadAll(verify.NewReader(r, d.Digest, d.Size))
		if err := errors.Join(err, r.Close()); err != nil {
			return err
		}
		if _, err := s.put(b); err != nil {
			return err
		}
	}
	s.add(entry{Kind: "blob", Repo: repo, Blob: d})
	return s.to.PushBlob(ctx, repo, d, open)
}

func (s *shelf) PushManifest(ctx context.Context, repo, tag, mediaType string, raw []byte) (verify.Digest, error) {
	d, err := s.put(raw)
	if err != nil {
		return "", err
	}
	s.add(entry{Kind: "manifest", Repo: repo, Tag: tag, Type: mediaType, Blob: d})
	return s.to.PushManifest(ctx, repo, tag, mediaType, raw)
}

func (s *shelf) Attach(ctx context.Context, repo string, subject catalog.Descriptor, artifactType string, blob []byte, annotations map[string]string) error {
	d, err := s.put(blob)
	if err != nil {
		return err
	}
	s.add(entry{Kind: "evidence", Repo: repo, Type: artifactType, Blob: d, Subject: subject, Annotations: annotations})
	return s.to.Attach(ctx, repo, subject, artifactType, blob, annotations)
}

// save makes what was pushed so far what the next start finds.
func (s *shelf) save() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := json.Marshal(s.entries)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(s.dir, "shelf.json"), b)
}

// fill pushes to the registry what the last save kept; nothing when there is none.
func (s *shelf) fill(ctx context.Context) error {
	b, err := os.ReadFile(filepath.Join(s.dir, "shelf.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s.entries)
	}
	if err == nil && len(s.entries) == 0 {
		err = errors.New("there is nothing in it")
	}
	if err != nil {
		return fmt.Errorf("read the kept registry (start with -reset to build it anew): %w", err)
	}
	for _, e := range s.entries {
		b, err := os.ReadFile(s.path(e.Blob.Digest))
		if err == nil && verify.DigestOf(b) != e.Blob.Digest {
			err = verify.ErrDigest
		}
		if err != nil {
			return fmt.Errorf("kept registry: %s of %s (start with -reset to build it anew): %w", e.Kind, e.Repo, err)
		}
		switch e.Kind {
		case "blob":
			err = s.to.PushBlob(ctx, e.Repo, e.Blob, func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil })
		case "manifest":
			_, err = s.to.PushManifest(ctx, e.Repo, e.Tag, e.Type, b)
		case "evidence":
			err = s.to.Attach(ctx, e.Repo, e.Subject, e.Type, b, e.Annotations)
		}
		if err != nil {
			return fmt.Errorf("fill the registry: %w", err)
		}
	}
	return nil
}

// replaceFile writes a file so that a crash leaves the old one or the new one.
func replaceFile(name string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
