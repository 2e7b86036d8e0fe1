package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverdatabasesql"
	"github.com/riverqueue/river/riverdriver/riversqlite"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Bounds of a job.
const (
	// maxSubject is the longest subject: it is part of a key.
	maxSubject = 500
	// defaultAttempts is how often a job is tried that does not say.
	defaultAttempts = 10
)

// goodKind reports whether a kind of job is 2 to 60 small letters, digits and hyphens.
func goodKind(kind string) bool {
	strange := func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-' || r == '_')
	}
	return len(kind) >= 2 && len(kind) <= 60 && kind[0] != '-' && strings.IndexFunc(kind, strange) < 0
}

// Queues of River: heavy jobs have workers of their own, so that they do not keep the
// others waiting.
const (
	queueLight = river.QueueDefault
	queueHeavy = "heavy"
)

// jobs is the side of River that adds jobs.
type jobs struct {
	client *river.Client[*sql.Tx]
}

// args is what River keeps of a job.
type args struct {
	kind    string
	Subject string `json:"subject"`
	At      int64  `json:"at"`    // seconds since 1970; 0: at once
	Token   string `json:"token"` // of its row in the table waiting
}

// Kind implements river.JobArgs.
func (a args) Kind() string { return a.kind }

func (s *Store) driver() riverdriver.Driver[*sql.Tx] {
	if s.dialect.name == "postgres" {
		return riverdatabasesql.New(s.writer)
	}
	return riversqlite.New(s.writer)
}

func (s *Store) openJobs() error {
	client, err := river.NewClient(s.driver(), &river.Config{Logger: s.riverLog()})
	s.jobs.client = client
	return err
}

// enqueueSQL claims the place of a job that waits. When it is taken, its row is locked
// until the transaction ends and left as it is: the one that waits cannot begin before
// what this transaction writes can be seen. Reading the row instead would have
// PostgreSQL take every two transactions that enqueue for a conflict.
const enqueueSQL = `INSERT INTO waiting (kind, subject, at, token) VALUES ($1, $2, $3, $4)
	ON CONFLICT (kind, subject, at) DO UPDATE SET token = excluded.token WHERE 1 = 0`

// Enqueue implements [hub.Tx]. The job waits until it begins for the first time: one that
// failed and is to run again does not keep another from being added.
func (t *tx) Enqueue(ctx context.Context, list ...hub.Job) error {
	now := time.Now()
	var add []river.InsertManyParams
	for _, j := range list {
		switch {
		case !goodKind(j.Kind):
			return fmt.Errorf("%q is no kind of job", j.Kind)
		case len(j.Subject) > maxSubject:
			return fmt.Errorf("job %s: the subject has more than %d bytes", j.Kind, maxSubject)
		}
		if _, err := (column{name: "subject"}).text(j.Subject); err != nil {
			return err
		}
		a := args{kind: j.Kind, Subject: j.Subject, Token: hub.NewID("job", now)}
		o := &river.InsertOpts{MaxAttempts: j.MaxAttempts, Queue: queueLight}
		if o.MaxAttempts <= 0 {
			o.MaxAttempts = defaultAttempts
		}
		if slices.Contains(t.store.o.Heavy, j.Kind) {
			o.Queue = queueHeavy
		}
		if j.At.After(now) {
			a.At, o.ScheduledAt = j.At.Unix(), j.At
		}
		var n int64
		err := t.do(ctx, true, func(ctx context.Context) error {
			res, err := t.sql.ExecContext(ctx, enqueueSQL, a.kind, a.Subject, a.At, a.Token)
			if err != nil {
				return err
			}
			n, err = res.RowsAffected()
			return err
		})
		if err != nil {
			return err
		}
		if n == 1 {
			add = append(add, river.InsertManyParams{Args: a, InsertOpts: o})
		}
	}
	if len(add) == 0 {
		return nil
	}
	return t.do(ctx, true, func(ctx context.Context) error {
		_, err := t.store.jobs.client.InsertManyFastTx(ctx, t.sql, add)
		return err
	})
}

// Jobs implements [hub.Store]. Those that run are not among those that wait; failed are
// those that were given up in the last week.
func (s *Store) Jobs(ctx context.Context) (waiting, failed map[string]int, err error) {
	const query = `SELECT kind, CAST(state AS TEXT), count(*) FROM river_job
		WHERE state IN ('available', 'scheduled', 'retryable', 'pending', 'discarded', 'cancelled')
		GROUP BY kind, state`
	err = s.View(ctx, func(t hub.Tx) error {
		waiting, failed = map[string]int{}, map[string]int{}
		tx := t.(*tx)
		return tx.do(ctx, false, func(ctx context.Context) error {
			rows, err := tx.sql.QueryContext(ctx, query)
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var kind, state string
				var n int
				if err := rows.Scan(&kind, &state, &n); err != nil {
					return err
				}
				if state == "discarded" || state == "cancelled" {
					failed[kind] += n
				} else {
					waiting[kind] += n
				}
			}
			return rows.Err()
		})
	})
	if err != nil {
		return nil, nil, err
	}
	return waiting, failed, nil
}

// riverLog is where River logs: only what is wrong.
func (s *Store) riverLog() *slog.Logger {
	return slog.New(above{s.o.Log.Handler(), slog.LevelWarn})
}

// above is a handler that passes on what is at least at a level.
type above struct {
	slog.Handler
	least slog.Level
}

func (h above) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.least && h.Handler.Enabled(ctx, l)
}

func (h above) WithAttrs(a []slog.Attr) slog.Handler { return above{h.Handler.WithAttrs(a), h.least} }

func (h above) WithGroup(name string) slog.Handler { return above{h.Handler.WithGroup(name), h.least} }
