package store

import (
	"time"

	"github.com/souk-dev/souk/catalog"
)

type comparedJSON struct {
	pluginJSON
	Publisher    catalog.Publisher    `json:"publisher"`
	Signer       string               `json:"signer,omitempty"` // of the installed version, as it was verified
	Permissions  []permissionJSON     `json:"permissions"`
	Dependencies []catalog.Dependency `json:"dependencies"`
	Along        []catalog.PluginID   `json:"along"`   // would be installed besides, by the newest releases
	Missing      []catalog.PluginID   `json:"missing"` // needed, and in no catalog
	Size         int64                `json:"size"`    // bytes to download
	Published    time.Time            `json:"published,omitzero"`
	Releases     int                  `json:"releases"`   // in the last 365 days
	MedianDays   int                  `json:"medianDays"` // between two of them; 0: fewer than two
	Compatible   bool                 `json:"compatible"`
	Unfit        string               `json:"unfit,omitempty"` // why not, in words
	Advisories   []catalog.Advisory   `json:"advisories"`      // open ones
}

type comparisonJSON struct {
	Plugins     []comparedJSON `json:"plugins"`
	Differences []string       `json:"differences"` // rows of the page that differ; a permission stands for its own
}

func (h *shop) compareJSON(list []compared) comparisonJSON {
	out := comparisonJSON{Plugins: []comparedJSON{}, Differences: []string{}}
	for _, c := range list {
		j := comparedJSON{
			pluginJSON: pluginJSON{Listing: c.Listing, Source: c.Plugin.Source, Installed: c.Standing.Version, State: c.Standing.word(), Why: c.Standing.Why},
			Publisher:  c.Owner, Permissions: permissionsJSON(c.Rules), Dependencies: notNil(c.Needs), Along: notNil(c.Along.IDs), Missing: notNil(c.Along.Missing),
			Size: c.Release.Size, Published: c.Release.Published, Releases: c.Cadence.Releases, MedianDays: c.Cadence.Days,
			Compatible: c.Unfit == "" && c.Release.Version != "", Unfit: c.Unfit, Advisories: notNil(c.Open),
		}
		if c.Stats.ID != "" {
			stats := c.Stats
			j.Stats = &stats
		}
		if c.Standing.Here != nil {
			j.Signer = c.Standing.Here.Signer
		}
		j.Publisher.Signers = notNil(j.Publisher.Signers)
		out.Plugins = append(out.Plugins, j)
	}
	groups, _ := h.rows(list, true)
	for _, g := range groups {
		for _, r := range g.Rows {
			out.Differences = append(out.Differences, r.Key)
		}
	}
	return out
}

func permissionsJSON(rules []rule) []permissionJSON {
	out := []permissionJSON{}
	for _, r := range rules {
		out = append(out, permissionJSON{string(r.Permission), r.Risk.String(), r.Verdict.String(), r.Sentence, r.Reason, r.Optional})
	}
	return out
}
