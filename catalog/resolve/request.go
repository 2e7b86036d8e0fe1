package resolve

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/souk-dev/souk/catalog"
)

// newSolver checks a request and prepares to solve it.
func newSolver(ctx context.Context, u Universe, req *Request) (*solver, error) {
	s := &solver{
		ctx: ctx, req: req,
		inst:      map[catalog.PluginID]*Installed{},
		opts:      map[catalog.PluginID]*wish{},
		panelFits: map[string]bool{},
		bump:      1, limit: 2000,
		maxSteps:     cmp.Or(max(req.Budget.Steps, 0), defaultSteps),
		maxConflicts: cmp.Or(max(req.Budget.Conflicts, 0), defaultConflicts),
		infos:        make([]learnt, 1), // the first one stands for "nothing to say"
	}
	if req.Panel != "" {
		if _, err := catalog.ParseVersion(req.Panel); err != nil {
			return nil, fmt.Errorf("panel: %w", err)
		}
	}
	for i := range req.Installed {
		in := &req.Installed[i]
		if _, err := catalog.ParseVersion(in.Release.Version); err != nil {
			return nil, fmt.Errorf("installed %s: %w", in.Release.Plugin, err)
		}
		if s.inst[in.Release.Plugin] != nil {
			return nil, fmt.Errorf("%s is installed twice", in.Release.Plugin)
		}
		s.inst[in.Release.Plugin] = in
	}
	for _, w := range req.Install {
		if _, err := parseRange(w.Range); err != nil {
			return nil, fmt.Errorf("install %s: %w", w.Plugin, err)
		}
		o := s.wish(w.Plugin)
		o.named = append(o.named, w.Range)
	}
	for id, all := range req.Prerelease {
		if all {
			s.wish(id).all = true
		}
	}
	for _, id := range req.Update {
		if s.inst[id] == nil {
			return nil, fmt.Errorf("update %s: it is not installed: %w", id, catalog.ErrNotFound)
		}
	}
	s.ix = s.index(u)
	s.reserve(s.ix.expect(sizes{}))
	return s, nil
}

func (s *solver) wish(id catalog.PluginID) *wish {
	if s.opts[id] == nil {
		s.opts[id] = &wish{}
	}
	return s.opts[id]
}

// index returns an Index of the universe and of what is installed.
func (s *solver) index(u Universe) *Index {
	ix, ok := u.(*Index)
	if !ok {
		ix = NewIndex(u)
	}
	m := &merged{Universe: ix.u, extra: map[catalog.PluginID]*catalog.Release{}}
	for i := range s.req.Installed {
		r := &s.req.Installed[i].Release
		p := ix.get(r.Plugin)
		if b := p.bitOf(r.Version); b == 0 || p.release(b).Digest != r.Digest {
			m.extra[r.Plugin] = r
		}
	}
	if len(m.extra) == 0 {
		return ix
	}
	return NewIndex(m)
}

// merged is a universe with installed releases that it does not know, or not as they
// are installed.
type merged struct {
	Universe
	extra map[catalog.PluginID]*catalog.Release
}

func (m *merged) Releases(id catalog.PluginID) []catalog.Release {
	rs := m.Universe.Releases(id)
	x := m.extra[id]
	if x == nil {
		return rs
	}
	out := []catalog.Release{*x}
	for i := range rs {
		if rs[i].Version == x.Version {
			out[0].State, out[0].Reason = rs[i].State, rs[i].Reason
			continue
		}
		out = append(out, rs[i])
	}
	return out
}

func (m *merged) Providers(id catalog.PluginID) []catalog.PluginID {
	ids := slices.Clone(m.Universe.Providers(id))
	for by, x := range m.extra {
		replaces := func(r catalog.Relation) bool { return r.ID == id }
		if slices.Contains(x.Manifest.Provides, id) || slices.ContainsFunc(x.Manifest.Replaces, replaces) {
			ids = append(ids, by)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// asked is a request, sorted by plugin.
type asked struct {
	wants   map[catalog.PluginID][]string
	updates map[catalog.PluginID]bool
	removes map[catalog.PluginID]bool
}

func (a *asked) names(id catalog.PluginID) bool {
	return a.wants[id] != nil || a.updates[id] || a.removes[id]
}

// ask turns the request into facts and fills the agenda.
func (s *solver) ask() (conflict int32) {
	a := &asked{map[catalog.PluginID][]string{}, map[catalog.PluginID]bool{}, map[catalog.PluginID]bool{}}
	var wanted, updates, rest []catalog.PluginID
	for _, w := range s.req.Install {
		a.wants[w.Plugin] = append(a.wants[w.Plugin], w.Range)
		wanted = append(wanted, w.Plugin)
	}
	for _, id := range s.req.Update {
		a.updates[id] = true
		switch {
		case a.wants[id] != nil:
		case s.inst[id].Root:
			wanted = append(wanted, id)
		default:
			updates = append(updates, id)
		}
	}
	for _, id := range s.req.Remove {
		a.removes[id] = true
	}
	for i := range s.req.Installed {
		if id := s.req.Installed[i].Release.Plugin; a.wants[id] == nil && !a.updates[id] {
			rest = append(rest, id)
		}
	}
	wanted, rest = append(s.ordered(wanted), s.ordered(updates)...), s.ordered(rest)
	conflict = none
	add := func(c int32) {
		if conflict == none {
			conflict = c
		}
	}
	present, stay := []item{}, []item{}
	for _, id := range wanted {
		present = append(present, s.askFor(id, a, add)...)
	}
	for _, id := range rest {
		stay = append(stay, s.askFor(id, a, add)...)
	}
	for _, id := range slices.Sorted(slices.Values(s.req.Remove)) {
		if s.inst[id] == nil && a.wants[id] == nil {
			continue
		}
		v := s.variable(s.ix.get(id))
		not := s.vars[v].p.full.clone()
		not.drop(absent)
		add(s.fact(v, not, kRemove, ""))
	}
	if s.req.Prefer == Minimal {
		present, stay = stay, present
	}
	s.agenda = append(append(s.agenda, present...), stay...)
	return conflict
}

// askFor makes the facts and the agenda of one plugin that is asked for or installed.
func (s *solver) askFor(id catalog.PluginID, a *asked, add func(int32)) []item {
	v := s.variable(s.ix.get(id))
	in := s.inst[id]
	s.vars[v].moving = a.updates[id]
	must := s.vars[v].p.full.clone()
	must.drop(absent)
	var items []item
	for _, text := range slices.Compact(slices.Sorted(slices.Values(a.wants[id]))) {
		rs := s.ix.rangeOf(s.vars[v].p, text)
		ok := s.allowed(v, rs.plain, rs.loose)
		add(s.fact(v, s.vars[v].p.full.minus(ok), kWant, text))
		items = []item{{kind: itemPresent, v: v, list: &[]choiceSet{{v, must}}}}
	}
	if in == nil {
		return items
	}
	if in.Pin || in.Hold != "" && !a.names(id) {
		k, hold := kHold, newSet(s.vars[v].p.w)
		if in.Pin {
			k = kPin
		}
		hold.add(int(s.vars[v].inst))
		add(s.fact(v, s.vars[v].p.full.minus(hold), k, in.Hold))
		return []item{{kind: itemPresent, v: v, list: &[]choiceSet{{v, must}}}}
	}
	switch {
	case items != nil || a.removes[id]:
		return items
	case in.Root:
		return []item{s.keepRoot(v, must, add)}
	case !a.updates[id]:
		items = []item{{kind: itemStay, v: v}}
	}
	if a.updates[id] || s.req.KeepOrphans {
		items = append(items, item{kind: itemHave, v: v}) // resolution drops what nothing needs
	}
	return items
}

// keepRoot makes the rule that an installed root, or what replaces it, stays.
func (s *solver) keepRoot(v int32, must set, add func(int32)) item {
	list := []choiceSet{{v, must}}
	for _, a := range s.ix.replacements(s.vars[v].p, int(s.vars[v].inst)) {
		w := s.variable(a.p)
		list = append(list, choiceSet{w, s.allowed(w, a.plain, a.loose)})
	}
	it := item{kind: itemPresent, v: v, list: &list}
	at := len(s.terms) // from here on no new variables: these make rules of their own
	ok := true
	for _, c := range list {
		ok = ok && s.addOutside(at, c.v, c.in)
	}
	if !ok {
		s.terms = s.terms[:at]
		return it
	}
	add(s.attach(s.newRule(at, kRoot, nil, 0)))
	return it
}

// ordered sorts plugins that are decided first: what depends on others of them comes
// before these, in any of its releases; otherwise by id.
func (s *solver) ordered(ids []catalog.PluginID) []catalog.PluginID {
	slices.Sort(ids)
	ids = slices.Compact(ids)
	state := make(map[catalog.PluginID]bool, len(ids)) // false: not yet visited
	for _, id := range ids {
		state[id] = false
	}
	var out []catalog.PluginID
	var visit func(id catalog.PluginID)
	visit = func(id catalog.PluginID) {
		state[id] = true
		p := s.ix.get(id)
		var needs []catalog.PluginID
		for b := 1; b <= len(p.ver); b++ {
			for _, d := range p.release(b).Manifest.Dependencies {
				if _, here := state[d.ID]; here && !d.Optional {
					needs = append(needs, d.ID)
				}
			}
		}
		slices.Sort(needs)
		for _, d := range slices.Backward(slices.Compact(needs)) {
			if !state[d] {
				visit(d)
			}
		}
		out = append(out, id)
	}
	for _, id := range slices.Backward(ids) {
		if !state[id] {
			visit(id)
		}
	}
	slices.Reverse(out)
	return out
}
