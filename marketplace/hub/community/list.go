package community

import (
	"context"
	"strconv"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Sort is the order of ratings.
type Sort string

// The orders of ratings.
const (
	SortNewest  Sort = "newest"  // written or edited last first
	SortHelpful Sort = "helpful" // most votes first
	SortStars   Sort = "stars"   // most stars first, and the newest of those
)

// RatingView is a rating as people see it.
type RatingView struct {
	hub.Rating
	Author string `json:"author"` // name of the account
	Mine   bool   `json:"mine,omitempty"`
	Voted  bool   `json:"voted,omitempty"` // who asks found it helpful
}

// RatingsQuery asks for ratings of a plugin.
type RatingsQuery struct {
	Plugin string
	Sort   Sort // empty: newest
	Stars  int  // only these; 0: all
	Cursor string
	Limit  int // 0: [hub.DefaultPage]; at most [hub.MaxPage]
}

// Ratings returns the shown ratings of a plugin. Everybody may read them; the actor's
// own ones and votes are marked. Those of a plugin that is not listed are for its
// publisher's members and reviewers.
func (s *Service) Ratings(ctx context.Context, a hub.Actor, q RatingsQuery) (hub.Page[RatingView], error) {
	var out hub.Page[RatingView]
	if _, err := pluginID(q.Plugin); err != nil {
		return out, err
	}
	if q.Stars < 0 || q.Stars > 5 {
		return out, hub.Invalid("stars", "must be 1 to 5")
	}
	switch q.Sort {
	case "":
		q.Sort = SortNewest
	case SortNewest, SortHelpful, SortStars:
	default:
		return out, hub.Invalid("sort", "must be newest, helpful or stars")
	}
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		if _, err := readable(ctx, tx, a, q.Plugin); err != nil {
			return err
		}
		page, err := ratingsPage(ctx, tx, q)
		if err != nil {
			return err
		}
		out, err = views(ctx, tx, a, page)
		return err
	})
	return out, err
}

func ratingsPage(ctx context.Context, tx hub.Tx, q RatingsQuery) (hub.Page[hub.Rating], error) {
	list := hub.Query{Where: []hub.Cond{hub.Eq("plugin", q.Plugin), hub.Eq("state", hub.Shown)}, Order: "updated", Desc: true}
	if q.Sort == SortStars {
		var groups []group
		for n := 5; n >= 1; n-- {
			if q.Stars == 0 || q.Stars == n {
				groups = append(groups, group{strconv.Itoa(n), hub.Eq("stars", n)})
			}
		}
		return inGroups(ctx, tx.Ratings(), "ratings by stars", groups, list, q.Cursor, q.Limit, func(r hub.Rating) (string, []any) {
			return strconv.Itoa(r.Stars), []any{r.Updated, r.Plugin, r.Account}
		})
	}
	if q.Stars > 0 {
		list.Where = append(list.Where, hub.Eq("stars", q.Stars))
	}
	at := func(r hub.Rating) []any { return []any{r.Updated, r.Plugin, r.Account} }
	if q.Sort == SortHelpful {
		list.Order = "helpful"
		at = func(r hub.Rating) []any { return []any{r.Helpful, r.Plugin, r.Account} }
	}
	return hub.ListPage(ctx, tx.Ratings(), list, q.Cursor, q.Limit, at)
}

// Held returns the held ratings of a plugin, or of all, oldest first, to who may see the
// queue of reports.
func (s *Service) Held(ctx context.Context, a hub.Actor, plugin, cursor string, limit int) (hub.Page[RatingView], error) {
	var out hub.Page[RatingView]
	if err := a.May(hub.ActReportQueue, hub.Object{}); err != nil {
		return out, err
	}
	list := hub.Query{Where: []hub.Cond{hub.Eq("state", hub.Held)}, Order: "updated"}
	if plugin != "" {
		list.Where = append(list.Where, hub.Eq("plugin", plugin))
	}
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		page, err := hub.ListPage(ctx, tx.Ratings(), list, cursor, limit, func(r hub.Rating) []any { return []any{r.Updated, r.Plugin, r.Account} })
		if err != nil {
			return err
		}
		out, err = views(ctx, tx, a, page)
		return err
	})
	return out, err
}

// MyRatings returns all ratings of the actor, shown or not, newest first.
func (s *Service) MyRatings(ctx context.Context, a hub.Actor, cursor string, limit int) (hub.Page[hub.Rating], error) {
	var out hub.Page[hub.Rating]
	if err := a.May(hub.ActAccountRead, hub.Object{Account: a.Account}); err != nil {
		return out, err
	}
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		list := hub.Query{Where: []hub.Cond{hub.Eq("account", a.Account)}, Order: "updated", Desc: true}
		out, err = hub.ListPage(ctx, tx.Ratings(), list, cursor, limit, func(r hub.Rating) []any { return []any{r.Updated, r.Plugin, r.Account} })
		return err
	})
	return out, err
}

// RatingOf returns the actor's own rating of a plugin, shown or not, or
// [hub.ErrNotFound].
func (s *Service) RatingOf(ctx context.Context, a hub.Actor, plugin string) (hub.Rating, error) {
	var out hub.Rating
	if _, err := pluginID(plugin); err != nil {
		return out, err
	}
	if err := a.May(hub.ActAccountRead, hub.Object{Account: a.Account}); err != nil {
		return out, err
	}
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		out, err = tx.Ratings().Get(ctx, plugin, a.Account)
		return err
	})
	return out, err
}

// views adds to ratings what stands beside them.
func views(ctx context.Context, tx hub.Tx, a hub.Actor, page hub.Page[hub.Rating]) (hub.Page[RatingView], error) {
	out := hub.Page[RatingView]{Items: []RatingView{}, Next: page.Next}
	var authors, plugins []string
	for _, r := range page.Items {
		authors, plugins = append(authors, r.Account), append(plugins, r.Plugin)
	}
	accounts, err := tx.Accounts().List(ctx, hub.Query{Where: []hub.Cond{hub.In("id", authors)}})
	if err != nil {
		return out, err
	}
	names := map[string]string{}
	for _, acc := range accounts {
		names[acc.ID] = acc.Name
	}
	voted := map[string]bool{}
	if a.Account != "" {
		votes, err := tx.Votes().List(ctx, hub.Query{Where: []hub.Cond{hub.In("plugin", plugins), hub.In("author", authors), hub.Eq("voter", a.Account)}})
		if err != nil {
			return out, err
		}
		for _, v := range votes {
			voted[v.Plugin+"#"+v.Author] = true
		}
	}
	for _, r := range page.Items {
		out.Items = append(out.Items, RatingView{
			Rating: r, Author: names[r.Account], Mine: a.Account != "" && r.Account == a.Account, Voted: voted[r.Plugin+"#"+r.Account],
		})
	}
	return out, nil
}
