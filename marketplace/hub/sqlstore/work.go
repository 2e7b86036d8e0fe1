package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/souk-dev/souk/marketplace/hub"
)

// How River works.
const (
	// pollEvery is how often a process looks for jobs, which is the longest that one
	// waits when nothing else is to do.
	pollEvery = 100 * time.Millisecond
	pollLeast = 10 * time.Millisecond
	// keepDone and keepFailed are how long jobs are kept that are over.
	keepDone   = time.Hour
	keepFailed = 7 * 24 * time.Hour
	// startAgain is how long Work waits when the database is away at its start.
	startAgain = time.Second
	// stuckAfter is how much longer than its longest run a job is left to a process that
	// lives before another takes it over: its handler does not heed its ctx.
	stuckAfter = 5 * time.Minute
)

// Work implements [hub.Store]. A handler that panics has failed. What a handler returns
// after ctx has ended costs no attempt: the job is done again by whoever works next.
//
// It returns nil when ctx has ended or the store is closed, and waits for a database
// that does not answer until then.
func (s *Store) Work(ctx context.Context, handlers map[string]hub.Handler, periodic []hub.Periodic) error {
	if len(handlers) == 0 {
		return errors.New("no handlers to work with")
	}
	for kind := range handlers {
		if !goodKind(kind) {
			return fmt.Errorf("%q is no kind of job", kind)
		}
	}
	for _, p := range periodic {
		if handlers[p.Kind] == nil || p.Every <= 0 {
			return fmt.Errorf("the periodic job %q needs a handler and how often it is to be done", p.Kind)
		}
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fmt.Errorf("%w: the store is closed", hub.ErrUnavailable)
	}
	s.working.Add(1)
	s.mu.Unlock()
	defer s.working.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.stopped, cancel)()

	w := &work{store: s, ctx: ctx, id: hub.NewID("work", time.Now())}
	client, err := w.client(handlers)
	if err != nil {
		return err
	}
	for {
		err := w.start(ctx, client)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil
		}
		s.o.Log.Warn("jobs cannot be worked yet", "err", s.explain(ctx, err))
		select {
		case <-time.After(startAgain):
		case <-ctx.Done():
			return nil
		}
	}
	if s.o.Alone {
		if err := w.inherit(ctx); err != nil && ctx.Err() == nil {
			s.o.Log.Warn("jobs of a process that died wait until it is missed", "err", s.explain(ctx, err))
		}
	}
	w.watch(ctx, periodic)
	// Handlers end with ctx; what they leave is written down before the store can close.
	if err := client.StopAndCancel(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	w.leave()
	return nil
}

// work is one call of Work.
type work struct {
	store *Store
	ctx   context.Context // of Work
	id    string          // of this worker, for River too
	beats int64
}

func (w *work) client(handlers map[string]hub.Handler) (*river.Client[*sql.Tx], error) {
	o := w.store.o
	workers := river.NewWorkers()
	for kind, h := range handlers {
		river.AddWorkerArgs(workers, args{kind: kind}, &worker{work: w, kind: kind, handler: h})
	}
	return river.NewClient(w.store.driver(), &river.Config{
		ID:                          w.id,
		Logger:                      w.store.riverLog(),
		Workers:                     workers,
		Queues:                      map[string]river.QueueConfig{queueLight: {MaxWorkers: o.Jobs}, queueHeavy: {MaxWorkers: o.HeavyJobs}},
		FetchOnlyKnownKinds:         true,
		FetchPollInterval:           o.Poll,
		FetchCooldown:               min(pollLeast, o.Poll),
		PollOnly:                    true,
		JobTimeout:                  o.JobTimeout,
		RescueStuckJobsAfter:        o.JobTimeout + stuckAfter,
		CompletedJobRetentionPeriod: keepDone,
		CancelledJobRetentionPeriod: keepFailed,
		DiscardedJobRetentionPeriod: keepFailed,
	})
}

// start shows that this worker lives, and has River begin.
func (w *work) start(ctx context.Context, client *river.Client[*sql.Tx]) error {
	if err := w.beat(ctx); err != nil {
		return err
	}
	// River's own ctx does not end: it is stopped when the watch is over.
	return client.Start(context.WithoutCancel(ctx))
}

// worker does the jobs of one kind for River.
type worker struct {
	river.WorkerDefaults[args]
	work    *work
	kind    string
	handler hub.Handler
}

// Work implements river.Worker.
func (k *worker) Work(ctx context.Context, j *river.Job[args]) error {
	s := k.work.store
	log := s.o.Log.With("job", k.kind, "subject", j.Args.Subject, "attempt", j.Attempt)
	// It waits no longer. When this waits for a transaction that found the job waiting,
	// what that wrote can be seen afterwards.
	if err := s.exec(ctx, "DELETE FROM waiting WHERE kind = $1 AND subject = $2 AND at = $3 AND token = $4",
		k.kind, j.Args.Subject, j.Args.At, j.Args.Token); err != nil {
		return err
	}
	err := k.do(ctx, hub.Job{
		Kind: k.kind, Subject: j.Args.Subject, At: at(j.Args.At), Attempt: j.Attempt, MaxAttempts: j.MaxAttempts,
	})
	var snooze *hub.Snooze
	switch {
	case err == nil:
		return nil
	case errors.As(err, &snooze):
		return river.JobSnooze(max(snooze.After, 0))
	case k.work.ctx.Err() != nil: // it was told to end
		return river.JobSnooze(0)
	case errors.Is(err, hub.ErrGiveUp):
		log.Warn("job given up", "err", err)
		return river.JobCancel(err)
	case j.Attempt >= j.MaxAttempts:
		log.Error("job failed for good", "err", err)
	default:
		log.Warn("job failed, and is tried again", "err", err)
	}
	return err
}

// do runs the handler; its panic is an error.
func (k *worker) do(ctx context.Context, j hub.Job) (err error) {
	defer func() {
		if p := recover(); p != nil {
			k.work.store.o.Log.Error("job panicked", "job", j.Kind, "subject", j.Subject, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return k.handler(ctx, j)
}

func at(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}

// exec runs one statement outside of a transaction.
func (s *Store) exec(ctx context.Context, query string, args ...any) error {
	ctx, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	_, err := s.writer.ExecContext(ctx, query, args...)
	return err
}

var _ rivertype.JobArgs = args{}
