package registry_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub/registry"
)

func BenchmarkIssue(b *testing.B) {
	s := newTokens(b, nil)
	access := []registry.Access{registry.Repository("staging/acme/backup", "pull", "push")}
	for b.Loop() {
		if _, err := s.Issue("ann", access, time.Minute); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkToken is a request for a token, without the network.
func BenchmarkToken(b *testing.B) {
	s := newTokens(b, nil)
	q := query("service", service, "scope", "repository:acme/backup:pull")
	for b.Loop() {
		if w := ask(s, q, "ann", "souk_ann"); w.Code != http.StatusOK {
			b.Fatal(w.Body)
		}
	}
}

// BenchmarkNotifications is the receipt of one event by the webhook.
func BenchmarkNotifications(b *testing.B) {
	h, err := registry.Notifications(secret, func(context.Context, []registry.Event) error { return nil })
	require.NoError(b, err)
	body := string(envelope(nil))
	for b.Loop() {
		w := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodPost, "/hook", strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+secret)
		r.Header.Set("Content-Type", registry.EventsType)
		if h.ServeHTTP(w, r); w.Code != http.StatusNoContent {
			b.Fatal(w.Code)
		}
	}
}

// BenchmarkQueue is an event from the registry in this process to who counts it.
func BenchmarkQueue(b *testing.B) {
	var n atomic.Int64
	q := registry.NewQueue(func(_ context.Context, list []registry.Event) error { n.Add(int64(len(list))); return nil })
	put := int64(0)
	for b.Loop() {
		q.Put(registry.Event{})
		put++
	}
	require.NoError(b, q.Close())
	require.Equal(b, put, n.Load()+int64(q.Dropped()))
}

// BenchmarkPull is a manifest read from the registry in this process, token checked and
// event told, without the network.
func BenchmarkPull(b *testing.B) {
	w := inProcess(b, nil)
	a := published(b, w)
	token := w.issue(b, registry.Repository("acme/backup", "pull"))
	for b.Loop() {
		rec := httptest.NewRecorder()
		r := httptest.NewRequest(http.MethodGet, "/v2/acme/backup/manifests/"+string(a.Release.Digest), nil)
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json")
		if w.Registry.ServeHTTP(rec, r); rec.Code != http.StatusOK {
			b.Fatal(rec.Code, rec.Body)
		}
	}
}
