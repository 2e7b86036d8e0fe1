package hubtest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
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
	publishers := map[string]*Publisher{}
	for _, x := range slices.Concat(s.Plugins, s.Queue) {
		namespace := x.Manifest.ID.Publisher()
		if publishers[namespace] != nil {
			continue
		}
		owner, err := w.Enrol(ctx, "Olga "+namespace)
		if err != nil {
			return err
		}
		if publishers[namespace], err = w.Found(ctx, owner, namespace); err != nil {
			return err
		}
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
			return nil
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
	for _, x := range s.Queue {
		sub, err := w.Submit(ctx, publishers[x.Manifest.ID.Publisher()], x)
		if err != nil {
			return err
		}
		if _, err := w.Settle(ctx, publishers[x.Manifest.ID.Publisher()].Owner, sub.ID); err != nil {
			return err
		}
	}
	if s.Reports {
		return w.seedReports(ctx, s, say)
	}
	return nil
}

func (w *Town) seedCategories(ctx context.Context, s Show) error {
	if len(s.Categories) == 0 {
		return nil
	}
	admin, err := w.Enrol(ctx, "Ada Admin", hub.RoleAdmin)
	if err != nil {
		return err
	}
	a, err := w.ActorOf(ctx, admin)
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

func (w *Town) seedRatings(ctx context.Context, s Show, say func(string)) error {
	ids := s.ids()
	random := rand.New(rand.NewPCG(1, 2))
	n := 0
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
			if _, err := w.Hub.Community.Rate(ctx, a, community.NewRating{Plugin: string(ids[k]), Stars: o.stars, Text: o.text}); err != nil {
				return err
			}
			n++
		}
	}
	say(fmt.Sprintf("%d ratings by %d people", n, s.Raters))
	return nil
}

var firstNames = []string{"Mira", "Jonas", "Aiko", "Pedro", "Lena", "Omar", "Sofia", "Tom", "Wei", "Nadia", "Erik", "Zoe"}

// seedTraffic makes up downloads, installs and what went wrong, with weeks and a trend.
func (w *Town) seedTraffic(ctx context.Context, s Show, say func(string)) error {
	if s.Days == 0 {
		return nil
	}
	random := rand.New(rand.NewPCG(3, 4))
	today := hub.Day(time.Now())
	versions := map[catalog.PluginID][]string{}
	for _, x := range s.Plugins {
		versions[x.Manifest.ID] = append(versions[x.Manifest.ID], x.Manifest.Version)
	}
	var batch []hub.Tally
	for k, id := range s.ids() {
		size := 40 + random.IntN(400)/(k+1)
		for d := range s.Days {
			day := today - s.Days + 1 + d
			week := []float64{1, 1.1, 1.15, 1.1, 1, .6, .55}[(day+3)%7]
			growth := .5 + float64(d)/float64(s.Days)
			downloads := int64(float64(size) * week * growth * (.85 + .3*random.Float64()))
			for v, version := range versions[id] {
				// The newest version takes over in the second half.
				part := 1.0 / float64(len(versions[id]))
				if late := float64(d)/float64(s.Days) - .5; late > 0 && len(versions[id]) > 1 {
					part = map[bool]float64{true: .2 + 1.5*late, false: (.8 - 1.5*late) / float64(len(versions[id])-1)}[v == len(versions[id])-1]
				}
				n := max(int64(float64(downloads)*part), 0)
				batch = append(batch,
					hub.Tally{Day: day, Kind: "download", Plugin: string(id), Version: version, N: n},
					hub.Tally{Day: day, Kind: "active", Plugin: string(id), Version: version, Detail: []string{"3.0.0", "2.9.4"}[random.IntN(2)], N: n * 3})
				if random.IntN(12) == 0 {
					batch = append(batch, hub.Tally{Day: day, Kind: "rollback", Plugin: string(id), Version: version, N: 1 + int64(random.IntN(3))})
				}
				if random.IntN(8) == 0 {
					batch = append(batch, hub.Tally{Day: day, Kind: "unhealthy", Plugin: string(id), Version: version, N: 1 + int64(random.IntN(5))})
				}
			}
			for _, other := range s.ids() {
				if other != id && day > today-28 {
					batch = append(batch, hub.Tally{Day: day, Kind: "pair", Plugin: string(id), Detail: string(other), N: int64(random.IntN(9))})
				}
			}
		}
	}
	for chunk := range slices.Chunk(batch, 2000) {
		if _, err := w.Hub.Store.Tally(ctx, chunk); err != nil {
			return err
		}
	}
	say(fmt.Sprintf("%d days of traffic", s.Days))
	return nil
}

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
