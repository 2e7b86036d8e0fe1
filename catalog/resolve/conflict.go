package resolve

import (
	"fmt"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/phrase"
)

// Conflict is the proof that a Request has no solution, for people and as JSON. It is
// immutable once returned.
type Conflict struct {
	Summary     string       `json:"summary"`     // "Cannot update billing to 2.1.0."
	Lines       []Line       `json:"lines"`       // the derivation, in reading order
	Suggestions []Suggestion `json:"suggestions"` // each was checked by solving it
	RuledOut    []string     `json:"ruledOut"`    // "invoice 2.3.0 was yanked (data loss on upgrade)"
	Tree        *Cause       `json:"tree"`        // the derivation tree

	Says phrase.Phrase   `json:"-"` // Summary for any language
	Out  []phrase.Phrase `json:"-"` // RuledOut for any language
}

var _ error = (*Conflict)(nil)

// Line is one line of an explanation.
type Line struct {
	Depth int    `json:"depth"` // 0: a fact; 1: what follows from the lines above
	Text  string `json:"text"`
	Label int    `json:"label,omitempty"` // (1), when another line refers to it

	Says phrase.Phrase `json:"-"` // Text for any language
}

// Say returns the line that says p, at depth 0.
func Say(p phrase.Phrase) Line { return Line{Text: p.String(), Says: p} }

// Cause is a node of the derivation tree: a fact, or what follows from two others.
type Cause struct {
	Text      string   `json:"text"`
	Derived   []*Cause `json:"derived,omitempty"`   // empty for a fact; otherwise two
	Label     int      `json:"label,omitempty"`     // the same as that of its Line
	Elsewhere bool     `json:"elsewhere,omitempty"` // no fact: it is derived in another place of the tree, or the tree would be too large
}

// Suggestion is something a person can do, with what comes of it.
type Suggestion struct {
	Text    string             `json:"text"`    // "release the hold on reports"
	Result  string             `json:"result"`  // "billing 1.4.2, reports 4.8.1"
	Plugins []catalog.PluginID `json:"plugins"` // what it is about

	Says  phrase.Phrase `json:"-"` // Text for any language
	Gives phrase.Phrase `json:"-"` // Result for any language
}

// Error is String.
func (c *Conflict) Error() string { return c.String() }

// String is the whole explanation as plain text, in several lines.
func (c *Conflict) String() string {
	var b strings.Builder
	b.WriteString(c.Summary + "\n\n")
	for _, l := range c.Lines {
		text := strings.Repeat("  ", l.Depth+1)
		if l.Depth > 0 {
			text += "-> "
		}
		text += l.Text
		if l.Label > 0 {
			text = fmt.Sprintf("%-72s (%d)", text, l.Label)
		}
		b.WriteString(text + "\n")
	}
	if len(c.Suggestions) > 0 {
		b.WriteString("\nWhat you can do:\n")
		wide := 0
		for _, s := range c.Suggestions {
			wide = max(wide, len(s.Text))
		}
		for _, s := range c.Suggestions {
			fmt.Fprintf(&b, "  * %-*s -> %s (checked: works)\n", wide, s.Text, s.Result)
		}
	}
	if len(c.RuledOut) > 0 {
		b.WriteString("\nRuled out: " + strings.Join(c.RuledOut, "; ") + ".\n")
	}
	return b.String()
}
