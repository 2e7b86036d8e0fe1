package scan

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

const maxPURL = 1000 // bytes

// parsePURL reads a package URL into the ecosystem and name under which OSV has the
// package, and its version. An ecosystem that is not known here is empty, and the name
// then as the URL has it.
// See https://github.com/package-url/purl-spec and https://ossf.github.io/osv-schema/.
func parsePURL(s string) (Component, error) {
	c := Component{PURL: s}
	if len(s) > maxPURL {
		return c, fmt.Errorf("package url has %d bytes, more than %d", len(s), maxPURL)
	}
	bad := fmt.Errorf("%.100q is not a package url", s)
	rest, ok := strings.CutPrefix(s, "pkg:")
	if !ok {
		return c, bad
	}
	rest, _, _ = strings.Cut(rest, "#")
	rest, _, _ = strings.Cut(rest, "?")
	kind, rest, ok := strings.Cut(strings.TrimLeft(rest, "/"), "/")
	if !ok || kind == "" {
		return c, bad
	}
	// The version follows the last @ of the last part: a scope may stand unescaped.
	if at := strings.LastIndexByte(rest, '@'); at > strings.LastIndexByte(rest, '/')+1 {
		version, err := url.PathUnescape(rest[at+1:])
		if err != nil {
			return c, bad
		}
		c.Version, rest = version, rest[:at]
	}
	var parts []string
	for part := range strings.SplitSeq(strings.Trim(rest, "/"), "/") {
		plain, err := url.PathUnescape(part)
		if err != nil || plain == "" {
			return c, bad
		}
		parts = append(parts, plain)
	}
	c.Ecosystem, c.Name = osvName(strings.ToLower(kind), parts)
	if c.Name == "" {
		return c, errors.New("package url has no name")
	}
	return c, nil
}

// osvName turns the type and path of a package URL into OSV's words.
func osvName(kind string, parts []string) (ecosystem, name string) {
	path := strings.Join(parts, "/")
	switch kind {
	case "golang":
		return "Go", path
	case "npm":
		return "npm", path
	case "cargo":
		return "crates.io", path
	case "pypi":
		return "PyPI", path
	case "gem":
		return "RubyGems", path
	case "nuget":
		return "NuGet", path
	case "composer":
		return "Packagist", path
	case "hex":
		return "Hex", path
	case "pub":
		return "Pub", path
	case "maven":
		return "Maven", strings.Join(parts, ":")
	}
	return "", path
}

// packageKey is what names of an ecosystem are compared by.
func packageKey(ecosystem, name string) string {
	switch ecosystem {
	case "PyPI": // https://packaging.python.org/en/latest/specifications/name-normalization/
		name = strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
		for strings.Contains(name, "--") {
			name = strings.ReplaceAll(name, "--", "-")
		}
	case "Go", "NuGet", "Packagist": // a purl is lower case where the module may not be
		name = strings.ToLower(name)
	}
	return ecosystem + "\x00" + name
}
