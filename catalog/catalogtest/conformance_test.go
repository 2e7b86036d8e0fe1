package catalogtest_test

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/verify"
)

// memory is the smallest correct Source, and the ground for broken ones.
type memory struct {
	f        catalogtest.SourceFixture
	current  func() []byte // timestamp.json
	accepted map[uint64]string
	broken   string
}

// mutants are the mistakes that the suite must notice, and where.
var mutants = map[string]string{
	"missing file is unavailable":    "Metadata",
	"limit ignored":                  "Metadata",
	"any name is a file":             "Metadata",
	"blob not checked":               "Blob",
	"always not modified":            "NotModified",
	"accepts by itself":              "NotModified",
	"content cut short":              "Open",
	"manifest not compared":          "Open",
	"missing release is unavailable": "Missing",
	"ignores context":                "Cancelled",
}

func (m *memory) is(mutant string) bool { return m.broken == mutant }

func (m *memory) Snapshot(_ context.Context, since uint64) (*catalog.Envelope, error) {
	now := string(m.current())
	if since > 0 && (m.accepted[since] == now || m.is("always not modified")) {
		return nil, catalog.ErrNotModified
	}
	if m.is("accepts by itself") {
		m.accepted[since] = now
	}
	return &catalog.Envelope{Metadata: m.metadata, Blob: m.blob, Accept: func(serial uint64) { m.accepted[serial] = now }}, nil
}

func (m *memory) metadata(_ context.Context, name string, limit int64) ([]byte, error) {
	b, ok := m.f.Metadata[name]
	if name == "timestamp.json" {
		b = m.current()
	}
	switch {
	case !ok && m.is("any name is a file") && name != "999.root.json":
		return []byte("{}"), nil
	case !ok && m.is("missing file is unavailable"):
		return nil, catalog.ErrUnavailable
	case !ok:
		return nil, os.ErrNotExist
	case int64(len(b)) > limit && !m.is("limit ignored"):
		return nil, errors.New("too long")
	}
	return b, nil
}

func (m *memory) blob(_ context.Context, d verify.Digest, size int64) (io.ReadCloser, error) {
	if !d.Valid() {
		return nil, verify.ErrDigest
	}
	if d != verify.DigestOf(m.f.Blob) {
		return nil, catalog.ErrNotFound
	}
	if m.is("blob not checked") {
		return io.NopCloser(reader(m.f.Blob)), nil
	}
	return io.NopCloser(verify.NewReader(reader(m.f.Blob), d, size)), nil
}

func (m *memory) Open(ctx context.Context, r catalog.Release) (io.ReadCloser, error) {
	if ctx.Err() != nil && !m.is("ignores context") {
		return nil, ctx.Err()
	}
	if _, err := catalog.ParsePluginID(string(r.Plugin)); err != nil {
		return nil, err
	}
	if r.Digest != m.f.Release.Digest || r.Plugin != m.f.Release.Plugin {
		if m.is("missing release is unavailable") {
			return nil, catalog.ErrUnavailable
		}
		return nil, catalog.ErrNotFound
	}
	if r.Manifest.Summary != m.f.Release.Manifest.Summary && !m.is("manifest not compared") {
		return nil, verify.ErrUntrusted
	}
	if m.is("content cut short") {
		return io.NopCloser(reader(m.f.Content[1:])), nil
	}
	return io.NopCloser(reader(m.f.Content)), nil
}

func reader(b []byte) io.Reader { return &once{b} }

type once struct{ b []byte }

func (o *once) Read(p []byte) (int, error) {
	if len(o.b) == 0 {
		return 0, io.EOF
	}
	n := copy(p, o.b)
	o.b = o.b[n:]
	return n, nil
}

// locked makes memory safe for concurrent use.
type locked struct {
	*memory
	turn chan struct{}
}

func (l *locked) Snapshot(ctx context.Context, since uint64) (*catalog.Envelope, error) {
	l.turn <- struct{}{}
	defer func() { <-l.turn }()
	e, err := l.memory.Snapshot(ctx, since)
	if err == nil {
		accept := e.Accept
		e.Accept = func(serial uint64) {
			l.turn <- struct{}{}
			defer func() { <-l.turn }()
			accept(serial)
		}
	}
	return e, err
}

func conformance(t *testing.T, broken string) {
	catalogtest.SourceConformance(t, func(t testing.TB) catalogtest.SourceFixture {
		h, err := catalogtest.NewHandler(catalogtest.RegistryOptions{})
		require.NoError(t, err)
		f := catalogtest.Fill(t, h, "plugins")
		stamp := f.Metadata["timestamp.json"]
		change := f.Change
		f.Change = func(t testing.TB) []byte { stamp = change(t); return stamp }
		f.Source = &locked{&memory{f: f, current: func() []byte { return stamp }, accepted: map[uint64]string{}, broken: broken}, make(chan struct{}, 1)}
		return f
	})
}

func TestConformance(t *testing.T) { conformance(t, os.Getenv("SOUK_BROKEN_SOURCE")) }

// TestConformanceGoesRed runs the suite on broken sources, in a process of its own
// because it fails.
func TestConformanceGoesRed(t *testing.T) {
	t.Parallel()
	for mutant, subtest := range mutants {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestConformance$/^"+subtest+"$")
		cmd.Env = append(os.Environ(), "SOUK_BROKEN_SOURCE="+mutant)
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		assert.ErrorAs(t, err, &exit, "the suite did not notice: %s\n%s", mutant, out)
	}
}
