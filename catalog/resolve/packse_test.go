package resolve_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
)

// packse is the part of a scenario of astral-sh/packse that has a meaning here.
type packse struct {
	name        string
	satisfiable bool
	packages    map[string]string // expected
	rels        map[string]*catalog.Release
	requires    []string
	python      string // what is resolved for, read as the panel's API
	prereleases bool
}

// differs are the scenarios whose answer is another one here, and why.
var differs = map[string]string{
	"package-only-prereleases":                               "pre-releases are not chosen because there is nothing else",
	"package-only-prereleases-boundary":                      "pre-releases are not chosen because there is nothing else",
	"transitive-package-only-prereleases":                    "pre-releases are not chosen because there is nothing else",
	"package-prerelease-specified-mixed-available":           "a range opens the door to pre-releases of the very version it names",
	"package-prerelease-specified-only-prerelease-available": "a range opens the door to pre-releases of the very version it names",
	"python-less-than-current":                               "an upper bound on the panel API is one",
	"transitive-package-only-prereleases-in-range-opt-in":    "a range opens the door to pre-releases of the very version it names",
	"transitive-prerelease-and-stable-dependency-opt-in":     "a range opens the door to pre-releases of the very version it names",
}

func corpus(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("SOUK_CORPORA")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpora")
	}
	dir = filepath.Join(dir, name)
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
			t.Fatalf("test data is missing, and all of it is required: %v", err)
		}
		t.Skipf("SKIPPED, NOT TESTED: no test data (set SOUK_CORPORA): %v", err)
	}
	return dir
}

func TestPackse(t *testing.T) {
	t.Parallel()
	dir := corpus(t, "packse")
	for _, c := range []struct {
		groups    string
		run, same int // how many scenarios, and how many of them with packse's own answer
	}{
		{"backtracking does_not_exist excluded incompatible_versions prereleases yanked", 46, 39},
		{"requires_python", 15, 14},
	} {
		run, same := 0, 0
		for group := range strings.FieldsSeq(c.groups) {
			files, err := filepath.Glob(filepath.Join(dir, "scenarios", group, "*.toml"))
			require.NoError(t, err)
			for _, file := range files {
				p := readPackse(t, file)
				run++
				if p.check(t) {
					same++
				}
			}
		}
		t.Logf("%s: %d run, %d as in packse", c.groups, run, same)
		assert.Equal(t, c.run, run, c.groups)
		assert.Equal(t, c.same, same, c.groups)
	}
}

// check reports whether the answer is packse's; where it has to be and is not, the
// test fails.
func (p *packse) check(t *testing.T) bool {
	var rels []catalog.Release
	for _, r := range p.rels {
		rels = append(rels, *r)
	}
	u := newUniverse(rels...)
	req := resolve.Request{Panel: p.python, Prerelease: map[catalog.PluginID]bool{}}
	for _, text := range p.requires {
		d := dependency(t, text)
		req.Install = append(req.Install, resolve.Want{Plugin: d.ID, Range: d.Range})
	}
	for id := range u.releases {
		req.Prerelease[id] = p.prereleases
	}
	res, err := resolve.Solve(t.Context(), u, req)
	var c *resolve.Conflict
	if err != nil {
		require.ErrorAs(t, err, &c)
		checkProof(t, u, req)
	} else {
		checkAnswer(t, u, req, res)
	}
	same := (err == nil) == p.satisfiable
	if same && err == nil {
		got := versionsOf(res)
		for name, version := range p.packages {
			same = same && got[catalog.PluginID("packse/"+name)] == semverOf(version)
		}
		same = same && (p.packages == nil || len(got) == len(p.packages))
	}
	if why := differs[p.name]; why != "" {
		assert.False(t, same, "%s is listed as different: %s", p.name, why)
		return same
	}
	assert.True(t, same, "%s: want %v %v, got %v %v", p.name, p.satisfiable, p.packages, res, err)
	return same
}

var python = regexp.MustCompile(`^(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:(a|b|rc)(\d+))?$`)

// semverOf writes a Python version as SemVer: 1.0a1 is 1.0.0-alpha.1.
func semverOf(v string) string {
	m := python.FindStringSubmatch(v)
	if m == nil {
		return v
	}
	for i := 2; i < 4; i++ {
		if m[i] == "" {
			m[i] = "0"
		}
	}
	s := m[1] + "." + m[2] + "." + m[3]
	if m[4] != "" {
		s += "-" + map[string]string{"a": "alpha", "b": "beta", "rc": "rc"}[m[4]] + "." + m[5]
	}
	return s
}

func rangeOf(text string) string {
	var parts []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		version := strings.TrimLeft(part, "=<>!")
		op := part[:len(part)-len(version)]
		if op == "==" {
			op = "="
		}
		parts = append(parts, op+semverOf(strings.TrimSpace(version)))
	}
	return strings.Join(parts, " ")
}

func dependency(t *testing.T, text string) catalog.Dependency {
	i := strings.IndexAny(text, "=<>!")
	if i < 0 {
		i = len(text)
	}
	name := strings.TrimSpace(text[:i])
	require.NotContains(t, name, "[", "extras have no meaning here")
	return need(catalog.PluginID("packse/"+name), rangeOf(text[i:]))
}

// readPackse reads the subset of TOML that the scenarios use.
func readPackse(t *testing.T, file string) *packse {
	raw, err := os.ReadFile(file)
	require.NoError(t, err)
	text := regexp.MustCompile(`(?s)""".*?"""`).ReplaceAllString(string(raw), `""`)
	text = regexp.MustCompile(`(?m)^\s*#.*$`).ReplaceAllString(text, "")
	text = regexp.MustCompile(`(?s)\[\s*\n(.*?)\n\]`).ReplaceAllStringFunc(text, func(s string) string {
		return strings.Join(strings.Fields(s), " ")
	})
	p := &packse{rels: map[string]*catalog.Release{}, python: "3.12.0"}
	table, resolver := []string{}, false
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			table = split(strings.Trim(line, "[]"))
			p.release(table)
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			continue
		}
		key, value = strings.Trim(strings.TrimSpace(key), `"`), strings.TrimSpace(value)
		word := strings.Trim(value, `"`)
		switch at := strings.Join(table, " "); {
		case at == "" && key == "name":
			p.name = word
		case at == "" && key == "description", key == "explanation", key == "universal", key == "wheel_tags":
		case at == "expected" && key == "satisfiable":
			p.satisfiable = value == "true"
		case at == "expected packages":
			if p.packages == nil {
				p.packages = map[string]string{}
			}
			p.packages[key] = word
		case at == "root" && key == "requires":
			p.requires = stringsIn(value)
		case at == "root" && key == "requires_python":
		case at == "resolver_options" && key == "prereleases":
			p.prereleases = value == "true"
		case at == "resolver_options" && key == "python":
			p.python, resolver = semverOf(word), true
		case at == "environment" && key == "python":
			if !resolver {
				p.python = semverOf(word)
			}
		case at == "environment":
			require.Equal(t, "additional_python", key, file)
		case len(table) == 3 && table[0] == "packages":
			r := p.release(append(append([]string{}, table...), key))
			if k, v, ok := strings.Cut(strings.Trim(value, "{} "), "="); ok {
				require.Equal(t, "requires", strings.TrimSpace(k), file)
				r.Manifest.Dependencies = dependencies(t, v)
			}
		case len(table) == 4 && key == "requires":
			p.release(table).Manifest.Dependencies = dependencies(t, value)
		case len(table) == 4 && key == "requires_python":
			p.release(table).Manifest.Panel = rangeOf(word)
		case len(table) == 4 && key == "yanked":
			p.release(table).State = catalog.Yanked
		case len(table) == 4 && key == "wheel":
		default:
			require.NoError(t, errors.New("unknown key"), "%s: %s", file, fmt.Sprint(table, line))
		}
	}
	require.NotEmpty(t, p.name, file)
	return p
}

func dependencies(t *testing.T, list string) (out []catalog.Dependency) {
	for _, s := range stringsIn(list) {
		out = append(out, dependency(t, s))
	}
	return out
}

func stringsIn(list string) (out []string) {
	for _, m := range regexp.MustCompile(`"([^"]*)"`).FindAllStringSubmatch(list, -1) {
		out = append(out, m[1])
	}
	return out
}

// split splits the name of a table at dots outside quotes.
func split(s string) (out []string) {
	for _, m := range regexp.MustCompile(`"([^"]*)"|[^".]+`).FindAllStringSubmatch(s, -1) {
		out = append(out, strings.Trim(m[0], `"`))
	}
	return out
}

// release returns the release that a table is about, and makes it when it is new.
func (p *packse) release(table []string) *catalog.Release {
	if len(table) != 4 || table[0] != "packages" {
		return nil
	}
	key := table[1] + "@" + table[3]
	if p.rels[key] == nil {
		r := rel(catalog.PluginID("packse/"+table[1]), semverOf(table[3]))
		p.rels[key] = &r
	}
	return p.rels[key]
}
