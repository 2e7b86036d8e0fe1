package install

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/souk-dev/souk/catalog"
)

// ErrTooLate means that an operation can no longer be cancelled: plugins are being
// stopped and started, or it has ended.
var ErrTooLate = errors.New("too late to cancel")

// QueueOptions bound a Queue. Zero is the default of each.
type QueueOptions struct {
	Waiting int // operations that wait for their turn; default 20
	Done    int // ended operations that are remembered; default 100; the Store's history has the rest
	Events  int // events that can be replayed; default 1,000

	// Ended is called after each operation that was begun, from the queue's
	// goroutine, with its last state; not for one that was cancelled while it
	// waited. nil: nobody is called.
	Ended func(Operation)
}

// maxLines is how many lines of an operation's log are kept; the first ones go.
const maxLines = 200

// Queue applies plans one after another and remembers how each is doing. It is
// safe for concurrent use. Somebody has to call Run.
type Queue struct {
	s    *Store
	o    QueueOptions
	work chan *job
	quit chan struct{} // closed by stop, so that Run ends
	idle chan struct{} // closed when Run has returned

	mu      sync.Mutex
	running bool
	closed  bool
	jobs    []*job // oldest first
	ring    ring
}

// job is an operation with what is needed to do it.
type job struct {
	op       Operation
	seq      uint64 // of its newest event
	plan     *Plan
	approval Approval
	cancel   context.CancelCauseFunc
	ctx      context.Context
}

// errCancelled is the cause of a context that Cancel ended.
var errCancelled = fmt.Errorf("cancelled by a person: %w", context.Canceled)

// errStopped is the cause of a context that the end of the process ended.
var errStopped = fmt.Errorf("the panel is stopping: %w", context.Canceled)

// NewQueue returns a queue in front of s. Nothing else should call s.Apply, or
// operations fail with [ErrBusy] now and then.
func NewQueue(s *Store, o QueueOptions) *Queue {
	positive(&o.Waiting, 20)
	positive(&o.Done, 100)
	positive(&o.Events, 1000)
	return &Queue{
		s: s, o: o,
		work: make(chan *job, o.Waiting),
		quit: make(chan struct{}), idle: make(chan struct{}),
		ring: newRing(o.Events, uint64(max(s.o.Now().UnixMilli(), 0))),
	}
}

func positive(v *int, def int) {
	if *v <= 0 {
		*v = def
	}
}

// Run applies what was submitted until ctx ends or Close is called; then it
// returns nil, after the running operation ended: cancelled when that is still
// possible. It is called once; a second call is an error.
func (q *Queue) Run(ctx context.Context) error {
	q.mu.Lock()
	if q.running {
		q.mu.Unlock()
		return errors.New("the queue was run already")
	}
	if q.closed { // before it began
		q.mu.Unlock()
		return nil
	}
	q.running = true
	q.mu.Unlock()
	defer close(q.idle)
	defer q.stop()
	for {
		select { // the end goes before more work
		case <-ctx.Done():
			return nil
		case <-q.quit:
			return nil
		default:
		}
		select {
		case <-ctx.Done():
			return nil
		case <-q.quit:
			return nil
		case j := <-q.work:
			q.do(ctx, j)
		}
	}
}

// stop refuses what comes and cancels what waits.
func (q *Queue) stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.closed {
		q.closed = true
		close(q.quit)
	}
	for _, j := range q.jobs {
		if j.op.State == StateQueued {
			q.end(j, StateCancelled, errStopped)
		}
	}
}

// Close makes Run return and waits for it, or for ctx. What waits is cancelled;
// what runs is cancelled when that is still possible.
func (q *Queue) Close(ctx context.Context) error {
	q.mu.Lock()
	ran := q.running
	for _, j := range q.jobs {
		if !j.op.State.Final() {
			j.cancel(errStopped)
		}
	}
	q.mu.Unlock()
	q.stop()
	if !ran {
		return nil
	}
	select {
	case <-q.idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("close queue: an operation is still running: %w", context.Cause(ctx))
	}
}

// Submit adds a plan. It fails with [ErrBusy] when too many wait, with [ErrClosed]
// after the end, and at once with [ErrConsent] or for agreeing to what the plan
// does not ask. The Operation that it returns is queued.
func (q *Queue) Submit(p *Plan, a Approval) (Operation, error) {
	if _, err := a.check(p); err != nil {
		return Operation{}, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return Operation{}, ErrClosed
	}
	j := &job{plan: p, approval: a, op: Operation{
		ID: q.s.newID(), Plan: p.ID(), Title: p.Title, Says: p.Says, Actor: a.Actor,
		State: StateQueued, Plugins: concerned(p), Total: p.Download, Started: q.s.o.Now(),
	}}
	j.ctx, j.cancel = context.WithCancelCause(context.Background())
	select {
	case q.work <- j:
	default:
		return Operation{}, fmt.Errorf("%w, and %d more wait: try again later", ErrBusy, q.o.Waiting)
	}
	q.jobs = append(q.jobs, j)
	q.forget()
	q.tell(j, false)
	return j.snapshot(), nil
}

func concerned(p *Plan) []catalog.PluginID {
	out := make([]catalog.PluginID, 0, len(p.Steps))
	for _, st := range p.Steps {
		out = append(out, st.Release.Plugin)
	}
	return out
}

// forget drops the oldest ended operations over the limit.
func (q *Queue) forget() {
	ended := 0
	for _, j := range q.jobs {
		if j.op.State.Final() {
			ended++
		}
	}
	q.jobs = slices.DeleteFunc(q.jobs, func(j *job) bool {
		if ended > q.o.Done && j.op.State.Final() {
			ended--
			return true
		}
		return false
	})
}

// Get returns an operation as it is now. One that this process does not know is
// looked up in the Store's history, where one that a crash interrupted is failed
// and restored. Otherwise the error wraps [catalog.ErrNotFound].
func (q *Queue) Get(id string) (Operation, error) {
	q.mu.Lock()
	for _, j := range q.jobs {
		if j.op.ID == id {
			defer q.mu.Unlock()
			return j.snapshot(), nil
		}
	}
	q.mu.Unlock()
	list, err := q.s.History()
	if err != nil {
		return Operation{}, fmt.Errorf("operation %.80q: %w", id, err)
	}
	for _, e := range list {
		if e.ID == id {
			return e.operation(), nil
		}
	}
	return Operation{}, fmt.Errorf("operation %.80q: %w", id, catalog.ErrNotFound)
}

// operation returns a finished transaction as the operation it was.
func (e Entry) operation() Operation {
	op := Operation{ID: e.ID, Title: e.Title, Says: e.Says, Actor: e.Actor, State: e.State, Started: e.Started, Ended: e.Ended}
	for _, c := range e.Changes {
		op.Plugins = append(op.Plugins, c.Plugin)
	}
	if e.Error != "" {
		op.Err = errors.New(e.Error)
		op.Restored = true
	}
	return op
}

// List returns the operations of this process, newest first.
func (q *Queue) List() []Operation {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := make([]Operation, 0, len(q.jobs))
	for _, j := range slices.Backward(q.jobs) {
		out = append(out, j.snapshot())
	}
	return out
}

// Cancel ends an operation that waits, or that has stopped no plugin yet. From
// then on the error is [ErrTooLate]. That it returns nil does not say that the
// operation will not succeed: it may be about to stop plugins at this moment.
func (q *Queue) Cancel(id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range q.jobs {
		if j.op.ID != id {
			continue
		}
		switch j.op.State {
		case StateQueued:
			q.end(j, StateCancelled, errCancelled)
		case StateResolving, StateDownloading, StateVerifying, StateStaging:
			j.cancel(errCancelled)
		default:
			return fmt.Errorf("operation %s: %w: it is %s", id, ErrTooLate, j.op.State)
		}
		return nil
	}
	return fmt.Errorf("operation %.80q: %w", id, catalog.ErrNotFound)
}

// do applies one job.
func (q *Queue) do(ctx context.Context, j *job) {
	q.mu.Lock()
	if j.op.State.Final() { // cancelled while it waited
		q.mu.Unlock()
		return
	}
	j.op.State, j.op.Started = StateResolving, q.s.o.Now()
	q.tell(j, false)
	q.mu.Unlock()

	defer context.AfterFunc(ctx, func() { j.cancel(errStopped) })()
	_, err := q.s.apply(j.ctx, j.op.ID, j.plan, j.approval, Events{
		State:    func(st State, id catalog.PluginID) { q.entered(j, st, id) },
		Progress: func(id catalog.PluginID, done, total int64) { q.progressed(j, id, done) },
		Log:      func(line string) { q.logged(j, line) },
	})
	state := StateDone
	if err != nil {
		state = StateFailed
		if e, ok := errors.AsType[*Error](err); j.ctx.Err() != nil && ok && e.Restored && errors.Is(err, context.Canceled) {
			state = StateCancelled
		}
	}
	q.mu.Lock()
	q.end(j, state, err)
	op := j.snapshot()
	q.mu.Unlock()
	if q.o.Ended != nil {
		q.o.Ended(op)
	}
}

// end settles an operation; the caller holds q.mu.
func (q *Queue) end(j *job, state State, err error) {
	j.op.Ended, j.op.Err = q.s.o.Now(), err
	if err != nil {
		j.op.Restored = true // refused before anything began, unless the Error says otherwise
		j.op.Failing = string(j.op.State)
		if e, ok := errors.AsType[*Error](err); ok {
			j.op.Restored, j.op.Failing = e.Restored, string(e.Phase)
		}
	}
	j.op.State, j.op.Plugin = state, ""
	j.cancel(nil)
	q.tell(j, false)
}

func (q *Queue) entered(j *job, st State, id catalog.PluginID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if st.Final() { // said by end, with the error
		return
	}
	j.op.State, j.op.Plugin = st, id
	q.tell(j, false)
}

func (q *Queue) progressed(j *job, id catalog.PluginID, done int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	j.op.Done = j.progress(id, done)
	q.tell(j, true)
}

func (q *Queue) logged(j *job, line string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	j.op.Log = append(slices.Clone(j.op.Log[max(0, len(j.op.Log)-maxLines+1):]), line)
	q.tell(j, false)
}

// progress sums up the bytes of all plugins so far.
func (j *job) progress(id catalog.PluginID, done int64) int64 {
	sum := done
	for _, st := range j.plan.Steps {
		if st.Release.Plugin == id {
			break
		}
		if st.Action != ActRemove && st.Action != ActKeep {
			sum += st.Release.Size
		}
	}
	return min(sum, max(j.op.Total, done))
}

func (j *job) snapshot() Operation {
	op := j.op
	op.Log, op.Plugins = slices.Clone(op.Log), slices.Clone(op.Plugins)
	return op
}
