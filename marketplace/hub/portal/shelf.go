package portal

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/insight"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

func (h *Handler) shelfRoutes() {
	h.page("GET /{$}", h.front)
	h.page("GET /plugins", h.shelf)
	h.pluginRoutes()
	h.publisherRoutes()
}

// card is a plugin in a list.
type card struct {
	hub.Plugin
	Owner    string // the publisher's name
	Verified bool
	Mean     float64 // 0: too few ratings to say
	Ratings  int64
}

// cards adds what a list shows of plugins, in one look at the store.
func (h *Handler) cards(ctx context.Context, plugins []hub.Plugin) ([]card, error) {
	if len(plugins) == 0 {
		return nil, nil
	}
	var ids, names []string
	for _, p := range plugins {
		ids, names = append(ids, p.ID), append(names, p.Publisher)
	}
	scores, owners := map[string]hub.Score{}, map[string]hub.Publisher{}
	err := h.o.Env.Store.View(ctx, func(tx hub.Tx) error {
		list, err := tx.Scores().List(ctx, hub.Query{Where: []hub.Cond{hub.In("plugin", ids)}})
		if err != nil {
			return err
		}
		for _, s := range list {
			scores[s.Plugin] = s
		}
		who, err := tx.Publishers().List(ctx, hub.Query{Where: []hub.Cond{hub.In("namespace", names)}})
		for _, p := range who {
			owners[p.Namespace] = p
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	few := int64(h.o.Env.Policy().WithDefaults().MinRatings)
	out := make([]card, 0, len(plugins))
	for _, p := range plugins {
		c := card{Plugin: p, Owner: owners[p.Publisher].Name, Verified: owners[p.Publisher].Verified}
		if s := scores[p.ID]; s.Count() >= max(few, 1) {
			c.Mean, c.Ratings = s.Mean(), s.Count()
		}
		out = append(out, c)
	}
	return out, nil
}

// shelfOf lists plugins as cards.
func (h *Handler) shelfOf(ctx context.Context, q publishing.ShelfQuery) ([]card, string, error) {
	list, err := h.o.Publishing.Shelf(ctx, q)
	if err != nil {
		return nil, "", err
	}
	out, err := h.cards(ctx, list.Items)
	return out, list.Next, err
}

// figures are the numbers of the whole hub, which take a look at everything to count. They
// are kept for figuresFor; while somebody counts anew, others see the ones before.
type figures struct {
	counting sync.Mutex
	kept     atomic.Pointer[countedAt]
}

type countedAt struct {
	insight.PublicNumbers
	at time.Time
}

const figuresFor = time.Minute

func (h *Handler) publicNumbers(ctx context.Context) (insight.PublicNumbers, error) {
	f, now := &h.figures, h.o.Env.Now()
	known := f.kept.Load()
	if known != nil && now.Sub(known.at) < figuresFor {
		return known.PublicNumbers, nil
	}
	if known == nil {
		f.counting.Lock()
	} else if !f.counting.TryLock() {
		return known.PublicNumbers, nil
	}
	defer f.counting.Unlock()
	if known = f.kept.Load(); known != nil && now.Sub(known.at) < figuresFor {
		return known.PublicNumbers, nil // somebody was faster
	}
	n, err := h.o.Insight.Public(ctx)
	if err == nil {
		f.kept.Store(&countedAt{n, now})
	}
	return n, err
}

type frontPage struct {
	Numbers          insight.PublicNumbers
	Featured, Latest []card
}

// shownOnFront is how many plugins of a kind the front page shows: two rows.
const shownOnFront = 6

func (h *Handler) front(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	var p frontPage
	var err error
	if p.Numbers, err = h.publicNumbers(r.Context()); err != nil {
		return err
	}
	if p.Featured, _, err = h.shelfOf(r.Context(), publishing.ShelfQuery{Featured: true, Limit: shownOnFront}); err != nil {
		return err
	}
	if p.Latest, _, err = h.shelfOf(r.Context(), publishing.ShelfQuery{Limit: shownOnFront}); err != nil {
		return err
	}
	return h.show(w, r, a, http.StatusOK, "", "Plugins for your panel", "front", p)
}

type shelfPage struct {
	Find, Category, Publisher string
	CategoryName              string
	Chips                     []staffFilter
	Cards                     []card
	Next                      string
}

// Searching reports whether the list is a part of all.
func (p shelfPage) Searching() bool { return p.Find != "" || p.Category != "" || p.Publisher != "" }

// maxFind is the most bytes that are searched for: no name is longer.
const maxFind = 100

func (h *Handler) shelf(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	find := strings.TrimSpace(q.Get("q"))
	if len(find) > maxFind {
		find = strings.ToValidUTF8(find[:maxFind], "")
	}
	p := shelfPage{Find: find, Category: q.Get("category"), Publisher: q.Get("publisher")}
	var err error
	p.Cards, p.Next, err = h.shelfOf(r.Context(), publishing.ShelfQuery{
		Find: p.Find, Category: p.Category, Publisher: p.Publisher, Cursor: q.Get("after"), Limit: 24,
	})
	if err != nil {
		return err
	}
	if p.Next != "" {
		p.Next = withQuery("/plugins", "q", p.Find, "category", p.Category, "publisher", p.Publisher, "after", p.Next)
	}
	categories, err := h.o.Publishing.Categories(r.Context())
	if err != nil {
		return err
	}
	if len(categories) > 0 {
		p.Chips = append(p.Chips, staffFilter{Name: "All", URL: withQuery("/plugins", "q", p.Find, "publisher", p.Publisher), Current: p.Category == ""})
	}
	for _, c := range categories {
		if c.Slug == p.Category {
			p.CategoryName = c.Name
		}
		p.Chips = append(p.Chips, staffFilter{
			Name: c.Name, URL: withQuery("/plugins", "q", p.Find, "publisher", p.Publisher, "category", c.Slug), Current: c.Slug == p.Category,
		})
	}
	return h.show(w, r, a, http.StatusOK, "plugins", "Plugins", "shelf", p)
}
