package publish

import (
	"bytes"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Files is an unpacked package in memory, see [Unpack]: a read-only file system
// whose files have modes 0444 and 0555 and no times. It is immutable and safe for
// concurrent use.
type Files struct {
	nodes map[string]*node
}

var (
	_ fs.ReadDirFS  = (*Files)(nil)
	_ fs.ReadFileFS = (*Files)(nil)
	_ fs.StatFS     = (*Files)(nil)
)

// node is a file or directory, and its own fs.FileInfo and fs.DirEntry.
type node struct {
	name  string // without the directory
	data  []byte
	mode  fs.FileMode
	items []*node // of a directory, in order of their names
}

func newFiles() *Files {
	return &Files{nodes: map[string]*node{".": {name: ".", mode: fs.ModeDir | 0o555}}}
}

// mkdir returns the directory, made with its parents when it is not there yet. It
// is nil when there is a file of that name or above it.
func (f *Files) mkdir(name string) *node {
	if n, ok := f.nodes[name]; ok {
		if !n.IsDir() {
			return nil
		}
		return n
	}
	return f.add(name, fs.ModeDir|0o555, nil)
}

// add adds a file or directory that is not there yet.
func (f *Files) add(name string, mode fs.FileMode, data []byte) *node {
	dir := f.mkdir(path.Dir(name))
	if dir == nil {
		return nil
	}
	n := &node{name: path.Base(name), data: data, mode: mode}
	f.nodes[name] = n
	dir.items = append(dir.items, n)
	return n
}

// seal orders the directories when all is added.
func (f *Files) seal() {
	for _, n := range f.nodes {
		slices.SortFunc(n.items, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	}
}

func (f *Files) find(op, name string) (*node, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	n, ok := f.nodes[name]
	if !ok {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return n, nil
}

// Open implements [fs.FS]. An open file is an io.Seeker and io.ReaderAt as well.
func (f *Files) Open(name string) (fs.File, error) {
	n, err := f.find("open", name)
	if err != nil {
		return nil, err
	}
	if n.IsDir() {
		return &openDir{n: n, name: name}, nil
	}
	return &openFile{Reader: bytes.NewReader(n.data), n: n}, nil
}

// Stat implements [fs.StatFS].
func (f *Files) Stat(name string) (fs.FileInfo, error) {
	n, err := f.find("stat", name)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// ReadDir implements [fs.ReadDirFS].
func (f *Files) ReadDir(name string) ([]fs.DirEntry, error) {
	n, err := f.find("readdir", name)
	if err != nil {
		return nil, err
	}
	if !n.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	return n.entries(n.items), nil
}

// ReadFile implements [fs.ReadFileFS]. The bytes are the caller's own.
func (f *Files) ReadFile(name string) ([]byte, error) {
	n, err := f.find("read", name)
	if err != nil {
		return nil, err
	}
	if n.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	return slices.Clone(n.data), nil
}

func (n *node) entries(items []*node) []fs.DirEntry {
	out := make([]fs.DirEntry, len(items))
	for i, item := range items {
		out[i] = item
	}
	return out
}

func (n *node) Name() string               { return n.name }
func (n *node) Size() int64                { return int64(len(n.data)) }
func (n *node) Mode() fs.FileMode          { return n.mode }
func (n *node) Type() fs.FileMode          { return n.mode.Type() }
func (n *node) ModTime() time.Time         { return time.Time{} }
func (n *node) IsDir() bool                { return n.mode.IsDir() }
func (n *node) Sys() any                   { return nil }
func (n *node) Info() (fs.FileInfo, error) { return n, nil }
func (n *node) String() string             { return fs.FormatDirEntry(n) }

type openFile struct {
	*bytes.Reader
	n *node
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.n, nil }
func (f *openFile) Close() error               { return nil }

type openDir struct {
	n    *node
	name string
	at   int
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.n, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: fs.ErrInvalid}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	rest := d.n.items[d.at:]
	if n > 0 {
		if len(rest) == 0 {
			return nil, io.EOF
		}
		rest = rest[:min(n, len(rest))]
	}
	d.at += len(rest)
	return d.n.entries(rest), nil
}
