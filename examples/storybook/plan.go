package main

import (
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/phrase"
)

func planStories() []story {
	ask := form("do", "install", "plugin", "acme/backup")
	more := form("do", "update", "plugin", "acme/mailer")
	return page("Plan and consent",
		story{ID: "plan", Name: "Install, with consents and a dependency", Path: "plans", Form: ask},
		story{ID: "plan-dialog", Name: "The same in a dialog", Path: "p/acme/backup", Press: `.souk-hero-act form[data-consent] button`},
		story{ID: "plan-nothing-asked", Name: "Install, nothing to agree to", Path: "plans", Form: ask, Set: with(plan(func(p *install.Plan) { p.Consents = nil }))},
		story{ID: "plan-wider", Name: "Update that asks for more, high risk", Path: "plans", Form: more, Set: with(wider)},
		story{ID: "plan-wider-dialog", Name: "The same in a dialog, the focus on Cancel", Path: "p/acme/mailer", Press: `.souk-hero-act form[data-consent] button`, Set: with(wider)},
		story{ID: "plan-risk-not-yours", Name: "A high risk that somebody may not agree to", Path: "plans", Form: more, Set: both(as(operator), with(wider))},
		story{ID: "plan-less", Name: "Update that asks for less", Path: "plans", Form: more, Set: with(wider, plan(func(p *install.Plan) {
			p.Steps[0].Diff = sandbox.Diff{Removed: []sandbox.Change{{Permission: "net.out:smtp.example.org:587"}}}
			p.Consents = nil
		}))},
		story{ID: "plan-signer", Name: "Update by another signer", Path: "plans", Form: more, Set: with(wider, plan(func(p *install.Plan) {
			p.Consents = []install.Need{{ID: "acme/mailer signer", Plugin: "acme/mailer", Kind: install.NeedSigner, Risk: sandbox.RiskHigh, Says: phrase.Of("install.signer.changed", "Was signed by {0} so far, and now by {1}.", "key:5d41402abc4b2a76b9719d911017c592", "key:7d793037a0760186574b0282f2f435e7"), New: true}}
		}))},
		story{ID: "plan-warnings", Name: "With warnings", Path: "plans", Form: ask, Set: with(plan(func(p *install.Plan) {
			storetest.Titled(p, p.Says, phrase.Of("resolve.yanked", "{0} was yanked{1}", "kiln/postgres 2.1.0", phrase.Raw(": data loss on upgrade")),
				phrase.Of("resolve.stayed", "{0} is pinned at {1} and was not updated{2}", "kiln/postgres", "2.1.0", phrase.Phrase{}))
		}))},
		story{ID: "plan-remove", Name: "Remove", Path: "plans", Form: form("do", "remove", "plugin", "north/metrics"), Set: with(func(m *storetest.Market) {
			is := m.Here[0]
			m.Next = &install.Plan{Base: 4, Says: phrase.Of("title.remove", "Remove {0}", "Metrics"), Steps: []install.Step{{Action: install.ActRemove, Release: m.Listed["north/metrics"].Releases[0], Source: "main", From: &is, Root: true, Because: storetest.Asked()}}}
		})},
		story{ID: "plan-rollback", Name: "Go back", Path: "plans", Form: form("do", "rollback", "generation", "3"), Set: with(func(m *storetest.Market) {
			is := m.Here[1]
			m.Next = &install.Plan{Base: 4, Rollback: 3, Says: phrase.Of("title.rollback", "Go back to generation {0}", "3"), Warnings: []string{""}, Cautions: []phrase.Phrase{phrase.Of("install.data.back", "{0} goes back to its data of {1}; what it has written since is not taken along", "acme/mailer", now.Add(-960*time.Hour))}, Steps: []install.Step{
				{Action: install.ActDowngrade, Release: m.Listed["acme/mailer"].Releases[2], Source: "main", From: &is, Root: true, Because: phrase.Of("install.because.has", "generation {0} has it", "3")},
				{Action: install.ActReplace, Release: m.Listed["acme/storage"].Releases[0], Source: "main", From: &m.Here[2], Because: phrase.Of("install.because.has", "generation {0} has it", "3")},
			}}
		})},
		story{ID: "plan-downgrade", Name: "An older version", Path: "plans", Form: form("do", "install", "plugin", "acme/mailer", "version", "1.9.0"), Set: with(func(m *storetest.Market) {
			is := m.Here[1]
			m.Next = &install.Plan{Base: 4, Says: phrase.Of("title.downgrade", "Downgrade {0} to {1}", "Mailer", "1.9.0"), Steps: []install.Step{{Action: install.ActDowngrade, Release: m.Listed["acme/mailer"].Releases[2], Source: "main", From: &is, Root: true, Because: storetest.Asked()}}}
		})},
		story{ID: "plan-keep", Name: "A dependency that shall stay", Path: "plans", Form: form("do", "install", "plugin", "acme/storage"), Set: with(func(m *storetest.Market) {
			is := m.Here[2]
			m.Next = &install.Plan{Base: 4, Says: phrase.Of("title.keep", "Keep {0} {1}", "Object Storage", "2.1.0"), Steps: []install.Step{{Action: install.ActKeep, Release: m.Listed["acme/storage"].Releases[0], Source: "main", From: &is, Root: true, Because: storetest.Asked()}}}
		})},
		story{ID: "plan-all", Name: "Update all", Path: "plans", Form: form("do", "update-all"), Set: with(everything)},
		story{ID: "plan-empty", Name: "Nothing has to change", Path: "plans", Form: form("do", "update-all"), Set: with(plan(func(p *install.Plan) { *p = install.Plan{Base: 4, Says: phrase.Of("title.nothing", "Nothing to do")} }))},
		story{ID: "plan-conflict", Name: "No way that fits", Path: "plans", Form: ask, Status: 409, Set: with(func(m *storetest.Market) { m.PlanErr = storetest.Clash() })},
		story{ID: "plan-conflict-dialog", Name: "The same in a dialog", Path: "p/acme/backup", Press: `.souk-hero-act form[data-consent] button`, Set: with(func(m *storetest.Market) { m.PlanErr = storetest.Clash() })},
	)
}

// plan changes the plan that is made.
func plan(change func(*install.Plan)) func(*storetest.Market) {
	return func(m *storetest.Market) { change(m.Next) }
}

// wider is an update that asks for more than was agreed to.
func wider(m *storetest.Market) { m.Next = storetest.MailerPlan(m) }

// everything is the plan of an update of all: one asks for more, one brings another.
func everything(m *storetest.Market) {
	p := storetest.MailerPlan(m)
	p.Says = phrase.Of("title.update.many", "Update {0} plugins", 3)
	for i, id := range []catalog.PluginID{"north/metrics", "acme/storage"} {
		from := m.Here[2*i]
		from.Version = "2.0.3"
		r := m.Listed[id].Releases[0]
		p.Steps = append(p.Steps, install.Step{Action: install.ActUpdate, Release: r, Source: "main", From: &from, Root: i == 0, Because: phrase.Of("resolve.because.update", "you asked for its update")})
		p.Download += r.Size
	}
	storetest.Titled(p, p.Says, phrase.Of("resolve.stayed", "{0} is pinned at {1} and was not updated{2}", "kiln/postgres", "1.9.0", phrase.Phrase{}))
	m.Next = p
}
