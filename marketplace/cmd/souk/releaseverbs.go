package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
)

// change changes a published release and says how it is now.
func (a *app) change(what string, asJSON bool, do func(catalog.Ref) (hub.Release, error)) error {
	ref, err := catalog.ParseRef(what)
	if err != nil {
		return usage("%v", err)
	}
	r, err := do(ref)
	if err != nil {
		return err
	}
	if asJSON {
		return a.result(r)
	}
	state := cmp.Or(string(r.State), "active")
	if r.Reason != "" {
		state += " (" + r.Reason + ")"
	}
	a.say("%s is %s, %s; panels see it at their next sync", r.Ref(), state, rolloutWords(r))
	return nil
}

func rolloutVerb() verb {
	return verb{
		name: "rollout", args: "<release>", min: 1, max: 1,
		short: "say to how many panels an update is offered, pause and resume it",
		long: `
Changes to how many of a hundred panels a release is offered as an update; each panel
decides by itself, and always the same, whether it is one of them. A paused rollout is
offered to no further panel. Without a flag it shows how it is. New installs are not
concerned: see ` + "`souk yank`" + `.`,
		flags: func(fs *flag.FlagSet) action {
			percent := fs.Int("percent", -1, "`number` of a hundred panels, 0 to 100")
			pause := fs.Bool("pause", false, "offer it to no further panel")
			resume := fs.Bool("resume", false, "go on")
			return withHub(func(ctx context.Context, a *app, d *desk, args []string, asJSON bool) error {
				switch {
				case *pause && *resume:
					return usage("--pause and --resume exclude each other")
				case *percent < -1 || *percent > 100:
					return usage("--percent must be between 0 and 100")
				}
				return a.change(args[0], asJSON, func(ref catalog.Ref) (hub.Release, error) {
					r, err := d.Release(ctx, ref)
					if err != nil || *percent < 0 && !*pause && !*resume {
						return r, err
					}
					if *percent >= 0 {
						r.Percent = *percent
					}
					r.Paused = *pause || r.Paused && !*resume
					return d.SetRollout(ctx, ref, r.Percent, r.Paused)
				})
			})(fs)
		},
	}
}

func yankVerb() verb {
	return verb{
		name: "yank", args: "<release>", min: 1, max: 1,
		short: "keep a release from new installs",
		long: `
Keeps a published release from new installs and updates, with the reason. Where it is
installed it stays. To take it from everybody is for the hub's moderators: report it.`,
		flags: func(fs *flag.FlagSet) action {
			reason := fs.String("reason", "", "`text` that people read; required")
			return withHub(func(ctx context.Context, a *app, d *desk, args []string, asJSON bool) error {
				if *reason == "" {
					return usage("--reason is missing: people read it where they look for the release")
				}
				return a.change(args[0], asJSON, func(ref catalog.Ref) (hub.Release, error) { return d.Yank(ctx, ref, *reason) })
			})(fs)
		},
	}
}

// maxDays is how many days the hub answers for at once.
const maxDays = 400

func numbersVerb() verb {
	return verb{
		name: "numbers", args: "<plugin>", min: 1, max: 1,
		short: "show downloads, active installs, rollbacks and ratings",
		long: `
Shows what a plugin's last days were like. Downloads are counted once a release, day and
client; active installs are those of panels whose owners allow that they say so. --csv
prints a line for each day.`,
		flags: func(fs *flag.FlagSet) action {
			days := fs.Int("days", 28, "`number` of days up to today, 1 to 400")
			csv := fs.Bool("csv", false, "print a table for spreadsheets")
			return withHub(func(ctx context.Context, a *app, d *desk, args []string, asJSON bool) error {
				id, err := catalog.ParsePluginID(args[0])
				if err != nil {
					return usage("%v", err)
				}
				if *days < 1 || *days > maxDays {
					return usage("--days must be between 1 and %d", maxDays)
				}
				to := a.now().UTC()
				from := to.AddDate(0, 0, 1-*days)
				if *csv {
					b, err := d.NumbersCSV(ctx, id, from, to)
					if err == nil {
						_, err = a.stdout.Write(b)
					}
					return err
				}
				n, err := d.NumbersOf(ctx, id, from, to)
				if err != nil {
					return err
				}
				if asJSON {
					return a.result(n)
				}
				return a.numbers(n)
			})(fs)
		},
	}
}

// numbers prints the numbers in words.
func (a *app) numbers(n client.Numbers) error {
	if len(n.Days) == 0 {
		return fmt.Errorf("the hub answered for no day")
	}
	last := len(n.Days) - 1
	sum := func(list []int64) (s int64) {
		for _, v := range list {
			s += v
		}
		return s
	}
	lines := []string{
		fmt.Sprintf("%s, %s to %s", n.Plugin, n.Days[0], n.Days[last]),
		fmt.Sprintf("downloads  %d, of all time %d", sum(n.Downloads), n.DownloadsTotal),
	}
	for _, s := range n.DownloadsByVersion {
		lines = append(lines, fmt.Sprintf("  %-8s %d", s.Name, s.Sum))
	}
	lines = append(lines, fmt.Sprintf("active     %d panels on the last day", n.Active[last]))
	for _, s := range n.ActiveVersion {
		if s.Values[last] > 0 {
			lines = append(lines, fmt.Sprintf("  %-8s %d", s.Name, s.Values[last]))
		}
	}
	if n.Active[last] > 0 {
		lines = append(lines, fmt.Sprintf("newest     %.0f %% of them run it", 100*n.Adoption[last]))
	}
	lines = append(lines, fmt.Sprintf("trouble    %d rollbacks, %d failed health checks", sum(n.Rollbacks), sum(n.Unhealthy)),
		fmt.Sprintf("ratings    %+d", sum(n.Ratings)))
	for _, l := range lines {
		if err := a.print("%s", l); err != nil {
			return err
		}
	}
	return nil
}

func ciTokenVerb() verb {
	return verb{
		name: "ci-token", max: 0,
		short: "exchange a CI job's identity for a token of the hub",
		long: `
Prints a token to push and submit with, for some minutes. ` + "`souk submit`" + ` does this by
itself; it is for jobs that speak to the hub in another way. See there for where the
identity comes from.`,
		flags: func(fs *flag.FlagSet) action {
			var o hubOptions
			o.ciFlags(fs)
			fs.StringVar(&o.want, "for", "", "`publisher or plugin` that the job publishes; needed when the hub has several rules for it")
			asJSON := jsonFlag(fs)
			return func(ctx context.Context, a *app, _ []string) error { return a.ciToken(ctx, o, *asJSON) }
		},
	}
}

func (a *app) ciToken(ctx context.Context, o hubOptions, asJSON bool) error {
	c, err := a.anyone(o)
	if err != nil {
		return err
	}
	job, err := a.identityToken(ctx, c, o)
	if err != nil {
		return err
	}
	if job == "" {
		return advise(usage("this is no CI job that has an identity"), "give --identity-token-file, or set SOUK_ID_TOKEN")
	}
	token, expires, err := c.ExchangeCI(ctx, job, o.want)
	if err != nil {
		return exchangeAdvice(err, c.Address())
	}
	if asJSON {
		return a.result(struct {
			Token   string    `json:"token"`
			Expires time.Time `json:"expires"`
		}{token, expires})
	}
	a.say("good until %s", expires.UTC().Format("15:04 UTC"))
	return a.print("%s", token)
}
