package resolve

import (
	"slices"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/phrase"
)

// What an explanation shows at most. A proof of a hard puzzle can have thousands of
// steps; nobody reads them, and a page must hold them.
const (
	maxLines    = 120
	maxNodes    = 2000
	maxRuledOut = 20
)

// explain turns the proof into what a person reads.
func (s *solver) explain(suggest bool) *Conflict {
	p := s.prove()
	c := &Conflict{Says: s.summary()}
	c.Summary = c.Says.String()
	w := &writer{p: p, labels: map[int32]int{}, shown: map[int32]bool{}}
	w.write(p.root)
	c.Lines = w.lines
	if w.cut > 0 {
		c.Lines = append(c.Lines, Say(phrase.Of("resolve.more.steps", "... and {0} more steps", w.cut)))
	}
	t := &treeWriter{p: p, labels: w.labels, seen: map[int32]bool{}}
	c.Tree = t.node(p.root)
	var pre []catalog.PluginID
	c.Out, pre = p.ruledOut()
	for _, out := range c.Out {
		c.RuledOut = append(c.RuledOut, out.String())
	}
	if suggest {
		c.Suggestions = s.suggest(p, pre)
	}
	return c
}

// summary says what cannot be done.
func (s *solver) summary() phrase.Phrase {
	var parts []phrase.Phrase
	for _, w := range s.req.Install {
		in := s.inst[w.Plugin]
		v, one := exact(w.Range)
		newer := in != nil && one && catalog.CompareVersions(v, in.Release.Version) > 0
		id, what := string(w.Plugin), ranged(w.Plugin, w.Range)
		switch {
		case in == nil && one:
			parts = append(parts, phrase.Of("resolve.install", "install {0}", id+" "+v))
		case in == nil:
			parts = append(parts, phrase.Of("resolve.install", "install {0}", what))
		case newer:
			parts = append(parts, phrase.Of("resolve.update.to", "update {0} to {1}", id, v))
		case one:
			parts = append(parts, phrase.Of("resolve.change.to", "change {0} to {1}", id, v))
		default:
			parts = append(parts, phrase.Of("resolve.change", "change {0}", what))
		}
	}
	for _, id := range s.req.Update {
		parts = append(parts, phrase.Of("resolve.update", "update {0}", id))
	}
	for _, id := range s.req.Remove {
		parts = append(parts, phrase.Of("resolve.take", "remove {0}", id))
	}
	slices.SortFunc(parts, func(a, b phrase.Phrase) int { return strings.Compare(a.String(), b.String()) })
	parts = slices.CompactFunc(parts, func(a, b phrase.Phrase) bool { return a.String() == b.String() })
	switch {
	case len(parts) == 0 && s.req.Panel != "":
		return phrase.Of("resolve.unfit.panel", "What is installed does not fit together on panel API {0}.", s.req.Panel)
	case len(parts) == 0:
		return phrase.Of("resolve.unfit", "What is installed does not fit together.")
	case len(parts) > maxRuns:
		parts = append(parts[:maxRuns-1:maxRuns-1], phrase.Of("resolve.more", "{0} more", len(parts)-maxRuns+1))
	}
	return phrase.Of("resolve.cannot", "Cannot {0}.", phrase.And(parts))
}

// writer lays a proof out as lines.
type writer struct {
	p      *proof
	lines  []Line
	labels map[int32]int  // learned rule -> number of its conclusion
	shown  map[int32]bool // facts that have a line
	cut    int            // lines left out
}

func (w *writer) add(l Line) {
	if len(w.lines) >= maxLines {
		w.cut++
		return
	}
	w.lines = append(w.lines, l)
}

// write emits the derivation of a learned rule: what it stands on, and what follows.
// An intermediate conclusion gets a line where it is about one plugin, or where more
// than two steps came together; not after each release that is ruled out.
func (w *writer) write(r int32) {
	steps := w.p.s.infos[w.p.s.rules[r].info].steps
	var sum nogood
	since := 0
	for i, st := range steps {
		since += w.premise(st.rule)
		says := w.p.says(st.rule)
		if i == 0 {
			sum = says
		} else {
			sum = w.p.resolve(sum, says, st.pivot)
		}
		last := i == len(steps)-1
		own := w.p.s.rules[st.rule].kind >= kYanked && w.p.s.rules[st.rule].kind <= kPlatform
		if last || since > 0 && i > 0 && !own && (len(sum) == 1 || since > 2) {
			l := Say(phrase.Of("resolve.so", "so {0}", w.p.sentence(sum)))
			l.Depth = 1
			if last && w.p.uses[r] > 1 {
				w.labels[r] = len(w.labels) + 1
				l.Label = w.labels[r]
			}
			w.add(l)
			since = 0
		}
	}
}

// premise emits what a step stands on, and returns how many lines the next
// conclusion draws on.
func (w *writer) premise(r int32) int {
	if w.p.s.rules[r].kind == kLearned {
		if n := w.labels[r]; n > 0 {
			w.add(Say(phrase.Of("resolve.see", "{0}, see ({1})", w.p.sentence(w.p.says(r)), n)))
		} else {
			w.write(r)
		}
		return 1
	}
	if w.shown[r] {
		return 0
	}
	w.shown[r] = true
	w.add(Say(w.p.fact(r)))
	return 1
}

// treeWriter builds the derivation tree. What is used more than once is written out
// once, so the tree is no larger than the proof.
type treeWriter struct {
	p      *proof
	labels map[int32]int
	seen   map[int32]bool
	n      int
}

func (t *treeWriter) node(r int32) *Cause {
	t.n++
	if t.p.s.rules[r].kind != kLearned {
		return &Cause{Text: t.p.fact(r).String()}
	}
	if t.seen[r] || t.n > maxNodes {
		return &Cause{Text: t.p.sentence(t.p.says(r)).String(), Label: t.labels[r], Elsewhere: true}
	}
	t.seen[r] = true
	var at *Cause
	var sum nogood
	for i, st := range t.p.s.infos[t.p.s.rules[r].info].steps {
		n, says := t.node(st.rule), t.p.says(st.rule)
		if i == 0 {
			at, sum = n, says
			continue
		}
		t.n++
		sum = t.p.resolve(sum, says, st.pivot)
		at = &Cause{Text: t.p.sentence(sum).String(), Derived: []*Cause{at, n}}
	}
	if at != nil && at.Derived != nil {
		at.Label = t.labels[r]
	}
	return at
}

// ruledOut names the releases that would have fitted, had they not been excluded for
// a reason of their own, and the plugins where a pre-release would.
func (p *proof) ruledOut() (lines []phrase.Phrase, pre []catalog.PluginID) {
	wanted := map[int32]set{}
	want := func(v int32, in set) {
		if wanted[v] == nil {
			wanted[v] = newSet(len(in))
		}
		wanted[v].or(in)
	}
	for _, r := range p.order {
		switch x := &p.s.rules[r]; {
		case x.src != nil && (x.kind == kNeed || x.kind == kOptional):
			want(p.s.variable(x.src.to), x.src.set.loose)
		case x.kind == kWant:
			for _, w := range p.s.req.Install {
				q := p.s.ix.get(w.Plugin)
				want(p.s.variable(q), p.s.ix.rangeOf(q, w.Range).loose)
			}
		}
	}
	vars := make([]int32, 0, len(wanted))
	for v := range wanted {
		vars = append(vars, v)
	}
	slices.SortFunc(vars, func(a, b int32) int {
		return strings.Compare(string(p.s.vars[a].p.id), string(p.s.vars[b].p.id))
	})
	for _, v := range vars {
		x := &p.s.vars[v]
		why := p.excluded(v)
		for b := range wanted[v].all() {
			name := string(x.p.id) + " " + x.p.release(b).Version
			out, excluded := why[b]
			switch {
			case excluded:
				lines = append(lines, out(name))
			case x.p.pre != nil && x.p.pre.has(b) && (x.opt == nil || !x.opt.has(b)):
				lines = append(lines, phrase.Of("resolve.out.pre", "{0} is a pre-release", name))
				if !slices.Contains(pre, x.p.id) {
					pre = append(pre, x.p.id)
				}
			}
		}
	}
	if n := len(lines); n > maxRuledOut {
		lines = append(lines[:maxRuledOut:maxRuledOut], phrase.Of("resolve.more", "{0} more", n-maxRuledOut))
	}
	return lines, pre
}

// excluded says by bit why a release was excluded: yanked, withdrawn or blocked.
func (p *proof) excluded(v int32) map[int]func(name string) phrase.Phrase {
	why := map[int]func(string) phrase.Phrase{}
	for e := p.s.vars[v].last; e != none; {
		n, _ := p.s.at(e)
		if e < none {
			x := &p.s.rules[n.reason]
			note := quoted(p.s.infos[x.info].note)
			if x.kind == kBlocked {
				note = phrase.Of("resolve.note", " ({0})", p.s.req.reason(p.s.infos[x.info].note))
			}
			says := func(name string) phrase.Phrase {
				switch x.kind {
				case kYanked:
					return phrase.Of("resolve.yanked", "{0} was yanked{1}", name, note)
				case kWithdrawn:
					return phrase.Of("resolve.withdrawn", "{0} was withdrawn{1}", name, note)
				}
				return phrase.Of("resolve.out.blocked", "{0} is blocked{1}", name, note)
			}
			if x.kind == kYanked || x.kind == kWithdrawn || x.kind == kBlocked {
				for b := range p.s.set(p.s.termsOf(n.reason)[0]).all() {
					why[b] = says
				}
			}
		}
		e = n.prev
	}
	return why
}
