package resolve

import (
	"cmp"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/phrase"
)

// picked is the solution. Plugins are numbered in order of their ids.
type picked struct {
	s    *solver
	list []int32            // variables
	ids  []catalog.PluginID // by number, and so are the next two
	rels []*catalog.Release
	ask  []bool             // whether it was asked for by name
	pos  []int32            // variable -> number+1; 0: not chosen
	need [][]link           // to each, in order of who needs it
	wait [][]link           // from each, in order of what it needs
	room []catalog.PluginID // for the NeededBy of all
}

// link says who needs a plugin, and how it says so.
type link struct {
	from, to int32
	req      *requirement
}

// resolution reads the solution off the decisions.
func (s *solver) resolution() *Resolution {
	p := &picked{s: s}
	p.number(s.chosen)
	if !s.req.KeepOrphans {
		p.dropOrphans()
	}
	res := &Resolution{Chosen: make([]Chosen, len(p.list))}
	for at, i := range p.order() {
		p.describe(i, &res.Chosen[at])
	}
	installed := make([]catalog.PluginID, 0, len(s.inst))
	for id := range s.inst {
		installed = append(installed, id)
	}
	slices.Sort(installed)
	for _, id := range installed {
		if p.find(id) < 0 {
			why := p.whyGone(id)
			res.Removed = append(res.Removed, Removed{s.inst[id].Release, why.String(), why})
		}
	}
	res.Cautions = p.warnings()
	for _, w := range res.Cautions {
		res.Warnings = append(res.Warnings, w.String())
	}
	return res
}

func (p *picked) variable(i int32) *variable       { return &p.s.vars[p.list[i]] }
func (p *picked) id(i int32) catalog.PluginID      { return p.ids[i] }
func (p *picked) release(i int32) *catalog.Release { return p.rels[i] }

// find returns the number of a plugin, or -1.
func (p *picked) find(id catalog.PluginID) int32 { return p.has(p.s.ix.get(id)) }

func (p *picked) has(q *pkg) int32 {
	if v := p.s.known(q); v >= 0 && int(v) < len(p.pos) {
		return p.pos[v] - 1
	}
	return -1
}

// within returns the number of a plugin if its chosen release is in a set, or -1.
func (p *picked) within(q *pkg, plain, loose set) int32 {
	i := p.has(q)
	if i < 0 || !p.s.allowed(p.list[i], plain, loose).has(int(p.variable(i).chosen)) {
		return -1
	}
	return i
}

// number gives variables their numbers, and finds out who needs whom.
func (p *picked) number(list []int32) {
	type named struct {
		id catalog.PluginID
		v  int32
	}
	byID := make([]named, len(list))
	for i, v := range list {
		byID[i] = named{p.s.vars[v].p.id, v}
	}
	slices.SortFunc(byID, func(a, b named) int { return cmp.Compare(a.id, b.id) })
	p.list, p.ids = make([]int32, len(list)), make([]catalog.PluginID, len(list))
	p.rels, p.ask = make([]*catalog.Release, len(list)), make([]bool, len(list))
	p.pos = make([]int32, len(p.s.vars))
	for i, x := range byID {
		p.list[i], p.ids[i] = x.v, x.id
		p.pos[x.v] = int32(i + 1)
	}
	for _, v := range list { // in the order of decisions, as they lie
		x := &p.s.vars[v]
		p.rels[p.pos[v]-1] = x.p.release(int(x.chosen))
	}
	for id, w := range p.s.opts {
		if i := p.find(id); i >= 0 && w.named != nil {
			p.ask[i] = true
		}
	}
	links := p.links(list)
	links, p.wait = sortedBy(len(list), links, func(l *link) int32 { return l.from })
	for _, ls := range p.wait {
		slices.SortStableFunc(ls, func(a, b link) int { return int(a.to) - int(b.to) })
	}
	links, p.need = sortedBy(len(list), links, func(l *link) int32 { return l.to })
	p.room = make([]catalog.PluginID, 0, len(links))
}

// sortedBy sorts links by a number below n, and returns those of each number, too.
func sortedBy(n int, links []link, by func(*link) int32) (sorted []link, of [][]link) {
	ends := make([]int32, n+1)
	for i := range links {
		ends[by(&links[i])+1]++
	}
	for i := range n {
		ends[i+1] += ends[i]
	}
	sorted, of = make([]link, len(links)), make([][]link, n)
	for i := range of {
		of[i] = sorted[ends[i]:ends[i+1]:ends[i+1]]
	}
	for i := range links {
		k := by(&links[i])
		sorted[ends[k]] = links[i]
		ends[k]++
	}
	return sorted, of
}

// links returns who of the list needs whom.
func (p *picked) links(list []int32) []link {
	out := make([]link, 0, len(p.s.agenda))
	for _, v := range list {
		from := p.pos[v] - 1
		x := &p.s.vars[v]
		for _, q := range p.s.ix.requirements(x.p, int(x.chosen)) {
			if q.kind != kNeed {
				continue
			}
			to := p.within(q.to, q.set.plain, q.set.loose)
			for k := 0; to < 0 && k < len(q.alts); k++ {
				to = p.within(q.alts[k].p, q.alts[k].plain, q.alts[k].loose)
			}
			if to < 0 || to == from {
				continue
			}
			out = append(out, link{from, to, q})
		}
	}
	return out
}

// dropOrphans leaves out what was decided because it is installed, but nothing needs.
func (p *picked) dropOrphans() {
	needed := make([]bool, len(p.list))
	var visit func(i int32)
	visit = func(i int32) {
		if needed[i] {
			return
		}
		needed[i] = true
		for _, l := range p.wait[i] {
			visit(l.to)
		}
	}
	for i := range p.list {
		id := p.id(int32(i))
		if in := p.s.inst[id]; p.ask[i] || in != nil && (in.Root || in.Pin || in.Hold != "") {
			visit(int32(i))
		}
	}
	for _, in := range p.s.inst { // what stands in for a root that is gone
		if in.Root && p.find(in.Release.Plugin) < 0 {
			if by := p.successor(in.Release); by >= 0 {
				visit(by)
			}
		}
	}
	if !slices.Contains(needed, false) {
		return
	}
	var left []int32
	for i, v := range p.list {
		if needed[i] {
			left = append(left, v)
		}
	}
	p.number(left)
}

// successor returns the first chosen plugin that replaces a release, or -1.
func (p *picked) successor(old catalog.Release) int32 {
	q := p.s.ix.get(old.Plugin)
	for _, a := range p.s.ix.replacements(q, q.bitOf(old.Version)) {
		if i := p.within(a.p, a.loose, a.loose); i >= 0 {
			return i
		}
	}
	return -1
}

// order puts dependencies before dependants, otherwise by id.
func (p *picked) order() []int32 {
	out := make([]int32, 0, len(p.list))
	seen := make([]bool, len(p.list))
	var visit func(i int32)
	visit = func(i int32) {
		if seen[i] {
			return
		}
		seen[i] = true
		for _, l := range p.wait[i] {
			visit(l.to)
		}
		out = append(out, i)
	}
	for i := range p.list {
		visit(int32(i))
	}
	return out
}

func (p *picked) describe(i int32, c *Chosen) {
	id := p.id(i)
	in := p.s.inst[id]
	c.Release, c.Root = *p.release(i), p.ask[i] || in != nil && in.Root
	first, before := len(p.room), int32(-1)
	for _, l := range p.need[i] {
		if l.from != before {
			p.room = append(p.room, p.id(l.from))
			before = l.from
		}
	}
	c.NeededBy = p.room[first:len(p.room):len(p.room)]
	if in != nil {
		c.From = in.Release.Version
	}
	c.Because = p.why(i, in, c)
	c.Why = c.Because.String()
}

// why says in a sentence why a release is there.
func (p *picked) why(i int32, in *Installed, c *Chosen) phrase.Phrase {
	moved := in != nil && c.From != c.Release.Version
	switch {
	case p.ask[i]:
		return phrase.Of("resolve.because.asked", "you asked for it")
	case moved && p.variable(i).moving:
		return phrase.Of("resolve.because.update", "you asked for its update")
	case moved:
		return p.whyMoved(i, c.From)
	case in != nil && in.Pin:
		return phrase.Of("resolve.because.pinned", "it is pinned{0}", in.heldFor())
	case in != nil && in.Hold != "":
		return phrase.Of("resolve.because.held", "it is held{0}", in.heldFor())
	case in != nil && in.Root:
		return phrase.Of("resolve.because.root", "you installed it")
	}
	if ls := p.need[i]; len(ls) > 0 {
		return p.needs(ls[0])
	}
	if in != nil {
		return phrase.Of("resolve.because.installed", "it is installed")
	}
	return p.standsIn(i)
}

// heldFor is the reason of a hold behind a sentence, if there is one.
func (in *Installed) heldFor() phrase.Phrase {
	switch {
	case !in.Held.IsZero():
		return phrase.Of("resolve.colon", ": {0}", in.Held)
	case in.Hold != "":
		return phrase.Raw(": " + in.Hold)
	}
	return phrase.Phrase{}
}

func (p *picked) needs(l link) phrase.Phrase {
	from := string(p.id(l.from)) + " " + p.release(l.from).Version
	what := l.req.text
	switch {
	case p.ids[l.to] != l.req.to.id:
		what = ranged(l.req.to.id, l.req.text)
	case what == "":
		return phrase.Texts("resolve.because.needed.it", "{0} needs it", from)
	}
	return phrase.Texts("resolve.because.needed", "{0} needs {1}", from, what)
}

// whyMoved names what speaks against the version that was installed.
func (p *picked) whyMoved(i int32, from string) phrase.Phrase {
	x := p.variable(i)
	old := int(x.inst)
	for _, l := range p.need[i] {
		if l.req.to == x.p && !l.req.set.loose.has(old) {
			return p.needs(l)
		}
	}
	for j := range p.list {
		other := p.variable(int32(j))
		for _, q := range p.s.ix.requirements(other.p, int(other.chosen)) {
			if q.to == x.p && q.kind != kNeed && q.set.loose.has(old) != (q.kind == kOptional) {
				return phrase.Of("resolve.because.clash", "{0} does not go with {1}", string(other.p.id)+" "+p.release(int32(j)).Version, from)
			}
		}
	}
	for _, g := range x.p.panels {
		if g.in.has(old) && p.s.req.Panel != "" && !p.s.panelFit(g.text) {
			return phrase.Of("resolve.because.panel", "{0} supports panel API {1}, and this panel offers {2}", from, g.text, p.s.req.Panel)
		}
	}
	return phrase.Of("resolve.because.rest", "{0} does not go with what else is there", from)
}

// standsIn names the plugin that one replaces.
func (p *picked) standsIn(i int32) phrase.Phrase {
	for _, r := range p.release(i).Manifest.Replaces {
		if p.s.inst[r.ID] != nil && p.find(r.ID) < 0 {
			return phrase.Of("resolve.because.replaces", "it replaces {0}", r.ID)
		}
	}
	return phrase.Of("resolve.because.must", "it is needed")
}

// whyGone says why an installed plugin is not part of the solution.
func (p *picked) whyGone(id catalog.PluginID) phrase.Phrase {
	if slices.Contains(p.s.req.Remove, id) {
		return phrase.Of("resolve.because.asked", "you asked for it")
	}
	if by := p.successor(p.s.inst[id].Release); by >= 0 {
		return phrase.Of("resolve.because.replaced", "{0} replaces it", p.id(by))
	}
	return phrase.Of("resolve.because.orphan", "nothing needs it any more")
}

func (p *picked) warnings() []phrase.Phrase {
	var out []phrase.Phrase
	for i := range p.list {
		r := p.release(int32(i))
		id := r.Plugin
		if r.State == catalog.Active && p.s.req.Blocked == nil && p.s.inst[id] == nil {
			continue
		}
		name := string(id) + " " + r.Version
		switch r.State {
		case catalog.Yanked:
			out = append(out, phrase.Of("resolve.yanked", "{0} was yanked{1}", name, because(r.Reason)))
		case catalog.Withdrawn:
			out = append(out, phrase.Of("resolve.withdrawn", "{0} was withdrawn{1}", name, because(r.Reason)))
		case catalog.Active:
		}
		if p.s.req.Blocked != nil {
			if why := p.s.req.Blocked(*r); why != "" {
				out = append(out, phrase.Of("resolve.blocked", "{0} is blocked: {1}", name, p.s.req.reason(why)))
			}
		}
		if in := p.s.inst[id]; in != nil && in.Pin && slices.Contains(p.s.req.Update, id) {
			out = append(out, phrase.Of("resolve.stayed", "{0} is pinned at {1} and was not updated{2}", id, r.Version, in.heldFor()))
		}
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(p.s.req.Remove))) {
		if p.s.inst[id] == nil {
			out = append(out, phrase.Of("resolve.absent", "{0} is not installed", id))
		}
	}
	return out
}

// because is a reason behind a sentence, if there is one.
func because(reason string) phrase.Phrase {
	if reason == "" {
		return phrase.Phrase{}
	}
	return phrase.Raw(": " + reason)
}
