package safefs

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
)

// File is an open file that is written. It is not safe for concurrent use.
type File struct {
	r    *Root
	f    *os.File
	name string
}

var _ io.WriteCloser = (*File)(nil)

// Create creates a file that must not exist yet, and opens it for writing.
func (r *Root) Create(name string, perm fs.FileMode) (*File, error) {
	return r.open(Op{Kind: OpCreate, Name: name, Perm: perm}, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
}

// Append opens a file to write at its end, and creates it when it is absent.
func (r *Root) Append(name string, perm fs.FileMode) (*File, error) {
	return r.open(Op{Kind: OpAppend, Name: name, Perm: perm}, os.O_WRONLY|os.O_CREATE|os.O_APPEND)
}

func (r *Root) open(op Op, flag int) (*File, error) {
	f := &File{r: r, name: op.Name}
	err := r.do(op, func() (err error) {
		f.f, err = r.root.OpenFile(op.Name, flag, op.Perm)
		return err
	})
	if err != nil {
		if f.f != nil {
			err = errors.Join(err, f.f.Close())
		}
		return nil, err
	}
	return f, nil
}

// Name returns the name the file was opened by, below its Root.
func (f *File) Name() string { return f.name }

// Write writes all of b, or says why not.
func (f *File) Write(b []byte) (n int, err error) {
	err = f.do(Op{Kind: OpWrite, Data: b}, func() error {
		n, err = f.f.Write(b)
		return err
	})
	if err == nil {
		n = len(b)
	}
	return n, err
}

// Sync makes what was written durable; not the file's name, which [Root.SyncDir]
// does. After an error the content is unknown and a second Sync proves nothing:
// write the file anew under another name.
func (f *File) Sync() error { return f.do(Op{Kind: OpSync}, f.f.Sync) }

// Chmod sets the permission bits of the open file.
func (f *File) Chmod(perm fs.FileMode) error {
	return f.do(Op{Kind: OpChmod, Perm: perm}, func() error { return f.f.Chmod(perm) })
}

// Close closes the file. It makes nothing durable.
func (f *File) Close() error {
	if f.f == nil { // a Fault skipped its creation
		return nil
	}
	err := f.r.do(Op{Kind: OpClose, Name: f.name}, f.f.Close)
	if err != nil {
		if c := f.f.Close(); c != nil && !errors.Is(c, fs.ErrClosed) {
			err = errors.Join(err, c)
		}
	}
	return err
}

func (f *File) do(op Op, fn func() error) error {
	op.Name = f.name
	if f.f == nil {
		return wrap(op, fs.ErrClosed)
	}
	return f.r.do(op, fn)
}

// WriteFile puts b in place of what name holds, atomically and durably: a file of
// a temporary name in the same directory is written and synced, renamed, and the
// directory synced. An error that wraps [ErrNotDurable] says that it was renamed
// but not confirmed; after any other error name holds what it held.
func (r *Root) WriteFile(name string, b []byte, perm fs.FileMode) error {
	if !fs.ValidPath(name) || name == "." {
		return &fs.PathError{Op: string(OpCreate), Path: name, Err: fs.ErrInvalid}
	}
	dir := path.Dir(name)
	tmp := path.Join(dir, TempPrefix+random())
	if err := r.writeNew(tmp, b, perm); err != nil {
		return r.undo(err, tmp)
	}
	if err := r.Rename(tmp, name); err != nil {
		if _, serr := r.root.Lstat(tmp); errors.Is(serr, fs.ErrNotExist) {
			return fmt.Errorf("%w: %w", ErrNotDurable, err)
		}
		return r.undo(err, tmp)
	}
	if err := r.SyncDir(dir); err != nil {
		return fmt.Errorf("%w: %w", ErrNotDurable, err)
	}
	return nil
}

// undo removes a temporary file after err. That it cannot be removed either adds
// nothing to err: Sweep removes it later.
func (r *Root) undo(err error, tmp string) error {
	_ = r.Remove(tmp)
	return err
}

func (r *Root) writeNew(name string, b []byte, perm fs.FileMode) error {
	f, err := r.Create(name, perm)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
