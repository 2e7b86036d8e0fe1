package store_test

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/store"
)

// community is a Community in memory that does as it is told.
type community struct {
	mu      sync.Mutex
	account store.Account
	ratings store.Ratings
	mine    *store.Rating
	tips    []store.Suggestion
	asked   []store.RatingsQuery
	did     []string
	err     error // of everything that asks the hub
	actErr  error // of what changes something
	hang    bool  // until ctx ends
}

var _ store.Community = (*community)(nil)

func newHub() *community {
	c := &community{
		account: store.Account{Hub: "https://hub.example.org", State: store.LinkLinked, Name: "Mira Neu", Code: "BCDF-GHJK", URL: "https://hub.example.org/link", Until: now.Add(14 * time.Minute)},
		ratings: store.Ratings{Count: 128, Histogram: [5]int64{6, 4, 11, 32, 75}, Mean: 4.3, Next: "more", Read: now.Add(-10 * time.Second), Items: []store.Rating{
			{Author: "acc_bob", Name: "Bob Field", Stars: 5, Text: "Restored a whole server from it last week, in twenty minutes.\nThe nightly mail says what was saved and what was not.", Version: "2.1.0", Proved: true, Helpful: 14, Voted: true, Published: now.Add(-50 * time.Hour)},
			{Author: "acc_lena", Name: "Lena Ost", Stars: 3, Text: "Useful, but the first backup to S3 took all night and the page did not say so.", Version: "2.0.3", Helpful: 3, Published: now.Add(-9 * 24 * time.Hour),
				Answer: "Since 2.1 the page shows how much is left. Thank you for telling us.", Answered: now.Add(-8 * 24 * time.Hour)},
			{Author: "acc_omar", Name: "Omar", Stars: 4, Version: "2.1.0", Proved: true, Published: now.Add(-40 * 24 * time.Hour)},
		}},
		tips: []store.Suggestion{{Plugin: "north/alerts", Name: "x", Because: "Metrics"}, {Plugin: "acme/mailer", Because: "Metrics"}, {Plugin: "else/where", Because: "Metrics"}},
	}
	c.mine = &store.Rating{Author: "acc_mira", Name: "Mira Neu", Stars: 4, Text: "Does what it says.", Version: "2.1.0", Proved: true, Mine: true, Published: now.Add(-2 * time.Hour)}
	return c
}

// in gives a store this hub.
func (c *community) in(o *store.Options) { o.Community = c }

func (c *community) ask(ctx context.Context) error {
	if c.hang {
		<-ctx.Done()
		return ctx.Err()
	}
	return c.err
}

func (c *community) act(ctx context.Context, what string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ask(ctx); err != nil {
		return err
	}
	if c.actErr == nil {
		c.did = append(c.did, what)
	}
	return c.actErr
}

func (c *community) Account() store.Account {
	a := c.account
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

func (c *community) Link(ctx context.Context) (store.Account, error) {
	return c.Account(), c.act(ctx, "link")
}

func (c *community) Unlink(ctx context.Context) error { return c.act(ctx, "unlink") }

func (c *community) Ratings(ctx context.Context, id catalog.PluginID, q store.RatingsQuery) (store.Ratings, error) {
	if err := c.ask(ctx); err != nil {
		return store.Ratings{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, q)
	r := c.ratings
	r.Items = slices.Clone(r.Items)
	return r, nil
}

func (c *community) MyRating(ctx context.Context, _ catalog.PluginID) (store.Rating, error) {
	if err := c.ask(ctx); err != nil {
		return store.Rating{}, err
	}
	if c.mine == nil {
		return store.Rating{}, catalog.ErrNotFound
	}
	return *c.mine, nil
}

func (c *community) Rate(ctx context.Context, id catalog.PluginID, stars int, text string) error {
	return c.act(ctx, "rate "+string(id)+" "+string(rune('0'+stars))+" "+text)
}

func (c *community) DeleteRating(ctx context.Context, id catalog.PluginID) error {
	return c.act(ctx, "delete "+string(id))
}

func (c *community) Vote(ctx context.Context, id catalog.PluginID, author string, helpful bool) error {
	if helpful {
		return c.act(ctx, "helpful "+string(id)+" "+author)
	}
	return c.act(ctx, "unhelpful "+string(id)+" "+author)
}

func (c *community) Report(ctx context.Context, id catalog.PluginID, reason, text string) error {
	return c.act(ctx, "report "+string(id)+" "+reason+" "+text)
}

func (c *community) Reasons() []string { return []string{"malware", "broken", "other"} }

func (c *community) Recommend(ctx context.Context, n int) ([]store.Suggestion, error) {
	if err := c.ask(ctx); err != nil {
		return nil, err
	}
	return c.tips, nil
}
