package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"
)

// Bounds of the search for secrets.
const (
	secretChunk   = 1 << 20  // bytes searched at a time, however large the file
	secretOverlap = 16 << 10 // bytes searched again with the next chunk: longer than any secret
	textHead      = 8 << 10  // bytes that tell text from the rest
)

type secrets struct {
	rules      []secretRule // for all files
	assignment secretRule   // for text
}

// Secrets returns the scanner that looks for secrets packed by mistake: private keys,
// the tokens of well-known services, and assignments that look like one. Formats with
// a fixed prefix and length are of high confidence and block; the rest informs. What
// looks like an example is left out. The report never holds a secret, only where it is,
// its first four characters and its length.
//
// Files are searched as they are: not inside compressed files and archives.
func Secrets() Scanner {
	return &secrets{rules: append(secretRules(), dockerAuthRule()), assignment: assignmentRule()}
}

// Name returns "secrets".
func (*secrets) Name() string { return "secrets" }

func (s *secrets) Scan(ctx context.Context, fsys fs.FS, _ Subject) (Report, error) {
	out := newSheet(s.Name())
	buf := make([]byte, 0, secretChunk+secretOverlap)
	err := out.walk(ctx, fsys, func(name string, f fs.File, _ int64) error {
		return s.file(out, name, contextReader{ctx, f}, buf)
	})
	if err != nil {
		return out.broken(err)
	}
	return out.done()
}

// place is where a chunk lies in its file.
type place struct {
	name   string
	text   bool
	offset int64 // of the chunk
	lines  int   // before it
}

func (s *secrets) file(out *sheet, name string, r io.Reader, buf []byte) error {
	at := place{name: name}
	for first := true; ; first = false {
		n, err := io.ReadFull(r, buf[len(buf):cap(buf)])
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		buf = buf[:len(buf)+n]
		if first {
			at.text = isText(buf[:min(len(buf), textHead)])
		}
		// What begins in the overlap is found again, whole, with the next chunk.
		end := len(buf)
		if !last {
			end -= secretOverlap
		}
		s.search(out, at, buf, end)
		if last {
			return nil
		}
		at.lines += bytes.Count(buf[:end], []byte("\n"))
		at.offset += int64(end)
		buf = buf[:copy(buf, buf[end:])]
	}
}

// isText: no byte that text does not have. Binary files have zeros early.
func isText(b []byte) bool { return bytes.IndexByte(b, 0) < 0 }

// search reports the secrets that begin before end.
func (s *secrets) search(out *sheet, at place, data []byte, end int) {
	var seen spans
	var lines []int // offsets of line ends, when there is something to report
	report := func(r *secretRule, data, folded []byte) {
		for start, stop := range r.matches(data, folded, end) {
			if seen.overlap(start, stop) {
				continue // told by a more exact rule
			}
			f, ok := r.finding(data, start, stop)
			if !ok {
				continue
			}
			seen.add(start, stop)
			f.File = at.name
			if at.text {
				if lines == nil {
					lines = lineEnds(data)
				}
				before, _ := slices.BinarySearch(lines, start)
				f.Line = at.lines + 1 + before
			} else {
				f.Offset = at.offset + int64(start)
			}
			out.add(f)
		}
	}
	for i := range s.rules {
		report(&s.rules[i], data, data)
	}
	if at.text {
		report(&s.assignment, data, lower(data))
	}
}

// spans are where secrets were found. They are bounded: one told twice does no harm.
type spans [][2]int

func (s *spans) add(start, stop int) {
	if len(*s) < maxFindingsSeen {
		*s = append(*s, [2]int{start, stop})
	}
}

const maxFindingsSeen = 1000

func (s spans) overlap(start, stop int) bool {
	return slices.ContainsFunc(s, func(o [2]int) bool { return start < o[1] && o[0] < stop })
}

func lineEnds(data []byte) []int {
	ends := []int{}
	for i, c := range data {
		if c == '\n' {
			ends = append(ends, i)
		}
	}
	return ends
}

// lower folds ASCII only, so that offsets stay.
func lower(data []byte) []byte {
	out := bytes.Clone(data)
	for i, c := range out {
		if 'A' <= c && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return out
}

// matches yields where secrets are whose key begins before end. Keys are looked for
// in folded, which is data for rules that do not fold.
func (r *secretRule) matches(data, folded []byte, end int) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		for _, key := range r.keys {
			for from := 0; from < end; {
				at := bytes.Index(folded[from:], []byte(key))
				if at < 0 || from+at >= end {
					break
				}
				at += from
				from = at + len(key)
				if !r.inside && at > 0 && wordByte(data[at-1]) {
					continue
				}
				start, stop, ok := r.find(data[at:min(len(data), at+secretOverlap)])
				if !ok {
					continue
				}
				if !yield(at+start, at+stop) {
					return
				}
				from = max(from, at+stop)
			}
		}
	}
}

func wordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// finding judges a match. It quotes as little of it as lets its owner know it again.
func (r *secretRule) finding(data []byte, start, end int) (Finding, bool) {
	secret := data[start:end]
	severity, confidence := r.severity, r.confidence
	if r.entropy > 0 && (entropy(secret) < r.entropy || placeholder(secret)) {
		return Finding{}, false
	}
	if r.judge != nil {
		var ok bool
		if severity, confidence, ok = r.judge(data, start, end, severity, confidence); !ok {
			return Finding{}, false
		}
	}
	return Finding{
		Rule: r.rule, Severity: severity, Confidence: confidence, Title: r.title,
		Detail: fmt.Sprintf("begins with %q, %d characters", secret[:min(4, len(secret))], len(secret)),
		Advice: r.advice,
	}, true
}
