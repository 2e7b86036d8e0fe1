package resolve

import "github.com/souk-dev/souk/catalog"

// Conflict is the proof that a Request has no solution, for people and as JSON.
type Conflict struct {
	Summary     string       `json:"summary"`     // "Cannot update billing to 2.1.0."
	Lines       []Line       `json:"lines"`       // the derivation, in reading order
	Suggestions []Suggestion `json:"suggestions"` // each was checked by solving it
	RuledOut    []string     `json:"ruledOut"`    // "invoice 2.3.0 was yanked (data loss on upgrade)"
	Tree        *Cause       `json:"tree"`        // the derivation tree
}

// Line is one line of an explanation.
type Line struct {
	Depth int    `json:"depth"` // indentation
	Text  string `json:"text"`
	Label int    `json:"label,omitempty"` // (1), when another line refers to it
}

// Cause is a node of the derivation tree: a fact, or what follows from two others.
type Cause struct {
	Text    string   `json:"text"`
	Derived []*Cause `json:"derived,omitempty"` // empty for a fact; otherwise two
}

// Suggestion is something a person can do, with what comes of it.
type Suggestion struct {
	Text    string             `json:"text"` // "release the hold on reports"
	Result  string             `json:"result"`
	Plugins []catalog.PluginID `json:"plugins"` // what it is about
}
