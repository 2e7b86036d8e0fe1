//go:build wasip1

// Command guest is the plugin that the tests of sandbox/wasm run.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/souk-dev/souk/sandbox/wasm/guest"
)

//go:wasmimport souk ui.card
func uiCard(request string) uint64

//go:wasmimport souk net.fetch
func netFetch(request string) uint64

var sick bool

func init() {
	guest.Handle("echo", func(in []byte) ([]byte, error) { return in, nil })
	guest.Handle("card", func(in []byte) ([]byte, error) { return guest.Call(uiCard, in) })
	guest.Handle("cards", func(in []byte) ([]byte, error) {
		for range 1000 {
			if _, err := guest.Call(uiCard, in); err != nil {
				return nil, err
			}
		}
		return nil, nil
	})
	guest.Handle("fetch", func(in []byte) ([]byte, error) {
		out, err := guest.Call(netFetch, in)
		if errors.Is(err, guest.ErrDenied) {
			return []byte("refused: " + err.Error()), nil
		}
		return out, err
	})
	guest.Handle("fail", func([]byte) ([]byte, error) { return nil, errors.New("no \x1b[31mluck") })
	guest.Handle("panic", func([]byte) ([]byte, error) { panic("oh no") })
	guest.Handle("exit", func([]byte) ([]byte, error) { os.Exit(3); return nil, nil })
	guest.Handle("loop", func([]byte) ([]byte, error) {
		for {
		}
	})
	guest.Handle("sleep", func([]byte) ([]byte, error) { time.Sleep(time.Hour); return nil, nil })
	guest.Handle("grow", func([]byte) ([]byte, error) {
		var keep [][]byte
		for {
			keep = append(keep, make([]byte, 1<<20))
			keep[len(keep)-1][0] = 1
		}
	})
	guest.Handle("big", func([]byte) ([]byte, error) { return make([]byte, 1<<20), nil })
	guest.Handle("print", func(in []byte) ([]byte, error) { fmt.Print(string(in)); return nil, nil })
	guest.Handle("spam", func([]byte) ([]byte, error) {
		for range 10_000 {
			fmt.Println(strings.Repeat("x", 100))
		}
		return nil, nil
	})
	guest.Handle("sick", func([]byte) ([]byte, error) { sick = true; return nil, nil })
	guest.Handle("around", func([]byte) ([]byte, error) {
		_, err := os.ReadDir("/")
		f, err2 := os.Create("/x")
		return fmt.Appendf(nil, "args %d env %d dir %v create %v %v clock %v",
			len(os.Args), len(os.Environ()), err != nil, f == nil, err2 != nil, time.Now().Year() >= 2024), nil
	})
	guest.Handle("file", func(in []byte) ([]byte, error) { return os.ReadFile(string(in)) })
	guest.Handle("write", func(in []byte) ([]byte, error) { return nil, os.WriteFile(string(in), in, 0o600) })
	guest.Health(func() error {
		if sick {
			return errors.New("I feel unwell")
		}
		return nil
	})
}

func main() {}
