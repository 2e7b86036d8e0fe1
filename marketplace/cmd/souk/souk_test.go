package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/wasm"
	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/tuf"
)

// shell runs the command.
type shell struct {
	t     testing.TB
	dir   string // a fresh one
	now   func() time.Time
	env   environment // its settings are in the directory
	stdin string
}

func newShell(t testing.TB) *shell {
	s := &shell{t: t, dir: t.TempDir(), now: time.Now}
	s.env.config = s.path("settings")
	return s
}

// path is a name in the shell's directory.
func (s *shell) path(name string) string { return filepath.Join(s.dir, name) }

// run returns the exit status and what was printed.
func (s *shell) run(args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	code = s.app(&out, &errs).run(s.t.Context(), args)
	return code, out.String(), errs.String()
}

func (s *shell) app(stdout, stderr io.Writer) *app {
	a := newApp(stdout, stderr, func(string) string { return "" })
	a.now, a.env, a.stdin, a.poll = s.now, s.env, strings.NewReader(s.stdin), 20*time.Millisecond
	return a
}

// do runs what has to succeed and returns its output.
func (s *shell) do(args ...string) string {
	s.t.Helper()
	code, stdout, stderr := s.run(args...)
	require.Equal(s.t, exitDone, code, "souk %s\n%s%s", strings.Join(args, " "), stdout, stderr)
	return strings.TrimSpace(stdout)
}

// fail runs what has to fail and returns all that was printed.
func (s *shell) fail(code int, args ...string) string {
	s.t.Helper()
	got, stdout, stderr := s.run(args...)
	require.Equal(s.t, code, got, "souk %s\n%s%s", strings.Join(args, " "), stdout, stderr)
	return stdout + stderr
}

func (s *shell) edit(name, old, new string) {
	s.t.Helper()
	b, err := os.ReadFile(s.path(name))
	require.NoError(s.t, err)
	require.Contains(s.t, string(b), old)
	require.NoError(s.t, os.WriteFile(s.path(name), []byte(strings.Replace(string(b), old, new, 1)), 0o644))
}

// TestJourney is a publisher's and an operator's whole way, to a panel that installs
// the plugin, updates it and runs it.
func TestJourney(t *testing.T) {
	t.Parallel()
	s, registry := newShell(t), catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	at := registry.Host + "/plugins"
	hello, layout := s.path("hello"), s.path("hello-0.1.0.oci")

	s.do("init", hello, "--id", "acme/hello")
	assert.Contains(t, s.fail(exitFailed, "check", hello), `there is no file "plugin.wasm"`)
	s.do("build", hello)
	assert.Empty(t, s.do("check", hello, "--strict"), "what init makes is in order")
	digest := s.do("pack", "-o", layout, hello)
	s.do("keygen", s.path("acme"))
	assert.Contains(t, s.fail(exitFailed, "push", layout, at), "is not signed")
	assert.Equal(t, digest, s.do("sign", layout, "--key", s.path("acme.pem")))
	ref := s.do("push", layout, at)
	assert.Equal(t, at+"/acme/hello@"+digest, ref)
	assert.Equal(t, ref, s.do("push", layout, at), "again")
	for _, what := range []string{layout, ref} {
		assert.Contains(t, s.do("verify", what, "--key", s.path("acme.pub.pem")), "acme/hello@0.1.0 "+digest+" is signed by key:")
		assert.Contains(t, s.do("inspect", what), "ui:dashboard.card")
	}
	s.do("keygen", s.path("evil"))
	assert.Contains(t, s.fail(exitFailed, "verify", ref, "--key", s.path("evil.pub.pem")), "not trusted")

	shop := s.path("shop")
	s.do("catalog", "init", shop, "--at", at+"/catalog")
	assert.Contains(t, s.do("catalog", "status", shop), "nothing was published yet")
	assert.Contains(t, s.fail(exitFailed, "catalog", "publish", shop, "--add", layout), "nobody may sign for acme yet")
	assert.Contains(t, s.fail(exitFailed, "catalog", "publish", shop, "--trust", "acme="+s.path("evil.pub.pem"), "--add", layout), "not trusted")
	s.do("catalog", "publish", shop, "--trust", "acme="+s.path("acme.pub.pem"), "--add", layout)

	host := &installtest.Host{}
	market := panel(t, s, shop, at+"/catalog", host)
	require.NoError(t, market.Sync(t.Context()))
	install1 := install.Change{Install: []resolve.Want{{Plugin: "acme/hello"}}}
	apply(t, market, install1)
	assert.Equal(t, []string{"acme/hello@0.1.0"}, host.Versions())
	p := market.Installed()[0]
	assert.Equal(t, "drawn 1 times", start(t, p)["text"], "what was installed runs")

	// A second version, with its notes.
	s.edit("hello/package/plugin.json", `"version": "0.1.0"`, `"version": "0.2.0"`)
	assert.Contains(t, s.fail(exitFailed, "check", hello), "has no entry for 0.2.0")
	s.edit("hello/package/CHANGELOG.md", "## [0.1.0]", "## [0.2.0] - 2026-06-01\n\n### Fixed\n\n- It greets louder.\n\n## [0.1.0]")
	s.edit("hello/main.go", `Value: "Hello"`, `Value: "HELLO"`)
	s.do("build", hello)
	s.do("pack", "-o", s.path("next.oci"), "--previous", layout, hello)
	s.do("sign", s.path("next.oci"), "--key", s.path("acme.pem"))
	s.do("push", s.path("next.oci"), at)
	s.do("catalog", "publish", shop, "--add", "acme/hello@"+s.do("sign", s.path("next.oci"), "--key", s.path("acme.pem")))
	require.NoError(t, market.Sync(t.Context()))
	apply(t, market, install.Change{Update: []catalog.PluginID{"acme/hello"}})
	assert.Equal(t, []string{"acme/hello@0.2.0"}, host.Versions())
	assert.Equal(t, "HELLO", start(t, market.Installed()[0])["value"])

	// Yanked: not for new installs, and the notes were published.
	s.do("catalog", "publish", shop, "--yank", "acme/hello@0.2.0", "--reason", "too loud")
	require.NoError(t, market.Sync(t.Context()))
	entry, err := market.Plugin("acme/hello")
	require.NoError(t, err)
	require.Len(t, entry.Releases, 2)
	assert.Equal(t, catalog.Yanked, entry.Releases[0].State)
	assert.Equal(t, "### Fixed\n\n- It greets louder.", entry.Releases[0].Notes)

	// The catalog is kept fresh, and says when it is not.
	s.do("catalog", "renew", shop)
	require.NoError(t, market.Sync(t.Context()))
	assert.Contains(t, s.fail(exitFailed, "catalog", "status", shop, "--within", "25h"), "timestamp  version 4")
	s.do("catalog", "status", shop, "--within", "20h")
	var status struct {
		Serial     int
		Publishers []catalog.Publisher
	}
	require.NoError(t, json.Unmarshal([]byte(s.do("catalog", "status", shop, "--json")), &status))
	assert.Equal(t, 3, status.Serial)
	assert.Len(t, status.Publishers, 1)

	// A release never changes.
	s.edit("hello/package/README.md", "#", "##")
	s.do("pack", "-o", s.path("next.oci"), hello)
	s.do("sign", s.path("next.oci"), "--key", s.path("acme.pem"))
	s.do("push", s.path("next.oci"), at)
	assert.Contains(t, s.fail(exitFailed, "catalog", "publish", shop, "--add", s.path("next.oci")), "a release never changes")
}

// panel opens a panel's market on the catalog, as its README says.
func panel(t testing.TB, s *shell, shop, at string, host install.Host) *marketplace.Market {
	t.Helper()
	root, err := os.ReadFile(filepath.Join(shop, rootFile))
	require.NoError(t, err)
	src, err := oci.New(at, oci.Options{Credentials: oci.Anonymous})
	require.NoError(t, err)
	trust, err := tuf.New(root, tuf.Options{})
	require.NoError(t, err)
	signed, err := sigstore.New(sigstore.Options{})
	require.NoError(t, err)
	m, err := marketplace.Open(s.path("panel"), marketplace.Options{
		Sources:  []marketplace.Source{{Name: "shop", Source: src, Trust: trust}},
		Verifier: signed, Host: host, Policy: sandbox.Policy{Scopes: []sandbox.Scope{{Kind: sandbox.KindUI, Target: "dashboard.card", Risk: sandbox.RiskLow, Sentence: "Shows a card."}}}, Gate: install.Gate{OK: 1, Within: 5 * time.Second, Every: 10 * time.Millisecond},
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func apply(t testing.TB, m *marketplace.Market, c install.Change) {
	t.Helper()
	op := operate(t, m, c)
	require.NoError(t, op.Err)
	require.Equal(t, install.StateDone, op.State)
}

// operate plans, consents and applies, and returns the operation at its end.
func operate(t testing.TB, m *marketplace.Market, c install.Change) install.Operation {
	t.Helper()
	p, err := m.Plan(t.Context(), c)
	require.NoError(t, err)
	approval := install.Approval{Actor: "test"}
	for _, n := range p.Consents {
		approval.Consents = append(approval.Consents, n.ID)
	}
	op, err := m.Apply(t.Context(), p.ID(), approval)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for e := range m.Events(ctx, 0) {
		if e.Operation.ID == op.ID && e.Operation.State.Final() {
			break
		}
	}
	op, err = m.Operation(op.ID)
	require.NoError(t, err)
	return op
}

// start runs an installed plugin and returns the card that it draws.
func start(t testing.TB, p install.Installed) map[string]any {
	t.Helper()
	code, err := os.ReadFile(filepath.Join(p.Dir, p.Manifest.Runtime.Entry))
	require.NoError(t, err)
	rt, err := wasm.New(t.Context(), wasm.Options{CacheDir: t.TempDir()})
	require.NoError(t, err)
	defer func() { require.NoError(t, rt.Close(context.WithoutCancel(t.Context()))) }()
	var card map[string]any
	instance, err := rt.Start(t.Context(), wasm.Module{
		Name: p.Ref.String(), Code: code, Grants: sandbox.MustSet("ui:dashboard.card"),
		Host: []wasm.HostFunc{{Name: "ui.card", Permission: "ui:dashboard.card", Call: func(_ context.Context, in []byte) ([]byte, error) {
			return nil, json.Unmarshal(in, &card)
		}}},
	})
	require.NoError(t, err)
	require.NoError(t, instance.Health(t.Context(), p.Manifest.Health.Export))
	_, err = instance.Call(t.Context(), "refresh", nil)
	require.NoError(t, err)
	return card
}

func TestInit(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.do("init", "--id", "acme/dark-mode", "--runtime", "static", s.path("dark"))
	assert.Empty(t, s.do("check", s.path("dark"), "--strict"))
	assert.Contains(t, s.do("inspect", s.path("dark")), "Dark mode")
	assert.Contains(t, s.fail(exitFailed, "build", s.path("dark")), "nothing to compile")
	assert.Contains(t, s.fail(exitFailed, "init", "--id", "acme/dark-mode", s.path("dark")), "nothing is overwritten")
	b, err := os.ReadFile(s.path("dark/package/plugin.json"))
	require.NoError(t, err)
	assert.Contains(t, string(b), `"entry": "assets"`, "the first project is as it was")

	for say, args := range map[string][]string{
		"--id is missing":    {"init", s.path("x")},
		"is not publisher":   {"init", s.path("x"), "--id", "acme"},
		"must be wasm or":    {"init", s.path("x"), "--id", "acme/x1", "--runtime", "process"},
		"got 0 arguments":    {"init", "--id", "acme/x1"},
		"not defined: -nope": {"init", "--nope", s.path("x")},
	} {
		assert.Contains(t, s.fail(exitUsage, args...), say)
	}
	assert.Contains(t, s.fail(exitFailed, "init", s.path("x"), "--id", "acme/x1", "--license", "My own"), "SPDX")
	assert.NoDirExists(t, s.path("x"))

	s.do("init", s.path("other"), "--id", "acme/other", "--license", "Apache-2.0", "--runtime", "static")
	assert.NoFileExists(t, s.path("other/package/LICENSE"))
	assert.Contains(t, s.do("check", s.path("other")), "licence-file-missing")
}

func TestCheckJSON(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.do("init", s.path("dark"), "--id", "acme/dark", "--runtime", "static")
	s.edit("dark/package/plugin.json", `"kind": "static"`, `"kind": "statik"`)
	code, stdout, stderr := s.run("check", "--json", s.path("dark"))
	assert.Equal(t, exitFailed, code)
	assert.Empty(t, stderr)
	var got struct {
		OK       bool
		Problems []struct {
			Severity, File, Field, Rule string
			Line, Column                int
		}
	}
	require.NoError(t, json.Unmarshal([]byte(stdout), &got))
	assert.False(t, got.OK)
	require.Len(t, got.Problems, 1)
	assert.Equal(t, "runtime.kind", got.Problems[0].Field)
	assert.Equal(t, "manifest", got.Problems[0].Rule)
	assert.Equal(t, 9, got.Problems[0].Line)

	code, stdout, _ = s.run("check", s.path("dark"))
	assert.Equal(t, exitFailed, code)
	assert.True(t, strings.HasPrefix(stdout, s.path("dark/package/plugin.json")+":9:13: error: runtime.kind:"), stdout)
	s.edit("dark/package/plugin.json", "statik", "static")
	require.NoError(t, json.Unmarshal([]byte(s.do("check", "--json", s.path("dark"))), &got))
	assert.True(t, got.OK)

	require.NoError(t, os.WriteFile(s.path("notes.md"), []byte("### Nonsense\n"), 0o644))
	assert.Contains(t, s.fail(exitFailed, "check", s.path("dark"), "--notes", s.path("notes.md")), "is not one of the kinds of note")
	assert.Contains(t, s.fail(exitFailed, "check", s.path("dark"), "--previous", s.path("dark")), "version-exists")
	assert.Contains(t, s.fail(exitFailed, "check", s.path("nowhere")), "no such file")
	assert.Contains(t, s.fail(exitFailed, "check", s.dir), "souk init")
}

// TestNothingIsOverwritten: keys, catalogs and other people's directories.
func TestNothingIsOverwritten(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.do("init", s.path("dark"), "--id", "acme/dark", "--runtime", "static")
	s.do("keygen", s.path("acme"))
	key, err := os.ReadFile(s.path("acme.pem"))
	require.NoError(t, err)
	s.fail(exitFailed, "keygen", s.path("acme"))
	require.NoError(t, os.Remove(s.path("acme.pem")))
	s.fail(exitFailed, "keygen", s.path("acme"))
	assert.NoFileExists(t, s.path("acme.pem"), "half a pair is not made")
	require.NoError(t, os.WriteFile(s.path("acme.pem"), key, 0o600))

	s.do("catalog", "init", s.path("shop"), "--at", "registry.example.org/plugins/catalog")
	root, err := os.ReadFile(s.path("shop/root.json"))
	require.NoError(t, err)
	s.fail(exitFailed, "catalog", "init", s.path("shop"), "--at", "registry.example.org/plugins/catalog")
	again, err := os.ReadFile(s.path("shop/root.json"))
	require.NoError(t, err)
	assert.Equal(t, root, again)

	s.fail(exitFailed, "pack", s.path("dark"), "-o", s.path("shop"))
	assert.Contains(t, s.fail(exitFailed, "pack", s.path("dark"), "-o", s.path("dark/package/out")), "lies in the package itself")
	s.do("pack", s.path("dark"), "-o", s.path("out"))
	s.do("sign", s.path("out"), "--key", s.path("acme.pem"))
	blobs := func() int {
		list, err := os.ReadDir(s.path("out/blobs/sha256"))
		require.NoError(t, err)
		return len(list)
	}
	signed := blobs()
	s.do("pack", s.path("dark"), "-o", s.path("out"))
	assert.Equal(t, signed-3, blobs(), "an older layout is replaced, with its signature")
}

// TestSecretsAreKept: what must be secret is readable by its owner alone.
func TestSecretsAreKept(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.do("keygen", s.path("acme"))
	s.do("catalog", "init", s.path("shop"), "--at", "registry.example.org/catalog", "--root-keys", "2")
	keys, err := filepath.Glob(s.path("shop/keys/*.pem"))
	require.NoError(t, err)
	assert.Len(t, keys, 5)
	for _, name := range append(keys, s.path("acme.pem"), s.path("shop/state.json")) {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), name)
	}
	for _, name := range []string{s.path("shop"), s.path("shop/keys")} {
		info, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm(), name)
	}
	assert.Contains(t, s.fail(exitUsage, "catalog", "init", s.path("x"), "--at", "registry.example.org/catalog", "--root-keys", "1"), "needs 2")
	assert.Contains(t, s.fail(exitUsage, "catalog", "init", s.path("x"), "--at", "catalog"), "--at")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	assert.Contains(t, s.fail(exitUsage), "a verb is missing")
	assert.Contains(t, s.fail(exitUsage, "nope"), "there is no verb")
	assert.Contains(t, s.fail(exitUsage, "catalog"), "needs one of: init, publish, renew, status")
	assert.Contains(t, s.fail(exitUsage, "verify", "x", "y", "z"), "got 3 arguments")
	assert.Contains(t, s.fail(exitUsage, "verify", s.path("x")), "say who has to have signed")
	s.do("keygen", s.path("a"))
	assert.Contains(t, s.fail(exitUsage, "verify", "registry.example.org/p/acme/hello:1.0.0", "--key", s.path("a.pub.pem")), "a tag can be moved")
	assert.Contains(t, s.fail(exitUsage, "verify", "acme/hello@sha256:12", "--key", s.path("a.pub.pem")), "sha256")
	assert.Contains(t, s.fail(exitUsage, "verify", "x", "--issuer", "https://i"), "belong together")
	assert.Contains(t, s.fail(exitUsage, "verify", "x", "--issuer", "https://i", "--subject", "s"), "needs --trusted-root")
	assert.Contains(t, s.fail(exitUsage, "sign", s.path("x")), "--key is missing")
	assert.Contains(t, s.do("help"), "catalog publish")
	assert.Contains(t, s.do("help", "catalog"), "souk catalog renew")
	assert.Contains(t, s.do("pack", "--help"), "OCI image layout")
	assert.Contains(t, s.do("version"), "souk ")
	assert.Contains(t, s.fail(exitUsage, "help", "nope"), "no verb")
	for _, v := range verbs() {
		assert.NotEmpty(t, v.short, v.name)
		help := s.do(append([]string{"help"}, strings.Fields(v.name)...)...)
		assert.Contains(t, help, "Usage: souk "+v.name)
		for _, line := range strings.Split(help, "\n") {
			assert.LessOrEqual(t, len(line), 180, "%s: %s", v.name, line)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args, want string
		b          bool
	}{
		{"a --b c", "a c", true}, {"--b a", "a", true}, {"a -- --b c", "a --b c", false}, {"-- a -- b", "a -- b", false}, {"", "", false},
	} {
		set := flag.NewFlagSet("x", flag.ContinueOnError)
		b := set.Bool("b", false, "")
		got, err := parse(set, strings.Fields(tt.args))
		require.NoError(t, err)
		assert.Equal(t, strings.Fields(tt.want), append([]string{}, got...), tt.args)
		assert.Equal(t, tt.b, *b, tt.args)
	}
}

// TestRegistryErrors: what is printed says what next.
func TestRegistryErrors(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	locked := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{Username: "u", Password: "p"})
	s.do("init", s.path("dark"), "--id", "acme/dark", "--runtime", "static")
	s.do("pack", s.path("dark"), "-o", s.path("out"))
	s.do("keygen", s.path("acme"))
	digest := s.do("sign", s.path("out"), "--key", s.path("acme.pem"))
	assert.Contains(t, s.fail(exitFailed, "push", s.path("out"), locked.Host+"/plugins"), "docker login "+locked.Host)
	open := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	assert.Contains(t, s.fail(exitFailed, "inspect", open.Host+"/plugins/acme/dark@"+digest), "see whether it was pushed there")
	assert.Contains(t, s.fail(exitUsage, "push", s.path("out"), "plugins"), "host of a registry")
	s.do("push", s.path("out"), open.Host+"/plugins")
	raw, err := open.Manifest(t.Context(), "plugins/acme/dark", digest)
	require.NoError(t, err)
	_, err = open.PushManifest(t.Context(), "plugins/acme/other", "", catalog.TypeManifest, raw)
	require.NoError(t, err)
	assert.Contains(t, s.fail(exitFailed, "verify", open.Host+"/plugins/acme/other@"+digest, "--key", s.path("acme.pub.pem")), "in the repository of another")
}

// TestFirstPublishInterrupted: after its state was kept and before anybody could see
// it, the first publish is made again.
func TestFirstPublishInterrupted(t *testing.T) {
	t.Parallel()
	s, registry := newShell(t), catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	at := registry.Host + "/plugins"
	s.do("catalog", "init", s.path("shop"), "--at", at+"/catalog")
	heal := registry.Inject(catalogtest.Fault{On: catalogtest.All(catalogtest.Method("PUT"), func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/timestamp.json")
	}), Effect: catalogtest.Status(500)})
	s.fail(exitFailed, "catalog", "publish", s.path("shop"))
	assert.Contains(t, s.do("catalog", "status", s.path("shop")), "serial     1")
	heal()
	s.do("catalog", "publish", s.path("shop"))
	assert.Contains(t, s.do("catalog", "status", s.path("shop")), "serial     1")
	s.do("catalog", "publish", s.path("shop"))
	assert.Contains(t, s.do("catalog", "status", s.path("shop")), "serial     2")
	market := panel(t, s, s.path("shop"), at+"/catalog", &installtest.Host{})
	require.NoError(t, market.Sync(t.Context()))
}

// TestInterrupt: an interrupt is not an error of its own, and leaves nothing half done.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	s.do("init", s.path("dark"), "--id", "acme/dark", "--runtime", "static")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout, stderr bytes.Buffer
	assert.Equal(t, exitFailed, run(ctx, []string{"pack", s.path("dark"), "-o", s.path("out")}, &stdout, &stderr))
	assert.Contains(t, stderr.String(), "interrupted")
	assert.NoDirExists(t, s.path("out"))
}

// TestSignKeyless: what the certificate authority says reaches people, the token does
// not. That a signature comes out is tested in verify/sigstore, with both services.
func TestSignKeyless(t *testing.T) {
	t.Parallel()
	s := newShell(t)
	var sent string
	fulcio := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = r.Header.Get("Authorization")
		http.Error(w, "your token has expired", http.StatusUnauthorized)
	}))
	defer fulcio.Close()
	s.do("init", s.path("dark"), "--id", "acme/dark", "--runtime", "static")
	s.do("pack", s.path("dark"), "-o", s.path("out"))
	const token = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSJ9.c2VjcmV0"
	require.NoError(t, os.WriteFile(s.path("token"), []byte(token+"\n"), 0o600))
	said := s.fail(exitFailed, "sign", s.path("out"), "--identity-token", s.path("token"), "--fulcio", fulcio.URL, "--rekor", fulcio.URL)
	assert.Equal(t, "Bearer "+token, sent)
	assert.Contains(t, said, "your token has expired")
	assert.Contains(t, said, "get a new one")
	assert.NotContains(t, said, "c2VjcmV0")
	assert.Contains(t, s.fail(exitUsage, "sign", s.path("out"), "--identity-token", s.path("token"), "--key", s.path("token")), "exclude each other")
}
