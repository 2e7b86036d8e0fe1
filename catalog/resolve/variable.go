package resolve

import (
	"slices"
	"strings"
)

// wish is what a request says about the pre-releases and yanks of a plugin.
type wish struct {
	all   bool     // its channel opts in to pre-releases
	named []string // ranges asked for by a person, which may name pre-releases or a yanked version
}

// variable returns the solver's variable of a plugin.
func (s *solver) variable(p *pkg) int32 {
	for int(p.num) >= len(s.varOf) {
		s.varOf = append(s.varOf, make([]int32, max(int(p.num)+1-len(s.varOf), len(s.varOf)))...)
	}
	if v := s.varOf[p.num]; v != 0 {
		return v - 1
	}
	v := int32(len(s.vars))
	s.varOf[p.num] = v + 1
	s.vars = append(s.vars, variable{p: p, off: int32(len(s.dom)), w: int32(p.w), base: int32(len(s.heads)), last: none})
	s.dom = append(s.dom, p.full...)
	s.full = append(s.full, p.full...)
	for range p.w {
		s.done = append(s.done, 0)
	}
	for range len(p.ver) + 1 {
		s.heads = append(s.heads, none)
	}
	s.limitReleases(v)
	return v
}

// known returns the variable of a plugin, or -1 when the search never met it.
func (s *solver) known(p *pkg) int32 {
	if int(p.num) >= len(s.varOf) {
		return -1
	}
	return s.varOf[p.num] - 1
}

// limitReleases takes out of a fresh domain what must not be chosen whatever else is.
// What is installed may stay when it is yanked, withdrawn or blocked, but not when it
// does not fit the panel.
func (s *solver) limitReleases(v int32) {
	x := &s.vars[v]
	p := x.p
	var few [4]uint64
	keep := append(set(few[:0]), make([]uint64, p.w)...)
	if in := s.inst[p.id]; in != nil {
		x.inst = int32(p.bitOf(in.Release.Version))
		if x.inst != 0 {
			keep.add(int(x.inst))
		}
	}
	var w *wish
	if p.yanked != nil || p.pre != nil {
		w = s.opts[p.id]
	}
	if p.withdrawn != nil {
		s.excludeEach(v, p.withdrawn.minus(keep), kWithdrawn)
	}
	if p.yanked != nil {
		not := p.yanked.minus(keep)
		if w != nil {
			for _, r := range w.named {
				if version, ok := exact(r); ok {
					if b := p.bitOf(version); b != 0 {
						not.drop(b)
					}
				}
			}
		}
		s.excludeEach(v, not, kYanked)
	}
	if s.req.Blocked != nil {
		for b := 1; b <= len(p.ver); b++ {
			if keep.has(b) {
				continue
			}
			if why := s.req.Blocked(*p.release(b)); why != "" {
				one := newSet(p.w)
				one.add(b)
				s.exclude(v, one, kBlocked, why)
			}
		}
	}
	if s.req.Panel != "" {
		for _, g := range p.panels {
			if !s.panelFit(g.text) {
				s.exclude(v, g.in, kPanel, g.text)
			}
		}
	}
	if s.req.Platform != "" {
		for _, g := range p.platforms {
			if !slices.Contains(strings.Split(g.text, ", "), s.req.Platform) {
				s.exclude(v, g.in, kPlatform, g.text)
			}
		}
	}
	x.stays = x.inst != 0 && s.domain(v).has(int(x.inst))
	if p.pre != nil {
		x.opt = s.optIn(x, w)
	}
}

func (s *solver) excludeEach(v int32, not set, k kind) {
	for b := range not.all() {
		one := newSet(len(not))
		one.add(b)
		s.exclude(v, one, k, s.vars[v].p.release(b).Reason)
	}
}

// optIn returns the pre-releases that may be chosen without a range naming them.
func (s *solver) optIn(x *variable, w *wish) set {
	opt := newSet(x.p.w)
	if x.inst != 0 {
		opt.add(int(x.inst))
	}
	if w != nil {
		if w.all {
			opt.or(x.p.pre)
		}
		for _, r := range w.named {
			opt.or(s.ix.rangeOf(x.p, r).plain)
		}
	}
	opt.and(x.p.pre)
	if opt.empty() {
		return nil
	}
	return opt
}

func (s *solver) panelFit(text string) bool {
	fits, known := s.panelFits[text]
	if !known {
		if r, err := parseRange(text); err == nil {
			v, err := parseVersion(s.req.Panel)
			if err == nil {
				loose := newSet(1)
				r.match([]version{v}, loose, loose)
				fits = !loose.empty()
			}
		}
		s.panelFits[text] = fits
	}
	return fits
}

// allowed returns what of a range may be chosen. The caller must not change it.
func (s *solver) allowed(v int32, plain, loose set) set {
	opt := s.vars[v].opt
	if opt == nil {
		return plain
	}
	a := loose.clone()
	a.and(opt)
	a.or(plain)
	return a
}
