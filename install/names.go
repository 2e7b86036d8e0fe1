package install

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Bounds of a name in a package: what every file system and archive tool can hold.
const (
	maxName      = 240 // bytes of a path
	maxComponent = 100 // bytes between two slashes
	maxDepth     = 20  // components
)

// checkName says why a name is never unpacked, or nil.
func checkName(name string) error {
	switch {
	case !utf8.ValidString(name):
		return errors.New("the name is not UTF-8")
	case len(name) > maxName:
		return fmt.Errorf("the name is longer than %d bytes", maxName)
	case name == "." || !fs.ValidPath(name):
		return errors.New("the name does not stay inside the package")
	case !norm.NFC.IsNormalString(name):
		return errors.New("the name is not in Unicode normal form C")
	}
	for _, r := range name {
		if strings.ContainsRune(`<>:"|?*\`, r) || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) {
			return fmt.Errorf("the name has the character %U", r)
		}
	}
	parts := strings.Split(name, "/")
	if len(parts) > maxDepth {
		return fmt.Errorf("the name is deeper than %d directories", maxDepth)
	}
	for _, p := range parts {
		switch {
		case len(p) > maxComponent:
			return fmt.Errorf("a part of the name is longer than %d bytes", maxComponent)
		case strings.HasSuffix(p, ".") || strings.HasSuffix(p, " "):
			return errors.New("a part of the name ends with a dot or a space")
		case device(p):
			return fmt.Errorf("%q is a device on some systems", p)
		}
	}
	return nil
}

// device reports whether a name means a device on Windows, with any extension.
func device(part string) bool {
	base, _, _ := strings.Cut(part, ".")
	base = strings.ToUpper(strings.TrimRight(base, " "))
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$":
		return true
	}
	if port, ok := strings.CutPrefix(base, "COM"); ok {
		return portNumber(port)
	}
	port, ok := strings.CutPrefix(base, "LPT")
	return ok && portNumber(port)
}

func portNumber(s string) bool {
	switch s {
	case "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³":
		return true
	}
	return false
}

// fold returns what a file system that ignores case and compatibility forms would
// take the name for.
func fold(name string) string {
	ascii := true
	for i := range len(name) {
		ascii = ascii && name[i] < utf8.RuneSelf
	}
	if ascii {
		return strings.ToLower(name)
	}
	return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
}

// tree remembers the names of a package, so that no two of them are one.
type tree map[string]entry // by folded name

type entry struct {
	name    string
	dir     bool
	implied bool // a directory that so far stood only in front of other names
}

// add checks a name against those before it and returns the directories to make
// for it, outermost first.
func (t tree) add(name string, dir bool) (make []string, err error) {
	for i := range len(name) {
		if name[i] != '/' {
			continue
		}
		prefix := name[:i]
		key := fold(prefix)
		old, ok := t[key]
		switch {
		case ok && old.name != prefix:
			return nil, fmt.Errorf("is the same as %q on some systems", old.name)
		case ok && !old.dir:
			return nil, fmt.Errorf("lies below the file %q", old.name)
		case !ok:
			t[key] = entry{prefix, true, true}
			make = append(make, prefix)
		}
	}
	key := fold(name)
	old, ok := t[key]
	switch {
	case ok && old.name != name:
		return nil, fmt.Errorf("is the same as %q on some systems", old.name)
	case ok && dir && old.dir && old.implied:
		t[key] = entry{name, true, false}
		return make, nil
	case ok:
		return nil, errors.New("appears twice")
	}
	t[key] = entry{name, dir, false}
	if dir {
		make = append(make, name)
	}
	return make, nil
}
