package safefs

import (
	"io/fs"

	"github.com/gofrs/flock"
)

// Lock is a lock that is held. It ends with Unlock, or with the process.
type Lock struct{ l *flock.Flock }

// Lock takes the exclusive lock of the file name, or fails at once with
// [ErrLocked]. The file is created when it is absent and never deleted: deleting
// it would let two hold the lock of two files of one name. The lock is of the
// process: it excludes other Roots in the same process too.
func (r *Root) Lock(name string) (*Lock, error) {
	l := flock.New(r.Abs(name), flock.SetPermissions(0o600))
	err := r.do(Op{Kind: OpLock, Name: name}, func() error {
		if fi, err := r.root.Lstat(name); err == nil && !fi.Mode().IsRegular() {
			return fs.ErrInvalid // a link would lead out of the Root
		}
		ok, err := l.TryLock()
		if err == nil && !ok {
			err = ErrLocked
		}
		return err
	})
	if err != nil {
		_ = l.Unlock() // when a Fault failed what was done; nothing is held otherwise
		return nil, err
	}
	return &Lock{l}, nil
}

// Unlock gives the lock back. The file stays.
func (l *Lock) Unlock() error { return l.l.Unlock() }
