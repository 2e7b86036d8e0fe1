package sandbox

import (
	"fmt"
	"strconv"
	"strings"
)

// NetOut returns the permission that connecting to a host takes, for whoever enforces
// it. host is a name or an address as net.SplitHostPort and url.URL.Hostname return
// it, IPv6 without brackets; patterns are errors.
//
// A name and the address it resolves to are two hosts: checking only the name lets a
// plugin reach whatever that name's owner points it to.
func NetOut(host string, port uint16) (Permission, error) {
	if strings.Contains(host, "*") {
		return "", fmt.Errorf("host %.100q is a pattern", host)
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return Parse(string(KindNetOut) + ":" + host + ":" + strconv.Itoa(int(port)))
}
