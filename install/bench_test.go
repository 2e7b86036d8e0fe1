package install_test

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
)

// sample returns n files of some 8 kB that compress about as text does.
func sample(n int) installtest.Files {
	r := rand.New(rand.NewPCG(1, 2))
	words := make([]string, 2000)
	for i := range words {
		words[i] = fmt.Sprintf("%x ", r.Uint32())
	}
	out := make(installtest.Files, n)
	for i := range n {
		var b bytes.Buffer
		for b.Len() < 8000 {
			b.WriteString(words[r.IntN(len(words))])
		}
		out[fmt.Sprintf("lib/d%02d/f%04d.txt", i%50, i)] = b.String()
	}
	return out
}

// BenchmarkInstall measures a whole install: proved, downloaded from memory,
// unpacked, hashed, durable, activated, committed.
func BenchmarkInstall(b *testing.B) {
	for _, n := range []int{500, 5000} {
		files := sample(n)
		b.Run(fmt.Sprintf("files=%d", n), func(b *testing.B) {
			w := newWorld(b)
			w.o.Gate = install.Gate{OK: 1}
			r := w.supply.Add(installtest.Manifest(backup, "1.0.0"), files)
			b.SetBytes(int64(n) * 8000)
			for b.Loop() {
				b.StopTimer()
				w.dir = filepath.Join(b.TempDir(), "p")
				w.start()
				p := w.plan(r)
				b.StartTimer()
				if _, err := w.s.Apply(b.Context(), p, all(p), install.Events{}); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				require.NoError(b, w.s.Close())
				require.NoError(b, os.RemoveAll(w.dir))
				b.StartTimer()
			}
		})
	}
}

// BenchmarkPlainTar is what the same costs without any of it: zstd and tar to plain
// files, nothing verified, nothing durable.
func BenchmarkPlainTar(b *testing.B) {
	for _, n := range []int{500, 5000} {
		raw, _, _ := installtest.Tar(sample(n))
		packed := installtest.Compress(raw)
		b.Run(fmt.Sprintf("files=%d", n), func(b *testing.B) {
			b.SetBytes(int64(n) * 8000)
			for b.Loop() {
				b.StopTimer()
				dir := b.TempDir()
				b.StartTimer()
				require.NoError(b, plainTar(packed, dir))
				b.StopTimer()
				require.NoError(b, os.RemoveAll(dir))
				b.StartTimer()
			}
		})
	}
}

func plainTar(packed []byte, dir string) error {
	z, err := zstd.NewReader(bytes.NewReader(packed))
	if err != nil {
		return err
	}
	defer z.Close()
	made := map[string]bool{}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		p := filepath.Join(dir, h.Name)
		if d := filepath.Dir(p); !made[d] {
			if err := os.MkdirAll(d, 0o755); err != nil {
				return err
			}
			made[d] = true
		}
		f, err := os.OpenFile(p, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
		if err != nil {
			return err
		}
		if _, err := io.Copy(f, t); err != nil {
			return err
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
}

// BenchmarkVerifyAtLoad measures the first check of a plugin in a process, and the
// ones after it.
func BenchmarkVerifyAtLoad(b *testing.B) {
	w := newWorld(b)
	w.start()
	require.NoError(b, func() error {
		p := w.plan(w.supply.Add(installtest.Manifest(backup, "1.0.0"), sample(500)))
		_, err := w.s.Apply(b.Context(), p, all(p), install.Events{})
		return err
	}())
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			require.NoError(b, w.s.Close())
			w.open()
			b.StartTimer()
			if _, err := w.s.Verify(b.Context(), backup); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("again", func(b *testing.B) {
		for b.Loop() {
			if _, err := w.s.Verify(b.Context(), backup); err != nil {
				b.Fatal(err)
			}
		}
	})
}
