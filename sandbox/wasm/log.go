package wasm

import (
	"bytes"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of what a guest writes to its standard output and error. A line that is too
// long is cut; what is too much for one call is dropped, which the log says once.
const (
	MaxLogLine = 4 << 10  // bytes
	MaxLogCall = 64 << 10 // bytes a call
)

// logWriter logs what a guest writes, by lines. It is used by one call at a time.
type logWriter struct {
	log   *slog.Logger
	line  []byte // at most MaxLogLine
	spent int    // bytes of this call
}

// begin gives a call its allowance.
func (w *logWriter) begin() { w.spent = 0 }

// Write never fails: a guest learns nothing of the log's state.
func (w *logWriter) Write(p []byte) (int, error) {
	n := len(p)
	if w.spent > MaxLogCall {
		return n, nil
	}
	if w.spent += n; w.spent > MaxLogCall {
		p = p[:n-(w.spent-MaxLogCall)]
		defer w.log.Warn("plugin writes too much, the rest of this call is dropped", "limit", MaxLogCall)
	}
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		part := p
		if i >= 0 {
			part = p[:i]
		}
		w.line = append(w.line, part[:min(len(part), MaxLogLine-len(w.line))]...)
		if i < 0 {
			break
		}
		w.flush()
		p = p[i+1:]
	}
	return n, nil
}

// flush logs what stands in the line.
func (w *logWriter) flush() {
	if len(w.line) > 0 {
		w.log.Info("plugin output", "text", clip(string(w.line), MaxLogLine))
		w.line = w.line[:0]
	}
}

// clip makes text from outside fit for a log or a page: valid UTF-8 of at most n
// bytes, in which what does not print, line ends apart, is a replacement character.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
		for !utf8.ValidString(s) && len(s) > n-utf8.UTFMax {
			s = s[:len(s)-1]
		}
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) && r != '\n' && r != '\t' {
			return utf8.RuneError
		}
		return r
	}, s)
}
