package wasm_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/wasm"
)

// What all tests share: a plugin in Go and a warm compilation cache for it.
var (
	goGuest  []byte
	cacheDir string
)

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func run(m *testing.M) (_ int, err error) {
	dir, err := os.MkdirTemp("", "souk-wasm")
	if err != nil {
		return 1, err
	}
	defer func() {
		if e := os.RemoveAll(dir); err == nil {
			err = e
		}
	}()
	out := filepath.Join(dir, "guest.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", out, "./testdata/guest")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "CGO_ENABLED=0")
	if b, err := cmd.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build the guest: %w\n%s", err, b)
	}
	if goGuest, err = os.ReadFile(out); err != nil {
		return 1, err
	}
	cacheDir = filepath.Join(dir, "cache")
	rt, err := wasm.New(context.Background(), wasm.Options{CacheDir: cacheDir})
	if err != nil {
		return 1, err
	}
	if err := rt.Compile(context.Background(), goGuest); err != nil {
		return 1, err
	}
	if err := rt.Close(context.Background()); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// newRuntime returns a runtime over the shared cache.
func newRuntime(t testing.TB, o wasm.Options) *wasm.Runtime {
	t.Helper()
	o.CacheDir = cacheDir
	rt, err := wasm.New(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, rt.Close(context.Background())) })
	return rt
}

// host functions of a small panel: a card that answers "shown " and its input, and a
// fetch whose request is the permission it needs.
func hostFuncs() []wasm.HostFunc {
	return []wasm.HostFunc{
		{
			Name:       "ui.card",
			Permission: "ui:dashboard.card",
			Call: func(_ context.Context, in []byte) ([]byte, error) {
				return append([]byte("shown "), in...), nil
			},
		},
		{
			Name: "net.fetch",
			Kind: sandbox.KindNetOut,
			Needs: func(in []byte) (sandbox.Permission, error) {
				return sandbox.Parse("net.out:" + string(in))
			},
			Call: func(ctx context.Context, in []byte) ([]byte, error) {
				if string(in) == "moved.example.com:443" { // a redirect to elsewhere
					return nil, wasm.Allowed(ctx, "net.out:elsewhere.example.org:443")
				}
				return []byte("body for " + wasm.Plugin(ctx)), nil
			},
		},
	}
}

var allGrants = sandbox.MustSet("ui:dashboard.card", "net.out:*.example.com:443")

func goModule() wasm.Module {
	return wasm.Module{Name: "acme/test@1.0.0", Code: goGuest, Grants: allGrants, Host: hostFuncs()}
}

func start(t testing.TB, o wasm.Options, m wasm.Module) *wasm.Instance {
	t.Helper()
	in, err := newRuntime(t, o).Start(context.Background(), m)
	require.NoError(t, err)
	return in
}

func logTo(w *logBuffer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }
