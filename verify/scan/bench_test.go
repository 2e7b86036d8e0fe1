package scan_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

// plugin is one of 500 files: a Go program (this test), a WebAssembly module, an SBOM,
// archives and texts like sources and translations.
func plugin(t testing.TB) (fstest.MapFS, int64) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	code, err := os.ReadFile(self)
	require.NoError(t, err)
	m := files("bin/run", string(code), "plugin.wasm", module("souk read")+strings.Repeat("\x00\x01\x00", 500_000),
		"bom.json", bom("pkg:golang/github.com/example/lib@v1.2.3", "pkg:npm/left@3.0.0"))
	for i := range 500 - len(m) {
		line := fmt.Sprintf("const message%d = translate(\"a text of the plugin, number %d\", { token: current.token, url: 'https://example.com/%d' });\n", i, i, i)
		text := strings.Repeat(line, 20+i)
		name := fmt.Sprintf("web/%d/file-%d.js", i%20, i)
		if i%50 == 0 {
			name, text = fmt.Sprintf("data/%d.zip", i), zipOf(t, "a.json", text, "b.json", text)
		}
		m[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	var size int64
	for _, f := range m {
		size += int64(len(f.Data))
	}
	return m, size
}

func builtin(t testing.TB) map[string]scan.Scanner {
	return map[string]scan.Scanner{
		"secrets": scan.Secrets(), "native": scan.Native(), "archives": scan.Archives(), "squatting": scan.Squatting(),
		"wasm": newWASM(t), "osv": newOSV(t, scan.SeverityCritical),
	}
}

func about() scan.Subject {
	s := subject
	s.Permissions = sandbox.MustSet("net.out:example.com:443")
	s.Popular = func(context.Context) ([]string, error) { return []string{"example/monitor"}, nil }
	return s
}

func BenchmarkScanner(b *testing.B) {
	m, size := plugin(b)
	for name, s := range builtin(b) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			for b.Loop() {
				look(b, s, m, about())
			}
		})
	}
}

func BenchmarkSet(b *testing.B) {
	m, size := plugin(b)
	var opts scan.Options
	for _, s := range builtin(b) {
		opts.Scanners = append(opts.Scanners, s)
	}
	set := newSet(b, opts)
	b.SetBytes(size)
	for b.Loop() {
		// The program in it is this test, which has the example's token built in.
		require.Equal(b, verify.VerdictFail, set.Run(b.Context(), m, about()).Verdict)
	}
}
