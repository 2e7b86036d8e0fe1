package resolve_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
)

// scenario is one story of testdata/*.txt. The keys are those of parse below; a name
// without a publisher is one of acme's.
type scenario struct {
	name, why string
	rels      []catalog.Release
	blocked   map[string]string
	req       resolve.Request
	expect    []string // "acme/a 1.0.0"; nil when a conflict is expected
	removed   []string
	warnings  []string
	reasons   []string // "acme/a: you asked for it"
	says      []string // each is part of the explanation
	text      string   // all of the explanation
	conflict  bool
	suggests  []string // all suggestions, "text -> result"
	nothing   bool     // no suggestion is expected
}

func id(s string) catalog.PluginID {
	if !strings.Contains(s, "/") {
		s = "acme/" + s
	}
	return catalog.PluginID(s)
}

func readScenarios(t *testing.T, file string) []*scenario {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	var all []*scenario
	var cur *scenario
	sc := bufio.NewScanner(f)
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if name, ok := strings.CutPrefix(line, "scenario "); ok {
			cur = &scenario{name: name, blocked: map[string]string{}}
			cur.req.Prerelease = map[catalog.PluginID]bool{}
			all = append(all, cur)
			continue
		}
		require.NotNil(t, cur, "%s:%d: before the first scenario", file, n)
		require.NoError(t, cur.parse(line), "%s:%d", file, n)
	}
	require.NoError(t, sc.Err())
	return all
}

func (s *scenario) parse(line string) error {
	if text, ok := strings.CutPrefix(line, "|"); ok {
		s.text += strings.TrimPrefix(text, " ") + "\n"
		s.conflict = true
		return nil
	}
	key, rest, _ := strings.Cut(line, " ")
	f := strings.Fields(rest)
	word := func(i int) string {
		if i < len(f) {
			return f[i]
		}
		return ""
	}
	tail := func(i int) string { return strings.Join(f[min(i, len(f)):], " ") }
	switch key {
	case "why":
		s.why = rest
	case "release":
		r, err := s.release(rest)
		s.rels = append(s.rels, r)
		return err
	case "panel":
		s.req.Panel = rest
	case "platform":
		s.req.Platform = rest
	case "installed": // name version [root] [pin] [hold reason...]
		return s.installed(f)
	case "install":
		s.req.Install = append(s.req.Install, resolve.Want{Plugin: id(word(0)), Range: tail(1)})
	case "update":
		for _, w := range f {
			s.req.Update = append(s.req.Update, id(w))
		}
	case "remove":
		for _, w := range f {
			s.req.Remove = append(s.req.Remove, id(w))
		}
	case "prefer-minimal":
		s.req.Prefer = resolve.Minimal
	case "keep-orphans":
		s.req.KeepOrphans = true
	case "prerelease":
		s.req.Prerelease[id(word(0))] = true
	case "expect": // name version, ... or nothing
		s.expect = []string{}
		for part := range strings.SplitSeq(rest, ",") {
			if f := strings.Fields(part); len(f) == 2 {
				s.expect = append(s.expect, string(id(f[0]))+" "+f[1])
			}
		}
	case "removed": // name: why
		s.removed = append(s.removed, rest)
	case "warning":
		s.warnings = append(s.warnings, rest)
	case "because": // name: why
		s.reasons = append(s.reasons, rest)
	case "conflict":
		s.conflict = true
		if rest != "" {
			s.says = append(s.says, rest)
		}
	case "suggest":
		s.suggests = append(s.suggests, rest)
	case "suggest-nothing":
		s.nothing = true
	default:
		return fmt.Errorf("unknown key %q", key)
	}
	return nil
}

// release reads "name version; needs x >=1; panel ^3; yanked because of this".
func (s *scenario) release(text string) (catalog.Release, error) {
	parts := strings.Split(text, ";")
	f := strings.Fields(parts[0])
	if len(f) != 2 {
		return catalog.Release{}, fmt.Errorf("release %q is not name version", parts[0])
	}
	r := rel(id(f[0]), f[1])
	m := &r.Manifest
	for _, part := range parts[1:] {
		f := strings.Fields(part)
		arg := strings.Join(f[1:], " ")
		var target catalog.PluginID
		text := ""
		if len(f) > 1 {
			target, text = id(f[1]), strings.Join(f[2:], " ")
		}
		switch f[0] {
		case "needs":
			m.Dependencies = append(m.Dependencies, catalog.Dependency{ID: target, Range: text})
		case "optional":
			m.Dependencies = append(m.Dependencies, catalog.Dependency{ID: target, Range: text, Optional: true})
		case "conflicts":
			m.Conflicts = append(m.Conflicts, catalog.Relation{ID: target, Range: text})
		case "replaces":
			m.Replaces = append(m.Replaces, catalog.Relation{ID: target, Range: text})
		case "provides":
			m.Provides = append(m.Provides, target)
		case "panel":
			m.Panel = arg
		case "platforms":
			m.Platforms = f[1:]
		case "yanked":
			r.State, r.Reason = catalog.Yanked, arg
		case "withdrawn":
			r.State, r.Reason = catalog.Withdrawn, arg
		case "blocked":
			s.blocked[r.Ref.String()] = arg
		default:
			return r, fmt.Errorf("unknown word %q", f[0])
		}
	}
	return r, nil
}

func (s *scenario) installed(f []string) error {
	if len(f) < 2 {
		return fmt.Errorf("installed %q is not name version", f)
	}
	in := resolve.Installed{Release: rel(id(f[0]), f[1])}
	for _, r := range s.rels {
		if r.Ref == in.Release.Ref {
			in.Release = r
			in.Release.State, in.Release.Reason = catalog.Active, ""
		}
	}
	for i, w := range f[2:] {
		switch w {
		case "root":
			in.Root = true
			continue
		case "pin":
			in.Pin = true
			continue
		case "hold":
			in.Hold = strings.Join(f[i+3:], " ")
			if in.Hold == "" {
				return fmt.Errorf("a hold has a reason")
			}
		default:
			return fmt.Errorf("unknown word %q", w)
		}
		break
	}
	s.req.Installed = append(s.req.Installed, in)
	return nil
}

func (s *scenario) request() resolve.Request {
	req := s.req
	if len(s.blocked) > 0 {
		req.Blocked = func(r catalog.Release) string { return s.blocked[r.Ref.String()] }
	}
	return req
}

func TestScenarios(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	seen := map[string]bool{}
	for _, file := range files {
		for _, s := range readScenarios(t, file) {
			require.False(t, seen[s.name], "scenario %s is there twice", s.name)
			seen[s.name] = true
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				s.run(t)
			})
		}
	}
	assert.GreaterOrEqual(t, len(seen), 50)
}

func (s *scenario) run(t *testing.T) {
	require.NotEmpty(t, s.why, "a scenario says why it is there")
	require.NotEqual(t, s.conflict, s.expect != nil, "a scenario expects either a solution or a conflict")
	u := newUniverse(s.rels...)
	req := s.request()
	res, err := resolve.Solve(t.Context(), u, req)
	if s.conflict {
		var c *resolve.Conflict
		require.ErrorAs(t, err, &c, "%+v", res)
		for _, want := range s.says {
			assert.Contains(t, c.String(), want)
		}
		if s.text != "" {
			assert.Equal(t, strings.TrimRight(s.text, "\n"), strings.TrimRight(c.String(), "\n"))
		}
		if s.suggests != nil || s.nothing {
			var got []string
			for _, x := range c.Suggestions {
				got = append(got, x.Text+" -> "+x.Result)
			}
			assert.Equal(t, s.suggests, got)
		}
		checkProof(t, u, req)
		return
	}
	require.NoError(t, err)
	checkAnswer(t, u, req, res)
	var got, reasons, removed []string
	for _, c := range res.Chosen {
		got = append(got, fmt.Sprintf("%s %s", c.Release.Plugin, c.Release.Version))
		reasons = append(reasons, string(c.Release.Plugin)+": "+c.Why)
	}
	for _, r := range res.Removed {
		removed = append(removed, string(r.Release.Plugin)+": "+r.Why)
	}
	assert.ElementsMatch(t, s.expect, got)
	for _, want := range s.reasons {
		assert.Contains(t, reasons, want)
	}
	if s.removed != nil || len(removed) > 0 {
		assert.Equal(t, s.removed, removed)
	}
	if s.warnings != nil || len(res.Warnings) > 0 {
		assert.Equal(t, s.warnings, res.Warnings)
	}
	checkStays(t, u, req, res)
}
