package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/sandbox/safefs"
)

// maxSmall bounds keys, roots and states that are read whole.
const maxSmall = 16 << 20

// packageFolder is where a plugin's project keeps what is packed.
const packageFolder = "package"

// packageDir returns the directory that is packed: dir when it has a plugin.json,
// else the folder "package" in it, which keeps sources out of the package.
func packageDir(dir string) (string, error) {
	below := filepath.Join(dir, packageFolder)
	for _, d := range []string{dir, below} {
		if info, err := os.Stat(filepath.Join(d, publish.ManifestFile)); err == nil && info.Mode().IsRegular() {
			return d, nil
		}
	}
	if _, err := os.Stat(dir); err != nil {
		return "", err
	}
	return "", advise(fmt.Errorf("there is no %s in %s or %s", publish.ManifestFile, dir, below), "`souk init` makes a plugin to begin with")
}

// readFile reads a whole file of at most limit bytes.
func readFile(name string, limit int64) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", name, limit)
	}
	return b, err
}

// openRoot opens a directory to write in, made when it is not there.
func openRoot(dir string, perm fs.FileMode) (*safefs.Root, error) {
	return safefs.Open(dir, safefs.Options{Perm: perm, Network: true})
}

// writeNew writes a file that must not be there yet, durably.
func writeNew(name string, b []byte, perm fs.FileMode) (err error) {
	root, err := openRoot(filepath.Dir(name), 0o755)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := root.Close(); err == nil {
			err = cerr
		}
	}()
	base := filepath.Base(name)
	if _, err := root.Stat(base); err == nil {
		return advise(fmt.Errorf("%s: %w", name, fs.ErrExist), "nothing is overwritten: move it away, or choose another name")
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return root.WriteFile(base, b, perm)
}

// emptyDir fails unless dir is absent or empty.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return advise(fmt.Errorf("%s: %w and is not empty", dir, fs.ErrExist), "nothing is overwritten: choose another directory")
}

// writeTree writes files by slash-separated names below a directory that is absent
// or empty.
func writeTree(dir string, files map[string][]byte) (err error) {
	if err := emptyDir(dir); err != nil {
		return err
	}
	root, err := openRoot(dir, 0o755)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := root.Close(); err == nil {
			err = cerr
		}
	}()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := writeBelow(root, name, files[name]); err != nil {
			return err
		}
	}
	return nil
}

func writeBelow(root *safefs.Root, name string, b []byte) error {
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return root.WriteFile(name, b, 0o644)
}

// readLayout reads the image layout in a directory.
func readLayout(ctx context.Context, dir string) (*publish.Layout, error) {
	fsys := os.DirFS(dir)
	if !publish.IsLayout(fsys) {
		return nil, advise(fmt.Errorf("%s is not an image layout", dir), "`souk pack` writes one")
	}
	l, err := publish.ReadLayout(ctx, fsys, publish.PackOptions{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return l, nil
}

// writeLayout writes an image layout into a directory that is absent, empty or an
// older image layout, which it replaces: blobs first, then the index, and last what
// the index does not name any more goes.
func writeLayout(dir string, l *publish.Layout) (err error) {
	if !publish.IsLayout(os.DirFS(dir)) {
		if err := emptyDir(dir); err != nil {
			return err
		}
	}
	files, err := l.Files()
	if err != nil {
		return err
	}
	root, err := openRoot(dir, 0o755)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := root.Close(); err == nil {
			err = cerr
		}
	}()
	names := slices.Sorted(maps.Keys(files)) // blobs/..., index.json, oci-layout
	for _, name := range names {
		if err := writeBelow(root, name, files[name]); err != nil {
			return err
		}
	}
	const blobs = "blobs/sha256"
	have, err := root.ReadDir(blobs)
	if err != nil {
		return err
	}
	for _, e := range have {
		if name := blobs + "/" + e.Name(); files[name] == nil {
			if err := root.RemoveAll(name); err != nil {
				return err
			}
		}
	}
	return nil
}
