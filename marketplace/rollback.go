package marketplace

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/phrase"
)

// rollback plans the way back to a generation, if it may be gone. With override, what may
// not be installed any more is something to agree to; what an advisory stops is not.
func (m *Market) rollback(generation uint64, override bool) (*install.Plan, error) {
	if generation == m.store.Current().N {
		return nil, cannotGoBack(generation, resolve.Say(phrase.Of("market.isnow", "it is what is installed now")))
	}
	p, err := m.store.PlanRollback(generation, m.planOptions())
	if err != nil {
		return nil, err
	}
	if override {
		for _, s := range p.Steps {
			why := m.revoked(s)
			if why == "" || m.allowed(install.Installed{Ref: s.Release.Ref, Source: s.Source, Digest: s.Release.Digest}) != nil {
				continue
			}
			says := phrase.Of("market.revoked", "Goes back to {0}, although it is {1}.", s.Release.Ref, why)
			p.Consents = append(p.Consents, install.Need{
				ID: revokedNeed(s), Plugin: s.Release.Plugin, Kind: install.NeedRevoked, Risk: sandbox.RiskHigh, New: true,
				Sentence: says.String(), Says: says,
			})
		}
	}
	if err := m.mayReturn(p); err != nil {
		return nil, err
	}
	return p, nil
}

func revokedNeed(s install.Step) string {
	return fmt.Sprintf("%s revoked %s", s.Release.Plugin, s.Release.Version)
}

// revoked says why a step brings back what may not be installed any more; empty when it
// does not.
func (m *Market) revoked(s install.Step) string {
	if s.Action == install.ActRemove || stays(s) {
		return ""
	}
	r := s.Release
	r.Source = s.Source
	return m.unwanted(r)
}

func cannotGoBack(generation uint64, why ...resolve.Line) *resolve.Conflict {
	return cannot(phrase.Of("market.noreturn", "Cannot go back to generation {0}.", strconv.FormatUint(generation, 10)), why...)
}

// cannot is a conflict that the market knows of without the solver.
func cannot(says phrase.Phrase, why ...resolve.Line) *resolve.Conflict {
	return &resolve.Conflict{Summary: says.String(), Says: says, Lines: why}
}

// mayReturn refuses a rollback that brings back what may not be installed by now, or
// that moves what is pinned. Other plans it leaves to the solver, and to the check of
// each release when they are applied: a rollback has neither.
func (m *Market) mayReturn(p *install.Plan) error {
	if p.Rollback == 0 {
		return nil
	}
	if lines := m.pinned(p); len(lines) > 0 {
		return cannotGoBack(p.Rollback, lines...)
	}
	for _, s := range p.Steps {
		agreed := slices.ContainsFunc(p.Consents, func(n install.Need) bool { return n.Kind == install.NeedRevoked && n.ID == revokedNeed(s) })
		if why := m.revoked(s); why != "" && !agreed { // what was not agreed to is refused when it is submitted
			return &catalog.RefError{Op: "go back to", Ref: s.Release.Ref, Err: fmt.Errorf("it is %s: %w", why, catalog.ErrBlocked)}
		}
	}
	return nil
}

// stays reports whether a step leaves the release as it is, and changes its grants or data only.
func stays(s install.Step) bool {
	return s.Action != install.ActRemove && s.From != nil && s.From.Digest == s.Release.Digest
}

// pinned says which plugins a plan moves or removes although a person pinned them.
func (m *Market) pinned(p *install.Plan) (lines []resolve.Line) {
	holds := m.UpdateState().Holds
	for _, s := range p.Steps {
		if h, ok := holds[s.Release.Plugin]; ok && s.From != nil && !stays(s) && h.BlocksByHand(s.Release.Version, m.opt.Now()) {
			lines = append(lines, resolve.Say(phrase.Of("market.is", "{0} is {1}", s.From.Ref, h.Says())))
		}
	}
	return lines
}

// unwanted says why a release that was installed once may not be installed again.
func (m *Market) unwanted(r catalog.Release) string {
	if why := m.blocked(r); why != "" {
		return why
	}
	snap, err := m.snapshotOf(r.Plugin, r.Source)
	if err != nil {
		return "" // a rollback needs no catalog
	}
	if listed, err := snap.Release(r.Ref); err == nil && listed.State == catalog.Withdrawn {
		return "withdrawn: " + listed.Reason
	}
	return ""
}
