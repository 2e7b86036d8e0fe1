package publish_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
)

const goodJSON = `{
  "format": 1,
  "id": "acme/hello",
  "version": "1.2.0",
  "name": "Hello",
  "summary": "Says hello.",
  "license": "MIT",
  "categories": ["tools"],
  "runtime": {"kind": "wasm", "entry": "plugin.wasm"},
  "permissions": [
    {"kind": "ui", "target": "dashboard.card", "reason": "Shows its card."},
    {"kind": "net.out", "target": "api.example.com:443", "reason": "Asks for the weather."}
  ],
  "health": {"export": "souk_health"},
  "docs": "README.md",
  "changelog": "CHANGELOG.md",
  "icon": "icon.png"
}
`

// module is the least WebAssembly module with these exports.
func module(exports ...string) []byte {
	body := []byte{byte(len(exports))}
	for _, e := range exports {
		body = append(append(append(body, byte(len(e))), e...), 0, 0)
	}
	return append([]byte("\x00asm\x01\x00\x00\x00\x07"), append([]byte{byte(len(body))}, body...)...)
}

func good(t testing.TB) fstest.MapFS {
	t.Helper()
	return fstest.MapFS{
		"plugin.json":  {Data: []byte(goodJSON)},
		"plugin.wasm":  {Data: module("souk_abi", "souk_call", "souk_health")},
		"README.md":    {Data: []byte("# Hello\n")},
		"CHANGELOG.md": {Data: []byte("# Changelog\n\n## [1.2.0] - 2026-05-18\n\n### Added\n\n- A card.\n\n## [1.1.0]\n\n- x\n")},
		"LICENSE":      {Data: []byte("MIT")},
		"icon.png":     {Data: picture(t, 16, 16)},
	}
}

func with(files fstest.MapFS, name string, data string) fstest.MapFS {
	out := maps.Clone(files)
	if data == "" {
		delete(out, name)
	} else {
		out[name] = &fstest.MapFile{Data: []byte(data)}
	}
	return out
}

func manifest(t testing.TB, edit func(*catalog.Manifest)) string {
	t.Helper()
	m, err := catalog.ParseManifest([]byte(goodJSON))
	require.NoError(t, err)
	edit(&m)
	b, err := json.MarshalIndent(m, "", "  ")
	require.NoError(t, err)
	return string(b)
}

func past(t testing.TB, version string, edit func(*catalog.Manifest)) catalog.Release {
	t.Helper()
	m, err := catalog.ParseManifest([]byte(manifest(t, func(m *catalog.Manifest) {
		m.Version = version
		if edit != nil {
			edit(m)
		}
	})))
	require.NoError(t, err)
	return catalog.Release{Ref: catalog.Ref{Plugin: m.ID, Version: version}, Manifest: m}
}

func lines(problems []publish.Problem) string {
	var out []string
	for _, p := range problems {
		out = append(out, p.String())
	}
	return strings.Join(out, "\n")
}

func TestValidateGood(t *testing.T) {
	t.Parallel()
	got := publish.Validate(t.Context(), publish.Input{
		Files: good(t), Categories: []string{"tools"}, Previous: []catalog.Release{past(t, "1.1.0", nil)},
		Reserved: []publish.Reservation{{Name: "acme", For: "acme"}, {Name: "souk"}},
	})
	assert.Empty(t, lines(got))
	assert.False(t, publish.HasErrors(got))
}

// TestValidate has what each rule says, and where.
func TestValidate(t *testing.T) {
	t.Parallel()
	files := good(t)
	cut := picture(t, 64, 64)
	cut = cut[:len(cut)-20]
	edit := func(f func(*catalog.Manifest)) fstest.MapFS { return with(files, "plugin.json", manifest(t, f)) }
	empty, other := publish.Notes{}, past(t, "1.2.0", func(m *catalog.Manifest) { m.Name = "Other" }).Manifest
	for name, tt := range map[string]struct {
		in   publish.Input
		want string // a line of the output
	}{
		"no manifest":       {publish.Input{Files: with(files, "plugin.json", "")}, "plugin.json: error: is not there (manifest)"},
		"unknown field":     {publish.Input{Files: with(files, "plugin.json", strings.Replace(goodJSON, `"name"`, `"nmae"`, 1))}, `plugin.json:5: error: unknown field "nmae" (manifest)`},
		"wrong value":       {publish.Input{Files: with(files, "plugin.json", strings.Replace(goodJSON, `"ui"`, `"uii"`, 1))}, `plugin.json:11:14: error: permissions[0].kind: "uii" is not a kind of permission (manifest)`},
		"no reason":         {publish.Input{Files: with(files, "plugin.json", strings.Replace(goodJSON, `"Shows its card."`, `""`, 1))}, "plugin.json:11:58: error: permissions[0].reason: is missing (manifest)"},
		"not JSON":          {publish.Input{Files: with(files, "plugin.json", "{\n  \"format\": 1,,\n}")}, "plugin.json:2:15: error: invalid character ',' looking for beginning of object key string (manifest)"},
		"another manifest":  {publish.Input{Files: files, Manifest: &other}, "plugin.json: error: is not the one that was pushed beside the package (manifest-differs)"},
		"bad name":          {publish.Input{Files: with(files, "aux.txt", "x")}, `aux.txt: error: path "aux.txt" has a part that is a device on Windows (file-name)`},
		"two names":         {publish.Input{Files: with(files, "readme.md", "x")}, `readme.md: error: "README.md" and "readme.md" are one file on some systems (file-name)`},
		"hidden":            {publish.Input{Files: with(files, ".env", "x")}, ".env: warning: is hidden and would be published (file-hidden)"},
		"too many":          {publish.Input{Files: files, Limits: publish.PackOptions{MaxEntries: 5}}, "error: more than 5 files and directories (size)"},
		"too large":         {publish.Input{Files: files, Limits: publish.PackOptions{MaxUnpacked: 100}}, "error: all files have more than 100 bytes (size)"},
		"large file":        {publish.Input{Files: files, Limits: publish.PackOptions{MaxFile: 437}}, `plugin.json: error: "plugin.json" has 438 bytes, more than 437 (size)`},
		"no entry":          {publish.Input{Files: with(files, "plugin.wasm", "")}, `plugin.json:9:40: error: runtime.entry: there is no file "plugin.wasm" (file-missing)`},
		"no wasm":           {publish.Input{Files: with(files, "plugin.wasm", "ELF")}, "plugin.wasm: error: wasm module: it does not begin as WebAssembly does (entry)"},
		"command":           {publish.Input{Files: with(files, "plugin.wasm", string(module("_start")))}, "plugin.wasm: error: wasm module: it is a command with _start"},
		"own interface":     {publish.Input{Files: with(files, "plugin.wasm", string(module("souk_call", "souk_health")))}, "plugin.wasm: warning: does not export souk_abi"},
		"no health":         {publish.Input{Files: with(files, "plugin.wasm", string(module("souk_abi", "souk_call")))}, `plugin.json:14:24: error: health.export: plugin.wasm does not export "souk_health" (health-export)`},
		"no picture":        {publish.Input{Files: with(files, "icon.png", "x")}, `icon.png: error: "icon.png" is not a picture`},
		"cut picture":       {publish.Input{Files: with(files, "icon.png", string(cut))}, "icon.png: error: is damaged"},
		"README not UTF-8":  {publish.Input{Files: with(files, "README.md", "\xff")}, "README.md: error: is not UTF-8 (file-read)"},
		"no icon":           {publish.Input{Files: edit(func(m *catalog.Manifest) { m.Icon = "" })}, "plugin.json:1:1: warning: there is no icon (icon-missing)"},
		"no README":         {publish.Input{Files: edit(func(m *catalog.Manifest) { m.Docs = "" })}, "plugin.json:1:1: warning: there is no README for the detail page (docs-missing)"},
		"no licence":        {publish.Input{Files: with(files, "LICENSE", "")}, "warning: there is no file with the text of the licence MIT (licence-file-missing)"},
		"category":          {publish.Input{Files: files, Categories: []string{}}, `plugin.json:8:18: error: categories[0]: "tools" is not a category of the catalog (category)`},
		"reserved":          {publish.Input{Files: files, Reserved: []publish.Reservation{{Name: "acme", Reason: "the panel's"}}}, `plugin.json:3:9: error: id: "acme" is reserved: the panel's (reserved)`},
		"reserved plugin":   {publish.Input{Files: files, Reserved: []publish.Reservation{{Name: "acme/hello", For: "souk"}}}, `plugin.json:3:9: error: id: "acme/hello" is reserved (reserved)`},
		"empty notes":       {publish.Input{Files: files, Notes: &empty}, "error: notes: the release has no notes (notes-empty)"},
		"long notes":        {publish.Input{Files: files, Notes: &publish.Notes{Summary: strings.Repeat("x", 1001)}}, "error: notes: summary has 1001 characters, more than 1000 (notes)"},
		"no changelog":      {publish.Input{Files: edit(func(m *catalog.Manifest) { m.Changelog = "" })}, "plugin.json:1:1: error: the release has no notes: there is no changelog (notes-empty)"},
		"no entry in it":    {publish.Input{Files: with(files, "CHANGELOG.md", "# Changelog\n")}, "CHANGELOG.md: error: has no entry for 1.2.0 (notes-empty)"},
		"nothing below it":  {publish.Input{Files: with(files, "CHANGELOG.md", "# Changelog\n\n## 1.2.0\n")}, "CHANGELOG.md:3: error: nothing is said of 1.2.0 (notes-empty)"},
		"untyped":           {publish.Input{Files: with(files, "CHANGELOG.md", "\n## 1.2.0\n\n### Thanks\n")}, `CHANGELOG.md:4: error: "### Thanks" is not one of the kinds of note`},
		"exists":            {publish.Input{Files: files, Previous: []catalog.Release{past(t, "1.2.0", nil)}}, "plugin.json:4:14: error: version: 1.2.0 was published before, and a release never changes (version-exists)"},
		"lower":             {publish.Input{Files: files, Previous: []catalog.Release{past(t, "1.3.0", nil)}}, "plugin.json:4:14: error: version: 1.2.0 is not greater than 1.3.0, the newest of the channel stable (version-order)"},
		"added permission":  {publish.Input{Files: files, Previous: []catalog.Release{past(t, "1.1.0", func(m *catalog.Manifest) { m.Permissions = m.Permissions[:1] })}}, "plugin.json:12:5: warning: permissions[1]: net.out:api.example.com:443 was added since 1.1.0 without a new major version (semver-permission)"},
		"removed":           {publish.Input{Files: edit(func(m *catalog.Manifest) { m.Permissions = m.Permissions[:1] }), Previous: []catalog.Release{past(t, "1.1.0", nil)}}, "warning: permissions: net.out:api.example.com:443 was removed since 1.1.0"},
		"widened":           {publish.Input{Files: edit(func(m *catalog.Manifest) { m.Permissions[1].Target = "*.example.com:443" }), Previous: []catalog.Release{past(t, "1.1.0", nil)}}, "plugin.json:21:5: warning: permissions[1]: net.out:*.example.com:443 is wider than net.out:api.example.com:443 was"},
		"breaking":          {publish.Input{Files: files, Notes: &publish.Notes{Breaking: []string{"x"}}, Previous: []catalog.Release{past(t, "1.1.0", nil)}}, "plugin.json:4:14: warning: version: the notes name something that breaks or was removed since 1.1.0 without a new major version (semver-breaking)"},
		"added in a repair": {publish.Input{Files: files, Previous: []catalog.Release{past(t, "1.2.0-rc.1", nil), past(t, "1.2.0-beta", nil)}, Notes: &publish.Notes{Added: []string{"x"}}}, ""},
		"added, no minor":   {publish.Input{Files: edit(func(m *catalog.Manifest) { m.Version = "1.2.1" }), Previous: []catalog.Release{past(t, "1.2.0", nil)}, Notes: &publish.Notes{Added: []string{"x"}}}, "(semver-minor)"},
		"no files":          {publish.Input{}, "error: there are no files to look at (file-read)"},
		"unreadable":        {publish.Input{Files: broken{files}}, "README.md: error: the disk is gone (file-read)"},
	} {
		got := publish.Validate(t.Context(), tt.in)
		if tt.want == "" {
			assert.Empty(t, lines(got), name)
			continue
		}
		assert.Contains(t, lines(got), tt.want, name)
		assert.Len(t, got, 1, "%s:\n%s", name, lines(got))
		for _, p := range got {
			i := slices.IndexFunc(publish.Rules(), func(r publish.Rule) bool { return r.ID == p.Rule })
			if assert.GreaterOrEqual(t, i, 0, "%s is a rule without a sentence", p.Rule) {
				assert.Equal(t, publish.Rules()[i].Severity, p.Severity, name)
			}
		}
	}
}

// broken cannot read the README.
type broken struct{ fstest.MapFS }

func (b broken) Open(name string) (fs.File, error) {
	if name == "README.md" {
		return nil, errors.New("the disk is gone")
	}
	return b.MapFS.Open(name)
}

// TestValidateMajor: with a new major version, or a new minor one below 1, nothing is
// said of what changed.
func TestValidateMajor(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		old, version string
		quiet        bool
	}{{"1.9.0", "2.0.0", true}, {"1.9.0", "1.10.0", false}, {"0.1.9", "0.2.0", true}, {"0.1.9", "0.1.10", false}, {"0.1.0", "1.0.0", true}} {
		files := with(good(t), "plugin.json", manifest(t, func(m *catalog.Manifest) { m.Version = tt.version }))
		got := publish.Validate(t.Context(), publish.Input{
			Files: files, Notes: &publish.Notes{Removed: []string{"x"}},
			Previous: []catalog.Release{past(t, tt.old, func(m *catalog.Manifest) { m.Permissions = nil })},
		})
		assert.Equal(t, tt.quiet, len(got) == 0, "%s to %s: %s", tt.old, tt.version, lines(got))
		assert.False(t, publish.HasErrors(got))
	}
}

// TestValidateWithdrawn: what was withdrawn still has its version, but nobody
// updates from it.
func TestValidateWithdrawn(t *testing.T) {
	t.Parallel()
	wide := past(t, "1.1.5", func(m *catalog.Manifest) { m.Permissions = nil })
	in := publish.Input{Files: good(t), Previous: []catalog.Release{past(t, "1.1.0", nil), wide}}
	assert.Contains(t, lines(publish.Validate(t.Context(), in)), "semver-permission")
	in.Previous[1].State = catalog.Withdrawn
	assert.Empty(t, lines(publish.Validate(t.Context(), in)))
	in.Previous[1].Version = "1.2.0"
	assert.Contains(t, lines(publish.Validate(t.Context(), in)), "version-exists")
}

func TestValidateIsBounded(t *testing.T) {
	t.Parallel()
	files := good(t)
	for i := range 500 {
		files[fmt.Sprintf("bad%d.", i)] = &fstest.MapFile{Data: []byte("x")}
	}
	got := publish.Validate(t.Context(), publish.Input{Files: files})
	assert.Len(t, got, publish.MaxProblems+1)
	assert.True(t, slices.ContainsFunc(got, func(p publish.Problem) bool { return p.Rule == "too-many" }))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got = publish.Validate(ctx, publish.Input{Files: good(t)})
	assert.True(t, publish.HasErrors(got), "what was not looked at did not pass")
	assert.Contains(t, lines(got), "(unfinished)")
}

func TestValidateIsDeterministic(t *testing.T) {
	t.Parallel()
	files := with(with(with(good(t), "a.", "x"), "icon.png", "x"), ".b", "y")
	first := publish.Validate(t.Context(), publish.Input{Files: files, Categories: []string{}})
	require.Len(t, first, 4)
	for range 10 {
		assert.Equal(t, first, publish.Validate(t.Context(), publish.Input{Files: files, Categories: []string{}}))
	}
}

func TestChannel(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]string{
		"1.2.0": "stable", "1.2.0+b1": "stable", "1.2.0-beta.3": "beta", "1.2.0-beta3": "beta", "1.2.0-RC.1": "rc",
		"1.2.0-1": "pre", "1.2.0-stable.1": "pre", "x": "",
	} {
		assert.Equal(t, want, publish.Channel(version), version)
	}
}

// FuzzValidate: whatever is in the files, there is an answer, and without an error
// among the problems the package can be packed.
func FuzzValidate(f *testing.F) {
	f.Add(goodJSON, "dir/file", []byte("x"), []byte("## 1.2.0\n- x"), uint16(0))
	f.Add(`{"format": 1}`, ".x", []byte{}, []byte("\xff"), uint16(0o755))
	f.Add(strings.Replace(goodJSON, "icon.png", "x.png", 1), "x.png", []byte("\x89PNG\r\n\x1a\n"), []byte{}, uint16(1))
	f.Add("{\n\"a\": [1, {\"\": [", "a", []byte{}, []byte{}, uint16(0))
	f.Fuzz(func(t *testing.T, plugin, name string, data, log []byte, mode uint16) {
		files := good(t)
		files["plugin.json"].Data = []byte(plugin)
		files["CHANGELOG.md"].Data = log
		if fs.ValidPath(name) && name != "." && !strings.HasPrefix(name, "plugin.json") {
			files[name] = &fstest.MapFile{Data: data, Mode: fs.FileMode(mode & 0o777)}
		}
		in := publish.Input{Files: files, Previous: []catalog.Release{past(t, "1.1.0", nil)}}
		problems := publish.Validate(t.Context(), in)
		for _, p := range problems {
			require.NotEmpty(t, p.Message)
			require.LessOrEqual(t, p.Line, 1+max(strings.Count(plugin, "\n"), strings.Count(string(log), "\n")))
		}
		_, err := publish.Pack(t.Context(), files, publish.PackOptions{})
		if !publish.HasErrors(problems) {
			require.NoError(t, err)
		}
	})
}

func BenchmarkValidate(b *testing.B) {
	files := good(b)
	for i := range 500 {
		files[fmt.Sprintf("assets/%d/file.txt", i)] = &fstest.MapFile{Data: make([]byte, 1000)}
	}
	previous := make([]catalog.Release, 0, 100)
	for i := range 100 {
		previous = append(previous, past(b, fmt.Sprintf("1.1.%d", i), nil))
	}
	in := publish.Input{Files: files, Previous: previous, Categories: []string{"tools"}}
	require.Empty(b, lines(publish.Validate(b.Context(), in)))
	b.ReportAllocs()
	for b.Loop() {
		publish.Validate(b.Context(), in)
	}
}
