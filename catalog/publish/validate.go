package publish

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/souk-dev/souk/catalog"
)

// Reservation keeps a name from those it does not belong to.
type Reservation struct {
	Name   string `json:"name"`             // a namespace ("souk") or a plugin ("acme/backup")
	For    string `json:"for,omitempty"`    // the namespace that may use it; empty: nobody
	Reason string `json:"reason,omitempty"` // said to who asks: "the name of the panel"
}

// Input is what [Validate] looks at. Files is required.
type Input struct {
	// Files are the package: a directory, or what [Unpack] made of a content layer.
	Files fs.FS
	// Manifest is the plugin.json that was pushed beside the content, in the config
	// of the artifact: it must be the one in Files. Nil: there is no other.
	Manifest *catalog.Manifest
	// Notes are the release notes. Nil: they are what the changelog says of the
	// version.
	Notes *Notes
	// Previous are all releases of the plugin so far, in any order; Version, State
	// and Manifest of each are looked at.
	Previous []catalog.Release
	// Categories are those of the catalog. Nil: they are not checked.
	Categories []string
	// Reserved are names that are not for everybody.
	Reserved []Reservation
	// Limits of the package. The zero value is that of [Pack].
	Limits PackOptions
}

// Validate says everything that is wrong with a release before it is published, and
// what a reviewer should know: the same for a publisher who checks a directory and
// for a hub that was sent a package. [Rules] lists what is looked at. What [Pack]
// refuses is always among the errors.
//
// The same input gives the same problems, in order of their places, at most
// [MaxProblems] and one that says so. It reads nothing but Files, each file at most
// once and within Limits; a picture is decoded, which takes up to 128 MiB for the
// time of that. When ctx ends, or a file cannot be read, that is an error among the
// problems: what was not looked at did not pass.
func Validate(ctx context.Context, in Input) []Problem {
	v := &validator{ctx: ctx, in: in}
	v.in.Limits = in.Limits.defaults()
	v.run()
	if err := ctx.Err(); err != nil {
		v.problems = append(v.problems, Problem{Severity: SeverityError, Rule: ruleUnfinished, Message: "the check was ended before it was done: " + err.Error()})
	}
	sortProblems(v.problems)
	return v.problems
}

type validator struct {
	ctx      context.Context
	in       Input
	m        catalog.Manifest
	notes    Notes
	at       positions // of plugin.json
	problems []Problem
	full     bool
}

// add tells of a problem, whose severity is that of its rule.
func (v *validator) add(p Problem) {
	if len(v.problems) >= MaxProblems {
		if !v.full {
			v.full = true
			v.problems = append(v.problems, Problem{Severity: SeverityError, Rule: ruleTooMany, Message: fmt.Sprintf("more than %d problems; the rest is not told", MaxProblems)})
		}
		return
	}
	p.Severity = severityOf(p.Rule)
	v.problems = append(v.problems, p)
}

// field tells of a problem with a field of plugin.json.
func (v *validator) field(rule, field, advice, format string, args ...any) {
	at := v.at.of(field)
	v.add(Problem{File: ManifestFile, Line: at.line, Column: at.column, Field: field, Rule: rule, Message: fmt.Sprintf(format, args...), Advice: advice})
}

func (v *validator) run() {
	if v.in.Files == nil {
		v.add(Problem{Rule: ruleFileRead, Message: "there are no files to look at"})
		return
	}
	valid := v.manifest()
	entries, walked := v.files()
	if !valid {
		return // everything else is about what it says
	}
	if walked {
		v.named(entries)
		v.present(entries)
	}
	v.names()
	v.readNotes()
	v.version()
}

// manifest reads plugin.json, and reports whether it is valid.
func (v *validator) manifest() bool {
	b, err := readFile(v.in.Files, ManifestFile, catalog.MaxManifest)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		v.add(Problem{File: ManifestFile, Rule: ruleManifest, Message: "is not there", Advice: "every package has a plugin.json in its root; `souk init` makes one"})
		return false
	case err != nil:
		v.add(Problem{File: ManifestFile, Rule: ruleManifest, Message: err.Error()})
		return false
	}
	v.at = locate(b)
	m, err := catalog.ParseManifest(b)
	if bad := (*catalog.ManifestError)(nil); errors.As(err, &bad) {
		p := Problem{File: ManifestFile, Line: bad.Line, Field: bad.Path, Rule: ruleManifest, Message: bad.Reason}
		var raw json.RawMessage
		if syntax := (*json.SyntaxError)(nil); errors.As(json.Unmarshal(b, &raw), &syntax) {
			before := b[:min(max(int(syntax.Offset), 1), len(b))]
			p.Column = max(1, len(before)-1-bytes.LastIndexByte(before, '\n'))
		} else if at, known := v.at[bad.Path]; known && (bad.Line == 0 || at.line == bad.Line) {
			p.Line, p.Column = at.line, at.column
		}
		v.add(p)
		return false
	}
	if err != nil {
		v.add(Problem{File: ManifestFile, Rule: ruleManifest, Message: err.Error()})
		return false
	}
	v.m = m
	if v.in.Manifest != nil {
		same, err := sameManifest(m, *v.in.Manifest)
		if err != nil || !same {
			v.add(Problem{
				File: ManifestFile, Rule: ruleManifestDiffers, Message: "is not the one that was pushed beside the package",
				Advice: "pack and push again with `souk pack` and `souk push`, which write both from one file",
			})
			return false
		}
	}
	return true
}

func sameManifest(a, b catalog.Manifest) (bool, error) {
	ca, err := a.Canonical()
	if err != nil {
		return false, err
	}
	cb, err := b.Canonical()
	return string(ca) == string(cb), err
}

// files looks at every file, and reports whether it saw all of them.
func (v *validator) files() (_ []entry, all bool) {
	config, err := v.m.Canonical()
	if err != nil {
		v.add(Problem{File: ManifestFile, Rule: ruleManifest, Message: err.Error()})
		return nil, false
	}
	all = true
	w := walker{o: v.in.Limits, m: v.m, manifestSize: int64(len(config)), fault: func(name, rule string, err error) error {
		v.add(Problem{File: name, Rule: rule, Message: err.Error(), Advice: adviceOn(rule)})
		all = all && rule != ruleSize && rule != ruleFileRead
		if v.full {
			all = false
			return fs.SkipAll
		}
		return nil
	}}
	entries, err := w.walk(v.ctx, v.in.Files)
	if err != nil && v.ctx.Err() == nil {
		v.add(Problem{Rule: ruleFileRead, Message: err.Error()})
	}
	for _, e := range entries {
		if strings.HasPrefix(path.Base(e.name), ".") {
			v.add(Problem{File: e.name, Rule: ruleFileHidden, Message: "is hidden and would be published", Advice: "leave it out of the package, unless the plugin needs it"})
		}
	}
	return entries, all && err == nil
}

func adviceOn(rule string) string {
	switch rule {
	case ruleFileName:
		return "rename it"
	case ruleFileKind:
		return "put a copy of the file in its place"
	case ruleSize:
		return "leave out what the plugin does not need at run time"
	}
	return ""
}

// present advises on what people miss.
func (v *validator) present(entries []entry) {
	if v.m.Icon == "" {
		v.field(ruleIcon, "", "add \"icon\": \"icon.png\", a square PNG of 128 pixels or more", "there is no icon")
	}
	if v.m.Docs == "" {
		v.field(ruleDocs, "", "add \"docs\": \"README.md\"", "there is no README for the detail page")
	}
	if !slices.ContainsFunc(entries, func(e entry) bool { return !e.dir && isLicence(e.name) }) {
		v.add(Problem{Rule: ruleLicence, Message: "there is no file with the text of the licence " + v.m.License, Advice: "add LICENSE"})
	}
}

// isLicence accepts LICENSE, LICENCE, COPYING and UNLICENSE, with any extension or
// licence name behind, and the folder of the REUSE specification.
func isLicence(name string) bool {
	name = strings.ToUpper(name)
	if strings.HasPrefix(name, "LICENSES/") {
		return true
	}
	for _, known := range []string{"LICENSE", "LICENCE", "COPYING", "UNLICENSE"} {
		rest, ok := strings.CutPrefix(name, known)
		if ok && (rest == "" || strings.ContainsRune(".-_", rune(rest[0]))) && !strings.Contains(rest, "/") {
			return true
		}
	}
	return false
}

// names checks what the catalog says about names and categories.
func (v *validator) names() {
	if v.in.Categories != nil {
		for i, c := range v.m.Categories {
			if !slices.Contains(v.in.Categories, c) {
				v.field(ruleCategory, fmt.Sprintf("categories[%d]", i), "use some of: "+strings.Join(v.in.Categories, ", "), "%q is not a category of the catalog", c)
			}
		}
	}
	for _, r := range v.in.Reserved {
		if (r.Name == v.m.ID.Publisher() || r.Name == string(v.m.ID)) && (r.For == "" || r.For != v.m.ID.Publisher()) {
			why := ""
			if r.Reason != "" {
				why = ": " + r.Reason
			}
			v.field(ruleReserved, "id", "choose another name, or ask who runs the catalog", "%q is reserved%s", r.Name, why)
		}
	}
}
