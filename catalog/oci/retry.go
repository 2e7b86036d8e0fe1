package oci

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// budget counts the failures of one undertaking, however many requests, redirects
// and resumptions it takes, so that no two layers of repetition multiply.
type budget struct {
	mu     sync.Mutex
	failed int
	sent   int // requests since the last verdict; net/http may silently repeat one
}

// fail counts a failure and reports whether another try is left.
func (b *budget) fail() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed += max(1, b.sent)
	b.sent = 0
	return b.failed < MaxFailures
}

// fine says that the last request did not fail.
func (b *budget) fine() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = 0
}

// count is told of every connection that a request is sent on.
func (b *budget) count(httptrace.GotConnInfo) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent++
}

// reset forgets the failures, because there was progress.
func (b *budget) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = 0
}

// tries is how many failures there were.
func (b *budget) tries() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}

type budgetKey struct{}

func withBudget(ctx context.Context, b *budget) context.Context {
	ctx = context.WithValue(ctx, budgetKey{}, b)
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: b.count})
}

// newRetrying makes the client for GET and HEAD. It does not follow redirects.
func newRetrying(t http.RoundTripper, wait time.Duration) *retryablehttp.Client {
	c := retryablehttp.NewClient()
	c.HTTPClient = newPlain(t)
	c.Logger = nil
	c.RetryMax = MaxFailures - 1
	c.RetryWaitMin, c.RetryWaitMax = wait, MaxRetryWait
	c.CheckRetry = checkRetry
	c.Backoff = backoff
	c.ErrorHandler = retryablehttp.PassthroughErrorHandler
	c.PrepareRetry = func(*http.Request) error {
		c.HTTPClient.CloseIdleConnections() // what net/http silently repeats are requests on old connections
		return nil
	}
	return c
}

// newPlain makes the client for everything that has a body.
func newPlain(t http.RoundTripper) *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func checkRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if errors.Is(err, errRefused) {
		return false, err
	}
	again, stop := retryablehttp.DefaultRetryPolicy(ctx, resp, err)
	b, counted := ctx.Value(budgetKey{}).(*budget)
	if !again || stop != nil {
		if counted {
			b.fine()
		}
		return false, stop
	}
	if counted && !b.fail() {
		return false, nil
	}
	if wait := retryablehttp.DefaultBackoff(0, 0, 0, resp); asksToWait(resp) && (wait < 0 || wait > MaxRetryAfter) {
		return false, nil // below 0 is a number of seconds that does not fit
	}
	return true, nil
}

// backoff waits as long as the registry asks for, else twice as long each time,
// give or take a quarter, so that a thousand panels do not come back at once.
func backoff(least, most time.Duration, attempt int, resp *http.Response) time.Duration {
	wait := retryablehttp.DefaultBackoff(least, most, attempt, resp)
	if asksToWait(resp) {
		return wait
	}
	return wait*3/4 + rand.N(wait/2+1)
}

func asksToWait(resp *http.Response) bool {
	return resp != nil && resp.Header.Get("Retry-After") != "" &&
		(resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable)
}

// pause waits before the next try of something that failed after its headers.
func pause(ctx context.Context, least time.Duration, attempt int) error {
	t := time.NewTimer(backoff(least, MaxRetryWait, attempt, nil))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}
