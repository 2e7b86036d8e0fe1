package scan

import (
	"errors"
	"fmt"

	"github.com/souk-dev/souk/sandbox/wasm/module"
)

// Bounds of the import section; compilers stay far below.
const (
	maxWASM        = 256 << 20 // bytes of a module
	maxWASMImports = 10_000
)

// wasmImport is one entry of a module's import section.
type wasmImport struct {
	module, name string
	function     bool // else a table, memory, global or tag
}

// wasmImports reads the import section of a core module, and nothing else of it.
func wasmImports(code []byte) ([]wasmImport, error) {
	r, err := module.Open(code)
	if err != nil {
		return nil, err
	}
	var imports []wasmImport
	seen := false
	for r.More() {
		id, body := r.Section()
		if r.Err() != nil || id != module.SectionImport {
			continue
		}
		if seen {
			return nil, errors.New("it has two import sections")
		}
		seen = true
		for range body.Count(maxWASMImports, "imports") {
			imp := wasmImport{module: body.Name(), name: body.Name()}
			imp.function = description(body)
			if body.Err() != nil {
				break
			}
			imports = append(imports, imp)
		}
		if err := body.Err(); err != nil {
			return nil, err
		}
		if body.Left() > 0 {
			return nil, fmt.Errorf("its import section has %d bytes too many", body.Left())
		}
	}
	return imports, r.Err()
}

// description skips what is said of an import, and reports whether it is a function.
func description(r *module.Reader) bool {
	switch kind := r.Byte(); kind {
	case 0: // function: its type
		r.U32()
		return true
	case 1: // table: type of reference, limits
		valueType(r)
		limits(r)
	case 2:
		limits(r)
	case 3: // global: type of value, mutable
		valueType(r)
		r.Byte()
	case 4: // tag: attribute, type
		r.Byte()
		r.U32()
	default:
		r.Fail(fmt.Errorf("an import of kind %#x is unknown", kind))
	}
	return false
}

func valueType(r *module.Reader) {
	if t := r.Byte(); t == 0x63 || t == 0x64 { // reference to a heap type
		r.Uint(35) // signed, 33 bits; the value is of no interest
	}
}

func limits(r *module.Reader) {
	flags := r.Byte()
	if flags > 7 {
		r.Fail(fmt.Errorf("limits of kind %#x are unknown", flags))
	}
	bits := 32
	if flags&4 != 0 { // memory64
		bits = 64
	}
	r.Uint(bits)
	if flags&1 != 0 {
		r.Uint(bits)
	}
}
