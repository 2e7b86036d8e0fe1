package registry_test

import (
	"bytes"
	"context"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net"
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

	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/marketplace/hub/registry"
)

const (
	service = "registry.example.org"
	secret  = "a secret of the registry"
)

// rules is the hub of these tests: everybody pulls what is not staged, ann pushes to
// acme's staging, and the operator does everything.
func rules(_ context.Context, c registry.Credential, want []registry.Access) ([]registry.Access, string, error) {
	known := map[string]string{"ann": "souk_ann", "operator": "souk_operator"}
	if !c.Anonymous() && subtle.ConstantTimeCompare([]byte(known[c.Username]), []byte(c.Password)) != 1 || c.Username == "" && c.Password != "" {
		return nil, "", fmt.Errorf("ask the accounts: %w", registry.ErrCredentials)
	}
	var granted []registry.Access
	for _, a := range want {
		var may []string
		for _, action := range a.Actions {
			staged := strings.HasPrefix(a.Name, "staging/")
			switch {
			case c.Username == "operator",
				c.Username == "ann" && strings.HasPrefix(a.Name, "staging/acme/") && action != "delete",
				a.Type == "repository" && !staged && action == "pull":
				may = append(may, action)
			}
		}
		granted = append(granted, registry.Access{Type: a.Type, Name: a.Name, Actions: may})
	}
	return granted, c.Username, nil
}

func key(t testing.TB) []byte {
	t.Helper()
	k, err := registry.GenerateKey()
	require.NoError(t, err)
	return k
}

func newTokens(t testing.TB, change func(*registry.TokenOptions)) *registry.Tokens {
	t.Helper()
	o := registry.TokenOptions{Realm: "https://hub.example.org/token", Service: service, Issuer: "souk", Key: key(t), Authorize: rules}
	if change != nil {
		change(&o)
	}
	s, err := registry.NewTokens(o)
	require.NoError(t, err)
	return s
}

// world is a registry with its token service, somewhere.
type world struct {
	URL, Host string
	Tokens    *registry.Tokens
	Key       []byte             // that signs
	Registry  *registry.Registry // nil when it is another process
	Events    *events
}

// events collects what a registry tells.
type events struct {
	mu   sync.Mutex
	list []registry.Event
	fail error
	come chan struct{} // capacity 1
}

func newEvents() *events { return &events{come: make(chan struct{}, 1)} }

func (e *events) take(_ context.Context, list []registry.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.fail != nil {
		return e.fail
	}
	e.list = append(e.list, list...)
	select {
	case e.come <- struct{}{}:
	default:
	}
	return nil
}

func (e *events) failing(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fail = err
}

// wait returns the events when there are n that match.
func (e *events) wait(t testing.TB, n int, match func(registry.Event) bool) []registry.Event {
	t.Helper()
	late := time.After(30 * time.Second)
	for {
		var out []registry.Event
		e.mu.Lock()
		for _, one := range e.list {
			if match(one) {
				out = append(out, one)
			}
		}
		e.mu.Unlock()
		if len(out) >= n {
			return out
		}
		select {
		case <-e.come:
		case <-late:
			require.Fail(t, "events are missing", "%d of %d came", len(out), n)
		}
	}
}

// listen serves two handlers on a free port: tokens are issued by the one at /token.
func listen(t testing.TB, build func(url string) http.Handler) (url string) {
	t.Helper()
	s := httptest.NewUnstartedServer(nil)
	url = "http://" + s.Listener.Addr().String()
	s.Config.Handler = build(url)
	s.Start()
	t.Cleanup(s.Close)
	return url
}

// inProcess starts the registry of this package.
func inProcess(t testing.TB, change func(*registry.Options)) *world {
	t.Helper()
	w := &world{Events: newEvents(), Key: key(t)}
	w.URL = listen(t, func(url string) http.Handler {
		w.Tokens = newTokens(t, func(o *registry.TokenOptions) { o.Realm, o.Key = url+"/token", w.Key })
		o := registry.Options{Tokens: w.Tokens, Notify: w.Events.take}
		if change != nil {
			change(&o)
		}
		r, err := registry.Open(t.TempDir(), o)
		require.NoError(t, err)
		w.Registry = r
		t.Cleanup(func() { assert.NoError(t, r.Close()) })
		mux := http.NewServeMux()
		mux.Handle("/v2/", r)
		mux.Handle("/token", w.Tokens)
		return mux
	})
	w.Host = strings.TrimPrefix(w.URL, "http://")
	return w
}

// realRegistry starts a registry of another process, whose tokens and notifications
// are ours.
func realRegistry(t testing.TB) *world {
	t.Helper()
	program := os.Getenv("SOUK_REGISTRY_V3")
	if program == "" {
		var err error
		if program, err = exec.LookPath("registry"); err != nil {
			missing := "no distribution v3: neither $SOUK_REGISTRY_V3 nor \"registry\" in PATH; get it with: go install github.com/distribution/distribution/v3/cmd/registry@v3.0.0"
			if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
				t.Fatal(missing)
			}
			t.Skip("NOT TESTED AGAINST A REAL REGISTRY: " + missing)
		}
	}
	w := &world{Events: newEvents(), Key: key(t)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	w.URL = listen(t, func(front string) http.Handler { // one host, as behind a proxy
		w.Tokens = newTokens(t, func(o *registry.TokenOptions) { o.Realm, o.Key = front+"/token", w.Key })
		hook, err := registry.Notifications(secret, w.Events.take)
		require.NoError(t, err)
		mux := http.NewServeMux()
		mux.Handle("/token", w.Tokens)
		mux.Handle("/hook", hook)
		mux.Handle("/v2/", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "http", Host: addr})
			r.Out.Host = r.In.Host
		}})
		return mux
	})
	w.Host = strings.TrimPrefix(w.URL, "http://")
	dir := t.TempDir()
	jwks := filepath.Join(dir, "jwks.json")
	require.NoError(t, os.WriteFile(jwks, w.Tokens.JWKS(), 0o600))
	config := filepath.Join(dir, "config.yml")
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, `
version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: %q}, delete: {enabled: true}}
http: {addr: %q, secret: test}
auth: {token: {realm: "%s/token", service: %s, issuer: souk, jwks: %q, signingalgorithms: [ES256]}}
notifications:
  endpoints:
    - {name: hub, url: "%s/hook", headers: {Authorization: ["Bearer %s"]}, timeout: 10s, threshold: 3, backoff: 50ms}
`, filepath.Join(dir, "data"), addr, w.URL, service, jwks, w.URL, secret), 0o600))
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
	late := time.After(30 * time.Second)
	for tick := time.NewTicker(20 * time.Millisecond); ; {
		if resp, err := http.Get("http://" + addr + "/v2/"); err == nil {
			resp.Body.Close()
			return w
		}
		select {
		case err := <-gone:
			t.Fatalf("%s ended: %v\n%s", program, err, output.String())
		case <-late:
			t.Fatalf("%s does not answer", program)
		case <-tick.C:
		}
	}
}

// each runs a test against the registry in this process and a real one.
func each(t *testing.T, test func(t *testing.T, w *world)) {
	t.Run("in process", func(t *testing.T) {
		t.Parallel()
		test(t, inProcess(t, func(o *registry.Options) { o.Delete = true }))
	})
	t.Run("distribution-v3", func(t *testing.T) { t.Parallel(); test(t, realRegistry(t)) })
}

// as are the options of a client with a name and an API token.
func (w *world) as(name string) oci.Options {
	c := oci.Credential{Username: name, Password: "souk_" + name}
	if name == "" {
		c = oci.Credential{}
	}
	return oci.Options{
		RetryWait:   time.Millisecond,
		Credentials: func(context.Context, string) (oci.Credential, error) { return c, nil },
	}
}

func (w *world) pusher(t testing.TB, at string, o oci.Options) *oci.Pusher {
	t.Helper()
	p, err := oci.NewPusher(w.Host+at, o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

func (w *world) issue(t testing.TB, access ...registry.Access) string {
	t.Helper()
	token, err := w.Tokens.Issue("hub", access, 0)
	require.NoError(t, err)
	return token
}

// do asks with a token, which may be empty.
func (w *world) do(t testing.TB, method, path, token string, body []byte, header ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, w.URL+path, bytes.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

func (w *world) status(t testing.TB, method, path, token string) int {
	t.Helper()
	return w.do(t, method, path, token, nil).StatusCode
}

// logger keeps what was logged.
type logger struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logger) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logger) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logger) slog(level slog.Level) *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: level}))
}
