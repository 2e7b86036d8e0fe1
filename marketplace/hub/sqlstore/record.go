package sqlstore

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/souk-dev/souk/marketplace/hub"
)

// kind says how a field is kept.
type kind int

const (
	kindText   kind = iota // TEXT
	kindNumber             // BIGINT
	kindBool               // BIGINT, 0 or 1
	kindTime               // BIGINT, microseconds since 1970; 0 for the zero time
	kindReal               // DOUBLE PRECISION
	kindRaw                // TEXT: JSON as it came; empty for nil
	kindTexts              // TEXT: JSON list of texts; "null" for nil
	kindJSON               // TEXT: any other slice or struct as JSON
)

// column is a field of a record type.
type column struct {
	name  string // as the tag has it: the only names that get into SQL
	field int
	kind  kind
}

// record is what is known about a type and its table; it does not change.
type record struct {
	table   string
	typ     reflect.Type
	columns []column
	byName  map[string]int
	keys    []int // of columns
	rev     int   // of columns; -1: none
	auto    int   // likewise

	appendOnly bool // Insert, Get and List only
	ordered    bool // automatic numbers become visible in their order

	list, insert, put, update, exists, delete string // SQL
}

// newRecord reads the db tags of a type. A wrong one is a mistake in the code.
func newRecord(table string, t reflect.Type) *record {
	r := &record{table: table, typ: t, byName: map[string]int{}, rev: -1, auto: -1}
	for i := range t.NumField() {
		tag, ok := t.Field(i).Tag.Lookup("db")
		if !ok {
			continue
		}
		name, option, _ := strings.Cut(tag, ",")
		n := len(r.columns)
		r.columns = append(r.columns, column{name: name, field: i, kind: kindOf(t.Field(i).Type)})
		r.byName[name] = n
		switch option {
		case "key":
			r.keys = append(r.keys, n)
		case "rev":
			r.rev = n
		case "auto":
			r.auto, r.keys = n, append(r.keys, n)
		case "":
		default:
			panic(fmt.Sprintf("%s: unknown option in tag %q", t, tag))
		}
	}
	if len(r.keys) == 0 {
		panic(t.String() + " has no key")
	}
	r.statements()
	return r
}

func kindOf(t reflect.Type) kind {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return kindTime
	case t == reflect.TypeFor[json.RawMessage]():
		return kindRaw
	case t.Kind() == reflect.String:
		return kindText
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64:
		return kindNumber
	case t.Kind() == reflect.Bool:
		return kindBool
	case t.Kind() == reflect.Float64:
		return kindReal
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String:
		return kindTexts
	case t.Kind() == reflect.Slice || t.Kind() == reflect.Struct:
		return kindJSON
	}
	panic(t.String() + " cannot be kept")
}

// statements writes the SQL that is the same at each use.
func (r *record) statements() {
	var all, in, holes, sets, changes []string
	for i, c := range r.columns {
		q := quote(c.name)
		all = append(all, q)
		if i != r.auto {
			in = append(in, q)
			holes = append(holes, "$"+strconv.Itoa(len(in)))
		}
		if !slices.Contains(r.keys, i) {
			sets = append(sets, q+" = excluded."+q)
			if i != r.rev {
				changes = append(changes, fmt.Sprintf("%s = $%d", q, len(changes)+1))
			}
		}
	}
	t := quote(r.table)
	r.list = "SELECT " + strings.Join(all, ", ") + " FROM " + t
	insert := "INSERT INTO " + t + " (" + strings.Join(in, ", ") + ") VALUES (" + strings.Join(holes, ", ") + ")"
	r.insert = insert + " ON CONFLICT DO NOTHING"
	if r.auto >= 0 {
		r.insert += " RETURNING " + quote(r.columns[r.auto].name)
	}
	r.put = insert + " ON CONFLICT (" + r.keyNames() + ") DO UPDATE SET " + strings.Join(sets, ", ")
	n := len(changes)
	if r.rev >= 0 {
		q := quote(r.columns[r.rev].name)
		changes = append(changes, q+" = "+q+" + 1")
	}
	r.update = "UPDATE " + t + " SET " + strings.Join(changes, ", ") + " WHERE " + r.keyIs(n)
	if r.rev >= 0 {
		r.update += fmt.Sprintf(" AND %s = $%d", quote(r.columns[r.rev].name), n+len(r.keys)+1)
	}
	r.exists = "SELECT 1 FROM " + t + " WHERE " + r.keyIs(0)
	r.delete = "DELETE FROM " + t + " WHERE " + r.keyIs(0)
}

// keyIs is the condition that the key is the values behind the first n.
func (r *record) keyIs(n int) string {
	var is []string
	for i, k := range r.keys {
		is = append(is, fmt.Sprintf("%s = $%d", quote(r.columns[k].name), n+i+1))
	}
	return strings.Join(is, " AND ")
}

func (r *record) keyNames() string {
	var names []string
	for _, k := range r.keys {
		names = append(names, quote(r.columns[k].name))
	}
	return strings.Join(names, ", ")
}

// column finds a column that a caller named.
func (r *record) column(name string) (column, error) {
	i, ok := r.byName[name]
	if !ok {
		return column{}, fmt.Errorf("%s has no column %q", r.table, name)
	}
	return r.columns[i], nil
}

// key encodes the values of a key.
func (r *record) key(values []any) ([]any, error) {
	if len(values) != len(r.keys) {
		return nil, fmt.Errorf("the key of %s has %d values, not %d", r.table, len(r.keys), len(values))
	}
	args := make([]any, len(values))
	for i, k := range r.keys {
		a, err := r.columns[k].value(values[i])
		if err != nil {
			return nil, err
		}
		args[i] = a
	}
	return args, nil
}

// encode returns the values of a record's columns, in their order.
func (r *record) encode(v reflect.Value) ([]any, error) {
	args := make([]any, len(r.columns))
	for i, c := range r.columns {
		a, err := c.encode(v.Field(c.field))
		if err != nil {
			return nil, err
		}
		args[i] = a
	}
	return args, nil
}

// encode turns a field into what the database is given.
func (c column) encode(v reflect.Value) (any, error) {
	switch c.kind {
	case kindText:
		return c.text(v.String())
	case kindNumber:
		return v.Int(), nil
	case kindBool:
		if v.Bool() {
			return int64(1), nil
		}
		return int64(0), nil
	case kindTime:
		return micros(v.Interface().(time.Time)), nil
	case kindReal:
		return v.Float(), nil
	case kindRaw:
		return c.text(string(v.Bytes()))
	case kindTexts:
		for i := range v.Len() { // PostgreSQL's JSON cannot hold a NUL
			if _, err := c.text(v.Index(i).String()); err != nil {
				return nil, err
			}
		}
	}
	b, err := json.Marshal(v.Interface())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	return c.text(string(b))
}

// text refuses what PostgreSQL cannot keep, on both engines.
func (c column) text(s string) (any, error) {
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return nil, hub.Invalid(c.name, "must be UTF-8 without NUL")
	}
	return s, nil
}

// value turns what a caller compares a column with into what the database is given.
func (c column) value(v any) (any, error) {
	r := reflect.ValueOf(v)
	switch {
	case c.kind == kindText && r.Kind() == reflect.String:
		return c.text(r.String())
	case c.kind == kindBool && r.Kind() == reflect.Bool:
		return c.encode(r)
	case c.kind == kindNumber && r.CanInt():
		return r.Int(), nil
	case c.kind == kindReal && r.CanFloat():
		return r.Float(), nil
	case c.kind == kindTime:
		if t, ok := v.(time.Time); ok {
			return micros(t), nil
		}
	}
	return nil, fmt.Errorf("%s cannot be compared with %T", c.name, v)
}

// micros is how a time is kept.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// cell is what one column of a row is read into.
type cell struct {
	text   string
	number int64
	real   float64
}

// row is what a row is read into, again and again.
type row struct {
	record *record
	cells  []cell
	into   []any
}

func (r *record) row() *row {
	w := &row{record: r, cells: make([]cell, len(r.columns)), into: make([]any, len(r.columns))}
	for i, c := range r.columns {
		switch c.kind {
		case kindNumber, kindBool, kindTime:
			w.into[i] = &w.cells[i].number
		case kindReal:
			w.into[i] = &w.cells[i].real
		default:
			w.into[i] = &w.cells[i].text
		}
	}
	return w
}

// decode fills a record with what was read.
func (w *row) decode(v reflect.Value) error {
	for i, c := range w.record.columns {
		f, cell := v.Field(c.field), &w.cells[i]
		switch c.kind {
		case kindText:
			f.SetString(cell.text)
		case kindNumber:
			f.SetInt(cell.number)
		case kindBool:
			f.SetBool(cell.number != 0)
		case kindTime:
			if cell.number != 0 {
				f.Set(reflect.ValueOf(time.UnixMicro(cell.number).UTC()))
			}
		case kindReal:
			f.SetFloat(cell.real)
		case kindRaw:
			if cell.text != "" {
				f.SetBytes([]byte(cell.text))
			}
		default:
			if cell.text == "null" {
				continue
			}
			if err := json.Unmarshal([]byte(cell.text), f.Addr().Interface()); err != nil {
				return fmt.Errorf("%s.%s is damaged: %w", w.record.table, c.name, err)
			}
		}
	}
	return nil
}

// quote writes a name that comes from a tag or from this package.
func quote(name string) string { return `"` + name + `"` }
