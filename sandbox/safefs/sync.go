package safefs

import (
	"errors"
	"path"
)

// eachLimit is how many files SyncTree syncs one by one. For a few that is cheaper
// than syncing the whole file system, with all that others have written to it; for
// thousands it is ten times dearer.
const eachLimit = 24

// SyncDir makes the names in a directory durable: created, renamed and removed
// ones. The names of subdirectories are included, what is in them is not.
func (r *Root) SyncDir(name string) error {
	return r.do(Op{Kind: OpSyncDir, Name: name}, func() error {
		d, err := r.root.Open(name)
		if err != nil {
			return err
		}
		err = syncDir(d)
		if cerr := d.Close(); err == nil {
			err = cerr
		}
		return err
	})
}

// SyncTree makes everything in and below the directory name durable, but not its
// own name. A large tree costs one sync of the whole file system where there is
// such a thing.
func (r *Root) SyncTree(name string) error {
	var files, dirs []string
	whole, err := r.list(name, &files, &dirs)
	if err != nil {
		return err
	}
	if !whole {
		return r.SyncFS(name)
	}
	for _, f := range files {
		if err := r.syncFile(f); err != nil {
			return err
		}
	}
	for _, d := range dirs {
		if err := r.SyncDir(d); err != nil {
			return err
		}
	}
	return nil
}

// list collects the regular files and directories of a tree, children before
// parents. Where the file system can be synced at once it stops when that is
// cheaper, and whole is false.
func (r *Root) list(name string, files, dirs *[]string) (whole bool, err error) {
	entries, err := r.ReadDir(name)
	if err != nil {
		return false, err
	}
	for _, e := range entries {
		p := path.Join(name, e.Name())
		switch {
		case e.IsDir():
			if whole, err := r.list(p, files, dirs); err != nil || !whole {
				return false, err
			}
		case e.Type().IsRegular():
			*files = append(*files, p)
		}
	}
	*dirs = append(*dirs, name)
	return !haveSyncFS || len(*files)+len(*dirs) <= eachLimit, nil
}

func (r *Root) syncFile(name string) error {
	return r.do(Op{Kind: OpSync, Name: name}, func() error {
		f, err := r.root.Open(name)
		if err != nil {
			return err
		}
		err = f.Sync()
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		return err
	})
}

// SyncFS makes everything on the file system that holds name durable. Where the
// system cannot do that, it is an error that wraps [errors.ErrUnsupported].
func (r *Root) SyncFS(name string) error {
	return r.do(Op{Kind: OpSyncFS, Name: name}, func() error {
		d, err := r.root.Open(name)
		if err != nil {
			return err
		}
		err = syncFS(d)
		if cerr := d.Close(); err == nil {
			err = cerr
		}
		return err
	})
}

// Space is what is left on a file system for somebody without special rights.
type Space struct {
	Bytes  uint64
	Inodes uint64 // number of files; the largest number where it is not limited or not known
}

// Free returns what is left on the file system that holds the Root.
func (r *Root) Free() (s Space, err error) {
	err = r.do(Op{Kind: OpFree, Name: "."}, func() error {
		s, err = free(r.path)
		if errors.Is(err, errors.ErrUnsupported) {
			s, err = Space{^uint64(0), ^uint64(0)}, nil
		}
		return err
	})
	return s, err
}
