package main

import (
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/update"
)

func historyStories() []story {
	return page("History and rollback",
		story{ID: "history", Name: "Changes and restore points", Path: "history"},
		story{ID: "history-viewer", Name: "Somebody who may only look", Path: "history", Set: as(viewer)},
		story{ID: "history-empty", Name: "Nothing happened yet", Path: "history", Set: with(nothing)},
		story{ID: "history-broken", Name: "The history cannot be read", Path: "history", Set: with(func(m *storetest.Market) { m.HistoryErr = install.ErrCorrupt })},
		story{ID: "history-long", Name: "A long one, with every outcome", Path: "history", Set: with(func(m *storetest.Market) {
			for i := range 12 {
				e := m.Entries[i%2]
				e.ID, e.Ended = "t3", now.Add(-time.Duration(i+1)*30*time.Hour)
				if i%5 == 4 {
					e.State, e.Error = install.StateCancelled, ""
				}
				m.Entries = append(m.Entries, e)
				g := m.Points[1]
				g.N, g.Time = uint64(20-i), e.Ended
				m.Points = append(m.Points, g)
			}
		})},
		story{ID: "history-barred", Name: "Restore points that nobody may go back to", Path: "history", Set: with(
			release3("acme/mailer", func(r *catalog.Release) { r.State, r.Reason = catalog.Withdrawn, "leaks passwords into the log" }),
			advisory("acme/mailer", catalog.ActionBlock), pinned,
		)},
		story{ID: "history-override", Name: "A restore point that is not safe, to somebody who may go there all the same", Path: "history", Set: with(advisory("acme/mailer", catalog.ActionBlock))},
		story{ID: "history-override-not-yours", Name: "A restore point that is not safe, to somebody who may not agree to high risks", Path: "history", Set: both(as(operator), with(advisory("acme/mailer", catalog.ActionBlock)))},
		story{ID: "history-kept", Name: "A restore point that keeps the data", Path: "history", Set: with(func(m *storetest.Market) {
			p := m.Points[1].Plugins["acme/mailer"]
			p.Data = m.Points[0].Plugins["acme/mailer"].Data
			m.Points[1].Plugins["acme/mailer"] = p
		})},
		story{ID: "history-same", Name: "A restore point that changes nothing", Path: "history", Set: with(func(m *storetest.Market) {
			g := m.Points[0]
			g.N, g.Reason, g.Time = 3, "Hold of Mailer", now.Add(-40*24*time.Hour)
			m.Points[1] = g
		})},
	)
}

// release3 changes the oldest release of a plugin.
func release3(id catalog.PluginID, change func(*catalog.Release)) func(*storetest.Market) {
	return listed(id, func(p *catalog.Plugin) { change(&p.Releases[2]) })
}

// pinned keeps the mailer where it is, also against people.
func pinned(m *storetest.Market) {
	m.Updating.Holds = map[catalog.PluginID]update.Hold{"acme/mailer": {By: "ada", At: now.Add(-26 * time.Hour), Pin: true}}
}
