package install

import (
	"cmp"
	"context"
	"iter"
	"slices"
)

// ring holds the last events, so that a listener who lost his connection resumes.
type ring struct {
	events  []Event // oldest first
	size    int
	seq     uint64
	dropped uint64        // number of the newest event that is no longer held; 0: all are
	changed chan struct{} // closed and replaced with every event
}

// newRing numbers events from the clock on, so that a number from before a restart
// is lower than all of this process.
func newRing(size int, seq uint64) ring {
	return ring{size: size, seq: seq, changed: make(chan struct{})}
}

// tell records how j is doing. Progress takes the place of progress: when the
// newest event is of the same operation and nothing but bytes was between, it is
// replaced under a new number. The caller holds q.mu.
func (q *Queue) tell(j *job, progress bool) {
	r := &q.ring
	r.seq++
	j.seq = r.seq
	e := Event{Seq: r.seq, Operation: j.op} // its slices are replaced, never changed
	if n := len(r.events); progress && n > 0 && onlyBytes(r.events[n-1].Operation, e.Operation) {
		r.events[n-1] = e
	} else {
		if n >= r.size {
			r.dropped = r.events[n-r.size].Seq
			r.events = append(r.events[:0], r.events[n-r.size+1:]...)
		}
		r.events = append(r.events, e)
	}
	close(r.changed)
	r.changed = make(chan struct{})
}

func onlyBytes(a, b Operation) bool {
	return a.ID == b.ID && a.State == b.State && a.Plugin == b.Plugin && len(a.Log) == len(b.Log) && a.Done > 0
}

// Events yields what happens to all operations, from the first event after the one
// numbered after, until ctx ends. Of progress only the newest is yielded. When so
// many were missed that some are no longer held, it begins with the newest of each
// operation that has no other: every Event has the whole Operation, so nothing that
// matters is lost. When after is a number that this process has not come to, it begins
// from the start. It waits without a goroutine of its own; several may listen.
func (q *Queue) Events(ctx context.Context, after uint64) iter.Seq[Event] {
	return func(yield func(Event) bool) {
		after := after
		for {
			q.mu.Lock()
			if after > q.ring.seq {
				after = 0 // from another process
			}
			list := q.since(after)
			changed := q.ring.changed
			q.mu.Unlock()
			for _, e := range list {
				if ctx.Err() != nil || !yield(e) {
					return
				}
				after = e.Seq
			}
			if len(list) > 0 {
				continue
			}
			select {
			case <-ctx.Done():
				return
			case <-changed:
			}
		}
	}
}

// since returns what a listener has to be told who knows the event numbered after, in
// order. The caller holds q.mu.
func (q *Queue) since(after uint64) (list []Event) {
	for _, j := range q.jobs {
		if j.seq > after && j.seq <= q.ring.dropped {
			list = append(list, Event{Seq: j.seq, Operation: j.op})
		}
	}
	slices.SortFunc(list, func(a, b Event) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, e := range q.ring.events {
		if e.Seq > after {
			list = append(list, e)
		}
	}
	return list
}
