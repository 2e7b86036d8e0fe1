package wasm_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/wasm"
)

// logBuffer is safe for concurrent use.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func TestCall(t *testing.T) {
	t.Parallel()
	in := start(t, wasm.Options{}, goModule())
	assert.Equal(t, "acme/test@1.0.0", in.Name())

	for _, s := range []string{"", "hello", "\x00\xff bytes"} {
		out, err := in.Call(t.Context(), "echo", []byte(s))
		require.NoError(t, err)
		assert.Equal(t, s, string(out))
	}
	out, err := in.Call(t.Context(), "card", []byte("42"))
	require.NoError(t, err)
	assert.Equal(t, "shown 42", string(out))

	_, err = in.Call(t.Context(), "nothing", nil)
	require.ErrorIs(t, err, wasm.ErrNoExport)
	assert.EqualError(t, err, "call nothing of acme/test@1.0.0: plugin has no such function")

	_, err = in.Call(t.Context(), "fail", nil)
	var guest *wasm.GuestError
	require.ErrorAs(t, err, &guest)
	assert.Equal(t, "no \ufffd[31mluck", guest.Text, "no control characters")

	_, err = in.Call(t.Context(), "echo", nil)
	assert.NoError(t, err, "the instance goes on after all of that")
}

func TestHealth(t *testing.T) {
	t.Parallel()
	in := start(t, wasm.Options{}, goModule())
	require.NoError(t, in.Health(t.Context(), "souk_health"))

	err := in.Health(t.Context(), "nothing")
	require.ErrorIs(t, err, wasm.ErrNoExport)
	err = in.Health(t.Context(), "souk_call")
	require.ErrorIs(t, err, wasm.ErrNoExport, "of another type")

	_, err = in.Call(t.Context(), "sick", nil)
	require.NoError(t, err)
	err = in.Health(t.Context(), "souk_health")
	assert.EqualError(t, err, "health of acme/test@1.0.0: plugin says: I feel unwell")
}

func TestRequestsAreChecked(t *testing.T) {
	t.Parallel()
	var log logBuffer
	in := start(t, wasm.Options{Log: logTo(&log)}, goModule())
	for request, want := range map[string]string{
		"api.example.com:443":   "body for acme/test@1.0.0",
		"api.example.com:80":    "refused: permission denied (permission denied: net.out:api.example.com:80)",
		"example.com:443":       "refused: permission denied (permission denied: net.out:example.com:443)",
		"moved.example.com:443": "refused: permission denied (permission denied: net.out:elsewhere.example.org:443)",
	} {
		out, err := in.Call(t.Context(), "fetch", []byte(request))
		require.NoError(t, err, request)
		assert.Equal(t, want, string(out), request)
	}
	out, err := in.Call(t.Context(), "fetch", []byte("nonsense"))
	require.NoError(t, err)
	assert.Contains(t, string(out), "refused: permission denied")
	assert.Contains(t, log.String(), "host call refused")
	assert.Contains(t, log.String(), "net.out:example.com:443")

	require.ErrorIs(t, wasm.Allowed(t.Context(), "ui:dashboard.card"), sandbox.ErrDenied, "only while a plugin is served")
	assert.Empty(t, wasm.Plugin(t.Context()))
}

func TestUngrantedIsNotLinked(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t, wasm.Options{})

	m := goModule()
	m.Grants = sandbox.MustSet("ui:dashboard.card")
	_, err := rt.Start(t.Context(), m)
	require.ErrorIs(t, err, sandbox.ErrDenied)
	assert.EqualError(t, err, "wasm: start acme/test@1.0.0: permission denied: it imports souk.net.fetch, which needs something of kind net.out")

	m.Grants = sandbox.MustSet("net.out:a.example.com:443")
	_, err = rt.Start(t.Context(), m)
	require.ErrorIs(t, err, sandbox.ErrDenied)
	assert.EqualError(t, err, "wasm: start acme/test@1.0.0: permission denied: it imports souk.ui.card, which needs ui:dashboard.card")

	m.Grants = allGrants
	m.Host = m.Host[:1]
	_, err = rt.Start(t.Context(), m)
	require.ErrorIs(t, err, sandbox.ErrDenied)
	assert.ErrorContains(t, err, "souk.net.fetch, which this panel does not have")
}

func TestOptionalAnswersWithARefusal(t *testing.T) {
	t.Parallel()
	m := goModule()
	m.Grants = sandbox.MustSet("ui:dashboard.card")
	m.Optional = sandbox.MustSet("net.out:*.example.com:443")
	in := start(t, wasm.Options{}, m)
	out, err := in.Call(t.Context(), "fetch", []byte("api.example.com:443"))
	require.NoError(t, err)
	assert.Contains(t, string(out), "refused: permission denied")
}

func TestNothingAround(t *testing.T) {
	t.Parallel()
	in := start(t, wasm.Options{}, goModule())
	out, err := in.Call(t.Context(), "around", nil)
	require.NoError(t, err)
	assert.Equal(t, "args 0 env 0 dir true create true true clock true", string(out))
}

func TestMounts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "a.txt"), []byte("content"), 0o600))
	secret := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(secret, []byte("secret"), 0o600))
	require.NoError(t, os.Symlink(secret, filepath.Join(dir, "link")))
	root, err := os.OpenRoot(dir)
	require.NoError(t, err)
	defer func() { require.NoError(t, root.Close()) }()

	m := goModule()
	m.Mounts = []wasm.Mount{{Path: "/srv/www", FS: root.FS()}}
	_, err = newRuntime(t, wasm.Options{}).Start(t.Context(), m)
	require.ErrorIs(t, err, sandbox.ErrDenied)
	assert.ErrorContains(t, err, "fs.read:/srv/www is not granted")

	m.Grants, err = m.Grants.Union(sandbox.MustSet("fs.read:/srv"))
	require.NoError(t, err)
	in := start(t, wasm.Options{}, m)
	out, err := in.Call(t.Context(), "file", []byte("/srv/www/a.txt"))
	require.NoError(t, err)
	assert.Equal(t, "content", string(out))
	for _, path := range []string{"/srv/www/link", "/srv/www/../../etc/passwd", "/etc/passwd", secret} {
		out, err := in.Call(t.Context(), "file", []byte(path))
		assert.Error(t, err, "%s has %q", path, out)
	}
	_, err = in.Call(t.Context(), "write", []byte("/srv/www/new"))
	require.Error(t, err)
	assert.NoFileExists(t, filepath.Join(dir, "new"))
}

func TestConcurrentCallsTakeTurns(t *testing.T) {
	t.Parallel()
	in := start(t, wasm.Options{}, goModule())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			want := fmt.Sprint("caller ", i)
			for range 20 {
				out, err := in.Call(t.Context(), "echo", []byte(want))
				assert.NoError(t, err)
				assert.Equal(t, want, string(out))
			}
		})
	}
	wg.Wait()
}

func TestWaitingForATurnEndsWithTheContext(t *testing.T) {
	t.Parallel()
	entered, leave := make(chan struct{}), make(chan struct{})
	m := goModule()
	m.Host[0].Call = func(context.Context, []byte) ([]byte, error) {
		close(entered)
		<-leave
		return nil, nil
	}
	in := start(t, wasm.Options{}, m)
	done := make(chan error)
	go func() { _, err := in.Call(t.Context(), "card", nil); done <- err }()
	<-entered
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := in.Call(ctx, "echo", nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NotErrorIs(t, err, wasm.ErrStopped, "it never began")
	close(leave)
	require.NoError(t, <-done)
}

func TestHostFunctionMustNotCallItsPlugin(t *testing.T) {
	t.Parallel()
	var in *wasm.Instance
	m := goModule()
	m.Host[0].Call = func(ctx context.Context, _ []byte) ([]byte, error) { return in.Call(ctx, "echo", nil) }
	in = start(t, wasm.Options{}, m)
	_, err := in.Call(t.Context(), "card", nil)
	assert.ErrorContains(t, err, "a host function must not call the plugin it serves")
}

func TestOutputGoesToTheLog(t *testing.T) {
	t.Parallel()
	var log logBuffer
	in := start(t, wasm.Options{Log: logTo(&log)}, goModule())
	_, err := in.Call(t.Context(), "print", []byte("first\nsec\x1bond without an end"))
	require.NoError(t, err)
	assert.Contains(t, log.String(), `plugin=acme/test@1.0.0 text=first`)
	assert.Contains(t, log.String(), "text=\"sec\ufffdond without an end\"")

	_, err = in.Call(t.Context(), "spam", nil)
	require.NoError(t, err)
	assert.Less(t, len(log.String()), 4*wasm.MaxLogCall)
	assert.Equal(t, 1, strings.Count(log.String(), "plugin writes too much"))
}

func TestCloseEndsARunningCall(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{})
	m := goModule()
	m.Host[0].Call = func(ctx context.Context, _ []byte) ([]byte, error) {
		close(entered)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	in := start(t, wasm.Options{}, m)
	done := make(chan error)
	go func() { _, err := in.Call(t.Context(), "card", nil); done <- err }()
	<-entered
	require.NoError(t, in.Close(t.Context()))
	require.ErrorIs(t, <-done, wasm.ErrStopped)
	_, err := in.Call(t.Context(), "echo", nil)
	require.ErrorIs(t, err, wasm.ErrStopped)
	require.NoError(t, in.Close(t.Context()), "twice is fine")
}

func TestClosedRuntime(t *testing.T) {
	t.Parallel()
	rt, err := wasm.New(t.Context(), wasm.Options{CacheDir: cacheDir})
	require.NoError(t, err)
	in, err := rt.Start(t.Context(), goModule())
	require.NoError(t, err)
	require.NoError(t, rt.Close(t.Context()))
	require.NoError(t, rt.Close(t.Context()))
	_, err = in.Call(t.Context(), "echo", nil)
	require.ErrorIs(t, err, wasm.ErrStopped)
	_, err = rt.Start(t.Context(), goModule())
	require.ErrorIs(t, err, wasm.ErrStopped)
	require.ErrorIs(t, rt.Compile(t.Context(), goGuest), wasm.ErrStopped)
}

func TestBadHostFunctionsAndOptions(t *testing.T) {
	t.Parallel()
	rt := newRuntime(t, wasm.Options{})
	call := func(context.Context, []byte) ([]byte, error) { return nil, nil }
	needs := func([]byte) (sandbox.Permission, error) { return "", nil }
	for want, f := range map[string]wasm.HostFunc{
		"want a name with a dot":                    {Name: "read", Permission: "db:a:read", Call: call},
		"has nothing to call":                       {Name: "a.b", Permission: "db:a:read"},
		"set either Permission or Needs":            {Name: "a.b", Call: call},
		"a.c: set either Permission or Needs":       {Name: "a.c", Permission: "db:a:read", Kind: "db", Needs: needs, Call: call},
		"Needs goes with a Kind":                    {Name: "a.b", Needs: needs, Call: call},
		`permission "net.out:A:1" is not canonical`: {Name: "a.b", Permission: "net.out:A:1", Call: call},
	} {
		m := goModule()
		m.Host = append(m.Host, f)
		_, err := rt.Start(t.Context(), m)
		assert.ErrorContains(t, err, want)
	}
	m := goModule()
	m.Host = append(m.Host, m.Host[0])
	_, err := rt.Start(t.Context(), m)
	require.ErrorContains(t, err, "given twice")

	for _, o := range []wasm.Options{{Memory: 1}, {Memory: 5 << 30}, {CallTimeout: -1}, {Message: -1}} {
		_, err := wasm.New(t.Context(), o)
		assert.Error(t, err, "%+v", o)
	}
}
