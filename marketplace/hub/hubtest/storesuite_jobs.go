package hubtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
)

// patience is how long a job may take to be done.
const patience = 30 * time.Second

// work has a store work until the test ends or end is called, which waits.
func work(t testing.TB, s hub.Store, handlers map[string]hub.Handler, periodic ...hub.Periodic) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Work(ctx, handlers, periodic) }()
	end = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			assert.NoError(t, err)
		case <-time.After(patience):
			assert.Fail(t, "Work does not end")
		}
	})
	t.Cleanup(end)
	return end
}

func enqueue(t testing.TB, s hub.Store, jobs ...hub.Job) {
	t.Helper()
	update(t, s, func(tx hub.Tx) { require.NoError(t, tx.Enqueue(t.Context(), jobs...)) })
}

// next waits for something that a handler says.
func next[V any](t testing.TB, c <-chan V) V {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.Fail(t, "no job was done")
		panic("unreachable")
	}
}

// idle waits until no job waits.
func idle(t testing.TB, s hub.Store) {
	t.Helper()
	require.Eventually(t, func() bool {
		waiting, _, err := s.Jobs(t.Context())
		return assert.NoError(t, err) && len(waiting) == 0
	}, patience, 20*time.Millisecond)
}

func testJobsCommit(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	done := make(chan hub.Job, 10)
	work(t, s, map[string]hub.Handler{"aa": func(ctx context.Context, j hub.Job) error {
		err := s.View(ctx, func(tx hub.Tx) error {
			_, err := tx.Settings().Get(ctx, j.Subject)
			return err
		})
		assert.NoError(t, err, "a job sees what was written in its transaction")
		done <- j
		return nil
	}})
	require.ErrorIs(t, s.Update(ctx, func(tx hub.Tx) error {
		require.NoError(t, tx.Enqueue(ctx, hub.Job{Kind: "aa", Subject: "undone"}))
		return errUndo
	}), errUndo)
	update(t, s, func(tx hub.Tx) {
		require.NoError(t, tx.Enqueue(ctx, hub.Job{Kind: "aa", Subject: "kept"}))
		time.Sleep(300 * time.Millisecond) // longer than workers wait: it must not begin yet
		require.Empty(t, done)
		require.NoError(t, tx.Settings().Insert(ctx, &hub.Setting{Key: "kept"}))
	})
	j := next(t, done)
	require.Equal(t, hub.Job{Kind: "aa", Subject: "kept", Attempt: 1, MaxAttempts: 10}, j)
	idle(t, s)
	require.Empty(t, done)
}

func testJobsOnce(t *testing.T, open Database) {
	s, other, ctx := open(), open(), t.Context()
	soon := time.Now().Add(time.Hour).Truncate(time.Second)
	for range 2 {
		enqueue(t, s, hub.Job{Kind: "aa", Subject: "1"}, hub.Job{Kind: "aa", Subject: "1"}, hub.Job{Kind: "aa", Subject: "2"}, hub.Job{Kind: "bb", Subject: "1"})
		enqueue(t, other, hub.Job{Kind: "aa", Subject: "1"})
		enqueue(t, s, hub.Job{Kind: "later", At: soon}, hub.Job{Kind: "later", At: soon.Add(300 * time.Millisecond)}, hub.Job{Kind: "later", At: soon.Add(2 * time.Second)})
	}
	waiting, failed, err := s.Jobs(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"aa": 2, "bb": 1, "later": 2}, waiting)
	require.Empty(t, failed)

	// One that runs does not keep another from being added: what it does not see any
	// more is for the next.
	began, goOn, runs := make(chan string), make(chan struct{}), atomic.Int64{}
	h := func(ctx context.Context, j hub.Job) error {
		runs.Add(1)
		if j.Kind == "aa" && j.Subject == "1" {
			began <- j.Subject
			<-goOn
		}
		return nil
	}
	work(t, s, map[string]hub.Handler{"aa": h, "bb": h})
	next(t, began)
	enqueue(t, s, hub.Job{Kind: "aa", Subject: "1"}, hub.Job{Kind: "aa", Subject: "1"})
	next(t, began) // beside it, or after
	close(goOn)
	require.Eventually(t, func() bool {
		waiting, _, err = s.Jobs(ctx)
		return assert.NoError(t, err) && len(waiting) == 1
	}, patience, 20*time.Millisecond)
	require.Equal(t, map[string]int{"later": 2}, waiting)
	require.EqualValues(t, 4, runs.Load())
}

func testJobsTime(t *testing.T, open Database) {
	s := open()
	type run struct {
		job hub.Job
		at  time.Time
	}
	done := make(chan run, 4)
	work(t, s, map[string]hub.Handler{"aa": func(_ context.Context, j hub.Job) error {
		done <- run{j, time.Now()}
		return nil
	}})
	due := time.Now().Add(1500 * time.Millisecond)
	enqueue(t, s, hub.Job{Kind: "aa", Subject: "later", At: due}, hub.Job{Kind: "aa", Subject: "past", At: time.Now().Add(-time.Hour)})
	require.Equal(t, "past", next(t, done).job.Subject)
	later := next(t, done)
	require.Equal(t, "later", later.job.Subject)
	require.False(t, later.at.Before(due), "%s early", due.Sub(later.at))
	require.WithinDuration(t, due, later.job.At, time.Second)
}

func testJobsOutcome(t *testing.T, open Database) {
	s := open()
	var snoozed, gaveUp atomic.Int64
	enqueue(t, s, hub.Job{Kind: "snooze", MaxAttempts: 1}, hub.Job{Kind: "give-up"}, hub.Job{Kind: "good"})
	enqueue(t, s, hub.Job{Kind: "fails", MaxAttempts: 1}, hub.Job{Kind: "panics", MaxAttempts: 1})
	work(t, s, map[string]hub.Handler{
		"good": func(context.Context, hub.Job) error { return nil },
		"snooze": func(_ context.Context, j hub.Job) error {
			assert.Equal(t, 1, j.Attempt, "waiting is no attempt")
			if snoozed.Add(1) < 4 {
				return fmt.Errorf("not yet: %w", &hub.Snooze{After: 10 * time.Millisecond})
			}
			return nil
		},
		"give-up": func(context.Context, hub.Job) error {
			gaveUp.Add(1)
			return fmt.Errorf("it is gone: %w", hub.ErrGiveUp)
		},
		"fails":  func(context.Context, hub.Job) error { return errors.New("no luck") },
		"panics": func(context.Context, hub.Job) error { panic("a mistake") },
	})
	require.Eventually(t, func() bool {
		waiting, failed, err := s.Jobs(t.Context())
		return assert.NoError(t, err) && len(waiting) == 0 && len(failed) == 3 && snoozed.Load() == 4
	}, patience, 20*time.Millisecond)
	_, failed, err := s.Jobs(t.Context())
	require.NoError(t, err)
	require.Equal(t, map[string]int{"give-up": 1, "fails": 1, "panics": 1}, failed)
	require.EqualValues(t, 1, gaveUp.Load())
}

func testJobsRetry(t *testing.T, open Database) {
	s := open()
	attempts := make(chan hub.Job, 3)
	enqueue(t, s, hub.Job{Kind: "aa", Subject: "x", MaxAttempts: 2})
	work(t, s, map[string]hub.Handler{"aa": func(_ context.Context, j hub.Job) error {
		attempts <- j
		return errors.New("no luck")
	}})
	for n := 1; n <= 2; n++ {
		j := next(t, attempts)
		require.Equal(t, n, j.Attempt)
		require.Equal(t, 2, j.MaxAttempts)
		require.Equal(t, "x", j.Subject)
	}
	require.Eventually(t, func() bool {
		waiting, failed, err := s.Jobs(t.Context())
		return assert.NoError(t, err) && len(waiting) == 0 && failed["aa"] == 1
	}, patience, 20*time.Millisecond)
	require.Empty(t, attempts)
}

// testJobsEnd ends a Work in the middle of a job: it waits for the handler, whose ctx has
// ended, and what that could not do is done again, as the same attempt.
func testJobsEnd(t *testing.T, open Database) {
	s, other := open(), open()
	began, finished := make(chan struct{}), atomic.Bool{}
	enqueue(t, s, hub.Job{Kind: "aa", MaxAttempts: 1})
	end := work(t, s, map[string]hub.Handler{"aa": func(ctx context.Context, j hub.Job) error {
		close(began)
		<-ctx.Done()
		time.Sleep(200 * time.Millisecond) // tidies up
		finished.Store(true)
		return fmt.Errorf("interrupted: %w", ctx.Err())
	}})
	next(t, began)
	end()
	require.True(t, finished.Load(), "Work waits for its handlers")
	again := make(chan hub.Job, 1)
	work(t, other, map[string]hub.Handler{"aa": func(_ context.Context, j hub.Job) error { again <- j; return nil }})
	require.Equal(t, 1, next(t, again).Attempt)
}

// testJobsMiss has many write what one job works off, whether it waits already or begins
// in that moment: nothing is left when no job waits any more.
func testJobsMiss(t *testing.T, open Database) {
	s, other, ctx := open(), open(), t.Context()
	var handled atomic.Int64
	h := func(ctx context.Context, _ hub.Job) error {
		return s.Update(ctx, func(tx hub.Tx) error {
			list, err := tx.Changes().List(ctx, hub.Query{})
			if err != nil {
				return err
			}
			for _, c := range list {
				if err := tx.Changes().Delete(ctx, c.Seq); err != nil {
					return err
				}
			}
			handled.Add(int64(len(list)))
			return nil
		})
	}
	work(t, s, map[string]hub.Handler{hub.JobCatalog: h})
	work(t, other, map[string]hub.Handler{hub.JobCatalog: h})
	const workers, each = 4, 50
	var all sync.WaitGroup
	for w := range workers {
		store := []hub.Store{s, other}[w%2]
		all.Go(func() {
			for i := range each {
				assert.NoError(t, store.Update(ctx, func(tx hub.Tx) error {
					return hub.MarkChanged(ctx, tx, fmt.Sprint(w, " ", i))
				}))
			}
		})
	}
	all.Wait()
	idle(t, s)
	require.Eventually(t, func() bool { // the last job may still run
		var left int64
		view(t, s, func(tx hub.Tx) {
			var err error
			left, err = tx.Changes().Count(ctx)
			require.NoError(t, err)
		})
		return left == 0
	}, patience, 20*time.Millisecond)
}

// testJobsShared has two processes share jobs: each is done once.
func testJobsShared(t *testing.T, open Database) {
	s, other := open(), open()
	const jobs = 200
	var mu sync.Mutex
	done, by := map[string]int{}, map[string]int{}
	worker := func(name string) map[string]hub.Handler {
		return map[string]hub.Handler{"aa": func(_ context.Context, j hub.Job) error {
			time.Sleep(5 * time.Millisecond)
			mu.Lock()
			defer mu.Unlock()
			done[j.Subject]++
			by[name]++
			return nil
		}}
	}
	work(t, s, worker("one"))
	work(t, other, worker("other"))
	for i := range jobs / 20 {
		var list []hub.Job
		for n := range 20 {
			list = append(list, hub.Job{Kind: "aa", Subject: fmt.Sprint(i, " ", n)})
		}
		enqueue(t, []hub.Store{s, other}[i%2], list...)
	}
	require.Eventually(t, func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(done) == jobs
	}, patience, 20*time.Millisecond)
	mu.Lock()
	defer mu.Unlock()
	for subject, n := range done {
		assert.Equal(t, 1, n, subject)
	}
	assert.Positive(t, by["one"])
	assert.Positive(t, by["other"])
}

func testPeriodic(t *testing.T, open Database) {
	s, other := open(), open()
	var often, started, later atomic.Int64
	h := map[string]hub.Handler{
		"often": func(context.Context, hub.Job) error { often.Add(1); return nil },
		"start": func(context.Context, hub.Job) error { started.Add(1); return nil },
		"later": func(context.Context, hub.Job) error { later.Add(1); return nil },
	}
	periodic := []hub.Periodic{
		{Kind: "often", Every: 500 * time.Millisecond},
		{Kind: "start", Every: time.Hour, Start: true},
		{Kind: "later", Every: time.Hour},
	}
	begin := time.Now()
	work(t, s, h, periodic...)
	work(t, other, h, periodic...)
	require.Eventually(t, func() bool { return often.Load() >= 4 && started.Load() >= 1 }, patience, 10*time.Millisecond)
	most := int64(time.Since(begin)/(500*time.Millisecond)) + 1
	assert.LessOrEqual(t, often.Load(), most, "by one process of all")
	assert.LessOrEqual(t, started.Load(), int64(2), "when a process starts")
	assert.Zero(t, later.Load())
}

func testJobsMisuse(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	update(t, s, func(tx hub.Tx) {
		for _, kind := range []string{"", "a", "two words", strings.Repeat("x", 100)} {
			assert.Error(t, tx.Enqueue(ctx, hub.Job{Kind: kind}), "kind %q", kind)
			assert.Error(t, s.Work(ctx, map[string]hub.Handler{kind: nil}, nil), "kind %q", kind)
		}
		assert.Error(t, tx.Enqueue(ctx, hub.Job{Kind: "aa", Subject: strings.Repeat("x", 10_000)}))
		require.NoError(t, tx.Enqueue(ctx))
	})
	assert.Error(t, s.Work(ctx, nil, nil), "nothing to do")
	h := map[string]hub.Handler{"aa": func(context.Context, hub.Job) error { return nil }}
	assert.Error(t, s.Work(ctx, h, []hub.Periodic{{Kind: "bb", Every: time.Hour}}), "periodic without a handler")
	assert.Error(t, s.Work(ctx, h, []hub.Periodic{{Kind: "aa"}}), "periodic without a period")
	// A job of a kind that this process does not know waits for one that does.
	enqueue(t, s, hub.Job{Kind: "other"}, hub.Job{Kind: "aa"})
	work(t, s, h)
	require.Eventually(t, func() bool {
		waiting, _, err := s.Jobs(ctx)
		return assert.NoError(t, err) && waiting["aa"] == 0 && waiting["other"] == 1
	}, patience, 20*time.Millisecond)
}
