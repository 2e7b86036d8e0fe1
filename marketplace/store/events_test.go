package store_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/markettest"
	"github.com/souk-dev/souk/marketplace/store"
)

// listen opens a stream, and cuts it after the first line.
func listen(t *testing.T, h http.Handler, path string) *httptest.ResponseRecorder {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+path, nil)
	require.NoError(t, err)
	res, err := server.Client().Do(r)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }() // it was cut
	w := httptest.NewRecorder()
	for k, v := range res.Header {
		w.Header()[k] = v
	}
	w.WriteHeader(res.StatusCode)
	line, err := bufio.NewReader(res.Body).ReadBytes('\n')
	require.NoError(t, err)
	_, err = w.Write(line)
	require.NoError(t, err)
	return w
}

// told is one event as a browser gets it.
type told struct {
	id, name string
	op       struct {
		ID, State string
		Final     bool
	}
}

// tab is a window that listens, with what it was told.
type tab struct {
	t    *testing.T
	url  string
	last string // Last-Event-ID, as a browser keeps it
	got  []told
}

// listen reads events until enough says so, and is then cut off.
func (b *tab) listen(enough func(told) bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.url, nil)
	require.NoError(b.t, err)
	if b.last != "" {
		r.Header.Set("Last-Event-ID", b.last)
	}
	res, err := http.DefaultClient.Do(r)
	require.NoError(b.t, err)
	defer func() { _ = res.Body.Close() }() // it is cut
	require.Equal(b.t, http.StatusOK, res.StatusCode)
	var e told
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		switch key, value, _ := strings.Cut(lines.Text(), ": "); key {
		case "id":
			e.id, b.last = value, value
		case "event":
			e.name = value
		case "data":
			require.NoError(b.t, json.Unmarshal([]byte(value), &e.op))
		case "":
			if e.name != "" {
				b.got = append(b.got, e)
				if enough(e) {
					return
				}
			}
			e = told{}
		}
	}
	require.Fail(b.t, "the stream ended early")
}

// inOrder asserts that nothing was told twice.
func (b *tab) inOrder() {
	b.t.Helper()
	seen := map[string]bool{}
	for _, e := range b.got {
		assert.False(b.t, seen[e.id+e.name], "%s %s twice", e.name, e.id)
		seen[e.id+e.name] = true
	}
}

// states are the states of an operation in the order in which they were told.
func (b *tab) states(id string) (out []string) {
	for _, e := range b.got {
		if e.op.ID == id && (len(out) == 0 || out[len(out)-1] != e.op.State) {
			out = append(out, e.op.State)
		}
	}
	return out
}

// TestTabsAndARestartAgree installs on a real market over real HTTP, in front of two
// windows: one listens all the time, the other is cut off after every event. Then the panel
// is started again, and both go on with the ids that they have.
func TestTabsAndARestartAgree(t *testing.T) {
	t.Parallel()
	w := markettest.New(t, markettest.Options{}, markettest.Plugin{Manifest: markettest.Manifest("acme/backup", "1.0.0")},
		markettest.Plugin{Manifest: markettest.Manifest("acme/other", "1.0.0")})
	var mu sync.Mutex
	var current http.Handler
	start := func() {
		h, err := store.New(w.Market, store.Options{Actor: func(*http.Request) (store.Actor, error) { return admin, nil }})
		require.NoError(t, err)
		mu.Lock()
		defer mu.Unlock()
		current = h
	}
	start()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		h := current
		mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	events := server.URL + "/plugins/api/v1/events"
	steady, shaky := &tab{t: t, url: events}, &tab{t: t, url: events}
	submit := func(id catalog.PluginID) string {
		p, err := w.Market.Plan(t.Context(), install.Change{Install: []resolve.Want{{Plugin: id}}})
		require.NoError(t, err)
		op, err := w.Market.Apply(t.Context(), p.ID(), install.Approval{Actor: "ada"})
		require.NoError(t, err)
		return op.ID
	}
	follow := func(id string) {
		ended := func(e told) bool { return e.op.ID == id && e.op.Final }
		steady.listen(ended)
		for over := false; !over; {
			shaky.listen(func(e told) bool { over = ended(e); return true })
		}
		for _, b := range []*tab{steady, shaky} {
			b.inOrder()
			assert.Equal(t, "done", b.states(id)[len(b.states(id))-1])
		}
		assert.Equal(t, steady.got[len(steady.got)-1], shaky.got[len(shaky.got)-1], "both end with the same")
	}
	first := submit("acme/backup")
	follow(first)
	assert.Contains(t, steady.states(first), "queued")
	before := steady.last

	require.NoError(t, w.Market.Close())
	w.Open()
	start()
	for _, b := range []*tab{steady, shaky} {
		b.listen(func(told) bool { return true })
		assert.Equal(t, "reset", b.got[len(b.got)-1].name, "what it knows is of an earlier run")
		assert.NotEqual(t, before, b.last)
	}
	res, err := http.Get(server.URL + "/plugins/api/v1/operations/" + first)
	require.NoError(t, err)
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Contains(t, string(body), `"state":"done"`, "the earlier operation is found")
	second := submit("acme/other")
	follow(second)
	for _, b := range []*tab{steady, shaky} {
		resets := 0
		for _, e := range b.got {
			if e.name == "reset" {
				resets++
			}
		}
		assert.Equal(t, 1, resets, "said once")
		assert.Equal(t, "queued", b.states(second)[0], "nothing of the new run is missed")
	}
}

// TestEventsOfNoRunAreForeign: what an older storefront gave as an id resets, and what is
// none is refused.
func TestEventsOfNoRunAreForeign(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket()
		m.More = make(chan install.Event)
		m.Past = []install.Event{event(7, install.StateDownloading)}
		h := shop(t, m, admin)
		for _, last := range []string{"6", "9", "ABCDEFGH-99", "18446744073709551615"} {
			body := get(h, "/plugins/api/v1/events", "Last-Event-ID", last).Body.String()
			assert.Contains(t, body, "event: reset", last)
			assert.Contains(t, body, "-7\nevent: operation", last)
		}
		assert.NotContains(t, get(h, "/plugins/api/v1/events").Body.String(), "event: reset", "a first connection")
		for _, last := range []string{"x", "-", "-1", "ABCDEFGH-", "abcdefgh-1", "ABCDEFGH-1\r\nid: 2", strings.Repeat("9", 4000)} {
			w := get(h, "/plugins/api/v1/events", "Last-Event-ID", last)
			assert.Equal(t, http.StatusBadRequest, w.Code, last)
			assert.Less(t, w.Body.Len(), 2000)
		}
	})
}

// TestStreamsAreBounded: one person cannot take all of them, all cannot have more than
// there are, and who leaves makes room. synctest fails when a stream leaves something behind.
func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket()
		m.More = make(chan install.Event)
		h := shop(t, m, admin, func(o *store.Options) {
			o.Actor = func(r *http.Request) (store.Actor, error) {
				return store.Actor{Name: r.Header.Get("Who"), View: true}, nil
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		open := func(who string) *httptest.ResponseRecorder {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "http://127.0.0.1/plugins/api/v1/events", nil)
			r.Header.Set("Who", who)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			return w
		}
		var wait sync.WaitGroup
		hold := func(who string, n int) {
			for range n {
				wait.Go(func() { assert.Equal(t, http.StatusOK, open(who).Code) })
			}
			synctest.Wait()
		}
		refused := func(who string) {
			w := open(who)
			assert.Equal(t, http.StatusServiceUnavailable, w.Code)
			assert.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			assert.Equal(t, "60", w.Header().Get("Retry-After"))
			assert.Contains(t, w.Body.String(), "urn:souk:problem:streams")
		}
		hold("greedy", store.MaxStreamsEach)
		refused("greedy")
		for i := 1; i < store.MaxStreams/store.MaxStreamsEach; i++ {
			hold(string(rune('a'+i)), store.MaxStreamsEach)
		}
		refused("late")
		cancel()
		wait.Wait()
		ctx, cancel = context.WithCancel(t.Context())
		hold("greedy", store.MaxStreamsEach)
		cancel()
		wait.Wait()
	})
}

// stuck is a connection whose reader takes nothing: a write ends with its deadline.
type stuck struct {
	header   http.Header
	deadline time.Time
	writes   int
}

func (s *stuck) Header() http.Header                 { return s.header }
func (s *stuck) WriteHeader(int)                     {}
func (s *stuck) SetWriteDeadline(at time.Time) error { s.deadline = at; return nil }
func (s *stuck) FlushError() error                   { return nil }

func (s *stuck) Write(b []byte) (int, error) {
	if s.writes++; s.writes == 1 { // the first fits into the buffers
		return len(b), nil
	}
	time.Sleep(time.Until(s.deadline))
	return 0, os.ErrDeadlineExceeded
}

// TestSlowReadersAreCut: who does not read is gone after a while, and nobody waits for them.
func TestSlowReadersAreCut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMarket()
		m.Past = []install.Event{event(1, install.StateQueued), event(2, install.StateDone)}
		began, w := time.Now(), &stuck{header: http.Header{}}
		shop(t, m, admin).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://127.0.0.1/plugins/api/v1/events", nil))
		assert.Equal(t, 2, w.writes)
		assert.Equal(t, store.WriteWait, time.Since(began))
	})
}
