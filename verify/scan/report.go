package scan

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/souk-dev/souk/verify"
)

// Bounds of a report: it is read by people and published in a bundle.
const (
	MaxFindings   = 1000   // of a report; the worst are kept
	MaxComponents = 10_000 // of a report; far over what a plugin is built from
	maxTitle      = 120    // bytes
	maxDetail     = 600
	maxAdvice     = 300
	maxFile       = 300 // bytes; paths of packages have at most 240, others are escaped
	maxPerRule    = 20  // findings of one rule in one file: the next ones tell nothing new
)

// sheet collects the findings of one scan.
type sheet struct {
	Report
	perRule map[ruleIn]int
	seen    map[Component]bool
}

type ruleIn struct {
	rule, file string
	blocks     bool
}

func newSheet(scanner string) *sheet {
	return &sheet{
		Report:  Report{Scanner: scanner, Version: Version, Verdict: verify.VerdictNotConfigured},
		perRule: make(map[ruleIn]int),
		seen:    make(map[Component]bool),
	}
}

// add notes a finding. Over a bound the least severe goes.
func (s *sheet) add(f Finding) {
	key := ruleIn{f.Rule, f.File, f.Blocks()} // what blocks is not crowded out by what does not
	if s.perRule[key]++; s.perRule[key] > maxPerRule {
		s.Dropped++
		return
	}
	s.Findings = append(s.Findings, f.clean())
	if len(s.Findings) >= 2*MaxFindings { // now and then, so that sorting costs little
		s.trim()
	}
}

// component notes what the release is built from. What is over the bound is an
// error of the caller's, who must not say that all was looked at.
func (s *sheet) component(c Component) bool {
	if s.seen[c] {
		return true
	}
	if len(s.Components) >= MaxComponents {
		return false
	}
	s.seen[c] = true
	s.Components = append(s.Components, c)
	return true
}

// clean makes the texts of a finding fit to be shown.
func (f Finding) clean() Finding {
	f.File = Printable(f.File, maxFile)
	f.Title = Printable(f.Title, maxTitle)
	f.Detail = Printable(f.Detail, maxDetail)
	f.Advice = Printable(f.Advice, maxAdvice)
	return f
}

// trim sorts the findings and keeps the worst.
func (r *Report) trim() {
	sortFindings(r.Findings)
	if over := len(r.Findings) - MaxFindings; over > 0 {
		r.Dropped += over
		r.Findings = r.Findings[:MaxFindings]
	}
}

// done gives the verdict of a scan that looked at everything.
func (s *sheet) done() (Report, error) {
	s.trim()
	s.Verdict = verify.VerdictPass
	if slices.ContainsFunc(s.Findings, Finding.Blocks) {
		s.Verdict = verify.VerdictFail
	}
	return s.Report, nil
}

// skipped says that there was nothing the scan could speak about.
func (s *sheet) skipped() (Report, error) {
	s.trim()
	s.Verdict = verify.VerdictNotConfigured
	return s.Report, nil
}

// broken is the report of a scan that did not come to its end.
func (s *sheet) broken(err error) (Report, error) {
	s.trim()
	s.Verdict = verify.VerdictError
	return s.Report, err
}

// sortFindings puts the worst first, and what blocks before what does not.
func sortFindings(fs []Finding) {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(
			-cmp.Compare(btoi(a.Blocks()), btoi(b.Blocks())),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Confidence, b.Confidence),
			strings.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Offset, b.Offset),
			strings.Compare(a.Rule, b.Rule))
	})
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Printable returns text from a stranger's file fit to be shown: valid UTF-8 of at
// most limit bytes, with control, formatting and bidirectional characters escaped.
func Printable(s string, limit int) string {
	var b strings.Builder
	cut := 0 // where it can end with an ellipsis
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			b.WriteString(`\x` + strconv.FormatUint(uint64(s[i])|0x100, 16)[1:])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		if b.Len() > limit {
			return b.String()[:cut] + ellipsis
		}
		if b.Len() <= limit-len(ellipsis) {
			cut = b.Len()
		}
	}
	return b.String()
}

const ellipsis = "…"
