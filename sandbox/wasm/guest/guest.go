//go:build wasip1

package guest

import (
	"encoding/json"
	"errors"
	"fmt"
	"unsafe"
)

// ErrDenied means that the panel did not let the plugin do something.
var ErrDenied = errors.New("permission denied")

// Import is a host function, declared with a go:wasmimport directive.
type Import func(request string) uint64

var (
	handlers = map[string]func([]byte) ([]byte, error){}
	healthy  = func() error { return nil }
)

// Handle registers what the plugin answers to calls of name. Call it from init. The
// text of an error is shown to the panel.
func Handle(name string, f func(in []byte) ([]byte, error)) { handlers[name] = f }

// Health registers how the plugin finds out whether it is well; without it, it
// always is. Call it from init. The panel asks after each start.
func Health(f func() error) { healthy = f }

// Call calls a host function. A refusal wraps ErrDenied; other errors have the text
// that the panel gave.
func Call(f Import, request []byte) ([]byte, error) {
	r := f(unsafe.String(unsafe.SliceData(request), len(request)))
	b := take(uint32(r))
	switch r >> 32 {
	case 0:
		return b, nil
	case 2:
		return nil, fmt.Errorf("%w (%s)", ErrDenied, b)
	}
	return nil, errors.New(string(b))
}

// CallJSON calls a host function with a request that is marshalled to JSON, and
// reads its result into result unless that is nil.
func CallJSON(f Import, request, result any) error {
	in, err := json.Marshal(request)
	if err != nil {
		return err
	}
	out, err := Call(f, in)
	if err != nil || result == nil {
		return err
	}
	return json.Unmarshal(out, result)
}

//go:wasmimport souk read
//go:noescape
func hostRead(p unsafe.Pointer, room uint32) uint32

//go:wasmimport souk write
//go:noescape
func hostWrite(p unsafe.Pointer, n uint32)

func take(n uint32) []byte {
	b := make([]byte, n)
	return b[:hostRead(unsafe.Pointer(unsafe.SliceData(b)), n)]
}

func give(b []byte) { hostWrite(unsafe.Pointer(unsafe.SliceData(b)), uint32(len(b))) }

//go:wasmexport souk_abi
func abi() int32 { return 1 }

//go:wasmexport souk_call
func call(nameLen, inLen uint32) int32 {
	in := take(nameLen + inLen)
	f := handlers[string(in[:nameLen])]
	if f == nil {
		return 2
	}
	out, err := f(in[nameLen:])
	if err != nil {
		give([]byte(err.Error()))
		return 1
	}
	give(out)
	return 0
}

//go:wasmexport souk_health
func health() int32 {
	if err := healthy(); err != nil {
		give([]byte(err.Error()))
		return 1
	}
	return 0
}
