package scan_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

func leb(n int) string { return string(binary.AppendUvarint(nil, uint64(n))) }
func vec(s string) string {
	return leb(len(s)) + s
}

const header = "\x00asm\x01\x00\x00\x00"

// module makes a module that imports functions "module.name".
func module(imports ...string) string {
	body := leb(len(imports))
	for _, i := range imports {
		mod, name, _ := strings.Cut(i, " ")
		body += vec(mod) + vec(name) + "\x00\x00"
	}
	return header + "\x01\x04\x01\x60\x00\x00" + "\x02" + vec(body) + "\x00" + vec(vec("name")+"custom")
}

func newWASM(t testing.TB) scan.Scanner {
	t.Helper()
	s, err := scan.WASM([]scan.HostFunction{
		{Name: "net.fetch", Kind: sandbox.KindNetOut},
		{Name: "servers.list", Permission: "api:servers:read"},
		{Name: "time.zone", Free: true},
		{Module: "other", Name: "do.it", Kind: sandbox.KindExec},
	})
	require.NoError(t, err)
	return s
}

func TestWASM(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		code  string
		asked sandbox.Set
		want  []string
	}{
		"nothing":              {code: module()},
		"transport and wasi":   {code: module("souk read", "souk write", "wasi_snapshot_preview1 fd_write", "wasi_snapshot_preview1 path_open")},
		"free":                 {code: module("souk time.zone")},
		"undeclared kind":      {code: module("souk net.fetch"), want: []string{"wasm-import-undeclared high high"}},
		"declared kind":        {code: module("souk net.fetch"), asked: sandbox.MustSet("net.out:example.com:443")},
		"undeclared":           {code: module("souk servers.list"), asked: sandbox.MustSet("net.out:example.com:443"), want: []string{"wasm-import-undeclared high high", "wasm-permission-unused low medium"}},
		"declared":             {code: module("souk servers.list"), asked: sandbox.MustSet("api:servers:read")},
		"other verb":           {code: module("souk servers.list"), asked: sandbox.MustSet("api:servers:write"), want: []string{"wasm-import-undeclared high high", "wasm-permission-unused low medium"}},
		"other module":         {code: module("other do.it"), want: []string{"wasm-import-undeclared high high"}},
		"unknown function":     {code: module("souk disk.format"), want: []string{"wasm-import-unknown high medium"}},
		"unknown module":       {code: module("env emscripten_run_script"), want: []string{"wasm-import-unknown high medium"}},
		"not in WASI":          {code: module("wasi_snapshot_preview1 sock_connect"), want: []string{"wasm-import-unknown high medium"}},
		"two WASI names":       {code: module("wasi_snapshot_preview1 fd_read fd_readdir"), want: []string{"wasm-import-unknown high medium"}},
		"told once":            {code: module("souk net.fetch", "souk net.fetch"), want: []string{"wasm-import-undeclared high high"}},
		"memory":               {code: header + "\x02" + vec("\x01"+vec("env")+vec("memory")+"\x02\x00\x01"), want: []string{"wasm-import-unknown high medium"}},
		"function named so":    {code: header + "\x02" + vec("\x01"+vec("souk")+vec("time.zone")+"\x03\x7f\x00"), want: []string{"wasm-import-unknown high medium"}},
		"table, global, tag":   {code: header + "\x02" + vec("\x03"+vec("e")+vec("t")+"\x01\x70\x01\x01\x02"+vec("e")+vec("g")+"\x03\x64\x10\x00"+vec("e")+vec("x")+"\x04\x00\x00"), want: []string{"wasm-import-unknown high medium", "wasm-import-unknown high medium", "wasm-import-unknown high medium"}},
		"component":            {code: "\x00asm\x0d\x00\x01\x00", want: []string{"wasm-component high medium"}},
		"unknown version":      {code: "\x00asm\x02\x00\x00\x00", want: []string{"wasm-unreadable high high"}},
		"cut off":              {code: module("souk net.fetch")[:20], want: []string{"wasm-unreadable high high"}},
		"short":                {code: "\x00asm", want: []string{"wasm-unreadable high high"}},
		"section twice":        {code: header + strings.Repeat("\x02\x01\x00", 2), want: []string{"wasm-unreadable high high"}},
		"bytes too many":       {code: header + "\x02\x02\x00\x00", want: []string{"wasm-unreadable high high"}},
		"too many":             {code: header + "\x02" + vec(leb(10_001)), want: []string{"wasm-unreadable high high"}},
		"long name":            {code: header + "\x02" + vec("\x01"+vec(strings.Repeat("a", 1001))+vec("")+"\x00\x00"), want: []string{"wasm-unreadable high high"}},
		"number too large":     {code: header + "\x02\xff\xff\xff\xff\x7f", want: []string{"wasm-unreadable high high"}},
		"name is not UTF-8":    {code: module("souk \xff"), want: []string{"wasm-unreadable high high"}},
		"unknown kind":         {code: header + "\x02" + vec("\x01"+vec("e")+vec("t")+"\x05\x00"), want: []string{"wasm-unreadable high high"}},
		"unused":               {code: module(), asked: sandbox.MustSet("net.out:*:443", "fs.read:/srv"), want: []string{"wasm-permission-unused low medium"}},
		"unused, no mapping":   {code: module(), asked: sandbox.MustSet("fs.read:/srv")},
		"not wasm by its name": {code: "hello", want: []string{"wasm-missing high high", "wasm-unreadable medium high"}},
	} {
		s := subject
		s.Runtime, s.Permissions = scan.RuntimeWASM, c.asked
		r := look(t, newWASM(t), files("plugin.wasm", c.code), s)
		assert.ElementsMatch(t, c.want, rules(r), name)
		blocks := len(c.want) > 0 && strings.HasSuffix(c.want[0], "high high")
		assert.Equal(t, blocks, r.Verdict == verify.VerdictFail, name)
	}
}

func TestWASMElsewhere(t *testing.T) {
	t.Parallel()
	r := look(t, newWASM(t), files("a.txt", "b"), subject)
	assert.Equal(t, verify.VerdictNotConfigured, r.Verdict, "no module, and none promised")
	s := subject
	s.Runtime = scan.RuntimeStatic
	r = look(t, newWASM(t), files("app.wasm", module("env js")), s)
	assert.Equal(t, []string{"wasm-extra info high"}, rules(r), "for the browser")
	s.Runtime = "new"
	r = look(t, newWASM(t), files("app.bin", module("env js")), s)
	assert.Equal(t, []string{"wasm-import-unknown high medium"}, rules(r), "a runtime that is not known, and a name that hides it")
}

func TestWASMRefuses(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]scan.HostFunction{
		"nothing set":   {Name: "a.b"},
		"two set":       {Name: "a.b", Free: true, Kind: sandbox.KindExec},
		"no name":       {Free: true},
		"unknown kind":  {Name: "a.b", Kind: "magic"},
		"not canonical": {Name: "a.b", Permission: "net.out:EXAMPLE.com:443"},
		"taken":         {Name: "read", Free: true},
	} {
		_, err := scan.WASM([]scan.HostFunction{f})
		assert.Error(t, err, name)
	}
}

func FuzzWASM(f *testing.F) {
	f.Add([]byte(module("souk net.fetch", "wasi_snapshot_preview1 fd_write")))
	f.Add([]byte(header + "\x02" + vec("\x01"+vec("e")+vec("t")+"\x01\x70\x05\x01\x02")))
	f.Add([]byte("\x00asm\x0d\x00\x01\x00"))
	w := newWASM(f)
	s := subject
	s.Runtime = scan.RuntimeWASM
	f.Fuzz(func(t *testing.T, code []byte) {
		look(t, w, files("plugin.wasm", string(code)), s)
	})
}
