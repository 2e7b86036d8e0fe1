package hubtest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
)

// testOrder pages through a table in every order, forwards and backwards.
func testOrder(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var all []hub.Rating
	update(t, s, func(tx hub.Tx) {
		all = nil
		for i := range 40 {
			r := hub.Rating{
				// Bytes decide the order, not a language: "Z" < "a" < "é".
				Plugin: []string{"a/x", "Z/x", "é/x", "a/X"}[i%4], Account: fmt.Sprintf("acc_%02d", i),
				Stars: 1 + i%5, Helpful: i % 3, Updated: base.Add(time.Duration(i%7) * time.Hour), Text: fmt.Sprint(i % 2),
			}
			if i%6 == 0 {
				r.Updated = time.Time{}
			}
			require.NoError(t, tx.Ratings().Insert(ctx, &r))
			all = append(all, r)
		}
	})
	byKey := func(a, b hub.Rating) int {
		if a.Plugin != b.Plugin {
			return compare(a.Plugin, b.Plugin)
		}
		return compare(a.Account, b.Account)
	}
	orders := []struct {
		column string
		cmp    func(a, b hub.Rating) int
		after  func(hub.Rating) []any
	}{
		{"", byKey, func(r hub.Rating) []any { return []any{r.Plugin, r.Account} }},
		{"plugin", byKey, func(r hub.Rating) []any { return []any{r.Plugin, r.Plugin, r.Account} }},
		{"account", func(a, b hub.Rating) int { return compare(a.Account, b.Account) }, func(r hub.Rating) []any { return []any{r.Account, r.Plugin, r.Account} }},
		{"helpful", func(a, b hub.Rating) int { return compare(a.Helpful, b.Helpful) }, func(r hub.Rating) []any { return []any{r.Helpful, r.Plugin, r.Account} }},
		{"stars", func(a, b hub.Rating) int { return compare(a.Stars, b.Stars) }, func(r hub.Rating) []any { return []any{r.Stars, r.Plugin, r.Account} }},
		{"text", func(a, b hub.Rating) int { return compare(a.Text, b.Text) }, func(r hub.Rating) []any { return []any{r.Text, r.Plugin, r.Account} }},
		{"updated", func(a, b hub.Rating) int { return a.Updated.Compare(b.Updated) }, func(r hub.Rating) []any { return []any{r.Updated, r.Plugin, r.Account} }},
	}
	view(t, s, func(tx hub.Tx) {
		for _, o := range orders {
			for _, desc := range []bool{false, true} {
				for _, where := range [][]hub.Cond{nil, {hub.Ne("plugin", "a/X"), hub.Gt("stars", 1)}} {
					var want []hub.Rating
					for _, r := range all {
						if where == nil || r.Plugin != "a/X" && r.Stars > 1 {
							want = append(want, r)
						}
					}
					slices.SortFunc(want, func(a, b hub.Rating) int {
						n := o.cmp(a, b)
						if n == 0 {
							n = byKey(a, b)
						}
						if desc {
							n = -n
						}
						return n
					})
					var got []hub.Rating
					q := hub.Query{Where: where, Order: o.column, Desc: desc, Limit: 7}
					for {
						page, err := tx.Ratings().List(ctx, q)
						require.NoError(t, err)
						got = append(got, page...)
						if len(page) < 7 {
							break
						}
						q.After = o.after(page[6])
					}
					require.Equal(t, want, got, "order %q desc %t", o.column, desc)
				}
			}
		}
		_, err := tx.Ratings().List(ctx, hub.Query{After: []any{"too few"}})
		assert.Error(t, err)
		_, err = tx.Ratings().List(ctx, hub.Query{Order: "stars", After: []any{"not a number", "a", "b"}})
		assert.Error(t, err)
	})
}

func compare[T int | string](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func testConditions(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	plugins := []hub.Plugin{
		{ID: "1", Name: "Backup", Categories: []string{"tools", "a,b"}, Featured: true, Created: base},
		{ID: "2", Name: "100% safe_mode", Categories: []string{`say "hi"`, ","}, Created: base.Add(time.Microsecond)},
		{ID: "3", Name: `back\slash!`, Categories: []string{`a\`, "[", "]"}, Created: base.Add(time.Hour)},
		{ID: "4", Name: "ÄRGER", Categories: []string{}, Created: base.Add(2 * time.Hour)},
		{ID: "5", Name: "", Categories: nil, Updated: base},
		{ID: "6", Name: `x'"; DROP TABLE plugins; --`, Categories: []string{"tool", "<b>", "ünï"}, Created: base.Add(2 * time.Hour)},
	}
	update(t, s, func(tx hub.Tx) {
		for _, p := range plugins {
			require.NoError(t, tx.Plugins().Insert(ctx, &p))
		}
	})
	cases := []struct {
		name  string
		where []hub.Cond
		want  string
	}{
		{"eq text", []hub.Cond{hub.Eq("name", "Backup")}, "1"},
		{"eq is exact", []hub.Cond{hub.Eq("name", "backup")}, ""},
		{"eq named type", []hub.Cond{hub.Eq("state", hub.PluginState(""))}, "123456"},
		{"eq quotes", []hub.Cond{hub.Eq("name", plugins[5].Name)}, "6"},
		{"eq bool", []hub.Cond{hub.Eq("featured", true)}, "1"},
		{"ne bool", []hub.Cond{hub.Ne("featured", true)}, "23456"},
		{"eq time", []hub.Cond{hub.Eq("created", base)}, "1"},
		{"lt time", []hub.Cond{hub.Lt("created", base.Add(time.Hour)), hub.Ne("created", time.Time{})}, "12"},
		{"le time", []hub.Cond{{Column: "created", Op: hub.OpLe, Value: base}}, "15"},
		{"ge time", []hub.Cond{hub.Ge("created", base.Add(time.Hour))}, "346"},
		{"gt time", []hub.Cond{hub.Gt("created", base.Add(time.Hour))}, "46"},
		{"unset", []hub.Cond{hub.Unset("created")}, "5"},
		{"unset not", []hub.Cond{hub.Ne("updated", time.Time{})}, "5"},
		{"gt number", []hub.Cond{hub.Gt("rev", 0)}, "123456"},
		{"gt int64", []hub.Cond{hub.Gt("rev", int64(1))}, ""},
		{"in", []hub.Cond{hub.In("id", []string{"1", "3", "9"})}, "13"},
		{"in named", []hub.Cond{hub.In("state", []hub.PluginState{"", "x"})}, "123456"},
		{"in one", []hub.Cond{hub.In("rev", []int64{1})}, "123456"},
		{"in nothing", []hub.Cond{hub.In("id", []string{})}, ""},
		{"in nil", []hub.Cond{hub.In("id", []string(nil)), hub.Eq("id", "1")}, ""},
		{"has any case", []hub.Cond{hub.Has("name", "BACK")}, "13"},
		{"has all", []hub.Cond{hub.Has("name", "")}, "123456"},
		{"has no wildcard %", []hub.Cond{hub.Has("name", "%")}, "2"},
		{"has no wildcard _", []hub.Cond{hub.Has("name", "_")}, "2"},
		{"has backslash", []hub.Cond{hub.Has("name", `\`)}, "3"},
		{"has escape", []hub.Cond{hub.Has("name", "!")}, "3"},
		{"has quote", []hub.Cond{hub.Has("name", `'"; drop`)}, "6"},
		{"has only ASCII case", []hub.Cond{hub.Has("name", "ä")}, ""},
		{"has beyond ASCII", []hub.Cond{hub.Has("name", "Ärg")}, "4"},
		{"list", []hub.Cond{hub.InList("categories", "tools")}, "1"},
		{"list is exact", []hub.Cond{hub.InList("categories", "tool")}, "6"},
		{"list comma", []hub.Cond{hub.InList("categories", ",")}, "2"},
		{"list in comma", []hub.Cond{hub.InList("categories", "a")}, ""},
		{"list with comma", []hub.Cond{hub.InList("categories", "a,b")}, "1"},
		{"list quotes", []hub.Cond{hub.InList("categories", `say "hi"`)}, "2"},
		{"list in quotes", []hub.Cond{hub.InList("categories", "hi")}, ""},
		{"list backslash", []hub.Cond{hub.InList("categories", `a\`)}, "3"},
		{"list brackets", []hub.Cond{hub.InList("categories", "]")}, "3"},
		{"list markup", []hub.Cond{hub.InList("categories", "<b>")}, "6"},
		{"list umlauts", []hub.Cond{hub.InList("categories", "ünï")}, "6"},
		{"list null", []hub.Cond{hub.InList("categories", "null")}, ""},
		{"all of them", []hub.Cond{hub.Has("name", "back"), hub.Eq("featured", false)}, "3"},
	}
	view(t, s, func(tx hub.Tx) {
		for _, c := range cases {
			list, err := tx.Plugins().List(ctx, hub.Query{Where: c.where})
			require.NoError(t, err, c.name)
			got := ""
			for _, p := range list {
				got += p.ID
			}
			assert.Equal(t, c.want, got, c.name)
			n, err := tx.Plugins().Count(ctx, c.where...)
			require.NoError(t, err, c.name)
			assert.EqualValues(t, len(c.want), n, c.name)
		}
		many := make([]string, 5_000)
		for i := range many {
			many[i] = fmt.Sprint(i)
		}
		list, err := tx.Plugins().List(ctx, hub.Query{Where: []hub.Cond{hub.In("id", many)}})
		require.NoError(t, err)
		assert.Len(t, list, 6)
	})
}

func testLimit(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	update(t, s, func(tx hub.Tx) {
		for i := range hub.MaxList + 5 {
			require.NoError(t, tx.Scores().Put(ctx, &hub.Score{Plugin: fmt.Sprintf("%05d", i)}))
		}
	})
	view(t, s, func(tx hub.Tx) {
		for limit, want := range map[int]int{0: hub.MaxList, 1: 1, 999: 999, hub.MaxList: hub.MaxList, hub.MaxList + 1: hub.MaxList, -1: hub.MaxList} {
			list, err := tx.Scores().List(ctx, hub.Query{Limit: limit})
			require.NoError(t, err)
			assert.Len(t, list, want, "limit %d", limit)
		}
		list, err := tx.Scores().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("plugin", "none")}})
		require.NoError(t, err)
		assert.Empty(t, list)
	})
}

// testInjection has names of columns come from nowhere but the type.
func testInjection(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	update(t, s, func(tx hub.Tx) { require.NoError(t, tx.Accounts().Insert(ctx, &hub.Account{ID: "a"})) })
	view(t, s, func(tx hub.Tx) {
		for _, name := range []string{`id" = "id" OR "id`, "1=1 --", "", "ID", "rowid", "Name", `id"`, "id; DROP TABLE accounts"} {
			_, err := tx.Accounts().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq(name, "x")}})
			assert.Error(t, err, name)
			_, err = tx.Accounts().Count(ctx, hub.Has(name, "x"))
			assert.Error(t, err, name)
			if name != "" {
				_, err = tx.Accounts().List(ctx, hub.Query{Order: name})
				assert.Error(t, err, name)
			}
		}
		for name, cond := range map[string]hub.Cond{
			"operator":        {Column: "id", Op: "= '' OR 1 =", Value: "x"},
			"no operator":     {Column: "id", Value: "x"},
			"type":            hub.Eq("id", 1),
			"time":            hub.Eq("created", "2026"),
			"bool":            hub.Eq("rev", true),
			"nil":             hub.Eq("id", nil),
			"in one":          hub.In("id", "a"),
			"in other":        hub.In("id", []int{1}),
			"has a number":    hub.Has("rev", "1"),
			"has in a list":   hub.Has("roles", "a"),
			"list in no list": hub.InList("name", "a"),
			"equal lists":     hub.Eq("roles", "[]"),
		} {
			_, err := tx.Accounts().List(ctx, hub.Query{Where: []hub.Cond{cond}})
			assert.Error(t, err, name)
		}
		_, err := tx.Accounts().List(ctx, hub.Query{Order: "roles"})
		assert.Error(t, err, "an order by a list")
		// The control, and that the transaction went on.
		list, err := tx.Accounts().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("id", "a")}, Order: "name"})
		require.NoError(t, err)
		assert.Len(t, list, 1)
	})
}
