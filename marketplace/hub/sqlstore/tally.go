package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// tallyRows is how many rows one statement of Tally writes: six values each, and SQLite
// takes 32,766.
const tallyRows = 500

// forgetRows is how many rows Forget deletes at a time, so that it keeps no change waiting
// for long.
const forgetRows = 5_000

// counter is what is counted separately.
type counter struct {
	kind, plugin    string
	day             int
	version, detail string
}

// seen is a Once on its day.
type seen struct {
	day  int
	once string
}

// Tally implements [hub.Store]. All of t is counted, or none of it when there is an error.
func (s *Store) Tally(ctx context.Context, t []hub.Tally) (int, error) {
	for _, one := range t {
		for _, text := range []string{one.Once, one.Kind, one.Plugin, one.Version, one.Detail} {
			if _, err := (column{name: "tally"}).text(text); err != nil {
				return 0, err
			}
		}
	}
	for retries := 0; ; retries++ {
		n, err := s.tally(ctx, t)
		if err == nil || s.dialect.classify(err) != classRetry || retries == maxRetries || ctx.Err() != nil {
			return n, s.explain(ctx, err)
		}
		time.Sleep(rand.N(maxWait))
	}
}

func (s *Store) tally(ctx context.Context, t []hub.Tally) (n int, err error) {
	err = s.relaxed(ctx, func(ctx context.Context, tx *sql.Tx) error {
		fresh, err := claim(ctx, tx, t)
		if err != nil {
			return err
		}
		sums := map[counter]int64{}
		n = 0
		for _, one := range t {
			if one.Once != "" {
				key := seen{one.Day, one.Once}
				if !fresh[key] {
					continue
				}
				delete(fresh, key) // the second in the same list is not the first
			}
			n++
			sums[counter{one.Kind, one.Plugin, one.Day, one.Version, one.Detail}] += one.N
		}
		return add(ctx, tx, sums)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

// claim remembers what is counted once, and returns what was not seen before.
func claim(ctx context.Context, tx *sql.Tx, t []hub.Tally) (map[seen]bool, error) {
	var all []seen
	for _, one := range t {
		if one.Once != "" {
			all = append(all, seen{one.Day, one.Once})
		}
	}
	// In order, so that two that count the same at a time do not wait for each other.
	slices.SortFunc(all, func(a, b seen) int { return cmp.Or(cmp.Compare(a.day, b.day), cmp.Compare(a.once, b.once)) })
	all = slices.Compact(all)
	fresh := map[seen]bool{}
	for part := range slices.Chunk(all, tallyRows) {
		var args []any
		for _, one := range part {
			args = append(args, one.day, one.once)
		}
		rows, err := tx.QueryContext(ctx, "INSERT INTO tallied (day, once) VALUES "+holes(len(part), 2)+
			" ON CONFLICT DO NOTHING RETURNING day, once", args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var one seen
			if err := rows.Scan(&one.day, &one.once); err != nil {
				rows.Close()
				return nil, err
			}
			fresh[one] = true
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return fresh, nil
}

// add adds to counters, in order.
func add(ctx context.Context, tx *sql.Tx, sums map[counter]int64) error {
	all := make([]counter, 0, len(sums))
	for c := range sums {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b counter) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.plugin, b.plugin), cmp.Compare(a.day, b.day),
			cmp.Compare(a.version, b.version), cmp.Compare(a.detail, b.detail))
	})
	for part := range slices.Chunk(all, tallyRows) {
		var args []any
		for _, c := range part {
			args = append(args, c.kind, c.plugin, c.day, c.version, c.detail, sums[c])
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO tallies (kind, plugin, day, version, detail, n) VALUES "+holes(len(part), 6)+
			" ON CONFLICT (kind, plugin, day, version, detail) DO UPDATE SET n = tallies.n + excluded.n", args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// holes writes ($1, $2), ($3, $4), ...
func holes(rows, columns int) string {
	var b strings.Builder
	for i := range rows {
		if i > 0 {
			b.WriteString(", ")
		}
		for j := range columns {
			b.WriteString([]string{"(", ", "}[min(j, 1)])
			b.WriteString("$" + strconv.Itoa(i*columns+j+1))
		}
		b.WriteString(")")
	}
	return b.String()
}

// relaxed runs f in a transaction that is not waited for until it is on the disk. In
// SQLite that is a property of the connection, which the writer has until it gets the
// next transaction to do.
func (s *Store) relaxed(ctx context.Context, f func(context.Context, *sql.Tx) error) (err error) {
	limit := s.limit(ctx)
	defer limit.end()
	conn, err := s.writer.Conn(limit.ctx)
	if err != nil {
		return limit.done(err)
	}
	defer conn.Close()
	if s.dialect.name == "sqlite" && !s.o.Volatile {
		if _, err := conn.ExecContext(limit.ctx, "PRAGMA synchronous = NORMAL"); err != nil {
			return limit.done(err)
		}
		defer func() {
			if _, back := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA synchronous = FULL"); back != nil {
				_ = conn.Raw(func(any) error { return driver.ErrBadConn }) // a new one begins as it should
			}
		}()
	}
	tx, err := conn.BeginTx(limit.ctx, nil)
	if err = limit.done(err); err != nil {
		return err
	}
	defer tx.Rollback()
	bounded, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	if s.dialect.tally != "" {
		if _, err := tx.ExecContext(bounded, s.dialect.tally); err != nil {
			return err
		}
	}
	if err := f(bounded, tx); err != nil {
		return err
	}
	limit.again()
	return limit.done(tx.Commit())
}

// Forget implements [hub.Store].
func (s *Store) Forget(ctx context.Context, day int) error {
	for {
		n, err := s.forget(ctx, day)
		if err != nil || n == 0 {
			return s.explain(ctx, err)
		}
	}
}

func (s *Store) forget(ctx context.Context, day int) (n int64, err error) {
	err = s.relaxed(ctx, func(ctx context.Context, tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM tallied WHERE (day, once) IN (SELECT day, once FROM tallied WHERE day < $1 LIMIT "+
			strconv.Itoa(forgetRows)+")", day)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	return n, err
}

// Totals implements [hub.Tx].
func (t *tx) Totals(ctx context.Context, q hub.TotalQuery) ([]hub.Total, error) {
	for i, by := range q.By {
		if !slices.Contains([]string{"day", "plugin", "version", "detail"}, by) || slices.Contains(q.By[:i], by) {
			return nil, fmt.Errorf("tallies are not summed up by %q", by)
		}
	}
	names := strings.Join(q.By, ", ")
	b := builder{}
	b.write("SELECT ")
	if names != "" {
		b.write(names + ", ")
	}
	b.write("CAST(coalesce(sum(n), 0) AS BIGINT) AS total FROM tallies WHERE kind = " + b.hole(q.Kind))
	if q.Plugin != "" {
		b.write(" AND plugin = " + b.hole(q.Plugin))
	}
	if q.Detail != "" {
		b.write(" AND detail = " + b.hole(q.Detail))
	}
	b.write(" AND day >= " + b.hole(q.From) + " AND day <= " + b.hole(q.To))
	if names != "" {
		b.write(" GROUP BY " + names + " ORDER BY ")
		if q.Limit > 0 {
			b.write("total DESC, ")
		}
		b.write(names)
	}
	if q.Limit > 0 {
		b.write(" LIMIT " + strconv.Itoa(q.Limit))
	}
	for _, text := range []string{q.Kind, q.Plugin, q.Detail} {
		if _, err := (column{name: "tally"}).text(text); err != nil {
			return nil, err
		}
	}
	var out []hub.Total
	err := t.do(ctx, false, func(ctx context.Context) error {
		rows, err := t.sql.QueryContext(ctx, b.sql.String(), b.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		var one hub.Total
		fields := map[string]any{"day": &one.Day, "plugin": &one.Plugin, "version": &one.Version, "detail": &one.Detail}
		var into []any
		for _, by := range q.By {
			into = append(into, fields[by])
		}
		into = append(into, &one.N)
		for rows.Next() {
			if err := rows.Scan(into...); err != nil {
				return err
			}
			out = append(out, one)
		}
		return rows.Err()
	})
	return out, err
}
