package oci

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/souk-dev/souk/catalog/netguard"
)

// guard dials. What is not the registry itself must have a public address, which is
// checked after the name was resolved, on the address that is dialled.
type guard struct {
	home  string // host:port of the registry
	allow []netip.Prefix
}

func newGuard(home string, allow []netip.Prefix) *guard {
	return &guard{home: home, allow: slices.Clone(allow)}
}

// check refuses an address that is not public.
func (g *guard) check(ip netip.Addr) error {
	if !netguard.Public(ip, g.allow...) {
		return fmt.Errorf("%w: %s is not a public address; if it is yours, add its network to AllowPrivate", errRefused, ip)
	}
	return nil
}

func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if strings.ToLower(address) != g.home {
		d.Control = func(_, resolved string, _ syscall.RawConn) error {
			a, err := netip.ParseAddrPort(resolved)
			if err != nil {
				return fmt.Errorf("%w: %.60q is not an address", errRefused, resolved)
			}
			return g.check(a.Addr())
		}
	}
	return d.DialContext(ctx, network, address)
}

// transport is the built-in one: no proxy, no transparent decompression, bounded
// headers and waits.
func (g *guard) transport() *http.Transport {
	return &http.Transport{
		DialContext:            g.dial,
		ForceAttemptHTTP2:      true,
		DisableCompression:     true, // a digest is over the bytes on the wire
		MaxIdleConnsPerHost:    8,
		MaxResponseHeaderBytes: 64 << 10,
		IdleConnTimeout:        90 * time.Second,
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		ExpectContinueTimeout:  time.Second,
	}
}
