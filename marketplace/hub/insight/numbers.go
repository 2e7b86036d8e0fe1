package insight

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// MaxDays is how many days one question about numbers covers.
const MaxDays = 400

// maxSeries is how many versions have a series of their own; the rest is "other".
const maxSeries = 12

// Series is a named row of numbers, one for each of [Numbers.Days].
type Series struct {
	Name   string  `json:"name"` // a version, "other", or empty for a panel that does not say
	Values []int64 `json:"values"`
	Sum    int64   `json:"sum"`
}

// Numbers are a plugin's days. Every slice beside Days has one value for each of them.
type Numbers struct {
	Plugin string   `json:"plugin"`
	Days   []string `json:"days"` // "2026-03-01", UTC, oldest first

	Downloads          []int64  `json:"downloads"`
	DownloadsByVersion []Series `json:"downloadsByVersion"` // largest first
	DownloadsTotal     int64    `json:"downloadsTotal"`     // of all time

	// Active are panels that said they run it; only those that opted in say so.
	Active        []int64  `json:"active"`
	ActiveVersion []Series `json:"activeByVersion"` // largest first
	ActivePanel   []Series `json:"activeByPanel"`   // by version of the panel
	// Adoption is the part of Active, 0 to 1, that runs the version which was the
	// newest stable one at the end of that day; 0 where nobody said.
	Adoption []float64 `json:"adoption"`

	Rollbacks []int64 `json:"rollbacks"`
	Unhealthy []int64 `json:"unhealthy"`

	// Ratings are those that came on that day, less those that went. RatingMean is the
	// average of those that came and stayed; 0: none.
	Ratings    []int64   `json:"ratings"`
	RatingMean []float64 `json:"ratingMean"`
}

// Numbers returns the numbers of a plugin on the days from to to, both included, at most
// [MaxDays], to members of its publisher and administrators.
func (s *Service) Numbers(ctx context.Context, a hub.Actor, plugin string, from, to time.Time) (Numbers, error) {
	id, err := catalog.ParsePluginID(plugin)
	if err != nil {
		return Numbers{}, hub.ErrNotFound
	}
	if err := a.May(hub.ActNumbersRead, hub.Object{Publisher: id.Publisher(), Plugin: plugin}); err != nil {
		return Numbers{}, err
	}
	d := days{hub.Day(from), hub.Day(to)}
	if from.Unix() < 0 || d.n() < 1 || d.n() > MaxDays {
		return Numbers{}, hub.Invalid("from", "and to must be 1 to %d days", MaxDays)
	}
	var out Numbers
	err = s.env.Store.View(ctx, func(tx hub.Tx) error {
		if _, err := tx.Plugins().Get(ctx, plugin); err != nil {
			return err
		}
		out = d.empty(plugin)
		return d.fill(ctx, tx, &out)
	})
	return out, err
}

// days is a range of days, both included.
type days struct{ from, to int }

func (d days) n() int { return d.to - d.from + 1 }

func (d days) empty(plugin string) Numbers {
	n := Numbers{Plugin: plugin}
	for _, list := range []*[]int64{&n.Downloads, &n.Active, &n.Rollbacks, &n.Unhealthy, &n.Ratings} {
		*list = make([]int64, d.n())
	}
	n.Adoption, n.RatingMean = make([]float64, d.n()), make([]float64, d.n())
	for day := d.from; day <= d.to; day++ {
		n.Days = append(n.Days, dayStart(day).Format(time.DateOnly))
	}
	return n
}

func (d days) fill(ctx context.Context, tx hub.Tx, n *Numbers) error {
	ask := func(kind string, by ...string) ([]hub.Total, error) {
		return tx.Totals(ctx, hub.TotalQuery{Kind: kind, Plugin: n.Plugin, From: d.from, To: d.to, By: by})
	}
	downloads, err := ask(hub.TallyDownload, "day", "version")
	if err != nil {
		return err
	}
	active, err := ask(hub.TallyActive, "day", "version")
	if err != nil {
		return err
	}
	panels, err := ask(hub.TallyActive, "day", "detail")
	if err != nil {
		return err
	}
	version := func(t hub.Total) string { return t.Version }
	n.DownloadsByVersion = d.series(downloads, n.Downloads, version)
	n.ActiveVersion = d.series(active, n.Active, version)
	n.ActivePanel = d.series(panels, nil, func(t hub.Total) string { return t.Detail })
	for kind, list := range map[string][]int64{hub.TallyRollback: n.Rollbacks, hub.TallyUnhealthy: n.Unhealthy} {
		totals, err := ask(kind, "day")
		if err != nil {
			return err
		}
		d.series(totals, list, version)
	}
	ratings, err := ask(hub.TallyRating, "day", "detail")
	if err != nil {
		return err
	}
	d.ratings(ratings, n)
	all, err := tx.Totals(ctx, hub.TotalQuery{Kind: hub.TallyDownload, Plugin: n.Plugin, To: d.to, By: []string{"plugin"}})
	if err != nil {
		return err
	}
	for _, t := range all {
		n.DownloadsTotal += t.N
	}
	releases, err := hub.ReleasesOf(ctx, tx, n.Plugin)
	if err != nil {
		return err
	}
	d.adoption(active, releases, n)
	return nil
}

// series splits totals by name, largest first, and adds all of a day up in sum unless
// that is nil.
func (d days) series(totals []hub.Total, sum []int64, name func(hub.Total) string) []Series {
	all := map[string]*Series{}
	for _, t := range totals {
		i := t.Day - d.from
		if i < 0 || i >= d.n() {
			continue
		}
		one := all[name(t)]
		if one == nil {
			one = &Series{Name: name(t), Values: make([]int64, d.n())}
			all[one.Name] = one
		}
		one.Values[i] += t.N
		one.Sum += t.N
		if sum != nil {
			sum[i] += t.N
		}
	}
	out := []Series{}
	for _, one := range all {
		out = append(out, *one)
	}
	slices.SortFunc(out, func(a, b Series) int { return cmp.Or(cmp.Compare(b.Sum, a.Sum), cmp.Compare(b.Name, a.Name)) })
	if len(out) <= maxSeries {
		return out
	}
	other := Series{Name: "other", Values: make([]int64, d.n())}
	for _, one := range out[maxSeries-1:] {
		other.Sum += one.Sum
		for i, v := range one.Values {
			other.Values[i] += v
		}
	}
	return append(out[:maxSeries-1], other)
}

func (d days) ratings(totals []hub.Total, n *Numbers) {
	came, stars := make([]int64, d.n()), make([]int64, d.n())
	for _, t := range totals {
		i := t.Day - d.from
		value, err := strconv.Atoi(t.Detail)
		if i < 0 || i >= d.n() || err != nil {
			continue
		}
		n.Ratings[i] += t.N
		if t.N > 0 {
			came[i] += t.N
			stars[i] += t.N * int64(value)
		}
	}
	for i, c := range came {
		if c > 0 {
			n.RatingMean[i] = float64(stars[i]) / float64(c)
		}
	}
}

// adoption fills in which part of a day's panels runs what was the newest version then.
func (d days) adoption(active []hub.Total, releases []hub.Release, n *Numbers) {
	for i := range n.Days {
		newest := ""
		end := dayStart(d.from + i + 1)
		for _, r := range releases { // newest version first
			v, err := catalog.ParseVersion(r.Version)
			if err == nil && v.Prerelease() == "" && r.Published.Before(end) {
				newest = r.Version
				break
			}
		}
		for _, t := range active {
			if t.Day == d.from+i && t.Version == newest && n.Active[i] > 0 {
				n.Adoption[i] = float64(t.N) / float64(n.Active[i])
			}
		}
	}
}
