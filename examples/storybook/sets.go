package main

import (
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/phrase"
	"github.com/souk-dev/souk/update"
)

// setsStories are about several plugins that change together, and what comes of that.
func setsStories() []story {
	all := form("do", "update-all")
	out := page("Update all",
		story{ID: "all-left-out", Name: "One was left out, one is held, one fits only in an older version", Path: "plans", Form: form("do", "update-all", "without", "north/metrics"), Set: with(everything, offered, func(m *storetest.Market) {
			m.Next.Steps = m.Next.Steps[:1]
			m.Next.Steps[0].Release.Version = "2.0.9"
			m.Next.Says, m.Next.Consents = phrase.Of("title.update", "Update {0} to {1}", "Mailer", "2.0.9"), nil
			m.Updating.Holds = map[catalog.PluginID]update.Hold{"acme/storage": {By: "bob", At: now, Why: "fair week"}}
		})},
		story{ID: "all-shared", Name: "Two need the same dependency", Path: "plans", Form: all, Set: with(everything, func(m *storetest.Market) {
			for i := range m.Next.Steps[:2] {
				m.Next.Steps[i].Release.Manifest.Dependencies = []catalog.Dependency{{ID: "acme/storage", Range: "^2.1"}}
			}
		})},
		story{ID: "all-new", Name: "One asks for something new", Path: "plans", Form: all, Set: with(everything, func(m *storetest.Market) {
			for i := range m.Next.Consents {
				m.Next.Consents[i].New = true
			}
			m.Next.Steps[0].Diff = sandbox.Diff{}
		})},
		story{ID: "all-downloading", Name: "The second of three is downloaded", Path: "operations/t9", Set: with(running(install.StateDownloading, 42), func(m *storetest.Market) {
			op := &m.Running[0]
			op.Title, op.Says, op.Plugin = "Update 3 plugins", phrase.Of("title.update.many", "Update {0} plugins", 3), "north/metrics"
			op.Plugins = []catalog.PluginID{"acme/mailer", "north/metrics", "acme/storage"}
		})},
		story{ID: "all-failed", Name: "One of three did not start, and all went back", Path: "operations/t3", Set: with(func(m *storetest.Market) {
			op := &m.Running[0]
			op.Title, op.Says = "Update 3 plugins", phrase.Of("title.update.many", "Update {0} plugins", 3)
			op.Plugins = []catalog.PluginID{"acme/storage", "acme/mailer", "north/metrics"}
		})},
	)
	out = append(out, page("Updates",
		story{ID: "updates-watched", Name: "An earlier update is being watched", Path: "updates", Set: with(func(m *storetest.Market) {
			m.Updating.Soaks = []update.Soak{{Title: "Update Metrics to 2.1.0", Until: now.Add(9 * time.Minute)}}
		})},
		story{ID: "updates-breaker", Name: "Too much had to be taken back", Path: "updates", Set: with(func(m *storetest.Market) {
			m.Updating.Rollbacks = []time.Time{now.Add(-3 * time.Hour), now.Add(-2 * time.Hour)}
		})},
		story{ID: "updates-notes", Name: "Release notes of which one closes a hole and one breaks", Path: "updates", Set: with(func(m *storetest.Market) {
			p := m.Listed["acme/mailer"]
			p.Releases[0].Manifest.Breaking = "<2.1.0"
			p.Advisories = []catalog.Advisory{{ID: "SA-2026-9", Title: "Leaks addresses", Plugin: "acme/mailer", Range: "<2.0.9", FixedIn: "2.0.9", Action: catalog.ActionWarn, Issued: now.Add(-72 * time.Hour)}}
			m.Listed["acme/mailer"] = p
			o := &m.Offered[0]
			o.Notes = append(o.Notes, update.Note{Version: "2.0.9", Published: now.Add(-5 * 24 * time.Hour), Text: "- Addresses no longer stand in the log"})
			o.Risk.Permissions.Removed = []sandbox.Change{{Permission: "exec:/usr/sbin/sendmail"}}
		})},
	)...)
	return append(out, page("History",
		story{ID: "history-second-page", Name: "The second page of a long history", Path: "history?from=50", Set: with(func(m *storetest.Market) {
			for len(m.Entries) < 120 {
				m.Entries = append(m.Entries, m.Entries[1])
			}
		})},
		story{ID: "history-entry", Name: "A change of an earlier run of the panel, whose log is gone", Path: "operations/t2", Set: with(func(m *storetest.Market) {
			m.Running = append(m.Running, install.Operation{ID: "t2", Title: m.Entries[1].Title, Says: m.Entries[1].Says, Actor: "ada", State: install.StateDone, Plugins: []catalog.PluginID{"north/metrics"}, Started: m.Entries[1].Started, Ended: m.Entries[1].Ended})
		})},
		story{ID: "plan-all-the-same", Name: "Back to what is not safe, all the same", Path: "plans", Form: form("do", "rollback", "generation", "3", "override", "1"), Set: with(advisory("acme/mailer", catalog.ActionBlock), wider, func(m *storetest.Market) {
			p := m.Next
			p.Rollback, p.Says = 3, phrase.Of("title.rollback", "Go back to generation {0}", "3")
			p.Steps[0].Action = install.ActDowngrade
			p.Steps[0].Release = m.Listed["acme/mailer"].Releases[2]
			p.Consents = []install.Need{{ID: "acme/mailer revoked 1.9.0", Plugin: "acme/mailer", Kind: install.NeedRevoked, Risk: sandbox.RiskHigh, New: true, Sentence: "Goes back to acme/mailer@1.9.0."}}
		})},
	)...)
}

// offered adds offers of the other installed plugins.
func offered(m *storetest.Market) {
	for _, id := range []catalog.PluginID{"north/metrics", "acme/storage"} {
		o := m.Offered[0]
		o.Plugin, o.Name, o.To = id, m.Listed[id].Name, m.Listed[id].Releases[0]
		m.Offered = append(m.Offered, o)
	}
}
