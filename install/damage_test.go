package install_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/sandbox/safefs/safefstest"
)

// A file of the store that is damaged is said to be damaged: it is never taken for
// an empty store.
func TestDamageIsNeverTakenForEmpty(t *testing.T) {
	t.Parallel()
	flip := func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b }
	for name, tc := range map[string]struct {
		file   string
		change func([]byte) []byte // nil: the file goes
	}{
		"current flipped":    {"current", flip},
		"current empty":      {"current", func([]byte) []byte { return nil }},
		"current zeroed":     {"current", func(b []byte) []byte { return make([]byte, len(b)) }},
		"current cut":        {"current", func(b []byte) []byte { return b[:len(b)-1] }},
		"current twice":      {"current", func(b []byte) []byte { return append(b, b...) }},
		"current gone":       {"current", nil},
		"generation flipped": {"gen/0000000002", flip},
		"generation gone":    {"gen/0000000002", nil},
		"generation swapped": {"gen/0000000002", func([]byte) []byte { b, _ := install.EncodeFrame(install.Generation{N: 1}); return b }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.start()
			require.NoError(t, w.apply(w.release(backup, "1.0.0")))
			require.NoError(t, w.apply(w.release(backup, "2.0.0")))
			require.NoError(t, w.s.Close())
			path := filepath.Join(w.dir, filepath.FromSlash(tc.file))
			b, err := os.ReadFile(path)
			require.NoError(t, err)
			if tc.change == nil {
				require.NoError(t, os.Remove(path))
			} else {
				require.NoError(t, os.WriteFile(path, tc.change(b), 0o600))
			}
			_, err = install.Open(t.Context(), w.dir, w.o)
			require.ErrorIs(t, err, install.ErrCorrupt)
			require.NoError(t, os.WriteFile(path, b, 0o600))
			w.start()
			assert.Equal(t, []string{"acme/backup@2.0.0"}, w.host.Versions())
		})
	}
}

func TestDamagedOldRecordDeletesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	require.NoError(t, w.apply(w.release(backup, "1.0.0")))
	require.NoError(t, w.apply(w.release(backup, "2.0.0")))
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "gen", "0000000001"), []byte("x"), 0o600))
	_, err := w.s.Generations()
	require.ErrorIs(t, err, install.ErrCorrupt)
	require.ErrorIs(t, w.s.Check(t.Context()), install.ErrCorrupt)
	require.NoError(t, w.apply(w.release(backup, "3.0.0")), "what is installed is not damaged")
	list, err := os.ReadDir(filepath.Join(w.dir, "store"))
	require.NoError(t, err)
	assert.Len(t, list, 3, "nobody knows what the damaged record refers to")
}

// A crash leaves a log whose last record is torn; what came before it counts.
func TestTornLog(t *testing.T) {
	t.Parallel()
	begin, err := install.EncodeFrame(install.Record{What: "begin", Tx: &install.Entry{
		Transaction: install.Transaction{ID: "t1", Title: "Install x", Actor: "admin"},
		Changes:     []install.HistoryStep{{Action: install.ActInstall, Plugin: base, To: "1.0.0"}},
	}})
	require.NoError(t, err)
	stop, err := install.EncodeFrame(install.Record{What: "stop"})
	require.NoError(t, err)
	for name, tc := range map[string]struct {
		log     []byte
		entries int
		stops   bool
		bad     bool
	}{
		"empty":                 {nil, 0, false, false},
		"first torn":            {begin[:len(begin)/2], 0, false, false},
		"first zeroed":          {make([]byte, 300), 0, false, false},
		"whole":                 {begin, 1, false, false},
		"second torn":           {append(bytes.Clone(begin), stop[:10]...), 1, false, false},
		"second zeroed":         {append(bytes.Clone(begin), make([]byte, 20)...), 1, false, false},
		"two":                   {append(bytes.Clone(begin), stop...), 1, true, false},
		"bad before a good one": {append([]byte("xx\n"), begin...), 0, false, true},
		"not the beginning":     {stop, 0, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.open()
			require.NoError(t, w.s.Close())
			require.NoError(t, os.WriteFile(filepath.Join(w.dir, "tx", "t1.log"), tc.log, 0o600))
			s, err := install.Open(t.Context(), w.dir, w.o)
			if tc.bad {
				require.ErrorIs(t, err, install.ErrCorrupt)
				return
			}
			require.NoError(t, err)
			w.s = s
			list, err := s.History()
			require.NoError(t, err)
			require.Len(t, list, tc.entries)
			if tc.entries > 0 {
				assert.Equal(t, install.StateFailed, list[0].State)
				assert.NotEmpty(t, list[0].Error)
			}
			assert.Equal(t, tc.stops, len(w.host.Calls()) > 0, "what may run is stopped")
			op, err := install.NewQueue(s, install.QueueOptions{}).Get("t1")
			if tc.entries > 0 {
				require.NoError(t, err)
				assert.True(t, op.Restored)
				require.Error(t, op.Err)
			}
			w.settled()
		})
	}
}

// The disk does not confirm the commit: what then counts is what Recover finds, and
// until then nothing is changed.
func TestInDoubtIsReadOnlyUntilRecovered(t *testing.T) {
	t.Parallel()
	broken := false
	w := newWorld(t)
	w.o.Fault = func(op safefs.Op) error {
		if broken && op.Kind == safefs.OpSyncDir && op.Name == "." {
			return syscall.EIO
		}
		return nil
	}
	w.start()
	require.NoError(t, w.apply(w.release(backup, "1.0.0")))
	two := w.release(backup, "2.0.0")
	p := w.plan(two)
	broken = true
	_, err := w.s.Apply(t.Context(), p, all(p), install.Events{})
	require.ErrorIs(t, err, install.ErrInDoubt)
	e, ok := errors.AsType[*install.Error](err)
	require.True(t, ok)
	assert.False(t, e.Restored)
	_, err = w.s.Apply(t.Context(), p, all(p), install.Events{})
	require.ErrorIs(t, err, install.ErrInDoubt)
	require.ErrorIs(t, w.s.Check(t.Context()), install.ErrInDoubt)
	require.Error(t, w.s.Recover(t.Context()))
	broken = false
	require.NoError(t, w.s.Recover(t.Context()))
	assert.Equal(t, []string{"acme/backup@1.0.0"}, w.host.Versions())
	require.NoError(t, w.apply(two))
	w.settled()
}

// The directory sync of the commit fails once: the commit holds, since Recover made
// it durable, and Apply says so.
func TestCommitConfirmedLateIsDone(t *testing.T) {
	t.Parallel()
	in := &safefstest.Injector{}
	w := newWorld(t)
	w.o.Fault = in.Fault
	w.start()
	p := w.plan(w.release(backup, "1.0.0"))
	in.Arm(2, safefstest.How{Err: syscall.EIO, Only: func(op safefs.Op) bool { return op.Kind == safefs.OpSyncDir && op.Name == "." }})
	_, err := w.s.Apply(t.Context(), p, all(p), install.Events{})
	require.NoError(t, err)
	_, hit := in.Hit()
	require.True(t, hit)
	assert.Equal(t, []string{"acme/backup@1.0.0"}, w.host.Versions())
	assert.Equal(t, []string{"acme/backup@1.0.0"}, w.settled().Versions())
}

func TestClosedAndRefusedOptions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	o := w.o
	o.Verifier = nil
	_, err := install.Open(t.Context(), w.dir, o)
	require.ErrorContains(t, err, "Verifier")
	w.start()
	p := w.plan(w.release(backup, "1.0.0"))
	require.NoError(t, w.s.Close())
	require.NoError(t, w.s.Close())
	_, err = w.s.Apply(t.Context(), p, all(p), install.Events{})
	require.ErrorIs(t, err, install.ErrClosed)
	require.ErrorIs(t, w.s.Recover(t.Context()), install.ErrClosed)
	require.Len(t, w.s.Start(t.Context()), 1)
	require.NoError(t, os.WriteFile(filepath.Join(w.dir, "FORMAT"), []byte("souk-store 2\n"), 0o600))
	_, err = install.Open(t.Context(), w.dir, w.o)
	require.ErrorContains(t, err, "souk-store 2")
}

func TestLostDataIsNotTakenForEmpty(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	require.NoError(t, w.apply(w.release(backup, "1.0.0")))
	dir := w.data(backup)
	require.NoError(t, os.Remove(dir))
	require.ErrorIs(t, w.s.Check(t.Context()), install.ErrCorrupt)
	for _, change := range []int{0, 2} {
		err := w.apply(w.release(backup, "2.0.0", schema(change)))
		require.ErrorIs(t, err, install.ErrCorrupt)
		assert.Equal(t, []string{"acme/backup@1.0.0"}, versions(w.s))
		assert.NoDirExists(t, dir)
	}
	require.NoError(t, os.MkdirAll(dir, 0o700))
	require.NoError(t, w.apply(w.release(backup, "2.0.0")))
	w.settled()
}
