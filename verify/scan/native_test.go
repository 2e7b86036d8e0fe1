package scan_test

import (
	"bytes"
	"compress/zlib"
	"debug/elf"
	"encoding/binary"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

// program says what buildELF makes.
type program struct {
	stack      elf.ProgFlag // 0: no PT_GNU_STACK
	load       elf.ProgFlag
	needed     []string
	runpath    string
	dynamic    int    // bytes of the dynamic segment that the header announces; 0: as many as there are
	compressed []byte // section names, compressed
	announced  uint64 // their size
}

// buildELF makes a 64-bit little-endian ELF file of headers and, where there are
// libraries, a dynamic segment. It is a test's: no linker is needed and every lie is
// possible.
func buildELF(t testing.TB, p program) string {
	t.Helper()
	const base = 0x400000
	names := "\x00"
	var dyn []elf.Dyn64
	for _, n := range p.needed {
		dyn = append(dyn, elf.Dyn64{Tag: int64(elf.DT_NEEDED), Val: uint64(len(names))})
		names += n + "\x00"
	}
	if p.runpath != "" {
		dyn = append(dyn, elf.Dyn64{Tag: int64(elf.DT_RUNPATH), Val: uint64(len(names))})
		names += p.runpath + "\x00"
	}
	progs := []elf.Prog64{{Type: uint32(elf.PT_LOAD), Flags: uint32(p.load | elf.PF_R), Vaddr: base, Filesz: 0x1000, Memsz: 0x1000}}
	if p.stack != 0 {
		progs = append(progs, elf.Prog64{Type: uint32(elf.PT_GNU_STACK), Flags: uint32(p.stack)})
	}
	const dynAt, namesAt = 0x200, 0x800
	if len(dyn) > 0 {
		dyn = append(dyn, elf.Dyn64{Tag: int64(elf.DT_STRTAB), Val: base + namesAt}, elf.Dyn64{Tag: int64(elf.DT_STRSZ), Val: uint64(len(names))}, elf.Dyn64{})
		size := uint64(16 * len(dyn))
		if p.dynamic > 0 {
			size = uint64(p.dynamic)
		}
		progs = append(progs, elf.Prog64{Type: uint32(elf.PT_DYNAMIC), Flags: uint32(elf.PF_R), Off: dynAt, Vaddr: base + dynAt, Filesz: size})
	}
	h := elf.Header64{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: uint16(len(progs)),
	}
	file := make([]byte, 0x1000)
	if p.compressed != nil {
		h.Shoff, h.Shentsize, h.Shnum, h.Shstrndx = uint64(len(file)), 64, 2, 1
		var sections bytes.Buffer
		require.NoError(t, binary.Write(&sections, binary.LittleEndian, []elf.Section64{{}, {
			Type: uint32(elf.SHT_STRTAB), Flags: uint64(elf.SHF_COMPRESSED), Off: 0x1000 + 2*64, Size: uint64(24 + len(p.compressed)),
		}}))
		require.NoError(t, binary.Write(&sections, binary.LittleEndian, elf.Chdr64{Type: uint32(elf.COMPRESS_ZLIB), Size: p.announced}))
		file = append(append(file, sections.Bytes()...), p.compressed...)
	}
	put := func(at int, v any) {
		var b bytes.Buffer
		require.NoError(t, binary.Write(&b, binary.LittleEndian, v))
		copy(file[at:], b.Bytes())
	}
	put(0, h)
	put(64, progs)
	put(dynAt, dyn)
	copy(file[namesAt:], names)
	return string(file)
}

func TestNativeELF(t *testing.T) {
	t.Parallel()
	const w, x, rw = elf.PF_W, elf.PF_X, elf.PF_R | elf.PF_W
	var bomb bytes.Buffer
	z := zlib.NewWriter(&bomb)
	_, err := z.Write(make([]byte, 1<<20))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	for name, c := range map[string]struct {
		code string
		want []string
	}{
		"static":          {buildELF(t, program{stack: rw, load: x}), []string{"native-file info high"}},
		"libraries":       {buildELF(t, program{stack: rw, load: x, needed: []string{"libc.so.6", "libssl.so.3"}}), []string{"native-file info high"}},
		"origin":          {buildELF(t, program{stack: rw, load: x, needed: []string{"liba.so"}, runpath: "$ORIGIN/lib:${ORIGIN}"}), []string{"native-file info high"}},
		"rpath":           {buildELF(t, program{stack: rw, load: x, needed: []string{"liba.so"}, runpath: "/tmp/evil:$ORIGIN"}), []string{"native-rpath medium high", "native-file info high"}},
		"executable":      {buildELF(t, program{stack: rw | x, load: x}), []string{"native-execstack medium high", "native-file info high"}},
		"says nothing":    {buildELF(t, program{load: x}), []string{"native-execstack low high", "native-file info high"}},
		"write and exec":  {buildELF(t, program{stack: rw, load: w | x}), []string{"native-writexec medium high", "native-file info high"}},
		"packed":          {strings.Replace(buildELF(t, program{stack: rw, load: x}), strings.Repeat("\x00", 100), "UPX!"+strings.Repeat("\x00", 96), 1), []string{"native-packed medium high", "native-file info high"}},
		"cut off":         {buildELF(t, program{load: x})[:100], []string{"native-unreadable medium medium"}},
		"only magic":      {"\x7fELF", []string{"native-unreadable medium medium"}},
		"dynamic too big": {buildELF(t, program{load: x, needed: []string{"a"}, dynamic: 1 << 30}), []string{"native-unreadable medium medium"}},
		"dynamic cut off": {buildELF(t, program{load: x, needed: []string{"a"}, dynamic: 0x1000}), []string{"native-unreadable medium medium"}},
		// debug/elf alone would inflate these to what they announce.
		"compressed names": {buildELF(t, program{load: x, compressed: bomb.Bytes(), announced: 1 << 40}), []string{"native-unreadable medium medium"}},
	} {
		r := look(t, scan.Native(), files("bin/run", c.code), subject)
		assert.Equal(t, c.want, rules(r), name)
		assert.Equal(t, verify.VerdictPass, r.Verdict, name)
	}
	r := look(t, scan.Native(), files("bin/run", buildELF(t, program{stack: rw, load: x, needed: []string{"libc.so.6", "libssl.so.3"}})), subject)
	assert.Contains(t, r.Findings[0].Detail, "EM_X86_64, linked with libc.so.6, libssl.so.3")
	r = look(t, scan.Native(), files("bin/run", buildELF(t, program{stack: rw, load: x})), subject)
	assert.Contains(t, r.Findings[0].Detail, "statically linked")
}

func TestNativeUnexpected(t *testing.T) {
	t.Parallel()
	s := subject
	for _, s.Runtime = range []string{scan.RuntimeWASM, scan.RuntimeStatic} {
		r := look(t, scan.Native(), files("logo.png", buildELF(t, program{stack: elf.PF_R, load: elf.PF_X}), "a.js", "alert(1)"), s)
		assert.Equal(t, []string{"native-unexpected high medium", "native-file info high"}, rules(r))
	}
	pe := "MZ" + strings.Repeat("\x00", 58) + "\x40\x00\x00\x00" + "PE\x00\x00" + strings.Repeat("\x00", 100)
	far := "MZ" + strings.Repeat("\x00", 58) + "\x00\x00\x01\x00" + strings.Repeat("\x00", 0x10000-64) + "PE\x00\x00"
	r := look(t, scan.Native(), files("far.exe", far), s)
	assert.Equal(t, []string{"native-unexpected high medium", "native-file info high"}, rules(r))
	r = look(t, scan.Native(), files("a.exe", pe, "b", "\xcf\xfa\xed\xfe"+strings.Repeat("\x00", 100)), s)
	assert.Equal(t, []string{"native-unexpected high medium", "native-unexpected high medium", "native-file info high", "native-file info high"}, rules(r))
	r = look(t, scan.Native(), files("A.class", "\xca\xfe\xba\xbe\x00\x00\x00\x3d"+strings.Repeat("\x00", 100), "b.txt", "MZ is a name"+strings.Repeat(".", 100)), s)
	assert.Empty(t, r.Findings, "a Java class is not native")
}

// TestNativeGo looks at a real Go program: this test.
func TestNativeGo(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Log("the test program is not an ELF file here; only its build information is checked")
	}
	self, err := os.Executable()
	require.NoError(t, err)
	code, err := os.ReadFile(self)
	require.NoError(t, err)
	r := look(t, scan.Native(), files("bin/run", string(code)), subject)
	at := slices.IndexFunc(r.Findings, func(f scan.Finding) bool { return f.Rule == "native-go" })
	require.GreaterOrEqual(t, at, 0, r.Findings)
	assert.Contains(t, r.Findings[at].Detail, "go1.")
	assert.True(t, slices.ContainsFunc(r.Components, func(c scan.Component) bool {
		return c.Ecosystem == "Go" && c.Name == "stdlib" && strings.HasPrefix(runtime.Version(), "go"+strings.TrimSuffix(c.Version, ".0"))
	}), r.Components)
}

func FuzzNative(f *testing.F) {
	f.Add([]byte(buildELF(f, program{load: elf.PF_X, needed: []string{"libc.so.6"}, runpath: "/tmp"})))
	f.Add([]byte(buildELF(f, program{compressed: []byte("x"), announced: 10})))
	f.Add([]byte("MZ" + strings.Repeat("\x00", 58) + "\x40\x00\x00\x00" + "PE\x00\x00" + strings.Repeat("\x00", 100)))
	f.Fuzz(func(t *testing.T, code []byte) {
		look(t, scan.Native(), files("run", string(code)), subject)
	})
}
