package publishing_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// TestKilledBetweenAnyTwoSteps ends the process before and after every request and every
// transaction of publishing, and starts another one on what is left. At each moment a
// panel sees a catalog that it trusts, in which the release is whole or not at all; in
// the end it is published once.
func TestKilledBetweenAnyTwoSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.panel()
	owner, signer := w.publisher("acme")
	w.publish(owner, signer, manifest("acme/first", "1.0.0"), nil)

	var places []string
	for n := 1; ; n += stride {
		m := manifest(catalog.PluginID(fmt.Sprintf("acme/plugin-%d", n)), "1.0.0")
		sub := w.approve(w.reviewed(owner, signer, m, nil))
		w.cut.set(n)
		err := w.run()
		ended := w.cut.name
		if ended == "" {
			require.NoError(t, err, "a run that nobody cut")
			require.Equal(t, hub.StatePublished, w.get(sub.ID).State)
			break
		}
		if err != nil { // giving the lease back may fail without a word
			require.ErrorIs(t, err, errDead, "step %d, %s", n, ended)
		}
		places = append(places, ended)

		checkOnce(t, w, p, sub, false, ended)
		w.start()                    // another process
		w.clock.advance(time.Minute) // after which the lease of the dead one is over
		w.jobs.add(hub.Job{Kind: hub.JobRenew})
		w.settle()
		require.Equal(t, hub.StatePublished, w.get(sub.ID).State, "step %d, %s", n, ended)
		checkOnce(t, w, p, sub, true, ended)
	}
	require.Greater(t, len(places)*stride, 50, "so many steps there are at least")
	t.Logf("%d steps, the last: %s", len(places), places[len(places)-1])
}

// TestKilledBeforeReview does the same on the way from submission to review.
func TestKilledBeforeReview(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, signer := w.publisher("acme")
	w.publish(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	for n := 1; ; n += stride {
		m := manifest("acme/backup", fmt.Sprintf("1.1.%d", n))
		sub := w.submit(owner, m, w.push(pack(t, m, nil), signer))
		w.cut.set(n)
		err := w.run()
		ended := w.cut.name
		w.start()
		w.settle()
		sub = w.get(sub.ID)
		require.Equal(t, hub.StateInReview, sub.State, "step %d, %s: %s", n, ended, sub.Reason)
		d, err2 := w.service.Submission(t.Context(), owner, sub.ID)
		require.NoError(t, err2)
		require.Len(t, d.Scans, 1)
		require.Equal(t, hub.ScanClean, d.Scans[0].State)
		require.Equal(t, "1.0.0", d.Diff.Base)
		if ended == "" {
			require.NoError(t, err)
			require.Greater(t, n, 20)
			break
		}
		_, err = w.service.Withdraw(t.Context(), owner, sub.ID, "")
		require.NoError(t, err)
	}
}

// checkOnce looks with the eyes of a panel, and into the tables.
func checkOnce(t *testing.T, w *world, p *panel, sub hub.Submission, must bool, ended string) {
	t.Helper()
	ref := catalog.Ref{Plugin: catalog.PluginID(sub.Plugin), Version: sub.Version}
	s := p.sync()
	r, err := s.Release(ref)
	if errors.Is(err, catalog.ErrNotFound) && !must {
		return
	}
	require.NoError(t, err, "after %s", ended)
	require.Equal(t, sub.Digest, string(r.Digest))
	require.Len(t, s.Releases(ref.Plugin), 1)
	p.proves(s, r)
	require.NoError(t, w.db.View(t.Context(), func(tx hub.Tx) error {
		rows, err := hub.ReleasesOf(t.Context(), tx, sub.Plugin)
		require.Len(t, rows, 1)
		if must {
			require.NotZero(t, rows[0].Serial)
			published, err := tx.Events().Count(t.Context(), hub.Eq("kind", hub.EventReleasePublished), hub.Eq("plugin", sub.Plugin))
			require.NoError(t, err)
			require.EqualValues(t, 1, published, "events of %s, ended at %s", sub.Ref(), ended)
		}
		return err
	}))
}

// TestTwoProcesses lets two services work on the same queue at once.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	p := w.panel()
	owner, signer := w.publisher("acme")
	w.settle()
	one := w.service
	w.start()
	two := w.service
	var subs []hub.Submission
	for i := range 6 {
		m := manifest(catalog.PluginID(fmt.Sprintf("acme/plugin-%d", i)), "1.0.0")
		subs = append(subs, w.approve(w.reviewed(owner, signer, m, nil)))
	}
	w.jobs.add(hub.Job{Kind: hub.JobCatalog})
	done := make(chan error, 2)
	work := func(handlers map[string]hub.Handler) {
		for range 200 {
			j, ok := w.jobs.take(w.clock.now())
			if !ok {
				break
			}
			do, ours := handlers[j.Kind]
			if !ours {
				continue
			}
			j.Attempt++
			err := do(t.Context(), j)
			snooze := (*hub.Snooze)(nil)
			if errors.As(err, &snooze) {
				w.jobs.add(j) // at once: the clock stands still
			} else if err != nil {
				done <- err
				return
			}
			if j.Kind == hub.JobCatalog { // the other one too, at the same time
				w.jobs.add(hub.Job{Kind: hub.JobCatalog, Subject: "again"})
			}
		}
		done <- nil
	}
	go work(one.Handlers())
	go work(two.Handlers())
	require.NoError(t, <-done)
	require.NoError(t, <-done)
	w.jobs.waiting = nil
	w.jobs.add(hub.Job{Kind: hub.JobCatalog}, hub.Job{Kind: hub.JobRenew})
	w.settle()
	for _, sub := range subs {
		require.Equal(t, hub.StatePublished, w.get(sub.ID).State)
		checkOnce(t, w, p, sub, true, "nothing")
	}
}
