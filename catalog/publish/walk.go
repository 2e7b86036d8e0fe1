package publish

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/souk-dev/souk/catalog"
)

// entry is a file or directory to pack.
type entry struct {
	name string
	dir  bool
	exec bool
	size int64
}

// walker lists the files of a package, and says what cannot be packed. [Pack] ends
// at its first fault, [Validate] tells of all of them.
type walker struct {
	o            PackOptions // with defaults
	m            catalog.Manifest
	manifestSize int64                                    // of the canonical plugin.json
	fault        func(name, rule string, err error) error // an error ends the walk
}

// walk returns what can be packed, in order of the names.
func (w *walker) walk(ctx context.Context, fsys fs.FS) ([]entry, error) {
	var out []entry
	var total int64
	keys := make(map[string]string)
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return w.fault(name, ruleFileRead, err)
		case name == ".":
			return nil
		}
		if len(out) == w.o.MaxEntries { // the rest is not looked at
			return stop(w.fault("", ruleSize, fmt.Errorf("more than %d files and directories", w.o.MaxEntries)))
		}
		e, rule, err := w.entry(name, d)
		if err != nil {
			if err := w.fault(name, rule, err); err != nil {
				return err
			}
			if d.IsDir() && rule == ruleFileName {
				return fs.SkipDir // every name below it has the same fault
			}
			return nil
		}
		key := catalog.PathKey(name)
		if other, double := keys[key]; double {
			return w.fault(name, ruleFileName, fmt.Errorf("%q and %q are one file on some systems", other, name))
		}
		keys[key] = name
		if total += e.size; total > w.o.MaxUnpacked {
			return stop(w.fault("", ruleSize, fmt.Errorf("all files have more than %d bytes", w.o.MaxUnpacked)))
		}
		out = append(out, e)
		return nil
	})
	slices.SortFunc(out, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	return out, err
}

func stop(err error) error {
	if err == nil {
		return fs.SkipAll
	}
	return err
}

// entry looks at one file or directory.
func (w *walker) entry(name string, d fs.DirEntry) (e entry, rule string, err error) {
	if err := catalog.CheckPath(name); err != nil {
		return e, ruleFileName, err
	}
	info, err := d.Info()
	if err != nil {
		return e, ruleFileRead, err
	}
	e = entry{name: name, dir: d.IsDir(), exec: info.Mode()&0o111 != 0, size: info.Size()}
	if name == w.m.Runtime.Entry && w.m.Runtime.Kind == catalog.RuntimeProcess {
		e.exec = true
	}
	switch {
	case e.dir:
		e.size = 0
	case !info.Mode().IsRegular():
		return e, ruleFileKind, fmt.Errorf("%q is a %s: only regular files and directories are packed", name, info.Mode().Type())
	case name == ManifestFile:
		e.size, e.exec = w.manifestSize, false
	}
	if e.size > w.o.MaxFile {
		return e, ruleSize, fmt.Errorf("%q has %d bytes, more than %d", name, e.size, w.o.MaxFile)
	}
	return e, "", nil
}

// named is a file that the manifest names, and where.
type named struct{ field, file string }

// mediaFiles are the files of the detail page, each once, in the order in which
// they are packed.
func mediaFiles(m catalog.Manifest) []named {
	all := []named{{"docs", m.Docs}, {"changelog", m.Changelog}, {"icon", m.Icon}}
	for i, s := range m.Screenshots {
		all = append(all, named{fmt.Sprintf("screenshots[%d].file", i), s.File})
	}
	var out []named
	for _, n := range all {
		if n.file != "" && !slices.ContainsFunc(out, func(o named) bool { return o.file == n.file }) {
			out = append(out, n)
		}
	}
	return out
}

// missingFiles are those that the manifest names and that are not among the
// entries, in order of the fields.
func missingFiles(m catalog.Manifest, entries []entry) []named {
	kind := make(map[string]entry, len(entries))
	for _, e := range entries {
		kind[e.name] = e
	}
	all := []named{{"runtime.entry", m.Runtime.Entry}, {"docs", m.Docs}, {"changelog", m.Changelog}, {"icon", m.Icon}}
	for i, s := range m.Screenshots {
		all = append(all, named{fmt.Sprintf("screenshots[%d].file", i), s.File})
	}
	var missing []named
	for _, n := range all {
		e, ok := kind[n.file]
		served := n.field == "runtime.entry" && m.Runtime.Kind == catalog.RuntimeStatic
		if n.file != "" && (!ok || e.dir && !served) {
			missing = append(missing, n)
		}
	}
	slices.SortFunc(missing, func(a, b named) int { return strings.Compare(a.field, b.field) })
	return missing
}
