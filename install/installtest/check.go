package installtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/install"
)

// Set is what is installed in a store, read from the disk by code that shares
// nothing with the installer.
type Set struct {
	Seq        uint64
	Generation install.Generation
}

// Versions returns the set as sorted "acme/backup@1.0.0".
func (s Set) Versions() []string {
	out := []string{}
	for _, p := range s.Generation.Plugins {
		out = append(out, p.Ref.String())
	}
	slices.Sort(out)
	return out
}

// CheckStore fails the test when the settled store in dir breaks an invariant: the
// pointer, its generation, every object by its hashes, and the data directories are
// there and whole, for every kept generation; and nothing of a transaction is left.
// It returns the installed set.
func CheckStore(t testing.TB, dir string) Set {
	t.Helper()
	var p struct {
		Seq, Gen uint64
		Trial    bool
	}
	readFrame(t, filepath.Join(dir, "current"), &p)
	require.False(t, p.Trial, "a settled store has no trial")
	require.NotZero(t, p.Seq)

	set := Set{Seq: p.Seq}
	readFrame(t, filepath.Join(dir, "gen", fmt.Sprintf("%010d", p.Gen)), &set.Generation)
	require.Equal(t, p.Gen, set.Generation.N)
	checked := map[string]bool{}
	for g := set.Generation; ; {
		for _, pl := range g.Plugins {
			if !checked[pl.Object] {
				checked[pl.Object] = true
				checkObject(t, filepath.Join(dir, "store", pl.Object))
			}
			fi, err := os.Stat(filepath.Join(dir, filepath.FromSlash(pl.Data)))
			require.NoError(t, err, "data of %s in generation %d", pl.Ref, g.N)
			require.True(t, fi.IsDir())
		}
		parent := filepath.Join(dir, "gen", fmt.Sprintf("%010d", g.Parent))
		if _, err := os.Stat(parent); g.N == 0 || err != nil {
			break // not kept any more
		}
		g = install.Generation{N: g.Parent}
		readFrame(t, parent, &g)
	}
	for _, sub := range []string{".", "gen", "store", "tx", "history", "data"} {
		list, err := os.ReadDir(filepath.Join(dir, sub))
		require.NoError(t, err)
		for _, e := range list {
			for _, prefix := range []string{".new-", ".tmp-", ".del-"} {
				require.False(t, strings.HasPrefix(e.Name(), prefix), "left over: %s/%s", sub, e.Name())
			}
			require.NotEqual(t, "tx", sub, "left over: tx/%s", e.Name())
		}
	}
	return set
}

func readFrame(t testing.TB, file string, v any) {
	t.Helper()
	b, err := os.ReadFile(file)
	require.NoError(t, err)
	sum, body, ok := strings.Cut(strings.TrimSuffix(string(b), "\n"), " ")
	require.True(t, ok, file)
	require.Equal(t, fmt.Sprintf("%08x", crc32.Checksum([]byte(body), crc32.MakeTable(crc32.Castagnoli))), sum, file)
	require.NoError(t, json.Unmarshal([]byte(body), v), file)
}

func checkObject(t testing.TB, dir string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "MANIFEST"))
	require.NoError(t, err)
	sum := sha256.Sum256(b)
	require.Equal(t, filepath.Base(dir), "sha256-"+hex.EncodeToString(sum[:]))
	want := string(b)
	var got strings.Builder
	tree := filepath.Join(dir, "tree")
	lines := map[string]string{}
	require.NoError(t, filepath.WalkDir(tree, func(p string, e fs.DirEntry, err error) error {
		if err != nil || p == tree {
			return err
		}
		rel, err := filepath.Rel(tree, p)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if e.IsDir() {
			lines[rel] = fmt.Sprintf("0755 0 - %s\n", rel)
			return nil
		}
		content, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		lines[rel] = fmt.Sprintf("%04o %d %x %s\n", fi.Mode(), len(content), sum, rel)
		return nil
	}))
	var names []string
	for n := range lines {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		got.WriteString(lines[n])
	}
	require.Equal(t, want, got.String(), "the object is not what its MANIFEST says")
}
