package main

import (
	"time"

	"github.com/souk-dev/souk/marketplace/store"
)

// isolatedStories are a page of each kind within a shadow root; the switch of the book
// shows all others like that.
func isolatedStories() []story {
	inside := func(s *scene) { s.more = append(s.more, func(o *store.Options) { o.Isolated = true }) }
	return page("Isolated",
		story{ID: "isolated-browse", Name: "Browse", Set: inside},
		story{ID: "isolated-typing", Name: "Searching while typing", Set: both(inside, func(s *scene) { s.slow = 4 * time.Second }), Type: "backup"},
		story{ID: "isolated-plugin", Name: "A plugin, with a hub", Path: "p/acme/backup", Set: both(inside, hub())},
		story{ID: "isolated-dialog", Name: "A plan in a dialog", Path: "p/acme/backup", Set: inside, Press: `.souk-hero-act form[data-consent] button`},
		story{ID: "isolated-updates", Name: "Updates", Path: "updates", Set: inside},
		story{ID: "isolated-settings", Name: "Settings", Path: "settings", Set: both(inside, hub())},
	)
}
