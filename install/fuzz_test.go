package install_test

import (
	"bytes"
	"fmt"
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

// Entries of a tar for FuzzTar, as "<type><mode> <name>\t<content>" with NUL between:
// short, so that the fuzzer's time goes into what is written, not into the padding
// and checksums of the headers.
func tarOf(entries string) []byte {
	modes := map[byte]string{'x': "0000755", 's': "0004755", 'g': "0002755", 't': "0001777"}
	var b []byte
	for _, e := range strings.Split(entries, "\x00") {
		head, content, _ := strings.Cut(e, "\t")
		kind, name, _ := strings.Cut(head, " ")
		if kind == "" {
			continue
		}
		mode, ok := modes[kind[len(kind)-1]]
		if !ok {
			mode = "0000644"
		}
		h := make([]byte, 512)
		copy(h, name[:min(len(name), 100)])
		copy(h[100:], mode)
		copy(h[124:], fmt.Sprintf("%011o", len(content)))
		copy(h[136:], "00000000000")
		copy(h[148:], "        ")
		h[156] = kind[0]
		if kind[0] == '1' || kind[0] == '2' {
			copy(h[157:257], "target")
		}
		copy(h[257:], "ustar\x0000")
		sum := 0
		for _, c := range h {
			sum += int(c)
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
		b = append(append(b, h...), content...)
		b = append(b, make([]byte, -len(content)&511)...)
	}
	return b
}

// Whatever a package has in it, nothing but plain files and directories appears,
// all below the directory, and what is not refused is there as it was packed.
func FuzzTar(f *testing.F) {
	for _, seed := range []string{
		"0 a", "5 a/\x000x a/b\tx", "0 a\x000 A", "0 ../a", "0 a/../../b", "0 /a", "0 a/b\x000 a", "0 a\x000 a/b",
		"2 a", "1 a", "3 a", "4 a", "6 a", "7 a", "0s a", "5t a/", "L x\t../a\x000 b", "x h\t11 path=a\n\x000 b",
		"x h\t13 path=../a\n\x000 b", "x h\t12 size=999\n\x000 b\tx", "g h\t11 path=a\n", "0 nul.txt", "0 a.", "0 \xff", "0 e\u0301", "S a", "5 a/\tx",
	} {
		f.Add(seed, "end")
	}
	f.Add("0 a", "")
	f.Add("0 a", "end of the tar, and more")
	top := memory(f)
	r, err := safefs.Open(filepath.Join(top, "in"), safefs.Options{})
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, r.Close()) })
	tree := filepath.Join(top, "in", "x", "tree")
	f.Fuzz(func(t *testing.T, entries, end string) {
		b := tarOf(entries)
		if end != "" {
			b = append(append(b, make([]byte, 1024)...), end[min(len(end), 3):]...)
		}
		manifest, refused := install.ReadTar(r, "x", install.Limits{Entries: 20, File: 1 << 10, Total: 1 << 11, Ratio: 200}, bytes.NewReader(b))
		found := 0
		require.NoError(t, filepath.WalkDir(top, func(p string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			require.True(t, e.IsDir() || e.Type().IsRegular(), "%q is a %s", p, e.Type())
			fi, err := e.Info()
			if err != nil {
				return err
			}
			require.Zero(t, fi.Mode()&(os.ModeSetuid|os.ModeSetgid|os.ModeSticky))
			switch rel := strings.TrimPrefix(p, tree+"/"); {
			case rel != p:
				found++
				if refused == nil {
					require.Contains(t, string(manifest), " "+rel+"\n")
				}
			default:
				require.True(t, p == tree || strings.HasPrefix(tree, p+"/"), "outside: %q", p)
			}
			return nil
		}))
		if refused == nil {
			require.Equal(t, found, bytes.Count(manifest, []byte("\n")), "MANIFEST lists what is there")
		}
		require.NoError(t, os.RemoveAll(filepath.Join(top, "in", "x")))
	})
}
