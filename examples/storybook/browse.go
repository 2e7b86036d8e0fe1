package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/verify"
)

var now = storetest.Now

func browseStories() []story {
	return page("Browse and search",
		story{ID: "browse", Name: "First page"},
		story{ID: "browse-hub", Name: "First page with suggestions of a hub", Set: hub()},
		story{ID: "browse-viewer", Name: "Somebody who may only look", Set: as(viewer)},
		story{ID: "browse-running", Name: "Something is being installed", Set: with(running("downloading", 42))},
		story{ID: "browse-no-source", Name: "No catalog at all", Set: with(nothing)},
		story{ID: "browse-empty-catalog", Name: "The catalog lists nothing", Set: with(func(m *storetest.Market) { m.Listed = nil })},
		story{ID: "browse-not-fetched", Name: "A source that was never fetched", Set: with(source(mirror.Status{State: mirror.Empty}))},
		story{ID: "browse-stale", Name: "Offline: the last good catalog", Set: with(source(stale))},
		story{ID: "browse-expired", Name: "The catalog has expired", Set: with(source(expired))},
		story{ID: "browse-partial", Name: "One source of two does not work", Set: with(source(fresh, failing))},
		story{ID: "browse-replayed", Name: "A source serves an old catalog", Set: with(source(mirror.Status{State: mirror.Failed, Serial: 42, Plugins: 12, Synced: now.Add(-2 * time.Hour), Err: catalog.ErrRollback}))},
		story{ID: "browse-forged", Name: "A source whose signature is wrong", Set: with(source(fresh, mirror.Status{Name: "team", State: mirror.Failed, Err: &verify.Error{Subject: "team", Check: "signature", Err: verify.ErrUntrusted}}))},
		story{ID: "browse-deprecated", Name: "A deprecated plugin among others", Set: with(listed("orbit/cron", func(p *catalog.Plugin) { p.Deprecated = "Use orbit/deploy, which has a calendar of its own." })), Path: "?q=sched"},
		story{ID: "browse-many", Name: "Many pages of plugins", Set: with(many), Path: "?page=3"},
		story{ID: "browse-long-words", Name: "Long names, publishers and summaries", Set: with(longNames)},
		story{ID: "search", Name: "Results of a search", Path: "?q=a"},
		story{ID: "search-category", Name: "A category", Path: "?category=monitoring"},
		story{ID: "search-publisher", Name: "Plugins of one publisher", Path: "?publisher=kiln"},
		story{ID: "search-nothing", Name: "Nothing found", Path: "?q=zzz"},
		story{ID: "search-waiting", Name: "A slow search: the skeleton", Type: "backup", Set: func(s *scene) { s.slow = 4 * time.Second }},
	)
}

var (
	fresh   = mirror.Status{Name: "main", State: mirror.Fresh, Serial: 42, Synced: now.Add(-20 * time.Minute), Expires: now.Add(20 * time.Hour), Plugins: 12}
	stale   = mirror.Status{Name: "main", State: mirror.Stale, Serial: 42, Synced: now.Add(-30 * time.Hour), Expires: now.Add(18 * time.Hour), Plugins: 12, Err: catalog.ErrUnavailable}
	expired = mirror.Status{Name: "main", State: mirror.Expired, Serial: 40, Synced: now.Add(-9 * 24 * time.Hour), Expires: now.Add(-2 * 24 * time.Hour), Plugins: 12, Err: catalog.ErrExpired}
	failing = mirror.Status{Name: "team", State: mirror.Failed, Err: catalog.ErrUnavailable}
)

// source gives the market these sources.
func source(all ...mirror.Status) func(*storetest.Market) {
	return func(m *storetest.Market) {
		m.Catalogs = all
		for i := range m.Catalogs {
			if m.Catalogs[i].Name == "" {
				m.Catalogs[i].Name = "main"
			}
		}
	}
}

// nothing leaves a market without source and plugins.
func nothing(m *storetest.Market) {
	m.Listed, m.Catalogs, m.Here, m.Offered, m.Entries, m.Points, m.Running = nil, nil, nil, nil, nil, nil, nil
	m.Updating.Failures = nil
}

// listed changes a plugin of the catalog.
func listed(id catalog.PluginID, change func(*catalog.Plugin)) func(*storetest.Market) {
	return func(m *storetest.Market) {
		p := m.Listed[id]
		change(&p)
		m.Listed[id] = p
	}
}

// many adds plugins until there are several pages of them.
func many(m *storetest.Market) {
	for i := range 90 {
		id := catalog.PluginID(fmt.Sprintf("bulk/tool-%02d", i))
		p := m.Listed["north/metrics"]
		p.ID, p.Name, p.Summary = id, fmt.Sprintf("Tool %d", i), "One of many."
		p.Releases = slices.Clone(p.Releases)
		for n := range p.Releases {
			p.Releases[n].Plugin = id
		}
		p.Featured, p.Stats = false, catalog.Stats{ID: id, Downloads: int64(i), Rank: float64(i) / 100}
		m.Listed[id] = p
	}
}

// longNames are as long as a catalog lets them be, or in a script of its own.
func longNames(m *storetest.Market) {
	for id, words := range map[catalog.PluginID][2]string{
		"acme/backup":   {"Donaudampfschifffahrtsgesellschaftskapitänsbackupverwaltung", "Superlongwordwithoutanyspaceswhatsoeverthathastobebrokensomewhereorotherwiseitwouldsticksoutofthecard and then some more words that go on."},
		"north/metrics": {"مقاييس الخادم", "رسوم بيانية للمعالج والذاكرة والقرص والشبكة لكل خادم."},
		"kiln/postgres": {"データベース管理", "データベース、ユーザー、拡張機能、遅いクエリを一か所で。"},
	} {
		listed(id, func(p *catalog.Plugin) { p.Name, p.Summary = words[0], words[1] })(m)
	}
}
