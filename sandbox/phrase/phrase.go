// Package phrase holds what the engines say to people: a sentence in English, and the facts it
// is made of, so that a page can say the same in another language.
//
// An engine makes a [Phrase] with [Of] from a key, an English text with {0}, {1} in the place
// of arguments, and the arguments. Its String is the English sentence. Package marketplace/ui
// has a text for every key in every language, and a test there finds each call of Of.
//
// It is no catalog of texts and knows no other language.
package phrase

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Phrase is a sentence, or a part of one. The zero value is "". It is immutable, safe for
// concurrent use, and comes back from JSON as it was.
type Phrase struct {
	Key     string `json:"key,omitempty"` // of the texts: "update.asks.wider"
	English string `json:"english"`       // with {0}, {1} for the arguments, at most ten
	Args    []Arg  `json:"args,omitempty"`
}

// Arg is an argument of a Phrase: exactly one of its fields is used.
type Arg struct {
	Text   string    `json:"text,omitempty"`  // a name, a version: the same in every language; beside Count the number
	Count  int       `json:"count,omitempty"` // written with separators
	Time   time.Time `json:"time,omitzero"`   // in the zone that it has
	Day    bool      `json:"day,omitempty"`   // of Time only the day is said
	Phrase *Phrase   `json:"phrase,omitempty"`
	Lower  bool      `json:"lower,omitempty"` // Phrase stands inside a sentence: its first word begins small
	List   []Arg     `json:"list,omitempty"`
	Or     bool      `json:"or,omitempty"`    // the last of List is joined by "or", not by "and"
	Comma  bool      `json:"comma,omitempty"` // or by a comma like the others
}

// Of returns a phrase. An argument is an int, a
// [time.Time], a Phrase, an Arg, or what fmt.Sprint makes a text of.
func Of(key, english string, args ...any) Phrase {
	p := Phrase{Key: key, English: english}
	if len(args) > 0 {
		p.Args = make([]Arg, len(args))
	}
	for i, a := range args {
		p.Args[i] = arg(a)
	}
	return p
}

// Texts is Of for arguments that are all texts. It allocates little: the solver says ten
// thousand phrases at once.
func Texts(key, english string, args ...string) Phrase {
	p := Phrase{Key: key, English: english, Args: make([]Arg, len(args))}
	for i, a := range args {
		p.Args[i].Text = a
	}
	return p
}

// N returns the form of a phrase that goes with the number n, which is {0}: its key ends in
// ".one" or ".other". Further arguments are {1} and so on.
func N(key, one, other string, n int, args ...any) Phrase {
	args = append([]any{n}, args...)
	if n == 1 {
		return Of(key+".one", one, args...)
	}
	return Of(key+".other", other, args...)
}

// Raw is what has no translation: what a person or a plugin said.
func Raw(text string) Phrase { return Phrase{English: "{0}", Args: []Arg{{Text: text}}} }

// Day is the day of t as an argument, without the time.
func Day(t time.Time) Arg { return Arg{Time: t, Day: true} }

// Inside is a phrase that stands inside a sentence.
func Inside(p Phrase) Arg { return Arg{Phrase: &p, Lower: true} }

// And is a list as an argument: "a, b and c".
func And[T any](items []T) Arg { return Arg{List: all(items)} }

// Or is a list as an argument: "a, b or c".
func Or[T any](items []T) Arg { return Arg{List: all(items), Or: true} }

// Commas is a list as an argument: "a, b, c".
func Commas[T any](items []T) Arg { return Arg{List: all(items), Comma: true} }

func all[T any](items []T) []Arg {
	out := make([]Arg, 0, len(items))
	for _, i := range items {
		out = append(out, arg(i))
	}
	return out
}

func arg(a any) Arg {
	switch a := a.(type) {
	case Arg:
		return a
	case Phrase:
		return Arg{Phrase: &a}
	case string:
		return Arg{Text: a}
	case int:
		return Arg{Count: a, Text: strconv.Itoa(a)}
	case time.Time:
		return Arg{Time: a}
	}
	return Arg{Text: fmt.Sprint(a)}
}

// IsZero reports whether nothing is said.
func (p Phrase) IsZero() bool { return p.Key == "" && p.English == "" }

// String is the phrase in English.
func (p Phrase) String() string {
	if len(p.Args) == 0 {
		return p.English
	}
	var b strings.Builder
	b.Grow(len(p.English) + 24*len(p.Args))
	for rest := p.English; ; { // one pass: what an argument holds is not replaced again
		at := strings.IndexByte(rest, '{')
		if at < 0 || at+2 >= len(rest) {
			b.WriteString(rest)
			return b.String()
		}
		b.WriteString(rest[:at])
		if n := int(rest[at+1]) - '0'; n >= 0 && n < len(p.Args) && rest[at+2] == '}' {
			b.WriteString(p.Args[n].english())
			rest = rest[at+3:]
			continue
		}
		b.WriteByte('{')
		rest = rest[at+1:]
	}
}

func (a Arg) english() string {
	switch {
	case a.Phrase != nil:
		s := a.Phrase.String()
		if a.Lower && s != "" && s[0] >= 'A' && s[0] <= 'Z' && !strings.HasPrefix(a.Phrase.English, "{") {
			s = strings.ToLower(s[:1]) + s[1:]
		}
		return s
	case len(a.List) > 0:
		var b strings.Builder
		for i, item := range a.List {
			switch {
			case i == 0:
			case i < len(a.List)-1 || a.Comma:
				b.WriteString(", ")
			case a.Or:
				b.WriteString(" or ")
			default:
				b.WriteString(" and ")
			}
			b.WriteString(item.english())
		}
		return b.String()
	case a.Day:
		return a.Time.Format("2 January 2006")
	case !a.Time.IsZero():
		return a.Time.Format("2 January 2006 15:04 MST")
	}
	return a.Text
}
