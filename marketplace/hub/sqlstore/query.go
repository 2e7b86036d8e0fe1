package sqlstore

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Bounds of a query.
const (
	// maxIn is the most values of an "in"; SQLite takes 32,766 in one statement.
	maxIn = 10_000
	// maxHas is the longest text that is looked for; SQLite takes patterns of 50,000 bytes.
	maxHas = 1_000
)

// builder writes a statement and collects its values.
type builder struct {
	dialect *dialect
	record  *record
	sql     strings.Builder
	args    []any
}

func (b *builder) write(s string) { b.sql.WriteString(s) }

// hole adds a value and returns where it goes.
func (b *builder) hole(v any) string {
	b.args = append(b.args, v)
	return "$" + strconv.Itoa(len(b.args))
}

// where writes conditions.
func (b *builder) where(conds []hub.Cond) error {
	for i, c := range conds {
		if i == 0 {
			b.write(" WHERE ")
		} else {
			b.write(" AND ")
		}
		if err := b.cond(c); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) cond(c hub.Cond) error {
	col, err := b.record.column(c.Column)
	if err != nil {
		return err
	}
	name := quote(col.name)
	switch c.Op {
	case hub.OpEq, hub.OpNe, hub.OpLt, hub.OpLe, hub.OpGt, hub.OpGe:
		v, err := col.value(c.Value)
		if err != nil {
			return err
		}
		b.write(name + " " + string(c.Op) + " " + b.hole(v))
	case hub.OpIn:
		return b.in(col, c.Value)
	case hub.OpHas:
		s, ok := c.Value.(string)
		if col.kind != kindText || !ok {
			return fmt.Errorf("%s cannot be searched for %T", col.name, c.Value)
		}
		if len(s) > maxHas {
			return hub.Invalid(col.name, "is searched for at most %d bytes", maxHas)
		}
		if _, err := col.text(s); err != nil {
			return err
		}
		// lower folds ASCII letters alone: in SQLite always, in PostgreSQL by collation "C".
		b.write("lower(" + name + ") LIKE " + b.hole("%"+escapeLike(lowerASCII(s))+"%") + " ESCAPE '!'")
	case hub.OpList:
		s, ok := c.Value.(string)
		if !ok {
			if r := reflect.ValueOf(c.Value); r.Kind() == reflect.String {
				s, ok = r.String(), true
			}
		}
		if col.kind != kindTexts || !ok {
			return fmt.Errorf("%s is no list that has a %T", col.name, c.Value)
		}
		if _, err := col.text(s); err != nil {
			return err
		}
		b.write(fmt.Sprintf(b.dialect.listHas, name, b.hole(s)))
	default:
		return fmt.Errorf("%s: unknown operator %q", col.name, c.Op)
	}
	return nil
}

func (b *builder) in(col column, list any) error {
	v := reflect.ValueOf(list)
	if v.Kind() != reflect.Slice {
		return fmt.Errorf("%s is compared with a slice, not %T", col.name, list)
	}
	if v.Len() > maxIn {
		return fmt.Errorf("%s is compared with %d values, more than %d", col.name, v.Len(), maxIn)
	}
	if v.Len() == 0 {
		b.write("1 = 0")
		return nil
	}
	b.write(quote(col.name) + " IN (")
	for i := range v.Len() {
		a, err := col.value(v.Index(i).Interface())
		if err != nil {
			return err
		}
		if i > 0 {
			b.write(", ")
		}
		b.write(b.hole(a))
	}
	b.write(")")
	return nil
}

// page writes what of q comes behind the conditions: where it continues, in what order,
// and how many.
func (b *builder) page(q hub.Query) error {
	var order []column
	if q.Order != "" {
		col, err := b.record.column(q.Order)
		if err != nil {
			return err
		}
		if col.kind > kindReal {
			return fmt.Errorf("%s cannot be ordered by", col.name)
		}
		order = append(order, col)
	}
	for _, k := range b.record.keys {
		if col := b.record.columns[k]; col.name != q.Order {
			order = append(order, col)
		}
	}
	if q.After != nil {
		after := q.After
		// Who orders by a part of the key may give that value twice, as the contract has it.
		if len(after) == len(b.record.keys)+1 && len(order) == len(b.record.keys) && q.Order != "" {
			after = after[:1:1]
			for i, k := range b.record.keys {
				if b.record.columns[k].name != q.Order {
					after = append(after, q.After[i+1])
				}
			}
		}
		if len(after) != len(order) {
			return fmt.Errorf("%s continues after %d values, not %d", b.record.table, len(order), len(after))
		}
		var names, holes []string
		for i, col := range order {
			a, err := col.value(after[i])
			if err != nil {
				return err
			}
			names, holes = append(names, quote(col.name)), append(holes, b.hole(a))
		}
		if len(q.Where) == 0 {
			b.write(" WHERE ")
		} else {
			b.write(" AND ")
		}
		than := " > "
		if q.Desc {
			than = " < "
		}
		b.write("(" + strings.Join(names, ", ") + ")" + than + "(" + strings.Join(holes, ", ") + ")")
	}
	for i, col := range order {
		if i == 0 {
			b.write(" ORDER BY ")
		} else {
			b.write(", ")
		}
		b.write(quote(col.name))
		if q.Desc {
			b.write(" DESC")
		}
	}
	limit := q.Limit
	if limit <= 0 || limit > hub.MaxList {
		limit = hub.MaxList
	}
	b.write(" LIMIT " + strconv.Itoa(limit))
	return nil
}

func lowerASCII(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}

// escapeLike makes a pattern of s that matches s alone.
func escapeLike(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s)
}
