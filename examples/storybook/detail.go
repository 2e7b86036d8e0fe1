package main

import (
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
)

func detailStories() []story {
	const backup, metrics, mailer = "p/acme/backup", "p/north/metrics", "p/acme/mailer"
	at := func(do string) *install.HistoryStep {
		return &install.HistoryStep{Action: install.Action(do), Plugin: "acme/backup", From: "2.0.3", To: "2.1.0"}
	}
	out := page("One plugin",
		story{ID: "plugin", Name: "Available", Path: backup},
		story{ID: "plugin-hub", Name: "Available, with a hub", Path: backup, Set: hub()},
		story{ID: "plugin-viewer", Name: "Somebody who may only look", Path: backup, Set: as(viewer)},
		story{ID: "plugin-installed", Name: "Installed", Path: metrics},
		story{ID: "plugin-installed-viewer", Name: "Installed, somebody who may only look", Path: metrics, Set: as(viewer)},
		story{ID: "plugin-update", Name: "Update available, and the last one was undone", Path: mailer},
		story{ID: "plugin-off", Name: "Installed but off", Path: metrics, Set: with(here("north/metrics", func(i *install.Installed) { i.Enabled = false }))},
		story{ID: "plugin-failed-install", Name: "The last install did not work", Path: backup, Set: with(lastFailed(install.HistoryStep{Action: install.ActInstall, Plugin: "acme/backup", To: "2.1.0"}))},
		story{ID: "plugin-failed-remove", Name: "The last removal did not work", Path: metrics, Set: with(lastFailed(install.HistoryStep{Action: install.ActRemove, Plugin: "north/metrics", From: "2.1.0"}))},
		story{ID: "plugin-failed-update", Name: "The last update was undone", Path: backup, Set: with(lastFailed(*at("update")))},
		story{ID: "plugin-no-version", Name: "Not available: no version", Path: backup, Set: with(listed("acme/backup", func(p *catalog.Plugin) { p.Latest = "" }))},
		story{ID: "plugin-yanked", Name: "Not available: the newest was yanked", Path: backup, Set: with(release("acme/backup", func(r *catalog.Release) { r.State, r.Reason = catalog.Yanked, "data loss on upgrade" }))},
		story{ID: "plugin-expired", Name: "Not available: its catalog has expired", Path: backup, Set: with(source(expired))},
		story{ID: "plugin-blocked", Name: "Not available: an advisory blocks it", Path: backup, Set: with(advisory("acme/backup", catalog.ActionBlock))},
		story{ID: "plugin-policy", Name: "Not available: the policy forbids it", Path: backup, Set: with(release("acme/backup", func(r *catalog.Release) {
			r.Manifest.Permissions = append(r.Manifest.Permissions, storetest.Ask(sandbox.KindExec, "/usr/bin/tar", "To pack faster.", false))
		}))},
		story{ID: "plugin-unreadable", Name: "Not available: what it asks for cannot be read", Path: backup, Set: with(release("acme/backup", func(r *catalog.Release) {
			r.Manifest.Permissions = append(r.Manifest.Permissions, storetest.Ask("net.sideways", "x", "", false))
		}))},
		story{ID: "plugin-panel", Name: "Not available: for another panel", Path: backup, Set: with(func(m *storetest.Market) { m.API = "2.4.0" })},
		story{ID: "plugin-platform", Name: "Not available: for another kind of server", Path: backup, Set: with(func(m *storetest.Market) { m.Platform = "linux/riscv64" })},
		story{ID: "plugin-warned", Name: "Installed, and an advisory warns", Path: metrics, Set: with(advisory("north/metrics", catalog.ActionWarn))},
		story{ID: "plugin-revoked", Name: "Installed and revoked", Path: metrics, Set: with(advisory("north/metrics", catalog.ActionDisable))},
		story{ID: "plugin-deprecated", Name: "Deprecated", Path: "p/orbit/cron", Set: with(listed("orbit/cron", func(p *catalog.Plugin) { p.Deprecated = "Use orbit/deploy, which has a calendar of its own." }))},
		story{ID: "plugin-docs-later", Name: "The documentation is still on its way", Path: backup, Set: with(func(m *storetest.Market) { m.MediaWait = time.Hour })},
		story{ID: "plugin-docs-offline", Offline: true, Name: "The documentation cannot be fetched", Path: backup, Set: with(func(m *storetest.Market) { m.MediaErr = catalog.ErrUnavailable })},
		story{ID: "plugin-docs-none", Name: "No documentation", Path: "p/kiln/redis", Set: with(release("kiln/redis", func(r *catalog.Release) { r.Manifest.Docs = "" }))},
		story{ID: "plugin-docs-rich", Name: "Documentation with everything in it", Path: backup, Set: with(func(m *storetest.Market) { m.Blobs["README.md"] = []byte(rich) })},
		story{ID: "plugin-long-words", Name: "A long name", Path: backup, Set: with(longNames)},
		story{ID: "plugin-native", Name: "A native program", Path: backup, Set: with(release("acme/backup", func(r *catalog.Release) { r.Manifest.Runtime.Kind = catalog.RuntimeProcess }))},
		story{ID: "plugin-static", Name: "Files only", Path: "p/lumen/theme-dusk", Set: with(release("lumen/theme-dusk", func(r *catalog.Release) { r.Manifest.Runtime.Kind = catalog.RuntimeStatic }))},
		story{ID: "permissions", Name: "Permissions", Path: backup + "/permissions", Set: with(release("acme/backup", func(r *catalog.Release) {
			r.Manifest.Permissions = append(r.Manifest.Permissions, storetest.Ask(sandbox.KindExec, "/usr/bin/tar", "To pack faster.", true), storetest.Ask(sandbox.KindNetOut, "*:*", "", true))
		}))},
		story{ID: "permissions-none", Name: "Asks for nothing", Path: "p/lumen/theme-dusk/permissions"},
		story{ID: "screenshot", Name: "The first screenshot", Path: backup + "/screenshots/1"},
		story{ID: "screenshot-last", Name: "The last screenshot", Path: backup + "/screenshots/2"},
		story{ID: "screenshot-only", Name: "The only screenshot, with no caption", Path: backup + "/screenshots/1", Set: with(release("acme/backup", func(r *catalog.Release) {
			r.Manifest.Screenshots = []catalog.Screenshot{{File: "shots/1.png", Alt: r.Manifest.Screenshots[0].Alt}}
		}))},
		story{ID: "versions", Name: "Versions", Path: mailer + "/versions", Set: with(listed("acme/mailer", func(p *catalog.Plugin) {
			old := p.Releases[2]
			old.Version, old.State, old.Reason = "1.8.0", catalog.Withdrawn, "leaks passwords into the log"
			p.Releases = append(p.Releases, old)
		}))},
		story{ID: "dependencies", Name: "Dependencies", Path: backup + "/dependencies", Set: with(release("acme/backup", func(r *catalog.Release) {
			r.Manifest.Dependencies = append(r.Manifest.Dependencies, catalog.Dependency{ID: "else/where", Range: ">=1"}, catalog.Dependency{ID: "kiln/redis", Range: "^2"})
		}))},
		story{ID: "dependencies-none", Name: "No dependency", Path: metrics + "/dependencies"},
		story{ID: "security", Name: "Security", Path: metrics + "/security"},
		story{ID: "security-advisories", Name: "Security with advisories of each kind", Path: metrics + "/security", Set: with(advisories)},
		story{ID: "security-nobody", Name: "Nobody may sign", Path: backup + "/security", Set: with(listed("acme/backup", func(p *catalog.Plugin) {
			p.Publisher.Signers = []catalog.Signer{{Identity: p.Publisher.Signers[0].Identity, Revoked: now}}
		}))},
		story{ID: "security-keys", Name: "A signer with a plain key", Path: backup + "/security", Set: with(listed("acme/backup", func(p *catalog.Plugin) {
			p.Publisher.Signers = append(p.Publisher.Signers, catalog.Signer{Identity: verify.Identity{Key: strings.Repeat("0f1e2d3c", 8)}})
		}))},
	)
	for _, s := range underWay() {
		out = append(out, page("One plugin", story{ID: "plugin-" + slug(s), Name: "Under way: " + string(s), Path: backup, Set: with(running(s, 42))})...)
	}
	return out
}

// here changes an installed plugin.
func here(id catalog.PluginID, change func(*install.Installed)) func(*storetest.Market) {
	return func(m *storetest.Market) {
		for i := range m.Here {
			if m.Here[i].Plugin == id {
				change(&m.Here[i])
			}
		}
	}
}

// release changes the newest release of a plugin.
func release(id catalog.PluginID, change func(*catalog.Release)) func(*storetest.Market) {
	return listed(id, func(p *catalog.Plugin) { change(&p.Releases[0]) })
}

// lastFailed makes a change the last one, which went wrong.
func lastFailed(c install.HistoryStep) func(*storetest.Market) {
	return func(m *storetest.Market) {
		m.Entries = append([]install.Entry{{
			Transaction: install.Transaction{ID: "t3", From: 4, To: 4, Title: "Change of " + string(c.Plugin), Actor: "ada", Started: now.Add(-time.Hour), Ended: now.Add(-time.Hour)},
			State:       install.StateFailed, Error: "health check failed: connection refused by 10.0.0.5:25", Changes: []install.HistoryStep{c},
		}}, m.Entries...)
	}
}

// advisory warns of a plugin.
func advisory(id catalog.PluginID, action catalog.Action) func(*storetest.Market) {
	return listed(id, func(p *catalog.Plugin) {
		p.Advisories = append(p.Advisories, catalog.Advisory{ID: "SA-2026-7", Action: action, Title: "Leaks keys into the log", Plugin: id, Range: "<3.0.0", Issued: now.Add(-5 * time.Hour), FixedIn: "3.0.0", Detail: "Turn **logging** off until it is fixed.", URL: "https://example.org/SA-2026-7"})
	})
}

// advisories of each kind concern the metrics, one of them rescinded.
func advisories(m *storetest.Market) {
	for _, a := range []catalog.Action{catalog.ActionWarn, catalog.ActionBlock, catalog.ActionDisable} {
		advisory("north/metrics", a)(m)
	}
	listed("north/metrics", func(p *catalog.Plugin) {
		p.Advisories[0].Rescinded = now.Add(-time.Hour)
		p.Advisories = append(p.Advisories, catalog.Advisory{ID: "SA-2026-8", Action: catalog.ActionWarn, Title: "Slow with many disks", Plugin: p.ID, Issued: now.Add(-time.Hour)})
	})(m)
}

const rich = `# Backup

A paragraph with **bold**, *emphasis*, ` + "`code`" + ` and a [link](https://docs.example.org/).

> A quotation that goes on for so long that it needs more than one line, because that is what people write.

1. First
2. Second
   - nested
   - again

| Store | Speed | Note | Another column | And one more |
|---|---:|---|---|---|
| S3 | 80 MB/s | from Frankfurt, over the public internet | yes | no |
| Folder | 210 MB/s | on the same disk | no | yes |

` + "```sh\nsouk backup run --now --target s3://bucket/with/a/very/long/path/that/does/not/fit/into/a/narrow/screen --verbose\n```" + `

![The dashboard](shots/1.png)

---

#### A small heading

Averyveryveryverylongwordthatisnotbrokenbyanythingandthatwouldmakeapagescrollsidewaysifnobodycaredaboutit.
`
