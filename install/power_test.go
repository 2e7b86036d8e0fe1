package install_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/sandbox/safefs/safefstest"
)

// cut is what a power cut may have left at some moment of a scenario.
type cut struct {
	image safefstest.Image
	after string // the operation before it
	done  bool   // Apply had returned nil
}

// record runs a scenario on a modelled disk and returns what power cuts may leave:
// at every step-th change nothing, everything, and some subsets of what is not
// durable. States of the disk that are alike are returned once. skip leaves
// operations out, as a disk that lies does.
func (sc scenario) record(t testing.TB, step, subsets int, skip func(safefs.Op) bool) (cuts []cut) {
	ready := crashWorld(t, &safefstest.Injector{})
	ready.start()
	sc.before(ready)
	require.NoError(t, ready.s.Close())

	var disk *safefstest.Disk
	last, n, on, done := "", 0, false, false
	type state struct {
		image [sha256.Size]byte
		done  bool
	}
	seen := map[state]bool{}
	snap := func() {
		if !on {
			return
		}
		if n++; n%step != 0 && !done {
			return
		}
		seeds := []int64{safefstest.KeepNothing, safefstest.KeepAll}
		for i := range subsets {
			seeds = append(seeds, int64(n*1000+i))
		}
		for _, seed := range seeds {
			image := disk.Cut(seed)
			if st := (state{image.Sum(), done}); !seen[st] {
				seen[st] = true
				cuts = append(cuts, cut{image, last, done})
			}
		}
	}
	w := crashWorld(t, &safefstest.Injector{})
	copyStore(t, ready.dir, w.dir)
	if sc.name == "install" { // with the making of the store
		require.NoError(t, os.RemoveAll(w.dir))
		require.NoError(t, os.Mkdir(w.dir, 0o700))
	}
	disk, err := safefstest.NewDisk(w.dir, snap)
	require.NoError(t, err)
	w.o.Fault = func(op safefs.Op) error {
		if on && !op.Done && skip != nil && skip(op) {
			return safefs.Skip
		}
		if op.Changes() {
			last = fmt.Sprintf("%s %s %s", op.Kind, op.Name, op.To)
		}
		return disk.Fault(op)
	}
	on = true
	w.start()
	require.NoError(t, sc.apply(w))
	done = true
	snap()
	require.NoError(t, w.s.Close())
	return cuts
}

// judge opens what a cut left; it is the old set or the new one, and the new one
// when Apply had returned.
func (sc scenario) judge(t testing.TB, c cut) {
	dir := filepath.Join(memory(t), "plugins")
	require.NoError(t, c.image.Write(dir))
	got := sc.verdict(t, dir, "power cut after "+c.after)
	if c.done {
		require.Equal(t, sc.new, got, "Apply had returned nil")
	}
	require.NoError(t, os.RemoveAll(dir))
}

func TestPowerCut(t *testing.T) {
	t.Parallel()
	step := 1
	if testing.Short() {
		step = 5
	}
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			cuts := sc.record(t, step, 20, nil)
			for _, c := range cuts {
				sc.judge(t, c)
			}
			t.Logf("%d different states of the disk", len(cuts))
			assert.Greater(t, len(cuts), 10)
		})
	}
}

// trial is a testing.TB whose failure is a result.
type trial struct {
	testing.TB
	failed string
}

func (t *trial) Errorf(format string, args ...any) { t.failed += fmt.Sprintf(format, args...) }

func (t *trial) FailNow() { runtime.Goexit() }

// fails returns what f fails a test with; nothing when it does not.
func fails(t testing.TB, f func(t testing.TB)) string {
	tr := &trial{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(tr)
	}()
	<-done
	return tr.failed
}

// A test of the test: with one kind of sync left out, some power cut must break the
// store, or the sync, or this suite, is for nothing.
func TestEachSyncIsNeeded(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		return
	}
	within := func(dir string) func(safefs.Op) bool {
		return func(op safefs.Op) bool {
			return (op.Kind == safefs.OpSync || op.Kind == safefs.OpSyncDir || op.Kind == safefs.OpSyncFS) && strings.HasPrefix(op.Name, dir)
		}
	}
	is := func(kind safefs.Kind, name string) func(safefs.Op) bool {
		return func(op safefs.Op) bool { return op.Kind == kind && op.Name == name }
	}
	for name, skip := range map[string]func(safefs.Op) bool{
		"nothing":            nil,
		"files of an object": func(op safefs.Op) bool { return op.Kind == safefs.OpSync && strings.HasPrefix(op.Name, "store/.new-") },
		"tree of an object":  within("store/.new-"),
		"name of an object":  is(safefs.OpSyncDir, "store"),
		"files of the data":  func(op safefs.Op) bool { return op.Kind == safefs.OpSync && strings.HasPrefix(op.Name, "data/") },
		"names of the data":  func(op safefs.Op) bool { return op.Kind == safefs.OpSyncDir && strings.HasPrefix(op.Name, "data/") },
		"generation":         func(op safefs.Op) bool { return op.Kind == safefs.OpSync && strings.HasPrefix(op.Name, "gen/.tmp-") },
		"name of generation": is(safefs.OpSyncDir, "gen"),
		"content of current": func(op safefs.Op) bool { return op.Kind == safefs.OpSync && strings.HasPrefix(op.Name, ".tmp-") },
		"name of current":    is(safefs.OpSyncDir, "."),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sc := scenarios[1]
			cuts := sc.record(t, 1, 3, skip)
			slices.Reverse(cuts) // the last moments tell most
			for _, c := range cuts {
				if why := fails(t, func(t testing.TB) { sc.judge(t, c) }); why != "" {
					t.Logf("noticed by a cut after %s: %s", c.after, why)
					assert.NotNil(t, skip, "nothing was left out")
					return
				}
			}
			if skip == nil {
				return
			}
			t.Errorf("left out, and none of %d power cuts notices", len(cuts))
		})
	}
}
