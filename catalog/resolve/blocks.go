package resolve

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/souk-dev/souk/catalog"
)

// Blocker is an installed plugin that has no release for a panel API.
type Blocker struct {
	Plugin   catalog.PluginID `json:"plugin"`
	Version  string           `json:"version"`  // installed
	Supports string           `json:"supports"` // range of the panel API that the installed release declares
	Why      string           `json:"why"`      // "acme/mail 1.2.0 supports panel API ^3; no release that may be installed supports 4.0.0"
}

// PanelUpgrade says what an upgrade of the panel means for what is installed.
type PanelUpgrade struct {
	Blockers []Blocker   `json:"blockers"`           // in order of their ids
	Conflict *Conflict   `json:"conflict,omitempty"` // every plugin has a release for it, but they do not go together
	Plan     *Resolution `json:"plan,omitempty"`     // what would move; nil when something is in the way
}

// Blocks answers what keeps the panel from moving to another version of its plugin
// API, "4.0.0": the plugins to wait for or to remove first. req is the request that
// would be solved on the new panel, usually just what is installed; its own Panel does
// not matter. Errors are those of [Solve], without the Conflict.
func Blocks(ctx context.Context, u Universe, req Request, panel string) (*PanelUpgrade, error) {
	req.Panel = panel
	s, err := newSolver(ctx, u, &req)
	if err != nil {
		return nil, err
	}
	up := &PanelUpgrade{}
	for i := range req.Installed {
		r := &req.Installed[i].Release
		if slices.Contains(req.Remove, r.Plugin) || s.hasReleaseFor(r.Plugin) {
			continue
		}
		up.Blockers = append(up.Blockers, Blocker{r.Plugin, r.Version, r.Manifest.Panel,
			fmt.Sprintf("%s %s supports panel API %s; no release that may be installed supports %s", r.Plugin, r.Version, r.Manifest.Panel, panel)})
	}
	slices.SortFunc(up.Blockers, func(a, b Blocker) int { return strings.Compare(string(a.Plugin), string(b.Plugin)) })
	if len(up.Blockers) > 0 {
		return up, nil
	}
	up.Plan, err = Solve(ctx, s.ix, req)
	if errors.As(err, &up.Conflict) {
		return up, nil
	}
	return up, err
}

// hasReleaseFor reports whether anything of a plugin could be chosen on this panel.
func (s *solver) hasReleaseFor(id catalog.PluginID) bool {
	v := s.variable(s.ix.get(id))
	able := s.domain(v).clone()
	able.drop(absent)
	if x := &s.vars[v]; x.p.pre != nil {
		pre := x.p.pre.clone()
		if x.opt != nil {
			pre.not(x.opt)
		}
		able.not(pre)
	}
	return !able.empty()
}
