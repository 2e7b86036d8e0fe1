package catalog_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
)

const full = `{
  "format": 1,
  "id": "acme/backup",
  "version": "1.4.2-rc.1+build.5",
  "name": "Backup",
  "summary": "Backs up every server at night.",
  "license": "(Apache-2.0 OR MIT) AND CC-BY-4.0",
  "homepage": "https://acme.example/backup?x=1#top",
  "source": "https://git.acme.example/backup",
  "support": "mailto:help@acme.example",
  "categories": ["storage"],
  "tags": ["backup", "s3"],
  "keywords": ["snapshots", "off site"],
  "localized": {"de": {"name": "Datensicherung", "summary": "Sichert jede Nacht alle Server."}, "pt-BR": {"name": "Cópia"}},
  "panel": ">=3.0 <5",
  "platforms": ["linux/amd64", "linux/arm/v7"],
  "runtime": {"kind": "wasm", "entry": "bin/backup.wasm"},
  "dependencies": [{"id": "acme/storage", "range": "^2.1", "optional": true, "features": ["s3"]}],
  "conflicts": [{"id": "bolt/backup", "range": "<2"}],
  "provides": ["acme/snapshots"],
  "replaces": [{"id": "acme/old-backup"}],
  "permissions": [{"kind": "net.out", "target": "*.s3.example:443", "reason": "uploads backups"}, {"kind": "fs.read", "target": "/srv", "optional": true, "reason": "reads what is backed up"}],
  "settings": {"type": "object", "properties": {"a": {"default": null}}},
  "dataSchema": 3,
  "breaking": "<1.0.0",
  "health": {"export": "healthy"},
  "docs": "README.md",
  "changelog": "docs/CHANGELOG.md",
  "icon": "icon.png",
  "screenshots": [{"file": "shots/1.jpg", "caption": "The list", "alt": "A list of backups"}]
}`

const small = `{"format":1,"id":"acme/backup","version":"1.0.0","name":"Backup","summary":"Backs up.","license":"MIT","runtime":{"kind":"static"}}`

// with returns the small manifest with a field replaced or added.
func with(field, value string) string {
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(small), &m); err != nil {
		panic(err)
	}
	m[field] = json.RawMessage(value)
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func without(field string) string {
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(small), &m); err != nil {
		panic(err)
	}
	delete(m, field)
	b, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func schema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(catalog.ManifestSchema())))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	require.NoError(t, c.AddResource("plugin.schema.json", doc))
	s, err := c.Compile("plugin.schema.json")
	require.NoError(t, err)
	return s
}

func TestGoodManifests(t *testing.T) {
	t.Parallel()
	s := schema(t)
	for name, doc := range map[string]string{
		"full":                full,
		"small":               small,
		"empty lists":         with("tags", `[]`),
		"process":             with("runtime", `{"kind":"process","entry":"bin/server"}`),
		"name in Persian":     with("name", "\"پشتیبان\u200cگیری\""),
		"summary of 140":      with("summary", `"`+strings.Repeat("ü", 140)+`"`),
		"support by web":      with("support", `"https://acme.example/help"`),
		"any license ref":     with("license", `"LicenseRef-Acme"`),
		"license exception":   with("license", `"GPL-2.0-only WITH Classpath-exception-2.0"`),
		"no panel constraint": with("panel", `""`),
	} {
		m, err := catalog.ParseManifest([]byte(doc))
		assert.NoError(t, err, name)
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
		require.NoError(t, err, name)
		assert.NoError(t, s.Validate(v), name)

		canonical, err := m.Canonical()
		require.NoError(t, err, name)
		again, err := catalog.ParseManifest(canonical)
		require.NoError(t, err, name)
		second, err := again.Canonical()
		require.NoError(t, err, name)
		assert.Equal(t, string(canonical), string(second), "the canonical form is stable: %s", name)
	}
}

func TestBadManifests(t *testing.T) {
	t.Parallel()
	s := schema(t)
	list := func(n int, format string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = fmt.Sprintf(format, i)
		}
		return "[" + strings.Join(items, ",") + "]"
	}
	for name, c := range map[string]struct{ doc, path string }{
		"id":                   {with("id", `"Acme/backup"`), "id"},
		"id without publisher": {with("id", `"backup"`), "id"},
		"version with v":       {with("version", `"v1.0.0"`), "version"},
		"version too short":    {with("version", `"1.0"`), "version"},
		"no version":           {without("version"), "version"},
		"no name":              {without("name"), "name"},
		"empty name":           {with("name", `""`), "name"},
		"long name":            {with("name", `"`+strings.Repeat("x", 61)+`"`), "name"},
		"name in two lines":    {with("name", `"a\nb"`), "name"},
		"name turned around":   {with("name", `"a\u202eb"`), "name"},
		"long summary":         {with("summary", `"`+strings.Repeat("x", 141)+`"`), "summary"},
		"number as name":       {with("name", `5`), "name"},
		"null":                 {with("name", `null`), "name"},
		"object as list":       {with("tags", `{}`), "tags"},
		"list as object":       {with("runtime", `[]`), "runtime"},
		"string as boolean":    {with("dependencies", `[{"id":"acme/x","optional":"yes"}]`), "dependencies[0].optional"},
		"fraction":             {with("dataSchema", `1.5`), "dataSchema"},
		"negative":             {with("dataSchema", `-1`), "dataSchema"},
		"license":              {with("license", `"MIT; rm -rf"`), "license"},
		"no license":           {without("license"), "license"},
		"http homepage":        {with("homepage", `"http://acme.example"`), "homepage"},
		"user in homepage":     {with("homepage", `"https://a:b@acme.example"`), "homepage"},
		"script":               {with("source", `"javascript:alert(1)"`), "source"},
		"support":              {with("support", `"mailto:nobody"`), "support"},
		"six categories":       {with("categories", list(6, `"c%d"`)), "categories"},
		"tag twice":            {with("tags", `["a","a"]`), "tags[1]"},
		"tag with capital":     {with("tags", `["Backup"]`), "tags[0]"},
		"language":             {with("localized", `{"german language":{"name":"x"}}`), "localized"},
		"empty language":       {with("localized", `{"de":{}}`), "localized.de"},
		"long local summary":   {with("localized", `{"de":{"summary":"`+strings.Repeat("x", 141)+`"}}`), "localized.de.summary"},
		"platform":             {with("platforms", `["linux"]`), "platforms[0]"},
		"no runtime":           {without("runtime"), "runtime.kind"},
		"runtime kind":         {with("runtime", `{"kind":"jvm","entry":"a.jar"}`), "runtime.kind"},
		"wasm without entry":   {with("runtime", `{"kind":"wasm"}`), "runtime"},
		"entry outside":        {with("runtime", `{"kind":"process","entry":"../sh"}`), "runtime.entry"},
		"absolute entry":       {with("runtime", `{"kind":"process","entry":"/bin/sh"}`), "runtime.entry"},
		"windows path":         {with("runtime", `{"kind":"process","entry":"bin\\sh"}`), "runtime.entry"},
		"dependency id":        {with("dependencies", `[{"id":"x"}]`), "dependencies[0].id"},
		"feature":              {with("dependencies", `[{"id":"acme/x1","features":["A"]}]`), "dependencies[0].features[0]"},
		"101 conflicts":        {with("conflicts", list(101, `{"id":"acme/x%d"}`)), "conflicts"},
		"permission kind":      {with("permissions", `[{"kind":"root","target":"x","reason":"r"}]`), "permissions[0].kind"},
		"no reason":            {with("permissions", `[{"kind":"env","target":"HOME"}]`), "permissions[0].reason"},
		"101 permissions":      {with("permissions", list(101, `{"kind":"env","target":"E%d","reason":"r"}`)), "permissions"},
		"settings as list":     {with("settings", `[]`), "settings"},
		"health export":        {strings.Replace(full, `"healthy"`, `"a b"`, 1), "health.export"},
		"docs in HTML":         {with("docs", `"README.html"`), "docs"},
		"vector icon":          {with("icon", `"icon.svg"`), "icon"},
		"screenshot no alt":    {with("screenshots", `[{"file":"a.png"}]`), "screenshots[0].alt"},
		"screenshot no file":   {with("screenshots", `[{"file":"","alt":"x"}]`), "screenshots[0].file"},
		"unknown field":        {with("price", `5`), ""},
		"field in other case":  {with("ID", `"acme/backup"`), ""},
		"unknown inner field":  {with("runtime", `{"kind":"static","args":[]}`), "runtime"},
		"format of tomorrow":   {with("format", `2`), "format"},
		"no format":            {without("format"), "format"},
		"not an object":        {`[]`, ""},
	} {
		_, err := catalog.ParseManifest([]byte(c.doc))
		var bad *catalog.ManifestError
		if assert.ErrorAs(t, err, &bad, name) {
			assert.Equal(t, c.path, bad.Path, "%s: %v", name, err)
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(c.doc))
		require.NoError(t, err, name)
		assert.Error(t, s.Validate(v), "the schema accepts it: %s", name)
	}
}

// What a JSON Schema cannot say, or sees too late.
func TestManifestsOnlyTheParserRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ doc, says string }{
		"field twice":           {`{"format":1,"id":"acme/a1","id":"acme/backup"}`, `field "id" stands twice`},
		"escaped field twice":   {`{"format":1,"id":"acme/a1","\u0069d":"acme/backup"}`, `field "id" stands twice`},
		"twice in settings":     {with("settings", `{"a":1,"a":2}`), `settings: field "a" stands twice`},
		"trailing data":         {small + `{}`, "invalid character '{' after top-level value"},
		"invalid UTF-8":         {strings.Replace(small, "Backup", "Back\xffup", 1), "not valid UTF-8"},
		"half a surrogate":      {strings.Replace(small, "Backup", `Back\ud800up`, 1), "U+FFFD"},
		"too large":             {with("summary", `"`+strings.Repeat("x", catalog.MaxManifest)+`"`), "more than the 262144 allowed"},
		"nothing":               {"", "unexpected end of JSON input"},
		"range":                 {with("panel", `">=banana"`), `version range ">=banana"`},
		"own dependency":        {with("dependencies", `[{"id":"acme/backup"}]`), "is the plugin itself"},
		"dependency twice":      {with("dependencies", `[{"id":"acme/x1"},{"id":"acme/x1","range":"1"}]`), "stands twice"},
		"target":                {with("permissions", `[{"kind":"net.out","target":"x","reason":"r"}]`), "permissions[0].target"},
		"target not canonical":  {with("permissions", `[{"kind":"fs.read","target":"/srv/","reason":"r"}]`), `write "/srv"`},
		"permission twice":      {with("permissions", `[{"kind":"env","target":"A","reason":"r"},{"kind":"env","target":"A","reason":"s"}]`), "env:A stands twice"},
		"unbalanced license":    {with("license", `"(MIT"`), "SPDX"},
		"license of operators":  {with("license", `"MIT OR"`), "SPDX"},
		"invisible in name":     {with("name", `"Back\u200bup"`), "U+200B"},
		"space around":          {with("name", `" Backup"`), "space before or after"},
		"device as path":        {with("runtime", `{"kind":"process","entry":"bin/nul.exe"}`), "device"},
		"path ends in dot":      {with("runtime", `{"kind":"process","entry":"bin./x"}`), "dot or a space"},
		"decomposed path":       {with("runtime", "{\"kind\":\"process\",\"entry\":\"u\u0308\"}"), "normal form C"},
		"export of a process":   {strings.Replace(full, `"wasm"`, `"process"`, 1), "health.export"},
		"huge settings":         {with("settings", `{"a":"`+strings.Repeat("x", catalog.MaxSettings)+`"}`), "settings: "},
		"deep settings":         {with("settings", strings.Repeat(`{"a":`, 70)+"1"+strings.Repeat("}", 70)), "nested deeper"},
		"number over the range": {with("dataSchema", `99999999999999999999`), "does not fit"},
	} {
		_, err := catalog.ParseManifest([]byte(c.doc))
		var bad *catalog.ManifestError
		assert.ErrorAs(t, err, &bad, name)
		assert.ErrorContains(t, err, c.says, name)
	}
}

func TestManifestErrorNamesTheLine(t *testing.T) {
	t.Parallel()
	for old, c := range map[string]struct {
		new  string
		line int
	}{
		`"storage"`:             {`"Storage"`, 11},
		`"acme/storage"`:        {`"acme"`, 18},
		`"dataSchema": 3`:       {`"dataSchema": "3"`, 24},
		`"export": "healthy"`:   {`"port": 80`, 26},
		`"docs": "README.md",`:  {`"docs": "README.md"`, 28},
		`"target": "/srv"`:      {`"target": "srv"`, 22},
		`"changelog": "docs/C`:  {`"changelog": "../C`, 28},
		`"alt": "A list of bac`: {`"alt": " A list of bac`, 30},
	} {
		_, err := catalog.ParseManifest([]byte(strings.Replace(full, old, c.new, 1)))
		var bad *catalog.ManifestError
		if assert.ErrorAs(t, err, &bad, old) {
			assert.Equal(t, c.line, bad.Line, "%s: %v", old, err)
			assert.ErrorContains(t, err, fmt.Sprintf("plugin.json: line %d: ", c.line))
		}
	}
}

// A long key around many values must not cost their product.
func TestLongPathsCostNothing(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 30<<10)
	_, err := catalog.ParseManifest([]byte(with("settings", `{"`+long+`":[`+strings.Repeat("1,", 15<<10)+`1]}`)))
	require.NoError(t, err)
	_, err = catalog.ParseManifest([]byte(with("settings", `{"`+long+`":{"a":1,"a":2}}`)))
	require.ErrorContains(t, err, "stands twice")
	assert.Less(t, len(err.Error()), 300)
}

func TestWants(t *testing.T) {
	t.Parallel()
	m, err := catalog.ParseManifest([]byte(full))
	require.NoError(t, err)
	all, optional, err := m.Wants()
	require.NoError(t, err)
	assert.Equal(t, 2, all.Len())
	assert.True(t, optional.Has("fs.read:/srv"))
	assert.Equal(t, 1, optional.Len())
}

func FuzzParseManifest(f *testing.F) {
	f.Add([]byte(full))
	f.Add([]byte(small))
	f.Add([]byte(`{"format":1,"id":"a","id":"b"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := catalog.ParseManifest(b)
		if err != nil {
			var bad *catalog.ManifestError
			require.ErrorAs(t, err, &bad)
			return
		}
		canonical, err := m.Canonical()
		require.NoError(t, err)
		again, err := catalog.ParseManifest(canonical)
		require.NoError(t, err, "%s", canonical)
		second, err := again.Canonical()
		require.NoError(t, err)
		require.Equal(t, canonical, second)
	})
}

func ExampleParseManifest() {
	_, err := catalog.ParseManifest([]byte(`{
  "format": 1,
  "id": "acme/backup",
  "version": "1.4",
  "name": "Backup", "summary": "Backs up every server.", "license": "MIT",
  "runtime": {"kind": "wasm", "entry": "backup.wasm"}
}`))
	fmt.Println(err)
	// Output: plugin.json: line 4: version: version "1.4": invalid semantic version
}
