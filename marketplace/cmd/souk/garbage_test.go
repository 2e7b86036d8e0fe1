package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/verify"
)

// TestPublishingWhileGarbageIsCollected: people push, and the hub publishes, while the
// registry is swept over and over. What nothing names goes; a panel verifies and installs
// all that was published.
func TestPublishingWhileGarbageIsCollected(t *testing.T) {
	t.Parallel()
	w := newTown(t, hubtest.Options{})
	acme := w.Publisher(w.Person("Otto Owner"), "other")
	const young = 5 * time.Second // longer than any push here
	// sweepEvery leaves jobs of publishing time to come again: one that was told to wait
	// waits longer each time. A hub sweeps twice a day.
	const sweepEvery = 1500 * time.Millisecond

	// Garbage, and a control: a blob that a manifest in staging names.
	u, err := url.Parse(w.URL)
	require.NoError(t, err)
	token, err := w.TokenOf(t.Context(), acme.Owner)
	require.NoError(t, err)
	o := oci.Options{Insecure: true, Credentials: func(context.Context, string) (oci.Credential, error) {
		return oci.Credential{Username: "token", Password: token}, nil
	}}
	pusher, err := oci.NewPusher(u.Host, o)
	require.NoError(t, err)
	defer pusher.Close()
	reader, err := oci.NewReader(u.Host, o)
	require.NoError(t, err)
	defer reader.Close()
	orphan := catalog.Descriptor{Digest: verify.DigestOf([]byte("orphan")), Size: 6}
	require.NoError(t, pusher.PushBlob(t.Context(), "staging/other/waste", orphan, func() (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("orphan")), nil
	}))
	began := time.Now()

	swept, stop := make(chan int), make(chan struct{})
	go func() {
		n := 0
		defer func() { swept <- n }()
		for {
			select {
			case <-stop:
				return
			case <-time.After(sweepEvery):
			}
			if assert.NoError(t, w.Hub.CollectGarbage(t.Context(), young)) {
				n++
			}
		}
	}()
	const publishers, each = 2, 3
	var wg sync.WaitGroup
	for i := range publishers {
		wg.Go(func() {
			for k := range each {
				m := hubtest.Manifest(catalog.PluginID(fmt.Sprintf("other/plugin-%d-%d", i, k)), "1.0.0")
				var sub hub.Submission
				assert.Eventually(t, func() bool { // who is told to wait comes again
					var err error
					sub, err = w.Town.Submit(t.Context(), acme, hubtest.Plugin{Manifest: m})
					if err != nil {
						assert.ErrorContains(t, err, "garbage is being collected")
					}
					return err == nil
				}, 3*time.Minute, 20*time.Millisecond)
				d, err := w.Settle(t.Context(), acme.Owner, sub.ID)
				if assert.NoError(t, err) {
					assert.NoError(t, w.Approve(t.Context(), d))
				}
				assert.Eventually(t, func() bool { // its job comes again, too
					d, err := w.Hub.Publishing.Submission(t.Context(), w.Actor(acme.Owner), sub.ID)
					return err == nil && d.State == hub.StatePublished
				}, 5*time.Minute, 50*time.Millisecond)
			}
		})
	}
	wg.Wait()
	time.Sleep(time.Until(began.Add(young + time.Second)))
	close(stop)
	assert.Greater(t, <-swept, 3)
	require.NoError(t, w.Hub.CollectGarbage(t.Context(), young))

	_, err = reader.Blob(t.Context(), "staging/other/waste", orphan)
	require.ErrorIs(t, err, catalog.ErrNotFound, "what nothing names is gone")
	w.written()
	host := &installtest.Host{}
	m := hubPanel(t, w.URL, host)
	require.NoError(t, m.Sync(t.Context()))
	var all []resolve.Want
	for i := range publishers {
		for k := range each {
			all = append(all, resolve.Want{Plugin: catalog.PluginID(fmt.Sprintf("other/plugin-%d-%d", i, k))})
		}
	}
	apply(t, m, install.Change{Install: all})
	assert.Len(t, host.Versions(), publishers*each)
	for _, want := range all {
		r, err := w.Hub.Publishing.Release(t.Context(), string(want.Plugin), "1.0.0")
		require.NoError(t, err)
		e, err := reader.Evidence(t.Context(), string(want.Plugin), verify.Digest(r.Digest))
		require.NoError(t, err)
		assert.Len(t, e.Bundles, 2, "the signature, and the review")
	}
}
