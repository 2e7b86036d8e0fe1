package ui

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed text/*/*.json
var texts embed.FS

// Pseudo-locales are English in disguise, to see without a translation what one would
// break: [PseudoLong] is longer by a third and accented, so that a text that stands in the
// code shows; [PseudoRight] runs from right to left. They are named as CLDR names them.
const (
	PseudoLong  = "en-XA"
	PseudoRight = "en-XB"
)

// Messages are the texts of one language. They are immutable and safe for
// concurrent use.
type Messages struct {
	lang string
	text map[string]string
}

// Languages returns the languages that have all texts, as BCP 47 tags without a region,
// English first.
func Languages() []string { return []string{"en", "de"} }

// NewMessages returns the texts of a language by its BCP 47 tag; empty means "en".
// "de-AT" has the texts of "de". A language without a catalog of its own is an error: half
// a translation confuses.
func NewMessages(lang string) (*Messages, error) {
	if lang == "" {
		lang = "en"
	}
	base, _, _ := strings.Cut(strings.ToLower(lang), "-")
	if base == "" || strings.Trim(base, "abcdefghijklmnopqrstuvwxyz") != "" {
		return nil, fmt.Errorf("language %.40q is not a BCP 47 tag", lang)
	}
	if !slices.Contains(Languages(), base) {
		return nil, fmt.Errorf("there are no texts in language %q: use one of %s", lang, strings.Join(Languages(), ", "))
	}
	m := &Messages{lang: lang, text: map[string]string{}}
	dir := "text/" + base
	areas, err := texts.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("texts of language %q: %w", base, err)
	}
	for _, area := range areas {
		b, err := texts.ReadFile(dir + "/" + area.Name())
		if err != nil {
			return nil, fmt.Errorf("texts of language %q: %w", base, err)
		}
		if err := json.Unmarshal(b, &m.text); err != nil {
			return nil, fmt.Errorf("texts of language %q: %s: %w", base, area.Name(), err)
		}
	}
	if lang == PseudoLong {
		for key, s := range m.text {
			m.text[key] = long(key, s)
		}
	}
	return m, nil
}

// Lang returns the language tag, for the lang attribute.
func (m *Messages) Lang() string { return m.lang }

// Dir returns the direction of the script, "ltr" or "rtl", for the dir attribute. None of
// [Languages] runs from right to left yet; [PseudoRight] does.
func (m *Messages) Dir() string {
	if m.lang == PseudoRight {
		return "rtl"
	}
	return "ltr"
}

// Has reports whether there is a text for the key.
func (m *Messages) Has(key string) bool { _, ok := m.text[key]; return ok }

// T returns the text of a key with {0}, {1} replaced by the arguments. A key
// without a text comes back in brackets that a test looks for. The result is plain
// text; a template escapes it.
func (m *Messages) T(key string, args ...any) string {
	s, ok := m.text[key]
	if !ok {
		return "⟦" + key + "⟧"
	}
	if len(args) == 0 {
		return s
	}
	pairs := make([]string, 0, 2*len(args))
	for i, a := range args {
		pairs = append(pairs, "{"+strconv.Itoa(i)+"}", fmt.Sprint(a))
	}
	return strings.NewReplacer(pairs...).Replace(s) // one pass: what an argument holds is not replaced again
}

// N returns the form of a text that goes with the number n, which is {0}; further
// arguments are {1} and so on.
func (m *Messages) N(key string, n int, args ...any) string {
	form := ".other"
	if n == 1 {
		form = ".one"
	}
	return m.T(key+form, append([]any{m.Number(int64(n))}, args...)...)
}

// Number writes n with separators between thousands.
func (m *Messages) Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + m.T("number.thousands") + s[i:]
	}
	return sign + s
}

// Short writes n in as few characters as say enough: "950", "12k", "3.4M"; in German
// "12 Tsd.", "3,4 Mio.".
func (m *Messages) Short(n int64) string {
	switch {
	case n < 1000:
		return strconv.FormatInt(n, 10)
	case n < 10_000:
		return m.T("number.thousand", m.decimal(float64(n/100)/10))
	case n < 1_000_000:
		return m.T("number.thousand", n/1000)
	case n < 10_000_000:
		return m.T("number.million", m.decimal(float64(n/100_000)/10))
	}
	return m.T("number.million", n/1_000_000)
}

// Decimal writes f with one digit after the point.
func (m *Messages) Decimal(f float64) string {
	return strings.Replace(strconv.FormatFloat(f, 'f', 1, 64), ".", m.T("number.point"), 1)
}

func (m *Messages) decimal(f float64) string {
	return strings.TrimSuffix(m.Decimal(f), m.T("number.point")+"0")
}

// Bytes writes a size in decimal units: "512 B", "1.4 MB".
func (m *Messages) Bytes(n int64) string {
	if n < 1000 {
		return m.T("bytes.b", n)
	}
	f := float64(n)
	for _, u := range []string{"bytes.kb", "bytes.mb", "bytes.gb"} {
		f /= 1000
		if f < 999.95 || u == "bytes.gb" {
			return m.T(u, m.decimal(f))
		}
	}
	return ""
}

// Percent writes a whole number of percent: "42%", in German "42 %".
func (m *Messages) Percent(n int) string { return m.T("number.percent", n) }

// Date writes the day of t: "3 May 2026", in German "3. Mai 2026".
func (m *Messages) Date(t time.Time) string {
	return m.T("date", t.Day(), m.T("month."+strconv.Itoa(int(t.Month()))), t.Year())
}

// DateTime writes day and minute of t with its zone: "3 May 2026, 14:05 CEST", in German
// "3. Mai 2026, 14:05 Uhr (CEST)".
func (m *Messages) DateTime(t time.Time) string {
	return m.T("date.time", m.Date(t), t.Format("15:04"), t.Format("MST"))
}

// Ago writes how long before now t was, or how long after: "3 days ago", "in 2
// hours". More than 30 days is written as a date. The zero time is "never".
func (m *Messages) Ago(now, t time.Time) string {
	if t.IsZero() {
		return m.T("ago.never")
	}
	d, key := now.Sub(t), "ago."
	if d < 0 {
		d, key = -d, "in."
	}
	switch {
	case d < time.Minute:
		return m.T(key + "now")
	case d < time.Hour:
		return m.N(key+"minutes", int(d/time.Minute))
	case d < 24*time.Hour:
		return m.N(key+"hours", int(d/time.Hour))
	case d <= 30*24*time.Hour:
		return m.N(key+"days", int(d/(24*time.Hour)))
	}
	return m.Date(t)
}
