package wasm_test

import "slices"

// A little assembler for modules that no compiler would make.

const (
	i32 = 0x7f
	i64 = 0x7e
)

type importFunc struct {
	module, name string
	params       []byte
	results      []byte
}

type function struct {
	export  string
	params  []byte
	results []byte
	body    []byte // without locals and the final end
}

type module struct {
	imports []importFunc
	funcs   []function
	pages   uint32 // of memory, exported as "memory"; 0: none
	maximum uint32 // 0: none
	table   []byte // its section's contents; nil: none
}

func leb(n uint32) []byte {
	var b []byte
	for n >= 0x80 {
		b = append(b, byte(n)|0x80)
		n >>= 7
	}
	return append(b, byte(n))
}

func text(s string) []byte { return append(leb(uint32(len(s))), s...) }

func vec(items ...[]byte) []byte { return append(leb(uint32(len(items))), slices.Concat(items...)...) }

func section(id byte, body []byte) []byte {
	return slices.Concat([]byte{id}, leb(uint32(len(body))), body)
}

func signature(params, results []byte) []byte {
	return slices.Concat([]byte{0x60}, leb(uint32(len(params))), params, leb(uint32(len(results))), results)
}

func (m module) bytes() []byte {
	var types, imports, funcs, exports, bodies [][]byte
	for i, f := range m.imports {
		types = append(types, signature(f.params, f.results))
		imports = append(imports, slices.Concat(text(f.module), text(f.name), []byte{0}, leb(uint32(i))))
	}
	for i, f := range m.funcs {
		types = append(types, signature(f.params, f.results))
		index := leb(uint32(len(m.imports) + i))
		funcs = append(funcs, index)
		if f.export != "" {
			exports = append(exports, slices.Concat(text(f.export), []byte{0}, index))
		}
		body := slices.Concat([]byte{0}, f.body, []byte{0x0b})
		bodies = append(bodies, append(leb(uint32(len(body))), body...))
	}
	code := slices.Concat([]byte("\x00asm\x01\x00\x00\x00"), section(1, vec(types...)), section(2, vec(imports...)), section(3, vec(funcs...)))
	if m.table != nil {
		code = append(code, section(4, m.table)...)
	}
	if m.pages > 0 {
		limits := append([]byte{0}, leb(m.pages)...)
		if m.maximum > 0 {
			limits = slices.Concat([]byte{1}, leb(m.pages), leb(m.maximum))
		}
		code = append(code, section(5, vec(limits))...)
		exports = append(exports, append(text("memory"), 2, 0))
	}
	return slices.Concat(code, section(7, vec(exports...)), section(10, vec(bodies...)))
}

// Instructions that the bodies use.
func i32Const(n int32) []byte {
	b := []byte{0x41}
	for {
		c := byte(n & 0x7f)
		n >>= 7
		if n == 0 && c&0x40 == 0 || n == -1 && c&0x40 != 0 {
			return append(b, c)
		}
		b = append(b, c|0x80)
	}
}

func callFunc(i uint32) []byte { return append([]byte{0x10}, leb(i)...) }

var (
	drop        = []byte{0x1a}
	unreachable = []byte{0x00}
	endless     = []byte{0x03, 0x40, 0x0c, 0x00, 0x0b, 0x00} // loop br 0 end unreachable
	memoryGrow  = []byte{0x40, 0x00}
)

// plugin is a guest whose souk_call has the given body. It imports read (0), write
// (1) and what else is given (from 2).
func plugin(body []byte, more ...importFunc) module {
	return module{
		imports: append([]importFunc{
			{"souk", "read", []byte{i32, i32}, []byte{i32}},
			{"souk", "write", []byte{i32, i32}, nil},
		}, more...),
		funcs: []function{
			{"souk_abi", nil, []byte{i32}, i32Const(1)},
			{"souk_call", []byte{i32, i32}, []byte{i32}, body},
		},
		pages: 1,
	}
}
