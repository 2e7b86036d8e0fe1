package publish

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// position is a place in a text file; both count from 1, 0 is not known.
type position struct{ line, column int }

// positions finds the values of a JSON document by their paths, as
// [catalog.ManifestError] writes them: "permissions[2].kind".
type positions map[string]position

// maxPositions bounds the values that are looked at: a plugin.json has some hundred.
const maxPositions = 20_000

// locate reads what is readable of a document, which need not be valid.
func locate(b []byte) positions {
	l := &locator{b: b, dec: json.NewDecoder(bytes.NewReader(b)), out: make(positions), lineAt: 1}
	l.dec.UseNumber()
	l.value("")
	return l.out
}

type locator struct {
	b   []byte
	dec *json.Decoder
	out positions

	at, lineAt, lineStart int // how far lines were counted, and where the last began
}

// here returns the place of the next token.
func (l *locator) here() position {
	off := int(l.dec.InputOffset())
	for off < len(l.b) && strings.IndexByte(" \t\r\n:,", l.b[off]) >= 0 {
		off++
	}
	for ; l.at < off; l.at++ {
		if l.b[l.at] == '\n' {
			l.lineAt, l.lineStart = l.lineAt+1, l.at+1
		}
	}
	return position{l.lineAt, off - l.lineStart + 1}
}

// value walks over the next value, and reports whether there can be another.
func (l *locator) value(path string) bool {
	if len(l.out) >= maxPositions {
		return false
	}
	if _, known := l.out[path]; !known {
		l.out[path] = l.here()
	}
	t, err := l.dec.Token()
	if err != nil {
		return false
	}
	switch t {
	case json.Delim('{'):
		for l.dec.More() {
			key, err := l.dec.Token()
			name, isString := key.(string)
			if err != nil || !isString {
				return false
			}
			if name == "" {
				name = `""`
			}
			below := fmt.Sprintf("%.60s", name)
			if path != "" {
				below = path + "." + below
			}
			if !l.value(below) {
				return false
			}
		}
	case json.Delim('['):
		for i := 0; l.dec.More(); i++ {
			if !l.value(path + "[" + strconv.Itoa(i) + "]") {
				return false
			}
		}
	default:
		return true
	}
	_, err = l.dec.Token()
	return err == nil
}

// of returns the place of a value, or of the nearest one above it that is there.
func (p positions) of(path string) position {
	for {
		if at, ok := p[path]; ok {
			return at
		}
		if path == "" {
			return position{}
		}
		path = path[:max(strings.LastIndexByte(path, '.'), strings.LastIndexByte(path, '['), 0)]
	}
}
