package wasm

import (
	"errors"
	"fmt"
	"slices"

	"github.com/souk-dev/souk/sandbox/wasm/module"
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
	r, err := module.Open(code)
	if errors.Is(err, module.ErrComponent) {
		return nil, errors.New("it is a component; only core modules with WASI preview 1 run here (Go: GOOS=wasip1 GOARCH=wasm -buildmode=c-shared)")
	} else if err != nil {
		return nil, err
	}
	var im Imports
	seen := make(map[byte]bool)
	for r.More() {
		id, body := r.Section()
		if r.Err() != nil {
			break
		}
		if id != module.SectionCustom {
			if seen[id] {
				return nil, fmt.Errorf("section %d stands in it twice", id)
			}
			seen[id] = true
		}
		switch id {
		case module.SectionImport:
			imports(body, &im)
		case module.SectionTable:
			table(body)
		case module.SectionMemory:
			memory(body, &im)
		case module.SectionExport:
			exports(body, &im)
		default:
			continue
		}
		if err := body.Err(); err != nil {
			return nil, err
		}
		if body.Left() > 0 {
			return nil, fmt.Errorf("section %d has %d bytes too many", id, body.Left())
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
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

func imports(r *module.Reader, im *Imports) {
	for range r.Count(maxImports, "imports") {
		from, name, kind := r.Name(), r.Name(), r.Byte()
		if r.Err() != nil {
			return
		}
		if kind != 0 {
			r.Fail(fmt.Errorf("it imports %.60q from %.60q, which is not a function", name, from))
			return
		}
		r.U32() // its type
		switch from {
		case "wasi_snapshot_preview1":
			im.WASI = append(im.WASI, name)
		case Namespace:
			if name != "read" && name != "write" {
				im.Host = append(im.Host, name)
			}
		default:
			r.Fail(fmt.Errorf("it imports %.60q from %.60q; there is only wasi_snapshot_preview1 and %s", name, from, Namespace))
		}
	}
}

// table bounds the table of functions: it is not part of the guest's memory. It does
// not grow, see features.
func table(r *module.Reader) {
	if r.Count(1, "tables") == 0 {
		return
	}
	kind, flags, size := r.Byte(), r.Byte(), r.U32()
	if flags&1 != 0 {
		r.U32() // its maximum
	}
	switch {
	case kind != 0x70 || flags > 1:
		r.Fail(errors.New("its table is of a kind that is unknown here"))
	case size > maxTable:
		r.Fail(fmt.Errorf("its table has %d entries, more than %d", size, maxTable))
	}
}

func memory(r *module.Reader, im *Imports) {
	if r.Count(1, "memories") == 0 {
		return
	}
	flags := r.Byte()
	if flags > 3 {
		r.Fail(errors.New("its memory is of a kind that is unknown here"))
	}
	im.MinMemory = int64(r.U32()) * pageSize
	if flags&1 != 0 {
		r.U32() // its maximum
	}
}

func exports(r *module.Reader, im *Imports) {
	for range r.Count(maxExports, "exports") {
		name, kind := r.Name(), r.Byte()
		r.U32() // index
		if r.Err() == nil && kind == 0 {
			im.Exports = append(im.Exports, name)
		}
	}
}
