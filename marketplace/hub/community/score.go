package community

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// ratingTarget names a rating in the audit log.
func ratingTarget(r hub.Rating) string { return "rating " + r.Plugin + "#" + r.Account }

// counted returns the stars that a rating adds to its plugin's score, 0 for none.
func counted(r hub.Rating) int {
	if r.State != hub.Shown {
		return 0
	}
	return r.Stars
}

// rescore moves a plugin's score from what a rating added to it before to what it adds
// now. It returns what to tally once the transaction is committed.
func rescore(ctx context.Context, tx hub.Tx, before, after hub.Rating, now time.Time) ([]hub.Tally, error) {
	from, to := counted(before), counted(after)
	if from == to {
		return nil, nil
	}
	score, err := tx.Scores().Get(ctx, after.Plugin)
	if err != nil && !errors.Is(err, hub.ErrNotFound) {
		return nil, err
	}
	score.Plugin = after.Plugin
	stars := []*int64{&score.S1, &score.S2, &score.S3, &score.S4, &score.S5}
	var tallies []hub.Tally
	add := func(n int, by int64) {
		if n == 0 {
			return
		}
		*stars[n-1] += by
		tallies = append(tallies, hub.Tally{Day: hub.Day(now), Kind: hub.TallyRating, Plugin: after.Plugin, Detail: strconv.Itoa(n), N: by})
	}
	add(from, -1)
	add(to, 1)
	for i, n := range stars {
		if *n < 0 {
			return nil, fmt.Errorf("score of %s has %d ratings with %d stars", after.Plugin, *n, i+1)
		}
	}
	return tallies, tx.Scores().Put(ctx, &score)
}

// tally adds what a committed transaction counted to the numbers of the day. Those may
// miss it; the score does not.
func (s *Service) tally(ctx context.Context, t []hub.Tally) {
	if len(t) == 0 {
		return
	}
	if _, err := s.env.Store.Tally(ctx, t); err != nil {
		s.env.Log.WarnContext(ctx, "a rating is missing in the numbers of its day", "plugin", t[0].Plugin, "err", err)
	}
}

// Summary is what a plugin's shown ratings add up to.
type Summary struct {
	Plugin    string   `json:"plugin"`
	Count     int64    `json:"count"`
	Histogram [5]int64 `json:"histogram"` // ratings with one star first
	// Mean is zero below [hub.Policy.MinRatings] ratings: so few say nothing.
	Mean float64 `json:"mean,omitempty"`
	// Bayesian is what an order goes by: see [hub.Score.Bayesian].
	Bayesian float64 `json:"bayesian"`
}

// Summary returns what a listed plugin's ratings add up to.
func (s *Service) Summary(ctx context.Context, plugin string) (Summary, error) {
	if _, err := pluginID(plugin); err != nil {
		return Summary{}, err
	}
	prior, known := s.knownPrior()
	var score hub.Score
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		if _, err := listed(ctx, tx, plugin); err != nil {
			return err
		}
		var err error
		if score, err = tx.Scores().Get(ctx, plugin); err != nil && !errors.Is(err, hub.ErrNotFound) {
			return err
		}
		if !known {
			prior, err = hub.PriorMean(ctx, tx)
			return err
		}
		return nil
	})
	if err != nil {
		return Summary{}, err
	}
	if !known {
		s.keepPrior(prior)
	}
	policy := s.policy()
	sum := Summary{
		Plugin: plugin, Count: score.Count(), Histogram: [5]int64{score.S1, score.S2, score.S3, score.S4, score.S5},
		Bayesian: score.Bayesian(prior, policy.PriorWeight),
	}
	if sum.Count >= int64(policy.MinRatings) {
		sum.Mean = score.Mean()
	}
	return sum, nil
}

func (s *Service) knownPrior() (float64, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.prior, s.prior != 0 && s.env.Now().Sub(s.priorAt) < s.priorFor
}

func (s *Service) keepPrior(prior float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prior, s.priorAt = prior, s.env.Now()
}
