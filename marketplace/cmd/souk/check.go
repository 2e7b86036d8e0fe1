package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
)

// checkOptions are what a check is told besides the package.
type checkOptions struct {
	previous   list
	categories string
	notes      string
	strict     bool
}

func (o *checkOptions) flags(fs *flag.FlagSet) {
	fs.Var(&o.previous, "previous", "an older release to compare with: its `directory` or image layout; may be repeated")
	fs.StringVar(&o.categories, "categories", "", "the catalog's categories, `a,b,c`; default: any")
	fs.StringVar(&o.notes, "notes", "", "`file` with the release notes; default: the changelog's entry for the version")
	fs.BoolVar(&o.strict, "strict", false, "count warnings as errors")
}

func (o *checkOptions) failed(problems []publish.Problem) bool {
	return publish.HasErrors(problems) || o.strict && len(problems) > 0
}

func checkVerb() verb {
	var rules strings.Builder
	for _, r := range publish.Rules() {
		fmt.Fprintf(&rules, "  %-20s %-8s %s\n", r.ID, r.Severity, r.Text)
	}
	return verb{
		name: "check", args: "[dir]", max: 1,
		short: "say everything that a hub would say, with file and line",
		long: `
Checks the plugin in <dir> (default: here) with the code that a hub runs on every
submission. It looks at the package alone; give it older releases with --previous to
have versions and permissions compared. A hub also scans, and people review.

Exit status 1 when there are errors, or with --strict also warnings. With --json:
{"ok", "plugin", "version", "problems": [{"severity", "file", "line", "column",
"field", "rule", "message", "advice"}]}.

The rules, whose names do not change:

` + rules.String(),
		flags: func(fs *flag.FlagSet) action {
			asJSON := jsonFlag(fs)
			var o checkOptions
			o.flags(fs)
			return func(ctx context.Context, a *app, args []string) error {
				return a.check(ctx, first(args, "."), *asJSON, o)
			}
		},
	}
}

func (a *app) check(ctx context.Context, dir string, asJSON bool, o checkOptions) error {
	pkg, err := packageDir(dir)
	if err != nil {
		return err
	}
	problems, err := a.problems(ctx, pkg, o)
	if err != nil {
		return err
	}
	failed := o.failed(problems)
	m := readManifest(pkg)
	if asJSON {
		if problems == nil {
			problems = []publish.Problem{}
		}
		err = a.result(struct {
			OK       bool              `json:"ok"`
			Plugin   catalog.PluginID  `json:"plugin,omitempty"`
			Version  string            `json:"version,omitempty"`
			Package  string            `json:"package"` // what files are relative to
			Problems []publish.Problem `json:"problems"`
		}{!failed, m.ID, m.Version, pkg, problems})
	} else {
		err = a.tell(pkg, problems)
		if err == nil && !failed {
			a.say("%s@%s can be packed", m.ID, m.Version)
		}
	}
	if err == nil && failed {
		err = errFound
	}
	return err
}

// readManifest returns the manifest of a package, or the zero one when it is not
// valid, which the check says.
func readManifest(pkg string) catalog.Manifest {
	b, err := readFile(filepath.Join(pkg, publish.ManifestFile), catalog.MaxManifest)
	if err != nil {
		return catalog.Manifest{}
	}
	m, err := catalog.ParseManifest(b)
	if err != nil {
		return catalog.Manifest{}
	}
	return m
}

// tell prints the problems with what to do about them.
func (a *app) tell(pkg string, problems []publish.Problem) error {
	failures, warnings := 0, 0
	for _, p := range problems {
		if p.Severity == publish.SeverityWarning {
			warnings++
		} else {
			failures++
		}
		if err := a.print("%s", place(pkg, p)); err != nil {
			return err
		}
		if p.Advice != "" {
			if err := a.print("    %s", p.Advice); err != nil {
				return err
			}
		}
	}
	if failures+warnings > 0 {
		a.say("%d errors, %d warnings", failures, warnings)
	}
	return nil
}

// place is the problem as editors read it: with the path from here.
func place(pkg string, p publish.Problem) string {
	p.File = placeOf(pkg, p.File, 0)
	return p.String()
}

// placeOf is a file of the package with the path from here, and the line unless that is 0.
func placeOf(pkg, file string, line int) string {
	if file == "" {
		file = "."
	}
	file = filepath.Join(pkg, filepath.FromSlash(file))
	if line > 0 {
		file += fmt.Sprintf(":%d", line)
	}
	return file
}

// problems runs the check.
func (a *app) problems(ctx context.Context, pkg string, o checkOptions) ([]publish.Problem, error) {
	in := publish.Input{Files: os.DirFS(pkg)}
	if o.categories != "" {
		in.Categories = strings.Split(o.categories, ",")
	}
	if o.notes != "" {
		b, err := readFile(o.notes, catalog.MaxMedia)
		if err != nil {
			return nil, err
		}
		notes, err := publish.ParseNotes(string(b))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", o.notes, err)
		}
		in.Notes = &notes
	}
	for _, dir := range o.previous {
		r, err := older(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("--previous: %w", err)
		}
		in.Previous = append(in.Previous, r)
	}
	var problems []publish.Problem
	err := a.during(ctx, "checking", func(ctx context.Context) error {
		problems = publish.Validate(ctx, in)
		return ctx.Err()
	})
	return problems, err
}

// older reads a release to compare with.
func older(ctx context.Context, dir string) (catalog.Release, error) {
	if publish.IsLayout(os.DirFS(dir)) {
		l, err := readLayout(ctx, dir)
		if err != nil {
			return catalog.Release{}, err
		}
		m := l.Package.Manifest
		return catalog.Release{Ref: catalog.Ref{Plugin: m.ID, Version: m.Version}, Manifest: m}, nil
	}
	pkg, err := packageDir(dir)
	if err != nil {
		return catalog.Release{}, err
	}
	b, err := readFile(filepath.Join(pkg, publish.ManifestFile), catalog.MaxManifest)
	if err != nil {
		return catalog.Release{}, err
	}
	m, err := catalog.ParseManifest(b)
	return catalog.Release{Ref: catalog.Ref{Plugin: m.ID, Version: m.Version}, Manifest: m}, err
}
