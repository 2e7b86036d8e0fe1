package resolve

import (
	"slices"
	"strings"
	"sync"

	"github.com/souk-dev/souk/catalog"
)

// Index is a Universe that remembers what it parsed: versions, ranges, and which
// release satisfies which range. [Solve] works on any Universe and builds an Index
// when it was not given one; who solves more than once against the same snapshot
// makes one with [NewIndex] and passes that. It grows with what was asked, never
// beyond the universe, and is safe for concurrent use.
type Index struct {
	u Universe

	mu     sync.Mutex // guards everything below, and what pkg says it guards
	pkgs   map[catalog.PluginID]*pkg
	ranges map[string]*versionRange
	last   sizes

	words    slab[uint64]
	plugins  slab[pkg]
	versions slab[version]
	sets     slab[rangeSet]
	reqs     slab[requirement]
	lists    slab[*requirement]
}

// sizes is how much a solve needed, so that the next one need not grow into it.
type sizes struct{ vars, heads, rules, terms, sets, trail, agenda int }

// expect returns what the last solve needed, and notes what this one did.
func (ix *Index) expect(used sizes) sizes {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	was := ix.last
	if used != (sizes{}) {
		ix.last = used
	}
	return was
}

var _ Universe = (*Index)(nil)

// NewIndex returns an Index of u, which must not change any more.
func NewIndex(u Universe) *Index {
	return &Index{u: u, pkgs: map[catalog.PluginID]*pkg{}, ranges: map[string]*versionRange{}}
}

// Releases returns those of the Universe.
func (ix *Index) Releases(id catalog.PluginID) []catalog.Release { return ix.u.Releases(id) }

// Providers returns those of the Universe.
func (ix *Index) Providers(id catalog.PluginID) []catalog.PluginID { return ix.u.Providers(id) }

// pkg is a plugin as the solver sees it. All but the last fields are immutable.
type pkg struct {
	id        catalog.PluginID
	num       int32
	rel       []catalog.Release // as the Universe returned them
	order     []int32           // bit-1 -> index in rel; nil: the same
	ver       []version         // by bit-1
	w         int               // words of a set
	full      set
	pre       set // pre-releases; nil when there are none
	yanked    set // likewise
	withdrawn set // likewise
	panels    []group
	platforms []group

	reqs      [][]*requirement // by bit-1; nil: not compiled. Guarded by Index.mu
	ranges    []evaluated      // few: dependants tend to say the same
	providers []provider
	provided  bool // providers is known
}

// group is the releases of a plugin that say the same about something.
type group struct {
	text string
	in   set
}

// evaluated is a range, and what it lets in.
type evaluated struct {
	of  *versionRange
	set *rangeSet
}

// rangeSet is a range evaluated on all known releases of a plugin, once.
type rangeSet struct {
	plain set // what fits
	loose set // what fits when pre-releases are opted in to; plain when that is the same
	any   bool
	bad   bool
}

// release returns the release of a bit.
func (p *pkg) release(bit int) *catalog.Release {
	if p.order != nil {
		return &p.rel[p.order[bit-1]]
	}
	return &p.rel[bit-1]
}

// bitOf returns the bit of a version, or 0.
func (p *pkg) bitOf(version string) int {
	for b := 1; b <= len(p.ver); b++ {
		if p.release(b).Version == version {
			return b
		}
	}
	return 0
}

// get returns the plugin, unknown ones too: those have no releases.
func (ix *Index) get(id catalog.PluginID) *pkg {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	return ix.load(id)
}

// load is get with the lock held.
func (ix *Index) load(id catalog.PluginID) *pkg {
	if p := ix.pkgs[id]; p != nil {
		return p
	}
	p := ix.plugins.one()
	p.id, p.num, p.rel = id, int32(len(ix.pkgs)), ix.u.Releases(id)
	ix.pkgs[id] = p
	p.sortReleases(ix.versions.take(len(p.rel)))
	n := len(p.ver)
	p.w = words(n + 1)
	p.full = ix.words.take(p.w)
	p.reqs = make([][]*requirement, n)
	for b := 0; b <= n; b++ {
		p.full.add(b)
	}
	mark := func(s *set, b int) {
		if *s == nil {
			*s = newSet(p.w)
		}
		(*s).add(b)
	}
	for b := 1; b <= n; b++ {
		r := p.release(b)
		if p.ver[b-1].pre != "" {
			mark(&p.pre, b)
		}
		switch r.State {
		case catalog.Yanked:
			mark(&p.yanked, b)
		case catalog.Withdrawn:
			mark(&p.withdrawn, b)
		case catalog.Active:
		}
		if r.Manifest.Panel != "" {
			p.panels = addGroup(p.panels, r.Manifest.Panel, b, p.w)
		}
		if ps := r.Manifest.Platforms; len(ps) > 0 {
			text := ps[0]
			if len(ps) > 1 {
				text = strings.Join(ps, ", ")
			}
			p.platforms = addGroup(p.platforms, text, b, p.w)
		}
	}
	return p
}

// sortReleases parses the versions, newest first. What has no valid version, or one
// that an earlier release has too, cannot be chosen and is left out. There must be
// room for all of them.
func (p *pkg) sortReleases(room []version) {
	ordered := true
	for i := range p.rel {
		v, err := parseVersion(p.rel[i].Version)
		room[i] = v
		ordered = ordered && err == nil && (i == 0 || room[i-1].order(&v) > 0)
	}
	p.ver = room
	if ordered {
		return
	}
	order := make([]int32, 0, len(p.rel))
	for i := range p.rel {
		if _, err := parseVersion(p.rel[i].Version); err == nil {
			order = append(order, int32(i))
		}
	}
	slices.SortStableFunc(order, func(a, b int32) int { return room[b].order(&room[a]) })
	p.order = slices.CompactFunc(order, func(a, b int32) bool { return room[a].order(&room[b]) == 0 })
	p.ver = make([]version, len(p.order))
	for i, at := range p.order {
		p.ver[i] = room[at]
	}
}

func addGroup(gs []group, text string, b, w int) []group {
	for _, g := range gs {
		if g.text == text {
			g.in.add(b)
			return gs
		}
	}
	g := group{text, newSet(w)}
	g.in.add(b)
	return append(gs, g)
}

// parse returns a parsed range; a malformed one matches nothing.
func (ix *Index) parse(text string) *versionRange {
	r := ix.ranges[text]
	if r == nil {
		var err error
		if r, err = parseRange(text); err != nil {
			r = &versionRange{bad: true}
		}
		ix.ranges[text] = r
	}
	return r
}

// rangeOf evaluates a range on a plugin.
func (ix *Index) rangeOf(p *pkg, text string) *rangeSet {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	return ix.eval(p, text)
}

// eval is rangeOf with the lock held.
func (ix *Index) eval(p *pkg, text string) *rangeSet {
	r := ix.parse(text)
	for i := range p.ranges {
		if p.ranges[i].of == r {
			return p.ranges[i].set
		}
	}
	rs := ix.sets.one()
	*rs = rangeSet{plain: ix.words.take(p.w), any: r.any, bad: r.bad}
	rs.loose = rs.plain
	if p.pre != nil {
		rs.loose = ix.words.take(p.w)
	}
	r.match(p.ver, rs.plain, rs.loose)
	p.ranges = append(p.ranges, evaluated{r, rs})
	return rs
}
