package scan_test

import (
	"encoding/json"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

var subject = scan.Subject{Plugin: "acme/backup", Version: "1.4.2", Runtime: scan.RuntimeProcess}

// files makes a file system of names and contents, in turn.
func files(pairs ...string) fstest.MapFS {
	m := make(fstest.MapFS)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1]), Mode: 0o644}
	}
	return m
}

// look scans and holds the scanner to its contract.
func look(t testing.TB, s scan.Scanner, fsys fs.FS, about scan.Subject) scan.Report {
	t.Helper()
	r, err := s.Scan(t.Context(), fsys, about)
	require.NoError(t, err)
	require.NotEqual(t, verify.VerdictError, r.Verdict)
	require.Equal(t, s.Name(), r.Scanner)
	return r
}

// rules lists the findings as "rule severity confidence".
func rules(r scan.Report) []string {
	out := []string{}
	for _, f := range r.Findings {
		out = append(out, f.Rule+" "+f.Severity.String()+" "+f.Confidence.String())
	}
	return out
}

func TestBlocks(t *testing.T) {
	t.Parallel()
	assert.True(t, scan.Finding{}.Blocks(), "what nobody judged blocks")
	assert.True(t, scan.Finding{Severity: scan.SeverityHigh}.Blocks())
	assert.False(t, scan.Finding{Severity: scan.SeverityMedium}.Blocks())
	assert.False(t, scan.Finding{Confidence: scan.ConfidenceMedium}.Blocks())
	assert.True(t, scan.SeverityCritical.AtLeast(scan.SeverityHigh))
	assert.False(t, scan.SeverityInfo.AtLeast(scan.SeverityLow))
}

func TestWords(t *testing.T) {
	t.Parallel()
	for _, s := range []scan.Severity{scan.SeverityCritical, scan.SeverityHigh, scan.SeverityMedium, scan.SeverityLow, scan.SeverityInfo} {
		b, err := json.Marshal(s)
		require.NoError(t, err)
		var back scan.Severity
		require.NoError(t, json.Unmarshal(b, &back))
		assert.Equal(t, s, back)
	}
	for _, c := range []scan.Confidence{scan.ConfidenceHigh, scan.ConfidenceMedium, scan.ConfidenceLow} {
		b, err := json.Marshal(c)
		require.NoError(t, err)
		var back scan.Confidence
		require.NoError(t, json.Unmarshal(b, &back))
		assert.Equal(t, c, back)
	}
	_, err := json.Marshal(scan.Severity(9))
	require.Error(t, err)
	var s scan.Severity
	require.Error(t, json.Unmarshal([]byte(`"harmless"`), &s))
	var c scan.Confidence
	require.Error(t, json.Unmarshal([]byte(`"total"`), &c))
	assert.Equal(t, "severity(9)", scan.Severity(9).String())
}

func TestPrintable(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":           "plain",
		"grün":            "grün",
		"a\x1b[31mb":      `a\x1b[31mb`,
		"evil\u202etxt":   `evil\u202etxt`,
		"zero\u200bwidth": `zero\u200bwidth`,
		"line\nbreak":     `line\nbreak`,
		"bad\xffutf8":     `bad\xffutf8`,
		"real \uFFFD":     "real \uFFFD",
	} {
		assert.Equal(t, want, scan.Printable(in, 100))
	}
	assert.Equal(t, "12345", scan.Printable("12345", 5))
	assert.Equal(t, "12…", scan.Printable("123456", 5))
	assert.Equal(t, "…", scan.Printable("\n\n\n\n", 4))
}

// TestReportSurvivesJSON holds that reports can be stored.
func TestReportSurvivesJSON(t *testing.T) {
	t.Parallel()
	set := newSet(t, scan.Options{Scanners: []scan.Scanner{scan.Secrets(), scan.Native()}})
	about := subject
	about.Permissions = sandbox.MustSet("net.out:example.com:443")
	about.Digest = verify.DigestOf([]byte("manifest"))
	result := set.Run(t.Context(), files("a.txt", "key = npm_"+noise(36)+"\n"), about)
	require.Equal(t, verify.VerdictFail, result.Verdict)
	b, err := json.Marshal(result)
	require.NoError(t, err)
	var back scan.Result
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, result, back)
}

// TestBoundsAreErrors: what is over a bound was not looked at.
func TestBoundsAreErrors(t *testing.T) {
	t.Parallel()
	for _, s := range []scan.Scanner{scan.Secrets(), scan.Native(), scan.Archives()} {
		_, err := s.Scan(t.Context(), hugeFS{}, subject)
		require.ErrorContains(t, err, "bytes", s.Name())
	}
}

// TestUnreadableIsAnError, whichever scanner reads it, with a control that it is read.
func TestUnreadableIsAnError(t *testing.T) {
	t.Parallel()
	wasm, err := scan.WASM(nil)
	require.NoError(t, err)
	for _, s := range []scan.Scanner{scan.Secrets(), scan.Native(), scan.Archives(), wasm, newOSV(t, scan.SeverityCritical)} {
		r, err := s.Scan(t.Context(), brokenFS{files("a.txt", strings.Repeat("x", 10_000))}, subject)
		require.ErrorIs(t, err, fs.ErrPermission, s.Name())
		require.Equal(t, verify.VerdictError, r.Verdict)
		_, err = s.Scan(t.Context(), files("a.txt", strings.Repeat("x", 10_000)), subject)
		require.NoError(t, err)
	}
}

// TestManyFindings: the worst stay, the number does not grow.
func TestManyFindings(t *testing.T) {
	t.Parallel()
	m := make(fstest.MapFS)
	for i := range 300 {
		m[strings.Repeat("d", i%90+1)+"/"+noise(10+i%20)] = &fstest.MapFile{Data: []byte(strings.Repeat("password: '"+noise(30)+"'\n", 30))}
	}
	m["zz"] = &fstest.MapFile{Data: []byte("npm_" + noise(36))}
	r := look(t, scan.Secrets(), m, subject)
	assert.Len(t, r.Findings, scan.MaxFindings)
	assert.Positive(t, r.Dropped)
	assert.Equal(t, verify.VerdictFail, r.Verdict)
	assert.Equal(t, "secret-npm", r.Findings[0].Rule)
}
