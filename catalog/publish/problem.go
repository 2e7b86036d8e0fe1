package publish

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity says whether a problem keeps a release from being published.
type Severity string

// The severities.
const (
	SeverityError   Severity = "error"   // it cannot be published
	SeverityWarning Severity = "warning" // a reviewer is told of it
)

// Problem is one thing that [Validate] found.
type Problem struct {
	Severity Severity `json:"severity"`
	File     string   `json:"file,omitempty"`   // path in the package; empty: the package as a whole
	Line     int      `json:"line,omitempty"`   // from 1; 0: not known
	Column   int      `json:"column,omitempty"` // in bytes, from 1; 0: not known
	Field    string   `json:"field,omitempty"`  // of plugin.json: "permissions[2].reason"
	Rule     string   `json:"rule"`             // one of [Rules], stable: "version-order"
	Message  string   `json:"message"`          // what is wrong, for people
	Advice   string   `json:"advice,omitempty"` // what to do about it
}

// String is "plugin.json:3:14: error: version: is not ... (version-order)".
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
			if p.Column > 0 {
				fmt.Fprintf(&b, ":%d", p.Column)
			}
		}
		b.WriteString(": ")
	}
	fmt.Fprintf(&b, "%s: ", p.Severity)
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	fmt.Fprintf(&b, "%s (%s)", p.Message, p.Rule)
	return b.String()
}

// HasErrors reports whether one of the problems is an error: the release cannot be
// published.
func HasErrors(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Severity != SeverityWarning })
}

// MaxProblems bounds what [Validate] tells: nobody reads more, and a package of ten
// thousand bad names shall not make a page of them.
const MaxProblems = 100

// Rule is something that [Validate] demands or advises.
type Rule struct {
	ID       string   `json:"id"`
	Severity Severity `json:"severity"`
	Text     string   `json:"text"` // what is demanded, a sentence
}

// The ids of the rules.
const (
	ruleManifest        = "manifest"
	ruleManifestDiffers = "manifest-differs"
	ruleFileName        = "file-name"
	ruleFileKind        = "file-kind"
	ruleFileRead        = "file-read"
	ruleFileHidden      = "file-hidden"
	ruleSize            = "size"
	ruleFileMissing     = "file-missing"
	rulePicture         = "picture"
	ruleEntry           = "entry"
	ruleEntryABI        = "entry-abi"
	ruleHealth          = "health-export"
	ruleIcon            = "icon-missing"
	ruleDocs            = "docs-missing"
	ruleLicence         = "licence-file-missing"
	ruleCategory        = "category"
	ruleReserved        = "reserved"
	ruleVersionExists   = "version-exists"
	ruleVersionOrder    = "version-order"
	ruleSemverWider     = "semver-permission"
	ruleSemverBreaking  = "semver-breaking"
	ruleSemverMinor     = "semver-minor"
	ruleNotesEmpty      = "notes-empty"
	ruleNotes           = "notes"
	ruleTooMany         = "too-many"
	ruleUnfinished      = "unfinished"
)

// Rules returns every rule that [Validate] knows, in the order in which they are
// explained to people.
func Rules() []Rule {
	return []Rule{
		{ruleManifest, SeverityError, "plugin.json is there and valid, with a reason for every permission."},
		{ruleManifestDiffers, SeverityError, "The plugin.json in the package is the one that was pushed beside it."},
		{ruleFileName, SeverityError, "Every file has a name that all systems can store, and no two names are one on some."},
		{ruleFileKind, SeverityError, "There are only regular files and directories: no links, no devices."},
		{ruleFileRead, SeverityError, "Every file can be read."},
		{ruleFileHidden, SeverityWarning, "Nothing hidden (.git, .env) is packed by accident."},
		{ruleSize, SeverityError, "Files, their number and their sum are within the bounds of an install."},
		{ruleFileMissing, SeverityError, "Every file that plugin.json names is there."},
		{rulePicture, SeverityError, "Icon and screenshots are whole pictures of the kind their names say."},
		{ruleEntry, SeverityError, "The entry of a wasm plugin is a WebAssembly module that a panel can start."},
		{ruleEntryABI, SeverityWarning, "The entry of a wasm plugin exports souk_abi and souk_call."},
		{ruleHealth, SeverityError, "The function that health.export names is exported."},
		{ruleIcon, SeverityWarning, "There is an icon."},
		{ruleDocs, SeverityWarning, "There is a README that plugin.json names as docs."},
		{ruleLicence, SeverityWarning, "There is a file with the text of the licence."},
		{ruleCategory, SeverityError, "Every category is one of the catalog's."},
		{ruleReserved, SeverityError, "The name is not reserved for somebody else."},
		{ruleVersionExists, SeverityError, "The version was not published before: a release never changes."},
		{ruleVersionOrder, SeverityError, "The version is greater than every other of its channel."},
		{ruleSemverWider, SeverityWarning, "Permissions that were widened or removed come with a new major version."},
		{ruleSemverBreaking, SeverityWarning, "What breaks or was removed comes with a new major version."},
		{ruleSemverMinor, SeverityWarning, "What was added comes with a new minor version."},
		{ruleNotesEmpty, SeverityError, "The release has notes."},
		{ruleNotes, SeverityError, "The notes are typed: Added, Changed, Fixed, Removed, Security, Breaking."},
		{ruleTooMany, SeverityError, fmt.Sprintf("There are not more than %d problems; the rest is not told.", MaxProblems)},
		{ruleUnfinished, SeverityError, "The check came to its end."},
	}
}

// severityOf returns the severity of a rule.
func severityOf(rule string) Severity {
	for _, r := range Rules() {
		if r.ID == rule {
			return r.Severity
		}
	}
	return SeverityError
}

// sortProblems orders by place, what is about the whole package last.
func sortProblems(all []Problem) {
	slices.SortStableFunc(all, func(a, b Problem) int {
		if (a.File == "") != (b.File == "") {
			if a.File == "" {
				return 1
			}
			return -1
		}
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Field, b.Field), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Message, b.Message))
	})
}
