// Package module reads the binary format of WebAssembly modules, for those who look at
// one without running it: sandbox/wasm, before it starts one, and the scanners of
// verify/scan. It knows the frame (header, sections, numbers, names) and leaves to them
// which sections they read and what they refuse.
//
//	r, err := module.Open(code)
//	for r.More() {
//		id, body := r.Section()
//		…
//	}
//	return r.Err()
//
// See https://webassembly.github.io/spec/core/binary/modules.html.
package module

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// MaxName is the most bytes of a name, far over what compilers make.
const MaxName = 1000

// The sections of a module that somebody here reads.
const (
	SectionCustom = 0
	SectionImport = 2
	SectionTable  = 4
	SectionMemory = 5
	SectionExport = 7
)

// What [Open] refuses.
var (
	ErrFormat    = errors.New("it does not begin as WebAssembly does")
	ErrComponent = errors.New("it is a component, whose imports are of another kind")
)

var errShort = errors.New("it ends too early")

// Reader reads a module, or one section of it. After the first error, which Err returns,
// everything it reads is zero. It is for one goroutine.
type Reader struct {
	b   []byte
	err error
}

// Open returns a reader of the sections of a core module of version 1. Another beginning
// is [ErrFormat], a component [ErrComponent].
func Open(code []byte) (*Reader, error) {
	if len(code) < 8 || string(code[:4]) != "\x00asm" {
		return nil, ErrFormat
	}
	switch string(code[4:8]) {
	case "\x01\x00\x00\x00":
		return &Reader{b: code[8:]}, nil
	case "\x0d\x00\x01\x00":
		return nil, ErrComponent
	}
	return nil, fmt.Errorf("version % x of the format is unknown", code[4:8])
}

// More reports whether there is something left to read and no error yet.
func (r *Reader) More() bool { return r.err == nil && len(r.b) > 0 }

// Left returns how many bytes are left.
func (r *Reader) Left() int { return len(r.b) }

// Err returns the first error.
func (r *Reader) Err() error { return r.err }

// Fail makes err the error, when it is the first.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Section reads the next section: its id, and a reader of what is in it.
func (r *Reader) Section() (id byte, body *Reader) {
	id = r.Byte()
	body = &Reader{b: r.Take(r.U32())}
	body.err = r.err
	return id, body
}

// Take reads n bytes, which stay a part of the code that was given to Open.
func (r *Reader) Take(n uint32) []byte {
	if r.err == nil && uint64(n) > uint64(len(r.b)) {
		r.err = errShort
	}
	if r.err != nil {
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint reads an unsigned LEB128 number of at most the given bits, up to 64.
func (r *Reader) Uint(bits int) uint64 {
	var v uint64
	for shift := 0; shift < bits; shift += 7 {
		b := r.Byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if bits-shift < 7 && b>>(bits-shift) != 0 {
				break
			}
			return v
		}
	}
	r.Fail(errors.New("a number in it is too large"))
	return 0
}

// U32 reads an unsigned number of 32 bits.
func (r *Reader) U32() uint32 { return uint32(r.Uint(32)) }

// Count reads how many of something follow; more than limit is an error that names them.
func (r *Reader) Count(limit uint32, of string) uint32 {
	n := r.U32()
	if n > limit {
		r.Fail(fmt.Errorf("it has %d %s, more than %d", n, of, limit))
	}
	if r.err != nil {
		return 0
	}
	return n
}

// Name reads a name of at most [MaxName] bytes of UTF-8.
func (r *Reader) Name() string {
	n := r.U32()
	if n > MaxName {
		r.Fail(fmt.Errorf("a name in it has %d bytes, more than %d", n, MaxName))
	}
	b := r.Take(n)
	if !utf8.Valid(b) {
		r.Fail(errors.New("a name in it is not UTF-8"))
	}
	if r.err != nil {
		return ""
	}
	return string(b)
}
