// Package guest is the plugin's side of sandbox/wasm: with it a plugin is about
// twenty lines of Go. It is linked into plugins, never into a panel.
//
// A plugin is a package main built with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -o plugin.wasm .
//
// It registers what it answers to in init, since main does not run, and declares
// each host function it uses as an import of the module "souk". These imports are
// what the panel reads to know what the plugin can reach, so declare what you use:
//
//	//go:build wasip1
//
//	package main
//
//	import "github.com/souk-dev/souk/sandbox/wasm/guest"
//
//	//go:wasmimport souk server.read
//	func serverRead(request string) uint64
//
//	func init() {
//		guest.Handle("load", func(in []byte) ([]byte, error) {
//			return guest.Call(serverRead, in)
//		})
//		guest.Health(func() error { return nil })
//	}
//
//	func main() {}
//
// plugin.json then has {"runtime": {"kind": "wasm", "entry": "plugin.wasm"}} and
// {"health": {"export": "souk_health"}}.
//
// The panel calls one handler at a time and stops one that takes too long. A panic
// ends the plugin. What is printed goes to the panel's log. There are no
// arguments, no environment, no network and, unless the panel says otherwise, no
// files. Goroutines only run while a handler does.
//
// The package has code for GOOS=wasip1 alone.
package guest
