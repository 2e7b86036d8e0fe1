package netguard_test

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/souk-dev/souk/catalog/netguard"
)

func TestPublic(t *testing.T) {
	t.Parallel()
	for _, public := range []string{"1.1.1.1", "8.8.8.8", "192.0.1.1", "2606:4700::1111", "::ffff:1.1.1.1"} {
		assert.True(t, netguard.Public(netip.MustParseAddr(public)), public)
	}
	for _, inside := range []string{
		"127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "0.1.2.3", "100.64.0.1", "192.0.0.8", "192.0.2.1", "192.88.99.1",
		"198.18.0.1", "198.51.100.1", "203.0.113.9", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:7f00:1",
		"64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "5f00::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "fec0::1", "ff02::1",
	} {
		assert.False(t, netguard.Public(netip.MustParseAddr(inside)), inside)
	}
	assert.False(t, netguard.Public(netip.Addr{}))
	assert.True(t, netguard.Public(netip.MustParseAddr("::ffff:10.0.0.1"), netip.MustParsePrefix("10.0.0.0/24")))
	assert.False(t, netguard.Public(netip.MustParseAddr("10.0.1.1"), netip.MustParsePrefix("10.0.0.0/24")))
}

func ExamplePublic() {
	fmt.Println(netguard.Public(netip.MustParseAddr("2606:4700::1111")))
	fmt.Println(netguard.Public(netip.MustParseAddr("64:ff9b::169.254.169.254"))) // a cloud's metadata, in disguise
	// Output:
	// true
	// false
}
