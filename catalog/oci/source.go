package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// Source is a catalog and its plugins in a registry. It is safe for concurrent use.
type Source struct {
	c       *client
	catalog string // repository of the catalog
	prefix  string // where the plugins' repositories are; may be empty

	mu    sync.Mutex
	known map[uint64]timestamp // what was accepted, by serial
}

var (
	_ catalog.Source         = (*Source)(nil)
	_ catalog.EvidenceSource = (*Source)(nil)
	_ catalog.MediaSource    = (*Source)(nil)
)

// timestamp is the manifest of timestamp.json as it was served.
type timestamp struct {
	etag   string
	digest verify.Digest
}

// maxKnown bounds how many accepted serials are remembered: one for each reader of
// the source, in practice one.
const maxKnown = 16

// New returns the source whose catalog is in the repository ref, such as
// "registry.example.org/plugins/catalog". Plugins are in the repositories beside
// it, "registry.example.org/plugins/acme/backup". It asks nothing of the registry
// yet. A ref with a tag or a digest is an error.
func New(ref string, o Options) (*Source, error) {
	at, err := parseLocation(ref, o.Insecure)
	if err != nil {
		return nil, fmt.Errorf("catalog source: %w", err)
	}
	if at.path == "" {
		return nil, fmt.Errorf("catalog source: %.100q names a registry, not a catalog's repository", ref)
	}
	prefix := ""
	if i := strings.LastIndexByte(at.path, '/'); i >= 0 {
		prefix = at.path[:i]
	}
	return &Source{c: newClient(at, o), catalog: at.path, prefix: prefix, known: make(map[uint64]timestamp)}, nil
}

// Close drops the idle connections. Reads under way go on; the source stays usable.
func (s *Source) Close() error {
	s.c.plain.CloseIdleConnections()
	return nil
}

// repository is where a plugin's releases are.
func (s *Source) repository(id catalog.PluginID) (string, error) {
	if _, err := catalog.ParsePluginID(string(id)); err != nil {
		return "", err
	}
	return join(s.prefix, string(id)), nil
}

func join(prefix, path string) string {
	if prefix == "" {
		return path
	}
	return prefix + "/" + path
}

// Open implements [catalog.Source]: the content of a release, by digest only.
func (s *Source) Open(ctx context.Context, r catalog.Release) (io.ReadCloser, error) {
	content, err := s.open(ctx, r)
	if err != nil {
		return nil, about("open", r.Ref, err)
	}
	return content, nil
}

func (s *Source) open(ctx context.Context, r catalog.Release) (io.ReadCloser, error) {
	repo, raw, err := s.release(ctx, r)
	if err != nil {
		return nil, err
	}
	a, err := catalog.ParseArtifact(raw, r)
	if err != nil {
		return nil, err
	}
	return s.c.blob(ctx, repo, a.Content.Digest, a.Content.Size)
}

// Media implements [catalog.MediaSource].
func (s *Source) Media(ctx context.Context, r catalog.Release, d catalog.Descriptor) ([]byte, error) {
	b, err := s.media(ctx, r, d)
	if err != nil {
		return nil, about("read "+fmt.Sprintf("%.100q", d.Title)+" of", r.Ref, err)
	}
	return b, nil
}

func (s *Source) media(ctx context.Context, r catalog.Release, d catalog.Descriptor) ([]byte, error) {
	if d.Size > catalog.MaxMedia {
		return nil, fmt.Errorf("%d bytes are more than %d", d.Size, catalog.MaxMedia)
	}
	if !slices.ContainsFunc(r.Media, func(m catalog.Descriptor) bool { return m.Digest == d.Digest && m.Size == d.Size }) {
		return nil, fmt.Errorf("the release has no such file: %w", catalog.ErrNotFound)
	}
	repo, err := s.repository(r.Plugin)
	if err != nil {
		return nil, err
	}
	return s.c.wholeBlob(ctx, repo, d.Digest, d.Size)
}

// wholeBlob reads a small blob.
func (c *client) wholeBlob(ctx context.Context, repo string, d verify.Digest, size int64) ([]byte, error) {
	r, err := c.blob(ctx, repo, d, size)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// release reads the OCI manifest of a release and checks that it is the one.
func (s *Source) release(ctx context.Context, r catalog.Release) (repo string, raw []byte, err error) {
	if repo, err = s.repository(r.Plugin); err != nil {
		return "", nil, err
	}
	raw, err = s.c.manifest(ctx, repo, r.Digest)
	return repo, raw, err
}

// manifest reads a manifest by its digest.
func (c *client) manifest(ctx context.Context, repo string, d verify.Digest) ([]byte, error) {
	if !d.Valid() {
		return nil, fmt.Errorf("%w: %.80q names no manifest", verify.ErrDigest, d)
	}
	r := c.manifestRequest(repo, string(d))
	doc, err := c.read(ctx, r, verify.MaxManifest)
	if err != nil {
		return nil, err
	}
	if got := verify.DigestOf(doc.body); got != d {
		return nil, fmt.Errorf("%s: %w: got %s, want %s", r.what, verify.ErrDigest, got, d)
	}
	return doc.body, nil
}

func (c *client) manifestRequest(repo, reference string) request {
	what := "read " + repo + ":" + reference
	if d := verify.Digest(reference); d.Valid() {
		what = "read " + repo + "@" + d.Short()
	}
	return request{
		what: what, method: http.MethodGet, url: c.url(repo, "manifests", reference), repo: repo,
		header: http.Header{"Accept": {catalog.TypeManifest + ", " + catalog.TypeIndex}},
	}
}

// about says what was done to which release, unless err says it already.
func about(op string, r catalog.Ref, err error) error {
	if named := (*catalog.RefError)(nil); errors.As(err, &named) {
		return err
	}
	return &catalog.RefError{Op: op, Ref: r, Err: err}
}
