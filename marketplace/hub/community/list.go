package community

import (
	"context"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Sort is the order of ratings.
type Sort string

// The orders of ratings.
const (
	SortNewest  Sort = "newest"
	SortHelpful Sort = "helpful" // most votes first
	SortStars   Sort = "stars"   // most stars first
)

// RatingsQuery asks for ratings of a plugin.
type RatingsQuery struct {
	Plugin string
	Sort   Sort // empty: newest
	Stars  int  // only these; 0: all
	Cursor string
	Limit  int // 0: [hub.DefaultPage]; at most [hub.MaxPage]
}

// Ratings returns the shown ratings of a plugin. Everybody may read them; the actor's
// own ones and votes are marked.
func (s *Service) Ratings(ctx context.Context, a hub.Actor, q RatingsQuery) (hub.Page[RatingView], error) {
	return hub.Page[RatingView]{}, errNotBuilt
}

// Held returns the held ratings of a plugin, or of all, oldest first, to who may see the
// queue of reports.
func (s *Service) Held(ctx context.Context, a hub.Actor, plugin, cursor string, limit int) (hub.Page[RatingView], error) {
	return hub.Page[RatingView]{}, errNotBuilt
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
	return Summary{}, errNotBuilt
}
