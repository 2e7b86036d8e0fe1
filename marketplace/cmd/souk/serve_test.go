package main

import (
	"bytes"
	"context"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/marketplace/hub/signin"
)

// serving is `souk hub serve` that runs.
type serving struct {
	url  string
	out  string
	stop func()
}

func (s *shell) serve(dir string, args ...string) *serving {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	var out, errs lockedBuffer
	ended := make(chan int, 1)
	go func() {
		ended <- s.app(&out, &errs).run(ctx, append([]string{"hub", "serve", "--dir", dir}, args...))
	}()
	require.Eventually(s.t, func() bool {
		if len(ended) > 0 {
			require.Fail(s.t, "the hub ended", errs.String())
		}
		return strings.Contains(errs.String(), "the hub runs")
	}, patience, 20*time.Millisecond, "%s", &errs)
	v := &serving{out: out.String(), stop: sync.OnceFunc(func() {
		cancel()
		assert.Equal(s.t, exitDone, <-ended, errs.String())
	})}
	s.t.Cleanup(v.stop)
	for line := range strings.Lines(v.out) {
		if name, value, _ := strings.Cut(line, " "); name == "portal" {
			v.url = strings.TrimSpace(value)
		}
	}
	return v
}

// lockedBuffer is written and read at once.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestHubServeBackupRestore: a hub is served, backed up while it runs, lost, restored, and
// serves the same to a panel that knew it.
func TestHubServeBackupRestore(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	dir, copied := s.path("hub"), s.path("copied")
	port := seedHub(t, dir)
	first := s.serve(dir, "--listen", port, "--name", "Test hub")
	assert.Contains(t, first.out, "catalog   "+strings.TrimPrefix(first.url, "http://")+"/catalog")
	assert.NotContains(t, first.out, "setup", "there is an administrator")
	m := hubPanel(t, first.url, &installtest.Host{})
	require.NoError(t, m.Sync(t.Context()))

	assert.Contains(t, s.fail(exitFailed, "hub", "serve", "--dir", dir, "--listen", "127.0.0.1:0"), "in use by another hub")
	s.do("hub", "backup", dir, s.path("backup.db"))
	assert.Contains(t, s.fail(exitFailed, "hub", "backup", dir, s.path("backup.db")), "exists")
	assert.Contains(t, s.fail(exitFailed, "hub", "backup", s.path("nowhere"), s.path("x.db")), "pg_dump")
	info, err := os.Stat(s.path("backup.db"))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm())
	before := fetchAll(t, first.url)
	first.stop()

	assert.Contains(t, s.fail(exitFailed, "hub", "restore", s.path("backup.db"), dir), "nothing is overwritten")
	damaged, err := os.ReadFile(s.path("backup.db"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.path("damaged.db"), append(damaged[:4096], bytes.Repeat([]byte{7}, len(damaged)-4096)...), 0o600))
	s.fail(exitFailed, "hub", "restore", s.path("damaged.db"), copied)
	assert.NoDirExists(t, copied)
	s.do("hub", "restore", s.path("backup.db"), copied)
	for _, part := range []string{registryDir, keysDir} {
		require.NoError(t, os.CopyFS(filepath.Join(copied, part), os.DirFS(filepath.Join(dir, part))))
	}
	require.NoError(t, os.RemoveAll(dir))
	second := s.serve(copied, "--listen", port, "--name", "Test hub")
	assert.Equal(t, before, fetchAll(t, second.url))
	require.NoError(t, m.Sync(t.Context()))
	apply(t, m, install.Change{Install: []resolve.Want{{Plugin: "acme/backup"}}})
}

// seedHub makes a hub on the disk with something in it, and returns an address for it.
func seedHub(t *testing.T, dir string) (listen string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	h, err := server.Open(t.Context(), server.Options{Dir: dir, BaseURL: "http://localhost:" + port})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serveUntil(ctx, &http.Server{Handler: h}, l, h.Run) }()
	w := hubtest.NewTown(h, "http://localhost:"+port)
	_, err = w.Enrol(ctx, "Ada Admin", hub.RoleAdmin)
	require.NoError(t, err)
	require.NoError(t, w.Seed(ctx, hubtest.Small(), func(string) {}))
	stop()
	require.NoError(t, <-ended)
	require.NoError(t, h.Close())
	return "127.0.0.1:" + port
}

// fetchAll is what anybody sees of a hub.
func fetchAll(t *testing.T, base string) (out []string) {
	t.Helper()
	for _, path := range []string{"/api/v1/about", "/api/v1/plugins", "/api/v1/plugins/acme/backup/releases", "/api/v1/plugins/acme/backup/ratings", "/feeds/releases.atom"} {
		resp, err := http.Get(base + path)
		require.NoError(t, err)
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		require.Equal(t, http.StatusOK, resp.StatusCode, path)
		out = append(out, string(b))
	}
	return out
}

// TestHubServeOptions: what is not safe is refused, with what would be.
func TestHubServeOptions(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	for say, args := range map[string][]string{
		"--dir is missing":        {},
		"--base-url is missing":   {"--listen", "0.0.0.0:0"},
		"can be reached by other": {"--listen", "0.0.0.0:0", "--base-url", "http://localhost:1"},
		"somebody has to speak":   {"--base-url", "https://hub.example.org"},
		"belong together":         {"--tls-cert", "x"},
		"is no network":           {"--proxy", "10.0.0.1"},
		"issuer,client-id":        {"--oidc", "x"},
	} {
		if len(args) > 0 {
			args = append([]string{"--dir", s.path("hub"), "--listen", "127.0.0.1:0"}, args...)
		}
		assert.Contains(t, s.fail(exitUsage, append([]string{"hub", "serve"}, args...)...), say)
	}
	require.NoError(t, os.WriteFile(s.path("root.json"), []byte("{}"), 0o600))
	assert.Contains(t, s.fail(exitFailed, "hub", "serve", "--dir", s.path("other"), "--listen", "127.0.0.1:0", "--trusted-root", s.path("root.json")), "trusted root")
	assert.NoDirExists(t, s.path("hub"))
	v := s.serve(s.path("hub"), "--listen", "127.0.0.1:0", "--ci", "github", "--ci", "gitlab=https://gitlab.example.org", "--proxy", "10.0.0.0/8")
	assert.Contains(t, v.out, "makes you the administrator: ")
	assert.FileExists(t, s.path("hub/keys/catalog-root-1.pem"))
	c, err := client.New(v.url, client.Options{})
	require.NoError(t, err)
	issuers, err := c.Issuers(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []client.Issuer{
		{URL: signin.GitHubIssuer, Audience: v.url, Kind: "github"}, {URL: "https://gitlab.example.org", Audience: v.url, Kind: "gitlab"},
	}, issuers)
}
