package install_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox/safefs"
)

func FuzzFrame(f *testing.F) {
	good, err := install.EncodeFrame(map[string]int{"seq": 1})
	require.NoError(f, err)
	for _, seed := range [][]byte{good, nil, {'\n'}, good[:len(good)-1], append(bytes.Clone(good), good...), []byte("00000000 \n"), []byte("zzzzzzzz {}\n")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v map[string]any
		if install.DecodeFrame(b, &v) != nil {
			return
		}
		require.True(t, bytes.HasSuffix(b, []byte("\n")))
		for i := range b { // any flipped bit is noticed
			c := bytes.Clone(b)
			c[i] ^= 1
			if i < 8 && bytes.EqualFold(c[:8], b[:8]) {
				continue
			}
			var w map[string]any
			require.Error(t, install.DecodeFrame(c, &w), "byte %d", i)
		}
	})
}

func FuzzLog(f *testing.F) {
	begin, err := install.EncodeFrame(install.Record{What: "begin", Tx: &install.Entry{}})
	require.NoError(f, err)
	stop, err := install.EncodeFrame(install.Record{What: "stop"})
	require.NoError(f, err)
	both := append(bytes.Clone(begin), stop...)
	for _, seed := range [][]byte{nil, begin, both, both[:len(both)-3], append(bytes.Clone(both), 0, 0, 0), append([]byte("bad\n"), both...)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := install.DecodeLog(b)
		if err != nil {
			return
		}
		whole, err := install.DecodeLog(append(bytes.Clone(b), "torn tail"...))
		if err == nil && (len(b) == 0 || b[len(b)-1] == '\n') && len(list) == bytes.Count(b, []byte("\n")) {
			require.Len(t, whole, len(list), "a torn tail takes nothing else with it")
		}
		require.LessOrEqual(t, len(list), bytes.Count(b, []byte("\n")))
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte("0444 5 " + strings.Repeat("0", 64) + " a b\n0755 0 - dir\n"))
	f.Add([]byte("0444 5\n"))
	f.Add([]byte("0999 x y ../z\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		again, n, err := install.DecodeManifest(b)
		if err != nil {
			return
		}
		third, m, err := install.DecodeManifest(again)
		require.NoError(t, err)
		require.Equal(t, n, m)
		require.Equal(t, again, third)
	})
}

// Whatever the bytes are, nothing but plain files and directories with plain names
// appears, all below the directory.
func FuzzTar(f *testing.F) {
	for _, a := range attacks() {
		if len(a.tar) < 1<<16 {
			f.Add(a.tar)
		}
	}
	f.Add(archive(dir("a/"), file("a/b"), file("c")))
	f.Fuzz(func(t *testing.T, b []byte) {
		top := memory(t)
		r, err := safefs.Open(filepath.Join(top, "in"), safefs.Options{Fault: func(op safefs.Op) error {
			if op.Kind == safefs.OpSync || op.Kind == safefs.OpSyncDir {
				return safefs.Skip
			}
			return nil
		}})
		require.NoError(t, err)
		defer func() { require.NoError(t, r.Close()) }()
		manifest, err := install.ReadTar(r, "x", install.Limits{Entries: 20, File: 1 << 16, Total: 1 << 17, Ratio: 200}, bytes.NewReader(b))
		files := 0
		require.NoError(t, filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			require.True(t, e.IsDir() || e.Type().IsRegular(), "%q is a %s", p, e.Type())
			rel, err := filepath.Rel(filepath.Join(top, "in", "x", "tree"), p)
			if err != nil {
				return err
			}
			if !e.IsDir() {
				require.False(t, strings.HasPrefix(rel, ".."), "outside: %q", rel)
			}
			if rel != "." && !strings.HasPrefix(rel, "..") {
				files++
				fi, err := e.Info()
				require.NoError(t, err)
				require.Zero(t, fi.Mode()&(os.ModeSetuid|os.ModeSetgid|os.ModeSticky))
			}
			return nil
		}))
		if err == nil {
			require.Equal(t, files, bytes.Count(manifest, []byte("\n")), "MANIFEST lists what is there")
		}
	})
}
