package registry_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/marketplace/hub/registry"
	"github.com/souk-dev/souk/verify"
)

// own are the options of the hub itself: a token for one repository, issued in process.
func (w *world) own() oci.Options {
	return oci.Options{RetryWait: time.Millisecond, Credentials: func(_ context.Context, repository string) (oci.Credential, error) {
		_, name, _ := strings.Cut(repository, "/")
		token, err := w.Tokens.Issue("hub", []registry.Access{registry.Repository(name, "pull", "push")}, time.Minute)
		return oci.Credential{RegistryToken: token}, err
	}}
}

// TestConformance: this registry is one that catalogs and plugins can be served from,
// over the network and in process.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, memory := range map[string]bool{"disk": false, "memory": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := inProcess(t, func(o *registry.Options) { o.InMemory = memory })
			catalogtest.SourceConformance(t, func(t testing.TB) catalogtest.SourceFixture {
				front := catalogtest.NewRegistry(t, catalogtest.RegistryOptions{Upstream: w.URL})
				p, err := oci.NewPusher(front.Host, w.own())
				require.NoError(t, err)
				f := catalogtest.Fill(t, p, "plugins")
				f.Source, err = oci.New(front.Host+"/plugins/catalog", w.own())
				require.NoError(t, err)
				f.Fail = func(testing.TB) {
					front.Inject(catalogtest.Fault{Effect: catalogtest.Status(http.StatusInternalServerError)})
				}
				f.Spoil = func(testing.TB) {
					front.Inject(catalogtest.Fault{On: catalogtest.ByDigest(verify.DigestOf(f.Content)), Effect: catalogtest.FlipByte(2 << 20)})
				}
				return f
			})
		})
	}
	t.Run("transport", func(t *testing.T) {
		t.Parallel()
		w := inProcess(t, nil)
		o := w.own()
		o.Transport = w.Registry.Transport()
		catalogtest.SourceConformance(t, func(t testing.TB) catalogtest.SourceFixture {
			p, err := oci.NewPusher("registry.internal", o)
			require.NoError(t, err)
			f := catalogtest.Fill(t, p, "plugins")
			f.Source, err = oci.New("registry.internal/plugins/catalog", o)
			require.NoError(t, err)
			return f
		})
	})
}

// TestTransport: it streams, breaks off when the caller does, and leaves nothing.
func TestTransport(t *testing.T) {
	t.Parallel()
	w := inProcess(t, nil)
	a := published(t, w)
	get := func(ctx context.Context, method string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(ctx, method, "https://anything/v2/acme/backup/blobs/"+string(verify.DigestOf(a.Content)), nil)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+w.issue(t, registry.Repository("acme/backup", "pull")))
		return (&http.Client{Transport: w.Registry.Transport()}).Do(req)
	}
	resp, err := get(t.Context(), http.MethodGet)
	require.NoError(t, err)
	assert.EqualValues(t, len(a.Content), resp.ContentLength)
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(a.Content, b))
	resp, err = get(t.Context(), http.MethodHead)
	require.NoError(t, err)
	b, err = io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Empty(t, b)
	assert.EqualValues(t, len(a.Content), resp.ContentLength)

	ctx, cancel := context.WithCancel(t.Context())
	resp, err = get(ctx, http.MethodGet)
	require.NoError(t, err)
	cancel()
	_, err = io.ReadAll(resp.Body)
	assert.ErrorIs(t, err, context.Canceled)
	_, err = get(ctx, http.MethodGet)
	assert.ErrorIs(t, err, context.Canceled)
	resp, err = get(t.Context(), http.MethodGet)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close(), "closed unread; Close of the registry would wait for ever for a handler that hangs")
}

// TestTransportPanic: a panic of the handler is an error of the request, and logged.
func TestTransportPanic(t *testing.T) {
	t.Parallel()
	var log logger
	r, err := registry.Open(t.TempDir(), registry.Options{
		Tokens: newTokens(t, nil), Log: log.slog(slog.LevelInfo),
		Remote: func(*http.Request) string { panic("out of order") },
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	_, err = (&http.Client{Transport: r.Transport()}).Get("https://anything/v2/")
	require.ErrorContains(t, err, "broke off")
	assert.Contains(t, log.String(), "out of order")
}

// published pushes a release with evidence to acme/backup.
func published(t testing.TB, w *world) *catalogtest.Artifact {
	t.Helper()
	a, err := catalogtest.NewArtifact("acme/backup", "1.4.2", bytes.Repeat([]byte("content "), 100_000), nil)
	require.NoError(t, err)
	p := w.pusher(t, "", w.as("operator"))
	require.NoError(t, a.Push(t.Context(), p, ""))
	require.NoError(t, p.Attach(t.Context(), "acme/backup", a.Subject(), "application/vnd.dev.sigstore.bundle.v0.3+json", []byte("good"), nil))
	return a
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]registry.Options{"no tokens": {}, "bound": {Tokens: newTokens(t, nil), MaxBlob: -1}} {
		_, err := registry.Open(t.TempDir(), o)
		assert.Error(t, err, name)
	}
	_, err := registry.Open("", registry.Options{Tokens: newTokens(t, nil)})
	assert.Error(t, err)
}

// TestPersist: what was pushed is there after a restart.
func TestPersist(t *testing.T) {
	t.Parallel()
	dir, tokens := t.TempDir(), newTokens(t, nil)
	w := &world{Tokens: tokens}
	a, err := catalogtest.NewArtifact("acme/backup", "1.4.2", []byte("content"), nil)
	require.NoError(t, err)
	for i := range 2 {
		r, err := registry.Open(dir, registry.Options{Tokens: tokens})
		require.NoError(t, err)
		o := w.own()
		o.Transport = r.Transport()
		if i == 0 {
			p, err := oci.NewPusher("r.internal", o)
			require.NoError(t, err)
			require.NoError(t, a.Push(t.Context(), p, ""))
		}
		reader, err := oci.NewReader("r.internal", o)
		require.NoError(t, err)
		_, err = reader.Manifest(t.Context(), "acme/backup", a.Release.Digest)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.NoError(t, r.Close(), "again")
		rec := httptest.NewRecorder()
		r.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/v2/", nil))
		assert.Equal(t, http.StatusServiceUnavailable, rec.Code)
	}
}

// TestRepair: what a power cut left as a link without its content is repaired by
// pushing again, as the package promises.
func TestRepair(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := &world{Tokens: newTokens(t, nil)}
	r, err := registry.Open(dir, registry.Options{Tokens: w.Tokens})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	o := w.own()
	o.Transport = r.Transport()
	p, err := oci.NewPusher("r.internal", o)
	require.NoError(t, err)
	reader, err := oci.NewReader("r.internal", o)
	require.NoError(t, err)
	a, err := catalogtest.NewArtifact("acme/backup", "1.4.2", []byte("content"), nil)
	require.NoError(t, err)
	read := func() error {
		_, err := reader.Manifest(t.Context(), "acme/backup", a.Release.Digest)
		if err != nil {
			return err
		}
		rc, err := reader.Blob(t.Context(), "acme/backup", catalog.Descriptor{Digest: verify.DigestOf(a.Content), Size: int64(len(a.Content))})
		if err != nil {
			return err
		}
		_, err = io.ReadAll(rc)
		return errors.Join(err, rc.Close())
	}
	require.NoError(t, a.Push(t.Context(), p, ""))
	require.NoError(t, read())
	for _, d := range []verify.Digest{a.Release.Digest, verify.DigestOf(a.Content)} {
		require.NoError(t, os.RemoveAll(filepath.Join(dir, "storage/docker/registry/v2/blobs/sha256", d.Hex()[:2], d.Hex())))
		require.Error(t, read(), "it is gone")
		require.NoError(t, a.Push(t.Context(), p, ""))
		require.NoError(t, read())
	}
}

// TestBounds: a blob is bounded however it comes.
func TestBounds(t *testing.T) {
	t.Parallel()
	w := inProcess(t, func(o *registry.Options) { o.MaxBlob = 5 << 20 })
	token := w.issue(t, registry.Repository("acme/backup", "pull", "push"))
	type body = io.Reader
	send := func(method, to string, b body) *http.Response {
		req, err := http.NewRequestWithContext(t.Context(), method, w.URL+to, b)
		require.NoError(t, err)
		req.Header.Set("Authorization", "Bearer "+token)
		resp, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	begin := func() string {
		resp := send(http.MethodPost, "/v2/acme/backup/blobs/uploads/", nil)
		require.Equal(t, http.StatusAccepted, resp.StatusCode)
		to := resp.Header.Get("Location")
		require.True(t, strings.HasPrefix(to, "/v2/"), "relative, so that it is right behind any proxy: %s", to)
		return to
	}
	unknown := func(n int) io.Reader { return io.MultiReader(bytes.NewReader(make([]byte, n))) } // no Content-Length
	digest := func(n int) string { return "&digest=" + string(verify.DigestOf(make([]byte, n))) }
	most := 5 << 20

	assert.Equal(t, http.StatusCreated, send(http.MethodPut, begin()+digest(most), bytes.NewReader(make([]byte, most))).StatusCode, "exactly as much")
	assert.Equal(t, http.StatusCreated, send(http.MethodPut, begin()+digest(most), unknown(most)).StatusCode)
	resp := send(http.MethodPut, begin()+digest(most+1), unknown(most+1))
	assert.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, `{"errors":[{"code":"SIZE_INVALID","message":"a blob may have at most 5242880 bytes"}]}`, string(b))

	to := begin()
	for i, want := range []int{http.StatusAccepted, http.StatusAccepted, http.StatusRequestEntityTooLarge} {
		resp := send(http.MethodPatch, to, unknown(2<<20))
		require.Equal(t, want, resp.StatusCode, "part %d", i)
		to = resp.Header.Get("Location")
	}
	declared := httptest.NewRequest(http.MethodPut, "/v2/acme/backup/blobs/uploads/x", strings.NewReader(""))
	declared.ContentLength = int64(most + 1)
	rec := httptest.NewRecorder()
	w.Registry.ServeHTTP(rec, declared)
	assert.Equal(t, http.StatusRequestEntityTooLarge, rec.Code, "said before it is read")

	large := send(http.MethodPut, "/v2/acme/backup/manifests/1", bytes.NewReader(make([]byte, registry.MaxManifest+1)))
	assert.Equal(t, http.StatusBadRequest, large.StatusCode)
	assert.Equal(t, http.StatusNotFound, send(http.MethodGet, "/v3/", nil).StatusCode)
}

func TestDelete(t *testing.T) {
	t.Parallel()
	for _, allowed := range []bool{true, false} {
		w := inProcess(t, func(o *registry.Options) { o.Delete = allowed })
		a := published(t, w)
		status := w.status(t, http.MethodDelete, "/v2/acme/backup/manifests/"+string(a.Release.Digest), w.issue(t, registry.Repository("acme/backup", "delete")))
		want := http.StatusMethodNotAllowed
		if allowed {
			want = http.StatusAccepted
		}
		assert.Equal(t, want, status)
	}
}

// TestGarbage: what no manifest names goes, evidence stays, and uploads that nobody
// goes on with go, too.
func TestGarbage(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(2 * time.Hour)
	w := inProcess(t, func(o *registry.Options) { o.Now = func() time.Time { return later } })
	require.NoError(t, w.Registry.CollectGarbage(t.Context(), 0), "nothing was pushed yet")
	n, err := w.Registry.PurgeUploads(t.Context(), time.Hour)
	require.NoError(t, err)
	require.Zero(t, n)

	a := published(t, w)
	p := w.pusher(t, "", w.as("operator"))
	orphan := catalog.Descriptor{Digest: verify.DigestOf([]byte("orphan")), Size: 6}
	push := func(ctx context.Context, r io.Reader) error {
		return p.PushBlob(ctx, "acme/backup", orphan, func() (io.ReadCloser, error) { return io.NopCloser(r), nil })
	}
	require.NoError(t, push(t.Context(), strings.NewReader("orphan")))
	token := w.issue(t, registry.Repository("acme/backup", "pull", "push"))
	blob := "/v2/acme/backup/blobs/"
	require.Equal(t, http.StatusOK, w.status(t, http.MethodHead, blob+string(orphan.Digest), token))
	require.NoError(t, w.Registry.CollectGarbage(t.Context(), 3*time.Hour))
	require.Equal(t, http.StatusOK, w.status(t, http.MethodHead, blob+string(orphan.Digest), token), "its manifest may be on its way")
	require.NoError(t, w.Registry.CollectGarbage(t.Context(), time.Hour))
	assert.Equal(t, http.StatusNotFound, w.status(t, http.MethodHead, blob+string(orphan.Digest), token))
	assert.Equal(t, http.StatusOK, w.status(t, http.MethodHead, blob+string(verify.DigestOf(a.Content)), token))
	r, err := oci.NewReader(w.Host, w.as(""))
	require.NoError(t, err)
	e, err := r.Evidence(t.Context(), "acme/backup", a.Release.Digest)
	require.NoError(t, err)
	assert.Len(t, e.Bundles, 1)

	// While somebody pushes, it does not begin.
	body, more := io.Pipe()
	resp := w.do(t, http.MethodPost, blob+"uploads/", token, nil)
	done := make(chan error, 1)
	go func() {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPatch, w.URL+resp.Header.Get("Location"), body)
		if err == nil {
			req.Header.Set("Authorization", "Bearer "+token)
			var resp *http.Response
			if resp, err = http.DefaultClient.Do(req); err == nil {
				err = resp.Body.Close()
			}
		}
		done <- err
	}()
	_, err = more.Write(make([]byte, 32<<20)) // more than fits between the two: it is being read
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, w.Registry.CollectGarbage(ctx, 0), context.DeadlineExceeded)
	require.NoError(t, more.Close())
	require.NoError(t, <-done)
	require.NoError(t, w.Registry.CollectGarbage(t.Context(), 0))

	_, err = w.Registry.PurgeUploads(t.Context(), time.Minute)
	assert.Error(t, err, "too young")
	n, err = w.Registry.PurgeUploads(t.Context(), 3*time.Hour)
	require.NoError(t, err)
	assert.Zero(t, n)
	n, err = w.Registry.PurgeUploads(t.Context(), time.Hour)
	require.NoError(t, err)
	assert.Equal(t, 1, n)
}

// TestLog: distribution's log arrives, a client's mistakes are no errors of the hub,
// and no token is in it.
func TestLog(t *testing.T) {
	t.Parallel()
	var log, quiet logger
	w := inProcess(t, func(o *registry.Options) { o.Log = log.slog(slog.LevelDebug) })
	token := w.issue(t, registry.Repository("acme/backup", "pull", "push"))
	require.Equal(t, http.StatusNotFound, w.status(t, http.MethodGet, "/v2/acme/backup/manifests/none", token))
	require.Equal(t, http.StatusUnauthorized, w.status(t, http.MethodGet, "/v2/acme/backup/manifests/none", ""))
	require.Equal(t, http.StatusAccepted, w.status(t, http.MethodPost, "/v2/acme/backup/blobs/uploads/", token))
	assert.Contains(t, log.String(), "registry: authorized request")
	assert.Contains(t, log.String(), "registry: response completed with error", "the context's key is still the one we know")
	assert.Contains(t, log.String(), "manifest unknown")
	assert.NotContains(t, log.String(), "level=ERROR")
	assert.NotContains(t, log.String(), token)
	assert.NotContains(t, log.String(), "_state")

	w = inProcess(t, func(o *registry.Options) { o.Log = quiet.slog(slog.LevelWarn) })
	w.status(t, http.MethodGet, "/v2/acme/backup/manifests/none", w.issue(t, registry.Repository("acme/backup", "pull")))
	w.status(t, http.MethodGet, "/v2/acme/backup/manifests/none", "")
	assert.Empty(t, quiet.String())
}

// TestClose: what was not told yet is told, and no goroutine stays but the one of
// distribution that nothing can end.
func TestClose(t *testing.T) {
	count := func() (ours, theirs int) {
		buf := make([]byte, 4<<20)
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			switch {
			case strings.Contains(g, "hub/registry.(*queue).run"), strings.Contains(g, "hub/registry.transport"):
				ours++
			case strings.Contains(g, "go-events.(*Broadcaster).run"):
				theirs++
			case strings.Contains(g, "distribution/distribution"):
				ours++
			}
		}
		return ours, theirs
	}
	before, broadcasters := count()
	const n = 5
	for range n {
		e := newEvents()
		e.failing(errors.New("not yet"))
		tokens := newTokens(t, nil)
		r, err := registry.Open(t.TempDir(), registry.Options{Tokens: tokens, Notify: e.take})
		require.NoError(t, err)
		o := (&world{Tokens: tokens}).own()
		o.Transport = r.Transport()
		p, err := oci.NewPusher("r.internal", o)
		require.NoError(t, err)
		d := catalog.Descriptor{Digest: verify.DigestOf([]byte("x")), Size: 1}
		require.NoError(t, p.PushBlob(t.Context(), "acme/backup", d, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader("x")), nil }))
		e.failing(nil)
		require.NoError(t, r.Close())
		assert.Len(t, e.list, 1)
		assert.Equal(t, "hub", e.list[0].Actor)
	}
	after, now := count()
	assert.LessOrEqual(t, after, before)
	assert.LessOrEqual(t, now, broadcasters+n, "distribution starts one per registry")
}

func ExampleOpen() {
	dir := "" // of the hub's data
	key, err := registry.GenerateKey()
	if err != nil {
		fmt.Println(err)
		return
	}
	tokens, err := registry.NewTokens(registry.TokenOptions{
		Realm:   "https://hub.example.org/registry/token",
		Service: "hub.example.org",
		Key:     key, // from the hub's secrets, the same after a restart
		Authorize: func(_ context.Context, c registry.Credential, want []registry.Access) ([]registry.Access, string, error) {
			if !c.Anonymous() {
				return nil, "", registry.ErrCredentials // look the token up here
			}
			var granted []registry.Access
			for _, a := range want {
				if !strings.HasPrefix(a.Name, "staging/") {
					granted = append(granted, registry.Repository(a.Name, "pull"))
				}
			}
			return granted, "", nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = registry.Open(dir, registry.Options{Tokens: tokens})
	fmt.Println(err)
	// Output: open registry : no directory
}
