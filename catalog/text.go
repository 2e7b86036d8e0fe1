package catalog

import (
	"fmt"
	"io/fs"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// CheckText checks a line of text that people will read: 1 to most characters of
// UTF-8 without space around it, without control, bidirectional, invisible,
// private or replacement characters and without line breaks. The two joiners that
// Persian, Hindi and others are written with are allowed between letters.
func CheckText(s string, most int) error {
	switch n := utf8.RuneCountInString(s); {
	case s == "":
		return fmt.Errorf("is missing")
	case n > most:
		return fmt.Errorf("has %d characters, more than %d", n, most)
	case strings.TrimSpace(s) != s:
		return fmt.Errorf("has space before or after it")
	}
	before := ' '
	for i, r := range s {
		if joiner := r == '\u200c' || r == '\u200d'; joiner && before > unicode.MaxASCII && unicode.In(before, unicode.L, unicode.M) {
			before = r
			continue
		}
		if r == utf8.RuneError || unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) {
			return fmt.Errorf("has the character %U at byte %d, which people cannot see or which changes what they see", r, i)
		}
		before = r
	}
	return nil
}

// Bounds of a path in a package, so that it can be unpacked on any system.
const (
	MaxPath      = 240 // bytes
	MaxPathPart  = 100 // bytes of a component
	MaxPathDepth = 20
)

// CheckPath checks the name of a file in a package: slash-separated and relative
// ([fs.ValidPath]), NFC, within the bounds, and without what some system gives a
// meaning: <>:"|?*\, control and invisible characters, a dot or space at the end of
// a component, names of Windows devices.
func CheckPath(name string) error {
	switch {
	case !utf8.ValidString(name):
		return fmt.Errorf("path %.100q is not UTF-8", name)
	case !fs.ValidPath(name) || name == ".":
		return fmt.Errorf("path %.100q does not stay inside the package: a path is relative, with slashes, without . or .. in it", name)
	case len(name) > MaxPath:
		return fmt.Errorf("path %.100q... is longer than %d bytes", name, MaxPath)
	case !norm.NFC.IsNormalString(name):
		return fmt.Errorf("path %.100q is not in Unicode normal form C", name)
	}
	for _, r := range name {
		if strings.ContainsRune(`<>:"|?*\`, r) || r == utf8.RuneError || unicode.In(r, unicode.C, unicode.Zl, unicode.Zp) {
			return fmt.Errorf("path %.100q has the character %#U", name, r)
		}
	}
	parts := strings.Split(name, "/")
	if len(parts) > MaxPathDepth {
		return fmt.Errorf("path %.100q is deeper than %d", name, MaxPathDepth)
	}
	for _, p := range parts {
		base, _, _ := strings.Cut(p, ".")
		switch {
		case len(p) > MaxPathPart:
			return fmt.Errorf("path %.100q has a part longer than %d bytes", name, MaxPathPart)
		case strings.HasSuffix(p, ".") || strings.HasSuffix(p, " "):
			return fmt.Errorf("path %.100q has a part that ends in a dot or a space", name)
		case device(strings.TrimRight(base, " ")):
			return fmt.Errorf("path %.100q has a part that is a device on Windows", name)
		}
	}
	return nil
}

func device(base string) bool {
	base = strings.ToUpper(base)
	switch base {
	case "CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$":
		return true
	}
	number, found := strings.CutPrefix(base, "COM")
	if !found {
		number, found = strings.CutPrefix(base, "LPT")
	}
	return found && strings.Contains("0123456789\u00b9\u00b2\u00b3", number) && utf8.RuneCountInString(number) == 1
}

// PathKey returns what is equal for two paths that are one file on some system:
// file systems that fold case or normalise Unicode.
func PathKey(name string) string {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return norm.NFKC.String(cases.Fold().String(norm.NFKC.String(name)))
		}
	}
	return strings.ToLower(name)
}
