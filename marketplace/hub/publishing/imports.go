package publishing

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"strings"

	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/verify/scan"
)

// maxImports is the most entries of an import section that are read.
const maxImports = 10_000

var errModule = errors.New("not a module that can be read")

// importsIn returns what the WebAssembly modules among the files import, as
// "module.name". A module that cannot be read stands there by its file: scanners
// refuse it, this only compares. A nil fs.FS has none.
func importsIn(ctx context.Context, files fs.FS) ([]string, error) {
	if files == nil {
		return nil, nil
	}
	var out []string
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case d.IsDir() || !strings.HasSuffix(name, ".wasm"):
			return nil
		}
		code, err := readFile(files, name, publish.MaxFile)
		if err != nil {
			return err
		}
		imports, err := moduleImports(code)
		if err != nil {
			imports = []string{"(unreadable: " + name + ")"}
		}
		out = append(out, imports...)
		return nil
	})
	return out, err
}

// moduleImports reads the names in the import section of a module. See
// https://webassembly.github.io/spec/core/binary/modules.html#import-section.
func moduleImports(code []byte) ([]string, error) {
	rest, ok := bytes.CutPrefix(code, []byte("\x00asm\x01\x00\x00\x00"))
	if !ok {
		return nil, errModule
	}
	r := moduleReader{b: rest}
	for len(r.b) > 0 && !r.bad {
		id := r.byte()
		body := moduleReader{b: r.take(r.number())}
		if r.bad || id != 2 {
			continue
		}
		n := body.number()
		if n > maxImports {
			return nil, errModule
		}
		var out []string
		for range n {
			module, name := body.take(body.number()), body.take(body.number())
			body.description()
			if body.bad {
				return nil, errModule
			}
			out = append(out, scan.Printable(string(module)+"."+string(name), 200))
		}
		return out, nil
	}
	if r.bad {
		return nil, errModule
	}
	return nil, nil
}

// moduleReader reads the binary format. After the first fault it returns zero values.
type moduleReader struct {
	b   []byte
	bad bool
}

func (r *moduleReader) take(n uint64) []byte {
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *moduleReader) byte() byte {
	if b := r.take(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// number reads an unsigned LEB128 number of at most 32 bits.
func (r *moduleReader) number() uint64 {
	n, size := binary.Uvarint(r.b[:min(len(r.b), 5)])
	if r.bad || size <= 0 || n > 1<<32-1 {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return n
}

// description skips what an import is.
func (r *moduleReader) description() {
	limits := func() {
		if flags := r.byte(); flags&1 != 0 {
			r.number()
		}
		r.number()
	}
	switch r.byte() {
	case 0: // function: its type
		r.number()
	case 1: // table
		r.byte()
		limits()
	case 2: // memory
		limits()
	case 3: // global: its type, and whether it changes
		r.take(2)
	case 4: // tag
		r.byte()
		r.number()
	default:
		r.bad = true
	}
}
