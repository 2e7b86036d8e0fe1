package tuf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxDepth bounds how deep metadata nests; what TUF writes has six levels.
const maxDepth = 16

// strict refuses JSON that two readers could read differently, or that go-tuf
// does not survive: repeated keys, nulls (it follows them as pointers), deep
// nesting, trailing data.
func strict(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := strictValue(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("data after the end of the JSON")
	}
	return nil
}

func strictValue(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return fmt.Errorf("not JSON: %w", err)
	}
	if token == nil {
		return errors.New("null in the JSON")
	}
	open, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth == maxDepth {
		return fmt.Errorf("JSON nested deeper than %d", maxDepth)
	}
	seen := make(map[string]bool)
	for d.More() {
		if open == '{' {
			token, err := d.Token()
			if err != nil {
				return fmt.Errorf("not JSON: %w", err)
			}
			key, ok := token.(string)
			if !ok || seen[key] {
				return fmt.Errorf("key %.80q twice in the JSON", token)
			}
			seen[key] = true
		}
		if err := strictValue(d, depth+1); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	return nil
}
