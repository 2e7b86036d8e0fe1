package safefs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox/safefs"
)

func Example() {
	dir, err := os.MkdirTemp("", "safefs")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	r, err := safefs.Open(filepath.Join(dir, "store"), safefs.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer r.Close()
	if err := r.WriteFile("current", []byte("42\n"), 0o600); err != nil {
		log.Fatal(err)
	}
	b, err := r.ReadFile("current", 100)
	fmt.Printf("%s%v\n", b, err)
	_, err = r.ReadFile("../etc/passwd", 100)
	fmt.Println(err)
	// Output:
	// 42
	// <nil>
	// read ../etc/passwd: invalid argument
}

func open(t *testing.T, fault safefs.Fault) *safefs.Root {
	t.Helper()
	r, err := safefs.Open(filepath.Join(t.TempDir(), "a", "b"), safefs.Options{Fault: fault})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close()) })
	return r
}

func names(t *testing.T, r *safefs.Root, dir string) (out []string) {
	t.Helper()
	list, err := r.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

func TestConfined(t *testing.T) {
	t.Parallel()
	r := open(t, nil)
	outside := filepath.Join(filepath.Dir(r.Path()), "secret")
	require.NoError(t, os.WriteFile(outside, []byte("x"), 0o600))
	require.NoError(t, os.Symlink(outside, r.Abs("abs")))
	require.NoError(t, os.Symlink("../secret", r.Abs("rel")))
	require.NoError(t, os.Symlink("..", r.Abs("up")))
	for _, name := range []string{"../secret", outside, "abs", "rel", "up/secret", "a/../../secret", "", "/", "./abs"} {
		_, err := r.ReadFile(name, 10)
		assert.Error(t, err, name)
		_, err = r.Append(name, 0o600)
		assert.Error(t, err, name)
		assert.Error(t, r.Chmod(name, 0o777), name)
		if name != "abs" && name != "rel" { // these replace the link itself
			assert.Error(t, r.WriteFile(name, nil, 0o600), name)
			assert.Error(t, r.Rename(name, "z"), name)
			assert.Error(t, r.Remove(name), name)
			assert.Error(t, r.Mkdir(name, 0o700), name)
			assert.Error(t, r.Symlink("x", name), name)
		}
	}
	_, err := r.Lock("abs")
	assert.Error(t, err)
	require.NoError(t, r.RemoveAll("up"))
	require.NoError(t, r.WriteFile("abs", []byte("y"), 0o600))
	b, err := os.ReadFile(outside)
	require.NoError(t, err)
	assert.Equal(t, "x", string(b))
}

func TestErrorsNameOperationAndPath(t *testing.T) {
	t.Parallel()
	r := open(t, nil)
	_, err := r.ReadFile("no/such", 10)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, "read no/such: no such file or directory", err.Error())
	err = r.Rename("no/such", "other")
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.Equal(t, "rename no/such other: no such file or directory", err.Error())
	require.NoError(t, r.WriteFile("f", []byte("four"), 0o600))
	_, err = r.ReadFile("f", 3)
	require.ErrorIs(t, err, safefs.ErrTooLarge)
	_, err = r.Create("f", 0o600)
	require.ErrorIs(t, err, fs.ErrExist)
	require.ErrorIs(t, r.MkdirAll("f/g", 0o700), fs.ErrExist)
}

// Every operation of WriteFile is failed in turn: there is the old content, or the
// new one and no error or ErrNotDurable.
func TestWriteFileOldOrNew(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	for _, done := range []bool{false, true} {
		for n := uint64(1); ; n++ {
			var armed, hit bool
			var base uint64
			r := open(t, func(op safefs.Op) error {
				if !armed {
					base = op.N
				} else if op.N == base+n && op.Done == done {
					hit = true
					return boom
				}
				return nil
			})
			require.NoError(t, r.WriteFile("f", []byte("old"), 0o600))
			armed = true
			err := r.WriteFile("f", []byte("new"), 0o600)
			armed = false
			b, rerr := r.ReadFile("f", 10)
			require.NoError(t, rerr)
			if !hit {
				require.NoError(t, err)
				require.Greater(t, n, uint64(5), "WriteFile has at least create, write, sync, close, rename, syncdir")
				break
			}
			require.ErrorIs(t, err, boom)
			want := "old"
			if errors.Is(err, safefs.ErrNotDurable) {
				want = "new"
			}
			assert.Equal(t, want, string(b), "operation %d done=%v", n, done)
			require.NoError(t, r.Sweep("."))
			assert.Equal(t, []string{"f"}, names(t, r, "."))
		}
	}
}

func TestRemoveAllRenamesAwayFirst(t *testing.T) {
	t.Parallel()
	cut := false
	r := open(t, func(op safefs.Op) error {
		if cut && op.Kind == safefs.OpRemoveAll {
			return errors.New("cut")
		}
		return nil
	})
	require.NoError(t, r.MkdirAll("d/e", 0o700))
	require.NoError(t, r.WriteFile("d/e/f", nil, 0o444))
	cut = true
	require.Error(t, r.RemoveAll("d"))
	cut = false
	left := names(t, r, ".")
	require.Len(t, left, 1)
	assert.True(t, strings.HasPrefix(left[0], safefs.DeletedPrefix))
	require.NoError(t, r.Sweep("."))
	assert.Empty(t, names(t, r, "."))
	require.NoError(t, r.RemoveAll("absent"))
	require.ErrorIs(t, r.RemoveAll("."), fs.ErrInvalid)
}

func TestLockExcludes(t *testing.T) {
	t.Parallel()
	r := open(t, nil)
	l, err := r.Lock("lock")
	require.NoError(t, err)
	_, err = r.Lock("lock")
	require.ErrorIs(t, err, safefs.ErrLocked)
	require.NoError(t, l.Unlock())
	l, err = r.Lock("lock")
	require.NoError(t, err)
	require.NoError(t, l.Unlock())
	assert.Equal(t, []string{"lock"}, names(t, r, "."))
}

func TestSyncTreeFewFilesOneByOneManyAtOnce(t *testing.T) {
	t.Parallel()
	var kinds map[safefs.Kind]int
	r := open(t, func(op safefs.Op) error {
		if kinds != nil && !op.Done && op.Changes() {
			kinds[op.Kind]++
		}
		return nil
	})
	require.NoError(t, r.MkdirAll("d/e", 0o700))
	write := func(n int) {
		for i := range n {
			f, err := r.Append(fmt.Sprintf("d/e/f%d", i), 0o600)
			require.NoError(t, err)
			_, err = io.WriteString(f, "x")
			require.NoError(t, err)
			require.NoError(t, f.Close())
		}
	}
	write(2)
	kinds = map[safefs.Kind]int{}
	require.NoError(t, r.SyncTree("d"))
	assert.Equal(t, map[safefs.Kind]int{safefs.OpSync: 2, safefs.OpSyncDir: 2}, kinds)
	kinds = nil
	write(100)
	kinds = map[safefs.Kind]int{}
	require.NoError(t, r.SyncTree("d"))
	want := map[safefs.Kind]int{safefs.OpSync: 100, safefs.OpSyncDir: 2}
	if runtime.GOOS == "linux" {
		want = map[safefs.Kind]int{safefs.OpSyncFS: 1}
	}
	assert.Equal(t, want, kinds)
}

func TestOpenRoot(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	var seen []string
	var refused safefs.Kind
	last := uint64(0)
	r := open(t, func(op safefs.Op) error {
		if !op.Done {
			assert.Equal(t, last+1, op.N)
			last = op.N
			seen = append(seen, strings.TrimSpace(fmt.Sprint(op.Kind, " ", op.Name, " ", op.To)))
			if op.Kind == refused {
				return boom
			}
		}
		return nil
	})
	require.NoError(t, r.MkdirAll("a/b/c", 0o700))
	require.NoError(t, os.Symlink("../..", r.Abs("a/b/up")))
	require.NoError(t, os.Symlink("/", r.Abs("a/b/abs")))
	b, err := r.OpenRoot("a/b")
	require.NoError(t, err)
	defer func() { require.NoError(t, b.Close()) }()
	assert.Equal(t, filepath.Join(r.Path(), "a", "b"), b.Path())
	c, err := b.OpenRoot("c")
	require.NoError(t, err)

	seen = nil
	f, err := c.Create("f", 0o600)
	require.NoError(t, err)
	require.NoError(t, c.Close(), "the file does not need it")
	_, err = io.WriteString(f, "x")
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, b.Rename("c/f", "g"))
	assert.Equal(t, []string{"create a/b/c/f", "write a/b/c/f", "close a/b/c/f", "rename a/b/c/f a/b/g"}, seen)
	content, err := r.ReadFile("a/b/g", 10)
	require.NoError(t, err)
	assert.Equal(t, "x", string(content))

	_, err = b.ReadFile("no", 10)
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.Contains(t, err.Error(), "a/b/no")
	for _, name := range []string{"up", "abs", "..", "../b", "no", "g"} {
		_, err := b.OpenRoot(name)
		require.Error(t, err, name)
	}
	_, err = b.ReadFile("up/a/b/g", 10)
	require.Error(t, err, "a link out of the directory, though not out of the first Root")
	refused = safefs.OpOpen
	_, err = r.OpenRoot("a")
	require.ErrorIs(t, err, boom)
}

func TestFreeAndMkdirDurable(t *testing.T) {
	t.Parallel()
	synced := map[string]bool{}
	r := open(t, func(op safefs.Op) error {
		if op.Kind == safefs.OpSyncDir {
			synced[op.Name] = true
		}
		return nil
	})
	s, err := r.Free()
	require.NoError(t, err)
	assert.NotZero(t, s.Bytes)
	assert.NotZero(t, s.Inodes)
	require.NoError(t, r.MkdirDurable("x/y/z", 0o700))
	assert.Equal(t, map[string]bool{".": true, "x": true, "x/y": true}, synced)
	require.NoError(t, r.MkdirDurable("x/y/z", 0o700))
}

func TestSkipLies(t *testing.T) {
	t.Parallel()
	r := open(t, func(op safefs.Op) error {
		if op.Name == "gone" && op.Kind == safefs.OpRemove {
			return safefs.Skip
		}
		return nil
	})
	require.NoError(t, r.WriteFile("gone", nil, 0o600))
	require.NoError(t, r.Remove("gone"))
	assert.Equal(t, []string{"gone"}, names(t, r, "."))
}

func BenchmarkWriteFile(b *testing.B) {
	r, err := safefs.Open(b.TempDir(), safefs.Options{})
	require.NoError(b, err)
	data := make([]byte, 1000)
	for b.Loop() {
		if err := r.WriteFile("f", data, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}
