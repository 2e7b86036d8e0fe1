package community

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// prose returns a text of several lines as it is kept: lines end in \n, tabs are spaces,
// no more than one line in a row is empty. Each line is held to [catalog.CheckText].
func prose(field, s string, most int, needed bool) (string, error) {
	if len(s) > 8*most { // before anything is copied; no character has more bytes than four
		return "", hub.Invalid(field, "has more than %d characters", most)
	}
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\t", " ").Replace(s)
	lines := strings.Split(strings.TrimSpace(s), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRightFunc(line, unicode.IsSpace)
		if plain := strings.TrimSpace(unjoined(line)); plain != "" {
			if err := catalog.CheckText(plain, utf8.RuneCountInString(plain)); err != nil {
				return "", hub.Invalid(field, "%s", err)
			}
		}
	}
	s = strings.Join(slices.CompactFunc(lines, func(a, b string) bool { return a == "" && b == "" }), "\n")
	switch n := utf8.RuneCountInString(s); {
	case n > most:
		return "", hub.Invalid(field, "has %d characters, more than %d", n, most)
	case needed && s == "":
		return "", hub.Invalid(field, "is missing")
	}
	return s, nil
}

// unjoined leaves out the joiners within pictures, which CheckText refuses: a family of
// four is one picture made of four.
func unjoined(line string) string {
	if !strings.ContainsRune(line, '\u200d') {
		return line
	}
	runes := []rune(line)
	out := runes[:0:0]
	for i, r := range runes {
		joins := r == '\u200d' && i > 0 && i+1 < len(runes) &&
			unicode.In(runes[i-1], unicode.So, unicode.Sk, unicode.Mn) && unicode.Is(unicode.So, runes[i+1])
		if !joins {
			out = append(out, r)
		}
	}
	return string(out)
}

// checkEvidence holds the addresses of a report to what is shown as a link.
func checkEvidence(list []string) error {
	if len(list) > MaxEvidence {
		return hub.Invalid("evidence", "has %d addresses, more than %d", len(list), MaxEvidence)
	}
	for _, raw := range list {
		u, err := url.Parse(raw)
		if err != nil || len(raw) > catalog.MaxURL || catalog.CheckText(raw, catalog.MaxURL) != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			return hub.Invalid("evidence", "has %.80q, which is not an https address", raw)
		}
	}
	return nil
}
