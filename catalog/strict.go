package catalog

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxNesting bounds how deep a document nests: ours need six levels, a JSON Schema
// of settings some more.
const maxNesting = 64

// strict reads JSON of known Go types as encoding/json does, but refuses what that
// forgives: keys twice, unknown keys, keys in another case, null, invalid UTF-8 and
// anything after the document. It is not safe for concurrent use.
type strict struct {
	shapes  map[reflect.Type]*shape
	offsets map[string]int // when not nil, filled with the offset of every value by path

	b     []byte
	i     int
	stack []step
}

// step is one step of the path to the value at hand.
type step struct {
	key   string
	index int // of an array, when key is empty
}

// fault says what is wrong with a document, and where.
type fault struct {
	path   string // "permissions[2].kind"; empty for the document itself
	line   int    // from 1; 0 when not known
	reason string
}

func (f *fault) Error() string {
	var b strings.Builder
	if f.line > 0 {
		fmt.Fprintf(&b, "line %d: ", f.line)
	}
	if f.path != "" {
		b.WriteString(f.path + ": ")
	}
	return b.String() + f.reason
}

func newStrict() *strict { return &strict{shapes: make(map[reflect.Type]*shape)} }

// decode reads b, at most limit bytes, into v, a pointer. Its errors are *fault.
func (s *strict) decode(b []byte, limit int, v any) error {
	s.b, s.i, s.stack = b, 0, s.stack[:0]
	if len(b) > limit {
		return &fault{reason: fmt.Sprintf("%d bytes are more than the %d allowed", len(b), limit)}
	}
	if !utf8.Valid(b) {
		return &fault{reason: "is not valid UTF-8"}
	}
	if !json.Valid(b) {
		var raw json.RawMessage
		err := json.Unmarshal(b, &raw)
		if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
			return &fault{line: s.line(int(syntax.Offset)), reason: err.Error()}
		}
		return &fault{reason: fmt.Sprintf("is not JSON: %v", err)}
	}
	if err := s.value(s.shape(reflect.TypeOf(v).Elem())); err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		f := &fault{reason: err.Error()}
		if wrong := (*json.UnmarshalTypeError)(nil); errors.As(err, &wrong) {
			f.path, f.line = wrong.Field, s.line(int(wrong.Offset))
			f.reason = fmt.Sprintf("%s does not fit", wrong.Value)
		}
		return f
	}
	return nil
}

func (s *strict) line(offset int) int {
	return 1 + bytes.Count(s.b[:min(max(offset, 0), len(s.b))], []byte{'\n'})
}

func (s *strict) path() string {
	var b strings.Builder
	for _, p := range s.stack {
		switch {
		case p.key == "":
			fmt.Fprintf(&b, "[%d]", p.index)
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			fmt.Fprintf(&b, "%.60s", p.key)
		}
	}
	return b.String()
}

func (s *strict) fail(format string, args ...any) error {
	return &fault{path: s.path(), line: s.line(s.i), reason: fmt.Sprintf(format, args...)}
}

// form is the form of JSON that a Go type takes.
type form uint8

const (
	formAny form = iota // raw JSON: anything, null too
	formOwn             // has an unmarshaller of its own: anything but null
	formObject
	formMap
	formArray
	formString
	formInt
	formNumber
	formBool
)

func (f form) String() string {
	return [...]string{"a value", "a value", "an object", "an object", "an array", "a string", "a whole number", "a number", "true or false"}[f]
}

type shape struct {
	form   form
	fields map[string]field
	elem   *shape
}

type field struct {
	n     int
	shape *shape
}

func (s *strict) shape(t reflect.Type) *shape {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if known, ok := s.shapes[t]; ok {
		return known
	}
	sh := &shape{}
	s.shapes[t] = sh
	pt := reflect.PointerTo(t)
	switch {
	case t == reflect.TypeFor[json.RawMessage]():
	case pt.Implements(reflect.TypeFor[json.Unmarshaler]()):
		sh.form = formOwn
	case pt.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		sh.form = formString
	case t.Kind() == reflect.Struct:
		sh.form, sh.fields = formObject, make(map[string]field)
		s.addFields(sh, t)
	case t.Kind() == reflect.Map:
		sh.form, sh.elem = formMap, s.shape(t.Elem())
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Array:
		sh.form, sh.elem = formArray, s.shape(t.Elem())
	case t.Kind() == reflect.String:
		sh.form = formString
	case t.Kind() == reflect.Bool:
		sh.form = formBool
	case t.Kind() >= reflect.Int && t.Kind() <= reflect.Uint64:
		sh.form = formInt
	case t.Kind() == reflect.Float64:
		sh.form = formNumber
	}
	return sh
}

func (s *strict) addFields(sh *shape, t reflect.Type) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			s.addFields(sh, f.Type)
		case name != "-" && name != "":
			sh.fields[name] = field{len(sh.fields), s.shape(f.Type)}
		}
	}
}

// value walks over the value at s.i, which is known to be valid JSON.
func (s *strict) value(sh *shape) error {
	s.space()
	if len(s.stack) > maxNesting {
		return s.fail("nested deeper than %d levels", maxNesting)
	}
	if s.offsets != nil {
		s.offsets[s.path()] = s.i
		if sh.form == formAny { // nothing points into raw JSON, which may have any number of long paths
			defer func(saved map[string]int) { s.offsets = saved }(s.offsets)
			s.offsets = nil
		}
	}
	switch c := s.b[s.i]; c {
	case '{':
		if sh.form != formObject && sh.form != formMap && sh.form > formOwn {
			return s.fail("is an object, must be %s", sh.form)
		}
		return s.object(sh)
	case '[':
		if sh.form != formArray && sh.form > formOwn {
			return s.fail("is an array, must be %s", sh.form)
		}
		return s.array(sh)
	case '"':
		if sh.form != formString && sh.form > formOwn {
			return s.fail("is a string, must be %s", sh.form)
		}
		s.str()
	case 't', 'f':
		if sh.form != formBool && sh.form > formOwn {
			return s.fail("is true or false, must be %s", sh.form)
		}
		s.literal()
	case 'n':
		if sh.form != formAny {
			return s.fail("is null, must be %s; leave it out instead", sh.form)
		}
		s.literal()
	default:
		if sh.form != formInt && sh.form != formNumber && sh.form > formOwn {
			return s.fail("is a number, must be %s", sh.form)
		}
		if n := s.literal(); sh.form == formInt && bytes.ContainsAny(n, ".eE") {
			return s.fail("is %.40s, must be a whole number", n)
		}
	}
	return nil
}

func (s *strict) object(sh *shape) error {
	s.i++
	var seen map[string]struct{} // of a map or raw JSON
	var bits uint64              // of a struct; none of ours has 64 fields
	for {
		s.space()
		switch s.b[s.i] {
		case '}':
			s.i++
			return nil
		case ',':
			s.i++
			s.space()
		}
		key := unquote(s.str())
		elem := sh.elem
		if sh.form == formObject {
			f, known := sh.fields[key]
			if !known {
				return s.fail("unknown field %.80q", key)
			}
			if bits&(1<<f.n) != 0 {
				return s.fail("field %.80q stands twice", key)
			}
			bits |= 1 << f.n
			elem = f.shape
		} else {
			if _, double := seen[key]; double {
				return s.fail("field %.80q stands twice", key)
			}
			if seen == nil {
				seen = make(map[string]struct{})
			}
			seen[key] = struct{}{}
		}
		if elem == nil {
			elem = &shape{}
		}
		s.space()
		s.i++ // ':'
		if key == "" {
			key = `""`
		}
		s.stack = append(s.stack, step{key: key})
		if err := s.value(elem); err != nil {
			return err
		}
		s.stack = s.stack[:len(s.stack)-1]
	}
}

func (s *strict) array(sh *shape) error {
	s.i++
	elem := sh.elem
	if elem == nil {
		elem = &shape{}
	}
	for n := 0; ; n++ {
		s.space()
		switch s.b[s.i] {
		case ']':
			s.i++
			return nil
		case ',':
			s.i++
		}
		s.stack = append(s.stack, step{index: n})
		if err := s.value(elem); err != nil {
			return err
		}
		s.stack = s.stack[:len(s.stack)-1]
	}
}

func (s *strict) space() {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\n' || s.b[s.i] == '\t' || s.b[s.i] == '\r') {
		s.i++
	}
}

// str moves behind the string at s.i and returns it with its quotes.
func (s *strict) str() []byte {
	start := s.i
	for s.i++; s.b[s.i] != '"'; s.i++ {
		if s.b[s.i] == '\\' {
			s.i++
		}
	}
	s.i++
	return s.b[start:s.i]
}

func (s *strict) literal() []byte {
	start := s.i
	for s.i < len(s.b) && !bytes.ContainsRune([]byte(",]} \n\t\r"), rune(s.b[s.i])) {
		s.i++
	}
	return s.b[start:s.i]
}

func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var key string
	if err := json.Unmarshal(quoted, &key); err != nil {
		return strconv.QuoteToASCII(string(quoted)) // cannot be: the document is valid JSON
	}
	return key
}

// format checks a document's format number before the rest, so that a newer
// document is not called malformed.
func checkFormat(b []byte, document string, known int) error {
	var head struct {
		Format json.Number `json:"format"`
	}
	if json.Unmarshal(b, &head) != nil || head.Format == "" || head.Format.String() == strconv.Itoa(known) {
		return nil // what else is wrong is said by the strict reading
	}
	return &fault{path: "format", reason: fmt.Sprintf("%s has format %.20s, this version reads %d: a newer Souk is needed to read it", document, head.Format, known)}
}
