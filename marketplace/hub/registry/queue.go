package registry

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// How the events of the registry in this process are delivered.
const (
	MaxBatch  = 500              // events in one call of Notify: one transaction
	MaxQueued = 1 << 18          // events; some 100 MB, 20 minutes at 200 a second
	CloseWait = 10 * time.Second // for Notify, in Close

	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// queue gives events to notify, in order, from one goroutine that it owns.
type queue struct {
	notify  func(context.Context, []Event) error
	log     *slog.Logger
	dropped atomic.Uint64

	ctx  context.Context // of notify; ends when close loses patience
	stop context.CancelFunc
	done chan struct{} // the goroutine has ended

	mu     sync.Mutex
	events []Event
	closed bool
	wake   chan struct{} // capacity 1
}

func newQueue(notify func(context.Context, []Event) error, log *slog.Logger) *queue {
	q := &queue{notify: notify, log: log, done: make(chan struct{}), wake: make(chan struct{}, 1)}
	q.ctx, q.stop = context.WithCancel(context.Background())
	go q.run()
	return q
}

// put never waits.
func (q *queue) put(e Event) {
	q.mu.Lock()
	full := len(q.events) >= MaxQueued || q.closed
	if !full {
		q.events = append(q.events, e)
	}
	q.mu.Unlock()
	if full {
		if n := q.dropped.Add(1); n == 1 || n%10_000 == 0 {
			q.log.Error("registry events are lost: nobody takes them", "lost", n, "queued", MaxQueued)
		}
		return
	}
	q.nudge()
}

func (q *queue) nudge() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// head is the next batch; more is false when there will be none.
func (q *queue) head() (batch []Event, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.events[:min(len(q.events), MaxBatch):min(len(q.events), MaxBatch)], len(q.events) > 0 || !q.closed
}

func (q *queue) take(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.events = q.events[n:]
	if len(q.events) == 0 {
		q.events = nil // the array behind it is given back
	}
}

func (q *queue) run() {
	defer close(q.done)
	wait := firstRetry
	for {
		batch, more := q.head()
		switch {
		case !more || q.ctx.Err() != nil:
			return
		case len(batch) == 0:
			<-q.wake
			continue
		}
		err := q.notify(q.ctx, batch)
		if err == nil {
			q.take(len(batch))
			wait = firstRetry
			continue
		}
		if q.ctx.Err() != nil {
			return
		}
		q.log.Warn("registry events were not taken, trying again", "events", len(batch), "wait", wait, "error", err)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-q.ctx.Done():
			t.Stop()
		}
		wait = min(2*wait, lastRetry)
	}
}

// close delivers what is left.
func (q *queue) close() error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.nudge()
	t := time.NewTimer(CloseWait)
	defer t.Stop()
	select {
	case <-q.done:
	case <-t.C:
	}
	q.stop()
	<-q.done
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.events); n > 0 {
		return fmt.Errorf("%d events are lost: they were not taken within %s", n, CloseWait)
	}
	return nil
}
