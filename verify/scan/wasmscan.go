package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/wasm/module"
)

// HostFunction says what a plugin must have asked for to import a function, as the
// HostFunc of sandbox/wasm does. Exactly one of Permission, Kind and Free is set.
type HostFunction struct {
	Module     string             // the namespace; empty means "souk"
	Name       string             // "net.fetch"
	Permission sandbox.Permission // which every call needs
	Kind       sandbox.Kind       // a call needs some permission of the kind
	Free       bool               // it reaches nothing
}

const (
	soukModule = "souk"
	wasiModule = "wasi_snapshot_preview1"
)

// wasiFunctions is all of WASI preview 1. The sandbox gives it no directory, socket
// or variable, so that importing it, as every Go program does, says nothing.
var wasiFunctions = strings.Fields("args_get args_sizes_get clock_res_get clock_time_get environ_get environ_sizes_get " +
	"fd_advise fd_allocate fd_close fd_datasync fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights " +
	"fd_filestat_get fd_filestat_set_size fd_filestat_set_times fd_pread fd_prestat_dir_name fd_prestat_get " +
	"fd_pwrite fd_read fd_readdir fd_renumber fd_seek fd_sync fd_tell fd_write " +
	"path_create_directory path_filestat_get path_filestat_set_times path_link path_open path_readlink " +
	"path_remove_directory path_rename path_symlink path_unlink_file poll_oneoff proc_exit proc_raise " +
	"random_get sched_yield sock_accept sock_recv sock_send sock_shutdown")

type wasmScanner struct {
	functions map[[2]string]HostFunction
	kinds     map[sandbox.Kind]bool // that some function uses
}

// WASM returns the scanner that holds the imports of WebAssembly modules against the
// permissions the plugin asks for. functions are what the panels it is for offer; the
// transport of sandbox/wasm (souk.read, souk.write) and WASI preview 1 are known. An
// import whose permission is not asked for blocks; one that is not known, and one of
// something else than a function, is of high severity and for a person to judge; a
// module that cannot be read blocks, since no runtime should have to.
func WASM(functions []HostFunction) (Scanner, error) {
	w := &wasmScanner{functions: make(map[[2]string]HostFunction), kinds: make(map[sandbox.Kind]bool)}
	for _, name := range []string{"read", "write"} {
		w.functions[[2]string{soukModule, name}] = HostFunction{Free: true}
	}
	for _, f := range functions {
		if f.Module == "" {
			f.Module = soukModule
		}
		key := [2]string{f.Module, f.Name}
		if _, twice := w.functions[key]; twice || f.Name == "" {
			return nil, fmt.Errorf("scan: host function %s.%s has no name or is given twice", f.Module, f.Name)
		}
		set := 0
		if f.Permission != "" {
			set++
			if p, err := sandbox.Parse(string(f.Permission)); err != nil || p != f.Permission {
				return nil, fmt.Errorf("scan: host function %s.%s: permission %q is not canonical", f.Module, f.Name, f.Permission)
			}
			w.kinds[f.Permission.Kind()] = true
		}
		if f.Kind != "" {
			set++
			if !slices.Contains(sandbox.Kinds(), f.Kind) {
				return nil, fmt.Errorf("scan: host function %s.%s: no kind %q", f.Module, f.Name, f.Kind)
			}
			w.kinds[f.Kind] = true
		}
		if f.Free {
			set++
		}
		if set != 1 {
			return nil, fmt.Errorf("scan: host function %s.%s: set one of Permission, Kind and Free", f.Module, f.Name)
		}
		w.functions[key] = f
	}
	return w, nil
}

// Name returns "wasm".
func (*wasmScanner) Name() string { return "wasm" }

func (w *wasmScanner) Scan(ctx context.Context, fsys fs.FS, s Subject) (Report, error) {
	out := newSheet(w.Name())
	modules := 0
	used := make(map[HostFunction]bool)
	err := out.walk(ctx, fsys, func(name string, f fs.File, _ int64) error {
		start, all, err := head(ctx, f, 8)
		if err != nil {
			return err
		}
		if len(start) < 4 || string(start[:4]) != "\x00asm" {
			if strings.HasSuffix(strings.ToLower(name), ".wasm") {
				out.add(Finding{
					Rule: "wasm-unreadable", Severity: SeverityMedium, Confidence: ConfidenceHigh, File: name,
					Title: "not WebAssembly", Detail: "the name ends with .wasm, the file does not begin as one",
				})
			}
			return nil
		}
		modules++
		code, err := readAll(all, maxWASM)
		if err != nil {
			return err
		}
		w.module(out, name, code, s, used)
		return nil
	})
	if err != nil {
		return out.broken(err)
	}
	if modules == 0 && s.Runtime != RuntimeWASM {
		return out.skipped()
	}
	if modules == 0 {
		out.add(Finding{
			Rule: "wasm-missing", Severity: SeverityHigh, Title: "no WebAssembly module",
			Detail: "the plugin says that it is WebAssembly, and has no module",
		})
	}
	if s.Runtime == RuntimeWASM && modules > 0 {
		w.unused(out, s.Permissions, used)
	}
	return out.done()
}

func (w *wasmScanner) module(out *sheet, name string, code []byte, s Subject, used map[HostFunction]bool) {
	imports, err := wasmImports(code)
	if errors.Is(err, module.ErrComponent) {
		out.add(Finding{
			Rule: "wasm-component", Severity: SeverityHigh, Confidence: ConfidenceMedium, File: name, Title: "a WebAssembly component",
			Detail: "what it imports is not known: only core modules with WASI preview 1 are read", Advice: "build a core module (Go: GOOS=wasip1 -buildmode=c-shared)",
		})
		return
	}
	if err != nil {
		out.add(Finding{
			Rule: "wasm-unreadable", Severity: SeverityHigh, File: name, Title: "WebAssembly module cannot be read",
			Detail: err.Error(), Advice: "build it again with a current compiler",
		})
		return
	}
	if s.Runtime == RuntimeStatic || s.Runtime == RuntimeProcess {
		out.add(Finding{
			Rule: "wasm-extra", Severity: SeverityInfo, File: name, Title: "a WebAssembly module",
			Detail: fmt.Sprintf("the panel does not run it: the plugin's runtime is %q", s.Runtime),
		})
		return
	}
	told := make(map[wasmImport]bool)
	for _, imp := range imports {
		f, known := w.functions[[2]string{imp.module, imp.name}]
		if known && imp.function {
			used[f] = true
		}
		if told[imp] {
			continue
		}
		told[imp] = true
		if finding, bad := judgeImport(imp, f, known, s.Permissions); bad {
			finding.File = name
			out.add(finding)
		}
	}
}

func judgeImport(imp wasmImport, f HostFunction, known bool, asked sandbox.Set) (Finding, bool) {
	what := imp.module + "." + imp.name
	switch {
	case !imp.function:
		return Finding{
			Rule: "wasm-import-unknown", Severity: SeverityHigh, Confidence: ConfidenceMedium, Title: "imports more than functions",
			Detail: what + " is a table, memory, global or tag, which no panel offers",
		}, true
	case imp.module == wasiModule && slices.Contains(wasiFunctions, imp.name):
		return Finding{}, false
	case !known:
		return Finding{
			Rule: "wasm-import-unknown", Severity: SeverityHigh, Confidence: ConfidenceMedium, Title: "imports an unknown function",
			Detail: what + " is not among the functions that panels offer", Advice: "import only what the panel's documentation lists",
		}, true
	case f.Free:
		return Finding{}, false
	case f.Permission != "" && !asked.Covers(f.Permission):
		return undeclared(what, string(f.Permission)), true
	case f.Kind != "" && !hasKind(asked, f.Kind):
		return undeclared(what, "some permission of kind "+string(f.Kind)), true
	}
	return Finding{}, false
}

func undeclared(what, needs string) Finding {
	return Finding{
		Rule: "wasm-import-undeclared", Severity: SeverityHigh, Title: "uses what it does not ask for",
		Detail: "it imports " + what + ", which needs " + needs + ", and does not ask for that",
		Advice: "add the permission to plugin.json, or do not import the function",
	}
}

func hasKind(s sandbox.Set, k sandbox.Kind) bool {
	for p := range s.All() {
		if p.Kind() == k {
			return true
		}
	}
	return false
}

// unused tells of permissions that no import could use: asked for in vain, which
// is more than the plugin needs.
func (w *wasmScanner) unused(out *sheet, asked sandbox.Set, used map[HostFunction]bool) {
	for p := range asked.All() {
		if !w.kinds[p.Kind()] {
			continue // no function is known to use the kind
		}
		needed := false
		for f := range used {
			one, err := sandbox.NewSet(p)
			needed = needed || f.Kind == p.Kind() || err == nil && f.Permission != "" && one.Covers(f.Permission)
		}
		if !needed {
			out.add(Finding{
				Rule: "wasm-permission-unused", Severity: SeverityLow, Confidence: ConfidenceMedium, Title: "asks for what it does not use",
				Detail: "no module imports a function that needs " + string(p), Advice: "remove the permission",
			})
		}
	}
}
