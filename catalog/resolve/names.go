package resolve

import (
	"fmt"
	"strings"

	"github.com/souk-dev/souk/catalog"
)

// maxRuns is how many separate runs of versions a sentence lists before it counts.
const maxRuns = 4

// name returns "acme/billing 2.0.0-2.1.0": a set of releases by the versions that are
// known. Releases that could not be chosen anyway do not break a run; a set of all
// that could is the plugin as such.
func (p *proof) name(v int32, in set) string {
	x := &p.s.vars[v]
	moot := p.moot(v)
	core := in.minus(moot)
	core.drop(absent)
	if core.empty() { // nothing but those: then they are what it is about
		moot = newSet(x.p.w)
	} else if able := x.p.full.minus(moot); core.count() > 1 && able.count() == core.count()+1 {
		return string(x.p.id) // all there is, but for "not installed"
	}
	var runs []string
	for b := len(x.p.ver); b >= 1; b-- { // oldest first
		if !in.has(b) {
			continue
		}
		last := b
		for c := b - 1; c >= 1 && (in.has(c) || moot.has(c)); c-- {
			if in.has(c) {
				last = c
			}
		}
		runs = append(runs, span(x.p.release(b).Version, x.p.release(last).Version))
		b = last
	}
	switch {
	case len(runs) == 0:
		return string(x.p.id)
	case len(runs) > maxRuns:
		return fmt.Sprintf("%s %s and %d more", x.p.id, strings.Join(runs[:maxRuns-1], ", "), len(runs)-maxRuns+1)
	}
	return string(x.p.id) + " " + list(runs, "or")
}

// moot returns the releases that could not be chosen whatever else is: excluded by a
// fact of their own, or pre-releases that nobody opted in to.
func (p *proof) moot(v int32) set {
	x := &p.s.vars[v]
	m := newSet(x.p.w)
	if x.p.pre != nil {
		m.or(x.p.pre)
		if x.opt != nil {
			m.not(x.opt)
		}
	}
	for e := x.last; e != none; {
		n, _ := p.s.at(e)
		if k := p.s.rules[max(n.reason, 0)].kind; e < none && k >= kYanked && k <= kPlatform {
			m.or(p.s.set(p.s.termsOf(n.reason)[0]))
		}
		e = n.prev
	}
	return m
}

func span(from, to string) string {
	switch {
	case from == to:
		return from
	case strings.Contains(from+to, "-"):
		return from + " to " + to
	}
	return from + "-" + to
}

// list joins words as a sentence does.
func list(words []string, and string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " " + and + " " + words[last]
}

// ranged returns "acme/billing >=2.0", a range as its author wrote it.
func ranged(id catalog.PluginID, text string) string {
	if text == "" || text == "*" {
		return string(id)
	}
	return string(id) + " " + text
}

// missing says why a range has nothing to offer, if that is so.
func missing(q *pkg, rs *rangeSet) string {
	switch {
	case rs.bad:
		return ", which is not a valid range"
	case len(q.ver) == 0:
		return ", which is not known here"
	case rs.loose.empty():
		return ", and there is no such version"
	case rs.plain.empty():
		return ", and there are only pre-releases of it"
	}
	return ""
}

// fact returns the sentence of a fact.
func (p *proof) fact(r int32) string {
	x := &p.s.rules[r]
	if x.src != nil {
		return p.requirement(x.src)
	}
	note := p.s.infos[x.info].note
	if x.n == 0 {
		return p.unknownWant()
	}
	t := p.s.termsOf(r)[0]
	id, q := p.s.vars[t.v].p.id, p.s.vars[t.v].p
	version := func() string {
		if in := p.s.inst[id]; in != nil {
			return in.Release.Version
		}
		return ""
	}
	switch x.kind {
	case kWant:
		return "you ask for " + ranged(id, note) + missing(q, p.s.ix.rangeOf(q, note))
	case kRoot:
		return fmt.Sprintf("you have %s installed", id)
	case kHold:
		return quoted(fmt.Sprintf("you HOLD %s at %s", id, version()), note)
	case kPin:
		return quoted(fmt.Sprintf("%s is pinned at %s", id, version()), note)
	case kRemove:
		return fmt.Sprintf("you ask to remove %s", id)
	case kYanked:
		return quoted(p.name(t.v, p.s.set(t))+" was yanked", note)
	case kWithdrawn:
		return quoted(p.name(t.v, p.s.set(t))+" was withdrawn", note)
	case kBlocked:
		return p.name(t.v, p.s.set(t)) + " is blocked: " + note
	case kPanel:
		return fmt.Sprintf("%s supports panel API %s only; this panel offers %s", p.name(t.v, p.s.set(t)), note, p.s.req.Panel)
	case kPlatform:
		return fmt.Sprintf("%s runs on %s only; this is %s", p.name(t.v, p.s.set(t)), note, p.s.req.Platform)
	}
	return p.sentence(p.says(r))
}

// unknownWant names the first plugin asked for that has nothing to offer.
func (p *proof) unknownWant() string {
	for _, w := range p.s.req.Install {
		q := p.s.ix.get(w.Plugin)
		rs := p.s.ix.rangeOf(q, w.Range)
		if m := missing(q, rs); m != "" {
			return "you ask for " + ranged(w.Plugin, w.Range) + m
		}
	}
	return "what you ask for is not known here"
}

func quoted(s, note string) string {
	if note == "" {
		return s
	}
	return fmt.Sprintf("%s (%s)", s, note)
}

// requirement returns the sentence of what releases say about another plugin.
func (p *proof) requirement(q *requirement) string {
	from := p.name(p.s.variable(q.from), q.in)
	to := ranged(q.to.id, q.text)
	switch q.kind {
	case kOptional:
		return fmt.Sprintf("%s works only with %s, when that is installed", from, to)
	case kConflict:
		return fmt.Sprintf("%s conflicts with %s", from, to)
	case kReplace:
		return fmt.Sprintf("%s replaces %s, so that only one of the two can be there", from, to)
	}
	s := fmt.Sprintf("%s needs %s", from, to)
	if len(q.alts) == 0 {
		return s + missing(q.to, &q.set)
	}
	var alts []string
	for _, a := range q.alts {
		alts = append(alts, string(a.p.id))
	}
	return s + " (or " + list(alts, "or") + ", which can stand in for it)"
}

// sentence says what a derived nogood means.
func (p *proof) sentence(n nogood) string {
	var have, need []string
	none, stay := false, false
	for _, m := range n {
		q := p.s.vars[m.v].p
		if m.in.has(absent) {
			need = append(need, p.name(m.v, q.full.minus(m.in)))
			continue
		}
		s := p.name(m.v, m.in)
		none = s == string(q.id) && len(q.ver) > 1
		inst := int(p.s.vars[m.v].inst)
		stay = inst != 0 && m.in.has(inst) && m.in.count() == 1
		have = append(have, s)
	}
	switch {
	case len(n) == 0:
		return "this cannot be done"
	case len(have) == 0:
		return list(need, "or") + " has to be there"
	case len(need) > 0 && len(have) == 1:
		return have[0] + " needs " + list(need, "or")
	case len(need) > 0:
		return list(have, "and") + " together need " + list(need, "or")
	case len(have) > 1:
		return list(have, "and") + " cannot be installed together"
	case stay:
		return have[0] + " cannot stay"
	case none:
		return "no version of " + have[0] + " can be installed"
	}
	return have[0] + " cannot be installed"
}
