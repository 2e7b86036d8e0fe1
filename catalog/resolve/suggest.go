package resolve

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/phrase"
)

// Bounds of the search for a way out: each candidate is solved.
const (
	maxTried       = 12
	maxSuggested   = 5
	tryConflicts   = 500
	trySteps       = 500_000
	maxNamedResult = 4
)

// candidate is a request that is a little different.
type candidate struct {
	rank int
	id   catalog.PluginID
	text phrase.Phrase
	req  Request
}

// suggest returns changes of the request that make it work. Each was solved.
func (s *solver) suggest(p *proof, pre []catalog.PluginID) []Suggestion {
	var out []Suggestion
	tried := 0
	for _, c := range s.candidates(p, pre) {
		if tried == maxTried || len(out) == maxSuggested || s.ctx.Err() != nil {
			break
		}
		tried++
		c.req.Budget = Budget{Steps: min(s.maxSteps, trySteps), Conflicts: min(s.maxConflicts, tryConflicts)}
		t, err := newSolver(s.ctx, s.ix, &c.req)
		if err != nil {
			continue // the changed request makes no sense, so it is no advice
		}
		if ok, err := t.run(); err != nil || !ok {
			continue // unsolvable, or not known in this budget: not advised
		}
		if result := outcome(t.resolution(), &c); !result.IsZero() {
			out = append(out, Suggestion{Text: c.text.String(), Result: result.String(), Plugins: []catalog.PluginID{c.id}, Says: c.text, Gives: result})
		}
	}
	return out
}

// candidates are derived from the facts that the proof needs: without one of them it
// would not hold.
func (s *solver) candidates(p *proof, pre []catalog.PluginID) []candidate {
	var out []candidate
	add := func(rank int, id catalog.PluginID, change func(*Request), text phrase.Phrase) {
		if slices.ContainsFunc(out, func(c candidate) bool { return c.text.String() == text.String() }) {
			return
		}
		r := *s.req
		r.Install, r.Installed = slices.Clone(r.Install), slices.Clone(r.Installed)
		r.Update, r.Remove = slices.Clone(r.Update), slices.Clone(r.Remove)
		change(&r)
		out = append(out, candidate{rank, id, text, r})
	}
	for _, r := range p.order {
		x := &s.rules[r]
		if x.n == 0 {
			s.relaxWants("", add)
			continue
		}
		id := s.vars[s.termsOf(r)[0].v].p.id
		switch x.kind {
		case kHold, kPin:
			free := phrase.Of("resolve.free.hold", "release the hold on {0}", id)
			if x.kind == kPin {
				free = phrase.Of("resolve.free.pin", "release the pin on {0}", id)
			}
			add(1, id, func(r *Request) { release(r, id) }, free)
			if !slices.Contains(s.req.Remove, id) {
				add(3, id, func(r *Request) { release(r, id); remove(r, id) }, phrase.Of("resolve.take", "remove {0}", id))
			}
		case kRoot:
			add(3, id, func(r *Request) { remove(r, id) }, phrase.Of("resolve.take", "remove {0}", id))
		case kWant:
			s.relaxWants(id, add)
		case kRemove:
			add(4, id, func(r *Request) {
				r.Remove = slices.DeleteFunc(r.Remove, func(o catalog.PluginID) bool { return o == id })
			}, phrase.Of("resolve.keep", "keep {0}", id))
		default: // the releases themselves: nothing a person can change
		}
	}
	for _, id := range pre {
		add(2, id, func(r *Request) { optIn(r, id) }, phrase.Of("resolve.allow.pre", "allow pre-releases of {0}", id))
	}
	slices.SortStableFunc(out, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.id, b.id))
	})
	return out
}

// relaxWants asks for any version of a plugin, or leaves it out; "" for all of them.
func (s *solver) relaxWants(only catalog.PluginID, add func(int, catalog.PluginID, func(*Request), phrase.Phrase)) {
	for _, w := range s.req.Install {
		id := w.Plugin
		if only != "" && id != only {
			continue
		}
		if !s.ix.rangeOf(s.ix.get(id), w.Range).any {
			add(2, id, func(r *Request) {
				for i := range r.Install {
					if r.Install[i].Plugin == id {
						r.Install[i].Range = ""
					}
				}
			}, phrase.Of("resolve.allow.other", "allow another version of {0}", id))
		}
		if len(s.req.Install)+len(s.req.Update)+len(s.req.Remove) > 1 {
			add(4, id, func(r *Request) {
				r.Install = slices.DeleteFunc(r.Install, func(o Want) bool { return o.Plugin == id })
			}, phrase.Of("resolve.leave", "leave out {0}", id))
		}
	}
}

func release(r *Request, id catalog.PluginID) {
	for i := range r.Installed {
		if r.Installed[i].Release.Plugin == id {
			r.Installed[i].Hold, r.Installed[i].Pin = "", false
		}
	}
}

func remove(r *Request, id catalog.PluginID) {
	r.Update = slices.DeleteFunc(r.Update, func(o catalog.PluginID) bool { return o == id })
	r.Remove = append(r.Remove, id)
}

func optIn(r *Request, id catalog.PluginID) {
	all := map[catalog.PluginID]bool{id: true}
	for k, v := range r.Prerelease {
		all[k] = all[k] || v
	}
	r.Prerelease = all
}

// outcome names what a suggestion leads to: the plugins it is about first. It is empty
// when nothing would change.
func outcome(res *Resolution, c *candidate) phrase.Phrase {
	var first, rest []string
	for _, ch := range res.Chosen {
		id := ch.Release.Plugin
		asked := id == c.id || slices.ContainsFunc(c.req.Install, func(w Want) bool { return w.Plugin == id })
		if ch.From == ch.Release.Version && !asked {
			continue
		}
		text := fmt.Sprintf("%s %s", id, ch.Release.Version)
		if asked {
			first = append(first, text)
		} else {
			rest = append(rest, text)
		}
	}
	changed := len(rest) > 0 || len(res.Removed) > 0
	for _, ch := range res.Chosen {
		changed = changed || ch.From != ch.Release.Version
	}
	if !changed {
		return phrase.Phrase{}
	}
	slices.Sort(first)
	slices.Sort(rest)
	var all []phrase.Phrase
	for _, text := range append(first, rest...) {
		all = append(all, phrase.Raw(text))
	}
	for _, r := range res.Removed {
		all = append(all, phrase.Of("resolve.without", "without {0}", r.Release.Plugin))
	}
	if n := len(all); n > maxNamedResult {
		all = append(all[:maxNamedResult:maxNamedResult], phrase.Of("resolve.more", "{0} more", n-maxNamedResult))
	}
	return phrase.Of("resolve.outcome", "{0}", phrase.Commas(all))
}
