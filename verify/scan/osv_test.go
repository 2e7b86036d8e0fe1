package scan_test

import (
	"archive/zip"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

const records = `
{"id":"GO-2026-0001","modified":"2026-03-01T00:00:00Z","aliases":["CVE-2026-1"],"summary":"reads too much",
 "affected":[{"package":{"ecosystem":"Go","name":"github.com/Example/Lib"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.2.3"},{"introduced":"2.0.0-rc.1"},{"fixed":"2.0.1"}]}]}]}
{"id":"GHSA-aaaa","modified":"2026-04-01T00:00:00Z","summary":"runs anything","severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
 "affected":[{"package":{"ecosystem":"npm","name":"@scope/pkg"},"ranges":[{"type":"SEMVER","events":[{"introduced":"1.0.0"},{"last_affected":"1.5.0"}]}]}]}
{"id":"GHSA-bbbb","modified":"2026-05-01T00:00:00Z","database_specific":{"severity":"LOW"},
 "affected":[{"package":{"ecosystem":"npm","name":"left"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"limit":"3.0.0"}]}]}]}
{"id":"PYSEC-1","modified":"2026-06-01T10:00:00.5Z",
 "affected":[{"package":{"ecosystem":"PyPI","name":"Some_Pkg"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"0"},{"fixed":"2.0"}]}],"versions":["1.0","1.1"]}]}
{"id":"MAL-2026-1","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"evil"},"versions":["1.0.0"]}]}
{"id":"GO-2026-0002","modified":"2026-01-01T00:00:00Z","withdrawn":"2026-02-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"github.com/example/withdrawn"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}
{"id":"OSV-GIT","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"commits"},"ranges":[{"type":"GIT","repo":"https://x","events":[{"introduced":"0"}]}]}]}
{"id":"OSV-BAD","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"odd"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"one"}]}]}]}
{"id":"GO-STD","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"Go","name":"stdlib"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"}]}]}]}
`

func newOSV(t testing.TB, block scan.Severity) scan.Scanner {
	t.Helper()
	db, err := scan.ReadOSV(strings.NewReader(records))
	require.NoError(t, err)
	s, err := scan.OSV(db, block)
	require.NoError(t, err)
	return s
}

func bom(purls ...string) string {
	type component struct {
		Name string `json:"name"`
		PURL string `json:"purl"`
	}
	doc := map[string]any{"bomFormat": "CycloneDX", "specVersion": "1.6"}
	var cs []component
	for _, p := range purls {
		cs = append(cs, component{"x", p})
	}
	doc["components"] = cs
	b, err := json.Marshal(doc)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestOSV(t *testing.T) {
	t.Parallel()
	const unchecked = "osv-not-checked info high"
	const pass, fail, none = verify.VerdictPass, verify.VerdictFail, verify.VerdictNotConfigured
	for purl, c := range map[string]struct {
		want    []string
		verdict verify.Verdict
	}{
		"pkg:golang/github.com/example/lib@v1.2.2":       {[]string{"osv-vulnerable medium medium"}, pass},
		"pkg:golang/github.com/example/lib@v1.2.3-rc.1":  {[]string{"osv-vulnerable medium medium"}, pass},
		"pkg:golang/github.com/example/lib@v1.2.3":       {[]string{}, pass},
		"pkg:golang/github.com/example/lib@v1.10.0":      {[]string{}, pass},
		"pkg:golang/github.com/example/lib@v2.0.0":       {[]string{"osv-vulnerable medium medium"}, pass},
		"pkg:golang/github.com/example/lib@2.0.0-rc.1":   {[]string{"osv-vulnerable medium medium"}, pass},
		"pkg:golang/github.com/example/lib@v2.0.0-beta":  {[]string{}, pass},
		"pkg:golang/github.com/example/lib@v2.0.1":       {[]string{}, pass},
		"pkg:golang/github.com/example/lib":              {[]string{unchecked}, none},
		"pkg:golang/github.com/example/lib@main":         {[]string{unchecked}, none},
		"pkg:golang/github.com/example/other@v1.0.0":     {[]string{}, pass},
		"pkg:golang/github.com/example/withdrawn@v1.0.0": {[]string{}, pass},
		"pkg:golang/commits@v1.0.0":                      {[]string{unchecked}, none},
		"pkg:golang/odd@v1.0.0":                          {[]string{unchecked}, none},
		"pkg:npm/%40scope/pkg@1.5.0":                     {[]string{"osv-vulnerable critical high"}, fail},
		"pkg:npm/@scope/pkg@1.5.0?x=y#z":                 {[]string{"osv-vulnerable critical high"}, fail},
		"pkg:npm/%40scope/pkg@1.5.1":                     {[]string{}, pass},
		"pkg:npm/%40scope/pkg@0.9.0":                     {[]string{}, pass},
		"pkg:npm/left@2.9.9":                             {[]string{"osv-vulnerable low medium"}, pass},
		"pkg:npm/left@3.0.0":                             {[]string{}, pass},
		"pkg:npm/evil@1.0.0":                             {[]string{"osv-malicious critical high"}, fail},
		"pkg:npm/evil@1.0.1":                             {[]string{}, pass},
		"pkg:pypi/some.pkg@1.1":                          {[]string{"osv-vulnerable medium medium"}, pass},
		"pkg:pypi/some-pkg@1.5":                          {[]string{unchecked}, none},
		"pkg:pypi/another@1.5":                           {[]string{}, pass},
		"pkg:cargo/serde@1.0.0":                          {[]string{unchecked}, none}, // the database has nothing on it
		"pkg:deb/debian/curl@7.50.3-1?arch=i386":         {[]string{unchecked}, none},
		"":                                               {[]string{unchecked}, none},
		"not a purl":                                     {[]string{unchecked}, none},
	} {
		r := look(t, newOSV(t, scan.SeverityCritical), files("bom.json", bom(purl)), subject)
		assert.Equal(t, c.want, rules(r), purl)
		assert.Equal(t, c.verdict, r.Verdict, purl)
		assert.Len(t, r.Components, 1, purl)
		assert.Equal(t, "bom.json", r.Components[0].File)
		assert.Equal(t, time.Date(2026, 6, 1, 10, 0, 0, 500_000_000, time.UTC), r.Database.Time)
		assert.Contains(t, r.Database.Version, "9 records")
	}
	r := look(t, newOSV(t, scan.SeverityCritical), files("bom.json", bom("pkg:npm/evil@1.0.0", "pkg:deb/x@1", "pkg:golang/github.com/example/lib@v1.2.2")), subject)
	assert.Equal(t, []string{"osv-malicious critical high", "osv-vulnerable medium medium", unchecked}, rules(r))
	assert.Contains(t, r.Findings[1].Detail, "github.com/example/lib v1.2.2 (CVE-2026-1): reads too much")
}

func TestOSVBlock(t *testing.T) {
	t.Parallel()
	db, err := scan.ReadOSV(strings.NewReader(`{"id":"A","modified":"2026-01-01T00:00:00Z","database_specific":{"severity":"HIGH"},"affected":[{"package":{"ecosystem":"npm","name":"a"},"versions":["1.0.0"]}]}`))
	require.NoError(t, err)
	for block, want := range map[scan.Severity]verify.Verdict{scan.SeverityCritical: verify.VerdictPass, scan.SeverityHigh: verify.VerdictFail} {
		s, err := scan.OSV(db, block)
		require.NoError(t, err)
		assert.Equal(t, want, look(t, s, files("x/a.cdx.json", bom("pkg:npm/a@1.0.0")), subject).Verdict, block)
	}
	_, err = scan.OSV(nil, scan.SeverityHigh)
	require.Error(t, err)
	_, err = scan.OSV(db, 9)
	require.Error(t, err)
}

func TestOSVWithoutComponents(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"none.txt": "x", "bom.json": "{", "sbom.json": `{"bomFormat":"SPDX"}`} {
		r := look(t, newOSV(t, scan.SeverityCritical), files(name, text), subject)
		assert.Equal(t, verify.VerdictNotConfigured, r.Verdict, name)
		assert.Contains(t, rules(r), "osv-not-checked info high", name)
		assert.Equal(t, name != "none.txt", r.Findings[0].Rule == "sbom-unreadable", name)
	}
}

// TestOSVInGoProgram finds what a Go program is built from without an SBOM.
func TestOSVInGoProgram(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	require.NoError(t, err)
	code, err := os.ReadFile(self)
	require.NoError(t, err)
	r := look(t, newOSV(t, scan.SeverityCritical), files("bin/run", string(code)), subject)
	require.NotEmpty(t, r.Components)
	assert.Equal(t, "known vulnerability GO-STD", r.Findings[0].Title)
	assert.Equal(t, "bin/run", r.Findings[0].File)
}

func TestOSVDump(t *testing.T) {
	t.Parallel()
	var pairs []string
	for i, line := range strings.Split(strings.TrimSpace(strings.ReplaceAll(records, "\n ", " ")), "\n") {
		pairs = append(pairs, "all/"+noise(i+3)+".json", line)
	}
	packed := zipOf(t, append(pairs, "README", "not a record")...)
	z, err := zip.NewReader(strings.NewReader(packed), int64(len(packed)))
	require.NoError(t, err)
	db, err := scan.LoadOSV(z)
	require.NoError(t, err)
	stream, err := scan.ReadOSV(strings.NewReader(records))
	require.NoError(t, err)
	assert.Equal(t, stream.Database(), db.Database(), "the same records are the same database")
	_, err = scan.LoadOSV(files("a.json", "{}"))
	require.ErrorContains(t, err, "a.json")
}

func TestReadOSVRefuses(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"empty":      "",
		"no id":      `{"modified":"2026-01-01T00:00:00Z"}`,
		"no time":    `{"id":"A"}`,
		"cut off":    strings.TrimSpace(records)[:500],
		"not an one": `[]`,
		"too long":   strings.Repeat(" ", 20<<20) + `{"id":"A","modified":"2026-01-01T00:00:00Z"}`,
	} {
		_, err := scan.ReadOSV(strings.NewReader(text))
		assert.Error(t, err, name)
	}
	_, err := scan.ReadOSV(iotest.ErrReader(os.ErrPermission))
	require.ErrorIs(t, err, os.ErrPermission)
}

func TestReadCycloneDX(t *testing.T) {
	t.Parallel()
	got, err := scan.ReadCycloneDX(strings.NewReader(`{"bomFormat":"CycloneDX","specVersion":"1.5","components":[
		{"type":"library","name":"lib","version":"v1.0.0","purl":"pkg:golang/github.com/acme/lib@v1.0.0?type=module"},
		{"group":"@acme","name":"ui","version":"2.0.0","components":[{"name":"in","purl":"pkg:maven/org.acme/core@1.0"}]}]}`))
	require.NoError(t, err)
	assert.Equal(t, []scan.Component{
		{Ecosystem: "Go", Name: "github.com/acme/lib", Version: "v1.0.0", PURL: "pkg:golang/github.com/acme/lib@v1.0.0?type=module"},
		{Name: "@acme/ui", Version: "2.0.0"},
		{Ecosystem: "Maven", Name: "org.acme:core", Version: "1.0", PURL: "pkg:maven/org.acme/core@1.0"},
	}, got)
	deep := strings.Repeat(`{"name":"a","components":[`, 30) + strings.Repeat("]}", 30)
	for name, text := range map[string]string{
		"not json":       "x",
		"other format":   `{"bomFormat":"SPDX","specVersion":"1.5"}`,
		"other version":  `{"bomFormat":"CycloneDX","specVersion":"2.0"}`,
		"without a name": `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{}]}`,
		"too deep":       `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[` + deep + `]}`,
		"too many":       `{"bomFormat":"CycloneDX","specVersion":"1.5","components":[{"name":"a"}` + strings.Repeat(`,{"name":"a"}`, scan.MaxComponents) + `]}`,
		"too long":       strings.Repeat(" ", scan.MaxSBOM+1),
	} {
		_, err := scan.ReadCycloneDX(strings.NewReader(text))
		assert.Error(t, err, name)
	}
}

func FuzzCycloneDX(f *testing.F) {
	f.Add([]byte(bom("pkg:golang/github.com/acme/lib@v1.0.0", "pkg:npm/%40a/b@1", "pkg:x/@", "pkg:npm/@a@@1")))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := scan.ReadCycloneDX(strings.NewReader(string(b)))
		if err != nil {
			require.Empty(t, got)
		}
		for _, c := range got {
			require.NotEmpty(t, c.Name)
		}
	})
}

func FuzzOSV(f *testing.F) {
	f.Add([]byte(records), "pkg:golang/github.com/example/lib@v1.2.2")
	f.Add([]byte(`{"id":"A","modified":"2026-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"a"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"limit":"*"},{}]}]}]}`), "pkg:npm/a@1.0.0--")
	f.Fuzz(func(t *testing.T, b []byte, purl string) {
		db, err := scan.ReadOSV(strings.NewReader(string(b)))
		if err != nil {
			require.Nil(t, db)
			return
		}
		s, err := scan.OSV(db, scan.SeverityCritical)
		require.NoError(t, err)
		look(t, s, files("bom.json", bom(purl)), subject)
	})
}
