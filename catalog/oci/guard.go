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
)

// reserved are the networks that a public registry has no reason to send us to,
// beyond those that net/netip knows as private, loopback, link-local or multicast.
func reserved() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),       // this network
		netip.MustParsePrefix("100.64.0.0/10"),   // carrier-grade NAT, and clouds' inner services
		netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
		netip.MustParsePrefix("192.0.2.0/24"),    // documentation
		netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
		netip.MustParsePrefix("198.51.100.0/24"), // documentation
		netip.MustParsePrefix("203.0.113.0/24"),  // documentation
		netip.MustParsePrefix("240.0.0.0/4"),     // future use, broadcast
		netip.MustParsePrefix("64:ff9b::/96"),    // NAT64: any IPv4 address in disguise
		netip.MustParsePrefix("64:ff9b:1::/48"),  // likewise, local
		netip.MustParsePrefix("2002::/16"),       // 6to4, likewise
		netip.MustParsePrefix("2001::/32"),       // Teredo, likewise
		netip.MustParsePrefix("2001:db8::/32"),   // documentation
		netip.MustParsePrefix("fec0::/10"),       // site-local, deprecated
	}
}

// guard dials. What is not the registry itself must have a public address, which is
// checked after the name was resolved, on the address that is dialled.
type guard struct {
	home     string // host:port of the registry
	allow    []netip.Prefix
	reserved []netip.Prefix
}

func newGuard(home string, allow []netip.Prefix) *guard {
	return &guard{home: home, allow: slices.Clone(allow), reserved: reserved()}
}

// check refuses an address that is not public.
func (g *guard) check(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(ip) }
	if slices.ContainsFunc(g.allow, in) {
		return nil
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || slices.ContainsFunc(g.reserved, in) {
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
