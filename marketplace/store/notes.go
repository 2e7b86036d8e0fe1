package store

import (
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/update"
)

// noteOf is what was written about one release between the installed one and the offered
// one, with what matters most marked: that it closes a published security hole, and that
// it breaks with what is installed.
func (h *shop) noteOf(o update.Offer, n update.Note) noteView {
	v := noteView{Note: n, HTML: h.note(n.Text)}
	q, err := h.m.Plugin(o.Plugin)
	if err != nil {
		return v // no longer listed: what is written is all that is known
	}
	here := catalog.Release{Ref: o.From.Ref, Digest: o.From.Digest}
	for _, a := range q.Advisories {
		if a.Active(h.o.Now()) && a.FixedIn == n.Version && a.Concerns(here) {
			v.Security = append(v.Security, a.ID)
		}
	}
	i := slices.IndexFunc(q.Releases, func(r catalog.Release) bool { return r.Version == n.Version })
	if i < 0 || q.Releases[i].Manifest.Breaking == "" {
		return v
	}
	with, err := catalog.ParseRange(q.Releases[i].Manifest.Breaking)
	if err != nil {
		v.Breaking = true // it breaks with something, and nobody can tell with what
		return v
	}
	with.IncludePrerelease = true
	was, err := catalog.ParseVersion(o.From.Version)
	v.Breaking = err != nil || with.Check(was)
	return v
}

// dropped says what an update no longer asks for.
func (h *shop) dropped(o update.Offer) (out []string) {
	for _, c := range o.Risk.Permissions.Removed {
		sentence, _ := h.sentence(c.Permission)
		out = append(out, sentence)
	}
	return out
}
