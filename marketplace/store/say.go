package store

import (
	"fmt"
	"slices"

	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/phrase"
	"github.com/souk-dev/souk/update"
)

// said is what an engine says, in the language of the pages; where it comes without its
// facts, from a history of before they were kept, it is the English of then.
func (h *shop) said(p phrase.Phrase, english string) string {
	if p.IsZero() {
		return english
	}
	return h.text.Say(p)
}

func (h *shop) allSaid(list []phrase.Phrase, english []string) []string {
	if len(list) != len(english) {
		return english
	}
	out := make([]string, 0, len(list))
	for _, p := range list {
		out = append(out, h.text.Say(p))
	}
	return out
}

// ruling returns a ruling in the language of the pages. What the panel itself says of its
// scopes is as the panel says it.
func (h *shop) ruling(r sandbox.Ruling) sandbox.Ruling {
	r.Sentence, r.Why = h.said(r.Says, r.Sentence), h.said(r.Because, r.Why)
	return r
}

func (h *shop) allRuled(list []sandbox.Ruling) []sandbox.Ruling {
	out := make([]sandbox.Ruling, 0, len(list))
	for _, r := range list {
		out = append(out, h.ruling(r))
	}
	return out
}

// allows says what a permission allows, whatever the panel calls it.
func (h *shop) allows(p sandbox.Permission) (string, sandbox.Risk) {
	says, risk := sandbox.Describe(p)
	return h.text.Say(says), risk
}

// needSaid is what a need asks to agree to; who signs is named as on the other pages.
func (h *shop) needSaid(n install.Need) string {
	if n.Kind == install.NeedSigner {
		n.Says.Args = slices.Clone(n.Says.Args)
		for i, a := range n.Says.Args {
			n.Says.Args[i].Text = h.signer(a.Text)
		}
	}
	return h.said(n.Says, n.Sentence)
}

// who names who did something: a person by their name, and what is done without one.
func (h *shop) who(actor string) string {
	if actor == update.Actor {
		return h.text.T("actor.updates")
	}
	return actor
}

// planTitle, steps and the like: what stands in a plan, in the language of the pages.
func (h *shop) planTitle(p *install.Plan) string      { return h.said(p.Says, p.Title) }
func (h *shop) planWarnings(p *install.Plan) []string { return h.allSaid(p.Cautions, p.Warnings) }

// clash is a conflict in the language of the pages.
func (h *shop) clash(c *resolve.Conflict) *conflict {
	out := &conflict{
		Summary: h.said(c.Says, c.Summary), Lines: []resolve.Line{}, Suggestions: []resolve.Suggestion{},
		RuledOut: notNil(h.allSaid(c.Out, c.RuledOut)),
	}
	for _, l := range c.Lines {
		l.Text = h.said(l.Says, l.Text)
		out.Lines = append(out.Lines, l)
	}
	for _, s := range c.Suggestions {
		s.Text, s.Result = h.said(s.Says, s.Text), h.said(s.Gives, s.Result)
		out.Suggestions = append(out.Suggestions, s)
	}
	return out
}

// sayError is an error that says in any language what is wrong. Its message is English.
type sayError struct {
	err  error
	says phrase.Phrase
}

func (e *sayError) Error() string { return fmt.Sprintf("%v: %v", e.err, e.says) }
func (e *sayError) Unwrap() error { return e.err }

// wrong is an error about what somebody typed into a form.
func wrong(key, english string, args ...any) error {
	return &sayError{errRequest, phrase.Of(key, english, args...)}
}
