package main

import (
	"net/http"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/sandbox"
)

func compareStories() []story {
	two, four := "compare?id=acme/backup&id=kiln/postgres", "compare?id=acme/backup&id=acme/mailer&id=north/metrics&id=kiln/postgres"
	out := page("Compare",
		story{ID: "compare", Name: "Two plugins", Path: two},
		story{ID: "compare-three", Name: "Three, and room for one more", Path: two + "&id=north/alerts"},
		story{ID: "compare-four", Name: "Four, some of them installed", Path: four},
		story{ID: "compare-differences", Name: "Only what differs", Path: four + "&only=differences"},
		story{ID: "compare-same", Name: "Nothing differs", Path: "compare?id=bulk/tool-01&id=bulk/tool-02&only=differences", Set: with(alike)},
		story{ID: "compare-odd", Name: "Blocked, forbidden, unfit and never rated", Path: four, Set: with(odd)},
		story{ID: "compare-rights", Name: "Somebody who may only look", Path: two, Set: as(viewer)},
		story{ID: "compare-hub", Name: "With a hub", Path: two, Set: hub()},
		story{ID: "compare-hub-away", Name: "The hub does not answer", Path: two, Set: hub(func(h *storetest.Hub) { h.Err = catalog.ErrUnavailable })},
		story{ID: "compare-stale", Name: "Offline: the last good catalog", Path: two, Set: with(source(stale))},
		story{ID: "compare-none", Name: "Nothing chosen yet", Path: "compare"},
		story{ID: "compare-one", Name: "One chosen", Path: "compare?id=acme/backup"},
		story{ID: "compare-many", Name: "More than four chosen", Path: four + "&id=north/alerts", Status: http.StatusBadRequest},
		story{ID: "compare-unknown", Name: "One that is in no catalog", Path: two + "&id=gone/away"},
		story{ID: "compare-tray-one", Name: "While choosing: one", Path: "?with=acme/backup"},
		story{ID: "compare-tray-two", Name: "While choosing: enough", Path: "?with=acme/backup&with=kiln/redis"},
		story{ID: "compare-tray-full", Name: "While choosing: no room", Path: "?with=acme/backup&with=kiln/redis&with=north/alerts&with=orbit/cron"},
	)
	return append(out, page("A publisher",
		story{ID: "publisher", Name: "Who it is, and its plugins", Path: "publishers/acme"},
		story{ID: "publisher-signers", Name: "Signers of now, of later and of before", Path: "publishers/acme", Set: with(signers)},
		story{ID: "publisher-nobody", Name: "Nobody may sign now, and an advisory", Path: "publishers/kiln", Set: with(blocked)},
		story{ID: "publisher-many", Name: "Many pages of plugins", Path: "publishers/bulk?page=2", Set: with(many)},
		story{ID: "publisher-viewer", Name: "Somebody who may only look", Path: "publishers/acme", Set: as(viewer)},
		story{ID: "publisher-stale", Name: "Offline: the last good catalog", Path: "publishers/acme", Set: with(source(stale))},
		story{ID: "publisher-unknown", Name: "There is none of that name", Path: "publishers/gone", Status: http.StatusNotFound},
	)...)
}

// alike makes plugins that differ in nothing but their name.
func alike(m *storetest.Market) {
	many(m)
	for _, id := range []catalog.PluginID{"bulk/tool-01", "bulk/tool-02"} {
		listed(id, func(p *catalog.Plugin) {
			p.Stats = catalog.Stats{ID: id}
			for i := range p.Releases {
				p.Releases[i].Size, p.Releases[i].Published = 1000, now.Add(-time.Hour)
			}
		})(m)
	}
}

// odd makes the plugins of a comparison stand as badly as they can.
func odd(m *storetest.Market) {
	m.Rules.Deny = sandbox.MustSet("fs.read:/srv")
	listed("acme/backup", func(p *catalog.Plugin) {
		p.Advisories = []catalog.Advisory{{ID: "SA-2026-4", Action: catalog.ActionBlock, Title: "Sends passwords in the clear", Plugin: p.ID, Issued: now.Add(-time.Hour)}}
		p.Publisher.Signers = nil
	})(m)
	listed("kiln/postgres", func(p *catalog.Plugin) {
		p.Releases = slices.Clone(p.Releases)
		p.Releases[0].Manifest.Panel = ">=99"
		p.Releases[0].Manifest.Dependencies = []catalog.Dependency{{ID: "gone/library", Range: "^1"}, {ID: "north/alerts"}}
		p.Stats = catalog.Stats{ID: p.ID}
	})(m)
}

// signers gives a publisher one signer of each state.
func signers(m *storetest.Market) {
	for _, id := range []catalog.PluginID{"acme/backup", "acme/mailer", "acme/storage"} {
		listed(id, func(p *catalog.Plugin) {
			one := p.Publisher.Signers[0]
			early, ended, revoked := one, one, one
			early.From = now.Add(30 * 24 * time.Hour)
			ended.From, ended.Until = now.Add(-400*24*time.Hour), now.Add(-40*24*time.Hour)
			revoked.From, revoked.Revoked = now.Add(-400*24*time.Hour), now.Add(-3*24*time.Hour)
			p.Publisher.Signers = []catalog.Signer{one, early, ended, revoked}
			p.Publisher.Homepage = "https://acme.example"
		})(m)
	}
}

// blocked is a publisher that an advisory is about.
func blocked(m *storetest.Market) {
	for _, id := range []catalog.PluginID{"kiln/postgres", "kiln/redis"} {
		listed(id, func(p *catalog.Plugin) {
			p.Publisher.Signers = nil
			p.Advisories = []catalog.Advisory{{ID: "SA-2026-7", Action: catalog.ActionDisable, Title: "The publisher's key was stolen", Detail: "Everything that was signed since Monday is suspect.", Publisher: "kiln", Issued: now.Add(-time.Hour), URL: "https://advisories.example/7"}}
		})(m)
	}
}
