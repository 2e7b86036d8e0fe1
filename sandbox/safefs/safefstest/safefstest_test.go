package safefstest_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/sandbox/safefs/safefstest"
)

func TestInjector(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	in := &safefstest.Injector{}
	r, err := safefs.Open(t.TempDir(), safefs.Options{Fault: in.Fault})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()

	in.Arm(2, safefstest.How{Err: boom})
	require.NoError(t, r.Mkdir("a", 0o700))
	require.ErrorIs(t, r.Mkdir("b", 0o700), boom)
	require.NoError(t, r.Mkdir("b", 0o700), "it was not done, and it fails once")
	op, hit := in.Hit()
	require.True(t, hit)
	assert.Equal(t, safefs.OpMkdir, op.Kind)
	assert.Equal(t, "b", op.Name)
	assert.Equal(t, uint64(3), in.Count())

	in.Arm(1, safefstest.How{Err: boom, After: true})
	require.ErrorIs(t, r.Mkdir("c", 0o700), boom)
	_, err = r.Stat("c")
	require.NoError(t, err, "it was done")

	in.Arm(1, safefstest.How{Err: boom, Persist: true, Only: safefs.Op.Changes})
	require.ErrorIs(t, r.Mkdir("d", 0o700), boom)
	require.ErrorIs(t, r.Mkdir("d", 0o700), boom)
	_, err = r.Stat("a")
	require.NoError(t, err, "looking is not counted and does not fail")
	in.Disarm()
	require.NoError(t, r.Mkdir("d", 0o700))
}

// left returns what a power cut leaves: the content of the files by name.
func left(t *testing.T, d *safefstest.Disk, seed int64) map[string]string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "image")
	require.NoError(t, d.Cut(seed).Write(dir))
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	out := map[string]string{}
	for _, e := range list {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		require.NoError(t, err)
		out[e.Name()] = string(b)
	}
	return out
}

func TestDiskForgetsWhatWasNotSynced(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "old"), []byte("old"), 0o600))
	d, err := safefstest.NewDisk(dir, nil)
	require.NoError(t, err)
	r, err := safefs.Open(dir, safefs.Options{Fault: d.Fault})
	require.NoError(t, err)
	defer func() { require.NoError(t, r.Close()) }()

	none := d.Cut(safefstest.KeepNothing).Sum()
	assert.Equal(t, none, d.Cut(safefstest.KeepAll).Sum(), "nothing changed yet")
	f, err := r.Create("new", 0o600)
	require.NoError(t, err)
	_, err = f.Write([]byte("content"))
	require.NoError(t, err)
	assert.Equal(t, none, d.Cut(safefstest.KeepNothing).Sum(), "nothing durable changed")
	assert.NotEqual(t, none, d.Cut(safefstest.KeepAll).Sum())
	assert.Equal(t, map[string]string{"old": "old"}, left(t, d, safefstest.KeepNothing), "no name")
	assert.Equal(t, map[string]string{"old": "old", "new": "content"}, left(t, d, safefstest.KeepAll))
	require.NoError(t, r.SyncDir("."))
	assert.Equal(t, map[string]string{"old": "old", "new": ""}, left(t, d, safefstest.KeepNothing), "a name without content")
	seen := map[string]bool{}
	for seed := range int64(40) {
		seen[left(t, d, seed)["new"]] = true
	}
	assert.Equal(t, map[string]bool{"": true, "con": true, "content": true, "\x00\x00\x00\x00\x00\x00\x00": true}, seen)
	require.NoError(t, f.Sync())
	require.NoError(t, f.Close())
	assert.Equal(t, "content", left(t, d, safefstest.KeepNothing)["new"])

	require.NoError(t, r.Rename("new", "old"))
	assert.Equal(t, map[string]string{"old": "old", "new": "content"}, left(t, d, safefstest.KeepNothing), "the rename is not durable")
	require.NoError(t, r.SyncDir("."))
	assert.Equal(t, map[string]string{"old": "content"}, left(t, d, safefstest.KeepNothing))
	require.NoError(t, r.WriteFile("old", []byte("atomic"), 0o600))
	assert.Equal(t, map[string]string{"old": "atomic"}, left(t, d, safefstest.KeepNothing), "WriteFile is durable when it returns")
}
