package safefs

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
)

// The beginnings of names that are not yet, or no longer, anything. See [Root.Sweep].
const (
	TempPrefix    = ".tmp-"
	DeletedPrefix = ".del-"
)

// Options of a Root. The zero value is safe in production.
type Options struct {
	Perm    fs.FileMode // of the directory when it is created; zero: 0700
	Network bool        // accept a network file system, where guarantees end
	Fault   Fault       // for tests; nil: none
}

// Root is one directory, and the door to everything below it. It is safe for
// concurrent use; concurrent changes of one name are for its users to order.
type Root struct {
	root  *os.Root
	path  string
	below string // name below the Root that Open returned, "." for itself: what a Fault and errors say
	fault Fault
	n     *atomic.Uint64 // operations so far, of all Roots from one Open
}

// Open opens the directory dir, and creates it when it is absent: then its name is
// durable too. It fails with [ErrNetwork] on a network file system, unless told.
func Open(dir string, o Options) (*Root, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	perm := o.Perm
	if perm == 0 {
		perm = 0o700
	}
	if err := create(abs, perm); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(abs)
	if err != nil {
		return nil, err
	}
	r := &Root{root: root, path: abs, below: ".", fault: o.Fault, n: new(atomic.Uint64)}
	if !o.Network && onNetwork(abs) {
		return nil, errors.Join(&fs.PathError{Op: "open", Path: abs, Err: ErrNetwork}, root.Close())
	}
	return r, nil
}

// create makes dir with its missing parents, and their names durable.
func create(dir string, perm fs.FileMode) error {
	if fi, err := os.Stat(dir); err == nil {
		if !fi.IsDir() {
			return &fs.PathError{Op: "open", Path: dir, Err: errors.New("not a directory")}
		}
		return nil
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return &fs.PathError{Op: "mkdir", Path: dir, Err: fs.ErrNotExist}
	}
	if err := create(parent, perm); err != nil {
		return err
	}
	if err := os.Mkdir(dir, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	d, err := os.Open(parent)
	if err != nil {
		return err
	}
	return errors.Join(syncDir(d), d.Close())
}

// Path returns the absolute path of the directory.
func (r *Root) Path() string { return r.path }

// Abs returns the absolute path of name, for those who cannot work through a Root:
// a plugin's runtime.
func (r *Root) Abs(name string) string { return filepath.Join(r.path, filepath.FromSlash(name)) }

// OpenRoot opens a directory below r as a Root of its own: many files in a deep
// directory are reached faster from there. It has the Fault of r, which sees its
// operations, as errors do, by their names below the Root that [Open] returned. It
// is to be closed, and outlives r.
func (r *Root) OpenRoot(name string) (*Root, error) {
	sub := &Root{path: r.Abs(name), below: path.Join(r.below, name), fault: r.fault, n: r.n}
	err := r.do(Op{Kind: OpOpen, Name: name}, func() (err error) {
		sub.root, err = r.root.OpenRoot(name)
		return err
	})
	if err != nil {
		if sub.root != nil {
			err = errors.Join(err, sub.root.Close())
		}
		return nil, err
	}
	return sub, nil
}

// Close releases the directory. Files opened through it stay open.
func (r *Root) Close() error { return r.root.Close() }

// do runs one operation with the faults around it, and puts its name on errors.
func (r *Root) do(op Op, f func() error) error {
	if !fs.ValidPath(op.Name) || op.Kind == OpRename && !fs.ValidPath(op.To) {
		return &fs.PathError{Op: string(op.Kind), Path: op.Name, Err: fs.ErrInvalid}
	}
	if r.fault == nil {
		if err := f(); err != nil {
			return wrap(r.full(op), err)
		}
		return nil
	}
	op = r.full(op)
	op.N = r.n.Add(1)
	if err := r.fault(op); err != nil {
		if errors.Is(err, Skip) {
			return nil
		}
		return wrap(op, err)
	}
	if err := f(); err != nil {
		return wrap(op, err)
	}
	op.Done = true
	return wrap(op, r.fault(op))
}

// full is op with its names below the Root that Open returned.
func (r *Root) full(op Op) Op {
	op.Name = path.Join(r.below, op.Name)
	if op.Kind == OpRename {
		op.To = path.Join(r.below, op.To)
	}
	return op
}

func wrap(op Op, err error) error {
	if err == nil {
		return nil
	}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // the name below the Root says more than the name at the kernel
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		err = le.Err
	}
	if op.Kind == OpRename {
		return &os.LinkError{Op: string(op.Kind), Old: op.Name, New: op.To, Err: err}
	}
	return &fs.PathError{Op: string(op.Kind), Path: op.Name, Err: err}
}

// ReadFile reads a whole file of at most limit bytes; a longer one is [ErrTooLarge].
func (r *Root) ReadFile(name string, limit int64) (b []byte, err error) {
	err = r.do(Op{Kind: OpRead, Name: name}, func() error {
		f, err := r.root.Open(name)
		if err != nil {
			return err
		}
		defer f.Close() // only read from
		b, err = io.ReadAll(io.LimitReader(f, limit+1))
		if err == nil && int64(len(b)) > limit {
			return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// OpenFile opens a file for reading. The result is an [io.Seeker] as well.
func (r *Root) OpenFile(name string) (f fs.File, err error) {
	err = r.do(Op{Kind: OpOpen, Name: name}, func() error {
		f, err = r.root.Open(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// ReadDir returns the entries of a directory in order of their names.
func (r *Root) ReadDir(name string) (list []fs.DirEntry, err error) {
	err = r.do(Op{Kind: OpReadDir, Name: name}, func() error {
		list, err = fs.ReadDir(r.root.FS(), name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// Stat describes name itself: a symbolic link is not followed.
func (r *Root) Stat(name string) (fi fs.FileInfo, err error) {
	err = r.do(Op{Kind: OpStat, Name: name}, func() error {
		fi, err = r.root.Lstat(name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return fi, nil
}

// Readlink returns where a symbolic link points.
func (r *Root) Readlink(name string) (to string, err error) {
	err = r.do(Op{Kind: OpStat, Name: name}, func() error {
		to, err = r.root.Readlink(name)
		return err
	})
	return to, err
}

// MkdirAll creates a directory with its missing parents, each an operation. None
// of the names is durable before its parent was synced; see [Root.MkdirDurable].
func (r *Root) MkdirAll(name string, perm fs.FileMode) error {
	_, err := r.mkdirAll(name, perm)
	return err
}

// MkdirDurable is MkdirAll, and makes the names durable that it created.
func (r *Root) MkdirDurable(name string, perm fs.FileMode) error {
	made, err := r.mkdirAll(name, perm)
	if err != nil {
		return err
	}
	for _, dir := range made {
		if err := r.SyncDir(path.Dir(dir)); err != nil {
			return err
		}
	}
	return nil
}

func (r *Root) mkdirAll(name string, perm fs.FileMode) (made []string, err error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: string(OpMkdir), Path: name, Err: fs.ErrInvalid}
	}
	if name == "." {
		return nil, nil
	}
	if fi, err := r.root.Lstat(name); err == nil {
		if !fi.IsDir() {
			return nil, &fs.PathError{Op: string(OpMkdir), Path: name, Err: fs.ErrExist}
		}
		return nil, nil
	}
	if made, err = r.mkdirAll(path.Dir(name), perm); err != nil {
		return made, err
	}
	return append(made, name), r.Mkdir(name, perm)
}

// Mkdir creates one directory; an existing one is an error.
func (r *Root) Mkdir(name string, perm fs.FileMode) error {
	return r.do(Op{Kind: OpMkdir, Name: name, Perm: perm}, func() error { return r.root.Mkdir(name, perm) })
}

// Symlink creates a symbolic link. Nothing in this package follows it out of the Root.
func (r *Root) Symlink(to, name string) error {
	return r.do(Op{Kind: OpSymlink, Name: name, To: to}, func() error { return r.root.Symlink(to, name) })
}

// Chmod sets the permission bits of a file or directory.
func (r *Root) Chmod(name string, perm fs.FileMode) error {
	return r.do(Op{Kind: OpChmod, Name: name, Perm: perm}, func() error { return r.root.Chmod(name, perm) })
}

// Rename moves a file or directory, replacing a file of the new name. It is not
// durable before the directories of both names were synced.
func (r *Root) Rename(from, to string) error {
	return r.do(Op{Kind: OpRename, Name: from, To: to}, func() error { return r.root.Rename(from, to) })
}

// Remove removes a file or an empty directory.
func (r *Root) Remove(name string) error {
	return r.do(Op{Kind: OpRemove, Name: name}, func() error { return r.root.Remove(name) })
}

// RemoveAll removes name and all below it; that it is absent is no error. A
// directory is renamed away first, so that a crash leaves all of it or, under a
// name that [Root.Sweep] removes, a part of it.
func (r *Root) RemoveAll(name string) error {
	if name == "." {
		return &fs.PathError{Op: string(OpRemoveAll), Path: name, Err: fs.ErrInvalid}
	}
	if !strings.HasPrefix(path.Base(name), DeletedPrefix) {
		fi, err := r.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		if !fi.IsDir() {
			return r.Remove(name)
		}
		away := path.Join(path.Dir(name), DeletedPrefix+random())
		if err := r.Rename(name, away); err != nil {
			return err
		}
		name = away
	}
	return r.do(Op{Kind: OpRemoveAll, Name: name}, func() error { return r.root.RemoveAll(name) })
}

// Sweep removes from the directory dir what a crash left behind: everything that
// begins with [TempPrefix] or [DeletedPrefix]. Nobody else may be writing there.
func (r *Root) Sweep(dir string) error {
	list, err := r.ReadDir(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range list {
		if strings.HasPrefix(e.Name(), TempPrefix) || strings.HasPrefix(e.Name(), DeletedPrefix) {
			errs = append(errs, r.RemoveAll(path.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}

func random() string {
	var b [8]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return hex.EncodeToString(b[:])
}
