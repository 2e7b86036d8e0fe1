//go:build wasip1

// Command notes keeps notes for the people who look after the server, and shows the
// latest three.
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
	guest.Health(healthy)
}

func main() {}

// healthy has the mistake of this release: it wants a key that nobody ever writes.
// The panel notices, takes the update back and goes on with 1.0.0.
func healthy() error {
	v, err := panelapi.Load("notes/index")
	if err == nil && !v.Found {
		err = errors.New("the index of the notes is missing")
	}
	return err
}

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
	for i := len(notes) - 1; i >= max(0, len(notes)-3); i-- {
		card.Rows = append(card.Rows, panelapi.Row{Label: "#" + strconv.Itoa(i+1), Value: notes[i]})
	}
	if len(notes) > 0 {
		card.Text = "The latest three"
	}
	return nil, panelapi.Show(card)
}
