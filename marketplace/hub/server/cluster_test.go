package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/registry"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/verify"
)

// cluster is what a large hub is: a proxy in front, several hub processes, a registry of
// its own, PostgreSQL.
type cluster struct {
	t     *testing.T
	url   string
	dir   string
	told  child
	front *httptest.Server

	mu    sync.Mutex
	backs []string // addresses of the hub processes
	shelf string   // of the registry
}

const service = "registry.test"

func newCluster(t *testing.T, dsn string) *cluster {
	t.Helper()
	c := &cluster{t: t, dir: t.TempDir()}
	c.front = httptest.NewServer(http.HandlerFunc(c.proxy))
	t.Cleanup(c.front.Close)
	c.url = "http://localhost:" + port(c.front.Listener.Addr().String())
	host := strings.TrimPrefix(c.url, "http://")
	c.told = child{Dir: filepath.Join(c.dir, "hub"), BaseURL: c.url, Postgres: dsn, Registry: host, Service: service}

	// The key comes first: the registry needs its public half before it serves, and the
	// hub the registry before it opens.
	key, err := registry.GenerateKey()
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(c.told.Dir, "keys"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(c.told.Dir, "keys", "registry-tokens.pem"), key, 0o600))
	tokens, err := registry.NewTokens(registry.TokenOptions{Realm: c.url + "/v2/token", Service: service, Key: key,
		Authorize: func(context.Context, registry.Credential, []registry.Access) ([]registry.Access, string, error) {
			return nil, "", nil
		}})
	require.NoError(t, err)
	c.startRegistry(tokens.JWKS())
	return c
}

func (c *cluster) startRegistry(jwks []byte) {
	t := c.t
	program := os.Getenv("SOUK_REGISTRY_V3")
	if program == "" {
		var err error
		if program, err = exec.LookPath("registry"); err != nil {
			missing := "no distribution v3: neither $SOUK_REGISTRY_V3 nor \"registry\" in PATH"
			if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
				t.Fatal(missing)
			}
			t.Skip("NOT TESTED AGAINST A REAL REGISTRY: " + missing)
		}
	}
	c.shelf = free(t)
	keys, config := filepath.Join(c.dir, "jwks.json"), filepath.Join(c.dir, "registry.yml")
	require.NoError(t, os.WriteFile(keys, jwks, 0o600))
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %q}}
http: {addr: %q, secret: test}
auth: {token: {realm: "%s/v2/token", service: %s, issuer: %s, jwks: %q, signingalgorithms: [ES256]}}
`, filepath.Join(c.dir, "registry"), c.shelf, c.url, service, service, keys), 0o600))
	cmd := exec.Command(program, "serve", config)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "OTEL_TRACES_EXPORTER=none"}
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill() //nolint:errcheck // it may have ended
		cmd.Wait()         //nolint:errcheck // killed
	})
	require.Eventually(t, func() bool {
		resp, err := http.Get("http://" + c.shelf + "/v2/")
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil
	}, 30*time.Second, 20*time.Millisecond, "the registry does not answer")
}

// add starts one more hub process.
func (c *cluster) add() *process {
	told := c.told
	told.Listen = free(c.t)
	p := start(c.t, told)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.backs = append(c.backs, told.Listen)
	return p
}

// proxy leads to the registry, or to the first hub process that answers.
func (c *cluster) proxy(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/v2/") && !strings.HasPrefix(r.URL.Path, "/v2/token") {
		(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: c.shelf})
			p.Out.Host = p.In.Host
		}}).ServeHTTP(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	backs := c.backs
	c.mu.Unlock()
	for _, back := range backs {
		out := r.Clone(r.Context())
		out.RequestURI, out.URL.Scheme, out.URL.Host = "", "http", back
		out.Body = io.NopCloser(bytes.NewReader(body))
		resp, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			continue
		}
		defer resp.Body.Close()
		for k, v := range resp.Header {
			w.Header()[k] = v
		}
		w.WriteHeader(resp.StatusCode)
		io.Copy(w, resp.Body) //nolint:errcheck // the client has gone
		return
	}
	http.Error(w, "no hub answers", http.StatusBadGateway)
}

// town opens the same hub in this process, without doing its jobs, for what people do.
func (c *cluster) town() *hubtest.Town {
	s, err := server.Open(c.t.Context(), c.told.options())
	require.NoError(c.t, err)
	c.t.Cleanup(func() { require.NoError(c.t, s.Close()) })
	return hubtest.NewTown(s, c.url)
}

// TestTwoHubsShareTheWork: two processes on one database publish a pile of releases; one
// is killed in the middle. Nothing is lost, and nothing is done twice.
func TestTwoHubsShareTheWork(t *testing.T) {
	dsn, _ := hubtest.Postgres(t)
	c := newCluster(t, dsn)
	first := c.add() // makes keys and catalog
	c.add()
	w := c.town()
	ctx := t.Context()
	olga, err := w.Enrol(ctx, "Olga Owner")
	require.NoError(t, err)
	acme, err := w.Found(ctx, olga, "acme")
	require.NoError(t, err)

	const pile = 16 // below the limit of a day
	var subs []hub.Submission
	for i := range pile {
		sub, err := w.Submit(ctx, acme, hubtest.Plugin{Manifest: hubtest.Manifest(catalog.PluginID(fmt.Sprintf("acme/plugin-%d", i)), "1.0.0")})
		require.NoError(t, err)
		subs = append(subs, sub)
	}
	for i, sub := range subs {
		d, err := w.Settle(ctx, olga, sub.ID)
		require.NoError(t, err)
		require.Equal(t, hub.StateInReview, d.State, "%s %v", d.Reason, d.Problems)
		require.NoError(t, w.Approve(ctx, d))
		if i == pile/3 {
			first.kill() // in the middle of publishing what was approved just now
		}
	}
	within(t, 2*time.Minute, func() bool {
		n := count(t, w, func(tx hub.Tx) (int64, error) {
			return tx.Submissions().Count(ctx, hub.Eq("state", hub.StatePublished))
		})
		return n == pile
	}, "all are published")
	checkPublishedOnce(t, w, subs)
}

// count asks the store for a number.
func count(t *testing.T, w *hubtest.Town, f func(hub.Tx) (int64, error)) int64 {
	t.Helper()
	var n int64
	require.NoError(t, w.Hub.Store.View(t.Context(), func(tx hub.Tx) error {
		var err error
		n, err = f(tx)
		return err
	}))
	return n
}

// within waits for something to become true.
func within(t *testing.T, d time.Duration, is func() bool, what string) {
	t.Helper()
	late := time.After(d)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-late:
			require.Fail(t, "too late", "%s within %s", what, d)
		case <-tick.C:
		}
	}
}

// checkPublishedOnce: one release, one event, one attestation of each submission, and the
// catalog has all of them and nothing else.
func checkPublishedOnce(t *testing.T, w *hubtest.Town, subs []hub.Submission) {
	t.Helper()
	ctx := t.Context()
	told := map[string]int{}
	require.NoError(t, w.Hub.Store.View(ctx, func(tx hub.Tx) error {
		events, err := tx.Events().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("kind", hub.EventReleasePublished)}})
		for _, e := range events {
			told[e.Plugin+"@"+e.Version]++
		}
		return err
	}))
	src, err := oci.New(w.Hub.Catalog(), oci.Options{Insecure: true, Credentials: oci.Anonymous})
	require.NoError(t, err)
	defer func() { require.NoError(t, src.Close()) }()
	for _, sub := range subs {
		assert.Equal(t, 1, told[sub.Ref()], "%s is told once", sub.Ref())
		r, err := w.Hub.Publishing.Release(ctx, sub.Plugin, sub.Version)
		require.NoError(t, err)
		evidence, err := src.Evidence(ctx, catalog.Release{Ref: catalog.Ref{Plugin: catalog.PluginID(sub.Plugin), Version: sub.Version}, Digest: verify.Digest(r.Digest)})
		require.NoError(t, err)
		reviews := 0
		for _, b := range evidence.Bundles {
			if predicateOf(t, b) == publishing.ReviewType {
				reviews++
			}
		}
		assert.Equal(t, 1, reviews, "%s has one attestation of its review", sub.Ref())
		assert.Len(t, evidence.Bundles, 2, "%s: the publisher's signature and the review", sub.Ref())
	}
	assert.EqualValues(t, len(subs), count(t, w, func(tx hub.Tx) (int64, error) { return tx.Releases().Count(ctx) }))
	list := listed(t, w, src)
	assert.Len(t, list, len(subs))
	for _, sub := range subs {
		assert.Equal(t, 1, list[sub.Ref()], "%s stands in the catalog", sub.Ref())
	}
}

// predicateOf reads the predicate type of a bundle's statement.
func predicateOf(t *testing.T, bundle []byte) string {
	t.Helper()
	var b struct {
		DSSE struct {
			Payload []byte `json:"payload"`
		} `json:"dsseEnvelope"`
	}
	require.NoError(t, json.Unmarshal(bundle, &b))
	var s struct {
		Type string `json:"predicateType"`
	}
	require.NoError(t, json.Unmarshal(b.DSSE.Payload, &s))
	return s.Type
}

// TestDatabaseAway: the database is away for half a minute. Every request is a clear 503
// that says when to try again, and afterwards everything is as before.
func TestDatabaseAway(t *testing.T) {
	dsn, db := hubtest.Postgres(t)
	if db == nil {
		const why = "the PostgreSQL of SOUK_POSTGRES is not ours to stop: unset it"
		if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
			t.Fatal(why)
		}
		t.Skip(why)
	}
	c := newCluster(t, dsn)
	p := c.add()
	w := c.town()
	olga, err := w.Enrol(t.Context(), "Olga Owner")
	require.NoError(t, err)
	acme, err := w.Found(t.Context(), olga, "acme")
	require.NoError(t, err)
	_, err = w.Publish(t.Context(), acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.0.0")})
	require.NoError(t, err)

	ask := func(method, path, body string) (int, http.Header, string) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, method, c.url+path, strings.NewReader(body))
		require.NoError(t, err)
		req.AddCookie(&http.Cookie{Name: "souk_session", Value: olga.Cookie})
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return resp.StatusCode, resp.Header, string(b)
	}
	status, _, _ := ask("GET", "/api/v1/account", "")
	require.Equal(t, 200, status)
	db.Stop(t)
	gone := time.Now()
	for time.Since(gone) < 30*time.Second {
		for _, r := range [][3]string{
			{"GET", "/api/v1/account", ""}, {"GET", "/api/v1/plugins/acme/backup", ""}, {"PUT", "/api/v1/plugins/acme/backup/releases/1.0.0/rollout", `{"percent":5}`},
			{"GET", "/", ""}, {"GET", "/readyz", ""},
		} {
			status, header, b := ask(r[0], r[1], r[2])
			require.Equal(t, 503, status, "%s %s: %s", r[0], r[1], b)
			require.NotEmpty(t, header.Get("Retry-After"), r[1])
			require.NotContains(t, b, "postgres", "nothing of the inside is told")
		}
		status, _, _ = ask("GET", "/healthz", "")
		require.Equal(t, 200, status, "the process lives")
	}
	db.Start(t)
	within(t, 15*time.Second, func() bool { status, _, _ := ask("GET", "/readyz", ""); return status == 200 }, "the hub is ready again")
	status, _, b := ask("GET", "/api/v1/plugins/acme/backup", "")
	require.Equal(t, 200, status, b)
	r, err := w.Publish(t.Context(), acme, hubtest.Plugin{Manifest: hubtest.Manifest("acme/backup", "1.1.0")})
	require.NoError(t, err, "jobs go on")
	assert.Equal(t, 100, r.Percent, "what was refused was not done")
	p.stop(t)
}
