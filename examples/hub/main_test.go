package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
)

// output is written and read at once.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// started is a hub that runs.
type started struct {
	t    *testing.T
	base string // "http://localhost:43210"
	out  *output
	stop func()
}

var open = regexp.MustCompile(`Open (http://localhost:\d+) in a browser`)

func start(t *testing.T, args ...string) *started {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &started{t: t, out: &output{}}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, args, s.out) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		assert.NoError(t, <-ended)
	})
	t.Cleanup(s.stop)
	require.Eventually(t, func() bool {
		if len(ended) > 0 {
			require.Fail(t, "it ended", "%v\n%s", <-ended, s.out)
		}
		m := open.FindStringSubmatch(s.out.String())
		if m != nil {
			s.base = m[1]
		}
		return m != nil
	}, 8*time.Minute, 20*time.Millisecond) // with the race detector, on a busy machine
	return s
}

// as returns a browser in which somebody of the demo is signed in; nobody when it is empty.
func (s *started) as(key string) *http.Client {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(s.t, err)
	c := &http.Client{Jar: jar}
	if key != "" {
		resp, err := c.PostForm(s.base+"/demo/signin/"+key, nil)
		require.NoError(s.t, err)
		require.NoError(s.t, resp.Body.Close())
		require.Equal(s.t, http.StatusOK, resp.StatusCode, "where %s is led to", key)
	}
	return c
}

// get reads something that must be there, as JSON into v unless that is nil.
func (s *started) get(c *http.Client, path string, v any) string {
	s.t.Helper()
	resp, err := c.Get(s.base + path)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, resp.StatusCode, "%s: %s", path, b)
	if v != nil {
		require.NoError(s.t, json.Unmarshal(b, v), "%s: %s", path, b)
	}
	return string(b)
}

// TestDemo starts the demo, looks at it as everybody who is in it, and starts it again.
func TestDemo(t *testing.T) {
	dir := t.TempDir()
	s := start(t, "-addr", "127.0.0.1:0", "-dir", dir, "-demo")
	assert.NotContains(t, s.out.String(), "setup")
	anybody := s.as("")
	assert.Contains(t, s.get(anybody, "/demo", nil), "made up")
	assert.Contains(t, strings.ToLower(s.get(anybody, "/", nil)), "demo", "every page is marked")

	var shelf hub.Page[hub.Plugin]
	s.get(anybody, "/api/v1/plugins", &shelf)
	assert.Len(t, shelf.Items, 7)
	var sum struct{ Count int64 }
	s.get(anybody, "/api/v1/plugins/acme/uptime/ratings/summary", &sum)
	assert.Greater(t, sum.Count, int64(2))
	assert.Contains(t, s.get(anybody, "/feeds/advisories.atom", nil), "<entry>")

	var queue struct{ Items []hub.Submission }
	s.get(s.as("reviewer"), "/api/v1/review/queue", &queue)
	states := map[string]hub.State{}
	for _, sub := range queue.Items {
		states[sub.Ref()] = sub.State
	}
	assert.Equal(t, map[string]hub.State{
		"northwind/alerts@1.1.0": hub.StateInReview, "acme/disk-report@1.1.0": hub.StateInReview,
		"northwind/theme-dusk@1.0.1": hub.StateInReview, "acme/charts@1.3.0": hub.StateScanError,
	}, states)
	assert.Equal(t, "northwind/alerts@1.1.0", queue.Items[0].Ref(), "the packed secret is the highest risk")
	assert.Greater(t, queue.Items[0].Risk, queue.Items[3].Risk)
	for _, sub := range queue.Items {
		assert.Equal(t, sub.Plugin == "acme/disk-report" || sub.Plugin == "northwind/alerts", sub.Grew, sub.Ref())
	}

	var n struct {
		Days      []string
		Downloads []int64
		Adoption  []float64
	}
	from := time.Now().AddDate(0, 0, -89).UTC().Format(time.RFC3339)
	s.get(s.as("publisher"), "/api/v1/plugins/acme/uptime/numbers?from="+url.QueryEscape(from), &n)
	require.Len(t, n.Days, 90)
	for i, d := range n.Downloads {
		assert.Positive(t, d, n.Days[i])
	}
	assert.Less(t, n.Adoption[55], n.Adoption[89], "an update that is taken")
	var reports hub.Page[hub.Report]
	s.get(s.as("moderator"), "/api/v1/reports", &reports)
	assert.NotEmpty(t, reports.Items)
	var system struct{ Initialized bool }
	s.get(s.as("admin"), "/api/v1/system", &system)
	assert.True(t, system.Initialized)
	var me hub.Account
	s.get(s.as("user"), "/api/v1/account", &me)
	assert.Equal(t, "Mira A.", me.Name)
	assert.Empty(t, me.Roles)

	// Nobody else signs in that way: no page of another site, and no name that leads here.
	for what, change := range map[string]func(*http.Request){
		"another site":     func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"another origin":   func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") },
		"another name":     func(r *http.Request) { r.Host = "evil.example" },
		"the right person": func(*http.Request) {},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/demo/signin/admin", nil)
		require.NoError(t, err)
		change(r)
		resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		want := http.StatusForbidden
		if what == "the right person" {
			want = http.StatusSeeOther
		}
		assert.Equal(t, want, resp.StatusCode, what)
		assert.Equal(t, want == http.StatusSeeOther, len(resp.Cookies()) == 1, what)
	}
	r := &http.Request{Host: "localhost:8090", RemoteAddr: "192.0.2.1:4711"}
	assert.False(t, here(r), "another machine")

	// A second start has everything again, and what the demo made is there without -demo,
	// where nobody signs in as somebody else.
	s.stop()
	port := strings.TrimPrefix(s.base, "http://localhost:")
	s = start(t, "-addr", "127.0.0.1:"+port, "-dir", dir, "-demo")
	t.Log(strings.SplitN(s.out.String(), "\n", 2)[0])
	assert.Contains(t, s.out.String(), "The hub is up after")
	s.get(anybody, "/api/v1/plugins", &shelf)
	assert.Len(t, shelf.Items, 7)
	s.as("admin")
	s.stop()
	s = start(t, "-addr", "127.0.0.1:"+port, "-dir", dir)
	for _, path := range []string{"/demo", "/demo/signin/admin"} {
		resp, err := http.Post(s.base+path, "", nil)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.GreaterOrEqual(t, resp.StatusCode, 400, path)
		assert.Empty(t, resp.Cookies(), path)
	}
}

// TestPlain is the hub as one begins with: empty, with a code for the first administrator.
func TestPlain(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine"), []byte("x"), 0o600))
	s := start(t, "-addr", "127.0.0.1:0", "-dir", dir)
	assert.Contains(t, s.out.String(), "makes you the administrator")
	var shelf hub.Page[hub.Plugin]
	s.get(s.as(""), "/api/v1/plugins", &shelf)
	assert.Empty(t, shelf.Items)
	assert.ErrorContains(t, run(t.Context(), []string{"-addr", "127.0.0.1:0", "-dir", dir}, io.Discard), "in use by another hub")
	assert.ErrorContains(t, run(t.Context(), []string{"-addr", "127.0.0.1:0", "-dir", dir, "-reset"}, io.Discard), "in use by another hub")
	assert.FileExists(t, filepath.Join(dir, "hub.db"))
	key, err := os.ReadFile(filepath.Join(dir, "keys/reviews.pem"))
	require.NoError(t, err)
	s.stop()
	start(t, "-addr", "127.0.0.1:0", "-dir", dir, "-reset").stop()
	again, err := os.ReadFile(filepath.Join(dir, "keys/reviews.pem"))
	require.NoError(t, err)
	assert.NotEqual(t, key, again, "it began with nothing")
	assert.FileExists(t, filepath.Join(dir, "mine"), "and removed only its own")
}

// TestPostgres is the same hub on the other database; without PostgreSQL it is skipped, or
// fails when SOUK_TEST_REQUIRE is "all".
func TestPostgres(t *testing.T) {
	dsn, _ := hubtest.Postgres(t)
	dir := t.TempDir()
	s := start(t, "-addr", "127.0.0.1:0", "-dir", dir, "-postgres", dsn, "-demo")
	var shelf hub.Page[hub.Plugin]
	s.get(s.as("admin"), "/api/v1/plugins", &shelf)
	assert.Len(t, shelf.Items, 7)
	assert.NoFileExists(t, filepath.Join(dir, "hub.db"))
}

// TestRefused: what would not be safe, or would damage something.
func TestRefused(t *testing.T) {
	for want, args := range map[string][]string{
		"can be reached by others": {"-addr", "0.0.0.0:0"},
		"choose another address":   {"-addr", "127.0.0.1:99999"},
		"is not removed":           {"-addr", "127.0.0.1:0", "-reset", "-postgres", "host=/nowhere"},
	} {
		err := run(t.Context(), append(args, "-dir", t.TempDir(), "-demo"), io.Discard)
		assert.ErrorContains(t, err, want)
	}
}

// TestCutOff: a demo that was not filled to its end begins anew.
func TestCutOff(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{stateFile, "hub.db"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(filling), 0o600))
	}
	state, err := prepare(options{dir: dir})
	require.NoError(t, err)
	assert.Equal(t, filling, state, "it is left alone without -demo")
	state, err = prepare(options{dir: dir, demo: true})
	require.NoError(t, err)
	assert.Equal(t, empty, state)
	assert.NoFileExists(t, filepath.Join(dir, "hub.db"))
	_, err = prepare(options{dir: dir, demo: true, postgres: "x", reset: true})
	assert.Error(t, err)
}

func TestPeople(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range people() {
		assert.False(t, seen[p.Key], p.Key)
		seen[p.Key] = true
		assert.NotEmpty(t, p.Name+p.What+p.Try+p.Home, fmt.Sprint(p))
	}
}
