package insight

import (
	"context"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Bounds of a report.
const (
	MaxInstalled = 300  // plugins of one panel
	MaxPaired    = 64   // of which so many are paired with each other, chosen by the day's key
	MaxEvents    = 1000 // rollbacks or failed checks of one release that one report counts
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
	N       int    `json:"n"` // 1 to [MaxEvents]
}

// Report is what a panel that opted in says about a day.
type Report struct {
	Day          int         `json:"day"`          // [hub.Day]: today or yesterday, UTC
	PanelVersion string      `json:"panelVersion"` // a version; empty: not said
	Installed    []Installed `json:"installed"`
	Rollbacks    []Happened  `json:"rollbacks,omitempty"`
	Unhealthy    []Happened  `json:"unhealthy,omitempty"` // failed health checks
}

// PanelReport counts what a linked panel runs: the first report of a panel and day, later
// ones change nothing. Only the token of a panel whose owner allows numbers may
// ([hub.ErrForbidden]). Plugins that are not of this hub are left out; it returns how
// many installed ones were of it.
func (s *Service) PanelReport(ctx context.Context, a hub.Actor, r Report) (int, error) {
	return 0, errNotBuilt
}
