package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/examples/plugins"
	"github.com/souk-dev/souk/sandbox/wasm"
)

// prepared is the directory of a panel that was started once: its registry is full,
// and the modules are compiled, which takes seconds each. It is made once for all
// tests.
var prepared = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "souk-panel-test-")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := &output{ready: make(chan string, 1)}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-dir", dir}, out) }()
	select {
	case <-out.ready:
		cancel()
		err = <-ended
	case err = <-ended:
		return dir, fmt.Errorf("%w\n%s", err, out)
	}
	if err != nil {
		return dir, err
	}
	return dir, compile(filepath.Join(dir, "wasm-cache"))
})

// compile compiles the modules of the first wave.
func compile(cache string) (err error) {
	ctx := context.Background()
	rt, err := wasm.New(ctx, wasm.Options{CacheDir: cache})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rt.Close(ctx)) }()
	all, err := plugins.Releases()
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.GoPackage == "" || !slices.Contains(waves[0], r.Ref) {
			continue
		}
		code, err := r.Compile(ctx, "")
		if err == nil {
			err = rt.Compile(ctx, code)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := prepared(); err == nil {
		if err := os.RemoveAll(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	os.Exit(code)
}

// output is what the panel prints; ready gets the address once it is printed.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	ready chan string
}

var address = regexp.MustCompile(`Open (http://[^/]+)/plugins/`)

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := address.Match(o.text.Bytes())
	n, err := o.text.Write(b)
	if m := address.FindSubmatch(o.text.Bytes()); m != nil && !before {
		o.ready <- string(m[1])
	}
	return n, err
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// freshDir is a copy of the prepared directory.
func freshDir(t *testing.T) string {
	t.Helper()
	from, err := prepared()
	require.NoError(t, err)
	dir := t.TempDir()
	for _, name := range []string{"registry", "keys", "wasm-cache"} {
		require.NoError(t, os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(from, name))))
	}
	return dir
}

// demo is a running panel, and a client of it.
type demo struct {
	t    *testing.T
	url  string
	stop func() error
}

// start runs the panel in this process until the test ends or stop is called.
func start(t *testing.T, dir string) *demo {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := &output{ready: make(chan string, 1)}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-dir", dir}, out) }()
	d := &demo{t: t}
	d.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	t.Cleanup(func() { require.NoError(t, d.stop()) })
	select {
	case d.url = <-out.ready:
	case err := <-ended:
		ended <- nil
		require.NoError(t, err, out)
		require.Fail(t, "the panel ended", out)
	}
	return d
}

// problem is an error as the store's JSON interface tells it.
type problem struct {
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Next     string `json:"next"`
	Cause    string `json:"cause"` // what exactly
	Conflict struct {
		Lines       []struct{ Text string }
		Suggestions []struct{ Text string }
	} `json:"conflict"`
}

// all is everything that the problem says.
func (p problem) all() string {
	said := []string{p.Title, p.Detail, p.Cause}
	for _, l := range p.Conflict.Lines {
		said = append(said, l.Text)
	}
	for _, s := range p.Conflict.Suggestions {
		said = append(said, s.Text)
	}
	return strings.Join(append(said, p.Next), "\n")
}

type plan struct {
	ID       string `json:"id"`
	Title    string `json:"title"`
	Consents []struct {
		ID         string `json:"id"`
		Permission string `json:"permission"`
		Sentence   string `json:"sentence"`
		Risk       string `json:"risk"`
		New        bool   `json:"new"`
	} `json:"consents"`
	Steps []struct{ Action, Plugin, Version string } `json:"steps"`
}

type operation struct {
	ID       string   `json:"id"`
	State    string   `json:"state"`
	Final    bool     `json:"final"`
	Restored bool     `json:"restored"`
	Error    *problem `json:"error"`
}

// call speaks to the JSON interface. It decodes a success into out, or returns the
// problem.
func (d *demo) call(method, path string, in, out any) *problem {
	d.t.Helper()
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		require.NoError(d.t, err)
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(d.t.Context(), method, d.url+"/plugins/api/v1/"+path, body)
	require.NoError(d.t, err)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(d.t, err)
	if resp.StatusCode >= 400 {
		var p problem
		require.NoError(d.t, json.Unmarshal(b, &p), "%s", b)
		require.Equal(d.t, "application/problem+json", resp.Header.Get("Content-Type"))
		return &p
	}
	if out != nil {
		require.NoError(d.t, json.Unmarshal(b, out), "%s", b)
	}
	return nil
}

// post sends a request to a panel that may die meanwhile: no answer is fine.
func (d *demo) post(path string, in any) {
	d.t.Helper()
	b, err := json.Marshal(in)
	require.NoError(d.t, err)
	resp, err := http.Post(d.url+"/plugins/api/v1/"+path, "application/json", bytes.NewReader(b))
	if err == nil {
		require.NoError(d.t, resp.Body.Close())
	}
}

func installOf(id string) map[string]any {
	return map[string]any{"install": []map[string]string{{"plugin": id}}}
}

func updateOf(id string) map[string]any { return map[string]any{"update": []string{id}} }

// plan makes a plan that must be possible.
func (d *demo) plan(change map[string]any) plan {
	d.t.Helper()
	var p plan
	require.Nil(d.t, d.call(http.MethodPost, "plans", change, &p))
	return p
}

// apply agrees to everything and waits for the end.
func (d *demo) apply(p plan) operation {
	d.t.Helper()
	consents := []string{}
	for _, c := range p.Consents {
		consents = append(consents, c.ID)
	}
	var op operation
	require.Nil(d.t, d.call(http.MethodPost, "plans/"+p.ID+"/apply", map[string]any{"consents": consents}, &op))
	require.Eventually(d.t, func() bool {
		require.Nil(d.t, d.call(http.MethodGet, "operations/"+op.ID, nil, &op))
		return op.Final
	}, 2*time.Minute, 20*time.Millisecond, "the operation does not end")
	return op
}

func (d *demo) done(change map[string]any) {
	d.t.Helper()
	op := d.apply(d.plan(change))
	require.Equal(d.t, "done", op.State, "%+v", op.Error)
}

// installed returns what is installed as "acme/uptime@1.0.0", sorted.
func (d *demo) installed() []string {
	d.t.Helper()
	var list struct {
		Installed []struct{ ID, Version string } `json:"installed"`
	}
	require.Nil(d.t, d.call(http.MethodGet, "installed", nil, &list))
	out := []string{}
	for _, p := range list.Installed {
		out = append(out, p.ID+"@"+p.Version)
	}
	return out
}

// page returns a page's status and text.
func (d *demo) page(path string) (int, string) {
	d.t.Helper()
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.url+path, nil)
	require.NoError(d.t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(d.t, err)
	return resp.StatusCode, string(b)
}

// lab works one of the lab's switches.
func (d *demo) lab(name string, on bool) {
	d.t.Helper()
	form := url.Values{"switch": {name}, "on": {"0"}}
	if on {
		form.Set("on", "1")
	}
	req, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+"/lab", strings.NewReader(form.Encode()))
	require.NoError(d.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(d.t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(d.t, err)
	require.Equal(d.t, http.StatusOK, resp.StatusCode, "%s", b)
}
