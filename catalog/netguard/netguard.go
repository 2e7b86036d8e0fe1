// Package netguard knows which addresses of the internet are public. Whoever connects to
// where a stranger points (a registry that redirects, a webhook, a file on a publisher's
// domain) asks it about the address that is dialled, after the name was resolved, so that
// a name which resolves to something else the second time gains nothing.
//
//	d := net.Dialer{Control: func(_, resolved string, _ syscall.RawConn) error { … netguard.Public(addr) … }}
//
// What it does not do: it resolves and dials nothing, and knows nothing of ports.
package netguard

import (
	"net/netip"
	"slices"
)

// reserved are the networks that lead no stranger anywhere, beyond those that net/netip
// knows as private, loopback, link-local or multicast. See the registries of IANA for
// special-purpose addresses.
func reserved() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),       // this network
		netip.MustParsePrefix("100.64.0.0/10"),   // carrier-grade NAT, and clouds' inner services
		netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
		netip.MustParsePrefix("192.0.2.0/24"),    // documentation
		netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays, deprecated
		netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
		netip.MustParsePrefix("198.51.100.0/24"), // documentation
		netip.MustParsePrefix("203.0.113.0/24"),  // documentation
		netip.MustParsePrefix("240.0.0.0/4"),     // future use, broadcast
		netip.MustParsePrefix("::/96"),           // IPv4-compatible, deprecated: any IPv4 address in disguise
		netip.MustParsePrefix("::ffff:0:0:0/96"), // IPv4-translated, likewise
		netip.MustParsePrefix("64:ff9b::/96"),    // NAT64, likewise
		netip.MustParsePrefix("64:ff9b:1::/48"),  // NAT64, local
		netip.MustParsePrefix("100::/64"),        // discard
		netip.MustParsePrefix("2001::/32"),       // Teredo: any IPv4 address in disguise
		netip.MustParsePrefix("2001:db8::/32"),   // documentation
		netip.MustParsePrefix("2002::/16"),       // 6to4: any IPv4 address in disguise
		netip.MustParsePrefix("5f00::/16"),       // segment routing
		netip.MustParsePrefix("fec0::/10"),       // site-local, deprecated
	}
}

// Public reports whether an address is one of the public internet, or in one of the
// networks that are allowed all the same. An IPv4 address in an IPv6 one is taken for what
// it is; a zone is ignored. The zero address is not public.
func Public(ip netip.Addr, allowed ...netip.Prefix) bool {
	ip = ip.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(ip) }
	if slices.ContainsFunc(allowed, in) {
		return true
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(reserved(), in)
}
