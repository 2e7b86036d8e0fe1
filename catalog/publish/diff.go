package publish

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/souk-dev/souk/verify"
)

// The kinds of FileChange.
const (
	FileAdded   = "added"
	FileRemoved = "removed"
	FileChanged = "changed"
)

// FileChange is a file in which two packages differ.
type FileChange struct {
	Path      string        `json:"path"`
	Kind      string        `json:"kind"`              // FileAdded, FileRemoved or FileChanged
	OldSize   int64         `json:"oldSize,omitempty"` // bytes
	NewSize   int64         `json:"newSize,omitempty"`
	OldDigest verify.Digest `json:"oldDigest,omitempty"` // empty: it was not there
	NewDigest verify.Digest `json:"newDigest,omitempty"` // empty: it is gone
	// Exec says that it may be executed now and could not be before, for an added
	// file that it may be executed.
	Exec bool `json:"exec,omitempty"`
}

// DiffFiles returns the files in which new differs from old, in order of their
// paths: of another content, or executable now. A nil fs.FS is an empty package.
// Directories are not compared. It reads every file of both, at most [MaxEntries]
// of [MaxFile] bytes each, one at a time and without holding it.
func DiffFiles(ctx context.Context, old, new fs.FS) ([]FileChange, error) {
	was, err := sumFiles(ctx, old)
	if err != nil {
		return nil, fmt.Errorf("compare files: %w", err)
	}
	is, err := sumFiles(ctx, new)
	if err != nil {
		return nil, fmt.Errorf("compare files: %w", err)
	}
	var out []FileChange
	for name, a := range was {
		b, still := is[name]
		switch {
		case !still:
			out = append(out, FileChange{Path: name, Kind: FileRemoved, OldSize: a.size, OldDigest: a.digest})
		case a.digest != b.digest || b.exec && !a.exec:
			out = append(out, FileChange{
				Path: name, Kind: FileChanged, OldSize: a.size, NewSize: b.size,
				OldDigest: a.digest, NewDigest: b.digest, Exec: b.exec && !a.exec,
			})
		}
	}
	for name, b := range is {
		if _, there := was[name]; !there {
			out = append(out, FileChange{Path: name, Kind: FileAdded, NewSize: b.size, NewDigest: b.digest, Exec: b.exec})
		}
	}
	slices.SortFunc(out, func(a, b FileChange) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

type fileSum struct {
	size   int64
	digest verify.Digest
	exec   bool
}

func sumFiles(ctx context.Context, fsys fs.FS) (map[string]fileSum, error) {
	out := make(map[string]fileSum)
	if fsys == nil {
		return out, nil
	}
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			return fmt.Errorf("%q is a %s, not a file", name, d.Type())
		case len(out) == MaxEntries:
			return fmt.Errorf("more than %d files", MaxEntries)
		}
		s, err := sumFile(fsys, name)
		out[name] = s
		return err
	})
	return out, err
}

func sumFile(fsys fs.FS, name string) (s fileSum, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return s, err
	}
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return s, err
	}
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, MaxFile+1))
	if err == nil && n > MaxFile {
		err = fmt.Errorf("%q has more than %d bytes", name, int64(MaxFile))
	}
	return fileSum{n, verify.DigestFromHash(h), info.Mode()&0o111 != 0}, err
}
