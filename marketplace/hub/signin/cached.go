package signin

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// How long what an issuer publishes is believed, and how often it is asked. A key that
// the issuer took back is trusted for at most freshFor while it answers, and for
// staleFor when somebody cuts the line.
const (
	freshFor   = time.Hour
	staleFor   = 6 * time.Hour
	minAgain   = time.Minute     // between two loads for a key id that is not there
	maxBackOff = 5 * time.Minute // between two loads of which the first failed
)

// cached is a value that is loaded when needed, by one caller at a time. It is safe for
// concurrent use and has no goroutine of its own.
type cached[T any] struct {
	what string // for the log: "keys of https://issuer"
	now  func() time.Time
	log  *slog.Logger
	load func(context.Context) (T, error)
	turn chan struct{} // holds whoever loads

	mu       sync.Mutex
	value    T
	loaded   time.Time // of value; zero: never
	tried    time.Time
	failures int // in a row
	err      error
}

func newCached[T any](what string, now func() time.Time, log *slog.Logger, load func(context.Context) (T, error)) *cached[T] {
	return &cached[T]{what: what, now: now, log: log, load: load, turn: make(chan struct{}, 1)}
}

// get returns the value. With again, what is cached was not good enough: it is loaded
// anew, unless that happened within minAgain, and an error is not hidden by an older
// value.
func (c *cached[T]) get(ctx context.Context, again bool) (T, error) {
	if v, err, done := c.known(again); done {
		return v, err
	}
	if err := ctx.Err(); err != nil {
		var none T
		return none, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	if v, err, done := c.known(again); done { // loaded by another while we waited
		return v, err
	}
	// Others wait for this load, so it does not end with whoever happened to be first.
	loading, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestTimeout)
	defer cancel()
	v, err := c.load(loading)
	c.keep(v, err)
	v, err, _ = c.known(again)
	return v, err
}

// known says what can be answered without loading.
func (c *cached[T]) known(again bool) (T, error, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	age, since := now.Sub(c.loaded), now.Sub(c.tried)
	have := !c.loaded.IsZero() && age < staleFor
	var none T
	switch {
	case have && age < freshFor && !again:
		return c.value, nil, true
	case have && again && c.failures == 0 && since < minAgain:
		return c.value, nil, true
	case c.failures == 0 || since >= backOff(c.failures):
		return none, nil, false
	case have && !again:
		return c.value, nil, true
	}
	return none, c.err, true
}

func (c *cached[T]) keep(v T, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tried = c.now()
	if err != nil {
		c.failures++
		c.err = err
		c.log.Warn("identity provider not read", "what", c.what, "error", err, "again_in", backOff(c.failures))
		return
	}
	c.value, c.loaded, c.failures, c.err = v, c.tried, 0, nil
}

// backOff is 1 s after the first failure, and doubles.
func backOff(failures int) time.Duration {
	return min(time.Second<<min(failures-1, 16), maxBackOff)
}
