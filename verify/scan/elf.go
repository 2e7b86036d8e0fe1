package scan

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
)

// elfFacts is what is read of an ELF file: from its program headers, which are what
// the kernel and the loader go by, and not from its sections, which can lie.
type elfFacts struct {
	kind       elf.Type
	machine    elf.Machine
	libraries  []string // DT_NEEDED
	paths      []string // DT_RPATH and DT_RUNPATH, split
	stackKnown bool     // there is a PT_GNU_STACK
	stackExec  bool
	writeExec  bool // a segment is writable and executable
	textRel    bool
	dynamic    bool
}

// Bounds of an ELF file's tables, far over what linkers make.
const (
	maxELFPhdrs   = 1000
	maxELFDynamic = 10_000
	maxELFStrings = 4 << 20 // bytes of the dynamic string table
	maxELFName    = 300
	maxLibraries  = 200
)

// readELF reads the facts. debug/elf is not made for hostile files: what would make it
// inflate data without bound is refused before, and its panics are errors.
func readELF(r io.ReaderAt) (facts elfFacts, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its structure is broken: %v", p)
		}
	}()
	if err := plainSectionNames(r); err != nil {
		return facts, err
	}
	f, err := elf.NewFile(r)
	if err != nil {
		return facts, err
	}
	defer f.Close()
	if len(f.Progs) > maxELFPhdrs {
		return facts, fmt.Errorf("%d program headers, more than %d", len(f.Progs), maxELFPhdrs)
	}
	facts.kind, facts.machine = f.Type, f.Machine
	for _, p := range f.Progs {
		switch p.Type {
		case elf.PT_GNU_STACK:
			facts.stackKnown, facts.stackExec = true, p.Flags&elf.PF_X != 0
		case elf.PT_LOAD:
			facts.writeExec = facts.writeExec || p.Flags&(elf.PF_W|elf.PF_X) == elf.PF_W|elf.PF_X
		case elf.PT_DYNAMIC:
			facts.dynamic = true
			if err := facts.readDynamic(f, p); err != nil {
				return facts, fmt.Errorf("dynamic segment: %w", err)
			}
		}
	}
	return facts, nil
}

// plainSectionNames refuses a compressed table of section names, which no linker
// writes and debug/elf inflates to whatever size it announces.
func plainSectionNames(r io.ReaderAt) error {
	ident := make([]byte, elf.EI_NIDENT)
	if _, err := r.ReadAt(ident, 0); err != nil {
		return errors.New("its header is cut off")
	}
	e := elfBytes{r: r, wide: elf.Class(ident[elf.EI_CLASS]) == elf.ELFCLASS64, big: elf.Data(ident[elf.EI_DATA]) == elf.ELFDATA2MSB}
	// Offsets of e_shoff, e_shentsize, e_shnum and e_shstrndx, and of sh_flags in an
	// entry: https://gabi.xinuos.com/elf/02-eheader.html.
	var offset, size, count, index, flags uint64
	if e.wide {
		offset, size, count, index = e.uint(0x28, 8), e.uint(0x3a, 2), e.uint(0x3c, 2), e.uint(0x3e, 2)
	} else {
		offset, size, count, index = e.uint(0x20, 4), e.uint(0x2e, 2), e.uint(0x30, 2), e.uint(0x32, 2)
	}
	if e.err != nil {
		return errors.New("its header is cut off")
	}
	if offset == 0 && count == 0 {
		return nil // no sections
	}
	if count == 0 || index >= count {
		return errors.New("its table of sections is of an unusual form")
	}
	entry := offset + index*size
	if e.wide {
		flags = e.uint(entry+8, 8)
	} else {
		flags = e.uint(entry+8, 4)
	}
	if e.err != nil {
		return errors.New("its table of sections is cut off")
	}
	if elf.SectionFlag(flags)&elf.SHF_COMPRESSED != 0 {
		return errors.New("its table of section names is compressed, which no linker does")
	}
	return nil
}

// elfBytes reads numbers. After the first error it returns zeros.
type elfBytes struct {
	r         io.ReaderAt
	wide, big bool
	err       error
}

func (e *elfBytes) uint(at uint64, n int) uint64 {
	b := make([]byte, n)
	if e.err == nil && int64(at) < 0 {
		e.err = io.ErrUnexpectedEOF
	}
	if e.err == nil {
		_, e.err = e.r.ReadAt(b, int64(at))
	}
	if e.err != nil {
		return 0
	}
	return number(b, e.big)
}

func number(b []byte, big bool) uint64 {
	var v uint64
	for i := range b {
		if big {
			v = v<<8 | uint64(b[i])
		} else {
			v |= uint64(b[i]) << (8 * i)
		}
	}
	return v
}

// readDynamic reads what the loader is told.
func (facts *elfFacts) readDynamic(f *elf.File, p *elf.Prog) error {
	word := 4
	if f.Class == elf.ELFCLASS64 {
		word = 8
	}
	if p.Filesz > uint64(2*word*maxELFDynamic) {
		return fmt.Errorf("%d bytes, more than %d entries", p.Filesz, maxELFDynamic)
	}
	table := make([]byte, p.Filesz)
	if _, err := p.ReadAt(table, 0); err != nil {
		return errors.New("it is cut off")
	}
	big := f.Data == elf.ELFDATA2MSB
	var strtab, strsz uint64
	var needed, paths []uint64
entries:
	for ; len(table) >= 2*word; table = table[2*word:] {
		tag, value := elf.DynTag(number(table[:word], big)), number(table[word:2*word], big)
		switch tag {
		case elf.DT_NULL:
			break entries
		case elf.DT_STRTAB:
			strtab = value
		case elf.DT_STRSZ:
			strsz = value
		case elf.DT_NEEDED:
			needed = append(needed, value)
		case elf.DT_RPATH, elf.DT_RUNPATH:
			paths = append(paths, value)
		case elf.DT_TEXTREL:
			facts.textRel = true
		case elf.DT_FLAGS:
			facts.textRel = facts.textRel || elf.DynFlag(value)&elf.DF_TEXTREL != 0
		}
	}
	if len(needed)+len(paths) == 0 {
		return nil
	}
	if len(needed)+len(paths) > maxLibraries {
		return fmt.Errorf("%d libraries, more than %d", len(needed)+len(paths), maxLibraries)
	}
	names, err := loaded(f, strtab, strsz)
	if err != nil {
		return err
	}
	for _, at := range needed {
		facts.libraries = append(facts.libraries, cString(names, at))
	}
	for _, at := range paths {
		for _, dir := range bytes.Split([]byte(cString(names, at)), []byte(":")) {
			facts.paths = append(facts.paths, string(dir))
		}
	}
	return nil
}

// loaded returns the bytes that are at an address once the file is loaded.
func loaded(f *elf.File, addr, size uint64) ([]byte, error) {
	if size > maxELFStrings {
		return nil, fmt.Errorf("its names have %d bytes, more than %d", size, maxELFStrings)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_LOAD && addr >= p.Vaddr && addr-p.Vaddr <= p.Filesz && size <= p.Filesz-(addr-p.Vaddr) {
			b := make([]byte, size)
			if _, err := p.ReadAt(b, int64(addr-p.Vaddr)); err != nil {
				return nil, errors.New("its names are cut off")
			}
			return b, nil
		}
	}
	return nil, errors.New("its names lie in no segment")
}

func cString(table []byte, at uint64) string {
	if at >= uint64(len(table)) {
		return ""
	}
	s, _, _ := bytes.Cut(table[at:], []byte{0})
	return string(s[:min(len(s), maxELFName)])
}
