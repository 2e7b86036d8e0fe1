package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/rivertype"

	"github.com/souk-dev/souk/marketplace/hub"
)

// How workers watch each other.
const (
	// missedBeats is how many beats a worker may miss before it is taken for dead.
	missedBeats = 4
	// sweepEvery is after how many beats the table waiting is swept of rows whose job is
	// gone, which only a hand in the database can cause.
	sweepEvery = 120
	// maxCrashes is how many runs beyond its attempts a job has whose process died in
	// them: one that kills every process that touches it is given up at last.
	maxCrashes = 10
)

// other is a worker as this one sees it. Only changes are compared and only the own
// clock is asked, so that machines need not agree about the time.
type other struct {
	beats int64
	since time.Time // when beats was first seen as it is
}

// watch beats, looks after the jobs of the dead and enqueues periodic jobs, until ctx ends.
func (w *work) watch(ctx context.Context, periodic []hub.Periodic) {
	o := w.store.o
	others := map[string]other{}
	lastBeat := time.Now()
	beat := time.NewTicker(o.Beat)
	defer beat.Stop()
	timed := newTimed(periodic, time.Now())
	tick := time.NewTimer(0)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			tick.Reset(time.Until(timed.enqueue(ctx, w.store)))
		case <-beat.C:
			err := w.beat(ctx)
			if err == nil && w.beats%sweepEvery == 2 {
				err = w.sweep(ctx)
			}
			if err == nil {
				// Who was away itself cannot tell who else was not.
				if time.Since(lastBeat) > missedBeats*o.Beat {
					clear(others)
				}
				lastBeat = time.Now()
				err = w.rescue(ctx, others)
			}
			if err != nil && ctx.Err() == nil {
				o.Log.Warn("looking after the jobs of other processes", "err", w.store.explain(ctx, err))
			}
		}
	}
}

// beat shows that this worker lives.
func (w *work) beat(ctx context.Context) error {
	w.beats++
	return w.store.exec(ctx, "INSERT INTO workers (id, beats) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET beats = excluded.beats", w.id, w.beats)
}

// leave says that this worker is no more, and has no jobs.
func (w *work) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), w.store.o.Timeout)
	defer cancel()
	if err := w.store.exec(ctx, "DELETE FROM workers WHERE id = $1", w.id); err != nil {
		w.store.o.Log.Warn("a worker that ended stays listed until another misses it", "err", err)
	}
}

// sweep removes rows whose job does not wait any more.
func (w *work) sweep(ctx context.Context) error {
	return w.store.exec(ctx, `DELETE FROM waiting WHERE token NOT IN (
		SELECT args ->> 'token' FROM river_job
		WHERE state IN ('available', 'scheduled', 'pending') AND args ->> 'token' IS NOT NULL)`)
}

// inherit takes over from all others, which are dead.
func (w *work) inherit(ctx context.Context) error {
	if err := w.store.exec(ctx, "DELETE FROM workers WHERE id <> $1", w.id); err != nil {
		return err
	}
	return w.rescue(ctx, map[string]other{})
}

// rescue gives back the jobs of workers that died.
func (w *work) rescue(ctx context.Context, others map[string]other) error {
	alive, err := w.alive(ctx, others)
	if err != nil {
		return err
	}
	executor := w.store.driver().GetExecutor()
	bounded, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	running, err := executor.JobGetStuck(bounded, &riverdriver.JobGetStuckParams{
		Max: hub.MaxList, StuckHorizon: time.Now().Add(24 * time.Hour), // all that run
	})
	if err != nil {
		return err
	}
	for _, j := range running {
		if n := len(j.AttemptedBy); n == 0 || alive[j.AttemptedBy[n-1]] || j.AttemptedAt == nil {
			continue
		}
		if err := w.giveBack(bounded, executor, j); err != nil {
			return err
		}
	}
	return nil
}

// alive returns the workers that live, and strikes the others off the list.
func (w *work) alive(ctx context.Context, others map[string]other) (map[string]bool, error) {
	bounded, cancel := context.WithTimeout(ctx, statementTimeout)
	defer cancel()
	rows, err := w.store.writer.QueryContext(bounded, "SELECT id, beats FROM workers")
	if err != nil {
		return nil, err
	}
	now, alive, dead := time.Now(), map[string]bool{}, []string{}
	for rows.Next() {
		var id string
		var beats int64
		if err := rows.Scan(&id, &beats); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		o, known := others[id]
		if !known || o.beats != beats {
			o = other{beats, now}
			others[id] = o
		}
		if id == w.id || now.Sub(o.since) < missedBeats*w.store.o.Beat {
			alive[id] = true
		} else {
			dead = append(dead, id)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for _, id := range dead {
		w.store.o.Log.Warn("a process that worked has died; its jobs are done by others", "worker", id)
		if err := w.store.exec(ctx, "DELETE FROM workers WHERE id = $1 AND beats = $2", id, others[id].beats); err != nil {
			return nil, err
		}
		delete(others, id)
	}
	return alive, nil
}

// giveBack makes a job of a dead worker wait again.
func (w *work) giveBack(ctx context.Context, executor riverdriver.Executor, j *rivertype.JobRow) error {
	now := time.Now().UTC()
	why, err := json.Marshal(rivertype.AttemptError{At: now, Attempt: j.Attempt, Error: "the process died that did it"})
	if err != nil {
		return err
	}
	state, final := rivertype.JobStateAvailable, (*time.Time)(nil)
	if j.Attempt >= j.MaxAttempts+maxCrashes {
		state, final = rivertype.JobStateDiscarded, &now
	}
	_, err = executor.JobRescueMany(ctx, &riverdriver.JobRescueManyParams{
		ID: []int64{j.ID}, Error: [][]byte{why}, State: []string{string(state)},
		ScheduledAt: []time.Time{now}, FinalizedAt: []*time.Time{final},
		StuckHorizon: j.AttemptedAt.Add(time.Millisecond), // not when another runs it by now
	})
	return err
}

// timed are periodic jobs and when each is due next, as far as this process knows.
type timed struct {
	jobs []hub.Periodic
	due  []time.Time
}

func newTimed(jobs []hub.Periodic, now time.Time) *timed {
	t := &timed{jobs: slices.Clone(jobs), due: make([]time.Time, len(jobs))}
	for i := range jobs {
		t.due[i] = now // to look when it ran last
	}
	return t
}

// periodicRetry is when a periodic job is tried again that could not be enqueued.
const periodicRetry = 5 * time.Second

// enqueue adds what is due, and returns when to call it again.
func (t *timed) enqueue(ctx context.Context, s *Store) time.Time {
	next := time.Now().Add(time.Hour)
	for i := range t.jobs {
		if now := time.Now(); !t.due[i].After(now) {
			due, err := s.periodic(ctx, t.jobs[i], now)
			if err != nil {
				due = now.Add(periodicRetry)
				if ctx.Err() == nil {
					s.o.Log.Warn("enqueueing a periodic job", "job", t.jobs[i].Kind, "err", err)
				}
			} else {
				t.jobs[i].Start = false
			}
			t.due[i] = due
		}
		if t.due[i].Before(next) {
			next = t.due[i]
		}
	}
	return next
}

// periodic enqueues a job when it is due, whoever is first, and returns when it is next.
// When it ran last is kept, so that a job that is done daily is also done by processes
// that are started anew every day.
func (s *Store) periodic(ctx context.Context, p hub.Periodic, now time.Time) (next time.Time, err error) {
	err = s.Update(ctx, func(t hub.Tx) error {
		tx := t.(*tx)
		last, err := tx.ran(ctx, p.Kind)
		if err != nil {
			return err
		}
		known := !last.IsZero()
		if last.After(now) { // a clock went back
			last = now
		}
		switch {
		case p.Start || known && now.Sub(last) >= p.Every:
			if err := tx.Enqueue(ctx, hub.Job{Kind: p.Kind}); err != nil {
				return err
			}
		case known:
			next = last.Add(p.Every)
			return nil
		}
		next = now.Add(p.Every)
		return tx.do(ctx, true, func(ctx context.Context) error {
			_, err := tx.sql.ExecContext(ctx, "INSERT INTO periodics (kind, ran) VALUES ($1, $2) ON CONFLICT (kind) DO UPDATE SET ran = excluded.ran", p.Kind, micros(now))
			return err
		})
	})
	return next, err
}

// ran returns when a periodic job was last enqueued, zero when never.
func (t *tx) ran(ctx context.Context, kind string) (time.Time, error) {
	var at int64
	err := t.do(ctx, false, func(ctx context.Context) error {
		return t.sql.QueryRowContext(ctx, "SELECT ran FROM periodics WHERE kind = $1", kind).Scan(&at)
	})
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil || at == 0 {
		return time.Time{}, err
	}
	return time.UnixMicro(at).UTC(), nil
}
