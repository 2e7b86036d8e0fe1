package edge_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/edge"
)

// people knows one session, one token, and a database that is away.
type people struct{}

func (people) Authenticate(_ context.Context, cookie string) (hub.Actor, error) {
	switch cookie {
	case "good":
		return hub.Actor{Account: "acc_1", Via: "session"}, nil
	case "away":
		return hub.Actor{}, hub.ErrUnavailable
	}
	return hub.Actor{}, hub.ErrUnauthenticated
}

func (people) AuthenticateToken(_ context.Context, raw string) (hub.Actor, error) {
	if raw == "souk_good" {
		return hub.Actor{Account: "acc_2", Via: "token"}, nil
	}
	return hub.Actor{}, hub.ErrUnauthenticated
}

// handler answers with who asks; errors with their status.
func handler(t testing.TB, o edge.Options) http.Handler {
	t.Helper()
	o.Authenticator, o.Cookie = people{}, "__Host-souk_session"
	if o.BaseURL == "" {
		o.BaseURL = "https://hub.example.org"
	}
	e, err := edge.New(o)
	require.NoError(t, err)
	return e.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic("secret detail")
		}
		fmt.Fprintf(w, "%s %s", edge.ActorOf(r.Context()).Account, edge.AddressOf(r.Context()))
	}), func(w http.ResponseWriter, _ *http.Request, err error) {
		status := http.StatusInternalServerError
		var limit *hub.LimitError
		switch {
		case errors.Is(err, hub.ErrUnauthenticated):
			status = http.StatusUnauthorized
		case errors.Is(err, edge.ErrCrossOrigin), errors.Is(err, edge.ErrHost):
			status = http.StatusForbidden
		case errors.Is(err, hub.ErrUnavailable):
			status = http.StatusServiceUnavailable
		case errors.As(err, &limit):
			status = http.StatusTooManyRequests
		}
		http.Error(w, err.Error(), status)
	})
}

func ask(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "https://hub.example.org"+path, nil)
	r.RemoteAddr = "203.0.113.7:4000"
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		if header[i] == "Peer" {
			r.RemoteAddr = header[i+1]
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestWhoAsks(t *testing.T) {
	h := handler(t, edge.Options{})
	const cookie = "__Host-souk_session="
	for name, c := range map[string]struct {
		header []string
		status int
		body   string
	}{
		"nobody":                       {nil, 200, " 203.0.113.7"},
		"a session":                    {[]string{"Cookie", cookie + "good"}, 200, "acc_1 203.0.113.7"},
		"a session that ended":         {[]string{"Cookie", cookie + "old"}, 200, " 203.0.113.7"},
		"a cookie without its prefix":  {[]string{"Cookie", "souk_session=good"}, 200, " 203.0.113.7"},
		"a token":                      {[]string{"Authorization", "Bearer souk_good"}, 200, "acc_2 203.0.113.7"},
		"a token decides":              {[]string{"Authorization", "Bearer souk_good", "Cookie", cookie + "good"}, 200, "acc_2 203.0.113.7"},
		"a bad token never falls back": {[]string{"Authorization", "Bearer souk_bad", "Cookie", cookie + "good"}, 401, ""},
		"another scheme":               {[]string{"Authorization", "Basic Zm9v"}, 401, ""},
		"an endless token":             {[]string{"Authorization", "Bearer " + strings.Repeat("a", 17<<10)}, 401, ""},
		"the database is away":         {[]string{"Cookie", cookie + "away"}, 503, ""},
	} {
		w := ask(h, "GET", "/", c.header...)
		assert.Equal(t, c.status, w.Code, name)
		if c.body != "" {
			assert.Equal(t, c.body, w.Body.String(), name)
		}
		assert.NotEmpty(t, w.Header().Get("X-Request-Id"), name)
		assert.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"), name)
		assert.NotEmpty(t, w.Header().Get("Strict-Transport-Security"), name)
	}
}

func TestForeignPagesAndHosts(t *testing.T) {
	h := handler(t, edge.Options{Hosts: []string{"other.example.org"}})
	for name, c := range map[string]struct {
		method string
		header []string
		status int
	}{
		"own page":                 {"POST", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		"a program":                {"POST", nil, 200},
		"foreign page":             {"POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"foreign page of the site": {"POST", []string{"Sec-Fetch-Site", "same-site"}, 403},
		"foreign origin":           {"DELETE", []string{"Origin", "https://evil.example"}, 403},
		"null origin":              {"POST", []string{"Origin", "null"}, 403},
		"reading from elsewhere":   {"GET", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		"rebound host":             {"GET", []string{"Host", "evil.example"}, 403},
		"listed host":              {"GET", []string{"Host", "other.example.org:443"}, 200},
		"an address":               {"GET", []string{"Host", "192.0.2.1:8080"}, 200},
	} {
		assert.Equal(t, c.status, ask(h, c.method, "/", c.header...).Code, name)
	}
}

func TestAddressBehindProxies(t *testing.T) {
	h := handler(t, edge.Options{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for name, c := range map[string]struct{ peer, forwarded, want string }{
		"nobody in between":       {"203.0.113.7:1", "", "203.0.113.7"},
		"a stranger's claim":      {"203.0.113.7:1", "198.51.100.1", "203.0.113.7"},
		"one proxy":               {"10.0.0.1:1", "198.51.100.1", "198.51.100.1"},
		"two proxies":             {"10.0.0.1:1", "198.51.100.1, 10.0.0.2", "198.51.100.1"},
		"a claim before the real": {"10.0.0.1:1", "1.1.1.1, 198.51.100.1", "198.51.100.1"},
		"rubbish":                 {"10.0.0.1:1", "<script>", "10.0.0.1"},
		"IPv4 in IPv6":            {"10.0.0.1:1", "::ffff:198.51.100.1", "198.51.100.1"},
	} {
		header := []string{"Peer", c.peer}
		if c.forwarded != "" {
			header = append(header, "X-Forwarded-For", c.forwarded)
		}
		assert.Equal(t, " "+c.want, ask(h, "GET", "/", header...).Body.String(), name)
	}
}

func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := handler(t, edge.Options{Limits: edge.Limits{Write: 3, SignIn: 1, SignInPaths: []string{"/signin"}, MaxClients: 4}})
		for i := range 3 {
			w := ask(h, "POST", "/")
			require.Equal(t, 200, w.Code)
			assert.Equal(t, `"write";q=3;w=60`, w.Header().Get("RateLimit-Policy"))
			assert.Contains(t, w.Header().Get("RateLimit"), fmt.Sprintf(`"write";r=%d;t=`, 2-i))
		}
		assert.Equal(t, 429, ask(h, "POST", "/").Code)
		assert.Equal(t, 200, ask(h, "GET", "/").Code, "reading has a bucket of its own")
		assert.Equal(t, 200, ask(h, "POST", "/signin").Code)
		assert.Equal(t, 429, ask(h, "POST", "/signin/again").Code)
		assert.Equal(t, 200, ask(h, "POST", "/", "Peer", "[2001:db8::1]:1").Code)
		for range 2 {
			assert.Equal(t, 200, ask(h, "POST", "/", "Peer", "[2001:db8::2]:1").Code)
		}
		assert.Equal(t, 429, ask(h, "POST", "/", "Peer", "[2001:db8::3]:1").Code, "one /64 is one client")
		time.Sleep(21 * time.Second)
		assert.Equal(t, 200, ask(h, "POST", "/", "Peer", "[2001:db8::3]:1").Code)
	})
}

func TestAccountIsLimitedAcrossAddresses(t *testing.T) {
	h := handler(t, edge.Options{Limits: edge.Limits{Write: 2}})
	for i := range 3 {
		w := ask(h, "POST", "/", "Authorization", "Bearer souk_good", "Peer", fmt.Sprintf("203.0.113.%d:1", i+1))
		assert.Equal(t, map[bool]int{true: 200, false: 429}[i < 2], w.Code)
	}
}

func TestPanicSaysNothing(t *testing.T) {
	w := ask(handler(t, edge.Options{}), "GET", "/panic")
	assert.Equal(t, 500, w.Code)
	assert.NotContains(t, w.Body.String(), "secret detail")
	assert.Contains(t, w.Body.String(), w.Header().Get("X-Request-Id"))
}

func TestOptions(t *testing.T) {
	for base, ok := range map[string]bool{
		"https://hub.example.org": true, "http://127.0.0.1:8080": true, "http://localhost:1": true, "http://[::1]:1": true,
		"http://hub.example.org": false, "hub.example.org": false, "https://hub.example.org/x": false, "": false, "ftp://h": false,
	} {
		_, err := edge.New(edge.Options{Authenticator: people{}, Cookie: "s", BaseURL: base})
		assert.Equal(t, ok, err == nil, "%q: %v", base, err)
	}
	_, err := edge.New(edge.Options{BaseURL: "https://hub.example.org"})
	assert.Error(t, err, "nobody to ask")
}

func BenchmarkWrap(b *testing.B) {
	h := handler(b, edge.Options{Limits: edge.Limits{Read: 1 << 30}})
	for b.Loop() {
		ask(h, "GET", "/", "Authorization", "Bearer souk_good")
	}
}

// TestSlowBodies: who sends a body a byte at a time is not waited for.
func TestSlowBodies(t *testing.T) {
	t.Parallel()
	e, err := edge.New(edge.Options{Authenticator: people{}, Cookie: "c", BaseURL: "http://localhost", BodyTime: 200 * time.Millisecond})
	require.NoError(t, err)
	read := make(chan error, 2)
	web := httptest.NewServer(e.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, err := io.ReadAll(r.Body)
		read <- err
	}), func(http.ResponseWriter, *http.Request, error) {}))
	t.Cleanup(web.Close)
	res, err := http.Post(web.URL, "text/plain", strings.NewReader("at once"))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.NoError(t, <-read)

	c, err := net.Dial("tcp", web.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx")
	require.NoError(t, err)
	require.ErrorIs(t, <-read, os.ErrDeadlineExceeded)
}
