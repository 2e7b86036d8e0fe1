package sandbox_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/souk-dev/souk/sandbox"
)

func TestNetOut(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]sandbox.Permission{
		"API.example.com.": "net.out:api.example.com:443",
		"192.0.2.1":        "net.out:192.0.2.1:443",
		"2001:db8::1":      "net.out:[2001:db8::1]:443",
		"::ffff:192.0.2.1": "net.out:192.0.2.1:443",
		"*":                "",
		"*.example.com":    "",
		"":                 "",
		"a b":              "",
		"fe80::1%eth0":     "",
	} {
		p, err := sandbox.NetOut(host, 443)
		assert.Equal(t, want, p, host)
		assert.Equal(t, want == "", err != nil, host)
	}
	_, err := sandbox.NetOut("example.com", 0)
	assert.Error(t, err)
}
