package resolve

import (
	"fmt"
	"slices"

	"github.com/souk-dev/souk/catalog"
)

// picked is the solution by plugin.
type picked struct {
	s    *solver
	bits map[catalog.PluginID]int
	ids  []catalog.PluginID // sorted
	need map[catalog.PluginID][]link
	wait map[catalog.PluginID][]catalog.PluginID // what each needs, in order
}

// link says who needs a plugin, and how it says so.
type link struct {
	from catalog.PluginID
	text string
	id   catalog.PluginID // the plugin it names; another one when this stands in for it
}

// resolution reads the solution off the decisions.
func (s *solver) resolution() *Resolution {
	p := &picked{s: s, bits: map[catalog.PluginID]int{},
		need: map[catalog.PluginID][]link{}, wait: map[catalog.PluginID][]catalog.PluginID{}}
	for _, v := range s.chosen {
		if x := &s.vars[v]; x.chosen != absent {
			p.bits[x.p.id] = int(x.chosen)
			p.ids = append(p.ids, x.p.id)
		}
	}
	slices.Sort(p.ids)
	p.link()
	if !s.req.KeepOrphans {
		p.dropOrphans()
	}
	res := &Resolution{}
	for _, id := range p.order() {
		res.Chosen = append(res.Chosen, p.describe(id))
	}
	installed := make([]catalog.PluginID, 0, len(s.inst))
	for id := range s.inst {
		installed = append(installed, id)
	}
	slices.Sort(installed)
	for _, id := range installed {
		if p.bits[id] == 0 {
			res.Removed = append(res.Removed, Removed{s.inst[id].Release, p.whyGone(id)})
		}
	}
	res.Warnings = p.warnings()
	return res
}

func (p *picked) variable(id catalog.PluginID) *variable {
	return &p.s.vars[p.s.variable(p.s.ix.get(id))]
}

func (p *picked) release(id catalog.PluginID) *catalog.Release {
	return p.variable(id).p.release(p.bits[id])
}

// link finds out who needs whom.
func (p *picked) link() {
	for _, from := range p.ids {
		x := p.variable(from)
		for _, q := range p.s.ix.requirements(x.p, p.bits[from]) {
			if q.kind != kNeed {
				continue
			}
			to := q.to.id
			v := p.s.variable(q.to)
			if b := p.bits[to]; b == 0 || !p.s.allowed(v, q.set.plain, q.set.loose).has(b) {
				for _, a := range q.alts {
					w := p.s.variable(a.p)
					if b := p.bits[a.p.id]; b != 0 && p.s.allowed(w, a.plain, a.loose).has(b) {
						to = a.p.id
						break
					}
				}
			}
			if to == from {
				continue
			}
			p.need[to] = append(p.need[to], link{from, q.text, q.to.id})
			if !slices.Contains(p.wait[from], to) {
				p.wait[from] = append(p.wait[from], to)
			}
		}
		slices.Sort(p.wait[from])
	}
}

// dropOrphans leaves out what was decided because it is installed, but nothing needs.
func (p *picked) dropOrphans() {
	needed := map[catalog.PluginID]bool{}
	var visit func(id catalog.PluginID)
	visit = func(id catalog.PluginID) {
		if needed[id] {
			return
		}
		needed[id] = true
		for _, d := range p.wait[id] {
			visit(d)
		}
	}
	for _, id := range p.ids {
		if in := p.s.inst[id]; p.wanted(id) || in != nil && (in.Root || in.Pin || in.Hold != "") {
			visit(id)
		}
	}
	for _, in := range p.s.inst { // what stands in for a root that is gone
		if in.Root && p.bits[in.Release.Plugin] == 0 {
			if by := p.successor(in.Release); by != "" {
				visit(by)
			}
		}
	}
	p.ids = slices.DeleteFunc(p.ids, func(id catalog.PluginID) bool { return !needed[id] })
	for id := range p.bits {
		if !needed[id] {
			delete(p.bits, id)
			delete(p.need, id)
		}
	}
	for id, ls := range p.need {
		p.need[id] = slices.DeleteFunc(ls, func(l link) bool { return !needed[l.from] })
	}
}

// successor returns the first chosen plugin that replaces a release.
func (p *picked) successor(old catalog.Release) catalog.PluginID {
	x := p.variable(old.Plugin)
	for _, a := range p.s.ix.replacements(x.p, int(x.inst)) {
		if b := p.bits[a.p.id]; b != 0 && a.loose.has(b) {
			return a.p.id
		}
	}
	return ""
}

// order puts dependencies before dependants, otherwise by id.
func (p *picked) order() []catalog.PluginID {
	out := make([]catalog.PluginID, 0, len(p.ids))
	seen := make(map[catalog.PluginID]bool, len(p.ids))
	var visit func(id catalog.PluginID)
	visit = func(id catalog.PluginID) {
		if seen[id] {
			return
		}
		seen[id] = true
		for _, d := range p.wait[id] {
			visit(d)
		}
		out = append(out, id)
	}
	for _, id := range p.ids {
		visit(id)
	}
	return out
}

func (p *picked) wanted(id catalog.PluginID) bool {
	return slices.ContainsFunc(p.s.req.Install, func(w Want) bool { return w.Plugin == id })
}

func (p *picked) describe(id catalog.PluginID) Chosen {
	in := p.s.inst[id]
	c := Chosen{Release: *p.release(id), Root: p.wanted(id) || in != nil && in.Root}
	for _, l := range p.need[id] {
		if len(c.NeededBy) == 0 || c.NeededBy[len(c.NeededBy)-1] != l.from {
			c.NeededBy = append(c.NeededBy, l.from)
		}
	}
	if in != nil {
		c.From = in.Release.Version
	}
	c.Why = p.why(id, in, c)
	return c
}

// why says in a sentence why a release is there.
func (p *picked) why(id catalog.PluginID, in *Installed, c Chosen) string {
	moved := in != nil && c.From != c.Release.Version
	switch {
	case p.wanted(id):
		return "you asked for it"
	case moved && slices.Contains(p.s.req.Update, id):
		return "you asked for its update"
	case moved:
		if why := p.whyMoved(id, c.From); why != "" {
			return why
		}
	case in != nil && in.Pin:
		return held("pinned", in.Hold)
	case in != nil && in.Hold != "":
		return held("held", in.Hold)
	case in != nil && in.Root:
		return "you installed it"
	}
	if ls := p.need[id]; len(ls) > 0 {
		return p.needs(id, ls[0])
	}
	if in != nil {
		return "it is installed"
	}
	return p.standsIn(id)
}

func held(how, why string) string {
	if why == "" {
		return "it is " + how
	}
	return "it is " + how + ": " + why
}

func (p *picked) needs(id catalog.PluginID, l link) string {
	s := fmt.Sprintf("%s %s needs ", l.from, p.release(l.from).Version)
	switch {
	case l.id != id && l.text == "":
		return s + string(l.id)
	case l.id != id:
		return s + string(l.id) + " " + l.text
	case l.text == "":
		return s + "it"
	}
	return s + l.text
}

// whyMoved names what speaks against the version that was installed.
func (p *picked) whyMoved(id catalog.PluginID, from string) string {
	x := p.variable(id)
	old := x.p.bitOf(from)
	for _, l := range p.need[id] {
		if rs := p.s.ix.rangeOf(x.p, l.text); l.id == id && old != 0 && !rs.loose.has(old) {
			return p.needs(id, l)
		}
	}
	for _, other := range p.ids {
		for _, q := range p.s.ix.requirements(p.variable(other).p, p.bits[other]) {
			if q.to.id == id && q.kind != kNeed && old != 0 && q.set.loose.has(old) != (q.kind == kOptional) {
				return fmt.Sprintf("%s %s does not go with %s", other, p.release(other).Version, from)
			}
		}
	}
	for _, g := range x.p.panels {
		if old != 0 && g.in.has(old) && p.s.req.Panel != "" && !p.s.panelFit(g.text) {
			return fmt.Sprintf("%s supports panel API %s, and this panel offers %s", from, g.text, p.s.req.Panel)
		}
	}
	return fmt.Sprintf("%s no longer fits", from)
}

// standsIn names the plugin that id replaces.
func (p *picked) standsIn(id catalog.PluginID) string {
	for _, r := range p.release(id).Manifest.Replaces {
		if p.s.inst[r.ID] != nil && p.bits[r.ID] == 0 {
			return "it replaces " + string(r.ID)
		}
	}
	return "it is needed"
}

// whyGone says why an installed plugin is not part of the solution.
func (p *picked) whyGone(id catalog.PluginID) string {
	if slices.Contains(p.s.req.Remove, id) {
		return "you asked for it"
	}
	for _, by := range p.ids {
		for _, r := range p.release(by).Manifest.Replaces {
			if r.ID == id {
				return string(by) + " replaces it"
			}
		}
	}
	return "nothing needs it any more"
}

func (p *picked) warnings() []string {
	var out []string
	for _, id := range p.ids {
		r := p.release(id)
		text := fmt.Sprintf("%s %s", id, r.Version)
		switch r.State {
		case catalog.Yanked, catalog.Withdrawn:
			out = append(out, because(text+" was "+string(r.State), r.Reason))
		case catalog.Active:
		}
		if p.s.req.Blocked != nil {
			if why := p.s.req.Blocked(*r); why != "" {
				out = append(out, text+" is blocked: "+why)
			}
		}
		if in := p.s.inst[id]; in != nil && in.Pin && slices.Contains(p.s.req.Update, id) {
			out = append(out, because(fmt.Sprintf("%s is pinned at %s and was not updated", id, r.Version), in.Hold))
		}
	}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(p.s.req.Remove))) {
		if p.s.inst[id] == nil {
			out = append(out, fmt.Sprintf("%s is not installed", id))
		}
	}
	return out
}

// because appends a reason, if there is one.
func because(s, reason string) string {
	if reason == "" {
		return s
	}
	return s + ": " + reason
}
