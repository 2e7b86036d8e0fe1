package registry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/catalogtest"
	"github.com/souk-dev/souk/marketplace/hub/registry"
	"github.com/souk-dev/souk/verify"
)

// digest is of anything.
var digest = string(verify.DigestOf([]byte("content")))

// envelope is a notification as distribution writes it.
func envelope(change func(e map[string]any)) []byte {
	e := map[string]any{
		"id": "0f6dbf4e-1a0c-4a52-8a07-4d2b2a5b8a01", "timestamp": "2026-11-24T12:00:00.5Z", "action": "pull",
		"target": map[string]any{
			"mediaType": "application/octet-stream", "digest": digest, "size": 7, "length": 7, "repository": "acme/backup",
			"url": "http://r/v2/acme/backup/blobs/" + digest,
		},
		"request": map[string]any{"id": "x", "addr": "192.0.2.7:4711", "host": "r", "method": "GET", "useragent": "souk"},
		"actor":   map[string]any{"name": "ann"},
		"source":  map[string]any{"addr": "r:5000", "instanceID": "x"},
	}
	if change != nil {
		change(e)
	}
	b, err := json.MarshalIndent(map[string]any{"events": []any{e}}, "", "   ")
	if err != nil {
		panic(err)
	}
	return b
}

func target(k string, v any) func(map[string]any) {
	return func(e map[string]any) { e["target"].(map[string]any)[k] = v }
}

func TestParseEvents(t *testing.T) {
	t.Parallel()
	got, err := registry.ParseEvents(envelope(nil))
	require.NoError(t, err)
	assert.Equal(t, []registry.Event{{
		ID: "0f6dbf4e-1a0c-4a52-8a07-4d2b2a5b8a01", Action: registry.Pull, Repository: "acme/backup", Digest: verify.Digest(digest),
		MediaType: "application/octet-stream", Timestamp: time.Date(2026, 11, 24, 12, 0, 0, 5e8, time.UTC),
		Remote: "192.0.2.7", UserAgent: "souk", Method: "GET", Actor: "ann",
	}}, got)

	for name, b := range map[string][]byte{
		"empty": nil, "array": []byte("[]"), "null": []byte("null"), "no events": []byte(`{}`), "other first": []byte(`{"x":1,"events":[]}`),
		"no list": []byte(`{"events":{}}`), "trailing": append(envelope(nil), '{'), "cut": envelope(nil)[:100], "field after": []byte(`{"events":[],"x":1}`),
		"string id": []byte(`{"events":[{"id":1}]}`), "time": envelope(func(e map[string]any) { e["timestamp"] = "yesterday" }),
		"many": []byte(`{"events":[` + strings.Repeat("{},", registry.MaxEvents) + `{}]}`),
		"huge": make([]byte, registry.MaxNotification+1),
	} {
		_, err := registry.ParseEvents(b)
		assert.Error(t, err, name)
	}
	for name, change := range map[string]func(map[string]any){
		"action":   func(e map[string]any) { e["action"] = "sing" },
		"no id":    func(e map[string]any) { e["id"] = "" },
		"long id":  func(e map[string]any) { e["id"] = strings.Repeat("x", 65) },
		"sha512":   target("digest", "sha512:"+strings.Repeat("a", 128)),
		"digest":   target("digest", ""),
		"name":     target("repository", "../x"),
		"no name":  target("repository", ""),
		"from":     target("fromRepository", "A"),
		"long tag": target("tag", strings.Repeat("x", 129)),
	} {
		got, err := registry.ParseEvents(envelope(change))
		assert.NoError(t, err, "%s: an error would be sent again for ever", name)
		assert.Empty(t, got, name)
	}
	got, err = registry.ParseEvents(envelope(func(e map[string]any) {
		e["request"].(map[string]any)["useragent"] = strings.Repeat("é", 300)
		e["request"].(map[string]any)["addr"] = "[2001:db8::1]:4711"
		e["actor"].(map[string]any)["name"] = strings.Repeat("x", 300)
	}))
	require.NoError(t, err)
	assert.Equal(t, strings.Repeat("é", 127), got[0].UserAgent)
	assert.Equal(t, "2001:db8::1", got[0].Remote)
	assert.Len(t, got[0].Actor, 255)
	got, err = registry.ParseEvents(envelope(func(e map[string]any) {
		e["action"] = "delete"
		e["target"] = map[string]any{"repository": "acme/backup", "tag": "1.0.0"}
	}))
	require.NoError(t, err)
	assert.Equal(t, "1.0.0", got[0].Tag)
}

func FuzzParseEvents(f *testing.F) {
	f.Add(envelope(nil))
	f.Add([]byte(`{"events":[{},{"id":"x","action":"delete","target":{"repository":"a"}}]}`))
	f.Add([]byte(`{"events":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := registry.ParseEvents(b)
		if err != nil {
			require.Empty(t, list)
		}
		for _, e := range list {
			require.NotEmpty(t, e.Repository)
			require.True(t, e.Digest == "" || e.Digest.Valid())
			require.LessOrEqual(t, len(e.UserAgent), 255)
			require.LessOrEqual(t, len(e.Remote), 255)
		}
	})
}

func TestNotifications(t *testing.T) {
	t.Parallel()
	e := newEvents()
	h, err := registry.Notifications(secret, e.take)
	require.NoError(t, err)
	send := func(method, auth, kind string, body []byte) int {
		r := httptest.NewRequest(method, "/hook", bytes.NewReader(body))
		r.Header.Set("Authorization", auth)
		r.Header.Set("Content-Type", kind)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	bearer := "Bearer " + secret
	for name, c := range map[string]struct{ got, want int }{
		"control":      {send(http.MethodPost, bearer, registry.EventsType, envelope(nil)), 204},
		"v1":           {send(http.MethodPost, bearer, "application/vnd.docker.distribution.events.v1+json", envelope(nil)), 204},
		"no secret":    {send(http.MethodPost, "", registry.EventsType, envelope(nil)), 401},
		"wrong secret": {send(http.MethodPost, bearer+"x", registry.EventsType, envelope(nil)), 401},
		"cut secret":   {send(http.MethodPost, bearer[:len(bearer)-1], registry.EventsType, envelope(nil)), 401},
		"basic":        {send(http.MethodPost, "Basic "+secret, registry.EventsType, envelope(nil)), 401},
		"GET":          {send(http.MethodGet, bearer, registry.EventsType, nil), 405},
		"JSON":         {send(http.MethodPost, bearer, "application/json", envelope(nil)), 415},
		"garbage":      {send(http.MethodPost, bearer, registry.EventsType, []byte("x")), 400},
		"huge":         {send(http.MethodPost, bearer, registry.EventsType, make([]byte, registry.MaxNotification+1)), 413},
		"unknown":      {send(http.MethodPost, bearer, registry.EventsType, envelope(target("digest", "sha512:x"))), 204},
	} {
		assert.Equal(t, c.want, c.got, name)
	}
	assert.Len(t, e.list, 2)
	e.failing(errors.New("database away"))
	assert.Equal(t, 503, send(http.MethodPost, bearer, registry.EventsType, envelope(nil)), "so that it comes again")

	_, err = registry.Notifications("short", e.take)
	assert.Error(t, err)
	_, err = registry.Notifications(secret, nil)
	assert.Error(t, err)
}

func TestIsDownload(t *testing.T) {
	t.Parallel()
	blob := registry.Event{Action: registry.Pull, Method: "GET", Digest: verify.Digest(digest), MediaType: "application/octet-stream"}
	assert.True(t, blob.IsDownload())
	for name, change := range map[string]func(*registry.Event){
		"HEAD":     func(e *registry.Event) { e.Method = "HEAD" },
		"push":     func(e *registry.Event) { e.Action = registry.Push },
		"mount":    func(e *registry.Event) { e.Action, e.Method = registry.Mount, "POST" },
		"manifest": func(e *registry.Event) { e.MediaType = catalog.TypeManifest },
		"index":    func(e *registry.Event) { e.MediaType = catalog.TypeIndex },
		"nothing":  func(e *registry.Event) { e.Digest = "" },
	} {
		e := blob
		change(&e)
		assert.False(t, e.IsDownload(), name)
	}
}

// TestSameEvents: the registry in this process tells what a real one's webhook tells.
func TestSameEvents(t *testing.T) {
	t.Parallel()
	var lists [2][]string
	for i, start := range []func() *world{
		func() *world { return inProcess(t, func(o *registry.Options) { o.Delete = true }) },
		func() *world { return realRegistry(t) },
	} {
		w := start()
		a, err := catalogtest.NewArtifact("acme/backup", "1.4.2", []byte("content"), nil)
		require.NoError(t, err)
		p := w.pusher(t, "", w.as("operator"))
		require.NoError(t, a.Push(t.Context(), p, "staging"))
		require.NoError(t, p.Attach(t.Context(), "staging/acme/backup", a.Subject(), "application/vnd.dev.sigstore.bundle.v0.3+json", []byte("good"), nil))
		require.NoError(t, p.Copy(t.Context(), "acme/backup", "staging/acme/backup", "1.4.2", a.Release.Digest))
		token := w.issue(t, registry.Repository("acme/backup", "pull", "delete"))
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			for _, path := range []string{"manifests/1.4.2", "manifests/" + string(a.Release.Digest), "blobs/" + digest} {
				w.do(t, method, "/v2/acme/backup/"+path, token, nil, "Accept", catalog.TypeManifest)
			}
			w.do(t, method, "/v2/acme/backup/blobs/"+digest, token, nil, "Range", "bytes=1-3")
		}
		require.Equal(t, http.StatusAccepted, w.status(t, http.MethodDelete, "/v2/acme/backup/manifests/1.4.2", token))
		require.Equal(t, http.StatusAccepted, w.status(t, http.MethodDelete, "/v2/acme/backup/manifests/"+string(a.Release.Digest), token))
		w.Events.wait(t, 1, func(e registry.Event) bool { return e.Action == registry.Delete && e.Digest == a.Release.Digest })
		for _, e := range w.Events.wait(t, 1, func(registry.Event) bool { return true }) {
			assert.NotEmpty(t, e.ID)
			assert.False(t, e.Timestamp.IsZero())
			assert.Equal(t, "127.0.0.1", e.Remote)
			e.ID, e.Timestamp = "", time.Time{}
			lists[i] = append(lists[i], fmt.Sprintf("%+v", e))
		}
		slices.Sort(lists[i])
	}
	require.NotEmpty(t, lists[0])
	assert.Equal(t, strings.Join(lists[1], "\n"), strings.Join(lists[0], "\n"))
}

// TestCount: every download is told, also when those who count are away for a while.
func TestCount(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := published(t, w)
		token := w.issue(t, registry.Repository("acme/backup", "pull"))
		content := verify.DigestOf(a.Content)
		const workers, each = 4, 150
		begun := time.Now()
		var done atomic.Int64
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range each {
					req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.URL+"/v2/acme/backup/blobs/"+string(content), nil)
					if !assert.NoError(t, err) {
						return
					}
					req.Header.Set("Authorization", "Bearer "+token)
					req.Header.Set("Range", "bytes=0-9")
					resp, err := http.DefaultClient.Do(req)
					if !assert.NoError(t, err) {
						return
					}
					resp.Body.Close()
					switch done.Add(1) {
					case workers * each / 3:
						w.Events.failing(errors.New("database away"))
					case workers * each / 2:
						w.Events.failing(nil)
					}
				}
			})
		}
		wg.Wait()
		t.Logf("%.0f downloads a second", workers*each/time.Since(begun).Seconds())
		w.Events.failing(nil)
		is := func(e registry.Event) bool { return e.IsDownload() && e.Digest == content }
		got := w.Events.wait(t, workers*each, is)
		ids := make(map[string]bool)
		for _, e := range got {
			ids[e.ID] = true
		}
		assert.Len(t, ids, workers*each, "each once")
	})
}

// TestNobodyStopsTheNotifications: what clients can put into an event does not make
// the registry send it for ever, with all others waiting behind it.
func TestNobodyStopsTheNotifications(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, w *world) {
		a := published(t, w)
		token := w.issue(t, registry.Repository("acme/backup", "pull", "push"))
		path := "/v2/acme/backup/blobs/" + string(verify.DigestOf(a.Content))
		resp := w.do(t, http.MethodGet, path, token, nil, "User-Agent", strings.Repeat("\xff<\"", 300_000))
		require.Equal(t, http.StatusOK, resp.StatusCode)
		resp = w.do(t, http.MethodGet, path, token, nil, "X-Forwarded-For", "not an address", "User-Agent", "two")
		require.Equal(t, http.StatusOK, resp.StatusCode)
		resp = w.do(t, http.MethodPost, "/v2/acme/backup/blobs/uploads/", token, nil)
		to := strings.TrimPrefix(resp.Header.Get("Location"), w.URL)
		sha512 := "sha512:ee26b0dd4af7e749aa1a8ee3c10ae9923f618980772e473f8819a5d4940e0db27ac185f8a0e1d5f84f88bc887fd67b143732c304cc5fa9ad8e6f57f50028a8ff"
		resp = w.do(t, http.MethodPut, to+"&digest="+sha512, token, []byte("test"))
		require.Equal(t, http.StatusCreated, resp.StatusCode)
		w.do(t, http.MethodGet, path, token, nil, "User-Agent", "last")
		w.Events.wait(t, 1, func(e registry.Event) bool { return e.UserAgent == "last" })
		long := w.Events.wait(t, 1, func(e registry.Event) bool { return strings.HasPrefix(e.UserAgent, "\ufffd<") })
		assert.LessOrEqual(t, len(long[0].UserAgent), 255)
	})
}

// TestRemote: no header of a client says where it comes from, unless the hub says so.
func TestRemote(t *testing.T) {
	t.Parallel()
	for name, remote := range map[string]func(*http.Request) string{"127.0.0.1": nil, "192.0.2.9": func(r *http.Request) string { return r.Header.Get("X-Real-Ip") }} {
		w := inProcess(t, func(o *registry.Options) { o.Remote = remote })
		a := published(t, w)
		token := w.issue(t, registry.Repository("acme/backup", "pull"))
		w.do(t, http.MethodGet, "/v2/acme/backup/blobs/"+string(verify.DigestOf(a.Content)), token, nil, "X-Forwarded-For", "192.0.2.8", "X-Real-Ip", "192.0.2.9")
		got := w.Events.wait(t, 1, registry.Event.IsDownload)
		assert.Equal(t, name, got[0].Remote)
	}
}

func TestQueue(t *testing.T) {
	t.Parallel()
	event := func(i int) registry.Event { return registry.Event{ID: fmt.Sprint(i)} }
	t.Run("order, batches and repetition", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var got []string
			calls, fails := 0, 5
			q := registry.NewQueue(func(_ context.Context, list []registry.Event) error {
				calls++
				assert.LessOrEqual(t, len(list), registry.MaxBatch)
				if fails--; fails >= 0 {
					return errors.New("away")
				}
				for _, e := range list {
					got = append(got, e.ID)
				}
				return nil
			})
			for i := range 3 * registry.MaxBatch {
				q.Put(event(i))
			}
			synctest.Wait()
			time.Sleep(time.Minute) // of the bubble
			synctest.Wait()
			require.NoError(t, q.Close())
			require.Len(t, got, 3*registry.MaxBatch)
			for i, id := range got {
				require.Equal(t, fmt.Sprint(i), id)
			}
			assert.LessOrEqual(t, calls, 5+5)
			q.Put(event(1))
			assert.EqualValues(t, 1, q.Dropped(), "after the end nothing is taken")
		})
	})
	t.Run("full", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var away atomic.Bool
			away.Store(true)
			n := 0
			q := registry.NewQueue(func(_ context.Context, list []registry.Event) error {
				if away.Load() {
					return errors.New("away")
				}
				n += len(list)
				return nil
			})
			for i := range registry.MaxQueued + 7 {
				q.Put(event(i))
			}
			assert.EqualValues(t, 7, q.Dropped())
			away.Store(false)
			require.NoError(t, q.Close())
			assert.Equal(t, registry.MaxQueued, n)
		})
	})
	t.Run("impatient", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q := registry.NewQueue(func(ctx context.Context, _ []registry.Event) error {
				<-ctx.Done()
				return ctx.Err()
			})
			q.Put(event(1))
			begun := time.Now()
			assert.ErrorContains(t, q.Close(), "1 events are lost")
			assert.Equal(t, registry.CloseWait, time.Since(begun))
		})
	})
}
