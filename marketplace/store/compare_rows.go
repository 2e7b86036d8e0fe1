package store

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox"
)

// rowGroup is rows under one heading.
type rowGroup struct {
	Key  string // in the JSON and in the texts: compare.group.<key>
	Name string
	Rows []compareRow
}

type compareRow struct {
	Key     string // of the fact; a permission itself for those
	Name    string
	Risk    *sandbox.Risk // of a permission
	Cells   []compareCell // one a plugin, in their order
	Differs bool
}

// compareCell is a fact of one plugin in words, with an icon where it is good or bad news.
type compareCell struct {
	Text, Sub string
	Icon      string
	Kind      string // "ok", "warn", "danger", "muted"; empty: neither good nor bad
	URL       string
	same      string // what is compared, where the words do not say it
}

// rows makes the table. With only, the rows that are the same everywhere are left out.
func (h *shop) rows(list []compared, only bool) (groups []rowGroup, differ int) {
	row := func(key string, cell func(c compared) compareCell) compareRow {
		out := compareRow{Key: key, Name: h.text.T("compare." + key)}
		for _, c := range list {
			out.Cells = append(out.Cells, cell(c))
		}
		return out
	}
	groups = []rowGroup{
		{Key: "trust", Rows: []compareRow{row("publisher", h.cellPublisher), row("signer", h.cellSigner), row("advisories", h.cellAdvisories), row("source", func(c compared) compareCell { return compareCell{Text: c.Plugin.Source} })}},
		{Key: "permissions", Rows: append([]compareRow{row("risk", h.cellRisk)}, h.permissionRows(list)...)},
		{Key: "here", Rows: []compareRow{row("runs", h.cellRuns), row("runtime", h.cellRuntime), row("size", func(c compared) compareCell { return compareCell{Text: h.text.Bytes(c.Release.Size)} }), row("dependencies", h.cellNeeds)}},
		{Key: "care", Rows: []compareRow{row("version", func(c compared) compareCell { return compareCell{Text: cmp.Or(c.Release.Version, "–")} }), row("updated", h.cellUpdated), row("cadence", h.cellCadence), row("license", func(c compared) compareCell { return compareCell{Text: oneLine(c.License, catalog.MaxLicense)} })}},
		{Key: "people", Rows: []compareRow{row("rating", h.cellRating), row("installs", h.cellInstalls)}},
	}
	kept := groups[:0]
	for _, g := range groups {
		g.Name = h.text.T("compare.group." + g.Key)
		rows := g.Rows[:0]
		for _, r := range g.Rows {
			for _, c := range r.Cells[1:] {
				r.Differs = r.Differs || cmp.Or(c.same, c.Text+"\n"+c.Sub) != cmp.Or(r.Cells[0].same, r.Cells[0].Text+"\n"+r.Cells[0].Sub)
			}
			if r.Differs {
				differ++
			}
			if r.Differs || !only {
				rows = append(rows, r)
			}
		}
		if g.Rows = rows; len(rows) > 0 {
			kept = append(kept, g)
		}
	}
	return kept, differ
}

// permissionRows has a row for each permission that any of them asks for, the riskiest first.
func (h *shop) permissionRows(list []compared) []compareRow {
	var all []rule
	for _, c := range list {
		for _, r := range c.Rules {
			if !slices.ContainsFunc(all, func(o rule) bool { return o.Permission == r.Permission }) {
				all = append(all, r)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b rule) int {
		return cmp.Or(int(a.Risk)-int(b.Risk), cmp.Compare(a.Permission, b.Permission))
	})
	var out []compareRow
	for _, r := range all {
		row := compareRow{Key: string(r.Permission), Name: r.Sentence, Risk: &r.Risk}
		for _, c := range list {
			i := slices.IndexFunc(c.Rules, func(o rule) bool { return o.Permission == r.Permission })
			switch {
			case i < 0:
				row.Cells = append(row.Cells, compareCell{Text: h.text.T("compare.asks.no"), Icon: "x", Kind: "muted"})
			case c.Rules[i].Verdict == sandbox.Denied:
				row.Cells = append(row.Cells, compareCell{Text: h.text.T("compare.asks.denied"), Icon: "ban", Kind: "danger"})
			case c.Rules[i].Optional:
				row.Cells = append(row.Cells, compareCell{Text: h.text.T("compare.asks.optional"), Icon: "check"})
			default:
				row.Cells = append(row.Cells, compareCell{Text: h.text.T("compare.asks.yes"), Icon: "check"})
			}
		}
		out = append(out, row)
	}
	return out
}

func (h *shop) cellPublisher(c compared) compareCell {
	return compareCell{Text: oneLine(cmp.Or(c.Owner.Name, c.Publisher), catalog.MaxPluginName), Sub: c.Publisher, URL: h.url("publishers", c.Publisher), same: c.Publisher}
}

func (h *shop) cellSigner(c compared) compareCell {
	switch {
	case c.Locked != "":
		return compareCell{Text: c.Locked, Sub: h.text.T("compare.signer.checked"), Icon: "shield-check", Kind: "ok"}
	case len(c.Signers) == 0:
		return compareCell{Text: h.text.T("compare.signer.nobody"), Icon: "shield-alert", Kind: "danger"}
	}
	cell := compareCell{Text: c.Signers[0], Sub: h.text.T("compare.signer.may"), Icon: "key-round"}
	if more := len(c.Signers) - 1; more > 0 {
		cell.Sub = h.text.N("compare.signer.more", more) + " " + cell.Sub
	}
	return cell
}

func (h *shop) cellAdvisories(c compared) compareCell {
	if len(c.Open) == 0 {
		return compareCell{Text: h.text.T("compare.advisories.none"), Icon: "shield-check", Kind: "ok"}
	}
	cell := compareCell{Text: h.text.N("compare.advisories.open", len(c.Open)), Icon: "triangle-alert", Kind: "warn", URL: h.url("p", c.ID.Publisher(), c.ID.Name(), "security")}
	var ids []string
	for _, a := range c.Open {
		ids = append(ids, oneLine(a.ID, 60))
		if a.Action != catalog.ActionWarn {
			cell.Icon, cell.Kind = "shield-alert", "danger"
		}
	}
	cell.Sub = strings.Join(ids[:min(len(ids), 3)], ", ")
	return cell
}

func (h *shop) cellRisk(c compared) compareCell {
	kind := map[sandbox.Risk]string{sandbox.RiskLow: "ok", sandbox.RiskMedium: "warn", sandbox.RiskHigh: "danger"}[c.Risk]
	return compareCell{Text: h.text.T("risk." + c.Risk.String()), Sub: h.text.N("compare.asks", len(c.Rules)), Icon: riskIcon(c.Risk), Kind: kind}
}

func (h *shop) cellRuns(c compared) compareCell {
	m := c.Release.Manifest
	switch {
	case c.Release.Version == "":
		return compareCell{Text: h.text.T("unavailable.none"), Icon: "circle-x", Kind: "danger"}
	case c.Unfit != "" && c.Standing.Newest != "" && c.Standing.Newest != c.Release.Version:
		return compareCell{Text: h.text.T("compare.runs.older", c.Standing.Newest), Sub: c.Unfit, Icon: "triangle-alert", Kind: "warn"}
	case c.Unfit != "":
		return compareCell{Text: h.text.T("compare.runs.no"), Sub: c.Unfit, Icon: "circle-x", Kind: "danger"}
	}
	sub := strings.Join(m.Platforms, ", ")
	if m.Panel != "" {
		sub = strings.TrimPrefix(sub+" · "+h.text.T("compare.panel", m.Panel), " · ")
	}
	return compareCell{Text: h.text.T("compare.runs.yes"), Sub: sub, Icon: "circle-check", Kind: "ok"}
}

func (h *shop) cellRuntime(c compared) compareCell {
	key := "runtime." + c.Release.Manifest.Runtime.Kind
	if !h.text.Has(key) {
		return compareCell{Text: "–"}
	}
	return compareCell{Text: h.text.T(key)}
}

func (h *shop) cellNeeds(c compared) compareCell {
	var names []string
	for _, id := range c.Along.IDs {
		names = append(names, string(id))
	}
	switch {
	case len(c.Along.Missing) > 0:
		return compareCell{Text: h.text.T("compare.along.missing", string(c.Along.Missing[0])), Icon: "circle-x", Kind: "danger"}
	case len(names) > 0:
		return compareCell{Text: h.text.N("compare.along", len(names)), Sub: strings.Join(names[:min(len(names), 5)], ", "), Icon: "package"}
	case len(c.Needs) > 0:
		return compareCell{Text: h.text.T("compare.along.here")}
	}
	return compareCell{Text: h.text.T("compare.along.none")}
}

func (h *shop) cellUpdated(c compared) compareCell {
	return compareCell{Text: h.text.Ago(h.o.Now(), c.Updated), Sub: h.text.Date(c.Updated)}
}

func (h *shop) cellCadence(c compared) compareCell {
	cell := compareCell{Text: h.text.N("compare.releases", c.Cadence.Releases)}
	if c.Cadence.Days > 0 {
		cell.Sub = h.text.N("compare.days", c.Cadence.Days)
	}
	return cell
}

func (h *shop) cellRating(c compared) compareCell {
	if c.Stats.Rating <= 0 {
		return compareCell{Text: h.text.T("compare.unrated"), Kind: "muted"}
	}
	return compareCell{Text: h.text.T("compare.rated", h.text.Decimal(c.Stats.Rating)), Sub: h.text.N("compare.ratings", c.Stats.Ratings), Icon: "star"}
}

func (h *shop) cellInstalls(c compared) compareCell {
	if c.Stats.Downloads == 0 {
		return compareCell{Text: "–", Sub: h.text.T("compare.installs.unknown"), Kind: "muted"}
	}
	return compareCell{Text: h.text.Number(c.Stats.Downloads)}
}

// hubRatings puts what the hub says now in the place of the catalog's numbers. When it
// does not answer, those stay and the problem says so.
func (h *shop) hubRatings(r *http.Request, list []compared) *problem {
	if h.o.Community == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(r.Context(), readWait)
	defer cancel()
	errs := make([]error, len(list))
	var wait sync.WaitGroup
	for i := range list {
		if !h.ofHub(list[i].Plugin) {
			continue
		}
		wait.Go(func() {
			var got Ratings
			if got, errs[i] = h.o.Community.Ratings(ctx, list[i].ID, RatingsQuery{}); errs[i] == nil {
				list[i].Stats.Rating, list[i].Stats.Ratings = got.Mean, int(got.Count)
			}
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, catalog.ErrNotFound) {
			why := h.explain(hubError(err))
			return &why
		}
	}
	return nil
}
