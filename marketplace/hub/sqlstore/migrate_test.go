package sqlstore_test

import (
	"context"
	"encoding/json"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

// load fills a database with a dump of an old version, as that version left it.
func (d database) load(t *testing.T) {
	t.Helper()
	file := map[string]string{"sqlite": "testdata/v1.sqlite.sql", "pgx": "testdata/v1.postgres.sql"}[d.driver]
	dump, err := os.ReadFile(file)
	require.NoError(t, err)
	db := d.raw()
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(t.Context(), string(dump))
	require.NoError(t, err)
	require.NoError(t, db.Close()) // with what the dump said to its connection
}

// TestOldDatabase opens a database of version 1 with data in it.
func TestOldDatabase(t *testing.T) {
	both(t, func(t *testing.T, e engine) {
		d, ctx := e(t), t.Context()
		d.load(t)
		s := d.open(sqlstore.Options{})
		at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
		require.NoError(t, s.View(ctx, func(tx hub.Tx) error {
			a, err := tx.Accounts().Get(ctx, "acc_1")
			require.NoError(t, err)
			assert.Equal(t, hub.Account{ID: "acc_1", Rev: 1, Name: "Ada Lovelace", Email: "ada@example.org",
				Roles: []hub.Role{hub.RoleAdmin}, State: hub.AccountActive, Created: at}, a)
			held, err := tx.Ratings().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("state", hub.Held)}, Order: "updated"})
			require.NoError(t, err)
			require.Len(t, held, 1)
			assert.Equal(t, "It's good; \"very\".\nüñ", held[0].Text)
			sub, err := tx.Submissions().Get(ctx, "sub_1")
			require.NoError(t, err)
			assert.Equal(t, json.RawMessage(`{"id":"acme/backup"}`), sub.Manifest)
			totals, err := tx.Totals(ctx, hub.TotalQuery{Kind: hub.TallyDownload, To: 30_000, By: []string{"plugin"}})
			require.NoError(t, err)
			assert.Equal(t, []hub.Total{{Plugin: "acme/backup", N: 7}}, totals)
			return nil
		}))
		// Numbers go on, jobs that waited are done, and new ones are added once.
		require.NoError(t, s.Update(ctx, func(tx hub.Tx) error {
			c := hub.Change{Plugin: "acme/other"}
			require.NoError(t, tx.Changes().Insert(ctx, &c))
			assert.EqualValues(t, 2, c.Seq)
			require.NoError(t, hub.Record(ctx, tx, hub.Actor{}, at, hub.ActPolicyEdit, "policy", nil))
			return tx.Enqueue(ctx, hub.Job{Kind: hub.JobTidy}, hub.Job{Kind: hub.JobTidy})
		}))
		waiting, _, err := s.Jobs(ctx)
		require.NoError(t, err)
		assert.Equal(t, map[string]int{hub.JobValidate: 1, hub.JobCatalog: 1, hub.JobTidy: 1}, waiting)
		done := make(chan string, 3)
		h := func(_ context.Context, j hub.Job) error { done <- j.Kind + " " + j.Subject; return nil }
		work, cancel := context.WithCancel(ctx)
		worked := make(chan error, 1)
		go func() {
			worked <- s.Work(work, map[string]hub.Handler{hub.JobValidate: h, hub.JobCatalog: h, hub.JobTidy: h}, nil)
		}()
		assert.ElementsMatch(t, []string{"validate sub_1", "catalog ", "tidy "}, []string{<-done, <-done, <-done})
		cancel()
		require.NoError(t, <-worked)
		require.NoError(t, s.Close())
		d.open(sqlstore.Options{}) // again, where nothing is to do
		var versions int
		require.NoError(t, d.raw().QueryRowContext(ctx, "SELECT count(*) FROM schema_version").Scan(&versions))
		assert.Equal(t, sqlstore.Schema, versions)
	})
}

func TestNewerDatabase(t *testing.T) {
	both(t, func(t *testing.T, e engine) {
		d := e(t)
		require.NoError(t, d.open(sqlstore.Options{}).Close())
		_, err := d.raw().ExecContext(t.Context(), "INSERT INTO schema_version (version) VALUES (999)")
		require.NoError(t, err)
		_, err = d.try(sqlstore.Options{})
		require.ErrorIs(t, err, sqlstore.ErrNewer)
		require.ErrorContains(t, err, "999")
		if d.driver == "sqlite" {
			_, err = sqlstore.Verify(t.Context(), d.source)
			require.ErrorIs(t, err, sqlstore.ErrNewer)
		}
	})
}

// TestOpenTogether has processes start at the same time, on a new and on an old database.
func TestOpenTogether(t *testing.T) {
	both(t, func(t *testing.T, e engine) {
		for name, prepare := range map[string]func(database){"new": func(database) {}, "old": func(d database) { d.load(t) }} {
			d := e(t)
			prepare(d)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					s, err := d.try(sqlstore.Options{})
					if assert.NoError(t, err, name) {
						assert.NoError(t, s.Close())
					}
				})
			}
			all.Wait()
		}
	})
}

// TestAuditIsKept goes around the store: the database itself refuses.
func TestAuditIsKept(t *testing.T) {
	both(t, func(t *testing.T, e engine) {
		d, ctx := e(t), t.Context()
		s := d.open(sqlstore.Options{})
		require.NoError(t, s.Update(ctx, func(tx hub.Tx) error {
			return hub.Record(ctx, tx, hub.Actor{Account: "acc_1"}, time.Now(), hub.ActPolicyEdit, "policy", nil)
		}))
		raw := d.raw()
		statements := []string{"UPDATE audit SET actor = 'x'", "DELETE FROM audit", "DELETE FROM audit WHERE seq = 1"}
		if d.driver == "pgx" {
			statements = append(statements, "TRUNCATE audit")
		} else {
			statements = append(statements, "REPLACE INTO audit (seq, at, actor, via, action, target, detail) VALUES (1, 0, 'x', '', '', '', '')")
		}
		for _, statement := range statements {
			_, err := raw.ExecContext(ctx, statement)
			assert.ErrorContains(t, err, "can only be added to", statement)
		}
		require.NoError(t, s.View(ctx, func(tx hub.Tx) error {
			list, err := tx.Audit().List(ctx, hub.Query{})
			require.Len(t, list, 1)
			assert.Equal(t, "acc_1", list[0].Actor)
			return err
		}))
	})
}
