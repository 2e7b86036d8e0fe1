package resolve

import (
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/phrase"
)

// maxRuns is how many separate runs of versions a sentence lists before it counts.
const maxRuns = 4

// name returns "acme/billing 2.0.0-2.1.0": a set of releases by the versions that are
// known. Releases that could not be chosen anyway do not break a run; a set of all
// that could is the plugin as such.
func (p *proof) name(v int32, in set) phrase.Phrase {
	x := &p.s.vars[v]
	moot := p.moot(v)
	core := in.minus(moot)
	core.drop(absent)
	if core.empty() { // nothing but those: then they are what it is about
		moot = newSet(x.p.w)
	} else if able := x.p.full.minus(moot); core.count() > 1 && able.count() == core.count()+1 {
		return phrase.Raw(string(x.p.id)) // all there is, but for "not installed"
	}
	var runs []phrase.Phrase
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
		return phrase.Raw(string(x.p.id))
	case len(runs) > maxRuns:
		return phrase.Of("resolve.versions.more", "{0} {1} and {2} more", x.p.id, phrase.Commas(runs[:maxRuns-1]), len(runs)-maxRuns+1)
	}
	return phrase.Of("resolve.versions", "{0} {1}", x.p.id, phrase.Or(runs))
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

func span(from, to string) phrase.Phrase {
	switch {
	case from == to:
		return phrase.Raw(from)
	case strings.Contains(from+to, "-"):
		return phrase.Of("resolve.versions.span", "{0} to {1}", from, to)
	}
	return phrase.Raw(from + "-" + to)
}

// ranged returns "acme/billing >=2.0", a range as its author wrote it.
func ranged(id catalog.PluginID, text string) string {
	if text == "" || text == "*" {
		return string(id)
	}
	return string(id) + " " + text
}

// missing says why a range has nothing to offer, if that is so.
func missing(q *pkg, rs *rangeSet) phrase.Phrase {
	switch {
	case rs.bad:
		return phrase.Of("resolve.missing.range", ", which is not a valid range")
	case len(q.ver) == 0:
		return phrase.Of("resolve.missing.plugin", ", which is not known here")
	case rs.loose.empty():
		return phrase.Of("resolve.missing.version", ", and there is no such version")
	case rs.plain.empty():
		return phrase.Of("resolve.missing.pre", ", and there are only pre-releases of it")
	}
	return phrase.Phrase{}
}

// fact returns the sentence of a fact.
func (p *proof) fact(r int32) phrase.Phrase {
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
	version, held := "", quoted(note)
	if in := p.s.inst[id]; in != nil {
		version = in.Release.Version
		if !in.Held.IsZero() {
			held = phrase.Of("resolve.note", " ({0})", in.Held)
		}
	}
	switch x.kind {
	case kWant:
		return phrase.Of("resolve.want", "you ask for {0}{1}", ranged(id, note), missing(q, p.s.ix.rangeOf(q, note)))
	case kRoot:
		return phrase.Of("resolve.root", "you have {0} installed", id)
	case kHold:
		return phrase.Of("resolve.hold", "you HOLD {0} at {1}{2}", id, version, held)
	case kPin:
		return phrase.Of("resolve.pin", "{0} is pinned at {1}{2}", id, version, held)
	case kRemove:
		return phrase.Of("resolve.remove", "you ask to remove {0}", id)
	case kYanked:
		return phrase.Of("resolve.yanked", "{0} was yanked{1}", p.name(t.v, p.s.set(t)), quoted(note))
	case kWithdrawn:
		return phrase.Of("resolve.withdrawn", "{0} was withdrawn{1}", p.name(t.v, p.s.set(t)), quoted(note))
	case kBlocked:
		return phrase.Of("resolve.blocked", "{0} is blocked: {1}", p.name(t.v, p.s.set(t)), p.s.req.reason(note))
	case kPanel:
		return phrase.Of("resolve.panel", "{0} supports panel API {1} only; this panel offers {2}", p.name(t.v, p.s.set(t)), note, p.s.req.Panel)
	case kPlatform:
		return phrase.Of("resolve.platform", "{0} runs on {1} only; this is {2}", p.name(t.v, p.s.set(t)), note, p.s.req.Platform)
	}
	return p.sentence(p.says(r))
}

// unknownWant names the first plugin asked for that has nothing to offer.
func (p *proof) unknownWant() phrase.Phrase {
	for _, w := range p.s.req.Install {
		q := p.s.ix.get(w.Plugin)
		rs := p.s.ix.rangeOf(q, w.Range)
		if m := missing(q, rs); !m.IsZero() {
			return phrase.Of("resolve.want", "you ask for {0}{1}", ranged(w.Plugin, w.Range), m)
		}
	}
	return phrase.Of("resolve.want.unknown", "what you ask for is not known here")
}

// reason is why something is blocked.
func (r *Request) reason(why string) phrase.Phrase {
	if r.Say == nil {
		return phrase.Raw(why)
	}
	return r.Say(why)
}

// quoted returns what somebody wrote as a remark behind a sentence, if there is something.
func quoted(note string) phrase.Phrase {
	if note == "" {
		return phrase.Phrase{}
	}
	return phrase.Raw(" (" + note + ")")
}

// requirement returns the sentence of what releases say about another plugin.
func (p *proof) requirement(q *requirement) phrase.Phrase {
	from := p.name(p.s.variable(q.from), q.in)
	to := ranged(q.to.id, q.text)
	switch q.kind {
	case kOptional:
		return phrase.Of("resolve.optional", "{0} works only with {1}, when that is installed", from, to)
	case kConflict:
		return phrase.Of("resolve.conflicts", "{0} conflicts with {1}", from, to)
	case kReplace:
		return phrase.Of("resolve.replaces", "{0} replaces {1}, so that only one of the two can be there", from, to)
	}
	if len(q.alts) == 0 {
		return phrase.Of("resolve.needs", "{0} needs {1}{2}", from, to, missing(q.to, &q.set))
	}
	var alts []string
	for _, a := range q.alts {
		alts = append(alts, string(a.p.id))
	}
	return phrase.Of("resolve.needs.or", "{0} needs {1} (or {2}, which can stand in for it)", from, to, phrase.Or(alts))
}

// sentence says what a derived nogood means.
func (p *proof) sentence(n nogood) phrase.Phrase {
	var have, need []phrase.Phrase
	none, stay := false, false
	for _, m := range n {
		q := p.s.vars[m.v].p
		if m.in.has(absent) {
			need = append(need, p.name(m.v, q.full.minus(m.in)))
			continue
		}
		s := p.name(m.v, m.in)
		none = s.String() == string(q.id) && len(q.ver) > 1
		inst := int(p.s.vars[m.v].inst)
		stay = inst != 0 && m.in.has(inst) && m.in.count() == 1
		have = append(have, s)
	}
	switch {
	case len(n) == 0:
		return phrase.Of("resolve.dead", "this cannot be done")
	case len(have) == 0:
		return phrase.Of("resolve.must", "{0} has to be there", phrase.Or(need))
	case len(need) > 0 && len(have) == 1:
		return phrase.Of("resolve.wants", "{0} needs {1}", have[0], phrase.Or(need))
	case len(need) > 0:
		return phrase.Of("resolve.want.together", "{0} together need {1}", phrase.And(have), phrase.Or(need))
	case len(have) > 1:
		return phrase.Of("resolve.apart", "{0} cannot be installed together", phrase.And(have))
	case stay:
		return phrase.Of("resolve.goes", "{0} cannot stay", have[0])
	case none:
		return phrase.Of("resolve.none", "no version of {0} can be installed", have[0])
	}
	return phrase.Of("resolve.not", "{0} cannot be installed", have[0])
}
