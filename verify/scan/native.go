package scan

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"debug/elf"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

type native struct{}

// Native returns the scanner that tells of native code: what it is built from, what it
// links, how it is hardened. Nearly all of it informs; code where there should be none
// (in a plugin of runtime wasm or static) is of high severity and for a person to
// judge. The modules that Go programs are built from are the report's Components.
func Native() Scanner { return native{} }

// Name returns "native".
func (native) Name() string { return "native" }

func (n native) Scan(ctx context.Context, fsys fs.FS, s Subject) (Report, error) {
	out := newSheet(n.Name())
	err := out.walk(ctx, fsys, func(name string, f fs.File, size int64) error {
		start, all, err := head(ctx, f, nativeHead)
		if err != nil {
			return err
		}
		format := nativeFormat(start)
		if format == "" {
			return nil
		}
		r, err := readerAt(f, all, size)
		if err != nil {
			return err
		}
		r = contextReaderAt{ctx, r}
		if err := n.program(out, name, format, start, r, s); err != nil {
			return err
		}
		return context.Cause(ctx)
	})
	if err != nil {
		return out.broken(err)
	}
	return out.done()
}

const nativeHead = 4 << 10 // bytes: magic numbers, and what packers leave behind

// nativeFormat returns the name of the format of native code, empty for all else.
func nativeFormat(start []byte) string {
	switch {
	case bytes.HasPrefix(start, []byte(elf.ELFMAG)):
		return "ELF"
	case bytes.HasPrefix(start, []byte("MZ")) && len(start) > 0x40:
		at := number(start[0x3c:0x40], false)
		if at+4 > uint64(len(start)) && !isText(start) || at+4 <= uint64(len(start)) && string(start[at:at+4]) == "PE\x00\x00" {
			return "PE" // or DOS, when the header that says so is far behind
		}
		return "" // a text that begins with MZ
	case len(start) > 28 && (bytes.HasPrefix(start, []byte{0xcf, 0xfa, 0xed, 0xfe}) || bytes.HasPrefix(start, []byte{0xce, 0xfa, 0xed, 0xfe}) ||
		bytes.HasPrefix(start, []byte{0xfe, 0xed, 0xfa, 0xcf}) || bytes.HasPrefix(start, []byte{0xfe, 0xed, 0xfa, 0xce})):
		return "Mach-O"
	case len(start) > 28 && bytes.HasPrefix(start, []byte{0xca, 0xfe, 0xba, 0xbe}) && number(start[4:8], true) < 20: // a Java class has its version here
		return "Mach-O"
	}
	return ""
}

func (native) program(out *sheet, name, format string, start []byte, r io.ReaderAt, s Subject) error {
	if s.Runtime == RuntimeWASM || s.Runtime == RuntimeStatic {
		out.add(Finding{
			Rule: "native-unexpected", Severity: SeverityHigh, Confidence: ConfidenceMedium, File: name, Title: "native code in a plugin that should have none",
			Detail: fmt.Sprintf("an %s file; the plugin's runtime is %q, under which nothing should run it", format, s.Runtime), Advice: "leave it out of the package",
		})
	}
	if bytes.Contains(start, []byte("UPX!")) {
		out.add(Finding{
			Rule: "native-packed", Severity: SeverityMedium, Confidence: ConfidenceHigh, File: name, Title: "compressed program",
			Detail: "it is packed with UPX and unpacks itself when run, so that nobody can look inside", Advice: "ship it as the linker wrote it; packages are compressed anyway",
		})
	}
	if format != "ELF" {
		out.add(Finding{Rule: "native-file", Severity: SeverityInfo, File: name, Title: format + " file", Detail: "of another system than Linux; only its Go build information was looked at"})
	} else if facts, err := readELF(r); err != nil {
		out.add(Finding{
			Rule: "native-unreadable", Severity: SeverityMedium, Confidence: ConfidenceMedium, File: name, Title: "ELF file cannot be read",
			Detail: err.Error(), Advice: "ship it as the linker wrote it",
		})
		return nil // buildinfo would read it without the checks of readELF
	} else {
		facts.tell(out, name)
	}
	return goProgram(out, name, r)
}

// tell reports on an ELF file.
func (facts elfFacts) tell(out *sheet, name string) {
	linked := "statically linked"
	if len(facts.libraries) > 0 {
		linked = "linked with " + strings.Join(facts.libraries, ", ")
	} else if facts.dynamic {
		linked = "without shared libraries"
	}
	out.add(Finding{
		Rule: "native-file", Severity: SeverityInfo, File: name, Title: "ELF file",
		Detail: fmt.Sprintf("%s, %s, %s", facts.kind, facts.machine, linked),
	})
	weak := func(severity Severity, rule, title, detail, advice string) {
		out.add(Finding{Rule: rule, Severity: severity, Confidence: ConfidenceHigh, File: name, Title: title, Detail: detail, Advice: advice})
	}
	runs := facts.kind == elf.ET_EXEC || facts.kind == elf.ET_DYN
	switch {
	case runs && facts.stackExec:
		weak(SeverityMedium, "native-execstack", "executable stack", "the stack is executable, which turns overflows into code", "link with -z noexecstack")
	case runs && !facts.stackKnown:
		weak(SeverityLow, "native-execstack", "stack may be executable", "it does not say that its stack is not executable", "link with -z noexecstack")
	}
	if facts.writeExec {
		weak(SeverityMedium, "native-writexec", "memory both writable and executable", "a segment is loaded writable and executable", "link with -z separate-code")
	}
	if facts.textRel {
		weak(SeverityLow, "native-textrel", "code is changed while loading", "it has text relocations", "compile with -fPIC")
	}
	for _, dir := range facts.paths {
		if !strings.HasPrefix(dir, "$ORIGIN") && !strings.HasPrefix(dir, "${ORIGIN}") {
			weak(SeverityMedium, "native-rpath", "loads libraries from a fixed place", fmt.Sprintf("it looks for libraries in %q", dir), "use $ORIGIN")
		}
	}
}

// goProgram reports what a Go program is built from.
func goProgram(out *sheet, name string, r io.ReaderAt) error {
	info, err := readBuildInfo(r)
	if err != nil {
		return nil // not Go, or without the information
	}
	settings := make(map[string]string)
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	detail := fmt.Sprintf("%s, %s, %d modules", info.GoVersion, info.Path, len(info.Deps))
	for _, key := range []string{"GOOS", "GOARCH", "CGO_ENABLED", "vcs.revision", "vcs.modified"} {
		if v, ok := settings[key]; ok {
			detail += ", " + key + "=" + v
		}
	}
	out.add(Finding{Rule: "native-go", Severity: SeverityInfo, File: name, Title: "Go program", Detail: detail})
	if settings["vcs.modified"] == "true" {
		out.add(Finding{
			Rule: "native-go-modified", Severity: SeverityLow, Confidence: ConfidenceMedium, File: name, Title: "built from changed sources",
			Detail: "the sources differed from the commit they name, so nobody can build it again", Advice: "build from a clean checkout",
		})
	}
	replaced := 0
	for _, c := range goComponents(info, name) {
		if !out.component(c) {
			return fmt.Errorf("more than %d components", MaxComponents)
		}
	}
	for _, d := range info.Deps {
		if d.Replace != nil && d.Replace.Version == "" {
			replaced++
		}
	}
	if replaced > 0 {
		out.add(Finding{
			Rule: "native-go-replaced", Severity: SeverityLow, Confidence: ConfidenceHigh, File: name, Title: "modules replaced by local folders",
			Detail: fmt.Sprintf("%d modules come from a folder of the builder's, whatever version they name", replaced),
		})
	}
	return nil
}

// readBuildInfo is buildinfo.Read for hostile files.
func readBuildInfo(r io.ReaderAt) (info *buildinfo.BuildInfo, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its structure is broken: %v", p)
		}
	}()
	return buildinfo.Read(r)
}

// goComponents lists the standard library and the modules of a Go program.
func goComponents(info *buildinfo.BuildInfo, file string) []Component {
	var out []Component
	if v, ok := goRelease(info.GoVersion); ok {
		out = append(out, Component{Ecosystem: "Go", Name: "stdlib", Version: v, PURL: "pkg:golang/stdlib@" + v, File: file})
	}
	for _, d := range info.Deps {
		if d == nil {
			continue
		}
		if d.Replace != nil {
			if d.Replace.Version == "" {
				continue // a local folder: what is in it is not known
			}
			d = d.Replace
		}
		out = append(out, Component{Ecosystem: "Go", Name: d.Path, Version: d.Version, PURL: "pkg:golang/" + d.Path + "@" + d.Version, File: file})
	}
	return out
}

// goRelease turns go1.26rc1 into 1.26.0-rc.1, as the vulnerability database writes it.
func goRelease(v string) (string, bool) {
	v, _, _ = strings.Cut(v, " ") // experiments
	v, ok := strings.CutPrefix(v, "go")
	if !ok {
		return "", false // a development version
	}
	v, _, _ = strings.Cut(v, "-") // go1.26.5-vendor
	pre := ""
	for _, kind := range []string{"rc", "beta"} {
		if before, after, ok := strings.Cut(v, kind); ok {
			v, pre = before, "-"+kind+"."+after
		}
	}
	if strings.Count(v, ".") == 1 {
		v += ".0"
	}
	v += pre
	_, err := parseSemver(v)
	return v, err == nil
}

// contextReaderAt is contextReader for random access.
type contextReaderAt struct {
	ctx context.Context
	r   io.ReaderAt
}

func (c contextReaderAt) ReadAt(p []byte, off int64) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.ReadAt(p, off)
}
