// Package safefstest makes disks fail: [Injector] fails, cuts or kills at the n-th
// operation of a [safefs.Root], and [Disk] works out what a power cut may leave
// behind. It is for tests only.
package safefstest

import (
	"os"
	"sync"

	"github.com/souk-dev/souk/sandbox/safefs"
)

// How says what happens at the operation that an Injector is armed for. The zero
// value counts and does nothing.
type How struct {
	Err     error                // what the operation fails with; nil: it does not
	After   bool                 // it is done, and then reported as failed
	Persist bool                 // every later operation fails too, undone: a disk that is gone
	Kill    bool                 // the process ends at once, as by SIGKILL
	Only    func(safefs.Op) bool // counts only these; nil: all
	NoSync  bool                 // syncs are skipped, to be fast where they are not the subject
}

// Injector is a [safefs.Fault] that hits the n-th operation after it was armed. The
// zero value counts. It is safe for concurrent use.
type Injector struct {
	mu    sync.Mutex
	at    uint64
	how   How
	count uint64
	hit   *safefs.Op
}

// Arm makes the n-th operation from now on, counted from 1, go wrong; 0 means none.
func (i *Injector) Arm(n uint64, how How) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.at, i.how, i.count, i.hit = n, how, 0, nil
}

// Disarm lets everything succeed again.
func (i *Injector) Disarm() { i.Arm(0, How{}) }

// Count returns how many operations there were since Arm.
func (i *Injector) Count() uint64 {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.count
}

// Hit returns the operation that was hit, and whether one was.
func (i *Injector) Hit() (safefs.Op, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.hit == nil {
		return safefs.Op{}, false
	}
	return *i.hit, true
}

// Fault is the [safefs.Fault].
func (i *Injector) Fault(op safefs.Op) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.how.Only == nil || i.how.Only(op) {
		if !op.Done {
			i.count++
		}
		if i.at != 0 && i.count == i.at && op.Done == i.how.After {
			i.hit = &safefs.Op{N: op.N, Kind: op.Kind, Name: op.Name, To: op.To, Done: op.Done}
			if i.how.Kill {
				kill()
			}
			return i.how.Err
		}
		if i.at != 0 && i.how.Persist && i.hit != nil && !op.Done {
			return i.how.Err
		}
	}
	if i.how.NoSync && !op.Done {
		switch op.Kind {
		case safefs.OpSync, safefs.OpSyncDir, safefs.OpSyncFS:
			return safefs.Skip
		}
	}
	return nil
}

// kill ends this process the hard way: no deferred call runs, nothing is flushed.
func kill() {
	p, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // until the signal arrives
}
