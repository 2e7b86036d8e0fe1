package sandbox

import (
	"fmt"
	"slices"

	"github.com/souk-dev/souk/sandbox/phrase"
)

// Permission returns the permission that asks for the scope.
func (s Scope) Permission() Permission { return Permission(string(s.Kind) + ":" + s.Target) }

// Validate reports what is wrong with a policy: a scope of another kind than api,
// event or ui, one that is not canonical, given twice or without a sentence. What
// is wrong in a policy grants nothing; Validate is there to say it at the start.
func (p Policy) Validate() error {
	seen := make(map[Permission]bool, len(p.Scopes))
	for _, s := range p.Scopes {
		want := s.Permission()
		switch {
		case !registered(s.Kind):
			return fmt.Errorf("scope %q: kind is not api, event or ui", want)
		case !canonical(want):
			return fmt.Errorf("scope %q is not a canonical permission", want)
		case s.Sentence == "":
			return fmt.Errorf("scope %q has no sentence that says what it allows", want)
		case s.Risk > RiskLow:
			return fmt.Errorf("scope %q: no such risk: %d", want, uint8(s.Risk))
		case seen[want]:
			return fmt.Errorf("scope %q is registered twice", want)
		}
		seen[want] = true
	}
	return nil
}

// registered says whether permissions of this kind exist only where a panel
// registered them.
func registered(k Kind) bool { return k == KindAPI || k == KindEvent || k == KindUI }

// Decide says of each wanted permission whether the plugin has it, with a sentence
// and a risk for people to read. In this order: what the panel does not offer is
// denied; what overlaps Deny is denied; what Allow covers is granted; what the
// given consent covers is granted; the rest needs consent. So a person is asked
// again exactly when something is wanted that nobody agreed to.
//
// It depends on nothing but its arguments.
func (p Policy) Decide(want Set, given Consent) Decision {
	d := Decision{Rulings: make([]Ruling, 0, want.Len())}
	for w := range want.All() {
		d.Rulings = append(d.Rulings, p.rule(w, given))
	}
	return d
}

func (p Policy) rule(w Permission, given Consent) Ruling {
	r := Ruling{Permission: w}
	r.Says, r.Risk = explain(w)
	if registered(w.Kind()) {
		i := slices.IndexFunc(p.Scopes, func(s Scope) bool { return s.Permission() == w })
		if i < 0 {
			r.Says = phrase.Of("permission.absent", "Asks for “{0}”, which this panel does not have.", w.Target())
			return r.because(phrase.Of("ruling.absent", "this panel does not offer it to plugins"))
		}
		r.Risk = p.Scopes[i].Risk
		if p.Scopes[i].Sentence != "" {
			r.Says = phrase.Raw(p.Scopes[i].Sentence)
		}
	}
	for q := range p.Deny.All() {
		if overlaps(q, w) {
			return r.because(phrase.Of("ruling.denied", "the policy of this panel forbids {0}", q))
		}
	}
	switch q := given.Set.coveredBy(w); {
	case p.Allow.covers(w):
		r.Verdict = Granted
		return r.because(phrase.Of("ruling.allowed", "the policy of this panel allows it"))
	case q != "":
		r.Verdict = Granted
		return r.because(agreed(q, w, given))
	}
	r.Verdict = NeedsConsent
	for old := range given.Set.All() {
		if covers(w, old) {
			return r.because(phrase.Of("ruling.partly", "only {0} was agreed to so far", old))
		}
	}
	return r.because(phrase.Of("ruling.open", "nobody has agreed to it yet"))
}

// because completes a ruling with its reason and the English of both phrases.
func (r Ruling) because(why phrase.Phrase) Ruling {
	r.Because, r.Why, r.Sentence = why, why.String(), r.Says.String()
	return r
}

// agreed says who agreed and when: "agreed to by admin on 3 May 2026".
func agreed(to, want Permission, c Consent) phrase.Phrase {
	var part, by, on phrase.Phrase
	if to != want {
		part = phrase.Of("ruling.agreed.part", " as part of {0}", to)
	}
	if c.By != "" {
		by = phrase.Of("ruling.agreed.by", " by {0}", c.By)
	}
	if !c.At.IsZero() {
		on = phrase.Of("ruling.agreed.on", " on {0}", phrase.Day(c.At))
	}
	return phrase.Of("ruling.agreed", "agreed to{0}{1}{2}", part, by, on)
}

// Granted returns what the plugin has: the set a runtime enforces. A ruling on what is
// not canonical counts for nothing.
func (d Decision) Granted() Set {
	var list []Permission
	for _, r := range d.with(Granted) {
		if canonical(r.Permission) { // a Decision may have been read from outside
			list = append(list, r.Permission)
		}
	}
	slices.Sort(list)
	return Set{slices.Compact(list)}
}

// Needs returns the rulings that wait for a person's consent, in order.
func (d Decision) Needs() []Ruling { return d.with(NeedsConsent) }

// Denied returns the rulings on what the plugin cannot have, in order.
func (d Decision) Denied() []Ruling { return d.with(Denied) }

func (d Decision) with(v Verdict) []Ruling {
	var out []Ruling
	for _, r := range d.Rulings {
		if r.Verdict == v {
			out = append(out, r)
		}
	}
	return out
}

// Risk returns the highest risk of all rulings, RiskLow when there are none.
func (d Decision) Risk() Risk {
	risk := RiskLow
	for _, r := range d.Rulings {
		risk = min(risk, r.Risk)
	}
	return risk
}
