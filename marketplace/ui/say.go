package ui

import (
	"strconv"
	"strings"

	"github.com/souk-dev/souk/sandbox/phrase"
)

// Say writes what an engine says in the language of m: its text is that of the key "say."
// and the phrase's. A phrase without a text, which is what a person or a plugin wrote, comes
// back as it is.
func (m *Messages) Say(p phrase.Phrase) string {
	s, ok := m.text["say."+p.Key]
	if !ok {
		s = p.English
	}
	if len(p.Args) == 0 {
		return s
	}
	pairs := make([]string, 0, 2*len(p.Args))
	for i, a := range p.Args {
		pairs = append(pairs, "{"+strconv.Itoa(i)+"}", m.say(a))
	}
	return strings.NewReplacer(pairs...).Replace(s)
}

// say writes an argument.
func (m *Messages) say(a phrase.Arg) string {
	switch {
	case a.Phrase != nil:
		s := m.Say(*a.Phrase)
		if a.Lower && !strings.HasPrefix(m.text["say."+a.Phrase.Key], "{") && s != "" && s[0] >= 'A' && s[0] <= 'Z' {
			s = strings.ToLower(s[:1]) + s[1:] // the text begins with a word of its own, not with a name
		}
		return s
	case len(a.List) > 0:
		words := make([]string, len(a.List))
		for i, item := range a.List {
			words[i] = m.say(item)
		}
		if a.Comma {
			return strings.Join(words, m.T("say.list.comma"))
		}
		return m.List(words, a.Or)
	case a.Day:
		return m.Date(a.Time)
	case !a.Time.IsZero():
		return m.DateTime(a.Time)
	case a.Count != 0:
		return m.Number(int64(a.Count))
	}
	return a.Text
}

// List joins words as a sentence does: "a, b and c", with or "a, b or c".
func (m *Messages) List(words []string, or bool) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	joint := m.T("say.list.and")
	if or {
		joint = m.T("say.list.or")
	}
	last := len(words) - 1
	return strings.Join(words[:last], m.T("say.list.comma")) + joint + words[last]
}
