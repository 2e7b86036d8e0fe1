package resolve

import (
	"cmp"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/souk-dev/souk/catalog"
)

// core is a version without pre-release and build metadata.
type core struct{ major, minor, patch uint64 }

func (c core) compare(o core) int {
	switch {
	case c.major != o.major:
		return cmp.Compare(c.major, o.major)
	case c.minor != o.minor:
		return cmp.Compare(c.minor, o.minor)
	}
	return cmp.Compare(c.patch, o.patch)
}

// version is a parsed version, small and quick to compare.
type version struct {
	core
	pre, meta string
}

// parseVersion is [catalog.ParseVersion], without its cost for the plain versions
// that most are.
func parseVersion(s string) (version, error) {
	if c, parts, rest := numbers(s); parts == 3 && rest == "" {
		return version{core: c}, nil
	}
	v, err := catalog.ParseVersion(s)
	if err != nil {
		return version{}, err
	}
	return version{core{v.Major(), v.Minor(), v.Patch()}, v.Prerelease(), v.Metadata()}, nil
}

// numbers reads up to three numbers with dots between, as they are written in a
// canonical version. It returns how many it found and what follows them; none when
// one of them is not canonical or has more than 9 digits.
func numbers(s string) (c core, parts int, rest string) {
	for _, n := range []*uint64{&c.major, &c.minor, &c.patch} {
		digits := 0
		for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
			*n = *n*10 + uint64(s[digits]-'0')
			if digits++; digits > 9 {
				return core{}, 0, ""
			}
		}
		if digits == 0 || digits > 1 && s[0] == '0' {
			return core{}, 0, ""
		}
		parts, s = parts+1, s[digits:]
		if parts == 3 || s == "" || s[0] != '.' {
			break
		}
		s = s[1:]
	}
	return c, parts, s
}

// parsed returns the version as Masterminds/semver has it.
func (v *version) parsed() *semver.Version {
	return semver.New(v.major, v.minor, v.patch, v.pre, v.meta)
}

// precedence compares versions as SemVer 2 does, that is without build metadata.
func (v *version) precedence(o *version) int {
	if c := v.compare(o.core); c != 0 {
		return c
	}
	switch {
	case v.pre == o.pre:
		return 0
	case v.pre == "":
		return 1
	case o.pre == "":
		return -1
	}
	return v.parsed().Compare(o.parsed())
}

// order is [catalog.CompareVersions] on parsed versions.
func (v *version) order(o *version) int {
	if c := v.precedence(o); c != 0 {
		return c
	}
	return strings.Compare(v.meta, o.meta)
}
