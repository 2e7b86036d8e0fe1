package main

import (
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/sandbox/phrase"
	"github.com/souk-dev/souk/update"
)

func updatesStories() []story {
	const path = "updates"
	decided := func(d update.Decision) func(*storetest.Market) {
		return func(m *storetest.Market) { m.Offered[0].Decision = d }
	}
	return page("Updates",
		story{ID: "updates", Name: "One that needs a decision", Path: path},
		story{ID: "updates-viewer", Name: "Somebody who may only look", Path: path, Set: as(viewer)},
		story{ID: "updates-several", Name: "Several, with every kind of fact", Path: path, Set: with(offers)},
		story{ID: "updates-wait", Name: "One that waits", Path: path, Set: with(decided(storetest.Decided(update.Wait, time.Time{}, young())))},
		story{ID: "updates-held", Name: "One that is held", Path: path, Set: with(held)},
		story{ID: "updates-running", Name: "One is being updated", Path: path, Set: with(running(install.StateDownloading, 70), func(m *storetest.Market) {
			m.Running[0].Says, m.Running[0].Plugins = storetest.UpdateMailer(), []catalog.PluginID{"acme/mailer"}
		})},
		story{ID: "updates-frozen", Name: "Automatic updates are paused", Path: path, Set: with(func(m *storetest.Market) { m.Updating.Frozen = true })},
		story{ID: "updates-tried-out", Name: "A new plugin that was taken out again", Path: path, Set: with(func(m *storetest.Market) {
			m.Updating.Failures = append(m.Updating.Failures, update.Failure{Ref: catalog.Ref{Plugin: "orbit/deploy", Version: "2.1.0"}, Count: 3, Last: now.Add(-time.Hour), Error: "exit status 1"})
		})},
		story{ID: "updates-none", Name: "Everything is up to date", Path: path, Set: with(func(m *storetest.Market) { m.Offered, m.Updating.Failures = nil, nil })},
		story{ID: "updates-nothing-installed", Name: "Nothing is installed", Path: path, Set: with(func(m *storetest.Market) {
			m.Here, m.Offered, m.Updating = nil, nil, update.State{}
		})},
		story{ID: "updates-error", Name: "The offers cannot be worked out", Path: path, Set: with(func(m *storetest.Market) { m.Offered, m.OffersErr = nil, catalog.ErrUnavailable })},
		story{ID: "updates-stale", Name: "Offline: the last good catalog", Path: path, Set: with(source(stale))},
	)
}

// offers are updates with every fact that there is, one decided each way.
func offers(m *storetest.Market) {
	wide := m.Offered[0]
	make := func(id catalog.PluginID, d update.Decision, r update.RiskDiff) update.Offer {
		p := m.Listed[id]
		from := m.Here[0]
		from.Ref, from.Manifest = catalog.Ref{Plugin: id, Version: "2.0.3"}, p.Releases[1].Manifest
		return update.Offer{Plugin: id, Name: p.Name, Source: "main", From: from, To: p.Releases[0], Risk: r, Decision: d,
			Notes: []update.Note{{Version: "2.1.0", Published: p.Releases[0].Published, Text: "- Faster by a third"}, {Version: "2.0.4", Published: p.Releases[0].Published.Add(-200 * time.Hour), Text: "**Security:** closes SA-2026-7"}}}
	}
	for _, id := range []catalog.PluginID{"kiln/postgres", "orbit/deploy", "harbor/firewall", "north/alerts"} {
		i := m.Here[0]
		i.Ref, i.Manifest = catalog.Ref{Plugin: id, Version: "2.0.3"}, m.Listed[id].Releases[1].Manifest
		m.Here = append(m.Here, i)
	}
	m.Offered = []update.Offer{
		make("kiln/postgres", storetest.Decided(update.Auto, time.Time{}, phrase.Of("update.now", "The policy allows it now.")), update.RiskDiff{Security: []string{"SA-2026-7"}, Data: true}),
		make("orbit/deploy", storetest.Decided(update.Wait, now.Add(45*time.Hour), young()), update.RiskDiff{Major: true, Dependencies: []catalog.PluginID{"kiln/redis", "north/alerts"}}),
		wide,
		make("harbor/firewall", storetest.Decided(update.Ask, time.Time{}, phrase.Of("update.signer", "Somebody else signs for it than for the installed version."), phrase.Of("update.native", "It brings native code, which the installed version does not have.")), update.RiskDiff{Signer: true, Native: true, Breaking: true, Dependencies: []catalog.PluginID{"kiln/redis"}}),
		make("north/alerts", update.Decision{Verdict: update.Auto}, update.RiskDiff{}),
	}
}

// young is why a release waits that came out three hours ago.
func young() phrase.Phrase {
	return phrase.Of("update.young", "It has to be out for {0}, until {1}.", phrase.Of("age.days", "{0} days", 2), now.Add(45*time.Hour))
}
