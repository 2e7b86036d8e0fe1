package oci

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"
)

// client speaks to one registry. It is safe for concurrent use.
type client struct {
	at       location
	home     string // host:port of the registry
	base     http.RoundTripper
	retrying *retryablehttp.Client // GET, HEAD
	plain    *http.Client          // POST, PUT: sent once
	creds    Credentials
	tokens   []string // hosts whose token servers may see the credentials
	agent    string
	wait     time.Duration
	stall    time.Duration
	log      *slog.Logger

	mu     sync.Mutex
	logins map[string]string // Authorization header by scopes
}

func newClient(at location, o Options) *client {
	c := &client{
		at:     at,
		home:   hostPort(at.scheme, at.registry.RegistryStr()),
		base:   o.Transport,
		creds:  o.Credentials,
		tokens: o.TokenHosts,
		agent:  cmp.Or(o.UserAgent, "souk"),
		wait:   cmp.Or(o.RetryWait, defaultRetryWait),
		stall:  cmp.Or(o.Stall, defaultStall),
		log:    o.Log,
		logins: make(map[string]string),
	}
	if c.base == nil {
		c.base = newGuard(c.home, o.AllowPrivate).transport()
	}
	if c.creds == nil {
		c.creds = DockerCredentials
	}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.retrying, c.plain = newRetrying(c.base, c.wait), newPlain(c.base)
	return c
}

func hostPort(scheme, host string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return strings.ToLower(host)
	}
	port := "443"
	if scheme == "http" {
		port = "80"
	}
	return net.JoinHostPort(strings.ToLower(strings.Trim(host, "[]")), port)
}

// isHome reports whether u is at the registry itself, which alone sees credentials.
func (c *client) isHome(u *url.URL) bool {
	return u.Scheme == c.at.scheme && hostPort(u.Scheme, u.Host) == c.home
}

// url returns the address of something in a repository: "manifests", "latest".
func (c *client) url(repo, kind, reference string) *url.URL {
	return &url.URL{Scheme: c.at.scheme, Host: c.at.registry.RegistryStr(), Path: "/v2/" + repo + "/" + kind + "/" + reference}
}

// request is one thing asked of a registry.
type request struct {
	what   string // for messages: "read plugins/catalog:timestamp.json"
	method string
	url    *url.URL
	repo   string // whose permission is needed
	push   bool   // pull and push, not pull alone
	from   string // of a mount: the repository to pull from, else empty
	header http.Header
	size   int64 // of the body
	body   func() (io.ReadCloser, error)
}

// scopes are what a token for the request must allow.
func (r *request) scopes() []string {
	s := []string{"repository:" + r.repo + ":pull"}
	if r.push {
		s[0] += ",push"
	}
	if r.from != "" {
		s = append(s, "repository:"+r.from+":pull")
	}
	return s
}

// login is under what its login is remembered.
func (r *request) login() string { return strings.Join(r.scopes(), " ") }

// send asks and returns the answer, whatever its status: logged in, redirects
// followed, failures repeated as far as the budget in ctx allows.
func (c *client) send(ctx context.Context, r request) (*http.Response, error) {
	b, ok := ctx.Value(budgetKey{}).(*budget)
	if !ok {
		b = &budget{}
		ctx = withBudget(ctx, b)
	}
	u, loggedIn := r.url, false
	for hops := 0; ; {
		resp, err := c.once(ctx, r, u)
		if err != nil {
			return nil, unreachable(ctx, r.what, err)
		}
		switch {
		case resp.StatusCode == http.StatusUnauthorized && c.isHome(u) && !loggedIn:
			challenges := resp.Header.Values("WWW-Authenticate")
			drain(resp)
			if err := c.login(ctx, r, challenges); err != nil {
				return nil, unreachable(ctx, r.what, err)
			}
			b.fine() // the token server has a budget of its own
			loggedIn = true
		case isRedirect(resp.StatusCode) && resp.Header.Get("Location") != "":
			drain(resp)
			if hops++; hops > MaxRedirects {
				return nil, unreachable(ctx, r.what, fmt.Errorf("%w: more than %d redirects", errRefused, MaxRedirects))
			}
			if u, err = c.follow(u, resp.Header.Get("Location")); err != nil {
				return nil, unreachable(ctx, r.what, err)
			}
		default:
			return resp, nil
		}
	}
}

// once sends one request to u; GET and HEAD are repeated when they fail.
func (c *client) once(ctx context.Context, r request, u *url.URL) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for k, v := range r.header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", c.agent)
	if c.isHome(u) {
		c.mu.Lock()
		if login := c.logins[r.login()]; login != "" {
			req.Header.Set("Authorization", login)
		}
		c.mu.Unlock()
	}
	if r.method == http.MethodGet || r.method == http.MethodHead {
		again, err := retryablehttp.FromRequest(req)
		if err != nil {
			return nil, err
		}
		return c.retrying.Do(again)
	}
	if r.body != nil {
		if req.Body, err = r.body(); err != nil {
			return nil, err
		}
		req.ContentLength = r.size
		if r.size == 0 {
			req.Body.Close()
			req.Body = http.NoBody
		}
	}
	return c.plain.Do(req)
}

func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// follow resolves where a Location leads and refuses plain HTTP, but for the
// registry itself when that is spoken to in plain HTTP.
func (c *client) follow(from *url.URL, location string) (*url.URL, error) {
	ref, err := url.Parse(location)
	if err != nil {
		return nil, fmt.Errorf("%w: Location is not a URL", errRefused)
	}
	to := from.ResolveReference(ref)
	if to.Host == "" || to.User != nil || to.Scheme != "https" && !c.isHome(to) {
		return nil, fmt.Errorf("%w: %s leads to %.100q, which is not https", errRefused, from.Host, to.Scheme+"://"+to.Host)
	}
	return to, nil
}

// drain empties a short body, so that the connection is used again.
func drain(resp *http.Response) {
	if _, err := io.CopyN(io.Discard, resp.Body, 8<<10); err != nil && !errors.Is(err, io.EOF) {
		resp.Body.Close()
		return
	}
	resp.Body.Close()
}

// document is a small answer, read whole.
type document struct {
	status int
	header http.Header
	body   []byte
}

// read gets a document of at most limit bytes. Statuses other than 200 and those
// in also are errors. A body that breaks off is read again, within the budget.
func (c *client) read(ctx context.Context, r request, limit int64, also ...int) (*document, error) {
	b := &budget{}
	ctx = withBudget(ctx, b)
	for {
		d, err := c.readOnce(ctx, r, limit, also)
		if !errors.Is(err, errDropped) {
			return d, err
		}
		if !b.fail() {
			return nil, unreachable(ctx, r.what, fmt.Errorf("%w; gave up after %d tries", err, b.tries()))
		}
		c.log.InfoContext(ctx, "registry dropped an answer, asking again", "what", r.what, "error", err)
		if err := pause(ctx, c.wait, b.tries()-1); err != nil {
			return nil, unreachable(ctx, r.what, err)
		}
	}
}

func (c *client) readOnce(ctx context.Context, r request, limit int64, also []int) (*document, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	resp, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	d := &document{status: resp.StatusCode, header: resp.Header}
	if resp.StatusCode != http.StatusOK {
		for _, s := range also {
			if s == resp.StatusCode {
				drain(resp)
				return d, nil
			}
		}
		return nil, answered(r.what, resp)
	}
	defer resp.Body.Close()
	if resp.ContentLength > limit {
		return nil, fmt.Errorf("%s: %d bytes are more than %d", r.what, resp.ContentLength, limit)
	}
	var buf bytes.Buffer
	n, err := io.Copy(&buf, io.LimitReader(watch(resp.Body, c.stall, cancel), limit+1))
	if err != nil {
		return nil, fmt.Errorf("%w after %d bytes: %w", errDropped, n, err)
	}
	if n > limit {
		return nil, fmt.Errorf("%s: is longer than %d bytes", r.what, limit)
	}
	d.body = buf.Bytes()
	return d, nil
}

// errDropped means that an answer broke off, so that asking again makes sense.
var errDropped = errors.New("the connection dropped")

// errStalled is why a request was cancelled that brought nothing any more.
var errStalled = errors.New("no byte came for too long")

// watched cancels the request of a body that brings no byte for the time of stall.
type watched struct {
	body  io.Reader
	stall time.Duration
	timer *time.Timer // stopped between reads
}

func watch(body io.Reader, stall time.Duration, cancel context.CancelCauseFunc) *watched {
	t := time.AfterFunc(stall, func() { cancel(errStalled) })
	t.Stop()
	return &watched{body, stall, t}
}

func (w *watched) Read(p []byte) (int, error) {
	w.timer.Reset(w.stall)
	defer w.timer.Stop()
	return w.body.Read(p)
}
