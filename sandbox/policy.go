package sandbox

import (
	"fmt"
	"slices"
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
	r.Sentence, r.Risk = explain(w)
	if registered(w.Kind()) {
		i := slices.IndexFunc(p.Scopes, func(s Scope) bool { return s.Permission() == w })
		if i < 0 {
			r.Sentence = "Asks for \u201c" + w.Target() + "\u201d, which this panel does not have."
			r.Why = "this panel does not offer it to plugins"
			return r
		}
		if p.Scopes[i].Sentence != "" {
			r.Sentence = p.Scopes[i].Sentence
		}
		r.Risk = p.Scopes[i].Risk
	}
	for q := range p.Deny.All() {
		if overlaps(q, w) {
			r.Why = fmt.Sprintf("the policy of this panel forbids %s", q)
			return r
		}
	}
	switch q := given.Set.coveredBy(w); {
	case p.Allow.covers(w):
		r.Verdict, r.Why = Granted, "the policy of this panel allows it"
	case q != "":
		r.Verdict, r.Why = Granted, agreed(q, w, given)
	default:
		r.Verdict, r.Why = NeedsConsent, "nobody has agreed to it yet"
		for old := range given.Set.All() {
			if covers(w, old) {
				r.Why = fmt.Sprintf("only %s was agreed to so far", old)
				break
			}
		}
	}
	return r
}

// agreed says who agreed and when: "agreed to by admin on 3 May 2026".
func agreed(to, want Permission, c Consent) string {
	s := "agreed to"
	if to != want {
		s += " as part of " + string(to)
	}
	if c.By != "" {
		s += " by " + c.By
	}
	if !c.At.IsZero() {
		s += " on " + c.At.Format("2 January 2006")
	}
	return s
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
