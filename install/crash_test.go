package install_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/sandbox/safefs/safefstest"
)

// scenario is a change that is cut everywhere. before brings a store to the old
// set; apply makes the new one of it.
type scenario struct {
	name     string
	before   func(w *world)
	apply    func(w *world) error
	old, new []string          // what is installed
	data     map[string]string // of acme/backup, by its version
}

var scenarios = []scenario{
	{
		name:   "install",
		before: func(w *world) {},
		apply: func(w *world) error {
			return w.apply(w.release(base, "1.0.0"), w.release(backup, "1.0.0", needs(base)))
		},
		old: []string{}, new: []string{"acme/backup@1.0.0", "acme/base@1.0.0"},
	},
	{
		name: "update",
		before: func(w *world) {
			require.NoError(w.t, w.apply(w.release(base, "1.0.0"), w.release(backup, "1.0.0", needs(base))))
			w.writeData(backup, "db", "old data")
		},
		apply: func(w *world) error {
			return w.apply(w.release(base, "1.0.0"), w.release(backup, "2.0.0", schema(2), needs(base)))
		},
		old: []string{"acme/backup@1.0.0", "acme/base@1.0.0"}, new: []string{"acme/backup@2.0.0", "acme/base@1.0.0"},
		data: map[string]string{"1.0.0": "old data", "2.0.0": "new data"},
	},
	{
		name: "roll back",
		before: func(w *world) {
			require.NoError(w.t, w.apply(w.release(backup, "1.0.0")))
			w.writeData(backup, "db", "old data")
			require.NoError(w.t, w.apply(w.release(backup, "2.0.0", schema(2)), w.release(base, "1.0.0")))
		},
		apply: func(w *world) error {
			p, err := w.s.PlanRollback(1, install.PlanOptions{})
			if err != nil {
				return err
			}
			_, err = w.s.Apply(w.t.Context(), p, all(p), install.Events{})
			return err
		},
		old: []string{"acme/backup@2.0.0", "acme/base@1.0.0"}, new: []string{"acme/backup@1.0.0"},
		data: map[string]string{"1.0.0": "old data", "2.0.0": "new data"},
	},
	{
		name: "the last generation kept goes",
		before: func(w *world) {
			for _, v := range []string{"0.1.0", "0.2.0", "1.0.0"} {
				require.NoError(w.t, w.apply(w.release(backup, v, schema(int(v[2])))))
			}
			w.writeData(backup, "db", "old data")
		},
		apply: func(w *world) error { return w.apply(w.release(backup, "2.0.0", schema(9))) },
		old:   []string{"acme/backup@1.0.0"}, new: []string{"acme/backup@2.0.0"},
		data: map[string]string{"1.0.0": "old data", "2.0.0": "new data"},
	},
}

// memory returns a directory in memory where there is such a thing: thousands of
// small stores are made, and what a disk does is not the subject.
func memory(t testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "souk-install")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// crashWorld is a world with migrating data and few generations kept, in memory.
func crashWorld(t testing.TB, in *safefstest.Injector) *world {
	return crashWorldIn(t, filepath.Join(memory(t), "plugins"), in)
}

// crashWorldIn is crashWorld in a directory.
func crashWorldIn(t testing.TB, dir string, in *safefstest.Injector) *world {
	w := newWorldIn(t, dir)
	w.o.Keep = 2
	w.o.Fault = in.Fault
	w.o.Gate.OK = 1
	w.host.OnMigrate = func(_ context.Context, _, to install.Installed) error {
		return os.WriteFile(filepath.Join(to.DataDir, "db"), []byte("new data"), 0o600)
	}
	return w
}

// verdict opens the store that something was done to, and fails the test unless it
// is whole and holds the old set or the new one. It returns which.
func (sc scenario) verdict(t testing.TB, dir string, msg string) []string {
	quick := &safefstest.Injector{}
	quick.Arm(0, safefstest.How{NoSync: true})
	w := newWorldIn(t, dir)
	w.o.Keep, w.o.Fault = 2, quick.Fault
	w.start()
	got := w.host.Versions()
	if fmt.Sprint(got) != fmt.Sprint(sc.old) {
		require.Equal(t, sc.new, got, msg)
	}
	for _, p := range w.s.Installed() {
		if want, ok := sc.data[p.Version]; ok && p.Plugin == backup {
			require.Equal(t, want, w.readData(backup, "db"), msg)
		}
	}
	set := w.settled()
	require.Equal(t, got, set.Versions(), msg)

	again := newWorldIn(t, dir) // recovering twice is recovering once
	again.o.Keep, again.o.Fault = 2, quick.Fault
	again.open()
	require.Equal(t, set, again.settled(), msg)
	return got
}

// copyStore copies a settled store with the modes of its files.
func copyStore(t testing.TB, from, to string) {
	require.NoError(t, filepath.WalkDir(from, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, p)
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, fi.Mode())
	}))
}

const (
	crashScenario = "SOUK_CRASH_SCENARIO"
	crashDir      = "SOUK_CRASH_DIR"
	crashAt       = "SOUK_CRASH_AT"
)

// TestCrashChild is the process that is killed; by itself it does nothing.
func TestCrashChild(t *testing.T) {
	n, err := strconv.ParseUint(os.Getenv(crashAt), 10, 64)
	if err != nil {
		return
	}
	for _, sc := range scenarios {
		if sc.name == os.Getenv(crashScenario) {
			in := &safefstest.Injector{}
			w := crashWorldIn(t, os.Getenv(crashDir), in)
			in.Arm(n, safefstest.How{Kill: true, Only: safefs.Op.Changes, NoSync: true})
			w.start()
			require.NoError(t, sc.apply(w))
			require.NoError(t, w.s.Close())
		}
	}
}

// The process is killed at every operation that changes the disk.
func TestKillAtEveryOperation(t *testing.T) {
	t.Parallel()
	exe, err := os.Executable()
	require.NoError(t, err)
	step := uint64(1)
	if testing.Short() {
		step = 7
	}
	for _, sc := range scenarios[:2] {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			in := &safefstest.Injector{}
			in.Arm(0, safefstest.How{NoSync: true})
			w := crashWorldIn(t, filepath.Join(t.TempDir(), "plugins"), in)
			w.start()
			sc.before(w)
			require.NoError(t, w.s.Close())
			results := map[string]int{}
			for n := uint64(1); ; n += step {
				dir := filepath.Join(t.TempDir(), "p")
				if sc.name != "install" { // which also cuts the making of the store
					copyStore(t, w.dir, dir)
				}
				cmd := exec.Command(exe, "-test.run=^TestCrashChild$")
				cmd.Env = append(os.Environ(), crashScenario+"="+sc.name, crashDir+"="+dir, crashAt+"="+strconv.FormatUint(n, 10), "TMPDIR="+t.TempDir())
				out, err := cmd.CombinedOutput()
				exit, killed := errors.AsType[*exec.ExitError](err)
				if err != nil {
					require.True(t, killed && !exit.Exited(), "operation %d: %v\n%s", n, err, out)
				}
				got := sc.verdict(t, dir, fmt.Sprintf("killed at operation %d", n))
				results[strings.Join(got, " ")]++
				if err == nil {
					require.Equal(t, sc.new, got)
					require.Greater(t, n, uint64(40), "there were more operations to be killed at")
					break
				}
			}
			t.Logf("%s: %v", sc.name, results)
			assert.Len(t, results, 2, "killed early it is the old set, late the new one")
		})
	}
}

// Every operation fails: once before it is done, once after, and from there on.
func TestEveryOperationFails(t *testing.T) {
	t.Parallel()
	hows := []safefstest.How{
		{Err: syscall.ENOSPC},
		{Err: syscall.EIO, After: true},
		{Err: syscall.EACCES, Persist: true},
		{Err: syscall.EIO, Persist: true, After: true},
	}
	for _, sc := range scenarios {
		for _, how := range hows {
			t.Run(fmt.Sprintf("%s %v after=%v persist=%v", sc.name, how.Err, how.After, how.Persist), func(t *testing.T) {
				t.Parallel()
				how.NoSync = true
				seed := &safefstest.Injector{}
				seed.Arm(0, how)
				ready := crashWorld(t, seed)
				ready.start()
				sc.before(ready)
				require.NoError(t, ready.s.Close())
				failed, doubts := 0, 0
				for n := uint64(1); ; n++ {
					in := &safefstest.Injector{}
					in.Arm(0, how)
					w := crashWorld(t, in)
					copyStore(t, ready.dir, w.dir)
					w.start()
					require.Equal(t, sc.old, w.host.Versions())
					in.Arm(n, how)
					err := sc.apply(w)
					op, _ := in.Hit()
					last := in.Count() < n
					in.Arm(0, safefstest.How{NoSync: true})
					msg := fmt.Sprintf("operation %d %s %s %s: %v", n, op.Kind, op.Name, op.To, err)
					switch {
					case err == nil:
						require.Equal(t, sc.new, w.host.Versions(), msg)
						require.Equal(t, sc.new, versions(w.s), msg)
					case errors.Is(err, install.ErrInDoubt):
						doubts++
						require.NoError(t, w.s.Recover(t.Context()), msg)
						require.Equal(t, w.host.Versions(), versions(w.s), msg)
					default:
						failed++
						require.ErrorIs(t, err, how.Err, msg)
						require.Equal(t, sc.old, versions(w.s), msg)
						require.Equal(t, sc.old, w.host.Versions(), msg)
					}
					require.NoError(t, w.s.Close(), msg)
					got := sc.verdict(t, w.dir, msg)
					if err == nil {
						require.Equal(t, sc.new, got, msg)
					} else if !errors.Is(err, install.ErrInDoubt) {
						require.Equal(t, sc.old, got, msg)
					}
					if last {
						require.NoError(t, err)
						break
					}
				}
				t.Logf("%d failed and restored, %d in doubt and recovered", failed, doubts)
				assert.NotZero(t, failed+doubts)
			})
		}
	}
}

func versions(s *install.Store) []string {
	out := []string{}
	for _, p := range s.Installed() {
		out = append(out, p.Ref.String())
	}
	return out
}

// The disk is gone at operation n of an update, and again at operation m of the
// recovery.
func TestCutAgainInRecovery(t *testing.T) {
	t.Parallel()
	sc := scenarios[1]
	how := safefstest.How{Err: syscall.EIO, Persist: true, NoSync: true, Only: safefs.Op.Changes}
	seed := &safefstest.Injector{}
	seed.Arm(0, how)
	ready := crashWorld(t, seed)
	ready.start()
	sc.before(ready)
	require.NoError(t, ready.s.Close())
	cases := 0
	for n := uint64(1); ; n += 3 {
		in := &safefstest.Injector{}
		w := crashWorld(t, in)
		copyStore(t, ready.dir, w.dir)
		w.start()
		in.Arm(n, how)
		err := sc.apply(w)
		_, hit := in.Hit()
		require.NoError(t, w.s.Close())
		for m := uint64(1); hit; m++ {
			again := &safefstest.Injector{}
			again.Arm(m, how)
			second := crashWorld(t, again)
			copyStore(t, w.dir, second.dir)
			s, oerr := install.Open(t.Context(), second.dir, second.o)
			if oerr == nil {
				require.NoError(t, s.Close())
			}
			msg := fmt.Sprintf("cut at operation %d (%v), and at %d of recovery (%v)", n, err, m, oerr)
			sc.verdict(t, second.dir, msg)
			cases++
			if _, hit := again.Hit(); !hit {
				break
			}
		}
		if !hit {
			break
		}
	}
	t.Logf("%d pairs of cuts", cases)
	assert.Greater(t, cases, 50)
}

func TestLockIsHeldByOneProcess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.open()
	_, err := install.Open(t.Context(), w.dir, w.o)
	require.ErrorIs(t, err, install.ErrBusy)

	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, "-test.run=^TestLockChild$", "-test.v")
	cmd.Env = append(os.Environ(), crashDir+"="+w.dir, "SOUK_LOCK_CHILD=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Contains(t, string(out), "the child says: open store: another installation is running")
	require.NoError(t, w.s.Close())
	w.open()
}

// TestLockChild is the other process; by itself it does nothing.
func TestLockChild(t *testing.T) {
	if os.Getenv("SOUK_LOCK_CHILD") == "" {
		return
	}
	w := newWorld(t)
	_, err := install.Open(t.Context(), os.Getenv(crashDir), w.o)
	fmt.Println("the child says:", err)
	require.ErrorIs(t, err, install.ErrBusy)
}
