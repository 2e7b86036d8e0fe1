package search

import (
	"iter"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// fold returns s without regard to case, diacritics and compatibility forms.
func fold(s string) string {
	if isPlain(s) {
		return s
	}
	decomposed := norm.NFKD.String(cases.Fold().String(s))
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, decomposed)
}

// isPlain reports whether fold would change nothing.
func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= 0x80 || c >= 'A' && c <= 'Z' {
			return false
		}
	}
	return true
}

// words yields the words of folded text: letters and digits. Scripts that are written
// without spaces give a word a character.
func words(folded string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start := -1
		for i, r := range folded {
			k := kindOf(r)
			if k == inWord {
				if start < 0 {
					start = i
				}
				continue
			}
			if start >= 0 && !yield(folded[start:i]) {
				return
			}
			start = -1
			if k == wholeWord && !yield(folded[i:i+utf8.RuneLen(r)]) {
				return
			}
		}
		if start >= 0 {
			yield(folded[start:])
		}
	}
}

type runeKind uint8

const (
	between   runeKind = iota // words
	inWord                    // a letter or digit
	wholeWord                 // a word of its own
)

func kindOf(r rune) runeKind {
	switch {
	case r < utf8.RuneSelf:
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' {
			return inWord
		}
	case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
		return wholeWord
	case unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.Is(unicode.Mc, r):
		return inWord
	}
	return between
}

// near reports whether a and b are one mistake apart: a letter too many, missing,
// wrong, or two swapped. The first letter is never the mistake.
func near(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 || a == "" || a[0] != b[0] {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) < len(b) {
		return a[i:] == b[i+1:]
	}
	if i == len(a) {
		return true
	}
	return a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}
