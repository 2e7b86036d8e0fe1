package install_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
)

// running returns a started store with a queue that runs.
func running(t *testing.T, o install.QueueOptions) (*world, *install.Queue) {
	w := newWorld(t)
	w.start()
	q := install.NewQueue(w.s, o)
	done := make(chan error, 1)
	go func() { done <- q.Run(context.Background()) }()
	t.Cleanup(func() {
		assert.NoError(t, q.Close(context.Background()))
		assert.NoError(t, <-done)
	})
	return w, q
}

// await follows the events until the operation has ended.
func await(t *testing.T, q *install.Queue, id string) (op install.Operation, states []install.State) {
	t.Helper()
	for e := range q.Events(t.Context(), 0) {
		if e.Operation.ID != id {
			continue
		}
		op = e.Operation
		if len(states) == 0 || states[len(states)-1] != op.State {
			states = append(states, op.State)
		}
		if op.State.Final() {
			return op, states
		}
	}
	return op, states
}

func TestQueueAppliesOneByOne(t *testing.T) {
	t.Parallel()
	w, q := running(t, install.QueueOptions{})
	p := w.plan(w.release(backup, "1.0.0"))
	op, err := q.Submit(p, install.Approval{Actor: "admin"})
	require.NoError(t, err)
	assert.Equal(t, install.StateQueued, op.State)
	assert.Equal(t, p.ID(), op.Plan)
	assert.Equal(t, []catalog.PluginID{backup}, op.Plugins)
	op, states := await(t, q, op.ID)
	require.NoError(t, op.Err)
	assert.Equal(t, []install.State{
		install.StateQueued, install.StateResolving, install.StateDownloading, install.StateVerifying, install.StateStaging,
		install.StateStarting, install.StateChecking, install.StateDone,
	}, states)
	assert.Equal(t, p.Download, op.Total)
	assert.Equal(t, op.Total, op.Done)
	list, err := w.s.History()
	require.NoError(t, err)
	assert.Equal(t, op.ID, list[0].ID)

	stale, err := q.Submit(p, install.Approval{})
	require.NoError(t, err)
	got, _ := await(t, q, stale.ID)
	assert.Equal(t, install.StateFailed, got.State)
	require.ErrorIs(t, got.Err, install.ErrStalePlan)
	assert.True(t, got.Restored)
	assert.Len(t, q.List(), 2)
	assert.Equal(t, stale.ID, q.List()[0].ID)
	_, err = q.Get("nonsense")
	require.ErrorIs(t, err, catalog.ErrNotFound)
}

func TestQueueCancelAndBounds(t *testing.T) {
	t.Parallel()
	w, q := running(t, install.QueueOptions{Waiting: 1})
	entered, release := make(chan struct{}), make(chan struct{})
	w.host.OnPrepare = func(ctx context.Context, _ install.Installed) error {
		close(entered)
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-release:
			return nil
		}
	}
	p := w.plan(w.release(backup, "1.0.0"))
	first, err := q.Submit(p, install.Approval{})
	require.NoError(t, err)
	<-entered
	second, err := q.Submit(p, install.Approval{})
	require.NoError(t, err)
	_, err = q.Submit(p, install.Approval{})
	require.ErrorIs(t, err, install.ErrBusy)
	require.NoError(t, q.Cancel(second.ID))
	got, err := q.Get(second.ID)
	require.NoError(t, err)
	assert.Equal(t, install.StateCancelled, got.State)
	require.NoError(t, q.Cancel(first.ID))
	got, _ = await(t, q, first.ID)
	assert.Equal(t, install.StateCancelled, got.State)
	assert.True(t, got.Restored)
	assert.Equal(t, string(install.StateStaging), got.Failing)
	require.ErrorIs(t, q.Cancel(first.ID), install.ErrTooLate)
	require.ErrorIs(t, q.Cancel("nonsense"), catalog.ErrNotFound)
	assert.Empty(t, w.s.Installed())
	close(release)
}

func TestQueueTooLateToCancel(t *testing.T) {
	t.Parallel()
	w, q := running(t, install.QueueOptions{})
	entered, release := make(chan struct{}), make(chan struct{})
	w.host.OnActivate = func(context.Context, install.Installed) error {
		close(entered)
		<-release
		return nil
	}
	op, err := q.Submit(w.plan(w.release(backup, "1.0.0")), install.Approval{})
	require.NoError(t, err)
	<-entered
	require.ErrorIs(t, q.Cancel(op.ID), install.ErrTooLate)
	close(release)
	op, _ = await(t, q, op.ID)
	assert.Equal(t, install.StateDone, op.State)
}

func TestQueueEventsResume(t *testing.T) {
	t.Parallel()
	w, q := running(t, install.QueueOptions{Events: 5})
	op, err := q.Submit(w.plan(w.release(backup, "1.0.0")), install.Approval{})
	require.NoError(t, err)
	await(t, q, op.ID)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seqs []uint64
	for e := range q.Events(ctx, 0) {
		seqs = append(seqs, e.Seq)
		if e.Operation.State.Final() {
			cancel()
		}
	}
	require.Len(t, seqs, 5, "the ring is bounded")
	for e := range q.Events(t.Context(), seqs[2]) {
		assert.Equal(t, seqs[3], e.Seq)
		break
	}
	for e := range q.Events(t.Context(), seqs[4]+1_000_000) { // from a process whose clock was ahead
		assert.Equal(t, seqs[0], e.Seq)
		break
	}
}

// TestQueueTellsHowItEndedLater: the end of an operation whose events are no longer held is
// told to who missed it.
func TestQueueTellsHowItEndedLater(t *testing.T) {
	t.Parallel()
	w, q := running(t, install.QueueOptions{Events: 3})
	p := w.plan(w.release(backup, "1.0.0"))
	first, err := q.Submit(p, install.Approval{})
	require.NoError(t, err)
	await(t, q, first.ID)
	second, err := q.Submit(p, install.Approval{}) // stale by now, and ended all the same
	require.NoError(t, err)
	await(t, q, second.ID)
	third, err := q.Submit(p, install.Approval{})
	require.NoError(t, err)
	await(t, q, third.ID)
	var last uint64
	ended := map[string]install.State{}
	for e := range q.Events(t.Context(), 1) {
		assert.Greater(t, e.Seq, last, "in order, and nothing twice")
		last = e.Seq
		if e.Operation.State.Final() {
			ended[e.Operation.ID] = e.Operation.State
		}
		if len(ended) == 3 {
			break
		}
	}
	assert.Equal(t, map[string]install.State{first.ID: install.StateDone, second.ID: install.StateFailed, third.ID: install.StateFailed}, ended)
	for e := range q.Events(t.Context(), last-1) { // a control: who missed the last one only is told that only
		assert.Equal(t, third.ID, e.Operation.ID)
		assert.Equal(t, last, e.Seq)
		break
	}
}

func TestQueueCloseCancelsAndGetFindsHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	q := install.NewQueue(w.s, install.QueueOptions{})
	var ended []install.State
	done := make(chan error, 1)
	entered := make(chan struct{})
	w.host.OnPrepare = func(ctx context.Context, _ install.Installed) error {
		close(entered)
		<-ctx.Done()
		return context.Cause(ctx)
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { done <- q.Run(ctx) }()
	p := w.plan(w.release(backup, "1.0.0"))
	first, err := q.Submit(p, install.Approval{})
	require.NoError(t, err)
	<-entered
	second, err := q.Submit(p, install.Approval{})
	require.NoError(t, err)
	cancel()
	require.NoError(t, <-done)
	for _, id := range []string{first.ID, second.ID} {
		op, err := q.Get(id)
		require.NoError(t, err)
		ended = append(ended, op.State)
	}
	assert.Equal(t, []install.State{install.StateCancelled, install.StateCancelled}, ended)
	_, err = q.Submit(p, install.Approval{})
	require.ErrorIs(t, err, install.ErrClosed)
	require.NoError(t, q.Close(t.Context()))
	require.Error(t, q.Run(t.Context()))

	fresh := install.NewQueue(w.s, install.QueueOptions{})
	op, err := fresh.Get(first.ID)
	require.NoError(t, err)
	assert.Equal(t, install.StateCancelled, op.State)
	assert.True(t, op.Restored)
	_, err = fresh.Get(second.ID)
	require.ErrorIs(t, err, catalog.ErrNotFound, "it never began")
	require.NoError(t, fresh.Close(t.Context()))
	w.settled()
}

func TestQueueRefusesWithoutConsent(t *testing.T) {
	t.Parallel()
	w, q := running(t, install.QueueOptions{})
	p := w.plan(w.release(backup, "1.0.0", wants("net.out", "api.example.org:443", false)))
	_, err := q.Submit(p, install.Approval{})
	require.ErrorIs(t, err, install.ErrConsent)
	assert.Empty(t, q.List(), fmt.Sprint(err))
}
