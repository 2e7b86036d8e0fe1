package main

import (
	"fmt"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/sandbox"
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
			p.Consents = []install.Need{{ID: "acme/mailer signer", Plugin: "acme/mailer", Kind: install.NeedSigner, Risk: sandbox.RiskHigh, Sentence: "Releases of Mailer are signed by somebody else from now on.", New: true}}
		}))},
		story{ID: "plan-warnings", Name: "With warnings", Path: "plans", Form: ask, Set: with(plan(func(p *install.Plan) {
			p.Warnings = []string{"SA-2026-7 warns of acme/backup 2.1.0: leaks keys into the log.", "The update converts your data; going back restores it as it was."}
		}))},
		story{ID: "plan-remove", Name: "Remove", Path: "plans", Form: form("do", "remove", "plugin", "north/metrics"), Set: with(func(m *storetest.Market) {
			is := m.Here[0]
			m.Next = &install.Plan{Base: 4, Title: "Remove Metrics 2.1.0", Steps: []install.Step{{Action: install.ActRemove, Release: m.Listed["north/metrics"].Releases[0], Source: "main", From: &is, Root: true, Why: "you asked for it"}}}
		})},
		story{ID: "plan-rollback", Name: "Go back", Path: "plans", Form: form("do", "rollback", "generation", "3"), Set: with(func(m *storetest.Market) {
			is := m.Here[1]
			m.Next = &install.Plan{Base: 4, Rollback: 3, Title: "Go back to restore point 3", Warnings: []string{"Data of acme/mailer is as it was then; what came since is lost."}, Steps: []install.Step{
				{Action: install.ActDowngrade, Release: m.Listed["acme/mailer"].Releases[2], Source: "main", From: &is, Root: true, Why: "as it was"},
				{Action: install.ActReplace, Release: m.Listed["acme/storage"].Releases[0], Source: "main", From: &m.Here[2], Why: "as it was"},
			}}
		})},
		story{ID: "plan-downgrade", Name: "An older version", Path: "plans", Form: form("do", "install", "plugin", "acme/mailer", "version", "1.9.0"), Set: with(func(m *storetest.Market) {
			is := m.Here[1]
			m.Next = &install.Plan{Base: 4, Title: "Mailer to 1.9.0", Steps: []install.Step{{Action: install.ActDowngrade, Release: m.Listed["acme/mailer"].Releases[2], Source: "main", From: &is, Root: true, Why: "you asked for it"}}}
		})},
		story{ID: "plan-keep", Name: "A dependency that shall stay", Path: "plans", Form: form("do", "install", "plugin", "acme/storage"), Set: with(func(m *storetest.Market) {
			is := m.Here[2]
			m.Next = &install.Plan{Base: 4, Title: "Keep Object Storage 2.1.0", Steps: []install.Step{{Action: install.ActKeep, Release: m.Listed["acme/storage"].Releases[0], Source: "main", From: &is, Root: true, Why: "you asked for it"}}}
		})},
		story{ID: "plan-all", Name: "Update all", Path: "plans", Form: form("do", "update-all"), Set: with(everything)},
		story{ID: "plan-empty", Name: "Nothing has to change", Path: "plans", Form: form("do", "update-all"), Set: with(plan(func(p *install.Plan) { *p = install.Plan{Base: 4, Title: "Nothing to update"} }))},
		story{ID: "plan-conflict", Name: "No way that fits", Path: "plans", Form: ask, Status: 409, Set: with(func(m *storetest.Market) { m.PlanErr = conflict() })},
		story{ID: "plan-conflict-dialog", Name: "The same in a dialog", Path: "p/acme/backup", Press: `.souk-hero-act form[data-consent] button`, Set: with(func(m *storetest.Market) { m.PlanErr = conflict() })},
	)
}

func conflict() *resolve.Conflict {
	return &resolve.Conflict{
		Summary: "Cannot install Backup 2.1.0.",
		Lines: []resolve.Line{
			{Text: "acme/backup 2.1.0 needs acme/storage ^2.0", Label: 1}, {Text: "kiln/postgres 2.1.0, which is installed, needs acme/storage ^1.4", Label: 2},
			{Depth: 1, Text: "no version of acme/storage fits both (1) and (2)"},
		},
		Suggestions: []resolve.Suggestion{{Text: "update kiln/postgres to 2.2.0", Result: "acme/storage 2.1.0, kiln/postgres 2.2.0"}, {Text: "install acme/backup 2.0.3", Result: "works with acme/storage 1.4.8"}},
		RuledOut:    []string{"acme/backup 1.9.0 was yanked (data loss on upgrade)"},
	}
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
	p.Title = "Update 3 plugins"
	for i, id := range []catalog.PluginID{"north/metrics", "acme/storage"} {
		from := m.Here[2*i]
		from.Version = "2.0.3"
		r := m.Listed[id].Releases[0]
		p.Steps = append(p.Steps, install.Step{Action: install.ActUpdate, Release: r, Source: "main", From: &from, Root: i == 0, Why: fmt.Sprintf("%s is newer", r.Version)})
		p.Download += r.Size
	}
	p.Warnings = []string{"kiln/postgres is held by ada and stays at 1.9.0."}
	m.Next = p
}
