package scan

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// Bounds of the import section; compilers stay far below.
const (
	maxWASM        = 256 << 20 // bytes of a module
	maxWASMImports = 10_000
	maxWASMName    = 1000 // bytes
)

// wasmImport is one entry of a module's import section.
type wasmImport struct {
	module, name string
	function     bool // else a table, memory, global or tag
}

var (
	errNotWASM   = errors.New("it does not begin as WebAssembly does")
	errComponent = errors.New("it is a component, whose imports are of another kind")
)

// wasmImports reads the import section of a core module, and nothing else of it.
// See https://webassembly.github.io/spec/core/binary/modules.html.
func wasmImports(code []byte) ([]wasmImport, error) {
	switch {
	case len(code) < 8 || string(code[:4]) != "\x00asm":
		return nil, errNotWASM
	case string(code[4:8]) == "\x0d\x00\x01\x00":
		return nil, errComponent
	case string(code[4:8]) != "\x01\x00\x00\x00":
		return nil, fmt.Errorf("version % x of the format is unknown", code[4:8])
	}
	const sectionImport = 2
	var imports []wasmImport
	seen := false
	r := wasmReader{b: code[8:]}
	for len(r.b) > 0 {
		id := r.byte()
		body := wasmReader{b: r.take(r.u32())}
		if r.err != nil {
			return nil, r.err
		}
		if id != sectionImport {
			continue
		}
		if seen {
			return nil, errors.New("it has two import sections")
		}
		seen = true
		n := body.u32()
		if n > maxWASMImports {
			return nil, fmt.Errorf("it has %d imports, more than %d", n, maxWASMImports)
		}
		for range n {
			imp := wasmImport{module: body.name(), name: body.name()}
			imp.function = body.description()
			if body.err != nil {
				return nil, body.err
			}
			imports = append(imports, imp)
		}
		if body.err != nil {
			return nil, body.err
		}
		if len(body.b) > 0 {
			return nil, fmt.Errorf("its import section has %d bytes too many", len(body.b))
		}
	}
	return imports, nil
}

// wasmReader reads the binary format. After the first error it returns zero values.
type wasmReader struct {
	b   []byte
	err error
}

func (r *wasmReader) take(n uint32) []byte {
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

func (r *wasmReader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

// leb reads an unsigned LEB128 number of at most the given bits.
func (r *wasmReader) leb(bits int) uint64 {
	var v uint64
	for shift := 0; shift < bits; shift += 7 {
		b := r.byte()
		v |= uint64(b&0x7f) << shift
		if b < 0x80 {
			if bits-shift < 7 && b>>(bits-shift) != 0 {
				break
			}
			return v
		}
	}
	if r.err == nil {
		r.err = errors.New("a number in it is too large")
	}
	return 0
}

func (r *wasmReader) u32() uint32 {
	v := r.leb(32)
	if v > math.MaxUint32 {
		return 0 // leb does not return it
	}
	return uint32(v)
}

func (r *wasmReader) name() string {
	n := r.u32()
	if n > maxWASMName && r.err == nil {
		r.err = fmt.Errorf("a name in it has %d bytes, more than %d", n, maxWASMName)
	}
	b := r.take(n)
	if r.err == nil && !utf8.Valid(b) {
		r.err = errors.New("a name in it is not UTF-8")
	}
	return string(b)
}

// description skips what is said of an import, and reports whether it is a function.
func (r *wasmReader) description() bool {
	switch kind := r.byte(); kind {
	case 0: // function: its type
		r.u32()
		return true
	case 1: // table: type of reference, limits
		r.valueType()
		r.limits()
	case 2:
		r.limits()
	case 3: // global: type of value, mutable
		r.valueType()
		r.byte()
	case 4: // tag: attribute, type
		r.byte()
		r.u32()
	default:
		if r.err == nil {
			r.err = fmt.Errorf("an import of kind %#x is unknown", kind)
		}
	}
	return false
}

func (r *wasmReader) valueType() {
	if t := r.byte(); t == 0x63 || t == 0x64 { // reference to a heap type
		r.leb(35) // signed, 33 bits; the value is of no interest
	}
}

func (r *wasmReader) limits() {
	flags := r.byte()
	if flags > 7 && r.err == nil {
		r.err = fmt.Errorf("limits of kind %#x are unknown", flags)
	}
	bits := 32
	if flags&4 != 0 { // memory64
		bits = 64
	}
	r.leb(bits)
	if flags&1 != 0 {
		r.leb(bits)
	}
}
