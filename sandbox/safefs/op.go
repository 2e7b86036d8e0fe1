package safefs

import (
	"errors"
	"io/fs"
)

// Sentinels of this package.
var (
	// ErrLocked means that somebody else, in this process or another, holds the lock.
	ErrLocked = errors.New("locked by another process")
	// ErrNotDurable means that a change was made, but the disk did not confirm it:
	// after a power cut there may be the old state or the new one.
	ErrNotDurable = errors.New("the disk did not confirm the change")
	// ErrTooLarge means that a file is longer than the reader wants to hold.
	ErrTooLarge = errors.New("file is too large")
	// ErrNetwork means that a directory lies on a network file system, where
	// locks and syncs do not mean what they mean on a disk.
	ErrNetwork = errors.New("network file systems are not supported")
	// Skip, returned by a Fault before an operation that Changes, reports success
	// without doing it: a disk that lies. It is for tests of tests.
	//
	//lint:ignore ST1012 named like fs.SkipDir: it is an answer, not a failure
	Skip = errors.New("skip this operation")
)

// Kind says what an operation does.
type Kind string

// The kinds of operation.
const (
	OpOpen    Kind = "open"    // a file for reading, or a directory as a Root
	OpRead    Kind = "read"    // a whole file
	OpReadDir Kind = "readdir" // the names in a directory
	OpStat    Kind = "stat"
	OpFree    Kind = "statfs"
	OpLock    Kind = "lock"

	OpMkdir     Kind = "mkdir"
	OpCreate    Kind = "create" // a new file
	OpAppend    Kind = "append" // open a file, or a new one, to write at its end
	OpWrite     Kind = "write"
	OpSync      Kind = "sync"    // a file
	OpSyncDir   Kind = "syncdir" // the names in a directory
	OpSyncFS    Kind = "syncfs"  // everything on the file system
	OpClose     Kind = "close"   // a file that was written
	OpChmod     Kind = "chmod"
	OpRename    Kind = "rename"
	OpRemove    Kind = "remove"
	OpRemoveAll Kind = "removeall"
	OpSymlink   Kind = "symlink"
)

// Op is one operation as a Fault sees it.
type Op struct {
	N    uint64      // rising by one from 1 with every operation of the Root, and of those that OpenRoot made of it
	Kind Kind        // what
	Name string      // on which path, relative to the Root that Open returned
	To   string      // of OpRename: the new name; of OpSymlink: where it points
	Perm fs.FileMode // of OpMkdir, OpCreate, OpAppend, OpChmod
	Data []byte      // of OpWrite: what; valid during the call only
	Done bool        // false: about to be done; true: was done, with success
}

// Changes reports whether the operation changes what is on the disk, or what is
// durable of it; false for mere looking.
func (o Op) Changes() bool {
	switch o.Kind {
	case OpOpen, OpRead, OpReadDir, OpStat, OpFree, OpLock:
		return false
	}
	return true
}

// Fault is called before and after every operation, from the goroutine that does
// it; so it is called concurrently when the Root is used concurrently. An error
// returned before the operation fails it undone; one returned after it reports
// failure of what was done. [Skip] before it reports success of what was not done.
type Fault func(op Op) error
