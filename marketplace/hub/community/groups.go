package community

import (
	"context"
	"slices"

	"github.com/souk-dev/souk/marketplace/hub"
)

// group is a part of a list whose parts come one after the other.
type group struct {
	name string
	cond hub.Cond
}

// inGroups returns a page of a table: all of the first group in the order of q, then all
// of the second, and so on. at says of a record which group it is of, and what
// [hub.Query].After is behind it.
func inGroups[V any](ctx context.Context, t hub.Table[V], list string, groups []group, q hub.Query, cursor string, limit int, at func(V) (string, []any)) (hub.Page[V], error) {
	var zero V
	_, like := at(zero)
	after, err := hub.ParseCursor(list, cursor, append([]any{""}, like...)...)
	if err != nil {
		return hub.Page[V]{}, err
	}
	if after != nil {
		first := slices.IndexFunc(groups, func(g group) bool { return g.name == after[0] })
		if first < 0 {
			return hub.Page[V]{}, hub.Invalid("cursor", "is not one of this list: take the next of an earlier answer, unchanged")
		}
		groups, after = groups[first:], after[1:]
	}
	n := hub.Limit(limit)
	out := hub.Page[V]{Items: []V{}}
	for _, g := range groups {
		part := q
		part.Where = append(slices.Clone(q.Where), g.cond)
		part.After, part.Limit = after, n+1-len(out.Items)
		items, err := t.List(ctx, part)
		if err != nil {
			return hub.Page[V]{}, err
		}
		out.Items, after = append(out.Items, items...), nil
		if len(out.Items) > n {
			out.Items = out.Items[:n]
			name, behind := at(out.Items[n-1])
			out.Next = hub.Cursor(list, append([]any{name}, behind...)...)
			break
		}
	}
	return out, nil
}
