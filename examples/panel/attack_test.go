package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// endless is a body that never ends, and counts what was read of it.
type endless struct{ read int }

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'a'
	}
	e.read += len(b)
	if e.read > 64<<20 {
		return 0, io.EOF
	}
	return len(b), nil
}

// TestEndlessBodies sends forms without an end to the panel's own pages.
func TestEndlessBodies(t *testing.T) {
	t.Parallel()
	p, err := newPanel(nil, nil, newUsers(true), &lab{}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	h, err := p.handler()
	require.NoError(t, err)
	for _, kind := range []string{"application/x-www-form-urlencoded", "multipart/form-data; boundary=a"} {
		for _, path := range []string{"/user", "/lab"} {
			body := &endless{}
			lead := "--a\r\nContent-Disposition: form-data; name=\"role\"; filename=\"x\"\r\n\r\n"
			r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1"+path, io.MultiReader(strings.NewReader(lead), body))
			r.Header.Set("Content-Type", kind)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			assert.Equal(t, http.StatusBadRequest, w.Code)
			assert.Less(t, body.read, 2*maxForm, "%s %s", path, kind)
		}
	}
}

// TestDamagedFiles starts the demo with files that are not what they were: it says
// what is wrong and what to do, and leaves everything as it was.
func TestDamagedFiles(t *testing.T) {
	t.Parallel()
	dir := freshDir(t)
	d := start(t, dir)
	d.done(installOf("acme/uptime"))
	installed := d.installed()
	require.NoError(t, d.stop())
	for _, c := range [][3]string{ // file, what it is by now, what is said
		{"registry/shelf.json", "[{", "-reset"},
		{"registry/shelf.json", "null", "-reset"},
		{"registry/catalog.json", "", "-reset"},
		{"registry/root.json", "{", "-reset"},
		{"keys/catalog-root-1.pem", "", "-reset"},
		{"panel/state/update.json", "{", "state/update.json"},
		{"panel/state/update.json", "null", "state/update.json"},
		{"panel/installed/current", "", "current"},
	} {
		file := filepath.Join(dir, c[0])
		kept, err := os.ReadFile(file)
		require.NoError(t, err, c[0])
		require.NoError(t, os.WriteFile(file, []byte(c[1]), 0o600))
		ctx, cancel := context.WithCancel(t.Context())
		out := &output{ready: make(chan string, 1)}
		ended := make(chan error, 1)
		go func() { ended <- run(ctx, []string{"-addr", "127.0.0.1:0", "-dir", dir}, out) }()
		select {
		case err = <-ended:
			require.ErrorContains(t, err, c[2], "%s is %q", c[0], c[1])
		case <-out.ready:
			assert.Fail(t, "it starts as if nothing was wrong", "%s is %q", c[0], c[1])
			cancel()
			require.NoError(t, <-ended)
		}
		cancel()
		now, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, c[1], string(now), "%s was written to", c[0])
		require.NoError(t, os.WriteFile(file, kept, 0o600))
	}
	again := start(t, dir)
	assert.Equal(t, installed, again.installed())
	again.done(installOf("acme/disk-report"))
}
