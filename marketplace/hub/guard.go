package hub

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/souk-dev/souk/catalog/netguard"
)

// ErrRefused means that an address that somebody gave is not one the hub connects to.
var ErrRefused = errors.New("the hub does not connect there")

// Guard decides where the hub connects to when a user gave the address: a webhook, a
// file on a publisher's domain. It checks the address that is dialled and not the
// name, so that a name which resolves to something else the second time gains
// nothing. The zero value allows public addresses and nothing else.
type Guard struct {
	// AllowPrivate are networks that are not public and may be connected to all the
	// same: those of an organisation whose users are its own, and of tests.
	AllowPrivate []netip.Prefix
}

// Check returns an error that wraps [ErrRefused] for an address that is not public.
func (g Guard) Check(ip netip.Addr) error {
	if !netguard.Public(ip, g.AllowPrivate...) {
		return fmt.Errorf("%w: %s is not a public address", ErrRefused, ip)
	}
	return nil
}

// CheckURL says what is wrong with an address that a user gives: it must be https,
// with a host, without a name and password in it. It resolves nothing: what the host
// leads to is checked when it is dialled.
func (g Guard) CheckURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || len(raw) > 2000:
		return nil, errors.New("is not an address")
	case u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("must be an https address")
	case u.User != nil:
		return nil, errors.New("must not have a name or password in it")
	case u.Fragment != "":
		return nil, errors.New("must not have a fragment")
	}
	if ip, err := netip.ParseAddr(strings.Trim(u.Hostname(), "[]")); err == nil {
		if err := g.Check(ip); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// Dial connects like a [net.Dialer], to what [Guard.Check] accepts only.
func (g Guard) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, Control: func(_, resolved string, _ syscall.RawConn) error {
		a, err := netip.ParseAddrPort(resolved)
		if err != nil {
			return fmt.Errorf("%w: %.60q is not an address", ErrRefused, resolved)
		}
		return g.Check(a.Addr())
	}}
	return d.DialContext(ctx, network, address)
}

// Transport returns a transport that dials by the guard, with no proxy, bounded
// headers and no idle connections: each request is to another stranger. The caller
// may set TLSClientConfig before it is used.
func (g Guard) Transport() *http.Transport {
	return &http.Transport{
		DialContext:            g.Dial,
		DisableKeepAlives:      true,
		DisableCompression:     true, // a small answer stays small
		MaxResponseHeaderBytes: 64 << 10,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  15 * time.Second,
	}
}

// Client returns a client that follows no redirect and takes at most timeout for a
// request with its answer. transport is what [Guard.Transport] returned.
func (g Guard) Client(transport *http.Transport, timeout time.Duration) *http.Client {
	return &http.Client{
		Transport:     transport,
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
