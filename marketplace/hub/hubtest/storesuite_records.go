package hubtest

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
)

// testRecords has every table keep, find, change and delete its records.
func testRecords(t *testing.T, open Database) {
	s := open()
	records(t, s, "accounts", hub.Tx.Accounts)
	records(t, s, "identities", hub.Tx.Identities)
	records(t, s, "passkeys", hub.Tx.Passkeys)
	records(t, s, "sessions", hub.Tx.Sessions)
	records(t, s, "tokens", hub.Tx.Tokens)
	records(t, s, "panels", hub.Tx.Panels)
	records(t, s, "devices", hub.Tx.Devices)
	records(t, s, "onces", hub.Tx.Onces)
	records(t, s, "publishers", hub.Tx.Publishers)
	records(t, s, "members", hub.Tx.Members)
	records(t, s, "proofs", hub.Tx.Proofs)
	records(t, s, "signers", hub.Tx.Signers)
	records(t, s, "trusted", hub.Tx.Trusted)
	records(t, s, "transfers", hub.Tx.Transfers)
	records(t, s, "reserved", hub.Tx.Reserved)
	records(t, s, "categories", hub.Tx.Categories)
	records(t, s, "plugins", hub.Tx.Plugins)
	records(t, s, "releases", hub.Tx.Releases)
	records(t, s, "changes", hub.Tx.Changes)
	records(t, s, "catalog", hub.Tx.Catalog)
	records(t, s, "submissions", hub.Tx.Submissions)
	records(t, s, "scans", hub.Tx.Scans)
	records(t, s, "reviews", hub.Tx.Reviews)
	records(t, s, "comments", hub.Tx.Comments)
	records(t, s, "ratings", hub.Tx.Ratings)
	records(t, s, "votes", hub.Tx.Votes)
	records(t, s, "scores", hub.Tx.Scores)
	records(t, s, "reports", hub.Tx.Reports)
	records(t, s, "decisions", hub.Tx.Decisions)
	records(t, s, "appeals", hub.Tx.Appeals)
	records(t, s, "advisories", hub.Tx.Advisories)
	records(t, s, "events", hub.Tx.Events)
	records(t, s, "hooks", hub.Tx.Hooks)
	records(t, s, "deliveries", hub.Tx.Deliveries)
	records(t, s, "notices", hub.Tx.Notices)
	records(t, s, "settings", hub.Tx.Settings)
	// Audit has a test of its own.
	tables := reflect.TypeFor[hub.Tx]()
	n := 0
	for i := range tables.NumMethod() {
		if m := tables.Method(i).Type; m.NumIn() == 0 && m.NumOut() == 1 {
			n++
		}
	}
	require.Equal(t, 37, n, "a table is missing in this list")
}

// tags are the db tags of a type: its columns, and which are its key, revision and number.
type tags struct {
	names     []string
	keys      []int // of fields
	rev, auto int   // of fields; -1: none
}

func tagsOf(v reflect.Type) tags {
	out := tags{rev: -1, auto: -1}
	for i := range v.NumField() {
		name, option, _ := strings.Cut(v.Field(i).Tag.Get("db"), ",")
		out.names = append(out.names, name)
		switch option {
		case "key":
			out.keys = append(out.keys, i)
		case "auto":
			out.auto, out.keys = i, []int{i}
		case "rev":
			out.rev = i
		}
	}
	return out
}

// fill sets every field to something, another for another seed.
func fill(v reflect.Value, seed int) {
	for i := range v.NumField() {
		f := v.Field(i)
		text := fmt.Sprintf("%s %d ü \" ' \\ %%", v.Type().Field(i).Name, seed)
		switch {
		case f.Type() == reflect.TypeFor[time.Time]():
			f.Set(reflect.ValueOf(time.Date(2026, 1, 2, 3, 4, seed, 123456000+i*1000, time.UTC)))
		case f.Type() == reflect.TypeFor[json.RawMessage]():
			f.Set(reflect.ValueOf(json.RawMessage(fmt.Sprintf(`{ "n": %d}`, seed))))
		case f.Kind() == reflect.String:
			f.SetString(text)
		case f.CanInt():
			f.SetInt(int64(1 + (i+seed)%5)) // within what stars and percents may be
		case f.Kind() == reflect.Bool:
			f.SetBool(seed%2 == 1)
		case f.Kind() == reflect.Slice && f.Type().Elem().Kind() == reflect.String:
			list := reflect.MakeSlice(f.Type(), 2, 2)
			list.Index(0).SetString(text)
			f.Set(list)
		case f.Kind() == reflect.Slice:
			f.Set(reflect.MakeSlice(f.Type(), 1, 1))
		}
	}
}

func records[V any](t *testing.T, s hub.Store, name string, of func(hub.Tx) hub.Table[V]) {
	t.Helper()
	ctx, tags := t.Context(), tagsOf(reflect.TypeFor[V]())
	make := func(seed int) *V {
		v := new(V)
		fill(reflect.ValueOf(v).Elem(), seed)
		return v
	}
	field := func(v *V, i int) reflect.Value { return reflect.ValueOf(v).Elem().Field(i) }
	key := func(v *V) []any {
		var out []any
		for _, k := range tags.keys {
			out = append(out, field(v, k).Interface())
		}
		return out
	}
	first, second, empty := make(1), make(2), new(V)
	for _, k := range tags.keys { // all else is zero
		if f := field(empty, k); f.Kind() == reflect.String {
			f.SetString("empty")
		}
	}
	if f := reflect.ValueOf(empty).Elem().FieldByName("Stars"); f.IsValid() {
		f.SetInt(1)
	}
	if name == "events" {
		reflect.ValueOf(empty).Elem().FieldByName("ID").SetString("evt_empty")
	}
	all := []*V{first, second, empty}
	update(t, s, func(tx hub.Tx) {
		for _, v := range all {
			require.NoError(t, of(tx).Insert(ctx, v), name)
			if tags.rev >= 0 {
				require.EqualValues(t, 1, field(v, tags.rev).Int(), name)
			}
		}
	})
	if tags.auto >= 0 {
		require.Positive(t, field(first, tags.auto).Int(), name)
		require.Greater(t, field(second, tags.auto).Int(), field(first, tags.auto).Int(), name)
	}
	view(t, s, func(tx hub.Tx) {
		for _, v := range all {
			got, err := of(tx).Get(ctx, key(v)...)
			require.NoError(t, err, name)
			require.Equal(t, *v, got, name)
		}
		// Every column can be asked for and ordered by, unless it is JSON.
		for i, column := range tags.names {
			v := field(first, i)
			if v.Kind() == reflect.Slice || v.Kind() == reflect.Struct && v.Type() != reflect.TypeFor[time.Time]() {
				continue
			}
			list, err := of(tx).List(ctx, hub.Query{Where: []hub.Cond{hub.Eq(column, v.Interface())}, Order: column})
			require.NoError(t, err, "%s.%s", name, column)
			require.True(t, slices.ContainsFunc(list, func(x V) bool { return reflect.DeepEqual(x, *first) }), "%s.%s", name, column)
		}
		n, err := of(tx).Count(ctx)
		require.NoError(t, err, name)
		require.EqualValues(t, 3, n, name)
	})
	changes(t, s, name, of, first, make(3), tags, key(first))
	update(t, s, func(tx hub.Tx) {
		for range 2 { // deleting what is gone is no error
			require.NoError(t, of(tx).Delete(ctx, key(second)...), name)
		}
		_, err := of(tx).Get(ctx, key(second)...)
		require.ErrorIs(t, err, hub.ErrNotFound, name)
		require.ErrorIs(t, of(tx).Update(ctx, second), hub.ErrNotFound, name)
		_, err = of(tx).Get(ctx)
		require.Error(t, err, "%s: a key without values", name)
		_, err = of(tx).Get(ctx, append(key(first), "more")...)
		require.Error(t, err, "%s: a key of too many values", name)
		require.Error(t, of(tx).Delete(ctx), name)
	})
}

// changes replaces all of a record but its key with what next has.
func changes[V any](t *testing.T, s hub.Store, name string, of func(hub.Tx) hub.Table[V], v, next *V, tags tags, key []any) {
	t.Helper()
	ctx, stale := t.Context(), *v
	for i := range tags.names {
		if !slices.Contains(tags.keys, i) && i != tags.rev {
			reflect.ValueOf(v).Elem().Field(i).Set(reflect.ValueOf(next).Elem().Field(i))
		}
	}
	update(t, s, func(tx hub.Tx) {
		if tags.rev >= 0 {
			reflect.ValueOf(v).Elem().Field(tags.rev).SetInt(1)
		}
		require.NoError(t, of(tx).Update(ctx, v), name)
		if tags.rev >= 0 {
			require.EqualValues(t, 2, reflect.ValueOf(v).Elem().Field(tags.rev).Int(), name)
			require.ErrorIs(t, of(tx).Update(ctx, &stale), hub.ErrMoved, name)
			require.Error(t, of(tx).Put(ctx, v), "%s: Put is for types without a revision", name)
		}
		got, err := of(tx).Get(ctx, key...)
		require.NoError(t, err, name)
		require.Equal(t, *v, got, name)
	})
	if tags.rev >= 0 || tags.auto >= 0 {
		return
	}
	update(t, s, func(tx hub.Tx) { // Put replaces, and adds
		require.NoError(t, of(tx).Put(ctx, &stale), name)
		got, err := of(tx).Get(ctx, key...)
		require.NoError(t, err, name)
		require.Equal(t, stale, got, name)
		require.NoError(t, of(tx).Delete(ctx, key...), name)
		require.NoError(t, of(tx).Put(ctx, v), name)
		got, err = of(tx).Get(ctx, key...)
		require.NoError(t, err, name)
		require.Equal(t, *v, got, name)
	})
}

func testValues(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	zone := time.FixedZone("east", 5*3600+1800)
	at := time.Date(2026, 3, 4, 5, 6, 7, 123456789, zone)
	update(t, s, func(tx hub.Tx) {
		a := hub.Account{ID: "a", Roles: []hub.Role{}, Created: at, Seen: time.Time{}}
		require.NoError(t, tx.Accounts().Insert(ctx, &a))
		got, err := tx.Accounts().Get(ctx, "a")
		require.NoError(t, err)
		assert.Equal(t, time.Date(2026, 3, 3, 23, 36, 7, 123456000, time.UTC), got.Created, "to the microsecond, in UTC")
		assert.True(t, got.Seen.IsZero())
		assert.NotNil(t, got.Roles, "an empty slice is not nil")
		list, err := tx.Accounts().List(ctx, hub.Query{Where: []hub.Cond{hub.Unset("seen"), hub.Eq("created", at)}})
		require.NoError(t, err)
		assert.Len(t, list, 1)

		for _, n := range []int64{math.MaxInt64, math.MinInt64, 0, -1} {
			v := hub.Score{Plugin: fmt.Sprint(n), S1: n}
			require.NoError(t, tx.Scores().Put(ctx, &v))
			got, err := tx.Scores().Get(ctx, fmt.Sprint(n))
			require.NoError(t, err)
			assert.Equal(t, v, got)
		}
		long := strings.Repeat("é\n\t\u2028\U0001F600", 200_000) // 2 MB
		require.NoError(t, tx.Settings().Insert(ctx, &hub.Setting{Key: "long", Value: long}))
		v, err := tx.Settings().Get(ctx, "long")
		require.NoError(t, err)
		assert.Equal(t, long, v.Value)
	})
	// What one engine could not keep, none takes; and the transaction goes on.
	var invalid *hub.InvalidError
	update(t, s, func(tx hub.Tx) {
		for _, bad := range []string{"a\x00b", "a\xffb"} {
			assert.ErrorAs(t, tx.Settings().Insert(ctx, &hub.Setting{Key: "bad", Value: bad}), &invalid)
			assert.ErrorAs(t, tx.Accounts().Insert(ctx, &hub.Account{ID: "bad", Roles: []hub.Role{hub.Role(bad)}}), &invalid)
			_, err := tx.Accounts().Get(ctx, bad)
			assert.ErrorAs(t, err, &invalid)
			_, err = tx.Accounts().List(ctx, hub.Query{Where: []hub.Cond{hub.Has("name", bad)}})
			assert.ErrorAs(t, err, &invalid)
			_, err = tx.Accounts().List(ctx, hub.Query{Where: []hub.Cond{hub.InList("roles", bad)}})
			assert.ErrorAs(t, err, &invalid)
			assert.ErrorAs(t, tx.Enqueue(ctx, hub.Job{Kind: "aa", Subject: bad}), &invalid)
		}
		require.NoError(t, tx.Settings().Insert(ctx, &hub.Setting{Key: "good"}))
	})
}

func testInsert(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	update(t, s, func(tx hub.Tx) {
		require.NoError(t, tx.Tokens().Insert(ctx, &hub.Token{ID: "tok_1", Hash: "h1"}))
		require.NoError(t, tx.Devices().Insert(ctx, &hub.DeviceGrant{Hash: "d1", UserCode: "BCDF"}))
		require.NoError(t, tx.Events().Insert(ctx, &hub.Event{ID: "evt_1"}))
	})
	update(t, s, func(tx hub.Tx) {
		require.ErrorIs(t, tx.Tokens().Insert(ctx, &hub.Token{ID: "tok_1", Hash: "h2"}), hub.ErrExists, "the key")
		require.ErrorIs(t, tx.Tokens().Insert(ctx, &hub.Token{ID: "tok_2", Hash: "h1"}), hub.ErrExists, "another unique column")
		require.ErrorIs(t, tx.Devices().Insert(ctx, &hub.DeviceGrant{Hash: "d2", UserCode: "BCDF"}), hub.ErrExists)
		require.ErrorIs(t, tx.Events().Insert(ctx, &hub.Event{ID: "evt_1"}), hub.ErrExists)
		require.NoError(t, tx.Tokens().Insert(ctx, &hub.Token{ID: "tok_3", Hash: "h3"}), "the transaction goes on")
	})
	view(t, s, func(tx hub.Tx) {
		n, err := tx.Tokens().Count(ctx)
		require.NoError(t, err)
		assert.EqualValues(t, 2, n)
		one, err := tx.Tokens().Get(ctx, "tok_1")
		require.NoError(t, err)
		assert.Equal(t, "h1", one.Hash)
	})
	// A unique column that is taken by a change is an error, and nothing is changed.
	err := s.Update(ctx, func(tx hub.Tx) error {
		return tx.Tokens().Update(ctx, &hub.Token{ID: "tok_3", Hash: "h1"})
	})
	require.ErrorIs(t, err, hub.ErrExists)
	err = s.Update(ctx, func(tx hub.Tx) error {
		_ = tx.Tokens().Put(ctx, &hub.Token{ID: "tok_3", Hash: "h1"}) // whoever does not look does not commit either
		return tx.Tokens().Insert(ctx, &hub.Token{ID: "tok_4", Hash: "h4"})
	})
	require.ErrorIs(t, err, hub.ErrExists)
	view(t, s, func(tx hub.Tx) {
		_, err := tx.Tokens().Get(ctx, "tok_4")
		require.ErrorIs(t, err, hub.ErrNotFound)
	})
	// The key is what Put goes by, also with the values of a rating that is not allowed.
	require.Error(t, s.Update(ctx, func(tx hub.Tx) error {
		return tx.Ratings().Insert(ctx, &hub.Rating{Plugin: "p", Account: "a", Stars: 6})
	}))
}

func testDelete(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	now := time.Now()
	update(t, s, func(tx hub.Tx) {
		for i := range 10 {
			o := hub.Once{Kind: "c", Key: fmt.Sprint(i), Expires: now.Add(time.Duration(i) * time.Minute)}
			require.NoError(t, tx.Onces().Put(ctx, &o))
		}
		n, err := tx.Onces().DeleteWhere(ctx, hub.Lt("expires", now.Add(3*time.Minute)))
		require.NoError(t, err)
		assert.EqualValues(t, 3, n)
		n, err = tx.Onces().DeleteWhere(ctx, hub.Eq("kind", "none"))
		require.NoError(t, err)
		assert.Zero(t, n)
		_, err = tx.Onces().DeleteWhere(ctx)
		require.Error(t, err, "without a condition")
		_, err = tx.Onces().DeleteWhere(ctx, hub.Eq("none", "x"))
		require.Error(t, err)
		n, err = tx.Onces().Count(ctx, hub.Eq("kind", "c"), hub.Gt("expires", now))
		require.NoError(t, err)
		assert.EqualValues(t, 7, n)
	})
}

func testAudit(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	now := time.Now().Truncate(time.Microsecond).UTC()
	actor := hub.Actor{Account: "acc_1", Via: "session"}
	var seq int64
	update(t, s, func(tx hub.Tx) {
		require.NoError(t, hub.Record(ctx, tx, actor, now, hub.ActPolicyEdit, "policy", map[string]int{"a": 1}))
		require.NoError(t, hub.Record(ctx, tx, actor, now, hub.ActPolicyEdit, "policy", nil))
		list, err := tx.Audit().List(ctx, hub.Query{Desc: true})
		require.NoError(t, err)
		require.Len(t, list, 2)
		require.Greater(t, list[0].Seq, list[1].Seq)
		seq = list[1].Seq
		require.Equal(t, hub.Audit{Seq: seq, At: now, Actor: "acc_1", Via: "session", Action: hub.ActPolicyEdit,
			Target: "policy", Detail: json.RawMessage(`{"a":1}`)}, list[1])
		one, err := tx.Audit().Get(ctx, seq)
		require.NoError(t, err)
		require.Equal(t, list[1], one)
		one.Actor = "somebody else"
		assert.Error(t, tx.Audit().Update(ctx, &one))
		assert.Error(t, tx.Audit().Put(ctx, &one))
		assert.Error(t, tx.Audit().Delete(ctx, seq))
		_, err = tx.Audit().DeleteWhere(ctx, hub.Eq("seq", seq))
		assert.Error(t, err)
	})
	view(t, s, func(tx hub.Tx) {
		one, err := tx.Audit().Get(ctx, seq)
		require.NoError(t, err)
		assert.Equal(t, "acc_1", one.Actor)
	})
}
