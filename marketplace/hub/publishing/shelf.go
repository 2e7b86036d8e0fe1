package publishing

import (
	"context"

	"github.com/souk-dev/souk/marketplace/hub"
)

// ShelfQuery chooses plugins among those that the catalog lists.
type ShelfQuery struct {
	Find      string // stands in the name; empty: any
	Category  string
	Publisher string
	Featured  bool   // only those
	Cursor    string // of the page before
	Limit     int    // 0: [hub.DefaultPage]; at most [hub.MaxPage]
}

// Shelf lists what the catalog lists, latest release first. Panels search their own copy
// of the catalog; this is for people who look at the hub.
func (s *Service) Shelf(ctx context.Context, in ShelfQuery) (hub.Page[hub.Plugin], error) {
	where := []hub.Cond{hub.Eq("state", hub.PluginListed)}
	if in.Find != "" {
		where = append(where, hub.Has("name", in.Find))
	}
	if in.Category != "" {
		where = append(where, hub.InList("categories", in.Category))
	}
	if in.Publisher != "" {
		where = append(where, hub.Eq("publisher", in.Publisher))
	}
	if in.Featured {
		where = append(where, hub.Eq("featured", true))
	}
	var page hub.Page[hub.Plugin]
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		var err error
		page, err = hub.ListPage(ctx, tx.Plugins(), hub.Query{Where: where, Order: "updated", Desc: true}, in.Cursor, in.Limit,
			func(p hub.Plugin) []any { return []any{p.Updated, p.ID} })
		return err
	})
	return page, err
}
