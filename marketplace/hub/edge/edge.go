package edge

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Authenticator says who it is that shows a session's cookie or a token. Both return an
// error that wraps [hub.ErrUnauthenticated] when it is nobody's.
type Authenticator interface {
	Authenticate(ctx context.Context, cookie string) (hub.Actor, error)
	AuthenticateToken(ctx context.Context, raw string) (hub.Actor, error)
}

// Options are the decisions of the operator. Authenticator, Cookie and BaseURL are required.
type Options struct {
	Authenticator Authenticator
	// Cookie is the name of the session's cookie.
	Cookie string
	// BaseURL is how the hub is reached: "https://hub.example.org", without a path. On
	// plain http it must be a loopback address or localhost.
	BaseURL string
	// Hosts are further names by which the hub is reached. Addresses and localhost always are.
	Hosts []string
	// Proxies are the networks of proxies whose X-Forwarded-For is believed. Empty: none.
	Proxies []netip.Prefix
	Limits  Limits
	// BodyTime is how long a request may take to send its body. 0: a minute. Requests
	// are small; who sends a byte now and then holds a connection and memory.
	BodyTime time.Duration
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
}

// Edge wraps handlers. It is safe for concurrent use.
type Edge struct {
	o      Options
	base   *url.URL
	origin *http.CrossOriginProtection
	limits *limiter
}

// New checks the options.
func New(o Options) (*Edge, error) {
	if o.Authenticator == nil || o.Cookie == "" {
		return nil, errors.New("edge: an authenticator and the name of its cookie are needed")
	}
	base, err := url.Parse(o.BaseURL)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" || strings.Trim(base.Path, "/") != "" || base.RawQuery != "" {
		return nil, fmt.Errorf("edge: base address %.200q must be like https://hub.example.org", o.BaseURL)
	}
	if base.Scheme == "http" && !local(base.Hostname()) {
		return nil, fmt.Errorf("edge: base address %s: without https only a loopback address is served, because cookies and tokens would be read on the way", o.BaseURL)
	}
	if o.BodyTime == 0 {
		o.BodyTime = time.Minute
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	e := &Edge{o: o, base: base, origin: http.NewCrossOriginProtection(), limits: newLimiter(o.Limits.withDefaults())}
	if err := e.origin.AddTrustedOrigin(base.Scheme + "://" + base.Host); err != nil {
		return nil, fmt.Errorf("edge: %w", err)
	}
	return e, nil
}

type key struct{}

// request is what is known of a request.
type request struct {
	id      string
	actor   hub.Actor
	err     error
	address netip.Addr
	session string
}

func known(ctx context.Context) *request {
	r, _ := ctx.Value(key{}).(*request)
	if r == nil {
		return &request{}
	}
	return r
}

// ActorOf returns who asks; the zero Actor is nobody.
func ActorOf(ctx context.Context) hub.Actor { return known(ctx).actor }

// RequestID returns the id of the request, as the answer's X-Request-Id has it.
func RequestID(ctx context.Context) string { return known(ctx).id }

// AddressOf returns where the request came from.
func AddressOf(ctx context.Context) netip.Addr { return known(ctx).address }

// SessionOf returns the value of the session's cookie, empty when there is none.
func SessionOf(ctx context.Context) string { return known(ctx).session }

// ErrorOf returns why nobody is known to ask although something was shown: a token that
// is not valid, a database that does not answer. A face must answer with it before
// anything else.
func ErrorOf(ctx context.Context) error { return known(ctx).err }

// Errors of this package, as ErrorOf and the wrapped handler's answers have them.
var (
	ErrCrossOrigin = errors.New("request of another site")
	ErrHost        = errors.New("request for a host that is not this hub")
)

// Fail writes an error as an answer, in the words of a face.
type Fail func(w http.ResponseWriter, r *http.Request, err error)

// Wrap returns a handler that does what the package documentation says before and after
// next. What it refuses itself is written by fail.
func (e *Edge) Wrap(next http.Handler, fail Fail) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := &request{id: requestID(), address: e.address(r)}
		ctx := context.WithValue(r.Context(), key{}, q)
		r = r.WithContext(ctx)
		h := w.Header()
		h.Set("X-Request-Id", q.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("X-Frame-Options", "DENY")
		if e.base.Scheme == "https" {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		defer e.recovered(w, r, fail)
		e.hurry(w, r)
		if !e.hostAllowed(r.Host) {
			e.o.Log.Warn("request for a host that is not this hub", "host", r.Host, "hint", "add it to Options.Hosts")
			fail(w, r, ErrHost)
			return
		}
		if err := e.origin.Check(r); err != nil {
			fail(w, r, fmt.Errorf("%w: %w", ErrCrossOrigin, err))
			return
		}
		// The address first: a flood of bad tokens must not reach the database.
		if err := e.limits.spend(w, r, "a "+Network(q.address), e.o.Now()); err != nil {
			fail(w, r, err)
			return
		}
		q.session = e.sessionCookie(r)
		q.actor, q.err = e.who(r, q.session)
		if q.actor.Account != "" {
			if err := e.limits.spend(w, r, "u "+q.actor.Account, e.o.Now()); err != nil {
				fail(w, r, err)
				return
			}
		}
		if q.err != nil {
			fail(w, r, q.err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// hurry bounds how long the body may take, by the clock of the system as connections are.
func (e *Edge) hurry(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		http.NewResponseController(w).SetReadDeadline(time.Now().Add(e.o.BodyTime)) //nolint:errcheck // what has no deadlines is no connection
	}
}

// recovered answers for a handler that panicked.
func (e *Edge) recovered(w http.ResponseWriter, r *http.Request, fail Fail) {
	p := recover()
	if p == nil {
		return
	}
	if p == http.ErrAbortHandler {
		panic(p)
	}
	e.o.Log.Error("panic in a handler", "request", RequestID(r.Context()), "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
	fail(w, r, fmt.Errorf("internal error in request %s", RequestID(r.Context())))
}

func (e *Edge) sessionCookie(r *http.Request) string {
	c, err := r.Cookie(e.o.Cookie)
	if err != nil || len(c.Value) > 200 {
		return ""
	}
	return c.Value
}

// who finds out who asks.
func (e *Edge) who(r *http.Request, session string) (hub.Actor, error) {
	if a := r.Header.Get("Authorization"); a != "" {
		scheme, token, _ := strings.Cut(a, " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > maxToken {
			return hub.Actor{}, fmt.Errorf("authorization: %w: a bearer token is expected", hub.ErrUnauthenticated)
		}
		return e.o.Authenticator.AuthenticateToken(r.Context(), token)
	}
	if session == "" {
		return hub.Actor{}, nil
	}
	a, err := e.o.Authenticator.Authenticate(r.Context(), session)
	if errors.Is(err, hub.ErrUnauthenticated) {
		return hub.Actor{}, nil // it has ended: nobody
	}
	return a, err
}

// maxToken is the most bytes of a bearer token; those of this hub have some 50, those of
// a CI job's identity 2,000.
const maxToken = 16 << 10

// address returns where the request came from: the last address that was added by
// somebody we believe.
func (e *Edge) address(r *http.Request) netip.Addr {
	a := peer(r)
	if !e.proxy(a) {
		return a
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			return a
		}
		if a = hop.Unmap(); !e.proxy(a) {
			return a
		}
	}
	return a
}

func peer(r *http.Request) netip.Addr {
	ap, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap()
}

func (e *Edge) proxy(a netip.Addr) bool {
	for _, p := range e.o.Proxies {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// Network is what counts as one client: an IPv4 address, or the /64 of an IPv6 address,
// which one customer has all of. Limits are kept by it.
func Network(a netip.Addr) string {
	a = a.Unmap()
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// hostAllowed says whether a request for this Host header may be answered: a page of an
// attacker can point its own name at this server.
func (e *Edge) hostAllowed(host string) bool {
	name := host
	if n, _, err := net.SplitHostPort(host); err == nil {
		name = n
	}
	name = strings.ToLower(strings.TrimSuffix(strings.Trim(name, "[]"), "."))
	if local(name) || name == strings.ToLower(e.base.Hostname()) {
		return true
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	for _, h := range e.o.Hosts {
		if strings.EqualFold(h, name) {
			return true
		}
	}
	return false
}

// local reports whether a host name is this machine.
func local(name string) bool {
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.IsLoopback()
}

func requestID() string {
	var b [12]byte
	rand.Read(b[:]) //nolint:errcheck // never fails since Go 1.24
	return hex.EncodeToString(b[:])
}

// Address returns where a request came from, as [AddressOf] has it behind [Edge.Wrap].
func (e *Edge) Address(r *http.Request) netip.Addr { return e.address(r) }

// Bound returns a handler for programs that have a way of their own to say who they are:
// of all that Wrap does it only counts, by address, answers 429 to who asks too often, and
// bounds how long a body takes.
func (e *Edge) Bound(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := e.limits.spend(w, r, "b "+Network(e.address(r)), e.o.Now()); err != nil {
			w.Header().Set("Retry-After", "5")
			http.Error(w, err.Error(), http.StatusTooManyRequests)
			return
		}
		e.hurry(w, r)
		next.ServeHTTP(w, r)
	})
}
