package publishing_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

// TestJobsOfTheStore takes a submission to the catalog with the store's own queue, two
// processes working on it, and the real clock.
func TestJobsOfTheStore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	w.clock.at = time.Now().UTC()
	at, o := w.registry.Host+"/"+prefix, oci.Options{Credentials: oci.Anonymous, RetryWait: time.Millisecond}
	pusher, err := oci.NewPusher(at, o)
	require.NoError(t, err)
	reader, err := oci.NewReader(at, o)
	require.NoError(t, err)
	w.options.Registry, w.options.Reader = pusher, reader
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 2)
	for range 2 {
		s, err := publishing.New(hub.Env{Store: w.db, Policy: func() hub.Policy { return w.policy }}, w.options)
		require.NoError(t, err)
		w.service = s
		handlers := s.Handlers()
		handlers[hub.JobFanOut] = func(context.Context, hub.Job) error { return nil }
		go func() { done <- w.db.Work(ctx, handlers, s.Periodic()) }()
	}
	owner, signer := w.publisher("acme")
	m := manifest("acme/backup", "1.0.0")
	sub := w.submit(owner, m, w.push(pack(t, m, nil), signer))
	state := func(want hub.State) {
		t.Helper()
		require.Eventually(t, func() bool { return w.get(sub.ID).State == want }, 20*time.Second, 10*time.Millisecond, "%s: %s", w.get(sub.ID).State, w.get(sub.ID).Reason)
	}
	state(hub.StateInReview)
	w.approve(w.get(sub.ID))
	state(hub.StatePublished)
	stop()
	require.NoError(t, <-done)
	require.NoError(t, <-done)
	w.clock.at = time.Now().UTC()
	p := w.panel()
	s := p.sync()
	r, err := s.Release(catalog.Ref{Plugin: "acme/backup", Version: "1.0.0"})
	require.NoError(t, err)
	p.proves(s, r)
	_, failed, err := w.db.Jobs(t.Context())
	require.NoError(t, err)
	assert.Empty(t, failed)
}
