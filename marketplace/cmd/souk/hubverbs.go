package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
)

// hubVerbs are those by which a publisher speaks to a hub.
func hubVerbs() []verb {
	return []verb{{
		name: "login", args: "<hub>", min: 1, max: 1,
		short: "keep a hub's address and a token for it",
		long: `
Reads a token from standard input, without showing it, asks the hub whether it knows it,
and keeps both in your settings, in a file that only you can read. Make the token in the
portal, under your account; to publish it needs the scopes read, push, submit and release.

The hub that you logged in to last is the one that is meant when none is named. SOUK_HUB
and SOUK_TOKEN win over what is kept.`,
		flags: func(*flag.FlagSet) action {
			return func(ctx context.Context, a *app, args []string) error { return a.login(ctx, args[0]) }
		},
	}, {
		name: "logout", args: "[hub]", max: 1,
		short: "forget a hub's token",
		long: `
Removes the token from your settings. It stays good until it expires, or you revoke it in
the portal.`,
		flags: func(*flag.FlagSet) action {
			return func(_ context.Context, a *app, args []string) error { return a.logout(first(args, "")) }
		},
	}, submitVerb(), {
		name: "status", args: "[plugin | release | submission]", max: 1,
		short: "show how submissions and releases stand",
		long: `
Without an argument: your submissions, newest first. Of a plugin (acme/backup): its
submissions and releases. Of a release (acme/backup@1.2.0) or submission (sub_...): all of
it, with scans, problems and what reviewers said, and what to do next.`,
		flags: withHub(func(ctx context.Context, a *app, d *desk, args []string, asJSON bool) error {
			return a.status(ctx, d, first(args, ""), asJSON)
		}),
	}, commentVerb(), withdrawVerb(), rolloutVerb(), yankVerb(), {
		name: "unyank", args: "<release>", min: 1, max: 1,
		short: "take a yank back",
		long: `
Makes a yanked release available for new installs again.`,
		flags: withHub(func(ctx context.Context, a *app, d *desk, args []string, asJSON bool) error {
			return a.change(args[0], asJSON, func(ref catalog.Ref) (hub.Release, error) { return d.Unyank(ctx, ref) })
		}),
	}, numbersVerb(), ciTokenVerb()}
}

// withHub declares the flags of a verb that speaks to a hub as somebody.
func withHub(do func(ctx context.Context, a *app, d *desk, args []string, asJSON bool) error) func(*flag.FlagSet) action {
	return func(fs *flag.FlagSet) action {
		var o hubOptions
		o.flags(fs)
		asJSON := jsonFlag(fs)
		return func(ctx context.Context, a *app, args []string) error {
			d, err := a.connect(ctx, o)
			if err != nil {
				return err
			}
			return hubAdvice(do(ctx, a, d, args, *asJSON), d.Address())
		}
	}
}

func submitVerb() verb {
	return verb{
		name: "submit", args: "<dir | layout>", min: 1, max: 1,
		short: "hand a plugin in at a hub, and follow what comes of it",
		long: `
Checks the plugin with the hub's own rules, categories, reserved names and earlier
releases. Packs and signs it, when it is a directory (--key, or --identity-token for
keyless). Pushes it to the hub's staging area, hands it in with the notes of the
changelog, and shows how it is checked, scanned and reviewed.

Exit status 0 when it is published or people review it, or with --wait when it is
published; 1 when it needs changes, with file and line of each. Fix them and submit the
same version again. It can be run again after anything, an interrupt too: what is there is
found, and nothing is handed in twice.

In CI no secret is needed when the publisher trusts the workflow (portal, trusted
publishing): in GitHub Actions with "permissions: id-token: write", in GitLab with an
id_token named SOUK_ID_TOKEN for the audience that the hub names, elsewhere with
--identity-token-file. The token that the hub gives for it can push and submit and not
read: what comes of it is then seen in the portal.`,
		flags: func(fs *flag.FlagSet) action {
			var o submitOptions
			o.ciFlags(fs)
			o.sign.flags(fs)
			fs.StringVar(&o.want, "for", "", "`publisher or plugin` that a CI job publishes; default: the plugin")
			fs.StringVar(&o.notes, "notes", "", "`file` with the release notes; default: the changelog's entry for the version")
			fs.IntVar(&o.percent, "percent", 0, "offer it to so many of a hundred `panels` at first; default: all")
			fs.BoolVar(&o.wait, "wait", false, "wait until it is published")
			fs.BoolVar(&o.strict, "strict", false, "count warnings as errors")
			asJSON := jsonFlag(fs)
			return func(ctx context.Context, a *app, args []string) error { return a.submit(ctx, args[0], o, *asJSON) }
		},
	}
}

func commentVerb() verb {
	return verb{
		name: "comment", args: "<submission | release> <text>", min: 2, max: -1,
		short: "say something to the reviewers",
		long: `
Adds a remark to a submission, about the whole or a line of a file.`,
		flags: func(fs *flag.FlagSet) action {
			file := fs.String("file", "", "`name` of the file in the package that it is about")
			line := fs.Int("line", 0, "`number` of the line")
			return withHub(func(ctx context.Context, a *app, d *desk, args []string, asJSON bool) error {
				sub, err := d.target(ctx, args[0])
				if err != nil {
					return err
				}
				c, err := d.CommentOn(ctx, sub.ID, client.NewComment{Text: strings.Join(args[1:], " "), File: *file, Line: *line})
				if err == nil && asJSON {
					return a.result(c)
				}
				if err == nil {
					a.say("said it about %s (%s)", sub.Ref(), sub.ID)
				}
				return err
			})(fs)
		},
	}
}

func withdrawVerb() verb {
	return verb{
		name: "withdraw", args: "<submission | release>", min: 1, max: 1,
		short: "give a submission up",
		long: `
Ends a submission that is not published yet. The version can be submitted again. A
published release is yanked instead.`,
		flags: func(fs *flag.FlagSet) action {
			reason := fs.String("reason", "withdrawn by its publisher", "`text` that is shown with it")
			return withHub(func(ctx context.Context, a *app, d *desk, args []string, asJSON bool) error {
				sub, err := d.target(ctx, args[0])
				if err != nil {
					return err
				}
				if sub.State == hub.StateWithdrawn {
					a.say("%s (%s) is withdrawn already", sub.Ref(), sub.ID)
					return nil
				}
				sub, err = d.Withdraw(ctx, sub.ID, *reason)
				if errors.Is(err, hub.ErrState) {
					err = advise(err, "a published release is taken from new installs by `souk yank`")
				}
				if err == nil && asJSON {
					return a.result(sub)
				}
				if err == nil {
					a.say("withdrew %s (%s)", sub.Ref(), sub.ID)
				}
				return err
			})(fs)
		},
	}
}

// status shows what is meant.
func (a *app) status(ctx context.Context, d *desk, what string, asJSON bool) error {
	id, err := catalog.ParsePluginID(what)
	if what == "" || err == nil {
		return a.statusList(ctx, d, id, asJSON)
	}
	sub, err := d.target(ctx, what)
	if err != nil {
		return err
	}
	full, err := d.Submission(ctx, sub.ID)
	if err != nil {
		return err
	}
	if asJSON {
		return a.result(full)
	}
	pkg := ""
	if dir, err := packageDir("."); err == nil && string(readManifest(dir).ID) == full.Plugin {
		pkg = dir // its files are here
	}
	return a.detail(full, pkg)
}

func (a *app) statusList(ctx context.Context, d *desk, id catalog.PluginID, asJSON bool) error {
	page, err := d.Submissions(ctx, id, "")
	if err != nil {
		return err
	}
	var releases []hub.Release
	if id != "" {
		if releases, err = d.Releases(ctx, id); err != nil && !errors.Is(err, hub.ErrNotFound) {
			return err
		}
	}
	if asJSON {
		if releases == nil {
			releases = []hub.Release{}
		}
		return a.result(struct {
			Submissions []hub.Submission `json:"submissions"`
			Releases    []hub.Release    `json:"releases"`
		}{page.Items, releases})
	}
	if len(page.Items)+len(releases) == 0 {
		a.say("nothing was submitted yet")
		return nil
	}
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	for _, sub := range page.Items {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", sub.ID, sub.Ref(), words(sub.State), sub.Reason)
	}
	for _, r := range releases {
		fmt.Fprintf(t, "release\t%s\t%s\t%s\n", r.Ref(), cmp.Or(string(r.State), "active"), rolloutWords(r))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if page.Next != "" {
		a.say("older ones are in the portal")
	}
	for _, sub := range page.Items {
		if what := next(sub); sub.State.Open() && what != "" {
			a.say("%s: %s", sub.Ref(), what)
		}
	}
	return nil
}

func rolloutWords(r hub.Release) string {
	s := "offered to all panels"
	if r.Percent < 100 {
		s = fmt.Sprintf("offered to %d of 100 panels", r.Percent)
	}
	if r.Paused {
		s += ", paused"
	}
	if r.Serial == 0 {
		s += ", not in the catalog yet"
	}
	return s
}
