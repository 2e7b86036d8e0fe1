package publishing

import (
	"fmt"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

// newPublisher is how long a publisher counts as new.
const newPublisher = 30 * 24 * time.Hour

// RiskInput is what a risk is made of.
type RiskInput struct {
	Verified     bool          // the publisher has a proof that holds
	Age          time.Duration // of the publisher
	Diff         Diff
	Wants        sandbox.Set // all permissions asked for
	Scans        []hub.Scan
	Warnings     int  // of validation
	NativeBefore bool // the release before runs as a process too
}

// Risk is how much care a submission needs.
type Risk struct {
	Score   int      // 0 to 100
	Grew    bool     // more than the release before was: one person is not enough
	Reasons []Reason // what it is made of, in a fixed order
}

// Assess returns the risk of a submission. It depends on its input only.
func Assess(in RiskInput) Risk {
	var r Risk
	add := func(points int, grew bool, rule, format string, args ...any) {
		r.Reasons = append(r.Reasons, Reason{Rule: rule, Points: points, Text: fmt.Sprintf(format, args...), Grew: grew})
		r.Score += points
		r.Grew = r.Grew || grew
	}
	first := in.Diff.Base == ""
	if !in.Verified {
		add(10, false, "publisher-unverified", "The publisher has not proved who it is.")
	}
	if in.Age < newPublisher {
		add(10, false, "publisher-new", "The publisher is here for less than %d days.", int(newPublisher.Hours()/24))
	}
	if first {
		add(10, false, "release-first", "This is the plugin's first release.")
	}
	if in.Diff.Permissions.Wider() && !first {
		add(25, true, "permissions-widened", "It asks for more than %s: %s.", in.Diff.Base, list(widened(in.Diff.Permissions)))
	}
	if high := risky(in); len(high) > 0 {
		add(15, false, "permissions-high", "It asks for what can do much harm: %s.", list(high))
	}
	if in.Diff.Signer.Changed() {
		add(20, true, "signer-changed", "Another signer than that of %s signed it.", in.Diff.Base)
	}
	if in.Diff.Runtime.New == catalog.RuntimeProcess {
		if first || in.NativeBefore {
			add(15, false, "code-native", "It runs native code.")
		} else {
			add(25, true, "code-native-new", "It runs native code, which %s did not.", in.Diff.Base)
		}
	}
	if n := executables(in.Diff); n > 0 && !first {
		add(5, false, "files-executable", "%d files can be executed that could not before.", n)
	}
	if n := len(in.Diff.Imports.Added); n > 0 && !first {
		add(5, false, "imports-added", "Its code calls functions that it did not before: %s.", list(in.Diff.Imports.Added))
	}
	scanRisk(in, add)
	if in.Warnings > 0 {
		add(min(5, in.Warnings), false, "warnings", "Warnings of the validation: %d.", in.Warnings)
	}
	r.Score = min(r.Score, 100)
	return r
}

func scanRisk(in RiskInput, add func(points int, grew bool, rule, format string, args ...any)) {
	noted := 0
	for _, c := range in.Scans {
		report := reportOf(c)
		switch {
		case c.State == hub.ScanFound:
			add(35, true, "scan-found", "%s: %s", c.Scanner, c.Detail)
		case c.State == hub.ScanClean:
			for _, f := range report.Findings {
				if f.Severity.AtLeast(scan.SeverityMedium) {
					noted++
				}
			}
		case notApplicable(c):
		case c.State == hub.ScanUnavailable:
			add(5, false, "scan-unavailable", "The scanner %s is not available.", c.Scanner)
		default:
			add(10, false, "scan-error", "The scanner %s did not come to its end.", c.Scanner)
		}
	}
	if noted > 0 {
		add(min(15, 5*noted), false, "scan-noted", "Noticed by scanners, of medium severity or more: %d.", noted)
	}
}

// notApplicable reports whether a scanner had nothing to look at, as opposed to not
// being there.
func notApplicable(c hub.Scan) bool {
	report := reportOf(c)
	return c.State == hub.ScanUnavailable && len(c.Report) > 0 && report.Verdict == verify.VerdictNotConfigured && !report.Unavailable
}

func widened(d sandbox.Diff) []string {
	var out []string
	for _, c := range d.Added {
		out = append(out, string(c.Permission))
	}
	for _, c := range d.Widened {
		out = append(out, string(c.Permission))
	}
	return out
}

// risky returns the permissions of high risk that are new with this release. What a
// panel registers itself only the panel can judge.
func risky(in RiskInput) []string {
	fresh := make(map[string]bool)
	for _, p := range widened(in.Diff.Permissions) {
		fresh[p] = true
	}
	var out []string
	for p := range in.Wants.All() {
		switch p.Kind() {
		case sandbox.KindAPI, sandbox.KindEvent, sandbox.KindUI:
			continue
		}
		if _, risk := sandbox.Explain(p); risk == sandbox.RiskHigh && (in.Diff.Base == "" || fresh[string(p)]) {
			out = append(out, string(p))
		}
	}
	return out
}

func executables(d Diff) int {
	n := 0
	for _, f := range d.Files {
		if f.Exec {
			n++
		}
	}
	return n
}

// list writes the first of some names.
func list(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

// Automatic reports whether the written policy approves a submission without a person,
// and otherwise why not: a verified publisher, a release before it by the same signer,
// nothing that grew, every scanner with something to look at clean, no warning.
func Automatic(p hub.Policy, in RiskInput, r Risk) (ok bool, why string) {
	clean := 0
	for _, c := range in.Scans {
		switch {
		case c.State == hub.ScanClean && len(reportOf(c).Findings) == 0:
			clean++
		case notApplicable(c):
		default:
			return false, fmt.Sprintf("the scanner %s did not say clean", c.Scanner)
		}
	}
	switch {
	case !p.AutoApprove:
		return false, "the policy wants a person to decide"
	case !in.Verified:
		return false, "the publisher is not verified"
	case in.Diff.Base == "":
		return false, "there is no release before it"
	case in.Diff.Signer.Old != in.Diff.Signer.New || in.Diff.Signer.New == "":
		return false, "the signer is another"
	case in.Diff.Permissions.Wider():
		return false, "permissions are widened"
	case r.Grew:
		return false, "the risk grew"
	case clean == 0:
		return false, "no scanner said clean"
	case in.Warnings > 0:
		return false, "validation has warnings"
	}
	return true, fmt.Sprintf("verified publisher, same signer as %s, nothing widened, %d scanners clean", in.Diff.Base, clean)
}
