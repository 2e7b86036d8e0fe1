package install_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
	"github.com/souk-dev/souk/verify"
)

// archive writes a tar from headers; the content of a file is as many "x".
func archive(hs ...*tar.Header) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range hs {
		if h.Mode == 0 && h.Typeflag != tar.TypeXGlobalHeader {
			h.Mode = 0o644
		}
		if err := w.WriteHeader(h); err != nil {
			panic(fmt.Sprintf("%q: %v", h.Name, err))
		}
		if _, err := io.CopyN(w, infinite{}, h.Size); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

type infinite struct{}

func (infinite) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func file(name string) *tar.Header { return &tar.Header{Name: name, Typeflag: tar.TypeReg} }

func dir(name string) *tar.Header { return &tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755} }

type attack struct {
	tar []byte
	why string
}

// attacks returns packages that are refused whole, and why. They are made when they
// are asked for: the children of other tests start without.
func attacks() map[string]attack {
	return map[string]attack{
		"symbolic link":      {archive(&tar.Header{Name: "a", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}), "only files and directories"},
		"hard link":          {archive(file("a"), &tar.Header{Name: "b", Typeflag: tar.TypeLink, Linkname: "a"}), "only files and directories"},
		"character device":   {archive(&tar.Header{Name: "a", Typeflag: tar.TypeChar}), "only files and directories"},
		"block device":       {archive(&tar.Header{Name: "a", Typeflag: tar.TypeBlock}), "only files and directories"},
		"pipe":               {archive(&tar.Header{Name: "a", Typeflag: tar.TypeFifo}), "only files and directories"},
		"global header":      {archive(&tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"path": "b"}}), "only files and directories"},
		"parent":             {archive(file("../a")), "does not stay inside"},
		"parent in middle":   {archive(file("a/../../b")), "does not stay inside"},
		"parent within":      {archive(file("a/../b")), "does not stay inside"},
		"absolute":           {archive(file("/etc/passwd")), "does not stay inside"},
		"dot":                {archive(dir("./")), "does not stay inside"},
		"dot slash":          {archive(file("./a")), "does not stay inside"},
		"double slash":       {archive(file("a//b")), "does not stay inside"},
		"empty":              {archive(dir("/")), "does not stay inside"},
		"backslash":          {archive(file(`a\b`)), "U+005C"},
		"drive":              {archive(file("C:a")), "U+003A"},
		"stream":             {archive(file("a:b")), "U+003A"},
		"question mark":      {archive(file("a?")), "U+003F"},
		"control":            {archive(file("a\x07b")), "U+0007"},
		"line feed":          {archive(file("a\nb")), "U+000A"},
		"bidi":               {archive(file("a\u202egpj.exe")), "U+202E"},
		"zero width":         {archive(file("a\u200bb")), "U+200B"},
		"soft hyphen":        {archive(file("a\u00adb")), "U+00AD"},
		"not UTF-8":          {archive(&tar.Header{Name: "a\xff", Typeflag: tar.TypeReg, Format: tar.FormatGNU}), "not UTF-8"},
		"not NFC":            {archive(file("e\u0301")), "normal form C"},
		"trailing dot":       {archive(file("a./b")), "ends in a dot"},
		"trailing space":     {archive(file("a ")), "ends in a dot or a space"},
		"device name":        {archive(file("lib/nul.txt")), "device"},
		"device with number": {archive(file("COM1")), "device"},
		"device superscript": {archive(file("lpt\u00b9.x")), "device"},
		"long name":          {archive(file(strings.Repeat("abcdefghi/", 24) + "a")), ""},
		"long part":          {archive(file(strings.Repeat("a", 101))), "part longer than 100"},
		"deep":               {archive(file(strings.Repeat("a/", 20) + "a")), "deeper than 20"},
		"twice":              {archive(file("a"), file("a")), "appears twice"},
		"directory twice":    {archive(dir("a/"), dir("a/")), "appears twice"},
		"case":               {archive(file("README"), file("readme")), "the same as"},
		"case of a prefix":   {archive(file("lib/a"), file("LIB/b")), "the same as"},
		"case fold":          {archive(file("stra\u00dfe"), file("STRASSE")), "the same as"},
		"compatibility form": {archive(file("\ufb01le"), file("file")), "the same as"},
		"file as directory":  {archive(file("a"), file("a/b")), "below the file"},
		"directory as file":  {archive(file("a/b"), file("a")), "appears twice"},
		"setuid":             {archive(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Mode: 0o4755}), "no setuid"},
		"setgid directory":   {archive(&tar.Header{Name: "a/", Typeflag: tar.TypeDir, Mode: 0o2755}), "no setuid"},
		"sticky":             {archive(&tar.Header{Name: "a/", Typeflag: tar.TypeDir, Mode: 0o1777}), "no setuid"},
		"xattr":              {archive(&tar.Header{Name: "a", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "x"}}), "extended record"},
		"file too large":     {archive(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 3 << 20}), "more than 2097152"},
		"total too large":    {archive(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 2 << 20}, &tar.Header{Name: "b", Typeflag: tar.TypeReg, Size: 2 << 20}), "more than 3145728"},
		"too many":           {archive(many(51)...), "more than 50"},
		"data after the end": {append(archive(file("a")), 0), "after the end"},
		"second tar":         {append(archive(file("a")), archive(file("b"))...), "after the end"},
		"not a tar":          {bytes.Repeat([]byte("x"), 2048), ""},
	}
}

func many(n int) (out []*tar.Header) {
	for i := range n {
		out = append(out, file(fmt.Sprintf("f%d", i)))
	}
	return out
}

func TestAttacksAreRefusedWhole(t *testing.T) {
	t.Parallel()
	for name, tc := range attacks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldIn(t, filepath.Join(memory(t), "plugins"))
			w.o.Limits = install.Limits{Entries: 50, File: 2 << 20, Total: 3 << 20, Ratio: 1 << 20}
			w.start()
			err := w.apply(w.supply.AddTar(installtest.Manifest(backup, "1.0.0"), tc.tar, 0, 1))
			require.ErrorIs(t, err, install.ErrArchive)
			assert.Contains(t, err.Error(), tc.why)
			assert.Empty(t, w.host.Versions())
			assert.Empty(t, w.settled().Versions())
			_, err = os.Lstat(filepath.Join(filepath.Dir(w.dir), "a"))
			require.ErrorIs(t, err, os.ErrNotExist)
		})
	}
}

func TestAnnouncedAndReal(t *testing.T) {
	t.Parallel()
	raw, unpacked, entries := installtest.Tar(installtest.Files{"a": "12345", "b/": ""})
	diff := verify.DigestOf(raw)
	packed := installtest.Compress(raw)
	zeros := make([]byte, 0, 4<<20)
	bomb := installtest.Compress(append(archive(&tar.Header{Name: "a", Typeflag: tar.TypeReg, Size: 3 << 20}), zeros...))
	for name, tc := range map[string]struct {
		content  []byte
		diff     verify.Digest
		unpacked int64
		entries  int
		want     error
	}{
		"as announced":     {packed, diff, unpacked, entries, nil},
		"two frames":       {append(bytes.Clone(installtest.Compress(raw[:700])), installtest.Compress(raw[700:])...), diff, unpacked, entries, nil},
		"other tar":        {packed, verify.DigestOf(nil), unpacked, entries, verify.ErrDigest},
		"more entries":     {packed, diff, unpacked, entries + 1, install.ErrArchive},
		"fewer bytes":      {packed, diff, unpacked - 1, entries, install.ErrArchive},
		"says too much":    {packed, diff, 1 << 39, entries, install.ErrArchive},
		"says too many":    {packed, diff, unpacked, 1 << 30, install.ErrArchive},
		"not zstd":         {raw, diff, unpacked, entries, install.ErrArchive},
		"behind the frame": {append(bytes.Clone(packed), "tail"...), diff, unpacked, entries, install.ErrArchive},
		"cut frame":        {packed[:len(packed)-5], diff, unpacked, entries, install.ErrArchive},
		"bomb":             {bomb, diff, 3 << 20, 1, install.ErrArchive},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldIn(t, filepath.Join(memory(t), "plugins"))
			w.start()
			err := w.apply(w.supply.AddContent(installtest.Manifest(backup, "1.0.0"), tc.content, tc.diff, tc.unpacked, tc.entries))
			if tc.want == nil {
				require.NoError(t, err)
				assert.Len(t, w.settled().Versions(), 1)
				return
			}
			require.ErrorIs(t, err, tc.want)
			assert.Empty(t, w.settled().Versions())
		})
	}
}

// A registry that serves other bytes than those that were signed.
func TestSwappedBytes(t *testing.T) {
	t.Parallel()
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	for name, tc := range map[string]struct{ manifest, content func([]byte) []byte }{
		"content flipped":  {nil, flip},
		"content cut":      {nil, func(b []byte) []byte { return b[:len(b)-1] }},
		"content longer":   {nil, func(b []byte) []byte { return append(b, 0) }},
		"content other":    {nil, func([]byte) []byte { return installtest.Compress(archive(file("evil"))) }},
		"content none":     {nil, func([]byte) []byte { return nil }},
		"manifest flipped": {flip, nil},
		"manifest none":    {func([]byte) []byte { return nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldIn(t, filepath.Join(memory(t), "plugins"))
			w.start()
			r := w.release(backup, "1.0.0")
			w.supply.Change(r, tc.manifest, tc.content)
			err := w.apply(r)
			require.ErrorIs(t, err, verify.ErrDigest)
			e, ok := errors.AsType[*install.Error](err)
			require.True(t, ok)
			assert.True(t, e.Restored)
			assert.Empty(t, w.settled().Versions())
		})
	}
}

func TestEntryMustBeThere(t *testing.T) {
	t.Parallel()
	for entry, ok := range map[string]bool{"plugin.wasm": true, "PLUGIN.wasm": false, "lib": false, "other": false} {
		w := newWorldIn(t, filepath.Join(memory(t), "plugins"))
		w.start()
		m := installtest.Manifest(backup, "1.0.0")
		m.Runtime = catalog.Runtime{Kind: catalog.RuntimeWASM, Entry: entry}
		err := w.apply(w.supply.Add(m, installtest.Files{"plugin.wasm": "x", "lib/a": "y"}))
		if ok {
			assert.NoError(t, err)
		} else {
			assert.ErrorIs(t, err, install.ErrArchive, entry)
		}
	}
}
