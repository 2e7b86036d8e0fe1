package module_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox/wasm/module"
)

const header = "\x00asm\x01\x00\x00\x00"

func open(t testing.TB, rest string) *module.Reader {
	t.Helper()
	r, err := module.Open([]byte(header + rest))
	require.NoError(t, err)
	return r
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]error{"": module.ErrFormat, "\x00asm\x01": module.ErrFormat, "\x7fELF\x01\x00\x00\x00": module.ErrFormat, "\x00asm\x0d\x00\x01\x00": module.ErrComponent} {
		_, err := module.Open([]byte(code))
		assert.ErrorIs(t, err, want, "%q", code)
	}
	_, err := module.Open([]byte("\x00asm\x02\x00\x00\x00"))
	require.ErrorContains(t, err, "version 02 00 00 00")
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		bits int
		want uint64
		ok   bool
	}{
		{"\x00", 32, 0, true}, {"\x7f", 32, 127, true}, {"\xe5\x8e\x26", 32, 624485, true},
		{"\xff\xff\xff\xff\x0f", 32, 1<<32 - 1, true}, {"\xff\xff\xff\xff\x1f", 32, 0, false}, {"\x80\x80\x80\x80\x80\x00", 32, 0, false},
		{"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 64, 1<<64 - 1, true}, {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x03", 64, 0, false},
		{"\x80", 32, 0, false}, {"", 32, 0, false},
	} {
		r := open(t, c.in)
		assert.Equal(t, c.want, r.Uint(c.bits), "%x", c.in)
		assert.Equal(t, c.ok, r.Err() == nil, "%x: %v", c.in, r.Err())
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "søk", open(t, "\x04søk").Name())
	for in, says := range map[string]string{"\x05abc": "too early", "\x02\xc3\x28": "not UTF-8", "\xe9\x07": "more than 1000", "": "too early"} {
		r := open(t, in)
		assert.Empty(t, r.Name())
		assert.ErrorContains(t, r.Err(), says)
	}
}

// TestFirstErrorStays: what follows an error reads as zero and does not hide it.
func TestFirstErrorStays(t *testing.T) {
	t.Parallel()
	r := open(t, "\x09\x01")
	assert.Zero(t, r.Count(3, "memories"))
	require.ErrorContains(t, r.Err(), "9 memories, more than 3")
	assert.Zero(t, r.Byte())
	assert.Empty(t, r.Name())
	assert.False(t, r.More())
	require.ErrorContains(t, r.Err(), "9 memories")
}

func FuzzReader(f *testing.F) {
	f.Add([]byte(header + "\x02\x01\x00"))
	f.Add([]byte(header + "\x00\x05\x04name\x07\x01\x00"))
	f.Fuzz(func(t *testing.T, code []byte) {
		r, err := module.Open(code)
		if err != nil {
			return
		}
		read := 8
		for r.More() {
			before := r.Left()
			_, body := r.Section()
			if r.Err() != nil {
				break
			}
			for body.More() {
				body.Name()
			}
			require.Less(t, r.Left(), before, "each section takes something")
			read += before - r.Left()
		}
		require.LessOrEqual(t, read, len(code))
	})
}

func ExampleOpen() {
	r, err := module.Open([]byte(header + "\x00\x05\x04name" + "\x05\x03\x01\x00\x02"))
	if err != nil {
		fmt.Println(err)
		return
	}
	for r.More() {
		id, body := r.Section()
		fmt.Println("section", id, "of", body.Left(), "bytes")
	}
	fmt.Println(r.Err())
	// Output:
	// section 0 of 5 bytes
	// section 5 of 3 bytes
	// <nil>
}
