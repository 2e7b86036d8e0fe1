package insight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// Bounds of a report.
const (
	MaxInstalled = 300  // plugins of one panel
	MaxPaired    = 64   // of which so many are paired with each other, chosen by the day's key
	MaxHappened  = 1000 // rollbacks or failed checks of one release that one report counts
)

// Installed is a release that is active in a panel.
type Installed struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version"`
}

// Happened is how often something happened with a release since the last report.
type Happened struct {
	Plugin  string `json:"plugin"`
	Version string `json:"version"`
	N       int    `json:"n"` // 1 to [MaxHappened]
}

// Report is what a panel that opted in says about a day.
type Report struct {
	Day          int         `json:"day"`          // [hub.Day]: today or yesterday, UTC
	PanelVersion string      `json:"panelVersion"` // a version; empty: not said
	Installed    []Installed `json:"installed"`
	Rollbacks    []Happened  `json:"rollbacks,omitempty"`
	Unhealthy    []Happened  `json:"unhealthy,omitempty"` // failed health checks
}

// check holds a report to its bounds.
func (r Report) check(today int) error {
	if r.Day != today && r.Day != today-1 {
		return hub.Invalid("day", "must be today or yesterday: %d or %d", today, today-1)
	}
	if r.PanelVersion != "" {
		if _, err := catalog.ParseVersion(r.PanelVersion); err != nil {
			return hub.Invalid("panelVersion", "is not a version")
		}
	}
	if len(r.Installed) > MaxInstalled {
		return hub.Invalid("installed", "has %d plugins, more than %d", len(r.Installed), MaxInstalled)
	}
	seen := map[string]bool{}
	for _, i := range r.Installed {
		if _, err := catalog.ParseRef(i.Plugin + "@" + i.Version); err != nil || seen[i.Plugin] {
			return hub.Invalid("installed", "has %.60q twice or not as a release", i.Plugin)
		}
		seen[i.Plugin] = true
	}
	for field, list := range map[string][]Happened{"rollbacks": r.Rollbacks, "unhealthy": r.Unhealthy} {
		if len(list) > MaxInstalled {
			return hub.Invalid(field, "has %d releases, more than %d", len(list), MaxInstalled)
		}
		for _, h := range list {
			if _, err := catalog.ParseRef(h.Plugin + "@" + h.Version); err != nil || h.N < 1 || h.N > MaxHappened {
				return hub.Invalid(field, "has %.60q not as a release with a number from 1 to %d", h.Plugin, MaxHappened)
			}
		}
	}
	return nil
}

// PanelReport counts what a linked panel runs. Each plugin of a panel counts once a day:
// a report that is sent again changes nothing, and of a later one of the day only what is
// new in it counts. Only the token of a panel whose owner allows numbers may
// ([hub.ErrForbidden]). Plugins that are not of this hub are left out; it returns how
// many installed ones were counted.
func (s *Service) PanelReport(ctx context.Context, a hub.Actor, r Report) (int, error) {
	if err := a.May(hub.ActPanelReport, hub.Object{Account: a.Account}); err != nil {
		return 0, err
	}
	if a.Token == nil || a.Token.Kind != hub.TokenPanel {
		return 0, fmt.Errorf("%s: %w: needs the token of a linked panel", hub.ActPanelReport, hub.ErrForbidden)
	}
	now := s.now()
	if err := r.check(hub.Day(now)); err != nil {
		return 0, err
	}
	if r.Day < keptFrom(now) {
		return 0, hub.Invalid("day", "is over for longer than %s", KeyGrace)
	}
	var panel hub.Panel
	known := map[releaseRef]bool{}
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		list, err := tx.Panels().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("token", a.Token.ID)}, Limit: 1})
		if err != nil {
			return err
		}
		if len(list) == 0 || !list[0].Telemetry || !list[0].Revoked.IsZero() || list[0].Account != a.Account {
			return fmt.Errorf("%s: %w: the owner of this panel does not share its numbers", hub.ActPanelReport, hub.ErrForbidden)
		}
		panel = list[0]
		return knownReleases(ctx, tx, r, known)
	})
	if err != nil {
		return 0, err
	}
	key, err := s.key(ctx, r.Day)
	if err != nil {
		return 0, err
	}
	tallies := r.tallies(key, panel.ID, known)
	for part := range slices.Chunk(tallies, maxFlush) { // so that no other writer waits for long
		if _, err := s.env.Store.Tally(ctx, part); err != nil {
			return 0, err // sent again, what was counted is not counted again
		}
	}
	n := 0
	for _, t := range tallies {
		if t.Kind == hub.TallyActive {
			n++
		}
	}
	return n, nil
}

// knownReleases fills in which releases of a report this hub has.
func knownReleases(ctx context.Context, tx hub.Tx, r Report, known map[releaseRef]bool) error {
	ask := map[releaseRef]bool{}
	for _, i := range r.Installed {
		ask[releaseRef{i.Plugin, i.Version}] = true
	}
	for _, h := range slices.Concat(r.Rollbacks, r.Unhealthy) {
		ask[releaseRef{h.Plugin, h.Version}] = true
	}
	for ref := range ask {
		_, err := tx.Releases().Get(ctx, ref.plugin, ref.version)
		if err == nil {
			known[ref] = true
		} else if !errors.Is(err, hub.ErrNotFound) {
			return err
		}
	}
	return nil
}

// tallies returns what a report counts. Each has its own hash of panel, day and what it
// counts, so that a second report of a day adds nothing to what the first one said of a
// plugin.
func (r Report) tallies(key []byte, panel string, known map[releaseRef]bool) []hub.Tally {
	var out []hub.Tally
	var installed []string
	for _, i := range r.Installed {
		if !known[releaseRef{i.Plugin, i.Version}] {
			continue
		}
		installed = append(installed, i.Plugin)
		out = append(out, hub.Tally{
			Day: r.Day, Kind: hub.TallyActive, Plugin: i.Plugin, Version: i.Version, Detail: r.PanelVersion, N: 1,
			Once: once(key, hub.TallyActive, panel, i.Plugin),
		})
	}
	for kind, list := range map[string][]Happened{hub.TallyRollback: r.Rollbacks, hub.TallyUnhealthy: r.Unhealthy} {
		for _, h := range list {
			if known[releaseRef{h.Plugin, h.Version}] {
				out = append(out, hub.Tally{
					Day: r.Day, Kind: kind, Plugin: h.Plugin, Version: h.Version, N: int64(h.N),
					Once: once(key, kind, panel, h.Plugin, h.Version),
				})
			}
		}
	}
	if len(installed) > MaxPaired { // some, the same for each report of the day, another choice tomorrow
		rank := map[string]string{}
		for _, id := range installed {
			rank[id] = once(key, "choice", panel, id)
		}
		slices.SortFunc(installed, func(a, b string) int { return cmp.Compare(rank[a], rank[b]) })
		installed = installed[:MaxPaired]
	}
	slices.Sort(installed)
	for i, a := range installed {
		for _, b := range installed[i+1:] {
			out = append(out, hub.Tally{Day: r.Day, Kind: hub.TallyPair, Plugin: a, Detail: b, N: 1, Once: once(key, hub.TallyPair, panel, a, b)})
		}
	}
	return out
}
