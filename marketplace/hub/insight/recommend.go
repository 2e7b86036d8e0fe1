package insight

import (
	"context"

	"github.com/souk-dev/souk/catalog"
)

// Bounds of a recommendation.
const (
	MaxHave      = 300 // plugins that somebody has
	MaxRecommend = 50
)

// How says what a recommendation goes by.
type How string

// What a recommendation goes by.
const (
	Together How = "together" // panels have both
	Alike    How = "alike"    // they say similar things of themselves
)

// Recommendation is a plugin for somebody who has others.
type Recommendation struct {
	Plugin  catalog.PluginID `json:"plugin"`
	Name    string           `json:"name"`
	Summary string           `json:"summary"`
	Because catalog.PluginID `json:"because"`     // one that they have
	Have    string           `json:"becauseName"` // its name: "because you have X"
	How     How              `json:"how"`
	Score   float64          `json:"score"` // 0 to 1, to order by
}

// Recommend returns at most n plugins for who has these, best first: first those that are
// installed together, then those that are alike. What they have, and what is not listed,
// is not among them. Nothing is kept of the question.
func (s *Service) Recommend(ctx context.Context, have []catalog.PluginID, n int) ([]Recommendation, error) {
	return nil, errNotBuilt
}
