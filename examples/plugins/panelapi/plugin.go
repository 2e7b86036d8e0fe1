//go:build wasip1

package panelapi

import "github.com/souk-dev/souk/sandbox/wasm/guest"

//go:wasmimport souk server.read
func serverRead(request string) uint64

//go:wasmimport souk ui.card
func uiCard(request string) uint64

//go:wasmimport souk kv.get
func kvGet(request string) uint64

//go:wasmimport souk kv.put
func kvPut(request string) uint64

//go:wasmimport souk net.fetch
func netFetch(request string) uint64

// ReadServer returns how the server is doing.
func ReadServer() (s Server, err error) {
	err = guest.CallJSON(serverRead, struct{}{}, &s)
	return s, err
}

// Show draws the plugin's card.
func Show(c Card) error { return guest.CallJSON(uiCard, c, nil) }

// Load returns what is stored under a key.
func Load(key string) (v Value, err error) {
	err = guest.CallJSON(kvGet, Get{key}, &v)
	return v, err
}

// Store stores a value under a key.
func Store(key, value string) error { return guest.CallJSON(kvPut, Put{key, value}, nil) }

// Do sends an HTTP request. One to a host that is not granted wraps guest.ErrDenied.
func Do(f Fetch) (r Response, err error) {
	err = guest.CallJSON(netFetch, f, &r)
	return r, err
}
