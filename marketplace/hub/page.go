package hub

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// Bounds of a page that a service returns.
const (
	DefaultPage = 20
	MaxPage     = 200
	maxCursor   = 1000 // bytes
)

// Page is a part of a list. Next is empty on the last one; otherwise it is the cursor for
// the next.
type Page[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty"`
}

// Limit returns how many records a page has for a caller who asked for n: DefaultPage for
// zero, and never more than MaxPage.
func Limit(n int) int {
	if n <= 0 {
		return DefaultPage
	}
	return min(n, MaxPage)
}

// cursorValue is one value of a cursor with its type.
type cursorValue struct {
	Text *string `json:"s,omitempty"`
	Int  *int64  `json:"i,omitempty"`
	Time *int64  `json:"t,omitempty"` // microseconds, as the store keeps them
}

// Cursor writes [Query.After] for a client to bring back: the value of the order's column
// and the key of the last record it got, each a string, an integer or a time. list names
// the list and its order, so that no other list takes it.
func Cursor(list string, after ...any) string {
	values := []cursorValue{{Text: &list}}
	for _, v := range after {
		switch v := v.(type) {
		case string:
			values = append(values, cursorValue{Text: &v})
		case int:
			n := int64(v)
			values = append(values, cursorValue{Int: &n})
		case int64:
			values = append(values, cursorValue{Int: &v})
		case time.Time:
			n := v.UnixMicro()
			values = append(values, cursorValue{Time: &n})
		default:
			panic(fmt.Sprintf("hub: a cursor cannot hold a %T", v)) // a mistake in the code, not in data
		}
	}
	b, _ := json.Marshal(values) // texts and numbers
	return base64.RawURLEncoding.EncodeToString(b)
}

// ParseCursor reads what [Cursor] wrote for the same list; an empty cursor is the start,
// nil. like has the types that are expected: a cursor of others is an [*InvalidError],
// because it comes from outside.
func ParseCursor(list, cursor string, like ...any) ([]any, error) {
	if cursor == "" {
		return nil, nil
	}
	bad := Invalid("cursor", "is not one of this list: take the next of an earlier answer, unchanged")
	var values []cursorValue
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(cursor) > maxCursor || json.Unmarshal(b, &values) != nil || len(values) != len(like)+1 {
		return nil, bad
	}
	if values[0].Text == nil || *values[0].Text != list {
		return nil, bad
	}
	after := make([]any, 0, len(like))
	for i, l := range like {
		v := values[i+1]
		switch l.(type) {
		case string:
			if v.Text == nil {
				return nil, bad
			}
			after = append(after, *v.Text)
		case int, int64:
			if v.Int == nil {
				return nil, bad
			}
			after = append(after, *v.Int)
		case time.Time:
			if v.Time == nil {
				return nil, bad
			}
			after = append(after, time.UnixMicro(*v.Time).UTC())
		}
	}
	return after, nil
}

// ListPage returns the page of a table behind a cursor. q has the conditions and an
// Order; at returns [Query.After] of a record, and with the zero record the types of that.
func ListPage[V any](ctx context.Context, t Table[V], q Query, cursor string, limit int, at func(V) []any) (Page[V], error) {
	var zero V
	list := fmt.Sprintf("%T %s %t", zero, q.Order, q.Desc)
	after, err := ParseCursor(list, cursor, at(zero)...)
	if err != nil {
		return Page[V]{}, err
	}
	n := Limit(limit)
	q.After, q.Limit = after, n+1
	items, err := t.List(ctx, q)
	if err != nil {
		return Page[V]{}, err
	}
	p := Page[V]{Items: items}
	if len(items) > n {
		p.Items = items[:n]
		p.Next = Cursor(list, at(items[n-1])...)
	}
	return p, nil
}
