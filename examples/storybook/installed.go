package main

import (
	"errors"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/update"
)

func installedStories() []story {
	return page("Installed",
		story{ID: "installed", Name: "Healthy, sick and unknown", Path: "installed"},
		story{ID: "installed-viewer", Name: "Somebody who may only look", Path: "installed", Set: as(viewer)},
		story{ID: "installed-none", Name: "Nothing is installed", Path: "installed", Set: with(func(m *storetest.Market) { m.Here = nil })},
		story{ID: "installed-off", Name: "One is off", Path: "installed", Set: with(here("north/metrics", func(i *install.Installed) { i.Enabled = false }))},
		story{ID: "installed-revoked", Name: "One is revoked", Path: "installed", Set: with(advisory("north/metrics", catalog.ActionDisable))},
		story{ID: "installed-held", Name: "One is held", Path: "installed", Set: with(held)},
		story{ID: "installed-unlisted", Name: "One is in no catalog any more", Path: "installed", Set: with(func(m *storetest.Market) { delete(m.Listed, "acme/mailer") })},
		story{ID: "installed-running", Name: "One is being changed", Path: "installed", Set: with(running(install.StateChecking, 0), func(m *storetest.Market) {
			m.Running[0].Plugins = []catalog.PluginID{"acme/mailer"}
		})},
		story{ID: "installed-crashed", Name: "One crashed, with much to say", Path: "installed", Set: with(func(m *storetest.Market) {
			m.Sick["north/metrics"] = errors.New("wasm trap: out of bounds memory access at plugin.wasm+0x4f2a1 in metrics.collect.func1 (collect.go:218), restarted 5 times in 60 seconds")
		})},
	)
}

// held keeps the mailer where it is.
func held(m *storetest.Market) {
	m.Updating.Holds = map[catalog.PluginID]update.Hold{"acme/mailer": {By: "ada", At: now.Add(-26 * time.Hour), Until: now.Add(48 * time.Hour), Why: "fair week", Pin: true, Version: "2.1.0"}}
	m.Offered[0].Decision = update.Policy{}.Decide(update.Input{Now: now, Hold: new(m.Updating.Holds["acme/mailer"]), To: m.Offered[0].To})
}
