package link_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/link"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/verify"
)

// market has one plugin installed, and a history.
type market struct {
	mu      sync.Mutex
	here    []install.Installed
	history []install.Entry
}

func (m *market) Installed() []install.Installed {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.here
}

// History happened just now, unless it says when.
func (m *market) History() ([]install.Entry, error) {
	out := slices.Clone(m.history)
	for i := range out {
		if out[i].Ended.IsZero() {
			out[i].Ended = time.Now()
		}
	}
	return out, nil
}

func (m *market) install(r hub.Release) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.here = append(m.here, install.Installed{Ref: catalog.Ref{Plugin: catalog.PluginID(r.Plugin), Version: r.Version}, Digest: verify.Digest(r.Digest), Enabled: true})
}

// journal is a log that can be read while it is written.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// gate stands before a hub: it lets through, hangs, or cuts.
type gate struct {
	*httptest.Server
	mode atomic.Value // "", "hang", "cut"
	asks atomic.Int64
	over chan struct{}
}

func newGate(t *testing.T, hubURL string) *gate {
	t.Helper()
	to, err := url.Parse(hubURL)
	require.NoError(t, err)
	// The hub answers to its own name only, and its pages are at its own address.
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	g := &gate{over: make(chan struct{})}
	g.mode.Store("")
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.asks.Add(1)
		switch g.mode.Load() {
		case "hang":
			select {
			case <-r.Context().Done():
			case <-g.over:
			}
		case "cut":
			panic(http.ErrAbortHandler)
		default:
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() { close(g.over); g.Close() })
	return g
}

// client sends what is for the hub through the gate.
func (g *gate) client(t *testing.T) *http.Client {
	t.Helper()
	at, err := url.Parse(g.URL)
	require.NoError(t, err)
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at), DisableKeepAlives: true}}
}

// panel is a link of a hub that is reached through a gate.
type panel struct {
	*link.Link
	dir    string
	gate   *gate
	market *market
	log    *journal
	stop   func()
}

func open(t *testing.T, w *hubtest.World, dir string, change ...func(*link.Options)) *panel {
	t.Helper()
	p := &panel{dir: dir, gate: newGate(t, w.URL), market: &market{}, log: &journal{}}
	o := link.Options{
		Hub: w.URL, Name: "web1", Market: p.market, PanelVersion: "3.0.0", HTTPClient: p.gate.client(t),
		Log: slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, c := range change {
		c(&o)
	}
	var err error
	p.Link, err = link.Open(dir, o)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ran := make(chan error, 1)
	go func() { ran <- p.Run(ctx) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		assert.ErrorIs(t, <-ran, context.Canceled)
		assert.NoError(t, p.Close())
	})
	t.Cleanup(p.stop)
	return p
}

// approve types the panel's code, as a person does.
func (p *panel) approve(t *testing.T, w *hubtest.World, who *hubtest.Person) {
	t.Helper()
	a, err := p.Link.Link(t.Context())
	require.NoError(t, err)
	require.Equal(t, store.LinkWaiting, a.State)
	require.NoError(t, w.Hub.Identity.ApproveDevice(t.Context(), w.Actor(who), a.Code))
}

func (p *panel) linked(t *testing.T, name string) {
	t.Helper()
	require.Eventually(t, func() bool { a := p.Account(); return a.State == store.LinkLinked && a.Name == name }, 20*time.Second, 20*time.Millisecond, "%+v", p.Account())
}

// secrets are what the file holds that nobody else may see.
func (p *panel) secrets(t *testing.T) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(p.dir, "link.json"))
	require.NoError(t, err)
	var s struct {
		Key, Token string
		Waiting    struct{ DeviceCode string }
	}
	require.NoError(t, json.Unmarshal(b, &s))
	var out []string
	for _, secret := range []string{s.Key, s.Token, s.Waiting.DeviceCode} {
		if secret != "" {
			out = append(out, secret)
		}
	}
	return out
}
