package wasm_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox/wasm"
)

func TestInspect(t *testing.T) {
	t.Parallel()
	im, err := wasm.Inspect(goGuest)
	require.NoError(t, err)
	assert.Equal(t, []string{"net.fetch", "ui.card"}, im.Host)
	assert.Contains(t, im.WASI, "fd_write")
	assert.Subset(t, im.Exports, []string{"_initialize", "souk_abi", "souk_call", "souk_health"})
	assert.Positive(t, im.MinMemory)
}

func TestInspectRefuses(t *testing.T) {
	t.Parallel()
	good := plugin(i32Const(0)).bytes()
	_, err := wasm.Inspect(good)
	require.NoError(t, err)

	command := plugin(i32Const(0))
	command.funcs[0].export = "_start"
	memoryImport := slices.Concat([]byte("\x00asm\x01\x00\x00\x00"),
		section(2, vec(slices.Concat(text("souk"), text("memory"), []byte{2, 0, 1}))))
	twice := slices.Concat(good[:8], section(2, vec()), section(2, vec()))
	trailing := slices.Concat(good[:8], section(2, append(vec(), 0)))
	for name, c := range map[string]struct {
		code []byte
		want string
	}{
		"empty":          {nil, "does not begin as WebAssembly does"},
		"elf":            {[]byte("\x7fELF\x02\x01\x01\x00\x00\x00"), "does not begin as WebAssembly does"},
		"component":      {[]byte("\x00asm\x0d\x00\x01\x00"), "it is a component"},
		"version 2":      {[]byte("\x00asm\x02\x00\x00\x00"), "version 02 00 00 00 of the format is unknown"},
		"command":        {command.bytes(), "it is a command"},
		"other module":   {plugin(nil, importFunc{"env", "system", nil, nil}).bytes(), `imports "system" from "env"`},
		"preview 2":      {plugin(nil, importFunc{"wasi:cli/run", "run", nil, nil}).bytes(), "there is only wasi_snapshot_preview1 and souk"},
		"memory import":  {memoryImport, "is not a function"},
		"section twice":  {twice, "section 2 stands in it twice"},
		"trailing bytes": {trailing, "section 2 has 1 bytes too many"},
		"cut":            {good[:len(good)-3], "ends too early"},
		"long number":    {append(slices.Clone(good[:8]), 2, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01), "too large"},
		"too large":      {make([]byte, wasm.MaxModule+1), "more than"},
	} {
		_, err := wasm.Inspect(c.code)
		assert.ErrorContains(t, err, c.want, name)
	}
}

// What Inspect passes and what it says never depends on luck: no input panics, and
// what it lists is what Start goes by.
func FuzzInspect(f *testing.F) {
	f.Add(plugin(i32Const(0)).bytes())
	f.Add(plugin(unreachable, importFunc{"souk", "net.fetch", []byte{i32, i32}, []byte{i64}}).bytes())
	f.Add([]byte("\x00asm\x0d\x00\x01\x00"))
	f.Add(goGuest[:2000])
	f.Fuzz(func(t *testing.T, code []byte) {
		im, err := wasm.Inspect(code)
		if (im == nil) == (err == nil) {
			t.Fatal("either imports or an error")
		}
		if err == nil && !slices.IsSorted(im.Host) {
			t.Fatal("not in order")
		}
	})
}
