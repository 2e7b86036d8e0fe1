package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Bounds of a request.
const (
	MaxAnswer = 8 << 20          // bytes; a submission with 500 changed files has 200 kB
	MaxTries  = 3                // of one request
	MaxWait   = 30 * time.Second // between two; a hub that asks for more is an error at once
	timeout   = 60 * time.Second // of one try
)

// Options of [New]. The zero value asks anonymously.
type Options struct {
	// Token is an API, CI or panel token. Empty: nobody is signed in.
	Token string
	// HTTPClient sends requests; its redirects are not used. nil: one with a time limit.
	HTTPClient *http.Client
	// UserAgent is sent with every request. Empty: "souk".
	UserAgent string
}

// Client speaks to one hub.
type Client struct {
	base  *url.URL
	o     Options
	http  *http.Client
	sleep func(ctx context.Context, d time.Duration) error
}

// New returns a client of the hub at an address such as "https://hub.example.org". Plain
// http is for loopback addresses: a token would be read on the way.
func New(address string, o Options) (*Client, error) {
	u, err := url.Parse(strings.TrimSuffix(address, "/"))
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Path != "" {
		return nil, fmt.Errorf("hub %.200q: must be like https://hub.example.org", address)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return nil, fmt.Errorf("hub %s: must be https, because a token would be read on the way", address)
	}
	if o.UserAgent == "" {
		o.UserAgent = "souk"
	}
	h := http.Client{Timeout: timeout}
	if o.HTTPClient != nil {
		h = *o.HTTPClient
	}
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{base: u, o: o, http: &h, sleep: sleep}, nil
}

func loopback(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || host == "::1" || strings.HasPrefix(host, "127.")
}

// WithToken returns a client of the same hub that asks with another token.
func (c *Client) WithToken(token string) *Client {
	other := *c
	other.o.Token = token
	return &other
}

// Address returns the hub's address.
func (c *Client) Address() string { return c.base.String() }

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// Problem is an error that the hub answered with (RFC 9457). It wraps the sentinel of
// package hub that it stands for.
type Problem struct {
	Type     string `json:"type"`  // "urn:souk:problem:not-found"
	Title    string `json:"title"` // "Not found"
	Status   int    `json:"status"`
	Detail   string `json:"detail"`
	Instance string `json:"instance"` // names the request in the hub's log
	Errors   []struct {
		Location string `json:"location"` // "body.notes"
		Message  string `json:"message"`
	} `json:"errors"`
	// RetryAfter is how long to wait; zero when the hub did not say.
	RetryAfter time.Duration `json:"-"`
}

func (p *Problem) Error() string {
	text := p.Detail
	if text == "" {
		text = strings.ToLower(p.Title)
	}
	for _, e := range p.Errors {
		if !strings.Contains(text, e.Message) {
			text += "; " + strings.TrimPrefix(e.Location+": ", ": ") + e.Message
		}
	}
	return text
}

// Unwrap returns the sentinel of package hub.
func (p *Problem) Unwrap() error {
	switch strings.TrimPrefix(p.Type, "urn:souk:problem:") {
	case "not-fresh":
		return hub.ErrNotFresh
	case "unauthenticated":
		return hub.ErrUnauthenticated
	case "forbidden":
		return hub.ErrForbidden
	case "not-found":
		return hub.ErrNotFound
	case "exists":
		return hub.ErrExists
	case "moved":
		return hub.ErrMoved
	case "state":
		return hub.ErrState
	case "unavailable":
		return hub.ErrUnavailable
	}
	return nil
}

// call is a request below /api/v1.
type call struct {
	method, path string
	query        url.Values
	body         any        // JSON; nil: none
	form         url.Values // instead of a body
}

// do sends a request, again where that is safe and helps, and decodes the answer into out
// unless that is nil; a *[]byte gets it as it is.
func (c *Client) do(ctx context.Context, q call, out any) error {
	wrap := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s %s: %w", q.method, q.path, err)
	}
	var body []byte
	kind := "application/json"
	if q.body != nil {
		var err error
		if body, err = json.Marshal(q.body); err != nil {
			return wrap(err)
		}
	}
	if q.form != nil {
		body, kind = []byte(q.form.Encode()), "application/x-www-form-urlencoded"
	}
	key := rand.Text()
	for try := 1; ; try++ {
		wait, err := c.once(ctx, q, kind, body, key, out)
		if err == nil {
			return nil
		}
		if wait <= 0 || wait > MaxWait || try == MaxTries || q.form != nil {
			return wrap(err)
		}
		if err := c.sleep(ctx, wait); err != nil {
			return wrap(err)
		}
	}
}

// once sends a request one time. A positive wait says that trying again may help.
func (c *Client) once(ctx context.Context, q call, kind string, body []byte, key string, out any) (wait time.Duration, err error) {
	u := *c.base
	u.Path = "/api/v1" + q.path // made of checked names
	u.RawQuery = q.query.Encode()
	req, err := http.NewRequestWithContext(ctx, q.method, u.String(), bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", c.o.UserAgent)
	req.Header.Set("Accept", "application/json")
	if len(body) > 0 {
		req.Header.Set("Content-Type", kind)
	}
	if c.o.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.o.Token)
	}
	if q.method == http.MethodPost && q.form == nil {
		req.Header.Set("Idempotency-Key", key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		var dial *url.Error
		if errors.As(err, &dial) {
			err = dial.Err // without the address, which the caller has
		}
		return time.Second, fmt.Errorf("%w: %w", hub.ErrUnavailable, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, MaxAnswer+1))
	if err != nil {
		return time.Second, fmt.Errorf("%w: %w", hub.ErrUnavailable, err)
	}
	if len(b) > MaxAnswer {
		return 0, fmt.Errorf("the answer has more than %d bytes", MaxAnswer)
	}
	if resp.StatusCode >= 300 {
		return c.failed(resp, b)
	}
	if out == nil || resp.StatusCode == http.StatusNoContent {
		return 0, nil
	}
	if raw, is := out.(*[]byte); is {
		*raw = b
		return 0, nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return 0, fmt.Errorf("the answer is not what this version expects: %w", err)
	}
	return 0, nil
}

// failed reads an error.
func (c *Client) failed(resp *http.Response, b []byte) (time.Duration, error) {
	p := &Problem{Status: resp.StatusCode, Title: http.StatusText(resp.StatusCode)}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case kind == "application/problem+json":
		if err := json.Unmarshal(b, p); err != nil {
			return 0, fmt.Errorf("%s answered %d with something that is no problem document: %w", c.base.Host, resp.StatusCode, err)
		}
	case kind == "application/json":
		var o struct {
			Error       string `json:"error"`
			Description string `json:"error_description"`
		}
		if json.Unmarshal(b, &o) == nil && o.Error != "" {
			return 0, &LinkError{Code: o.Error, Description: o.Description}
		}
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return 0, fmt.Errorf("%s leads elsewhere, to %.200q: is this the hub's own address?", c.base.Host, resp.Header.Get("Location"))
	}
	if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
		p.RetryAfter = time.Duration(s) * time.Second
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusBadGateway, http.StatusGatewayTimeout:
		if p.Type == "" {
			p.Type = "urn:souk:problem:unavailable"
		}
		return max(p.RetryAfter, time.Second), p
	}
	return 0, p
}

// get reads into a T.
func get[T any](ctx context.Context, c *Client, path string, query url.Values) (T, error) {
	var out T
	err := c.do(ctx, call{method: http.MethodGet, path: path, query: query}, &out)
	return out, err
}

// send writes a body and reads a T.
func send[T any](ctx context.Context, c *Client, method, path string, body any) (T, error) {
	var out T
	err := c.do(ctx, call{method: method, path: path, body: body}, &out)
	return out, err
}
