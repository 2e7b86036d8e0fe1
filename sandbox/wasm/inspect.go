package wasm

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
)

// Imports is what a module can reach: a complete list, since a core WebAssembly
// module calls nothing that it does not import.
type Imports struct {
	Host      []string // host functions, in order; without read and write, which reach nothing
	WASI      []string // functions of wasi_snapshot_preview1, in order
	Exports   []string // functions it offers, in order
	MinMemory int64    // bytes of memory it begins with
}

// Bounds of what Inspect reads. They are far over what compilers make.
const (
	maxImports = 10_000
	maxExports = 100_000
	maxName    = 1000 // bytes
	maxTable   = 1_000_000
)

// Inspect reads the imports of a module without compiling or running it. It refuses
// a component, a module larger than MaxModule, imports other than functions of
// wasi_snapshot_preview1 and souk, and a command (_start), which would end after
// its main function. What it refuses, Start refuses too.
func Inspect(code []byte) (*Imports, error) {
	im, err := inspect(code)
	if err != nil {
		return nil, fmt.Errorf("wasm module: %w", err)
	}
	return im, nil
}

func inspect(code []byte) (*Imports, error) {
	if len(code) > MaxModule {
		return nil, fmt.Errorf("%d bytes, more than %d", len(code), MaxModule)
	}
	if len(code) < 8 || string(code[:4]) != "\x00asm" {
		return nil, errors.New("it does not begin as WebAssembly does")
	}
	switch string(code[4:8]) {
	case "\x01\x00\x00\x00":
	case "\x0d\x00\x01\x00":
		return nil, errors.New("it is a component; only core modules with WASI preview 1 run here (Go: GOOS=wasip1 GOARCH=wasm -buildmode=c-shared)")
	default:
		return nil, fmt.Errorf("version % x of the format is unknown", code[4:8])
	}
	var im Imports
	r := reader{b: code[8:]}
	seen := make(map[byte]bool)
	for len(r.b) > 0 && r.err == nil {
		id := r.byte()
		body := reader{b: r.take(r.u32())}
		if r.err != nil {
			break
		}
		if id != sectionCustom {
			if seen[id] {
				return nil, fmt.Errorf("section %d stands in it twice", id)
			}
			seen[id] = true
		}
		var err error
		switch id {
		case sectionImport:
			err = body.imports(&im)
		case sectionTable:
			err = body.table()
		case sectionMemory:
			err = body.memory(&im)
		case sectionExport:
			err = body.exports(&im)
		default:
			continue
		}
		if err = cmpErr(body.err, err); err != nil {
			return nil, err
		}
		if len(body.b) > 0 {
			return nil, fmt.Errorf("section %d has %d bytes too many", id, len(body.b))
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	if slices.Contains(im.Exports, "_start") {
		return nil, errors.New("it is a command with _start; a plugin is a reactor (Go: -buildmode=c-shared)")
	}
	slices.Sort(im.Host)
	slices.Sort(im.WASI)
	slices.Sort(im.Exports)
	im.Host = slices.Compact(im.Host)
	im.WASI = slices.Compact(im.WASI)
	return &im, nil
}

const (
	sectionCustom = 0
	sectionImport = 2
	sectionTable  = 4
	sectionMemory = 5
	sectionExport = 7
)

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

func (r *reader) imports(im *Imports) error {
	n := r.count(maxImports, "imports")
	for range n {
		module, name, kind := r.name(), r.name(), r.byte()
		if r.err != nil {
			return r.err
		}
		if kind != 0 {
			return fmt.Errorf("it imports %.60q from %.60q, which is not a function", name, module)
		}
		r.u32() // its type
		switch module {
		case "wasi_snapshot_preview1":
			im.WASI = append(im.WASI, name)
		case Namespace:
			if name != "read" && name != "write" {
				im.Host = append(im.Host, name)
			}
		default:
			return fmt.Errorf("it imports %.60q from %.60q; there is only wasi_snapshot_preview1 and %s", name, module, Namespace)
		}
	}
	return r.err
}

// table bounds the table of functions: it is not part of the guest's memory. It does
// not grow, see features.
func (r *reader) table() error {
	if n := r.count(1, "tables"); n == 0 {
		return nil
	}
	kind, flags, size := r.byte(), r.byte(), r.u32()
	if flags&1 != 0 {
		r.u32() // its maximum
	}
	switch {
	case r.err != nil:
		return r.err
	case kind != 0x70 || flags > 1:
		return errors.New("its table is of a kind that is unknown here")
	case size > maxTable:
		return fmt.Errorf("its table has %d entries, more than %d", size, maxTable)
	}
	return nil
}

func (r *reader) memory(im *Imports) error {
	if n := r.count(1, "memories"); n == 0 {
		return nil
	}
	flags := r.byte()
	if flags > 3 {
		return errors.New("its memory is of a kind that is unknown here")
	}
	im.MinMemory = int64(r.u32()) * pageSize
	if flags&1 != 0 {
		r.u32() // its maximum
	}
	return r.err
}

func (r *reader) exports(im *Imports) error {
	n := r.count(maxExports, "exports")
	for range n {
		name, kind := r.name(), r.byte()
		r.u32() // index
		if r.err != nil {
			return r.err
		}
		if kind == 0 {
			im.Exports = append(im.Exports, name)
		}
	}
	return nil
}

// reader reads the binary format. After the first error it returns zero values.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n uint32) []byte {
	if r.err == nil && uint64(n) > uint64(len(r.b)) {
		r.err = errors.New("it ends too early")
	}
	if r.err != nil {
		return nil
	}
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// u32 reads an unsigned LEB128 number of at most five bytes.
func (r *reader) u32() uint32 {
	var v uint64
	for shift := 0; shift < 35; shift += 7 {
		b := r.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if v > math.MaxUint32 {
				break
			}
			return uint32(v)
		}
	}
	if r.err == nil {
		r.err = errors.New("a number in it is too large")
	}
	return 0
}

func (r *reader) count(limit uint32, of string) uint32 {
	n := r.u32()
	if n > limit && r.err == nil {
		r.err = fmt.Errorf("it has %d %s, more than %d", n, of, limit)
	}
	if r.err != nil {
		return 0
	}
	return n
}

func (r *reader) name() string {
	n := r.u32()
	if n > maxName && r.err == nil {
		r.err = fmt.Errorf("a name in it has %d bytes, more than %d", n, maxName)
	}
	b := r.take(n)
	if r.err == nil && !utf8.Valid(b) {
		r.err = errors.New("a name in it is not UTF-8")
	}
	return string(b)
}
