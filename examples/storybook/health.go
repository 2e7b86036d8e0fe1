package main

import (
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store/storetest"
)

// healthStories are about one installed plugin and how it runs.
func healthStories() []story {
	const path = "p/north/metrics/health"
	crashed := sick(fmt.Errorf("wasm trap: out of bounds memory access in metrics.collect (collect.go:218), restarted 5 times in 60 seconds"))
	return page("How a plugin runs",
		story{ID: "health", Name: "It runs", Path: path, Set: with(sick(nil))},
		story{ID: "health-unknown", Name: "It does not say", Path: path},
		story{ID: "health-crashed", Name: "It crashed", Path: path, Set: with(crashed)},
		story{ID: "health-restart", Name: "It needs a restart of the panel", Path: path, Set: with(sick(install.ErrNeedsRestart))},
		story{ID: "health-off", Name: "It is off", Path: path, Set: with(here("north/metrics", func(i *install.Installed) { i.Enabled = false }))},
		story{ID: "health-revoked", Name: "An advisory stopped it", Path: path, Set: with(advisory("north/metrics", catalog.ActionDisable))},
		story{ID: "health-revoked-fixed", Name: "An advisory stopped it, and a newer version is safe", Path: "p/acme/mailer/health", Set: with(listed("acme/mailer", func(p *catalog.Plugin) {
			p.Advisories = []catalog.Advisory{{ID: "SA-2026-7", Action: catalog.ActionDisable, Title: "Leaks keys into the log", Plugin: p.ID, Range: "<2.1.0", Issued: now.Add(-time.Hour), FixedIn: "2.1.0"}}
		}))},
		story{ID: "health-revoked-told", Name: "It says itself that it is blocked", Path: path, Set: with(sick(fmt.Errorf("SA-2026-7: %w", catalog.ErrBlocked)))},
		story{ID: "health-failed", Name: "Its last update was undone", Path: "p/acme/mailer/health"},
		story{ID: "health-viewer", Name: "It crashed, seen by somebody who may only look", Path: path, Set: both(as(viewer), with(crashed))},
		story{ID: "plugin-crashed", Name: "Crashed, on its page", Path: "p/north/metrics", Set: with(crashed)},
		story{ID: "plugin-restart", Name: "Needs a restart, on its page", Path: "p/north/metrics", Set: with(sick(install.ErrNeedsRestart))},
		story{ID: "browse-crashed", Name: "Crashed and in need of a restart, among others", Set: with(crashed, func(m *storetest.Market) { m.Sick["acme/mailer"] = install.ErrNeedsRestart })},
		story{ID: "installed-restart", Name: "One needs a restart, in the list", Path: "installed", Set: with(sick(install.ErrNeedsRestart))},
	)
}

// sick is what the metrics say of themselves.
func sick(err error) func(*storetest.Market) {
	return func(m *storetest.Market) { m.Sick["north/metrics"] = err }
}
