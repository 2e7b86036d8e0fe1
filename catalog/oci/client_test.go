package oci_test

import (
	"context"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/verify"
)

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, ref := range []string{
		"", "catalog", "plugins/catalog", "registry.example.org", "registry.example.org/", "registry.example.org/Plugins/catalog",
		"registry.example.org/plugins/catalog:latest", "registry.example.org/plugins/catalog@sha256:" + strings.Repeat("0", 64),
		"http://registry.example.org/plugins/catalog", "registry.example.org/plugins/catalog?x", "user@registry.example.org/plugins/catalog",
		strings.Repeat("a", 501) + ".org/c",
	} {
		_, err := oci.New(ref, oci.Options{})
		assert.Error(t, err, "%q", ref)
	}
	_, err := oci.New("https://registry.example.org/plugins/catalog", oci.Options{Insecure: true})
	assert.Error(t, err)
	for _, ref := range []string{"registry.example.org/plugins/catalog", "registry.example.org/catalog", "localhost/plugins/catalog", "[::1]:5000/a/b", "https://127.0.0.1:5000/plugins/catalog"} {
		_, err := oci.New(ref, oci.Options{})
		assert.NoError(t, err, "%q", ref)
	}
	_, err = oci.NewPusher("registry.example.org", oci.Options{})
	assert.NoError(t, err)
	_, err = oci.NewPusher("plugins", oci.Options{})
	assert.Error(t, err)
}

// transport answers without a network.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func answer(r *http.Request, status int, header http.Header) *http.Response {
	if header == nil {
		header = http.Header{}
	}
	return &http.Response{StatusCode: status, Header: header, Body: http.NoBody, Request: r}
}

// TestScheme: plain HTTP is for loopback and for those who asked for it.
func TestScheme(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ref      string
		insecure bool
		want     string
	}{
		{"registry.example.org/p/catalog", false, "https"},
		{"registry.example.org/p/catalog", true, "http"},
		{"10.0.0.1:5000/p/catalog", false, "https"},
		{"127.0.0.1:5000/p/catalog", false, "http"},
		{"localhost:5000/p/catalog", false, "http"},
		{"[::1]:5000/p/catalog", false, "http"},
		{"https://localhost:5000/p/catalog", false, "https"},
	} {
		var got string
		o := quick
		o.Insecure = c.insecure
		o.Transport = transport(func(r *http.Request) (*http.Response, error) {
			got = r.URL.Scheme
			return answer(r, http.StatusNotFound, nil), nil
		})
		_, err := newSource(t, c.ref, o).Snapshot(t.Context(), 0)
		require.ErrorIs(t, err, catalog.ErrNotFound)
		assert.Equal(t, c.want, got, c.ref)
	}
}

// TestFiveRequests: one failure is at most five requests, whatever fails and
// however it is asked.
func TestFiveRequests(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		effect catalogtest.Effect
		want   int
	}{
		"500":        {catalogtest.Status(500), 5},
		"503":        {catalogtest.Status(503), 5},
		"429":        {catalogtest.TooManyRequests(0), 5},
		"429 long":   {catalogtest.TooManyRequests(time.Hour), 1},
		"drop":       {catalogtest.Drop(), 5},
		"break off":  {catalogtest.DropAfter(10), 5},
		"not found":  {catalogtest.Status(404), 1},
		"forbidden":  {catalogtest.Status(403), 1},
		"teapot":     {catalogtest.Status(418), 1},
		"501":        {catalogtest.Status(501), 1},
		"redirects":  {catalogtest.Redirect(""), 6}, // the first and five redirects
		"wrong byte": {catalogtest.FlipByte(3), 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
			f := fill(t, reg)
			e, err := f.Source.Snapshot(t.Context(), 0)
			require.NoError(t, err)
			for what, ask := range map[string]func() error{
				"manifest": func() error {
					_, err := f.Source.Open(t.Context(), f.Release)
					return err
				},
				"blob": func() error {
					r, err := e.Blob(t.Context(), verify.DigestOf(f.Blob), int64(len(f.Blob)))
					if err != nil {
						return err
					}
					defer r.Close()
					for buf := make([]byte, 1000); ; {
						if _, err := r.Read(buf); err != nil {
							return err
						}
					}
				},
			} {
				reg.Forget()
				reg.Heal()
				reg.Inject(catalogtest.Fault{Effect: c.effect})
				err := ask()
				assert.Len(t, reg.Requests(), c.want, what)
				switch name {
				case "not found":
					assert.ErrorIs(t, err, catalog.ErrNotFound, what)
					assert.ErrorIs(t, err, fs.ErrNotExist, what)
				case "wrong byte":
					assert.ErrorIs(t, err, verify.ErrDigest, what)
				default:
					assert.ErrorIs(t, err, catalog.ErrUnavailable, what)
					assert.NotErrorIs(t, err, catalog.ErrNotFound, what)
				}
			}
		})
	}
}

// TestRetryAfter: the wait that a registry asks for is kept.
func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var asked []time.Duration
		o := oci.Options{Credentials: oci.Anonymous, Transport: transport(func(r *http.Request) (*http.Response, error) {
			asked = append(asked, time.Since(start))
			switch len(asked) {
			case 1:
				return answer(r, http.StatusTooManyRequests, http.Header{"Retry-After": {"7"}}), nil
			case 2:
				return answer(r, http.StatusServiceUnavailable, http.Header{"Retry-After": {time.Now().UTC().Add(20 * time.Second).Format(http.TimeFormat)}}), nil
			case 3:
				return answer(r, http.StatusBadGateway, nil), nil
			}
			return answer(r, http.StatusNotFound, nil), nil
		})}
		_, err := newSource(t, "registry.example.org/p/catalog", o).Snapshot(t.Context(), 0)
		require.ErrorIs(t, err, catalog.ErrNotFound)
		require.Len(t, asked, 4)
		assert.Equal(t, 7*time.Second, asked[1])
		assert.InDelta(t, 27, asked[2].Seconds(), 1.01, "a date has whole seconds")
		assert.Less(t, asked[3]-asked[2], oci.MaxRetryWait*5/4, "then the usual wait")
		assert.Greater(t, asked[3]-asked[2], 100*time.Millisecond)
	})
}

// TestStall: a body that brings nothing any more counts as dropped.
func TestStall(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	f := fill(t, reg)
	o := quick
	o.Stall = 50 * time.Millisecond
	s := newSource(t, reg.Host+"/plugins/catalog", o)
	reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Times: 1, Effect: catalogtest.HangAfter(1000)})
	got, err := open(t.Context(), s, f.Release)
	require.NoError(t, err)
	assert.Len(t, got, len(f.Content))
	reg.Inject(catalogtest.Fault{On: catalogtest.Manifests, Times: 1, Effect: catalogtest.HangAfter(10)})
	_, err = open(t.Context(), s, f.Release)
	require.NoError(t, err, "small documents too")
}

// TestGiveUp: when the caller gives up, that is the error, and it comes at once.
func TestGiveUp(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	f := fill(t, reg)
	reg.Inject(catalogtest.Fault{On: catalogtest.Blobs, Effect: catalogtest.HangAfter(1000)})
	ctx, cancel := context.WithCancel(t.Context())
	rc, err := f.Source.Open(ctx, f.Release)
	require.NoError(t, err)
	defer rc.Close()
	buf := make([]byte, 1000)
	_, err = rc.Read(buf)
	require.NoError(t, err)
	cancel()
	for err == nil {
		_, err = rc.Read(buf)
	}
	assert.ErrorIs(t, err, context.Canceled)
	assert.NotErrorIs(t, err, catalog.ErrUnavailable)
}

// TestRedirect: to another host without credentials, only by https, not for ever.
func TestRedirect(t *testing.T) {
	t.Parallel()
	var leaked atomic.Value
	var port string
	cdn := httptest.NewUnstartedServer(nil)
	reg, err := catalogtest.NewHandler(catalogtest.RegistryOptions{Username: "ann", Password: "secret"})
	require.NoError(t, err)
	cdn.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Host, port) {
			if h := r.Header.Get("Authorization"); h != "" {
				leaked.Store(h)
			}
			b, err := reg.Manifest(r.Context(), "plugins/acme/backup", r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:])
			if err == nil {
				w.Write(b) //nolint:errcheck // a test's server
			} else {
				w.WriteHeader(http.StatusNotFound)
			}
		}
	})
	cdn.StartTLS()
	t.Cleanup(cdn.Close)
	port = cdn.URL[strings.LastIndex(cdn.URL, ":"):]
	home := httptest.NewTLSServer(reg)
	t.Cleanup(home.Close)

	f := catalogtest.Fill(t, reg, "plugins")
	o := quick
	o.Transport = cdn.Client().Transport
	o.Credentials = func(context.Context, string) (oci.Credential, error) {
		return oci.Credential{Username: "ann", Password: "secret"}, nil
	}
	s := newSource(t, "https://"+strings.TrimPrefix(home.URL, "https://")+"/plugins/catalog", o)
	reg.Inject(catalogtest.Fault{On: catalogtest.ByDigest(f.Release.Digest), Times: 1, Skip: 1, Effect: catalogtest.Redirect(cdn.URL)})
	got, err := open(t.Context(), s, f.Release)
	require.NoError(t, err)
	assert.Len(t, got, len(f.Content))
	assert.Nil(t, leaked.Load(), "credentials stay at home")

	for _, to := range []string{"http://" + strings.TrimPrefix(cdn.URL, "https://"), "file://x", "https://user@example.org", "//", "https:///x"} {
		reg.Heal()
		reg.Inject(catalogtest.Fault{On: catalogtest.ByDigest(f.Release.Digest), Effect: catalogtest.Redirect(to)})
		_, err = open(t.Context(), s, f.Release)
		assert.ErrorIs(t, err, catalog.ErrUnavailable, to)
		assert.ErrorContains(t, err, "refused", to)
	}
}

// TestPrivateNetworks: neither a redirect nor a token server leads where the
// registry itself is not.
func TestPrivateNetworks(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	inner := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	t.Cleanup(inner.Close)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(inner.URL, "https://"))
	require.NoError(t, err)
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	f := fill(t, reg)
	for _, host := range []string{"127.0.0.1:" + port, "localhost:" + port, "169.254.169.254", "10.0.0.1", "192.168.1.1", "100.64.0.1",
		"198.18.0.1", "192.0.0.1", "0.0.0.0:" + port, "[::1]:" + port, "[::ffff:127.0.0.1]:" + port, "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "[fd00::1]", "224.0.0.1"} {
		reg.Heal()
		reg.Forget()
		reg.Inject(catalogtest.Fault{On: catalogtest.Manifests, Effect: catalogtest.Redirect("https://" + host)})
		_, err := f.Source.Open(t.Context(), f.Release)
		assert.ErrorIs(t, err, catalog.ErrUnavailable, host)
		assert.ErrorContains(t, err, "not a public address", host)
		assert.Len(t, reg.Requests(), 1, "%s: a refusal is not repeated", host)

		reg.Heal()
		reg.Inject(catalogtest.Fault{Effect: catalogtest.Challenge(`Bearer realm="https://` + host + `/token",service="x"`)})
		_, err = f.Source.Open(t.Context(), f.Release)
		assert.ErrorIs(t, err, catalog.ErrUnavailable, host)
	}
	assert.False(t, reached.Load())
}

// TestAllowPrivate opens the one network that the operator names.
func TestAllowPrivate(t *testing.T) {
	t.Parallel()
	inner := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(inner.Close)
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	f := fill(t, reg)
	o := quick
	o.AllowPrivate = append(o.AllowPrivate, prefix("127.0.0.0/8"))
	reg.Inject(catalogtest.Fault{On: catalogtest.Manifests, Effect: catalogtest.Redirect(inner.URL)})
	_, err := newSource(t, reg.Host+"/plugins/catalog", o).Open(t.Context(), f.Release)
	assert.ErrorContains(t, err, "certificate", "it was dialled, and then it had no certificate of a known authority")
}

func TestUserAgent(t *testing.T) {
	t.Parallel()
	reg := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{})
	f := fill(t, reg)
	o := quick
	o.UserAgent = "panel/1.0"
	_, err := newSource(t, reg.Host+"/plugins/catalog", o).Open(t.Context(), f.Release)
	require.NoError(t, err)
	for _, r := range reg.Requests() {
		assert.Equal(t, "panel/1.0", r.Header.Get("User-Agent"))
		assert.Empty(t, r.Header.Get("Accept-Encoding"), "bytes are wanted as they are")
	}
}

// TestDiagnosisIsQuoted: what a registry says cannot forge a line of a log.
func TestDiagnosisIsQuoted(t *testing.T) {
	t.Parallel()
	o := quick
	o.Transport = transport(func(r *http.Request) (*http.Response, error) {
		rec := httptest.NewRecorder()
		rec.WriteHeader(http.StatusTeapot)
		rec.WriteString(`{"errors":[{"code":"DENIED","message":"no\nlevel=INFO msg=\"all is well\"\u001b[2J"}]}`)
		resp := rec.Result()
		resp.Request = r
		return resp, nil
	})
	_, err := newSource(t, "registry.example.org/p/catalog", o).Snapshot(t.Context(), 0)
	require.ErrorIs(t, err, catalog.ErrUnavailable)
	assert.ErrorContains(t, err, "DENIED")
	assert.NotContains(t, err.Error(), "\n")
	assert.NotContains(t, err.Error(), "\x1b")
}
