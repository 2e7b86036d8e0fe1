package catalog

import (
	"bytes"
	"fmt"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/souk-dev/souk/sandbox"
)

// Bounds of a plugin.json. What people read is short enough to be read; lists are
// long enough for any plugin seen so far.
const (
	MaxPluginName  = 60  // characters
	MaxSummary     = 140 // characters: one line of a card
	MaxURL         = 300 // bytes
	MaxLicense     = 200 // bytes
	MaxCategories  = 5
	MaxTags        = 20 // and as many keywords
	MaxLanguages   = 100
	MaxPlatforms   = 30
	MaxRelations   = 100 // dependencies, conflicts, provides, replaces: of each
	MaxReason      = 300 // characters
	MaxSettings    = 64 << 10
	MaxScreenshots = 10
)

// Check holds the manifest to everything that [ParseManifest] demands of its
// values, and returns the first fault as a [*ManifestError] without a line.
func (m *Manifest) Check() error {
	c := &checker{}
	m.checkIdentity(c)
	m.checkTexts(c)
	m.checkRuntime(c)
	m.checkRelations(c)
	m.checkPermissions(c)
	m.checkFiles(c)
	if c.err != nil {
		return c.err
	}
	return nil
}

// checker keeps the first fault.
type checker struct{ err *ManifestError }

func (c *checker) fail(at, format string, args ...any) {
	if c.err == nil {
		c.err = &ManifestError{Path: at, Reason: fmt.Sprintf(format, args...)}
	}
}

func (c *checker) check(at string, err error) {
	if err != nil {
		c.fail(at, "%v", err)
	}
}

func (c *checker) count(at string, n, most int) bool {
	if n > most {
		c.fail(at, "has %d entries, more than %d", n, most)
	}
	return n <= most
}

func (c *checker) text(at, s string, most int) {
	if err := CheckText(s, most); err != nil {
		c.fail(at, "%v", err)
	}
}

func (m *Manifest) checkIdentity(c *checker) {
	if m.Format != ManifestFormat {
		c.fail("format", "is %d, must be %d", m.Format, ManifestFormat)
	}
	_, err := ParsePluginID(string(m.ID))
	c.check("id", err)
	_, err = ParseVersion(m.Version)
	c.check("version", err)
	c.license(m.License)
	c.url("homepage", m.Homepage)
	c.url("source", m.Source)
	if address, mail := strings.CutPrefix(m.Support, "mailto:"); mail {
		if !mailPattern.MatchString(address) || len(m.Support) > MaxURL {
			c.fail("support", "%.100q is not an address for mail", m.Support)
		}
	} else {
		c.url("support", m.Support)
	}
}

var (
	mailPattern     = regexp.MustCompile(`^[A-Za-z0-9._+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`)
	slugPattern     = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	languagePattern = regexp.MustCompile(`^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,4}$`)
	platformPattern = regexp.MustCompile(`^[a-z0-9]{1,20}/[a-z0-9]{1,20}(/[a-z0-9]{1,20})?$`)
	exportPattern   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,99}$`)
	spdxPattern     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.:-]*\+?$`)
)

func (m *Manifest) checkTexts(c *checker) {
	c.text("name", m.Name, MaxPluginName)
	c.text("summary", m.Summary, MaxSummary)
	c.slugs("categories", m.Categories, MaxCategories)
	c.slugs("tags", m.Tags, MaxTags)
	if c.count("keywords", len(m.Keywords), MaxTags) {
		for i, k := range m.Keywords {
			c.text(fmt.Sprintf("keywords[%d]", i), k, MaxIDPart)
		}
	}
	c.count("localized", len(m.Localized), MaxLanguages)
	for _, tag := range slices.Sorted(maps.Keys(m.Localized)) {
		l := m.Localized[tag]
		at := "localized." + tag
		if !languagePattern.MatchString(tag) {
			c.fail("localized", "%.40q is not a language tag", tag)
		}
		if l.Name == "" && l.Summary == "" {
			c.fail(at, "has neither name nor summary")
		}
		if l.Name != "" {
			c.text(at+".name", l.Name, MaxPluginName)
		}
		if l.Summary != "" {
			c.text(at+".summary", l.Summary, MaxSummary)
		}
	}
}

// slugs checks a list of words of a-z, 0-9 and inner hyphens.
func (c *checker) slugs(at string, list []string, most int) {
	if !c.count(at, len(list), most) {
		return
	}
	for i, s := range list {
		switch {
		case len(s) > MaxIDPart || !slugPattern.MatchString(s):
			c.fail(fmt.Sprintf("%s[%d]", at, i), "%.60q must be 1 to %d of a-z, 0-9 and single inner hyphens", s, MaxIDPart)
		case slices.Contains(list[:i], s):
			c.fail(fmt.Sprintf("%s[%d]", at, i), "%q stands twice", s)
		}
	}
}

func (m *Manifest) checkRuntime(c *checker) {
	_, err := ParseRange(m.Panel)
	c.check("panel", err)
	if c.count("platforms", len(m.Platforms), MaxPlatforms) {
		for i, p := range m.Platforms {
			if !platformPattern.MatchString(p) || slices.Contains(m.Platforms[:i], p) {
				c.fail(fmt.Sprintf("platforms[%d]", i), "%.60q is not os/arch, or stands twice", p)
			}
		}
	}
	switch m.Runtime.Kind {
	case RuntimeWASM, RuntimeProcess:
		if m.Runtime.Entry == "" {
			c.fail("runtime", "kind %s needs an entry: the file to run", m.Runtime.Kind)
		}
	case RuntimeStatic:
	default:
		c.fail("runtime.kind", "%.40q is not wasm, process or static", m.Runtime.Kind)
	}
	c.file("runtime.entry", m.Runtime.Entry)
	if m.Health != nil && m.Health.Export != "" {
		switch {
		case m.Runtime.Kind != RuntimeWASM:
			c.fail("health.export", "is for the runtime wasm only")
		case !exportPattern.MatchString(m.Health.Export):
			c.fail("health.export", "%.60q is not the name of a function", m.Health.Export)
		}
	}
	if m.DataSchema < 0 || m.DataSchema > 1<<31-1 {
		c.fail("dataSchema", "is %d, must be 0 or more", m.DataSchema)
	}
	_, err = ParseRange(m.Breaking)
	c.check("breaking", err)
	if len(m.Settings) > MaxSettings {
		c.fail("settings", "%d bytes are more than %d", len(m.Settings), MaxSettings)
	} else if m.Settings != nil && !bytes.HasPrefix(bytes.TrimSpace(m.Settings), []byte("{")) {
		c.fail("settings", "must be a JSON Schema: an object")
	}
}

func (m *Manifest) checkRelations(c *checker) {
	relation := func(at string, id PluginID, rang string, seen map[PluginID]bool) {
		_, err := ParsePluginID(string(id))
		c.check(at+".id", err)
		_, err = ParseRange(rang)
		c.check(at+".range", err)
		if id == m.ID || seen[id] {
			c.fail(at+".id", "%s is the plugin itself, or stands twice", id)
		}
		seen[id] = true
	}
	seen := make(map[PluginID]bool)
	if c.count("dependencies", len(m.Dependencies), MaxRelations) {
		for i, d := range m.Dependencies {
			at := fmt.Sprintf("dependencies[%d]", i)
			relation(at, d.ID, d.Range, seen)
			c.slugs(at+".features", d.Features, MaxTags)
		}
	}
	relations := func(field string, list []Relation) {
		seen := make(map[PluginID]bool)
		if c.count(field, len(list), MaxRelations) {
			for i, r := range list {
				relation(fmt.Sprintf("%s[%d]", field, i), r.ID, r.Range, seen)
			}
		}
	}
	relations("conflicts", m.Conflicts)
	relations("replaces", m.Replaces)
	if c.count("provides", len(m.Provides), MaxRelations) {
		for i, id := range m.Provides {
			at := fmt.Sprintf("provides[%d]", i)
			_, err := ParsePluginID(string(id))
			c.check(at, err)
			if id == m.ID || slices.Contains(m.Provides[:i], id) {
				c.fail(at, "%s is the plugin itself, or stands twice", id)
			}
		}
	}
}

func (m *Manifest) checkPermissions(c *checker) {
	if !c.count("permissions", len(m.Permissions), sandbox.MaxSet) {
		return
	}
	seen := make(map[sandbox.Permission]bool)
	for i, p := range m.Permissions {
		at := fmt.Sprintf("permissions[%d]", i)
		canonical, err := sandbox.Parse(string(p.Permission()))
		switch {
		case !slices.Contains(sandbox.Kinds(), p.Kind):
			c.fail(at+".kind", "%.40q is not a kind of permission", p.Kind)
		case err != nil:
			c.fail(at+".target", "%v", err)
		case canonical != p.Permission():
			c.fail(at+".target", "is not canonical: write %q", canonical.Target())
		case seen[canonical]:
			c.fail(at, "%s stands twice", canonical)
		}
		seen[canonical] = true
		c.text(at+".reason", p.Reason, MaxReason)
	}
}

func (m *Manifest) checkFiles(c *checker) {
	c.file("docs", m.Docs, ".md")
	c.file("changelog", m.Changelog, ".md")
	c.file("icon", m.Icon, ".png")
	if !c.count("screenshots", len(m.Screenshots), MaxScreenshots) {
		return
	}
	for i, s := range m.Screenshots {
		at := fmt.Sprintf("screenshots[%d]", i)
		if s.File == "" {
			c.fail(at+".file", "is missing")
		}
		c.file(at+".file", s.File, ".png", ".jpg", ".jpeg")
		c.text(at+".alt", s.Alt, MaxReason)
		if s.Caption != "" {
			c.text(at+".caption", s.Caption, MaxReason)
		}
	}
}

// file checks the name of a file in the package; an empty one is no file.
func (c *checker) file(at, name string, extensions ...string) {
	if name == "" {
		return
	}
	c.check(at, CheckPath(name))
	if len(extensions) > 0 && !slices.Contains(extensions, path.Ext(name)) {
		c.fail(at, "%.100q must end in %s", name, strings.Join(extensions, " or "))
	}
}

// url checks an address for people to follow; an empty one is none.
func (c *checker) url(at, s string) {
	if s == "" {
		return
	}
	u, err := url.Parse(s)
	if err != nil || len(s) > MaxURL || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.ContainsAny(s, " <>\"\\") || CheckText(s, MaxURL) != nil {
		c.fail(at, "%.100q must be an https:// address of at most %d bytes without a user", s, MaxURL)
	}
}

// license checks the form of an SPDX licence expression, not whether the licences exist.
func (c *checker) license(s string) {
	spaced := strings.NewReplacer("(", " ( ", ")", " ) ").Replace(s)
	depth, operand := 0, true // operand: a licence or "(" must come next
	for _, w := range strings.Fields(spaced) {
		operator := w == "AND" || w == "OR" || w == "WITH"
		switch {
		case operand && w == "(":
			depth++
		case operand && !operator && spdxPattern.MatchString(w):
			operand = false
		case !operand && operator:
			operand = true
		case !operand && w == ")" && depth > 0:
			depth--
		default:
			c.fail("license", "%.100q is not an SPDX expression such as MIT or \"Apache-2.0 OR MIT\"", s)
			return
		}
	}
	if operand || depth != 0 || len(s) > MaxLicense || CheckText(s, MaxLicense) != nil {
		c.fail("license", "%.100q is not an SPDX expression of at most %d bytes such as MIT or \"Apache-2.0 OR MIT\"", s, MaxLicense)
	}
}
