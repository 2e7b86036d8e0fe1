package storetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/store"
)

// Hub is a Community in memory that does as it is told.
type Hub struct {
	mu     sync.Mutex
	Linked store.Account
	Rated  store.Ratings
	Mine   *store.Rating
	Tips   []store.Suggestion
	Asked  []store.RatingsQuery
	Did    []string
	Err    error // of everything that asks the hub
	ActErr error // of what changes something
	Hang   bool  // until ctx ends
}

var _ store.Community = (*Hub)(nil)

// NewHub returns a linked hub with reviews, one by its user, and suggestions.
func NewHub() *Hub {
	c := &Hub{
		Linked: store.Account{Hub: "https://hub.example.org", State: store.LinkLinked, Name: "Mira Neu", Code: "BCDF-GHJK", URL: "https://hub.example.org/link", Until: Now.Add(14 * time.Minute)},
		Rated: store.Ratings{Count: 128, Histogram: [5]int64{6, 4, 11, 32, 75}, Mean: 4.3, Next: "more", Read: Now.Add(-10 * time.Second), Items: []store.Rating{
			{Author: "acc_bob", Name: "Bob Field", Stars: 5, Text: "Restored a whole server from it last week, in twenty minutes.\nThe nightly mail says what was saved and what was not.", Version: "2.1.0", Proved: true, Helpful: 14, Voted: true, Published: Now.Add(-50 * time.Hour)},
			{Author: "acc_lena", Name: "Lena Ost", Stars: 3, Text: "Useful, but the first backup to S3 took all night and the page did not say so.", Version: "2.0.3", Helpful: 3, Published: Now.Add(-9 * 24 * time.Hour),
				Answer: "Since 2.1 the page shows how much is left. Thank you for telling us.", Answered: Now.Add(-8 * 24 * time.Hour)},
			{Author: "acc_omar", Name: "Omar", Stars: 4, Version: "2.1.0", Proved: true, Published: Now.Add(-40 * 24 * time.Hour)},
		}},
		Tips: []store.Suggestion{{Plugin: "north/alerts", Name: "x", Because: "Metrics"}, {Plugin: "acme/mailer", Because: "Metrics"}, {Plugin: "else/where", Because: "Metrics"}},
	}
	c.Mine = &store.Rating{Author: "acc_mira", Name: "Mira Neu", Stars: 4, Text: "Does what it says.", Version: "2.1.0", Proved: true, Mine: true, Published: Now.Add(-2 * time.Hour)}
	return c
}

// In gives a store this hub.
func (c *Hub) In(o *store.Options) { o.Community = c }

func (c *Hub) ask(ctx context.Context) error {
	if c.Hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return c.Err
}

func (c *Hub) act(ctx context.Context, what string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ask(ctx); err != nil {
		return err
	}
	if c.ActErr == nil {
		c.Did = append(c.Did, what)
	}
	return c.ActErr
}

func (c *Hub) Account() store.Account {
	a := c.Linked
	if a.State != store.LinkWaiting {
		a.Code, a.URL, a.Until = "", "", time.Time{}
	}
	if a.State != store.LinkLinked {
		a.Name = ""
	}
	if a.State == store.LinkLost {
		a.Problem = store.LinkRefused
	}
	return a
}

func (c *Hub) Link(ctx context.Context) (store.Account, error) {
	return c.Account(), c.act(ctx, "link")
}

func (c *Hub) Unlink(ctx context.Context) error { return c.act(ctx, "unlink") }

func (c *Hub) Ratings(ctx context.Context, id catalog.PluginID, q store.RatingsQuery) (store.Ratings, error) {
	if err := c.ask(ctx); err != nil {
		return store.Ratings{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Asked = append(c.Asked, q)
	r := c.Rated
	r.Items = slices.Clone(r.Items)
	return r, nil
}

func (c *Hub) MyRating(ctx context.Context, _ catalog.PluginID) (store.Rating, error) {
	if err := c.ask(ctx); err != nil {
		return store.Rating{}, err
	}
	if c.Mine == nil {
		return store.Rating{}, catalog.ErrNotFound
	}
	return *c.Mine, nil
}

func (c *Hub) Rate(ctx context.Context, id catalog.PluginID, stars int, text string) error {
	return c.act(ctx, "rate "+string(id)+" "+string(rune('0'+stars))+" "+text)
}

func (c *Hub) DeleteRating(ctx context.Context, id catalog.PluginID) error {
	return c.act(ctx, "delete "+string(id))
}

func (c *Hub) Vote(ctx context.Context, id catalog.PluginID, author string, helpful bool) error {
	if helpful {
		return c.act(ctx, "helpful "+string(id)+" "+author)
	}
	return c.act(ctx, "unhelpful "+string(id)+" "+author)
}

func (c *Hub) Report(ctx context.Context, id catalog.PluginID, reason, text string) error {
	return c.act(ctx, "report "+string(id)+" "+reason+" "+text)
}

func (c *Hub) Reasons() []string { return []string{"malware", "broken", "other"} }

func (c *Hub) Recommend(ctx context.Context, n int) ([]store.Suggestion, error) {
	if err := c.ask(ctx); err != nil {
		return nil, err
	}
	return c.Tips, nil
}
