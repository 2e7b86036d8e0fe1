package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/souk-dev/souk/marketplace/hub"
)

// table is [hub.Table] for one type in one transaction.
type table[V any] struct {
	tx     *tx
	record *record
}

func tableOf[V any](t *tx) hub.Table[V] {
	return table[V]{t, t.store.records[reflect.TypeFor[V]()]}
}

func (t table[V]) Get(ctx context.Context, key ...any) (V, error) {
	var v V
	args, err := t.record.key(key)
	if err != nil {
		return v, err
	}
	found, err := t.query(ctx, t.record.list+" WHERE "+t.record.keyIs(0), args)
	if err != nil {
		return v, err
	}
	if len(found) == 0 {
		return v, fmt.Errorf("%s %v: %w", t.record.table, key, hub.ErrNotFound)
	}
	return found[0], nil
}

func (t table[V]) List(ctx context.Context, q hub.Query) ([]V, error) {
	b := builder{dialect: t.tx.store.dialect, record: t.record}
	b.write(t.record.list)
	if err := b.where(q.Where); err != nil {
		return nil, err
	}
	if err := b.page(q); err != nil {
		return nil, err
	}
	return t.query(ctx, b.sql.String(), b.args)
}

func (t table[V]) query(ctx context.Context, query string, args []any) ([]V, error) {
	var out []V
	var damaged error // of a record: no fault of the connection
	err := t.tx.do(ctx, false, func(ctx context.Context) error {
		rows, err := t.tx.sql.QueryContext(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		row := t.record.row()
		for rows.Next() {
			var v V
			if damaged = rows.Scan(row.into...); damaged == nil {
				damaged = row.decode(reflect.ValueOf(&v).Elem())
			}
			if damaged != nil {
				return nil
			}
			out = append(out, v)
		}
		return rows.Err()
	})
	if err = errors.Join(err, damaged); err != nil {
		return nil, err
	}
	return out, nil
}

func (t table[V]) Count(ctx context.Context, where ...hub.Cond) (int64, error) {
	b := builder{dialect: t.tx.store.dialect, record: t.record}
	b.write("SELECT count(*) FROM " + quote(t.record.table))
	if err := b.where(where); err != nil {
		return 0, err
	}
	var n int64
	err := t.tx.do(ctx, false, func(ctx context.Context) error {
		return t.tx.sql.QueryRowContext(ctx, b.sql.String(), b.args...).Scan(&n)
	})
	return n, err
}

func (t table[V]) Insert(ctx context.Context, v *V) error {
	r, field := t.record, reflect.ValueOf(v).Elem()
	args, err := r.encode(field)
	if err != nil {
		return err
	}
	if r.rev >= 0 {
		args[r.rev] = int64(1)
	}
	if r.ordered && t.tx.store.dialect.orderLock != "" {
		if err := t.exec(ctx, t.tx.store.dialect.orderLock, []any{r.table}, nil); err != nil {
			return err
		}
	}
	taken := fmt.Errorf("%s: %w", r.table, hub.ErrExists)
	if r.auto >= 0 {
		args = append(args[:r.auto:r.auto], args[r.auto+1:]...)
		var n int64
		err := t.tx.do(ctx, true, func(ctx context.Context) error {
			return t.tx.sql.QueryRowContext(ctx, r.insert, args...).Scan(&n)
		})
		if errors.Is(err, sql.ErrNoRows) {
			return taken
		}
		if err == nil {
			field.Field(r.columns[r.auto].field).SetInt(n)
		}
		return err
	}
	var n int64
	if err := t.exec(ctx, r.insert, args, &n); err != nil {
		return err
	}
	if n == 0 {
		return taken
	}
	if r.rev >= 0 {
		field.Field(r.columns[r.rev].field).SetInt(1)
	}
	return nil
}

func (t table[V]) Put(ctx context.Context, v *V) error {
	r := t.record
	if r.rev >= 0 || r.auto >= 0 || r.appendOnly {
		return fmt.Errorf("%s: Put is for records without a revision", r.table)
	}
	args, err := r.encode(reflect.ValueOf(v).Elem())
	if err != nil {
		return err
	}
	return t.exec(ctx, r.put, args, nil)
}

func (t table[V]) Update(ctx context.Context, v *V) error {
	r, field := t.record, reflect.ValueOf(v).Elem()
	if r.appendOnly {
		return fmt.Errorf("%s can only be added to", r.table)
	}
	all, err := r.encode(field)
	if err != nil {
		return err
	}
	var args, key []any
	for _, k := range r.keys {
		key = append(key, all[k])
	}
	for i, a := range all {
		if i != r.rev && !slices.Contains(r.keys, i) {
			args = append(args, a)
		}
	}
	args = append(args, key...)
	if r.rev >= 0 {
		args = append(args, all[r.rev])
	}
	var n int64
	if err := t.exec(ctx, r.update, args, &n); err != nil {
		return err
	}
	if n == 0 {
		return t.why(ctx, key)
	}
	if r.rev >= 0 {
		field.Field(r.columns[r.rev].field).SetInt(all[r.rev].(int64) + 1)
	}
	return nil
}

// why says why an Update met nothing.
func (t table[V]) why(ctx context.Context, key []any) error {
	var one int
	err := t.tx.do(ctx, false, func(ctx context.Context) error {
		return t.tx.sql.QueryRowContext(ctx, t.record.exists, key...).Scan(&one)
	})
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("%s %v: %w", t.record.table, key, hub.ErrNotFound)
	case err != nil:
		return err
	}
	return fmt.Errorf("%s %v: %w", t.record.table, key, hub.ErrMoved)
}

func (t table[V]) Delete(ctx context.Context, key ...any) error {
	if t.record.appendOnly {
		return fmt.Errorf("%s can only be added to", t.record.table)
	}
	args, err := t.record.key(key)
	if err != nil {
		return err
	}
	return t.exec(ctx, t.record.delete, args, nil)
}

func (t table[V]) DeleteWhere(ctx context.Context, where ...hub.Cond) (int64, error) {
	if t.record.appendOnly {
		return 0, fmt.Errorf("%s can only be added to", t.record.table)
	}
	if len(where) == 0 {
		return 0, fmt.Errorf("%s: no condition says what to delete", t.record.table)
	}
	b := builder{dialect: t.tx.store.dialect, record: t.record}
	b.write("DELETE FROM " + quote(t.record.table))
	if err := b.where(where); err != nil {
		return 0, err
	}
	var n int64
	err := t.exec(ctx, b.sql.String(), b.args, &n)
	return n, err
}

// exec runs a statement that writes; rows, when not nil, becomes how many it met.
func (t table[V]) exec(ctx context.Context, query string, args []any, rows *int64) error {
	return t.tx.do(ctx, true, func(ctx context.Context) error {
		res, err := t.tx.sql.ExecContext(ctx, query, args...)
		if err != nil || rows == nil {
			return err
		}
		*rows, err = res.RowsAffected()
		return err
	})
}
