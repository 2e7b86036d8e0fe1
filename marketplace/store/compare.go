package store

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/search"
	"github.com/souk-dev/souk/sandbox"
)

const (
	cadenceSpan = 365 * 24 * time.Hour // releases of so long count
	maxAlong    = 200                  // plugins that are followed to see what comes along
	maxOffered  = 8                    // cards offered to compare with
)

// compared is a plugin beside others: what the rows are made from, for the page and the
// JSON alike.
type compared struct {
	card
	Plugin  catalog.Plugin
	Release catalog.Release
	Owner   catalog.Publisher
	Rules   []rule
	Risk    sandbox.Risk
	Signers []string // who may sign now
	Locked  string   // who signed the installed version, checked when it was installed
	Needs   []catalog.Dependency
	Along   along
	Cadence cadence
	Unfit   string // why the release does not run on this panel; empty: it does
	Open    []catalog.Advisory
	Without string // address of the comparison without it
}

// along is what an install would bring besides, by the newest release of each. The plan
// says what it really brings: it may choose older ones.
type along struct {
	IDs     []catalog.PluginID
	Missing []catalog.PluginID // needed, and in no catalog
}

// cadence is how often there are releases.
type cadence struct {
	Releases int // within cadenceSpan
	Days     int // median between two of them; 0 when there are fewer than two
}

type comparePage struct {
	Plugins []compared
	Groups  []rowGroup
	Only    bool   // only the rows that differ
	Differ  int    // how many rows do
	Toggle  string // address with the other choice of Only
	More    string // address that leads to more plugins; empty: no room
	Unknown []string
	Problem *problem // of the hub
	Columns int
}

type choosePage struct {
	Few, Many bool
	Chosen    []trayItem
	Unknown   []string
	Cards     []card
	Browse    string
}

// comparison reads the plugins of a request: at most maxTray are looked at.
func (h *shop) comparison(on panel, a Actor, v url.Values) (found []compared, unknown []string, many bool) {
	ids := v["id"]
	many = len(ids) > maxTray
	for _, s := range ids[:min(len(ids), maxTray)] {
		if s == "" || slices.ContainsFunc(found, func(c compared) bool { return string(c.ID) == s }) {
			continue
		}
		id, err := catalog.ParsePluginID(s)
		var p catalog.Plugin
		if err == nil {
			p, err = h.m.Plugin(id)
		}
		if err != nil {
			unknown = append(unknown, oneLine(s, 2*catalog.MaxIDPart+1))
			continue
		}
		found = append(found, h.compared(on, a, p))
	}
	return found, unknown, many || len(found) > maxCompared
}

// compared works out a plugin's part of a comparison; it needs no I/O.
func (h *shop) compared(on panel, a Actor, p catalog.Plugin) compared {
	d := h.describe(on, a, p)
	c := compared{card: d.card, Plugin: p, Release: d.Release, Owner: p.Publisher, Rules: d.Rules, Risk: d.Risk, Signers: d.Signers, Needs: d.Release.Manifest.Dependencies}
	c.Shelf = "compare"
	if c.Standing.Here != nil {
		c.Locked = h.signer(c.Standing.Here.Signer)
	}
	if d.Release.Version != "" {
		c.Unfit = h.unfit(d.Release)
	}
	for _, v := range p.Advisories {
		if v.Active(h.o.Now()) {
			c.Open = append(c.Open, v)
		}
	}
	c.Along, c.Cadence = h.along(on, d.Release), h.cadence(p)
	return c
}

func (h *shop) along(on panel, r catalog.Release) along {
	var out along
	seen := map[catalog.PluginID]bool{r.Plugin: true}
	next := slices.Clone(r.Manifest.Dependencies)
	for len(next) > 0 && len(seen) < maxAlong {
		n := next[0]
		next = next[1:]
		if _, here := on.here[n.ID]; n.Optional || seen[n.ID] || here {
			continue
		}
		seen[n.ID] = true
		p, err := h.m.Plugin(n.ID)
		if err != nil {
			out.Missing = append(out.Missing, n.ID)
			continue
		}
		out.IDs = append(out.IDs, n.ID)
		if rel, err := newest(p); err == nil {
			next = append(next, rel.Manifest.Dependencies...)
		}
	}
	return out
}

func (h *shop) cadence(p catalog.Plugin) cadence {
	var times []time.Time
	now := h.o.Now()
	for _, r := range p.Releases {
		if !r.Published.IsZero() && !r.Published.After(now) && now.Sub(r.Published) <= cadenceSpan {
			times = append(times, r.Published)
		}
	}
	c := cadence{Releases: len(times)}
	if len(times) < 2 {
		return c
	}
	slices.SortFunc(times, time.Time.Compare)
	gaps := make([]time.Duration, 0, len(times)-1)
	for i := range len(times) - 1 {
		gaps = append(gaps, times[i+1].Sub(times[i]))
	}
	slices.Sort(gaps)
	mid := gaps[len(gaps)/2]
	if len(gaps)%2 == 0 {
		mid = (mid + gaps[len(gaps)/2-1]) / 2
	}
	c.Days = max(1, int((mid+12*time.Hour)/(24*time.Hour))) // the nearest whole day
	return c
}

func (h *shop) comparePage(w http.ResponseWriter, r *http.Request, a Actor) error {
	on, v := h.panel(), r.URL.Query()
	found, unknown, many := h.comparison(on, a, v)
	ids := make([]catalog.PluginID, 0, len(found))
	for _, c := range found {
		ids = append(ids, c.ID)
	}
	if many || len(found) < minCompared {
		return h.chooseCompared(w, r, a, on, found, ids, unknown, many)
	}
	c := comparePage{Plugins: found, Only: v.Get("only") == "differences", Unknown: unknown}
	for i := range c.Plugins {
		c.Plugins[i].Without = h.compareURL(slices.Delete(slices.Clone(ids), i, i+1))
	}
	c.Problem = h.hubRatings(r, c.Plugins)
	c.Groups, c.Differ = h.rows(c.Plugins, c.Only)
	c.Columns = len(c.Plugins) + 1
	c.Toggle = h.compareURL(ids)
	if !c.Only {
		c.Toggle += "&only=differences"
	}
	if len(ids) < maxCompared {
		c.More = withIDs(h.url(), "with", ids)
	}
	h.show(w, r, a, http.StatusOK, "compare", &page{Title: h.text.T("compare.title"), Nav: "browse", Notices: h.shelfNotices(), Content: c, Refresh: on.running()})
	return nil
}

// chooseCompared is what stands there when there are too few plugins to compare, or too
// many: what was chosen, and a way on.
func (h *shop) chooseCompared(w http.ResponseWriter, r *http.Request, a Actor, on panel, found []compared, ids []catalog.PluginID, unknown []string, many bool) error {
	status := http.StatusOK
	if many {
		status = http.StatusBadRequest
	} else if len(unknown) > 0 {
		status = http.StatusNotFound
	}
	c := choosePage{Few: !many, Many: many, Unknown: unknown, Browse: withIDs(h.url(), "with", ids[:min(len(ids), maxCompared-1)])}
	for i, f := range found {
		c.Chosen = append(c.Chosen, trayItem{f.ID, f.Name, h.compareURL(slices.Delete(slices.Clone(ids), i, i+1))})
	}
	if !many {
		q := search.Query{Limit: maxOffered + 1, Language: h.text.Lang()}
		if len(found) == 1 && len(found[0].Categories) > 0 {
			q.Category = found[0].Categories[0]
		}
		hits := h.m.Search(q).Hits
		if q.Category != "" { // what is most like it first, then what is popular
			q.Category = ""
			hits = append(hits, h.m.Search(q).Hits...)
		}
		for _, hit := range hits {
			if slices.Contains(ids, hit.ID) || len(c.Cards) == maxOffered || slices.ContainsFunc(c.Cards, func(k card) bool { return k.ID == hit.ID }) {
				continue
			}
			k := h.card(on, a, hit, "choose")
			k.Choose = chooser{URL: h.compareURL(append(slices.Clone(ids), hit.ID))}
			c.Cards = append(c.Cards, k)
		}
	}
	h.show(w, r, a, status, "choose", &page{Title: h.text.T("compare.title"), Nav: "browse", Notices: h.shelfNotices(), Content: c})
	return nil
}

// apiCompare answers with the same facts. It needs two to four plugins that are known.
func (h *shop) apiCompare(w http.ResponseWriter, r *http.Request, a Actor) error {
	found, unknown, many := h.comparison(h.panel(), a, r.URL.Query())
	switch {
	case many || len(found)+len(unknown) < minCompared:
		return fmt.Errorf("%w: id is not given %d to %d times", errRequest, minCompared, maxCompared)
	case len(unknown) > 0:
		return fmt.Errorf("plugin %s: %w", unknown[0], catalog.ErrNotFound)
	}
	h.writeJSON(w, http.StatusOK, h.compareJSON(found))
	return nil
}
