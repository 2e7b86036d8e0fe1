package hubtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
)

// Show is what a town is filled with. All of it is made up, and always the same.
type Show struct {
	Plugins []Plugin // oldest version of a plugin first; publishers are founded as needed
	Queue   []Plugin // submitted, and left to reviewers
	Raters  int      // people who rate
	Days    int      // of traffic before today
	// Categories are made before anything is published.
	Categories []hub.Category
	// Verified are publishers who proved a repository; Since is how long all of them have
	// been here.
	Verified []string
	Since    time.Duration
	// OneTry lets scanners try once while the queue is filled, so that one that goes wrong
	// is there to be seen, and not tried again for minutes.
	OneTry bool
	// Reports files reports about what was published, and lets a moderator decide some.
	Reports bool
}

// Small is a show for tests: two publishers, three plugins, a few ratings.
func Small() Show {
	second := Manifest("acme/backup", "1.1.0")
	second.Permissions = []catalog.PermissionRequest{{Kind: "net.out", Target: "backup.acme.example:443", Reason: "To send backups away."}}
	return Show{
		Plugins: []Plugin{
			{Manifest: Manifest("acme/backup", "1.0.0")}, {Manifest: Manifest("northwind/notes", "1.0.0")}, {Manifest: Manifest("northwind/clock", "0.9.0")},
			{Manifest: second, Notes: publish.Notes{Added: []string{"Backups can be sent away."}}},
		},
		Raters: 6, Days: 0,
	}
}

// Seed fills the town. say is told what goes on, a line at a time.
func (w *Town) Seed(ctx context.Context, s Show, say func(string)) error {
	publishers, err := w.seedPublishers(ctx, s)
	if err != nil {
		return err
	}
	if err := w.seedCategories(ctx, s); err != nil {
		return err
	}
	say(fmt.Sprintf("publishing %d releases of %d publishers", len(s.Plugins), len(publishers)))
	// Versions of one plugin go one after the other, plugins side by side.
	byPlugin := map[catalog.PluginID][]Plugin{}
	for _, x := range s.Plugins {
		byPlugin[x.Manifest.ID] = append(byPlugin[x.Manifest.ID], x)
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for id, versions := range byPlugin {
		g.Go(func() error {
			for _, x := range versions {
				if _, err := w.Publish(gctx, publishers[id.Publisher()], x); err != nil {
					return fmt.Errorf("publish %s@%s: %w", id, x.Manifest.Version, err)
				}
			}
			return w.datePlugin(gctx, versions)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	if err := w.seedRatings(ctx, s, say); err != nil {
		return err
	}
	if err := w.seedTraffic(ctx, s, say); err != nil {
		return err
	}
	if err := w.seedQueue(ctx, s, publishers, say); err != nil {
		return err
	}
	if s.Reports {
		return w.seedReports(ctx, s, say)
	}
	return nil
}

func (w *Town) seedPublishers(ctx context.Context, s Show) (map[string]*Publisher, error) {
	publishers := map[string]*Publisher{}
	for _, x := range slices.Concat(s.Plugins, s.Queue) {
		namespace := x.Manifest.ID.Publisher()
		if publishers[namespace] != nil {
			continue
		}
		owner, err := w.Enrol(ctx, "Olga "+namespace)
		if err != nil {
			return nil, err
		}
		if publishers[namespace], err = w.Found(ctx, owner, namespace); err != nil {
			return nil, err
		}
		if err := w.seedPublisher(ctx, s, publishers[namespace]); err != nil {
			return nil, err
		}
	}
	return publishers, nil
}

func (w *Town) seedPublisher(ctx context.Context, s Show, p *Publisher) error {
	if slices.Contains(s.Verified, p.Namespace) {
		a, err := w.ActorOf(ctx, p.Owner)
		if err != nil {
			return err
		}
		repository := "github.com/" + p.Namespace + "/plugins"
		if _, err := w.Hub.Publishing.AddProof(ctx, a, p.Namespace, hub.ProofRepository, repository); err != nil {
			return err
		}
		if err := w.Hub.Publishing.ProveRepository(ctx, p.Namespace, repository); err != nil {
			return err
		}
	}
	if s.Since == 0 {
		return nil
	}
	return w.Hub.Store.Update(ctx, func(tx hub.Tx) error {
		one, err := tx.Publishers().Get(ctx, p.Namespace)
		if err != nil {
			return err
		}
		one.Created = one.Created.Add(-s.Since)
		return tx.Publishers().Update(ctx, &one)
	})
}

// datePlugin puts what was published into the past, where the show says so.
func (w *Town) datePlugin(ctx context.Context, versions []Plugin) error {
	id := string(versions[0].Manifest.ID)
	if !slices.ContainsFunc(versions, func(x Plugin) bool { return x.Age > 0 }) {
		return nil
	}
	return w.Hub.Store.Update(ctx, func(tx hub.Tx) error {
		p, err := tx.Plugins().Get(ctx, id)
		if err != nil {
			return err
		}
		for _, x := range versions {
			r, err := tx.Releases().Get(ctx, id, x.Manifest.Version)
			if err != nil {
				return err
			}
			r.Published = r.Published.Add(-x.Age)
			p.Updated = r.Published
			if r.Published.Before(p.Created) {
				p.Created = r.Published
			}
			if err := tx.Releases().Update(ctx, &r); err != nil {
				return err
			}
		}
		if err := tx.Plugins().Update(ctx, &p); err != nil {
			return err
		}
		return hub.MarkChanged(ctx, tx, id)
	})
}

// admin returns the town's administrator, in a session that is fresh.
func (w *Town) admin(ctx context.Context) (hub.Actor, error) {
	p, err := w.Enrol(ctx, "Ada Admin", hub.RoleAdmin)
	if err != nil {
		return hub.Actor{}, err
	}
	return w.ActorOf(ctx, p)
}

// setTries says how often scanners try.
func (w *Town) setTries(ctx context.Context, n int) error {
	a, err := w.admin(ctx)
	if err != nil {
		return err
	}
	p, rev, err := w.Hub.Publishing.Policy(ctx)
	if err != nil {
		return err
	}
	p.ScanAttempts = n
	if _, err := w.Hub.Publishing.SetPolicy(ctx, a, rev, p); err != nil {
		return err
	}
	select { // every part of the hub asks for the policy once a second
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(1100 * time.Millisecond):
		return nil
	}
}

func (w *Town) seedQueue(ctx context.Context, s Show, publishers map[string]*Publisher, say func(string)) error {
	if s.OneTry {
		if err := w.setTries(ctx, 1); err != nil {
			return err
		}
	}
	for _, x := range s.Queue {
		owner := publishers[x.Manifest.ID.Publisher()]
		sub, err := w.Submit(ctx, owner, x)
		if err != nil {
			return fmt.Errorf("submit %s@%s: %w", x.Manifest.ID, x.Manifest.Version, err)
		}
		d, err := w.Settle(ctx, owner.Owner, sub.ID)
		if err != nil {
			return err
		}
		say(fmt.Sprintf("%s is left %s, risk %d", d.Ref(), strings.ReplaceAll(string(d.State), "_", " "), d.Risk))
		err = w.Hub.Store.Update(ctx, func(tx hub.Tx) error {
			one, err := tx.Submissions().Get(ctx, sub.ID)
			if err != nil || x.Age == 0 {
				return err
			}
			one.Created, one.Submitted, one.Updated = one.Created.Add(-x.Age), one.Submitted.Add(-x.Age), one.Updated.Add(-x.Age)
			return tx.Submissions().Update(ctx, &one)
		})
		if err != nil {
			return err
		}
	}
	if s.OneTry {
		return w.setTries(ctx, hub.Policy{}.WithDefaults().ScanAttempts)
	}
	return nil
}

func (w *Town) seedCategories(ctx context.Context, s Show) error {
	if len(s.Categories) == 0 {
		return nil
	}
	a, err := w.admin(ctx)
	if err != nil {
		return err
	}
	for _, c := range s.Categories {
		if err := w.Hub.Publishing.SetCategory(ctx, a, c); err != nil {
			return err
		}
	}
	return nil
}

// ids returns the plugins of a show, each once, in their order.
func (s Show) ids() []catalog.PluginID {
	var out []catalog.PluginID
	for _, x := range s.Plugins {
		if !slices.Contains(out, x.Manifest.ID) {
			out = append(out, x.Manifest.ID)
		}
	}
	return out
}

var opinions = []struct {
	stars int
	text  string
}{
	{5, "Does what it says, and nothing else. Installed it on four servers."},
	{5, "Set up in a minute."},
	{4, "Good. The settings page could explain more."},
	{4, "Works well with the newest panel."},
	{3, "Useful, but the update asked for a permission I had to look up."},
	{5, "Rolled back by itself when the disk was full. Impressed."},
	{2, "Slow on a small machine."},
	{4, ""},
	{1, "Did not start for me after the update; the panel undid it."},
	{5, ""},
}

// maxRated is how many ratings of one plugin are made on one day: more are a burst, and held.
const maxRated = community.BurstFloor

func (w *Town) seedRatings(ctx context.Context, s Show, say func(string)) error {
	ids := s.ids()
	random := rand.New(rand.NewPCG(1, 2))
	n, rated := 0, map[catalog.PluginID]int{}
	for i := range s.Raters {
		p, err := w.Enrol(ctx, fmt.Sprintf("%s %c.", firstNames[i%len(firstNames)], 'A'+rune(i/len(firstNames)%26)))
		if err != nil {
			return err
		}
		a, err := w.ActorOf(ctx, p)
		if err != nil {
			return err
		}
		for _, k := range random.Perm(len(ids))[:min(len(ids), 1+random.IntN(3))] {
			o := opinions[random.IntN(len(opinions))]
			if rated[ids[k]]++; rated[ids[k]] > maxRated {
				continue
			}
			r, err := w.Hub.Community.Rate(ctx, a, community.NewRating{Plugin: string(ids[k]), Stars: o.stars, Text: o.text})
			if err != nil {
				return err
			}
			n++
			if s.Days > 1 {
				if err := w.dateRating(ctx, r, 1+random.IntN(s.Days-1)); err != nil {
					return err
				}
			}
		}
	}
	say(fmt.Sprintf("%d ratings by %d people", n, s.Raters))
	return nil
}

// dateRating puts a rating some days into the past.
func (w *Town) dateRating(ctx context.Context, r hub.Rating, days int) error {
	stars, today := fmt.Sprint(r.Stars), hub.Day(r.Created)
	err := w.Hub.Store.Update(ctx, func(tx hub.Tx) error {
		one, err := tx.Ratings().Get(ctx, r.Plugin, r.Account)
		if err != nil {
			return err
		}
		one.Created, one.Updated = one.Created.AddDate(0, 0, -days), one.Updated.AddDate(0, 0, -days)
		return tx.Ratings().Update(ctx, &one)
	})
	if err != nil {
		return err
	}
	_, err = w.Hub.Store.Tally(ctx, []hub.Tally{
		{Day: today, Kind: hub.TallyRating, Plugin: r.Plugin, Detail: stars, N: -1},
		{Day: today - days, Kind: hub.TallyRating, Plugin: r.Plugin, Detail: stars, N: 1},
	})
	return err
}

var firstNames = []string{"Mira", "Jonas", "Aiko", "Pedro", "Lena", "Omar", "Sofia", "Tom", "Wei", "Nadia", "Erik", "Zoe"}

// seedReports files reports, lets a moderator decide one, and issues an advisory.
func (w *Town) seedReports(ctx context.Context, s Show, say func(string)) error {
	moderator, err := w.Enrol(ctx, "Mo Moderator", hub.RoleModerator)
	if err != nil {
		return err
	}
	reporter, err := w.Enrol(ctx, "Rae Reporter")
	if err != nil {
		return err
	}
	a, err := w.ActorOf(ctx, reporter)
	if err != nil {
		return err
	}
	ids := s.ids()
	for i, r := range []community.NewReport{
		{Reason: "broken", Text: "Its settings page is empty since the last version."},
		{Reason: "privacy", Text: "It asks for the network, and the description does not say what for.", Evidence: []string{"https://forum.example.org/t/4711"}},
		{Reason: "spam", Text: "The description is an advertisement."},
	} {
		r.Kind, r.Subject = hub.SubjectPlugin, string(ids[i%len(ids)])
		filed, err := w.Hub.Community.CreateReport(ctx, a, r)
		if err != nil {
			return err
		}
		if i != 2 {
			continue
		}
		m, err := w.ActorOf(ctx, moderator)
		if err != nil {
			return err
		}
		if _, err := w.Hub.Community.Decide(ctx, m, community.NewDecision{
			Kind: hub.DecisionDismiss, Subject: filed.Kind, About: filed.Subject, Reports: []string{filed.ID},
			Text: "It describes what the plugin does. We looked, and leave it as it is.",
		}); err != nil {
			return err
		}
	}
	m, err := w.ActorOf(ctx, moderator)
	if err != nil {
		return err
	}
	oldest := s.Plugins[0].Manifest
	_, err = w.Hub.Community.IssueAdvisory(ctx, m, catalog.Advisory{
		Action: catalog.ActionWarn, Title: oldest.Name + " " + oldest.Version + " writes its log where others can read it", Plugin: oldest.ID,
		Range: "=" + oldest.Version, Detail: "Update. Then remove the old log.",
	})
	say("reports, a decision, an advisory")
	return err
}
