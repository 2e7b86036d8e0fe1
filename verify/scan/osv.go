package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

type osvScanner struct {
	db       *OSVDatabase
	database Database
	block    Severity
}

// OSV returns the scanner that looks up in db what the plugin is built from: the
// components of CycloneDX files in it (bom.json, sbom.json, *.cdx.json) and of its Go
// programs. A known vulnerability of severity block or worse is of high confidence, and
// blocks from high on; the zero block is critical. A less severe one is of medium
// confidence, since the vulnerable code may not be used. A malicious package blocks.
//
// Versions are compared for SEMVER ranges, and ECOSYSTEM ranges of Go, npm and
// crates.io; in others only versions that a record lists are found. What could not be
// looked up (no version, an ecosystem that the database has nothing on, versions that
// are not compared) is reported as not checked. When nothing could, the verdict is "not
// configured", never pass. That an SBOM is complete nobody knows.
func OSV(db *OSVDatabase, block Severity) (Scanner, error) {
	if db == nil {
		return nil, errors.New("scan: no OSV database")
	}
	if block > SeverityInfo {
		return nil, fmt.Errorf("scan: no such severity: %d", block)
	}
	return &osvScanner{db, db.Database(), block}, nil
}

// Name returns "osv".
func (*osvScanner) Name() string { return "osv" }

func (o *osvScanner) Scan(ctx context.Context, fsys fs.FS, _ Subject) (Report, error) {
	out := newSheet(o.Name())
	out.Database = o.database
	err := out.walk(ctx, fsys, func(name string, f fs.File, size int64) error {
		components, err := o.components(ctx, out, name, f, size)
		if err != nil {
			return err
		}
		for _, c := range components {
			if !out.component(c) {
				return fmt.Errorf("more than %d components", MaxComponents)
			}
		}
		return nil
	})
	if err != nil {
		return out.broken(err)
	}
	unchecked := make(map[string][]string) // reason to components
	checked := 0
	for _, c := range out.Components {
		if ctx.Err() != nil {
			return out.broken(context.Cause(ctx))
		}
		if reason := o.look(out, c); reason != "" {
			unchecked[reason] = append(unchecked[reason], c.Name)
		} else {
			checked++
		}
	}
	o.tellUnchecked(out, unchecked)
	if checked == 0 && !slices.ContainsFunc(out.Findings, Finding.Blocks) {
		return out.skipped()
	}
	return out.done()
}

// components returns what a file says the plugin is built from.
func (o *osvScanner) components(ctx context.Context, out *sheet, name string, f fs.File, size int64) ([]Component, error) {
	start, all, err := head(ctx, f, nativeHead)
	if err != nil {
		return nil, err
	}
	if isSBOM(name) {
		components, err := ReadCycloneDX(all)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			out.add(Finding{
				Rule: "sbom-unreadable", Severity: SeverityMedium, Confidence: ConfidenceHigh, File: name, Title: "SBOM cannot be read",
				Detail: err.Error() + "; what it lists was not checked", Advice: "write it with a CycloneDX tool, in JSON",
			})
		}
		for i := range components {
			components[i].File = name
		}
		return components, nil
	}
	format := nativeFormat(start)
	if format == "" {
		return nil, nil
	}
	r, err := readerAt(f, all, size)
	if err != nil {
		return nil, err
	}
	r = contextReaderAt{ctx, r}
	if format == "ELF" {
		if _, err := readELF(r); err != nil {
			return nil, context.Cause(ctx) // Native speaks about it
		}
	}
	info, err := readBuildInfo(r)
	if err != nil {
		return nil, context.Cause(ctx) // not Go, or without the information
	}
	return goComponents(info, name), nil
}

// look reports the advisories about a component. It returns why it could not be
// checked, or "".
func (o *osvScanner) look(out *sheet, c Component) (reason string) {
	switch {
	case c.Ecosystem == "":
		return "no package url of a known ecosystem"
	case c.Version == "":
		return "no version"
	case !o.db.ecosystems[c.Ecosystem]:
		return "the database has nothing on " + c.Ecosystem
	}
	v, err := parseSemver(c.Version)
	if err != nil && slices.Contains(semverEcosystems, c.Ecosystem) {
		reason = "a version that is not a semantic one"
	}
	for _, a := range o.db.packages[packageKey(c.Ecosystem, c.Name)] {
		hit, sure := a.affects(c.Ecosystem, c.Version, v, err == nil)
		switch {
		case hit:
			out.add(o.finding(c, a))
		case !sure:
			reason = "versions of " + c.Ecosystem + " that are not compared here"
		}
	}
	return reason
}

// affects reports whether the version is affected, and whether that is sure.
func (a advisory) affects(ecosystem, version string, v semver, comparable bool) (hit, sure bool) {
	if slices.Contains(a.versions, version) || slices.Contains(a.versions, strings.TrimPrefix(version, "v")) {
		return true, true
	}
	sure = true
	compared := false
	for _, r := range a.ranges {
		if !comparable {
			sure = false
			continue
		}
		in, err := r.contains(ecosystem, v)
		switch {
		case in:
			return true, true
		case err == nil:
			compared = true
		case r.Type != "GIT":
			sure = false
		}
	}
	// Commits alone say nothing of a version, unless versions are listed too.
	return false, sure && (compared || len(a.versions) > 0)
}

func (o *osvScanner) finding(c Component, a advisory) Finding {
	f := Finding{
		Rule: "osv-vulnerable", Severity: a.severity, Confidence: ConfidenceMedium, File: c.File,
		Title:  "known vulnerability " + a.id,
		Detail: fmt.Sprintf("%s %s", c.Name, c.Version),
		Advice: "update to a version without it",
	}
	if a.aliases != "" {
		f.Detail += " (" + a.aliases + ")"
	}
	if a.summary != "" {
		f.Detail += ": " + a.summary
	}
	if a.severity.AtLeast(o.block) {
		f.Confidence = ConfidenceHigh
	}
	if strings.HasPrefix(a.id, malicious) {
		f.Rule, f.Title, f.Advice = "osv-malicious", "malicious package "+a.id, "remove it, and everything it could reach"
		f.Confidence = ConfidenceHigh
	}
	return f
}

// tellUnchecked says what nobody looked up, a finding for each reason.
func (o *osvScanner) tellUnchecked(out *sheet, unchecked map[string][]string) {
	for reason, names := range unchecked {
		slices.Sort(names)
		shown := strings.Join(names[:min(len(names), 5)], ", ")
		if len(names) > 5 {
			shown += ", …"
		}
		out.add(Finding{
			Rule: "osv-not-checked", Severity: SeverityInfo, Confidence: ConfidenceHigh, Title: "components not checked",
			Detail: fmt.Sprintf("%d not checked: %s (%s)", len(names), reason, shown),
		})
	}
	if len(out.Components) == 0 {
		out.add(Finding{
			Rule: "osv-not-checked", Severity: SeverityInfo, Confidence: ConfidenceHigh, Title: "components not known",
			Detail: "there is no readable SBOM in the plugin and no Go program with its build information", Advice: "pack a CycloneDX file as bom.json",
		})
	}
}
