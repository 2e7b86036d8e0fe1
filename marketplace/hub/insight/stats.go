package insight

import (
	"context"
	"math"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// rankDays is how far back downloads count for a plugin's rank.
const rankDays = 30

// Stats returns the public numbers of every listed plugin, in order of their ids: what
// goes into the catalog. A rating is zero below [hub.Policy.MinRatings]; the rank is
// [Rank] of the last 30 days' downloads.
func (s *Service) Stats(ctx context.Context) ([]catalog.Stats, error) {
	policy := s.policy()
	today := hub.Day(s.now())
	var out []catalog.Stats
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		out = nil
		all, err := byPlugin(ctx, tx, 0, today)
		if err != nil {
			return err
		}
		recent, err := byPlugin(ctx, tx, today-rankDays+1, today)
		if err != nil {
			return err
		}
		scores := map[string]hub.Score{}
		var sum, count int64
		err = hub.EachScore(ctx, tx, func(sc hub.Score) {
			scores[sc.Plugin] = sc
			sum, count = sum+sc.Sum(), count+sc.Count()
		})
		if err != nil {
			return err
		}
		prior := 3.0 // as hub.PriorMean, of the same scores
		if count > 0 {
			prior = float64(sum) / float64(count)
		}
		return eachListed(ctx, tx, func(p hub.Plugin) error {
			score := scores[p.ID]
			one := catalog.Stats{
				ID: catalog.PluginID(p.ID), Downloads: all[p.ID], Ratings: int(score.Count()),
				Rank: Rank(recent[p.ID], score.Bayesian(prior, policy.PriorWeight)),
			}
			if score.Count() >= int64(policy.MinRatings) {
				one.Rating = math.Round(score.Mean()*100) / 100
			}
			out = append(out, one)
			return nil
		})
	})
	return out, err
}

// Rank returns what plugins are ordered by where nothing else is asked for: the Bayesian
// mean of its ratings, times one and the decimal logarithm of its downloads in the last
// 30 days. Rounded, so that a download more does not change a catalog.
func Rank(recent int64, bayesian float64) float64 {
	return math.Round(bayesian*(1+math.Log10(1+float64(max(recent, 0))))*100) / 100
}

func byPlugin(ctx context.Context, tx hub.Tx, from, to int) (map[string]int64, error) {
	totals, err := tx.Totals(ctx, hub.TotalQuery{Kind: hub.TallyDownload, From: from, To: to, By: []string{"plugin"}})
	out := make(map[string]int64, len(totals))
	for _, t := range totals {
		out[t.Plugin] = t.N
	}
	return out, err
}

// eachListed calls f with every listed plugin, in order of their ids.
func eachListed(ctx context.Context, tx hub.Tx, f func(hub.Plugin) error) error {
	q := hub.Query{Where: []hub.Cond{hub.Eq("state", hub.PluginListed)}, Order: "id"}
	for {
		list, err := tx.Plugins().List(ctx, q)
		if err != nil {
			return err
		}
		for _, p := range list {
			if err := f(p); err != nil {
				return err
			}
		}
		if len(list) < hub.MaxList {
			return nil
		}
		q.After = []any{list[len(list)-1].ID}
	}
}

// PublicNumbers are what everybody may know of the whole hub.
type PublicNumbers struct {
	Plugins    int64 `json:"plugins"` // listed
	Publishers int64 `json:"publishers"`
	Downloads  int64 `json:"downloads"` // of all time
	Ratings    int64 `json:"ratings"`   // shown
}

// Public returns the numbers of the whole hub.
func (s *Service) Public(ctx context.Context) (PublicNumbers, error) {
	var out PublicNumbers
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		out = PublicNumbers{}
		if out.Plugins, err = tx.Plugins().Count(ctx, hub.Eq("state", hub.PluginListed)); err != nil {
			return err
		}
		if out.Publishers, err = tx.Publishers().Count(ctx); err != nil {
			return err
		}
		downloads, err := byPlugin(ctx, tx, 0, hub.Day(s.now()))
		for _, n := range downloads {
			out.Downloads += n
		}
		if err != nil {
			return err
		}
		return hub.EachScore(ctx, tx, func(sc hub.Score) { out.Ratings += sc.Count() })
	})
	return out, err
}
