package ui

import (
	"regexp"
	"strings"
)

// placeholder is what a text holds in the place of an argument.
var placeholder = regexp.MustCompile(`\{[0-9]\}`)

// accents disguise letters and leave them readable.
var accents = strings.NewReplacer(
	"a", "á", "c", "ç", "e", "é", "i", "í", "n", "ñ", "o", "ö", "u", "ü", "y", "ý",
	"A", "Á", "C", "Ç", "E", "É", "I", "Í", "N", "Ñ", "O", "Ö", "U", "Ü", "Y", "Ý",
)

// long writes a text as [PseudoLong] has it. What is a number's or a unit's form and no
// text stays as it is.
func long(key, s string) string {
	if strings.HasPrefix(key, "number.") || strings.HasPrefix(key, "bytes.") || !strings.ContainsFunc(s, func(c rune) bool { return c >= 'a' && c <= 'z' }) {
		return s
	}
	var b strings.Builder
	b.WriteString("[")
	at := 0
	for _, p := range placeholder.FindAllStringIndex(s, -1) {
		b.WriteString(accents.Replace(s[at:p[0]]) + s[p[0]:p[1]])
		at = p[1]
	}
	b.WriteString(accents.Replace(s[at:]))
	words := len(s)/15 + 1 // four letters and a blank for fifteen: a third
	b.WriteString(strings.Repeat(" ·•·•", words))
	b.WriteString("]")
	return b.String()
}
