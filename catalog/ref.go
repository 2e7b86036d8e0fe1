package catalog

import (
	"errors"
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/souk-dev/souk/verify"
)

// Sentinels of this package.
var (
	ErrNotFound = errors.New("not found")
	// ErrExpired means that the catalog is past its signed time: it stays
	// readable, but nothing new is installed from it until it was synced.
	ErrExpired = verify.ErrExpired
	// ErrRollback means that a source served an older catalog than before.
	ErrRollback = verify.ErrRollback
	// ErrNotModified is returned by Source.Snapshot when there is nothing newer.
	ErrNotModified = errors.New("not modified")
	// ErrUnavailable means that a source could not be reached or did not answer properly.
	ErrUnavailable = errors.New("source unavailable")
	// ErrBlocked means that a signed advisory forbids it.
	ErrBlocked = errors.New("blocked by an advisory")
)

// RefError says what was done to which release when it went wrong. It wraps the cause.
type RefError struct {
	Op  string
	Ref Ref
	Err error
}

func (e *RefError) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.Ref, e.Err) }

// Unwrap returns the cause.
func (e *RefError) Unwrap() error { return e.Err }

// PluginID names a plugin within a source: "publisher/name", each half 2 to 40
// lower-case ASCII letters, digits and single hyphens inside, beginning with a letter.
type PluginID string

// MaxIDPart is the most characters of a publisher's or plugin's name.
const MaxIDPart = 40

// ParsePluginID checks s.
func ParsePluginID(s string) (PluginID, error) {
	p, n, ok := strings.Cut(s, "/")
	if !ok || !validPart(p) || !validPart(n) {
		return "", fmt.Errorf("plugin id %.100q is not publisher/name (each 2 to %d of a-z, 0-9 and single inner hyphens, beginning with a letter)", s, MaxIDPart)
	}
	return PluginID(s), nil
}

// Publisher returns the half before the slash.
func (id PluginID) Publisher() string { p, _, _ := strings.Cut(string(id), "/"); return p }

// Name returns the half after the slash.
func (id PluginID) Name() string { _, n, _ := strings.Cut(string(id), "/"); return n }

func validPart(s string) bool {
	if len(s) < 2 || len(s) > MaxIDPart || s[0] < 'a' || s[0] > 'z' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' || c == '-' && s[i-1] == '-' {
			return false
		}
	}
	return true
}

// Ref names one release within a source. It is comparable, because its version is
// canonical (see [ParseVersion]). The zero value names nothing.
type Ref struct {
	Plugin  PluginID `json:"plugin"`
	Version string   `json:"version"`
}

// ParseRef reads "acme/backup@1.4.2".
func ParseRef(s string) (Ref, error) {
	p, v, ok := strings.Cut(s, "@")
	if !ok {
		return Ref{}, fmt.Errorf("release %.100q is not publisher/name@version", s)
	}
	id, err := ParsePluginID(p)
	if err != nil {
		return Ref{}, err
	}
	if _, err := ParseVersion(v); err != nil {
		return Ref{}, err
	}
	return Ref{id, v}, nil
}

// String returns "acme/backup@1.4.2".
func (r Ref) String() string { return string(r.Plugin) + "@" + r.Version }

// MaxVersion is the most characters of a version.
const MaxVersion = 64

// ParseVersion reads a SemVer 2 version in its canonical form: all three numbers,
// no "v". It is the one place where versions are parsed.
func ParseVersion(s string) (*semver.Version, error) {
	if len(s) > MaxVersion {
		return nil, fmt.Errorf("version %.80q is longer than %d characters", s, MaxVersion)
	}
	v, err := semver.StrictNewVersion(s)
	if err != nil {
		return nil, fmt.Errorf("version %q: %w", s, err)
	}
	return v, nil
}

// CompareVersions orders two canonical versions as SemVer 2 does, and versions that
// differ in build metadata only by that, so that the order is total. What is not a
// version sorts first.
func CompareVersions(a, b string) int {
	va, ea := semver.StrictNewVersion(a)
	vb, eb := semver.StrictNewVersion(b)
	switch {
	case ea != nil && eb != nil:
		return strings.Compare(a, b)
	case ea != nil:
		return -1
	case eb != nil:
		return 1
	}
	if c := va.Compare(vb); c != 0 {
		return c
	}
	return strings.Compare(va.Metadata(), vb.Metadata())
}

// ParseRange reads a version range as Masterminds/semver writes them: ">=1.2 <2",
// "^1.4", "1.x || 2.x". The empty string means any release version.
func ParseRange(s string) (*semver.Constraints, error) {
	if len(s) > 200 {
		return nil, fmt.Errorf("version range is longer than 200 characters")
	}
	if s == "" {
		s = "*"
	}
	c, err := semver.NewConstraint(s)
	if err != nil {
		return nil, fmt.Errorf("version range %q: %w", s, err)
	}
	return c, nil
}
