package main

import (
	"time"

	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store/storetest"
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
		story{ID: "history-same", Name: "A restore point that changes nothing", Path: "history", Set: with(func(m *storetest.Market) {
			g := m.Points[0]
			g.N, g.Reason, g.Time = 3, "Hold of Mailer", now.Add(-40*24*time.Hour)
			m.Points[1] = g
		})},
	)
}
