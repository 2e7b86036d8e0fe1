package store

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
)

type installedPage struct {
	Rows    []installedRow
	Updates int
}

type installedRow struct {
	install.Installed
	Name     string
	Icon     string
	Health   string // "ok", "bad", "unknown", "off", "restart", "revoked"
	Sick     string // what is wrong
	Standing standing
	Risk     sandbox.Risk
	Held     bool
}

func (h *shop) installed(w http.ResponseWriter, r *http.Request, a Actor) error {
	all := h.m.Installed()
	slices.SortFunc(all, func(a, b install.Installed) int {
		if a.Root != b.Root {
			if a.Root {
				return -1
			}
			return 1
		}
		return compare(a.Plugin, b.Plugin)
	})
	ctx, cancel := context.WithTimeout(r.Context(), healthWait)
	defer cancel()
	health := h.healths(ctx, all)
	on := h.panel()
	holds := h.m.UpdateState().Holds
	var c installedPage
	for i, p := range all {
		row := installedRow{Installed: p, Name: h.nameOf(p.Plugin, p.Manifest), Standing: h.installedStanding(on, a, p)}
		row.Risk = h.m.Policy().Decide(p.Grants, p.Consent).Risk()
		_, row.Held = holds[p.Plugin]
		if q, err := h.m.Plugin(p.Plugin); err == nil && q.Icon != nil && q.Latest != "" {
			row.Icon = h.mediaURL(catalog.Ref{Plugin: p.Plugin, Version: q.Latest}, *q.Icon)
		}
		if row.Standing.Newer {
			c.Updates++
		}
		row.Health, row.Sick = healthWord(row.Standing, health[i])
		c.Rows = append(c.Rows, row)
	}
	h.show(w, r, a, http.StatusOK, "installed", &page{Title: h.text.T("installed.title"), Nav: "installed", Notices: h.shelfNotices(), Content: c, Refresh: on.running()})
	return nil
}

// healthWord is how a plugin is, beside what its button says.
func healthWord(s standing, err error) (word, sick string) {
	switch {
	case s.State == standRevoked:
		return "revoked", s.Why
	case s.Disabled:
		return "off", s.Why
	case errors.Is(err, install.ErrNeedsRestart):
		return "restart", s.Why
	case unwell(err):
		return "bad", oneLine(err.Error(), maxCause)
	case err != nil:
		return "unknown", ""
	}
	return "ok", ""
}

func compare(a, b catalog.PluginID) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}
