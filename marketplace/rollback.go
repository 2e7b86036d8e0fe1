package marketplace

import (
	"fmt"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
)

// rollback plans the way back to a generation, if it may be gone.
func (m *Market) rollback(generation uint64) (*install.Plan, error) {
	if generation == m.store.Current().N {
		return nil, cannotGoBack(generation, resolve.Line{Text: "it is what is installed now"})
	}
	p, err := m.store.PlanRollback(generation, m.planOptions())
	if err != nil {
		return nil, err
	}
	if err := m.mayReturn(p); err != nil {
		return nil, err
	}
	return p, nil
}

func cannotGoBack(generation uint64, why ...resolve.Line) *resolve.Conflict {
	return &resolve.Conflict{Summary: fmt.Sprintf("Cannot go back to generation %d.", generation), Lines: why}
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
		if s.Action == install.ActRemove || stays(s) {
			continue
		}
		r := s.Release
		r.Source = s.Source
		if why := m.unwanted(r); why != "" {
			return &catalog.RefError{Op: "go back to", Ref: r.Ref, Err: fmt.Errorf("it is %s: %w", why, catalog.ErrBlocked)}
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
			lines = append(lines, resolve.Line{Text: fmt.Sprintf("%s is %s", s.From.Ref, h.Sentence())})
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
