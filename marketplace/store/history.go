package store

import (
	"net/http"
	"slices"
	"strconv"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/verify"
)

// maxEntries is how many changes a page of the history shows.
const maxEntries = 50

type historyPage struct {
	Entries  []entryRow
	Points   []point
	ReadOnly bool
	MayRisk  bool
	Problem  *problem
	Older    string // address of the page with older entries; empty: there are none
	Newer    string
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
	Yet     bool     // somebody who may agree to high risks can, all the same
}

func (h *shop) history(w http.ResponseWriter, r *http.Request, a Actor) error {
	on := h.panel()
	c := historyPage{ReadOnly: !a.Install, MayRisk: a.ApproveRisky}
	entries, err := h.m.History()
	if err != nil {
		p := h.explain(err)
		c.Problem = &p
	}
	from, _ := strconv.Atoi(r.URL.Query().Get("from")) // what is no number is the first page
	from = min(max(from, 0), len(entries))
	for _, e := range entries[from:min(from+maxEntries, len(entries))] {
		c.Entries = append(c.Entries, h.entryRow(e))
	}
	if from > 0 {
		c.Newer = h.url("history") + "?from=" + strconv.Itoa(max(from-maxEntries, 0))
	}
	if from+maxEntries < len(entries) {
		c.Older = h.url("history") + "?from=" + strconv.Itoa(from+maxEntries)
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
	row.Title, row.Error = h.said(e.Says, e.Title), oneLine(e.Error, maxCause)
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
	name := h.nameOf(id, catalog.Manifest{})
	switch a {
	case install.ActInstall:
		return h.text.T("step.install", name, to)
	case install.ActRemove:
		return h.text.T("step.remove", name, from)
	}
	return h.text.T("step.change", name, from, to)
}

// point says what going back from now to g would change, what of the data would be lost,
// and whether it is possible at all.
func (h *shop) point(g, now install.Generation, current bool) point {
	p := point{Generation: g, Current: current}
	p.Reason = h.said(g.Says, g.Reason)
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
	var firm bool
	p.Barred, firm = h.barred(g, now)
	p.Yet = len(p.Barred) > 0 && !firm
	slices.Sort(p.Lines)
	slices.Sort(p.Kept)
	slices.Sort(p.Lost)
	return p
}

// barred says why the market would refuse to go back from now to g: releases that were
// withdrawn or that an advisory keeps away by now, and plugins that are pinned. It is firm
// when nobody can override it: what is pinned, and what would be stopped at once.
func (h *shop) barred(g, now install.Generation) (why []string, firm bool) {
	at := h.o.Now()
	holds := h.m.UpdateState().Holds
	for id, was := range g.Plugins {
		is, here := now.Plugins[id]
		if here && is.Digest == was.Digest {
			continue
		}
		if hold, ok := holds[id]; ok && here && hold.BlocksByHand(was.Version, at) {
			firm = true
			why = append(why, h.text.T("points.pinned", h.nameOf(id, was.Manifest), is.Version))
		}
		more, stopped := h.revocations(was.Ref, was.Digest, was.Signer, h.nameOf(id, was.Manifest))
		why, firm = append(why, more...), firm || stopped
	}
	for id, is := range now.Plugins {
		hold, held := holds[id]
		if _, there := g.Plugins[id]; !there && held && hold.BlocksByHand(is.Version, at) {
			firm = true
			why = append(why, h.text.T("points.pinned", h.nameOf(id, is.Manifest), is.Version))
		}
	}
	slices.Sort(why)
	return slices.Compact(why), firm
}

// revocations says why a release that was installed once may not be installed again, and
// whether it would be stopped at once. A plugin that no catalog lists any more may be.
func (h *shop) revocations(ref catalog.Ref, digest verify.Digest, signer, name string) (why []string, stopped bool) {
	q, err := h.m.Plugin(ref.Plugin)
	if err != nil {
		return nil, false
	}
	rel := catalog.Release{Ref: ref, Digest: digest}
	for _, a := range q.Advisories {
		if a.Active(h.o.Now()) && a.Action != catalog.ActionWarn && (a.Concerns(rel) || a.ConcernsSigner(signer)) {
			stopped = stopped || a.Action == catalog.ActionDisable
			why = append(why, h.text.T("points.revoked", name+" "+ref.Version, a.ID, oneLine(a.Title, 200)))
		}
	}
	for _, r := range q.Releases {
		if r.Version == ref.Version && r.State == catalog.Withdrawn {
			why = append(why, h.text.T("points.withdrawn", name+" "+ref.Version, oneLine(r.Reason, 200)))
		}
	}
	return why, stopped
}
