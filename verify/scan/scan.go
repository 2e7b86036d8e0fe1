package scan

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
)

// PredicateType is the in-toto predicate type under which a [Result] is published as
// an attestation about a release.
const PredicateType = "https://souk.dev/scan/v1"

// Version is the version of the built-in scanners: it changes when what they find does.
const Version = "1"

// ErrUnavailable means that a scanner is not there at all, as opposed to one that
// went wrong: nobody listens on the socket of clamd. It is an error and never a
// pass; a person is shown "not available".
var ErrUnavailable = errors.New("scanner is not available")

// Subject is the release whose files are looked at. It comes from the caller's own
// records and not from the files.
type Subject struct {
	Plugin      string        `json:"plugin"`           // "acme/backup"
	Version     string        `json:"version"`          // "1.4.2"
	Digest      verify.Digest `json:"digest,omitempty"` // of the OCI manifest
	Runtime     string        `json:"runtime"`          // RuntimeWASM, RuntimeProcess or RuntimeStatic
	Permissions sandbox.Set   `json:"permissions"`      // all it asks for, optional ones too
	// Popular returns the ids of plugins that others pretend to be, "acme/backup".
	// Nil means that nobody looks for look-alikes: [Squatting] then says "not
	// configured". It is called once a scan.
	Popular func(ctx context.Context) ([]string, error) `json:"-"`
}

// The values of [Subject.Runtime], as a plugin's manifest has them. With another one
// scanners do not know what is unexpected, and report more.
const (
	RuntimeWASM    = "wasm"
	RuntimeProcess = "process"
	RuntimeStatic  = "static"
)

// Scanner looks at the unpacked files of a release.
//
// Scan returns a nil error exactly with a Report whose Verdict is not
// [verify.VerdictError]. What cannot be looked at in full (over a bound, unreadable,
// cut off) is an error and never a pass; an error wrapping [ErrUnavailable] says that
// the scanner is not there. With an error the Report may still hold findings, which
// are shown. Files are hostile: a Scanner bounds time by ctx and memory by itself,
// changes nothing and runs nothing. It does not keep fsys. It is safe for concurrent
// use.
type Scanner interface {
	// Name is one word, always the same: "secrets".
	Name() string
	Scan(ctx context.Context, fsys fs.FS, s Subject) (Report, error)
}

// Database is the knowledge of a scanner that goes out of date: signatures, advisories.
type Database struct {
	Version string      `json:"version,omitempty"` // empty: not known
	Time    verify.Time `json:"time,omitzero"`     // of its newest part; zero: not known
}

// Report is what one scanner says. It is stored, shown and published; texts from the
// scanned files are clipped and printable in it, and secrets are never in it.
type Report struct {
	Scanner  string         `json:"scanner"`
	Version  string         `json:"version,omitempty"`
	Database Database       `json:"database,omitzero"`
	Started  verify.Time    `json:"started,omitzero"` // set by [Set.Run]
	Finished verify.Time    `json:"finished,omitzero"`
	Verdict  verify.Verdict `json:"verdict"`
	// Error says why there is no verdict, for people; empty when there is one.
	Error string `json:"error,omitempty"`
	// Unavailable: the scanner is not there, see [ErrUnavailable].
	Unavailable bool        `json:"unavailable,omitempty"`
	Files       int         `json:"files"`                // looked at
	Bytes       int64       `json:"bytes"`                // of them
	Findings    []Finding   `json:"findings,omitempty"`   // the worst first
	Dropped     int         `json:"dropped,omitempty"`    // findings left out over a bound, none worse than those kept
	Components  []Component `json:"components,omitempty"` // what was found to be built in
}

// Finding is one thing that a scanner noticed.
type Finding struct {
	Rule       string     `json:"rule"` // "secret-github": stable, for policies and to look up
	Severity   Severity   `json:"severity"`
	Confidence Confidence `json:"confidence"`
	File       string     `json:"file,omitempty"`   // empty: the release as a whole
	Line       int        `json:"line,omitempty"`   // from 1, in text
	Offset     int64      `json:"offset,omitempty"` // in bytes, in what is not text
	Title      string     `json:"title"`            // "private key"
	Detail     string     `json:"detail,omitempty"` // what exactly, a sentence
	Advice     string     `json:"advice,omitempty"` // what the publisher can do
}

// Blocks reports whether the finding alone is a reason to fail: of severity high or
// critical, and of high confidence. The rest is for people to judge.
func (f Finding) Blocks() bool {
	return f.Severity.AtLeast(SeverityHigh) && f.Confidence == ConfidenceHigh
}

// Severity says how much harm a finding does if it is true. The zero value is the
// highest, so that what nobody judged is treated with most care.
type Severity uint8

// The severities, in falling order.
const (
	SeverityCritical Severity = iota
	SeverityHigh
	SeverityMedium
	SeverityLow
	SeverityInfo
)

var severities = [...]string{"critical", "high", "medium", "low", "info"}

// AtLeast reports whether s is as severe as t or more.
func (s Severity) AtLeast(t Severity) bool { return s <= t }

// String returns "critical", "high", "medium", "low" or "info".
func (s Severity) String() string { return word(severities[:], uint8(s), "severity") }

// MarshalText writes what String returns; a value that is none of the severities is
// an error.
func (s Severity) MarshalText() ([]byte, error) { return marshal(severities[:], uint8(s), "severity") }

// UnmarshalText reads what MarshalText writes.
func (s *Severity) UnmarshalText(b []byte) error {
	i, err := unmarshal(severities[:], b, "severity")
	*s = Severity(i)
	return err
}

// Confidence says how likely a finding is true. The zero value is the highest.
type Confidence uint8

// The confidences, in falling order.
const (
	ConfidenceHigh Confidence = iota
	ConfidenceMedium
	ConfidenceLow
)

var confidences = [...]string{"high", "medium", "low"}

// String returns "high", "medium" or "low".
func (c Confidence) String() string { return word(confidences[:], uint8(c), "confidence") }

// MarshalText writes what String returns; a value that is none of the confidences is
// an error.
func (c Confidence) MarshalText() ([]byte, error) {
	return marshal(confidences[:], uint8(c), "confidence")
}

// UnmarshalText reads what MarshalText writes.
func (c *Confidence) UnmarshalText(b []byte) error {
	i, err := unmarshal(confidences[:], b, "confidence")
	*c = Confidence(i)
	return err
}

func word(words []string, i uint8, of string) string {
	if int(i) < len(words) {
		return words[i]
	}
	return fmt.Sprintf("%s(%d)", of, i)
}

func marshal(words []string, i uint8, of string) ([]byte, error) {
	if int(i) >= len(words) {
		return nil, fmt.Errorf("no such %s: %d", of, i)
	}
	return []byte(words[i]), nil
}

func unmarshal(words []string, b []byte, of string) (uint8, error) {
	for i, w := range words {
		if w == string(b) {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("%s %.40q is not one of %q", of, b, words)
}
