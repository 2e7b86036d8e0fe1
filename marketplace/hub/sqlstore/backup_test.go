package sqlstore_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

// TestBackup copies a database that is written to, and opens the copy.
func TestBackup(t *testing.T) {
	d, ctx := sqlite(t), t.Context()
	s := d.open(sqlstore.Options{Volatile: true})
	writing, stop := context.WithCancel(ctx)
	var writer sync.WaitGroup
	pair := func(n int) {
		assert.NoError(t, s.Update(ctx, func(tx hub.Tx) error {
			if err := tx.Scores().Put(ctx, &hub.Score{Plugin: fmt.Sprint(n)}); err != nil {
				return err
			}
			if err := tx.Enqueue(ctx, hub.Job{Kind: "job", Subject: fmt.Sprint(n)}); err != nil {
				return err
			}
			return tx.Settings().Insert(ctx, &hub.Setting{Key: fmt.Sprint(n)})
		}))
	}
	for n := range 100 {
		pair(n)
	}
	writer.Go(func() {
		for n := 100; writing.Err() == nil; n++ {
			pair(n)
		}
	})
	path := filepath.Join(t.TempDir(), "new", "copy.db")
	require.NoError(t, s.Backup(ctx, path))
	stop()
	writer.Wait()

	schema, err := sqlstore.Verify(ctx, path)
	require.NoError(t, err)
	require.Equal(t, sqlstore.Schema, schema)
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), "it holds what the database holds")
	left, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, left, 1, "nothing but the copy")

	backup, err := os.ReadFile(path)
	require.NoError(t, err)
	require.ErrorIs(t, s.Backup(ctx, path), fs.ErrExist, "an existing file is kept")
	same, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, backup, same)

	c := database{t: t, driver: "sqlite", source: path}.open(sqlstore.Options{})
	require.NoError(t, c.View(ctx, func(tx hub.Tx) error {
		scores, err := tx.Scores().Count(ctx)
		require.NoError(t, err)
		settings, err := tx.Settings().Count(ctx)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, scores, int64(100))
		assert.Equal(t, scores, settings, "whole transactions")
		waiting, _, err := c.Jobs(ctx)
		require.NoError(t, err)
		assert.EqualValues(t, scores, waiting["job"])
		return nil
	}))
}

func TestBackupOfPostgres(t *testing.T) {
	s := postgres(t).open(sqlstore.Options{})
	require.ErrorContains(t, s.Backup(t.Context(), filepath.Join(t.TempDir(), "copy")), "pg_dump")
}

func TestVerifyRefuses(t *testing.T) {
	d, ctx := sqlite(t), t.Context()
	require.NoError(t, d.open(sqlstore.Options{}).Close())
	_, err := sqlstore.Verify(ctx, d.source)
	require.NoError(t, err)
	whole, err := os.ReadFile(d.source)
	require.NoError(t, err)
	write := func(name string, b []byte) string {
		path := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(path, b, 0o600))
		return path
	}
	_, err = sqlstore.Verify(ctx, write("cut.db", whole[:len(whole)/2]))
	assert.Error(t, err)
	damaged := append([]byte(nil), whole...)
	for i := len(damaged) / 2; i < len(damaged)/2+20_000; i++ {
		damaged[i] ^= 0x5a
	}
	_, err = sqlstore.Verify(ctx, write("damaged.db", damaged))
	assert.Error(t, err)
	_, err = sqlstore.Verify(ctx, write("text.db", []byte("no database at all")))
	assert.Error(t, err)
	_, err = sqlstore.Verify(ctx, write("empty.db", nil))
	assert.Error(t, err)
	absent := filepath.Join(t.TempDir(), "absent.db")
	_, err = sqlstore.Verify(ctx, absent)
	assert.Error(t, err)
	assert.NoFileExists(t, absent)
}
