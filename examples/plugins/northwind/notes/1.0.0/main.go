//go:build wasip1

// Command notes keeps notes for the people who look after the server.
package main

import (
	"encoding/json"
	"errors"
	"strconv"

	"github.com/souk-dev/souk/examples/plugins/panelapi"
	"github.com/souk-dev/souk/sandbox/wasm/guest"
)

func init() {
	guest.Handle("refresh", refresh)
	guest.Handle("add", add)
	guest.Health(func() error { _, err := load(); return err })
}

func main() {}

// The notes stand as a JSON array of strings under one key, newest last.
const key = "notes"

func load() (notes []string, err error) {
	v, err := panelapi.Load(key)
	if err != nil || !v.Found {
		return nil, err
	}
	return notes, json.Unmarshal([]byte(v.Value), &notes)
}

func add(in []byte) ([]byte, error) {
	if len(in) == 0 || len(in) > 1000 {
		return nil, errors.New("a note has 1 to 1000 bytes")
	}
	notes, err := load()
	if err != nil {
		return nil, err
	}
	b, err := json.Marshal(append(notes, string(in)))
	if err != nil {
		return nil, err
	}
	if err := panelapi.Store(key, string(b)); err != nil {
		return nil, err
	}
	return refresh(nil)
}

func refresh([]byte) ([]byte, error) {
	notes, err := load()
	if err != nil {
		return nil, err
	}
	card := panelapi.Card{Title: "Notes", Value: strconv.Itoa(len(notes)), Unit: "notes", Text: "Nothing noted yet"}
	if len(notes) > 0 {
		card.Text = notes[len(notes)-1]
	}
	return nil, panelapi.Show(card)
}
