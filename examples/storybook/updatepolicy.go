package main

import (
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/update"
)

// policyStories are about the part of the settings that says which updates are installed
// without a person.
func policyStories() []story {
	const path = "settings"
	rules := func(p update.Policy) func(*scene) {
		return with(func(m *storetest.Market) { m.Updates = p })
	}
	own := func(pairs ...string) []string {
		return append([]string{"kind", "custom", "version", "x"}, pairs...)
	}
	return page("Settings",
		story{ID: "policy-security", Name: "Updates: security only", Path: path, Set: rules(update.SecurityOnly())},
		story{ID: "policy-nightly", Name: "Updates: nightly", Path: path, Set: rules(update.Nightly("Europe/Berlin"))},
		story{ID: "policy-weekend", Name: "Updates: at the weekend", Path: path, Set: rules(update.Weekend("Europe/Berlin"))},
		story{ID: "policy-frozen", Name: "Updates: paused", Path: path, Set: both(rules(update.Nightly("UTC")), with(func(m *storetest.Market) { m.Updating.Frozen = true }))},
		story{ID: "policy-own", Name: "Updates: rules of one's own", Path: path, Set: rules(update.Policy{
			Mode: update.ModeAuto, MinAge: update.NoMinAge, RollbackData: true, Data: true, Prerelease: []catalog.PluginID{"acme/backup", "north/metrics"},
			Windows: []update.Window{
				{Days: update.On(time.Monday) | update.On(time.Thursday), Start: 2 * time.Hour, Duration: 4 * time.Hour, Zone: "Europe/Berlin"},
				{Days: update.On(time.Sunday), Duration: 24 * time.Hour},
			},
		})},
		story{ID: "policy-viewer", Name: "Updates: seen by somebody who may not change them", Path: path, Set: both(as(viewer), rules(update.Nightly("UTC")))},
		story{ID: "policy-saved", Name: "Updates: saved just now", Path: path + "?saved=updates"},
		story{ID: "policy-synced", Name: "The catalogs were fetched just now", Path: path + "?saved=sync"},
		story{ID: "policy-wrong-zone", Name: "Updates: a time zone that there is not", Path: path + "/updates", Form: form("kind", "preset", "preset", "nightly", "zone", "Atlantis/Centre"), Status: 422},
		story{ID: "policy-wrong-preset", Name: "Updates: nothing was chosen", Path: path + "/updates", Form: form("kind", "preset"), Status: 422},
		story{ID: "policy-wrong-fields", Name: "Updates: everything is wrong", Path: path + "/updates", Status: 422, Form: form(own(
			"mode", "fast", "minAge", "soon", "windows", "3", "prerelease", "not a plugin",
			"w1.day", "mon", "w1.from", "late", "w1.to", "03:00", "w2.day", "tue", "w2.from", "02:00", "w2.to", "02:03", "w3.from", "01:00", "w3.to", "05:00",
		)...)},
		story{ID: "policy-many-windows", Name: "Updates: too many windows", Path: path + "/updates", Status: 422, Form: form(own("mode", "auto", "minAge", "48", "windows", "999")...)},
		story{ID: "policy-changed", Name: "Updates: somebody else saved meanwhile", Path: path + "/updates", Form: form("kind", "preset", "preset", "weekend", "zone", "UTC", "version", "old"), Status: 412},
		story{ID: "hold-past", Name: "A hold until a day that is over", Path: "hold", Form: form("plugin", "acme/mailer", "until", "2026-04-01", "why", "fair week"), Status: 422},
		story{ID: "hold-no-date", Name: "A hold until no date", Path: "hold", Form: form("plugin", "acme/mailer", "until", "soon"), Status: 422},
	)
}
