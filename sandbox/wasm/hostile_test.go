package wasm_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/wasm"
)

func startBytes(t *testing.T, o wasm.Options, code []byte) (*wasm.Instance, error) {
	t.Helper()
	return newRuntime(t, o).Start(t.Context(), wasm.Module{
		Name: "evil/bytes@1.0.0", Code: code, Grants: allGrants, Host: hostFuncs(),
	})
}

func TestLoopsAreStopped(t *testing.T) {
	t.Parallel()
	in := start(t, wasm.Options{CallTimeout: 20 * time.Millisecond}, goModule())
	_, err := in.Call(t.Context(), "loop", nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, err, wasm.ErrStopped)
	assert.EqualError(t, err, "call loop of acme/test@1.0.0: plugin is stopped: no answer after 20ms: context deadline exceeded")
	_, err = in.Call(t.Context(), "echo", nil)
	require.ErrorIs(t, err, wasm.ErrStopped)
	assert.ErrorContains(t, err, "since an earlier call: no answer after 20ms")

	in, err = startBytes(t, wasm.Options{}, plugin(endless).bytes())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = in.Call(ctx, "x", nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestLoopAtTheStartIsStopped(t *testing.T) {
	t.Parallel()
	m := plugin(i32Const(0))
	m.funcs = append(m.funcs, function{export: "_initialize", body: endless})
	_, err := startBytes(t, wasm.Options{StartTimeout: 20 * time.Millisecond}, m.bytes())
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.ErrorContains(t, err, "not ready after 20ms")
}

func TestSleepEndsWithTheCall(t *testing.T) {
	t.Parallel()
	in := start(t, wasm.Options{CallTimeout: 20 * time.Millisecond}, goModule())
	_, err := in.Call(t.Context(), "sleep", nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 16 << 20
	var log logBuffer
	in := start(t, wasm.Options{Memory: limit, Log: logTo(&log)}, goModule())
	_, err := in.Call(t.Context(), "grow", nil)
	require.ErrorIs(t, err, wasm.ErrStopped)
	assert.Contains(t, log.String(), "out of memory")

	// memory.grow to the limit answers the old size, one page more answers -1.
	grow := func(by int32) string {
		body := slices.Concat(
			i32Const(0), i32Const(by), memoryGrow, []byte{0x36, 2, 0}, // store the answer at 0
			i32Const(0), i32Const(4), callFunc(1), i32Const(0))
		in, err := startBytes(t, wasm.Options{Memory: limit}, plugin(body).bytes())
		require.NoError(t, err)
		out, err := in.Call(t.Context(), "x", nil)
		require.NoError(t, err)
		return string(out)
	}
	assert.Equal(t, "\x01\x00\x00\x00", grow(limit/65536-1))
	assert.Equal(t, "\xff\xff\xff\xff", grow(limit/65536))

	m := plugin(i32Const(0))
	m.pages = limit/65536 + 1
	_, err = startBytes(t, wasm.Options{Memory: limit}, m.bytes())
	assert.Error(t, err, "a module that begins over the limit")
}

func TestPointersOutOfRange(t *testing.T) {
	t.Parallel()
	card := importFunc{"souk", "ui.card", []byte{i32, i32}, []byte{i64}}
	for name, body := range map[string][]byte{
		"write beyond":        slices.Concat(i32Const(65530), i32Const(100), callFunc(1), i32Const(0)),
		"write at -1":         slices.Concat(i32Const(-1), i32Const(1), callFunc(1), i32Const(0)),
		"write that wraps":    slices.Concat(i32Const(-8), i32Const(16), callFunc(1), i32Const(0)),
		"read beyond":         slices.Concat(i32Const(65535), i32Const(100), callFunc(0), drop, i32Const(0)),
		"host request beyond": slices.Concat(i32Const(65535), i32Const(100), callFunc(2), drop, i32Const(0)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, err := startBytes(t, wasm.Options{}, plugin(body, card).bytes())
			require.NoError(t, err)
			_, err = in.Call(t.Context(), "name", []byte("input"))
			require.ErrorIs(t, err, wasm.ErrStopped)
			assert.ErrorContains(t, err, "plugin points out of its memory")
			assert.NotContains(t, err.Error(), "\n", "no stack for people")
		})
	}
	// At the very edge it is fine.
	in, err := startBytes(t, wasm.Options{}, plugin(slices.Concat(i32Const(65532), i32Const(4), callFunc(1), i32Const(0))).bytes())
	require.NoError(t, err)
	out, err := in.Call(t.Context(), "x", nil)
	require.NoError(t, err)
	assert.Len(t, out, 4)
}

func TestTraps(t *testing.T) {
	t.Parallel()
	recursion := callFunc(3) // itself, without a loop
	for name, c := range map[string]struct {
		body []byte
		want string
	}{
		"unreachable":  {unreachable, "wasm error: unreachable"},
		"recursion":    {slices.Concat(i32Const(0), i32Const(0), recursion), "stack overflow"},
		"unknown code": {i32Const(77), "answered with the unknown code 77"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, err := startBytes(t, wasm.Options{}, plugin(c.body).bytes())
			require.NoError(t, err)
			_, err = in.Call(t.Context(), "x", nil)
			require.ErrorIs(t, err, wasm.ErrStopped)
			assert.ErrorContains(t, err, c.want)
			_, err = in.Call(t.Context(), "x", nil)
			require.ErrorIs(t, err, wasm.ErrStopped)
			assert.ErrorContains(t, err, "since an earlier call")
		})
	}
	var log logBuffer
	in := start(t, wasm.Options{Log: logTo(&log)}, goModule())
	_, err := in.Call(t.Context(), "panic", nil)
	require.ErrorIs(t, err, wasm.ErrStopped)
	assert.Contains(t, log.String(), "panic: oh no")

	in = start(t, wasm.Options{}, goModule())
	_, err = in.Call(t.Context(), "exit", nil)
	require.ErrorIs(t, err, wasm.ErrStopped)
	assert.ErrorContains(t, err, "the plugin ended itself with code 3")
}

func TestPanicOfAHostFunction(t *testing.T) {
	t.Parallel()
	m := goModule()
	m.Host[0].Call = func(context.Context, []byte) ([]byte, error) {
		var none []int
		return []byte{byte(none[len(none)])}, nil // a bug
	}
	in := start(t, wasm.Options{}, m)
	_, err := in.Call(t.Context(), "card", nil)
	require.ErrorIs(t, err, wasm.ErrStopped)
	var re runtime.Error
	assert.ErrorAs(t, err, &re)
}

func TestMessagesAreBounded(t *testing.T) {
	t.Parallel()
	o := wasm.Options{Message: 1000}
	big := make([]byte, 1001)

	in := start(t, o, goModule())
	_, err := in.Call(t.Context(), "echo", big)
	require.ErrorIs(t, err, wasm.ErrTooLarge)
	require.NotErrorIs(t, err, wasm.ErrStopped, "the caller's fault")

	m := goModule()
	m.Host[0].Call = func(context.Context, []byte) ([]byte, error) { return big, nil }
	in = start(t, o, m)
	_, err = in.Call(t.Context(), "card", nil)
	assert.ErrorContains(t, err, "plugin says: result of ui.card: message too large: 1001 bytes")

	_, err = in.Call(t.Context(), "big", nil)
	require.ErrorIs(t, err, wasm.ErrTooLarge)
	require.ErrorIs(t, err, wasm.ErrStopped, "the guest's fault")

	// A guest that calls itself large costs no memory of that size.
	in, err = startBytes(t, o, plugin(slices.Concat(i32Const(0), i32Const(-1), callFunc(1), i32Const(0))).bytes())
	require.NoError(t, err)
	_, err = in.Call(t.Context(), "x", nil)
	require.ErrorIs(t, err, wasm.ErrTooLarge)
}

func TestModulesThatAreNoPlugins(t *testing.T) {
	t.Parallel()
	noMemory := plugin(i32Const(0))
	noMemory.pages = 0
	noABI := plugin(i32Const(0))
	noABI.funcs = noABI.funcs[1:]
	otherABI := plugin(i32Const(0))
	otherABI.funcs[0].body = i32Const(9)
	otherType := plugin(i32Const(0))
	otherType.funcs[1].params = []byte{i32}
	wrongImport := plugin(i32Const(0), importFunc{"souk", "ui.card", []byte{i32}, []byte{i32}})
	wasi := plugin(i32Const(0), importFunc{"wasi_snapshot_preview1", "launch_missiles", nil, nil})
	for want, m := range map[string]module{
		"exports no memory":                 noMemory,
		`exports no function "souk_abi"`:    noABI,
		"version 9 of the plugin interface": otherABI,
		`"souk_call" is of another type`:    otherType,
		"souk.ui.card":                      wrongImport,
		"launch_missiles":                   wasi,
	} {
		_, err := startBytes(t, wasm.Options{}, m.bytes())
		assert.ErrorContains(t, err, want)
	}
	_, err := startBytes(t, wasm.Options{}, plugin(i32Const(0), importFunc{"souk", "files.erase", []byte{i32, i32}, []byte{i64}}).bytes())
	require.ErrorIs(t, err, sandbox.ErrDenied)
	assert.ErrorContains(t, err, "souk.files.erase")
}

// A table is no part of the memory that is bounded: it must be small and not grow.
func TestTablesAreBounded(t *testing.T) {
	t.Parallel()
	const funcref = 0x70
	grow := slices.Concat([]byte{0xd0, funcref}, i32Const(1<<30), []byte{0xfc, 15, 0}, drop, i32Const(0)) // ref.null table.grow
	for name, c := range map[string]struct {
		table []byte
		body  []byte
		want  string
	}{
		"small":  {vec([]byte{funcref, 0, 10}), i32Const(0), ""},
		"large":  {vec(append([]byte{funcref, 0}, leb(1<<27)...)), i32Const(0), "its table has 134217728 entries, more than 1000000"},
		"two":    {vec([]byte{funcref, 0, 1}, []byte{funcref, 0, 1}), i32Const(0), "it has 2 tables, more than 1"},
		"others": {vec([]byte{0x6f, 0, 1}), i32Const(0), "its table is of a kind that is unknown here"},
		"grows":  {vec([]byte{funcref, 0, 1}), grow, `feature "reference-types" is disabled`},
	} {
		m := plugin(c.body)
		m.table = c.table
		_, err := startBytes(t, wasm.Options{}, m.bytes())
		if c.want == "" {
			assert.NoError(t, err, name)
		} else {
			assert.ErrorContains(t, err, c.want, name)
		}
	}
}
