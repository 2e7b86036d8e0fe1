// Package installtest has what tests of installing need: a Supply of releases made
// in memory, a Verifier that believes a plain word, a Host that records and fails as
// told, and CheckStore, which compares a store with its invariants. It is for tests
// only; nothing in it is secure.
package installtest

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/verify"
)

// Source is the name of the source that all releases of this package come from.
const Source = "test"

// Files are the files of a package by their paths; a path that ends in "/" is an
// empty directory. Those that begin with "bin/" are executable.
type Files map[string]string

// Signer returns an identity for a name, for [Supply.Add].
func Signer(name string) verify.Identity {
	return verify.Identity{Issuer: "https://signers.test", Subject: name}
}

// Supply is an [install.Supply] and the [verify.Verifier] that belongs to it. The
// zero value is empty. It is safe for concurrent use.
type Supply struct {
	mu       sync.Mutex
	releases map[verify.Digest]*artifact
	calls    map[string]int

	// Refuse and Wrap change what happens, when they are not nil. They are
	// set before the Supply is used.
	Refuse func(r catalog.Release) error                           // Subject's error
	Wrap   func(r catalog.Release, rc io.ReadCloser) io.ReadCloser // of what Open returns
}

type artifact struct {
	manifest []byte
	content  []byte
	signers  []verify.Identity // who may sign
	by       verify.Identity   // who did
}

var (
	_ install.Supply  = (*Supply)(nil)
	_ verify.Verifier = (*Supply)(nil)
)

// Manifest returns a valid manifest for a release that is run as a static plugin.
func Manifest(id catalog.PluginID, version string) catalog.Manifest {
	return catalog.Manifest{
		Format: catalog.ManifestFormat, ID: id, Version: version, Name: id.Name(), Summary: "A test.", License: "MIT",
		Runtime: catalog.Runtime{Kind: catalog.RuntimeStatic},
	}
}

// Add makes a release of the files, signed by the first of the signers, or, when
// there are none, by the publisher's name; all of them may sign it.
func (s *Supply) Add(m catalog.Manifest, files Files, signers ...verify.Identity) catalog.Release {
	raw, unpacked, entries := Tar(files)
	return s.AddTar(m, raw, unpacked, entries, signers...)
}

// AddTar makes a release of any bytes that are said to be a tar with so many bytes
// in so many entries. It is for packages that must be refused.
func (s *Supply) AddTar(m catalog.Manifest, raw []byte, unpacked int64, entries int, signers ...verify.Identity) catalog.Release {
	return s.AddContent(m, Compress(raw), verify.DigestOf(raw), unpacked, entries, signers...)
}

// AddContent makes a release whose content layer is these very bytes.
func (s *Supply) AddContent(m catalog.Manifest, content []byte, diffID verify.Digest, unpacked int64, entries int, signers ...verify.Identity) catalog.Release {
	if len(signers) == 0 {
		signers = []verify.Identity{Signer(m.ID.Publisher())}
	}
	config, err := m.Canonical()
	if err != nil {
		panic(err) // a Manifest has no value that JSON cannot hold
	}
	oci := catalog.OCIManifest{
		SchemaVersion: 2, MediaType: catalog.TypeManifest, ArtifactType: catalog.TypePlugin,
		Config: catalog.OCIDescriptor{MediaType: catalog.TypePluginManifest, Digest: verify.DigestOf(config), Size: int64(len(config))},
		Layers: []catalog.OCIDescriptor{{
			MediaType: catalog.TypePluginContent, Digest: verify.DigestOf(content), Size: int64(len(content)),
			Annotations: map[string]string{
				catalog.AnnotationDiffID:   string(diffID),
				catalog.AnnotationUnpacked: strconv.FormatInt(unpacked, 10),
				catalog.AnnotationEntries:  strconv.Itoa(entries),
			},
		}},
	}
	raw, err := json.Marshal(oci)
	if err != nil {
		panic(err)
	}
	r := catalog.Release{
		Ref: catalog.Ref{Plugin: m.ID, Version: m.Version}, Source: Source, Digest: verify.DigestOf(raw),
		Size: int64(len(content)), Manifest: m, Published: time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.releases == nil {
		s.releases, s.calls = make(map[verify.Digest]*artifact), make(map[string]int)
	}
	s.releases[r.Digest] = &artifact{raw, content, signers, signers[0]}
	return r
}

// Tar packs files as a deterministic tar and counts what is in it.
func Tar(files Files) (raw []byte, unpacked int64, entries int) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(files[name])), Format: tar.FormatPAX}
		if name[len(name)-1] == '/' {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if len(name) > 4 && name[:4] == "bin/" {
			h.Mode = 0o755
		}
		must(w.WriteHeader(h))
		_, err := io.WriteString(w, files[name])
		must(err)
		unpacked += h.Size
		entries++
	}
	must(w.Close())
	return b.Bytes(), unpacked, entries
}

// Compress returns b as one zstd frame.
func Compress(b []byte) []byte {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest)) // small tables: cheap for the small packages of tests
	must(err)
	return z.EncodeAll(b, nil)
}

func must(err error) {
	if err != nil {
		panic(err) // writing to memory
	}
}

// Change changes what is served for a release: its manifest or its content. The
// release stays as it was, so that this is a registry that lies.
func (s *Supply) Change(r catalog.Release, manifest, content func([]byte) []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.releases[r.Digest]
	if manifest != nil {
		a.manifest = manifest(bytes.Clone(a.manifest))
	}
	if content != nil {
		a.content = content(bytes.Clone(a.content))
	}
}

// Sign says who signed a release, and who may; none of them means that nobody may.
func (s *Supply) Sign(r catalog.Release, by verify.Identity, may ...verify.Identity) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.releases[r.Digest].by, s.releases[r.Digest].signers = by, may
}

// Calls returns how often a method was called: "Subject", "Evidence", "Open".
func (s *Supply) Calls(method string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[method]
}

func (s *Supply) get(method string, r catalog.Release) (artifact, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.releases[r.Digest]
	if !ok {
		return artifact{}, &catalog.RefError{Op: "look up", Ref: r.Ref, Err: catalog.ErrNotFound}
	}
	s.calls[method]++
	return *a, nil
}

// Subject says who may sign the release.
func (s *Supply) Subject(_ context.Context, r catalog.Release) (verify.Subject, error) {
	a, err := s.get("Subject", r)
	if err == nil && s.Refuse != nil {
		err = s.Refuse(r)
	}
	return verify.Subject{Name: r.String(), Digest: r.Digest, Signers: a.signers}, err
}

// Evidence returns the manifest, and as proof the word of who signed.
func (s *Supply) Evidence(_ context.Context, r catalog.Release) (verify.Evidence, error) {
	a, err := s.get("Evidence", r)
	if err != nil {
		return verify.Evidence{}, err
	}
	word, err := json.Marshal(a.by)
	return verify.Evidence{Manifest: a.manifest, Bundles: [][]byte{word}}, err
}

// Open streams the content.
func (s *Supply) Open(_ context.Context, r catalog.Release) (io.ReadCloser, error) {
	a, err := s.get("Open", r)
	if err != nil {
		return nil, err
	}
	rc := io.NopCloser(bytes.NewReader(a.content))
	if s.Wrap != nil {
		rc = s.Wrap(r, rc)
	}
	return rc, nil
}

// Verify believes the word in the evidence when it names one who may sign.
func (s *Supply) Verify(_ context.Context, sub verify.Subject, e verify.Evidence) (*verify.Report, error) {
	c := verify.Check{Name: "signature", Verdict: verify.VerdictFail, Detail: "signed by nobody who may"}
	for _, b := range e.Bundles {
		var by verify.Identity
		if err := json.Unmarshal(b, &by); err != nil {
			return nil, fmt.Errorf("read bundle: %w", err)
		}
		if slices.Contains(sub.Signers, by) && verify.DigestOf(e.Manifest) == sub.Digest {
			c = verify.Check{Name: "signature", Verdict: verify.VerdictPass, Signer: by}
		}
	}
	r := &verify.Report{Subject: sub, Checks: []verify.Check{c}}
	return r, r.Err()
}
