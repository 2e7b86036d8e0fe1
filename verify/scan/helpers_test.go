package scan_test

import (
	"io/fs"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify/scan"
)

// noise returns n letters and digits that look random and are always the same.
func noise(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	return pick(letters, n)
}

func pick(letters string, n int) string {
	r := rand.New(rand.NewPCG(uint64(n), uint64(len(letters))))
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[r.IntN(len(letters))]
	}
	return string(b)
}

func newSet(t testing.TB, opts scan.Options) *scan.Set {
	t.Helper()
	if opts.Now == nil {
		opts.Now = func() time.Time { return time.Date(2026, 11, 25, 8, 0, 0, 0, time.UTC) }
	}
	set, err := scan.NewSet(opts)
	require.NoError(t, err)
	return set
}

// hugeFS holds one file that says it is larger than anything that is looked at.
type hugeFS struct{}

func (hugeFS) Open(name string) (fs.File, error) { return hugeFile{name}, nil }

type hugeFile struct{ name string }

func (f hugeFile) Stat() (fs.FileInfo, error) { return hugeInfo(f), nil }
func (hugeFile) Read([]byte) (int, error)     { panic("read although it is too large") }
func (hugeFile) Close() error                 { return nil }
func (f hugeFile) ReadDir(n int) ([]fs.DirEntry, error) {
	return []fs.DirEntry{fs.FileInfoToDirEntry(hugeInfo{"huge"})}, nil
}

type hugeInfo struct{ name string }

func (i hugeInfo) Name() string       { return i.name }
func (i hugeInfo) Size() int64        { return scan.MaxBytes + 1 }
func (i hugeInfo) ModTime() time.Time { return time.Time{} }
func (i hugeInfo) IsDir() bool        { return i.name == "." }
func (i hugeInfo) Sys() any           { return nil }
func (i hugeInfo) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir
	}
	return 0
}

// brokenFS has files that cannot be read after their first bytes.
type brokenFS struct{ fs.FS }

func (b brokenFS) Open(name string) (fs.File, error) {
	f, err := b.FS.Open(name)
	if err != nil {
		return nil, err
	}
	if dir, ok := f.(fs.ReadDirFile); ok {
		return dir, nil
	}
	return brokenFile{f}, nil
}

type brokenFile struct{ fs.File }

func (brokenFile) Read([]byte) (int, error) { return 0, fs.ErrPermission }
