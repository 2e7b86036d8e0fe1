package portal

import (
	"fmt"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/sandbox"
)

// reviewDiff is a difference in words.
type reviewDiff struct {
	publishing.Diff
	First    bool // there is no release before it
	Asks     []reviewAsk
	Keeps    []reviewAsk // asked for before too
	Names    []reviewNames
	Notes    []reviewNotes
	Summary  string
	Growth   string // of the package: "12 % larger"
	OpenList bool   // the list of files is short enough to be open
}

// reviewAsk is a permission in words.
type reviewAsk struct {
	Kind     string // "Added", "Widened", "Narrowed", "Removed", "Asked for before"
	Tone     string
	Sentence string
	Was      string // sentence of what it replaces
	Risk     riskMark
	Raw      string
	Reason   string // by the publisher
	Optional bool
}

// reviewNames is a set of names that changed.
type reviewNames struct {
	Title, Hint    string
	Added, Removed []string
}

// reviewNotes is a kind of release notes. The lines are shown as they were written: a
// reviewer has to see where a link leads.
type reviewNotes struct {
	Kind  string
	Lines []string
}

// shortList is the most files of a list that is open from the start.
const shortList = 40

func markOf(r sandbox.Risk) riskMark {
	switch r {
	case sandbox.RiskLow:
		return riskMark{Level: "low", Name: "Low risk", Icon: "shield-check"}
	case sandbox.RiskMedium:
		return riskMark{Level: "medium", Name: "Medium risk", Icon: "shield"}
	}
	return riskMark{Level: "high", Name: "High risk", Icon: "shield-alert"}
}

func reviewDiffOf(d publishing.Diff, m *catalog.Manifest) *reviewDiff {
	v := &reviewDiff{Diff: d, First: d.Base == "", Summary: d.Notes.Summary, OpenList: len(d.Files) <= shortList}
	v.asks(d.Permissions, m)
	v.Names = []reviewNames{
		{"Functions its code calls", "What its WebAssembly modules import from the panel.", d.Imports.Added, d.Imports.Removed},
		{"Plugins it needs", "They are installed along with it.", d.Dependencies.Added, d.Dependencies.Removed},
		{"What is built in", "Libraries that scanners found in the package.", d.Components.Added, d.Components.Removed},
	}
	v.Notes = notesOf(d.Notes)
	if d.Size.Old > 0 {
		switch change := (d.Size.New - d.Size.Old) * 100 / d.Size.Old; {
		case change > 0:
			v.Growth = fmt.Sprintf("%d %% larger", change)
		case change < 0:
			v.Growth = fmt.Sprintf("%d %% smaller", -change)
		default:
			v.Growth = "about as large"
		}
	}
	return v
}

// asks puts what is wider first, then the rest.
func (v *reviewDiff) asks(d sandbox.Diff, m *catalog.Manifest) {
	said := map[sandbox.Permission]catalog.PermissionRequest{}
	if m != nil {
		for _, p := range m.Permissions {
			said[p.Permission()] = p
		}
	}
	changed := map[sandbox.Permission]bool{}
	add := func(kind, tone string, list []sandbox.Change) {
		for _, c := range list {
			one := askOf(c.Permission, said)
			one.Kind, one.Tone = kind, tone
			if c.Was != "" {
				one.Was, _ = sandbox.Explain(c.Was)
			}
			changed[c.Permission] = true
			v.Asks = append(v.Asks, one)
		}
	}
	first := "Added"
	if v.First {
		first = "Asks for"
	}
	add("Widened", "danger", d.Widened)
	add(first, "warn", d.Added)
	add("Narrowed", "ok", d.Narrowed)
	add("Removed", "ok", d.Removed)
	if m == nil {
		return
	}
	for _, p := range m.Permissions {
		if !changed[p.Permission()] {
			one := askOf(p.Permission(), said)
			one.Kind = "As before"
			v.Keeps = append(v.Keeps, one)
		}
	}
}

func askOf(p sandbox.Permission, said map[sandbox.Permission]catalog.PermissionRequest) reviewAsk {
	sentence, risk := sandbox.Explain(p)
	return reviewAsk{Sentence: sentence, Risk: markOf(risk), Raw: string(p), Reason: said[p].Reason, Optional: said[p].Optional}
}

func notesOf(n publish.Notes) []reviewNotes {
	var out []reviewNotes
	for _, one := range []reviewNotes{
		{"Breaking", n.Breaking}, {"Security", n.Security}, {"Added", n.Added}, {"Changed", n.Changed}, {"Fixed", n.Fixed}, {"Removed", n.Removed},
	} {
		if len(one.Lines) > 0 {
			out = append(out, one)
		}
	}
	return out
}
