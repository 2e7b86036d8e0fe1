package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
)

// data gives every plugin of the new generation its data directory: the one it
// has when the schema is the same, a copy of it when it is not, an empty one when
// it is new. The old directory is never written to.
func (t *transaction) data(ctx context.Context) error {
	for _, it := range t.items {
		t.at = it.to.Ref
		from, had := t.base.Plugins[it.to.Plugin]
		if it.to.Data == "" && had && from.Manifest.DataSchema == it.to.Manifest.DataSchema {
			it.to.Data = from.Data
		}
		if it.to.Data != "" { // shared, kept, or gone back to
			if err := t.s.checkData(it.to.Data); err != nil {
				return err
			}
			continue
		}
		it.to.Data = dataOf(it.to.Plugin, t.entry.To)
		if err := t.s.fs.RemoveAll(it.to.Data); err != nil {
			return err
		}
		if err := t.s.fs.MkdirDurable(it.to.Data, 0o700); err != nil {
			return err
		}
		if !had {
			continue
		}
		if err := t.copyData(ctx, from, t.s.locate(it.to)); err != nil {
			return err
		}
	}
	return nil
}

// checkData makes sure that a data directory is there: a lost one is damage, not
// empty data.
func (s *Store) checkData(dir string) error {
	fi, err := s.fs.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !fi.IsDir() {
		return fmt.Errorf("%w: the data directory %s is gone: put it back, or an empty one in its place", ErrCorrupt, dir)
	}
	return err
}

func (t *transaction) copyData(ctx context.Context, from, to Installed) error {
	if err := t.s.checkData(from.Data); err != nil {
		return err
	}
	r := t.s.fs
	bytes, files, err := t.measureTree(from.Data)
	if err != nil {
		return err
	}
	if err := t.s.room(bytes+files*blockSize, files); err != nil {
		return err
	}
	if err := t.copyTree(from.Data, to.Data); err != nil {
		return err
	}
	if err := t.s.migrate(ctx, from, to); err != nil {
		return err
	}
	if err := r.SyncTree(to.Data); err != nil {
		return err
	}
	return r.SyncDir(path.Dir(to.Data))
}

func (t *transaction) measureTree(dir string) (bytes, files int64, err error) {
	list, err := t.s.fs.ReadDir(dir)
	if err != nil {
		return 0, 0, err
	}
	for _, e := range list {
		files++
		if e.IsDir() {
			b, n, err := t.measureTree(path.Join(dir, e.Name()))
			if err != nil {
				return 0, 0, err
			}
			bytes, files = bytes+b, files+n
			continue
		}
		fi, err := e.Info()
		if err != nil {
			return 0, 0, err
		}
		bytes += fi.Size()
	}
	return bytes, files, nil
}

// copyTree copies files, directories and links with their modes. Sockets, pipes
// and devices are not data; they are left out and logged.
func (t *transaction) copyTree(from, to string) error {
	list, err := t.s.fs.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range list {
		src, dst := path.Join(from, e.Name()), path.Join(to, e.Name())
		switch {
		case e.IsDir():
			err = t.copyDir(src, dst)
		case e.Type().IsRegular():
			err = t.copyFile(src, dst)
		case e.Type()&fs.ModeSymlink != 0:
			var link string
			if link, err = t.s.fs.Readlink(src); err == nil {
				err = t.s.fs.Symlink(link, dst)
			}
		default:
			t.s.o.Log.Warn("not copied with the data of the plugin", "path", src, "type", e.Type().String())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) copyDir(src, dst string) error {
	fi, err := t.s.fs.Stat(src)
	if err != nil {
		return err
	}
	if err := t.s.fs.Mkdir(dst, 0o700); err != nil {
		return err
	}
	if err := t.copyTree(src, dst); err != nil {
		return err
	}
	return t.s.fs.Chmod(dst, fi.Mode().Perm()) // last: it may forbid writing
}

func (t *transaction) copyFile(src, dst string) error {
	in, err := t.s.fs.OpenFile(src)
	if err != nil {
		return err
	}
	defer in.Close() // only read from
	fi, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := t.s.fs.Create(dst, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{out}, struct{ io.Reader }{in}, make([]byte, copyBuffer))
	if err == nil {
		err = out.Chmod(fi.Mode().Perm())
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}
