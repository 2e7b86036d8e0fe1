package sqlstore_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

func TestSmoke(t *testing.T) {
	s, err := sqlstore.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "hub.db"), sqlstore.Options{})
	require.NoError(t, err)
	defer s.Close()
	ctx := t.Context()
	now := time.Now()
	require.NoError(t, s.Update(ctx, func(tx hub.Tx) error {
		a := hub.Account{ID: "acc_1", Name: "A", Roles: []hub.Role{hub.RoleAdmin}, Created: now}
		require.NoError(t, tx.Accounts().Insert(ctx, &a))
		require.ErrorIs(t, tx.Accounts().Insert(ctx, &a), hub.ErrExists)
		a.Name = "B"
		require.NoError(t, tx.Accounts().Update(ctx, &a))
		require.EqualValues(t, 2, a.Rev)
		require.NoError(t, hub.Emit(ctx, tx, now, hub.Event{Kind: hub.EventReleasePublished}))
		return hub.Record(ctx, tx, hub.Actor{}, now, hub.ActAccountEdit, "x", map[string]int{"a": 1})
	}))
	require.NoError(t, s.View(ctx, func(tx hub.Tx) error {
		l, err := tx.Accounts().List(ctx, hub.Query{Where: []hub.Cond{hub.InList("roles", "admin"), hub.Has("name", "b")}})
		require.NoError(t, err)
		t.Log(l)
		return nil
	}))
	done := make(chan hub.Job)
	wctx, cancel := context.WithCancel(ctx)
	end := make(chan error)
	go func() {
		end <- s.Work(wctx, map[string]hub.Handler{hub.JobFanOut: func(ctx context.Context, j hub.Job) error { done <- j; return nil }}, nil)
	}()
	start := time.Now()
	t.Log(<-done, time.Since(start))
	cancel()
	require.NoError(t, <-end)
	t.Log(time.Since(start))
	n, err := s.Tally(ctx, []hub.Tally{{Day: 1, Kind: "download", Once: "a", N: 1}, {Day: 1, Kind: "download", Once: "a", N: 1}, {Day: 1, Kind: "download", N: 1}})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.NoError(t, s.View(ctx, func(tx hub.Tx) error {
		l, err := tx.Totals(ctx, hub.TotalQuery{Kind: "download", To: 5, By: []string{"day"}, Limit: 4})
		t.Log(l, err)
		return nil
	}))
	t.Log(s.Jobs(ctx))
	require.NoError(t, s.Backup(ctx, filepath.Join(t.TempDir(), "b.db")))
}
