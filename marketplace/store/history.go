package store

import (
	"net/http"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
)

type historyPage struct {
	Entries  []entryRow
	Points   []point
	ReadOnly bool
	Problem  *problem
}

type entryRow struct {
	install.Entry
	Word, Kind, Icon string
	URL              string
	Failed           *failure
	Lines            []string
}

// point is a generation that can be gone back to.
type point struct {
	install.Generation
	Current bool
	Lines   []string // what going back would change
	Kept    []string // plugins that go back and keep their data as it is now
	Lost    []string // plugins whose data would be as it was then
	Barred  []string // why nobody may go back there
}

func (h *shop) history(w http.ResponseWriter, r *http.Request, a Actor) error {
	on := h.panel()
	c := historyPage{ReadOnly: !a.Install}
	entries, err := h.m.History()
	if err != nil {
		p := h.explain(err)
		c.Problem = &p
	}
	for _, e := range entries {
		c.Entries = append(c.Entries, h.entryRow(e))
	}
	generations, err := h.m.Generations()
	if err != nil && c.Problem == nil {
		p := h.explain(err)
		c.Problem = &p
	}
	for i, g := range generations {
		c.Points = append(c.Points, h.point(g, generations[0], i == 0))
	}
	h.show(w, r, a, http.StatusOK, "history", &page{Title: h.text.T("history.title"), Nav: "history", Content: c, Refresh: on.running()})
	return nil
}

// entryRow puts a finished change into words.
func (h *shop) entryRow(e install.Entry) entryRow {
	row := entryRow{Entry: e, Word: h.text.T("state." + string(e.State)), URL: h.url("operations", e.ID), Kind: "muted", Icon: "ban"}
	row.Error = oneLine(e.Error, maxCause)
	switch e.State {
	case install.StateDone:
		row.Kind, row.Icon = "ok", "circle-check"
	case install.StateFailed:
		row.Kind, row.Icon = "danger", "circle-x"
	}
	for _, s := range e.Changes {
		row.Lines = append(row.Lines, h.step(s.Action, s.Plugin, s.From, s.To))
		if e.State == install.StateFailed && row.Failed == nil {
			row.Failed = h.failure(e, s)
		}
	}
	return row
}

// step is one change in words.
func (h *shop) step(a install.Action, id catalog.PluginID, from, to string) string {
	switch a {
	case install.ActInstall:
		return h.text.T("step.install", id, to)
	case install.ActRemove:
		return h.text.T("step.remove", id, from)
	}
	return h.text.T("step.change", id, from, to)
}

// point says what going back from now to g would change, what of the data would be lost,
// and whether it is possible at all.
func (h *shop) point(g, now install.Generation, current bool) point {
	p := point{Generation: g, Current: current}
	if current {
		return p
	}
	for id, was := range g.Plugins {
		is, here := now.Plugins[id]
		moves := !here || is.Version != was.Version || is.Digest != was.Digest
		switch {
		case !here:
			p.Lines = append(p.Lines, h.step(install.ActInstall, id, "", was.Version))
		case moves:
			p.Lines = append(p.Lines, h.step(install.ActReplace, id, is.Version, was.Version))
		}
		switch {
		case here && is.Data != was.Data:
			p.Lost = append(p.Lost, h.nameOf(id, was.Manifest))
		case here && moves:
			p.Kept = append(p.Kept, h.nameOf(id, was.Manifest))
		}
	}
	for id, is := range now.Plugins {
		if _, there := g.Plugins[id]; !there {
			p.Lines = append(p.Lines, h.step(install.ActRemove, id, is.Version, ""))
		}
	}
	p.Barred = h.barred(g, now)
	slices.Sort(p.Lines)
	slices.Sort(p.Kept)
	slices.Sort(p.Lost)
	return p
}

// barred says why the market would refuse to go back from now to g: releases that were
// withdrawn or that an advisory keeps away by now, and plugins that are pinned.
func (h *shop) barred(g, now install.Generation) (why []string) {
	at := h.o.Now()
	holds := h.m.UpdateState().Holds
	for id, was := range g.Plugins {
		is, here := now.Plugins[id]
		if here && is.Digest == was.Digest {
			continue
		}
		if hold, ok := holds[id]; ok && here && hold.BlocksByHand(was.Version, at) {
			why = append(why, h.text.T("points.pinned", h.nameOf(id, was.Manifest), is.Version))
		}
		q, err := h.m.Plugin(id)
		if err != nil {
			continue // a rollback needs no catalog
		}
		rel := catalog.Release{Ref: was.Ref, Digest: was.Digest}
		for _, a := range q.Advisories {
			if a.Active(at) && a.Action != catalog.ActionWarn && (a.Concerns(rel) || a.ConcernsSigner(was.Signer)) {
				why = append(why, h.text.T("points.revoked", h.nameOf(id, was.Manifest)+" "+was.Version, a.ID, oneLine(a.Title, 200)))
			}
		}
		for _, r := range q.Releases {
			if r.Version == was.Version && r.State == catalog.Withdrawn {
				why = append(why, h.text.T("points.withdrawn", h.nameOf(id, was.Manifest)+" "+was.Version, oneLine(r.Reason, 200)))
			}
		}
	}
	for id, is := range now.Plugins {
		hold, held := holds[id]
		if _, there := g.Plugins[id]; !there && held && hold.BlocksByHand(is.Version, at) {
			why = append(why, h.text.T("points.pinned", h.nameOf(id, is.Manifest), is.Version))
		}
	}
	slices.Sort(why)
	return slices.Compact(why)
}
