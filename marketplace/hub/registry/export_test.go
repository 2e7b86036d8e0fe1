package registry

import (
	"context"
	"log/slog"
)

// Queue is the queue of events, for tests of what takes too long over HTTP.
type Queue = queue

// NewQueue makes one.
func NewQueue(notify func(context.Context, []Event) error) *Queue {
	return newQueue(notify, slog.New(slog.DiscardHandler))
}

// Put adds an event.
func (q *queue) Put(e Event) { q.put(e) }

// Close delivers what is left.
func (q *queue) Close() error { return q.close() }

// Dropped counts what was lost.
func (q *queue) Dropped() uint64 { return q.dropped.Load() }
