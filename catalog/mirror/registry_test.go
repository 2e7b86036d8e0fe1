package mirror_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

// registry is a registry with one repository in memory, and a Source that reads it.
type registry struct {
	mu       sync.Mutex
	blobs    map[verify.Digest][]byte
	tags     map[string][]byte // manifests
	requests []string          // names and digests that were read
	sinces   []uint64

	snapshotErr error            // what Snapshot answers
	fail        map[string]error // by name or digest
	swap        map[string][]byte
	accepted    uint64
	etag        verify.Digest // of the timestamp that was served last
}

func newRegistry() *registry {
	return &registry{blobs: make(map[verify.Digest][]byte), tags: make(map[string][]byte), fail: make(map[string]error), swap: make(map[string][]byte)}
}

func (r *registry) PushBlob(_ context.Context, _ string, d catalog.Descriptor, open func() (io.ReadCloser, error)) error {
	rc, err := open()
	if err != nil {
		return err
	}
	defer rc.Close()
	b, err := io.ReadAll(verify.NewReader(rc, d.Digest, d.Size))
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.blobs[d.Digest] = b
	return nil
}

func (r *registry) PushManifest(_ context.Context, _, tag, _ string, raw []byte) (verify.Digest, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tags[tag] = bytes.Clone(raw)
	return verify.DigestOf(raw), nil
}

func (r *registry) Snapshot(_ context.Context, since uint64) (*catalog.Envelope, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sinces = append(r.sinces, since)
	if r.snapshotErr != nil {
		return nil, r.snapshotErr
	}
	if since != 0 && since == r.accepted && r.etag == verify.DigestOf(r.tags["timestamp.json"]) {
		r.requests = append(r.requests, "timestamp.json not modified")
		return nil, catalog.ErrNotModified
	}
	return &catalog.Envelope{Metadata: r.metadata, Blob: r.blob, Accept: func(serial uint64) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.accepted, r.etag = serial, verify.DigestOf(r.tags["timestamp.json"])
	}}, nil
}

func (r *registry) metadata(_ context.Context, name string, _ int64) ([]byte, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, name)
	if err := r.fail[name]; err != nil {
		return nil, err
	}
	if b, ok := r.swap[name]; ok {
		return b, nil
	}
	raw, ok := r.tags[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	var m catalog.OCIManifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	return r.blobs[m.Layers[0].Digest], nil
}

func (r *registry) blob(_ context.Context, d verify.Digest, _ int64) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, string(d))
	if err := r.fail[string(d)]; err != nil {
		return nil, err
	}
	if b, ok := r.swap[string(d)]; ok {
		return io.NopCloser(bytes.NewReader(b)), nil
	}
	b, ok := r.blobs[d]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", d, catalog.ErrNotFound)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (r *registry) Open(context.Context, catalog.Release) (io.ReadCloser, error) {
	return nil, catalog.ErrNotFound
}

// asked returns what was read since the last call.
func (r *registry) asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := r.requests
	r.requests = nil
	return out
}

// state returns the tags as they are, to be served again later.
func (r *registry) state() map[string][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.tags)
}

func (r *registry) restore(tags map[string][]byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tags = maps.Clone(tags)
}

// world is a publisher with a catalog, its registry, a clock and a mirror of it.
type world struct {
	t    *testing.T
	reg  *registry
	cat  *publish.Catalog
	keys tuf.Keys
	kept []byte
	now  time.Time
	dir  string
	root []byte
}

var start = time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	key := func() []tuf.Key {
		k, err := tuf.GenerateKey()
		require.NoError(t, err)
		return []tuf.Key{k}
	}
	w := &world{t: t, reg: newRegistry(), now: start, dir: t.TempDir()}
	w.keys = tuf.Keys{Root: key(), Targets: key(), Snapshot: key(), Timestamp: key()}
	repo, _, err := tuf.Init(w.keys, w.now, tuf.Config{RootThreshold: 1})
	require.NoError(t, err)
	w.cat = publish.New(repo)
	w.root, err = repo.Root()
	require.NoError(t, err)
	return w
}

func (w *world) target() publish.Target {
	return publish.Target{Registry: w.reg, Repo: "catalog", Keys: w.keys, Now: w.now, Keep: func(b []byte) error { w.kept = b; return nil }}
}

func (w *world) publish() uint64 {
	w.t.Helper()
	serial, err := w.cat.Publish(w.t.Context(), w.target())
	require.NoError(w.t, err)
	return serial
}

func (w *world) add(ref string) {
	w.t.Helper()
	require.NoError(w.t, w.cat.AddRelease(release(w.t, ref)))
}

func (w *world) source(name string) mirror.Source {
	w.t.Helper()
	trust, err := tuf.New(w.root, tuf.Options{Name: name})
	require.NoError(w.t, err)
	return mirror.Source{Name: name, Source: w.reg, Trust: trust}
}

func (w *world) open(sources ...mirror.Source) *mirror.Mirror {
	w.t.Helper()
	return w.openFault(nil, sources...)
}

func (w *world) openFault(f safefs.Fault, sources ...mirror.Source) *mirror.Mirror {
	w.t.Helper()
	root, err := safefs.Open(w.dir, safefs.Options{Fault: f})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, root.Close()) })
	if sources == nil {
		sources = []mirror.Source{w.source("main")}
	}
	m, err := mirror.Open(w.t.Context(), root, sources, mirror.Options{Now: func() time.Time { return w.now }})
	require.NoError(w.t, err)
	return m
}

func release(t *testing.T, ref string) catalog.Release {
	t.Helper()
	r, err := catalog.ParseRef(ref)
	require.NoError(t, err)
	return catalog.Release{
		Ref: r, Digest: verify.DigestOf([]byte(ref)), Size: 1000, Published: start,
		Manifest: catalog.Manifest{
			Format: 1, ID: r.Plugin, Version: r.Version, Name: r.Plugin.Name(), Summary: "A plugin.", License: "MIT",
			Runtime: catalog.Runtime{Kind: catalog.RuntimeStatic},
		},
	}
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// exampleDir returns a directory for an example, which has no testing.T.
func exampleDir() string {
	dir, err := os.MkdirTemp("", "mirror")
	check(err)
	return dir
}
