package oci_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/verify"
)

// quick makes tests that provoke failures fast.
var quick = oci.Options{Credentials: oci.Anonymous, RetryWait: time.Millisecond}

// registries are what the suite runs against: the fake with and without the
// referrers API, and real ones. Each is started once per test that asks for it.
func registries() map[string]func(t testing.TB) (url string) {
	return map[string]func(t testing.TB) string{
		"fake": func(t testing.TB) string { return catalogtest.NewRegistry(t, catalogtest.RegistryOptions{}).URL },
		"fake-no-referrers": func(t testing.TB) string {
			return catalogtest.NewRegistry(t, catalogtest.RegistryOptions{NoReferrers: true}).URL
		},
		"distribution-v2": func(t testing.TB) string {
			return startRegistry(t, "SOUK_REGISTRY_V2", "docker-registry", "apt-get install docker-registry")
		},
		"distribution-v3": func(t testing.TB) string {
			return startRegistry(t, "SOUK_REGISTRY_V3", "registry", "go install github.com/distribution/distribution/v3/cmd/registry@v3.0.0")
		},
	}
}

// startRegistry runs a real registry on a free loopback port until the test ends.
func startRegistry(t testing.TB, env, name, install string) string {
	t.Helper()
	program := os.Getenv(env)
	if program == "" {
		var err error
		if program, err = exec.LookPath(name); err != nil {
			missing := fmt.Sprintf("no %s: neither $%s nor %q in PATH; get it with: %s", name, env, name, install)
			if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
				t.Fatal(missing)
			}
			t.Skip("NOT TESTED AGAINST A REAL REGISTRY: " + missing)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	dir := t.TempDir()
	config := filepath.Join(dir, "config.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil,
		"version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %q}}\nhttp: {addr: %q, secret: test}\n",
		filepath.Join(dir, "data"), addr), 0o600))
	var output bytes.Buffer
	cmd := exec.Command(program, "serve", config)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "OTEL_TRACES_EXPORTER=none"}
	cmd.Stdout, cmd.Stderr = &output, &output
	require.NoError(t, cmd.Start())
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	t.Cleanup(func() {
		if err := cmd.Process.Kill(); err == nil {
			<-gone
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if resp, err := http.Get("http://" + addr + "/v2/"); err == nil {
			resp.Body.Close()
			return "http://" + addr
		}
		select {
		case err := <-gone:
			t.Fatalf("%s ended: %v\n%s", program, err, output.String())
		case <-ctx.Done():
			t.Fatalf("%s does not answer", program)
		case <-tick.C:
		}
	}
}

// eachRegistry runs a test against every registry, each behind a layer that can
// inject faults and counts.
func eachRegistry(t *testing.T, test func(t *testing.T, front *catalogtest.Registry)) {
	for name, start := range registries() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, catalogtest.NewRegistry(t, catalogtest.RegistryOptions{Upstream: start(t)}))
		})
	}
}

func newSource(t testing.TB, ref string, o oci.Options) *oci.Source {
	t.Helper()
	s, err := oci.New(ref, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s
}

func newPusher(t testing.TB, at string, o oci.Options) *oci.Pusher {
	t.Helper()
	p, err := oci.NewPusher(at, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

// fill fills a registry over HTTP.
func fill(t testing.TB, front *catalogtest.Registry) catalogtest.SourceFixture {
	t.Helper()
	f := catalogtest.Fill(t, newPusher(t, front.Host, quick), "plugins")
	f.Source = newSource(t, front.Host+"/plugins/catalog", quick)
	f.Fail = func(testing.TB) {
		front.Inject(catalogtest.Fault{Effect: catalogtest.Status(http.StatusInternalServerError)})
	}
	f.Spoil = func(testing.TB) {
		front.Inject(catalogtest.Fault{On: catalogtest.ByDigest(verify.DigestOf(f.Content)), Effect: catalogtest.FlipByte(2 << 20)})
	}
	front.Forget()
	return f
}

func TestConformance(t *testing.T) {
	for name, start := range registries() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			upstream := start(t)
			catalogtest.SourceConformance(t, func(t testing.TB) catalogtest.SourceFixture {
				return fill(t, catalogtest.NewRegistry(t, catalogtest.RegistryOptions{Upstream: upstream}))
			})
		})
	}
}

// TestPoll: a poll without a change is one conditional request.
func TestPoll(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, front *catalogtest.Registry) {
		f := fill(t, front)
		e, err := f.Source.Snapshot(t.Context(), 0)
		require.NoError(t, err)
		e.Accept(3)
		front.Forget()
		_, err = f.Source.Snapshot(t.Context(), 3)
		require.ErrorIs(t, err, catalog.ErrNotModified)
		asked := front.Requests()
		require.Len(t, asked, 1)
		assert.Equal(t, http.StatusNotModified, asked[0].Status)
		assert.NotEmpty(t, asked[0].Header.Get("If-None-Match"))
	})
}

// TestPollWithoutETag: a registry that knows no ETag costs one small request.
func TestPollWithoutETag(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	reg.Inject(catalogtest.Fault{Effect: catalogtest.WithoutHeader("ETag")})
	f := fill(t, reg)
	e, err := f.Source.Snapshot(t.Context(), 0)
	require.NoError(t, err)
	e.Accept(3)
	reg.Forget()
	_, err = f.Source.Snapshot(t.Context(), 3)
	require.ErrorIs(t, err, catalog.ErrNotModified)
	assert.Len(t, reg.Requests(), 1)
	f.Change(t)
	_, err = f.Source.Snapshot(t.Context(), 3)
	assert.NoError(t, err)
}

// TestMovedTag: the envelope is about one timestamp, whatever happens to the tag.
func TestMovedTag(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, front *catalogtest.Registry) {
		f := fill(t, front)
		e, err := f.Source.Snapshot(t.Context(), 0)
		require.NoError(t, err)
		f.Change(t)
		got, err := e.Metadata(t.Context(), "timestamp.json", 1000)
		require.NoError(t, err)
		assert.Equal(t, string(f.Metadata["timestamp.json"]), string(got))
		e.Accept(3)
		_, err = f.Source.Snapshot(t.Context(), 3)
		assert.NoError(t, err, "what was accepted is the old one")
	})
}

// TestResume: a download goes on where the connection dropped, with closed ranges.
func TestResume(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, front *catalogtest.Registry) {
		f := fill(t, front)
		content := verify.DigestOf(f.Content)
		front.Inject(catalogtest.Fault{On: catalogtest.ByDigest(content), Times: 3, Effect: catalogtest.DropAfter(300_000)})
		got, err := open(t.Context(), f.Source, f.Release)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(f.Content, got))
		var ranges []string
		for _, r := range front.Requests() {
			if strings.Contains(r.Path, string(content)) {
				ranges = append(ranges, r.Header.Get("Range"))
			}
		}
		last := len(f.Content) - 1
		assert.Equal(t, []string{"", fmt.Sprintf("bytes=300000-%d", last), fmt.Sprintf("bytes=600000-%d", last), fmt.Sprintf("bytes=900000-%d", last)}, ranges)
	})
}

// TestPushAgain: what is there is not uploaded again, and pushing it is success.
func TestPushAgain(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, front *catalogtest.Registry) {
		f := fill(t, front)
		catalogtest.Fill(t, newPusher(t, front.Host, quick), "plugins")
		for _, r := range front.Requests() {
			assert.NotContains(t, r.Path, "/blobs/uploads/", "blobs are skipped")
		}
		e, err := f.Source.(catalog.EvidenceSource).Evidence(t.Context(), f.Release)
		require.NoError(t, err)
		assert.Len(t, e.Bundles, len(f.Bundles), "attaching twice is attaching once")
	})
}

// TestPushWrongBytes: bytes that are not what was said are refused before they are stored.
func TestPushWrongBytes(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, front *catalogtest.Registry) {
		p := newPusher(t, front.Host+"/plugins", quick)
		for name, body := range map[string]string{"other": "wrong", "short": "righ", "long": "wrong!"} {
			d := catalog.Descriptor{Digest: verify.DigestOf([]byte("right")), Size: 5}
			err := p.PushBlob(t.Context(), "acme/backup", d, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(body)), nil })
			assert.ErrorIs(t, err, verify.ErrDigest, name)
			resp, err := http.Head(front.URL + "/v2/plugins/acme/backup/blobs/" + string(d.Digest))
			require.NoError(t, err)
			resp.Body.Close()
			assert.Equal(t, http.StatusNotFound, resp.StatusCode, "%s: nothing was stored", name)
		}
	})
}

func open(ctx context.Context, s catalog.Source, r catalog.Release) ([]byte, error) {
	rc, err := s.Open(ctx, r)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	return io.ReadAll(rc)
}
