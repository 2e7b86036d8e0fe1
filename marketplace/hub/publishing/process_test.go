package publishing_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// jobs is the queue, which outlives a process as the store's does.
type jobs struct {
	mu      sync.Mutex
	waiting []hub.Job
}

func (q *jobs) add(all ...hub.Job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, j := range all {
		known := false
		for _, w := range q.waiting {
			known = known || w.Kind == j.Kind && w.Subject == j.Subject
		}
		if !known {
			q.waiting = append(q.waiting, j)
		}
	}
}

func (q *jobs) take(now time.Time) (hub.Job, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i, j := range q.waiting {
		if !j.At.After(now) {
			q.waiting = append(q.waiting[:i:i], q.waiting[i+1:]...)
			return j, true
		}
	}
	return hub.Job{}, false
}

// cut ends a process between two steps: from the step with the number at on, nothing
// works any more.
type cut struct {
	mu   sync.Mutex
	at   int // 0: never
	step int
	name string // of the step at which it ended
}

var errDead = errors.New("the process is dead")

func (c *cut) next(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.step++
	if c.at == 0 || c.step < c.at {
		return nil
	}
	if c.step == c.at {
		c.name = name
	}
	return errDead
}

func (c *cut) set(at int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.step, c.name = at, 0, ""
}

// store counts transactions as steps, before and after, and keeps the jobs.
type store struct {
	hub.Store
	jobs *jobs
	cut  *cut
}

type tx struct {
	hub.Tx
	jobs *[]hub.Job
}

func (t tx) Enqueue(_ context.Context, all ...hub.Job) error {
	*t.jobs = append(*t.jobs, all...)
	return nil
}

func (s *store) View(ctx context.Context, f func(hub.Tx) error) error {
	if err := s.cut.next("view"); err != nil {
		return err
	}
	return s.Store.View(ctx, f)
}

func (s *store) Update(ctx context.Context, f func(hub.Tx) error) error {
	if err := s.cut.next("update"); err != nil {
		return err
	}
	var added []hub.Job
	if err := s.Store.Update(ctx, func(t hub.Tx) error {
		added = nil
		return f(tx{t, &added})
	}); err != nil {
		return err
	}
	s.jobs.add(added...)
	return s.cut.next("updated")
}

// wire counts requests as steps, before and after.
type wire struct {
	cut    *cut
	before func(*http.Request) // nil: nothing happens
}

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.before != nil {
		w.before(r)
	}
	if err := w.cut.next("request " + r.Method + " " + r.URL.Path); err != nil {
		return nil, err
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if err := w.cut.next("answer " + r.Method + " " + r.URL.Path); err != nil {
		resp.Body.Close()
		return nil, err
	}
	return resp, nil
}
