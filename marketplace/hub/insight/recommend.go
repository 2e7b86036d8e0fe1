package insight

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// Bounds of a recommendation.
const (
	MaxHave      = 300 // plugins that somebody has
	MaxRecommend = 50

	pairDays = 7       // how many days of reports the model looks at
	maxPairs = 500_000 // pairs of plugins it looks at, those of most panels
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
	if len(have) > MaxHave {
		return nil, hub.Invalid("have", "has %d plugins, more than %d", len(have), MaxHave)
	}
	m, err := s.currentModel(ctx)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, h := range have {
		if !slices.Contains(ids, string(h)) {
			ids = append(ids, string(h))
		}
	}
	out := []Recommendation{}
	for _, g := range m.suggest(ids, min(max(n, 0), MaxRecommend)) {
		d := m.docs[m.index[g.id]]
		r := Recommendation{
			Plugin: catalog.PluginID(g.id), Name: d.name, Summary: d.summary, Because: catalog.PluginID(g.because), Have: g.because, How: g.how, Score: g.score,
		}
		if i, ok := m.index[g.because]; ok {
			r.Have = m.docs[i].name
		}
		out = append(out, r)
	}
	return out, nil
}

// currentModel returns the model, and computes the first.
func (s *Service) currentModel(ctx context.Context) (*model, error) {
	if m, _ := s.madeModel(); m != nil {
		return m, nil
	}
	if err := s.remodel(ctx); err != nil {
		return nil, err
	}
	m, _ := s.madeModel()
	return m, nil
}

func (s *Service) madeModel() (*model, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.model, s.modelAt
}

// keepModel computes a model every hour.
func (s *Service) keepModel(ctx context.Context) {
	tick := time.NewTicker(modelEvery)
	defer tick.Stop()
	for {
		if err := s.remodel(ctx); err != nil && ctx.Err() == nil {
			s.env.Log.WarnContext(ctx, "recommendations stay as they were", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// remodel computes a model, unless another call did while this one waited.
func (s *Service) remodel(ctx context.Context) error {
	asked := s.now()
	s.modelling.Lock()
	defer s.modelling.Unlock()
	if m, at := s.madeModel(); m != nil && at.After(asked) {
		return nil
	}
	var docs []document
	var pairs []pair
	active := map[string]float64{}
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		clear(active)
		if docs, err = s.documents(ctx, tx); err != nil {
			return err
		}
		pairs, err = companions(ctx, tx, hub.Day(s.now()), active)
		return err
	})
	if err != nil {
		return err
	}
	m := newModel(docs, active, pairs)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.model, s.modelAt = m, s.now()
	return nil
}

// documents reads what the listed plugins say of themselves; those that did not change
// since the last time are not read again.
func (s *Service) documents(ctx context.Context, tx hub.Tx) ([]document, error) {
	var out []document
	kept := map[string]document{}
	err := eachListed(ctx, tx, func(p hub.Plugin) error {
		d, ok := s.docs[p.ID]
		if !ok || d.rev != p.Rev {
			d = document{id: p.ID, name: p.Name, summary: p.Summary, categories: p.Categories, rev: p.Rev}
			r, err := tx.Releases().Get(ctx, p.ID, p.Latest)
			if err == nil {
				var m struct{ Tags, Keywords []string }
				if err := json.Unmarshal(r.Manifest, &m); err != nil {
					return err
				}
				d.tags = slices.Concat(m.Tags, m.Keywords)
			} else if !errors.Is(err, hub.ErrNotFound) {
				return err
			}
		}
		kept[p.ID] = d
		out = append(out, d)
		return nil
	})
	if err == nil {
		s.docs = kept
	}
	return out, err
}

// companions reads how many panels have which plugins, alone and in pairs: the mean of
// the last days on which panels reported.
func companions(ctx context.Context, tx hub.Tx, today int, active map[string]float64) ([]pair, error) {
	q := hub.TotalQuery{Kind: hub.TallyActive, From: today - pairDays + 1, To: today, By: []string{"day"}}
	reported, err := tx.Totals(ctx, q)
	if err != nil || len(reported) == 0 {
		return nil, err
	}
	days := float64(len(reported))
	q.By = []string{"plugin"}
	each, err := tx.Totals(ctx, q)
	if err != nil {
		return nil, err
	}
	for _, t := range each {
		active[t.Plugin] = float64(t.N) / days
	}
	q.Kind, q.By, q.Limit = hub.TallyPair, []string{"plugin", "detail"}, maxPairs
	both, err := tx.Totals(ctx, q)
	pairs := make([]pair, 0, len(both))
	for _, t := range both {
		pairs = append(pairs, pair{t.Plugin, t.Detail, float64(t.N) / days})
	}
	return pairs, err
}
