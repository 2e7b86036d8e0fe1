package storetest

import (
	"time"

	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox/phrase"
	"github.com/souk-dev/souk/update"
)

// Decided is a decision with its reasons as the engine gives them: in English, and as facts.
func Decided(v update.Verdict, until time.Time, why ...phrase.Phrase) update.Decision {
	d := update.Decision{Verdict: v, Until: until, Because: why}
	for _, says := range why {
		d.Why = append(d.Why, says.String())
	}
	return d
}

// UpdateMailer, InstallMetrics, InstallMailer and InstallBackup are titles of the samples.
func UpdateMailer() phrase.Phrase {
	return phrase.Of("title.update", "Update {0} to {1}", "Mailer", "2.1.0")
}

func InstallMetrics() phrase.Phrase {
	return phrase.Of("title.install", "Install {0} {1}", "Metrics", "2.1.0")
}

func InstallMailer() phrase.Phrase { return withOne("Mailer", "1.9.0") }

func InstallBackup() phrase.Phrase { return withOne("Backup", "2.1.0") }

func withOne(name, version string) phrase.Phrase {
	return phrase.Of("title.several", "{0}", phrase.And([]phrase.Phrase{
		phrase.Of("title.install", "Install {0} {1}", name, version),
		phrase.N("title.dependencies", "{0} dependency", "{0} dependencies", 1),
	}))
}

// Asked is the reason of what a person asked for.
func Asked() phrase.Phrase { return phrase.Of("resolve.because.asked", "you asked for it") }

// Needed is the reason of a dependency.
func Needed(by, what string) phrase.Phrase {
	return phrase.Of("resolve.because.needed", "{0} needs {1}", by, what)
}

// Because gives a step its reason, and Titled a plan its title and warnings.
func Because(s install.Step, says phrase.Phrase) install.Step {
	s.Why, s.Because = says.String(), says
	return s
}

func Titled(p *install.Plan, says phrase.Phrase, cautions ...phrase.Phrase) *install.Plan {
	p.Title, p.Says, p.Warnings, p.Cautions = says.String(), says, []string{}, cautions
	for _, c := range cautions {
		p.Warnings = append(p.Warnings, c.String())
	}
	return p
}

// Clash is why Backup does not go with PostgreSQL, with two ways out.
func Clash() *resolve.Conflict {
	one := resolve.Say(phrase.Of("resolve.needs", "{0} needs {1}{2}", "acme/backup 2.1.0", "acme/storage ^2.0", phrase.Phrase{}))
	two := resolve.Say(phrase.Of("resolve.needs", "{0} needs {1}{2}", "kiln/postgres 2.1.0", "acme/storage ^1.4", phrase.Phrase{}))
	end := resolve.Say(phrase.Of("resolve.so", "so {0}", phrase.Of("resolve.apart", "{0} cannot be installed together", phrase.And([]string{"acme/backup 2.1.0", "kiln/postgres 2.1.0"}))))
	one.Label, two.Label, end.Depth = 1, 2, 1
	c := &resolve.Conflict{
		Says:  phrase.Of("resolve.cannot", "Cannot {0}.", phrase.Of("resolve.install", "install {0}", "acme/backup 2.1.0")),
		Lines: []resolve.Line{one, two, end},
		Suggestions: []resolve.Suggestion{
			{Says: phrase.Of("resolve.update.to", "update {0} to {1}", "kiln/postgres", "2.2.0"), Gives: phrase.Raw("acme/storage 2.1.0, kiln/postgres 2.2.0")},
			{Says: phrase.Of("resolve.allow.other", "allow another version of {0}", "acme/backup"), Gives: phrase.Raw("acme/backup 2.0.3")},
		},
		Out: []phrase.Phrase{phrase.Of("resolve.yanked", "{0} was yanked{1}", "acme/backup 1.9.0", phrase.Raw(" (data loss on upgrade)"))},
	}
	c.Summary = c.Says.String()
	for i := range c.Suggestions {
		s := &c.Suggestions[i]
		s.Text, s.Result = s.Says.String(), s.Gives.String()
	}
	for _, out := range c.Out {
		c.RuledOut = append(c.RuledOut, out.String())
	}
	return c
}
