package sqlstore

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Options of a store. The zero value is safe in production.
type Options struct {
	Log *slog.Logger // of jobs and of what the store could not do; nil: nothing is logged
	// Timeout is how long a connection, the beginning or the commit of a transaction is
	// waited for before it is [hub.ErrUnavailable]. 0: 5 seconds.
	Timeout time.Duration
	// Readers is how many Views run at a time on SQLite. 0: 8.
	Readers int
	// Conns is the most connections to PostgreSQL. 0: 20.
	Conns int
	// Jobs is how many jobs run at a time in one Work; Heavy are kinds that take long,
	// of which HeavyJobs run beside them. 0: 8, scan and numbers, 2.
	Jobs      int
	Heavy     []string
	HeavyJobs int
	// JobTimeout is the longest that one run of a job may take: then its ctx ends. 0: 30 minutes.
	JobTimeout time.Duration
	// Poll is how often jobs are looked for: how long one waits at most before it begins.
	// 0: 100 ms.
	Poll time.Duration
	// Beat is how often a process that works shows that it lives; after 4 beats missed
	// its jobs are given to another. 0: 5 seconds.
	Beat time.Duration
	// Alone says that no other process works on this database, as the caller has made
	// sure: jobs that another one was doing are of one that died, and are done again at
	// once. For one Work at a time.
	Alone bool
	// Volatile does without syncing to disk on SQLite: for tests. A power cut damages
	// the database.
	Volatile bool
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Timeout = cmp.Or(o.Timeout, 5*time.Second)
	o.Readers = cmp.Or(o.Readers, 8)
	o.Conns = cmp.Or(o.Conns, 20)
	o.Jobs = cmp.Or(o.Jobs, 8)
	o.HeavyJobs = cmp.Or(o.HeavyJobs, 2)
	o.JobTimeout = cmp.Or(o.JobTimeout, 30*time.Minute)
	o.Poll = cmp.Or(o.Poll, pollEvery)
	o.Beat = cmp.Or(o.Beat, 5*time.Second)
	if o.Heavy == nil {
		o.Heavy = []string{hub.JobScan, hub.JobNumbers}
	}
	return o
}

// Bounds of a transaction.
const (
	// statementTimeout bounds one statement, so that a connection whose other end is
	// gone is noticed. It leaves room for figures over a million ratings.
	statementTimeout = 30 * time.Second
	// maxRetries is how often a transaction that lost against another is run again.
	maxRetries = 50
	// maxWait is the longest wait between two tries; it grows from a millisecond.
	maxWait = 100 * time.Millisecond
	// maxBroken is how often a transaction is begun anew because its connection was
	// broken: as many as a pool may hold after the database was restarted.
	maxBroken = 20
)

// Store is a [hub.Store] in SQLite or PostgreSQL. It is safe for concurrent use.
type Store struct {
	o       Options
	dialect *dialect
	path    string  // of an SQLite database
	writer  *sql.DB // SQLite: one connection
	reader  *sql.DB // PostgreSQL: the same as writer
	records map[reflect.Type]*record
	jobs    jobs

	mu      sync.Mutex
	closed  bool
	working sync.WaitGroup     // Works that run
	stop    context.CancelFunc // ends them
	stopped context.Context
}

var _ hub.Store = (*Store)(nil)

func newStore(d *dialect, writer, reader *sql.DB, o Options) *Store {
	s := &Store{o: o, dialect: d, writer: writer, reader: reader, records: records()}
	s.stopped, s.stop = context.WithCancel(context.Background())
	return s
}

// View implements [hub.Store].
func (s *Store) View(ctx context.Context, f func(hub.Tx) error) error {
	return s.run(ctx, s.reader, s.dialect.read, false, f)
}

// Update implements [hub.Store]. On SQLite, changes wait for each other and run once;
// on PostgreSQL one that lost against another is run again, up to 50 times, and is
// [hub.ErrUnavailable] then.
func (s *Store) Update(ctx context.Context, f func(hub.Tx) error) error {
	return s.run(ctx, s.writer, s.dialect.write, true, f)
}

// run runs f in a transaction until it is through.
func (s *Store) run(ctx context.Context, db *sql.DB, o sql.TxOptions, writes bool, f func(hub.Tx) error) error {
	retries, broken := 0, 0
	for {
		err, committing := s.once(ctx, db, o, writes, f)
		var d *dbError
		if !errors.As(err, &d) {
			return err
		}
		switch c := s.dialect.classify(d.err); {
		case ctx.Err() != nil:
		case c == classRetry && retries < maxRetries:
			retries++
			wait := min(time.Millisecond<<min(retries, 10), maxWait)
			select {
			case <-time.After(rand.N(wait)):
			case <-ctx.Done():
			}
			continue
		case c == classBroken && !committing && broken < maxBroken:
			broken++ // nothing was committed, and the pool has dropped that connection
			continue
		}
		if committing {
			return fmt.Errorf("committing, all or nothing was kept: %w", s.explain(ctx, d.err))
		}
		return s.explain(ctx, d.err)
	}
}

// dbError is an error of the database inside of a transaction. It comes to the function
// that runs in it explained; run looks at the cause.
type dbError struct {
	error // explained
	err   error
}

func (e *dbError) Unwrap() error { return e.error }

// once runs f in one transaction. committing says that the commit did not answer, so
// that nobody knows whether it took place.
func (s *Store) once(ctx context.Context, db *sql.DB, o sql.TxOptions, writes bool, f func(hub.Tx) error) (err error, committing bool) {
	limit := s.limit(ctx)
	defer limit.end()
	base, err := db.BeginTx(limit.ctx, &o)
	if err = limit.done(err); err != nil {
		return s.wrap(ctx, err), false
	}
	t := &tx{store: s, sql: base, writes: writes}
	defer func() { // after a commit it does nothing; it also is for an f that panics
		t.ended = true
		_ = base.Rollback()
	}()
	err = f(t)
	if t.failed != nil { // whatever f made of it
		return t.failed, false
	}
	if err != nil || !writes {
		return err, false
	}
	limit.again()
	if err := limit.done(base.Commit()); err != nil {
		c := s.dialect.classify(err)
		return s.wrap(ctx, err), c == classBroken || c == classAway
	}
	return nil, false
}

// limit bounds single steps of what goes on for as long as the caller likes: its ctx ends
// when a step that was begun is not done in time.
type limit struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	after  time.Duration
}

// errSlow is why a limit ends.
var errSlow = fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)

// limit begins with the first step.
func (s *Store) limit(ctx context.Context) *limit {
	l := &limit{after: s.o.Timeout}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	l.timer = time.AfterFunc(l.after, func() { l.cancel(errSlow) })
	return l
}

func (l *limit) again() { l.timer.Reset(l.after) }

// done ends a step, whose error this is.
func (l *limit) done(err error) error {
	l.timer.Stop()
	if err != nil && context.Cause(l.ctx) == errSlow {
		return errSlow
	}
	return err
}

func (l *limit) end() {
	l.timer.Stop()
	l.cancel(nil)
}

func (s *Store) wrap(ctx context.Context, err error) error {
	return &dbError{s.explain(ctx, err), err}
}

// Ping implements [hub.Store].
func (s *Store) Ping(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, s.o.Timeout)
	defer cancel()
	var one int
	return s.explain(ctx, s.reader.QueryRowContext(bounded, "SELECT 1").Scan(&one))
}

// Close ends all Works, waits for their jobs and closes the database. What is asked for
// afterwards is [hub.ErrUnavailable].
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.working.Wait()
	err := s.writer.Close()
	if s.reader != s.writer {
		err = errors.Join(err, s.reader.Close())
	}
	return err
}
