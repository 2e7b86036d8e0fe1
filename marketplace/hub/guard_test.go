package hub_test

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
)

func TestGuardAddresses(t *testing.T) {
	t.Parallel()
	var g hub.Guard
	for _, bad := range []string{
		"127.0.0.1", "::1", "0.0.0.0", "::", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "fe80::1", "fe80::1%eth0",
		"100.64.0.1", "192.0.0.8", "198.18.0.1", "198.19.255.255", "64:ff9b::a00:1", "2002:a00:1::", "fc00::1", "fd12::1",
		"224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2001::1", "192.0.2.1",
		"::127.0.0.1", "::10.0.0.1", "::ffff:0:127.0.0.1", "192.88.99.1", "100::1", "5f00::1", "64:ff9b:1::1",
	} {
		assert.ErrorIs(t, g.Check(netip.MustParseAddr(bad)), hub.ErrRefused, bad)
	}
	for _, good := range []string{"1.1.1.1", "93.184.216.34", "2606:4700::1111", "172.32.0.1", "100.128.0.1"} {
		assert.NoError(t, g.Check(netip.MustParseAddr(good)), good)
	}
	assert.ErrorIs(t, g.Check(netip.Addr{}), hub.ErrRefused)
	own := hub.Guard{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
	assert.NoError(t, own.Check(netip.MustParseAddr("10.1.2.3")))
	assert.ErrorIs(t, own.Check(netip.MustParseAddr("192.168.1.1")), hub.ErrRefused)
}

func TestGuardURLs(t *testing.T) {
	t.Parallel()
	var g hub.Guard
	for _, bad := range []string{
		"", "http://a.example/", "ftp://a.example", "https://", "https:///x", "//a.example", "https://u:p@a.example/", "https://127.0.0.1/",
		"https://[::1]:8443/", "https://a.example/#x", "https://10.0.0.1", "https://[fe80::1%25eth0]/",
	} {
		_, err := g.CheckURL(bad)
		assert.Error(t, err, bad)
	}
	u, err := g.CheckURL("https://hooks.example:8443/in?x=1")
	require.NoError(t, err)
	assert.Equal(t, "hooks.example", u.Hostname())
}

// TestGuardDials asks a real server on a loopback address, by a name that leads there.
func TestGuardDials(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "/", http.StatusFound)
			return
		}
		_, _ = io.WriteString(w, "hello")
	}))
	t.Cleanup(server.Close)
	get := func(g hub.Guard, path string) (*http.Response, error) {
		tr := g.Transport()
		tr.TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com", MinVersion: tls.VersionTLS12}
		req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://localhost:"+netip.MustParseAddrPort(server.Listener.Addr().String()).String()[len("127.0.0.1:"):]+path, nil)
		require.NoError(t, err)
		return g.Client(tr, 5*time.Second).Do(req)
	}
	_, err := get(hub.Guard{}, "/")
	require.ErrorIs(t, err, hub.ErrRefused)
	home := hub.Guard{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
	resp, err := get(home, "/")
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	require.NoError(t, resp.Body.Close())
	resp, err = get(home, "/away")
	require.NoError(t, err)
	assert.Equal(t, http.StatusFound, resp.StatusCode, "no redirect is followed")
	require.NoError(t, resp.Body.Close())
}
