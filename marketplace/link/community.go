package link

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/marketplace/store"
)

const (
	perPage = 10  // ratings
	maxHave = 200 // installed plugins that suggestions are asked for
)

// read asks the hub for what a page shows, within ReadWait, and not at all for a while
// after it did not answer. With a token that the hub refuses it asks again without.
func read[T any](ctx context.Context, l *Link, f func(context.Context, *client.Client) (T, error)) (T, error) {
	var none T
	l.mu.Lock()
	away, token := l.o.Now().Before(l.away), l.state.Token
	l.mu.Unlock()
	if away {
		return none, l.notThere(nil)
	}
	ctx, cancel := context.WithTimeout(ctx, ReadWait)
	defer cancel()
	select {
	case l.reads <- struct{}{}:
		defer func() { <-l.reads }()
	case <-ctx.Done():
		return none, l.notThere(ctx.Err())
	}
	out, err := f(ctx, l.hub.WithToken(token))
	if token != "" && errors.Is(err, hub.ErrUnauthenticated) {
		l.lose(token)
		out, err = f(ctx, l.hub)
	}
	if err != nil {
		return none, l.explain(ctx, err, "")
	}
	return out, nil
}

// act does something for the linked account, within WriteWait.
func act(ctx context.Context, l *Link, f func(ctx context.Context, c *client.Client, s state) error) error {
	s := l.snapshot()
	if s.Token == "" {
		return &store.RefusedError{Relink: true}
	}
	ctx, cancel := context.WithTimeout(ctx, WriteWait)
	defer cancel()
	err := f(ctx, l.hub.WithToken(s.Token), s)
	l.cache.expire() // also after an error: it may have been done
	if err == nil {
		l.mu.Lock()
		l.away = time.Time{}
		l.mu.Unlock()
	}
	return l.explain(ctx, err, s.Token)
}

// explain makes of a client's error what the store understands. token is the one that was
// used, if any.
func (l *Link) explain(ctx context.Context, err error, token string) error {
	var p *client.Problem
	var invalid *hub.InvalidError
	switch {
	case err == nil:
		return nil
	case token != "" && errors.Is(err, hub.ErrUnauthenticated):
		l.lose(token)
		return &store.RefusedError{Relink: true}
	case errors.Is(err, context.Canceled) && context.Cause(ctx) != nil:
		return err // who asked went away
	case errors.Is(err, hub.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		l.mu.Lock()
		l.away = l.o.Now().Add(RestAfter)
		l.mu.Unlock()
		return l.notThere(err)
	case errors.Is(err, hub.ErrNotFound):
		return err
	case errors.Is(err, hub.ErrForbidden):
		return &store.RefusedError{Forbidden: true}
	case errors.As(err, &p) && p.Status < 500:
		return &store.RefusedError{Reason: sentence(p.Error())}
	case errors.As(err, &invalid):
		return &store.RefusedError{Reason: sentence(invalid.Error())}
	}
	l.o.Log.Warn("the hub answered what cannot be right", "hub", l.hub.Address(), "error", err)
	return l.notThere(err)
}

// notThere is the error of a hub that does not answer.
func (l *Link) notThere(err error) error {
	if err == nil {
		return fmt.Errorf("hub %s did not answer just now: %w", l.hub.Address(), catalog.ErrUnavailable)
	}
	return fmt.Errorf("hub %s does not answer: %w: %w", l.hub.Address(), catalog.ErrUnavailable, err)
}

// sentence makes one of an error's text.
func sentence(s string) string {
	if s = strings.TrimPrefix(s, "body."); s == "" {
		return s
	}
	first, size := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(first)) + s[size:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// Ratings returns what people say about a plugin. The first page of each order is
// remembered, and old ones are returned, marked, while the hub is away.
func (l *Link) Ratings(ctx context.Context, id catalog.PluginID, q store.RatingsQuery) (store.Ratings, error) {
	question := fmt.Sprintf("ratings %s %s %d %s", id, q.Sort, q.Stars, q.Cursor)
	if known, ok := l.cache.get(question, freshFor); ok {
		return known.(store.Ratings), nil
	}
	out, err := read(ctx, l, func(ctx context.Context, c *client.Client) (store.Ratings, error) { return l.ratings(ctx, c, id, q) })
	if err == nil {
		out.Read = l.o.Now()
		if q.Cursor == "" {
			l.cache.put(question, out)
		}
		return out, nil
	}
	if known, ok := l.cache.get(question, keepFor); ok && errors.Is(err, catalog.ErrUnavailable) {
		old := known.(store.Ratings)
		old.Stale = true
		return old, nil
	}
	return store.Ratings{}, err
}

// ratings asks for the sum and a page side by side.
func (l *Link) ratings(ctx context.Context, c *client.Client, id catalog.PluginID, q store.RatingsQuery) (store.Ratings, error) {
	var sum client.RatingSummary
	var sumErr error
	var wait sync.WaitGroup
	wait.Go(func() { sum, sumErr = c.RatingSummary(ctx, id) })
	page, err := c.Ratings(ctx, id, client.RatingsQuery{Sort: cmp.Or(q.Sort, "helpful"), Stars: q.Stars, Cursor: q.Cursor, Limit: perPage})
	wait.Wait()
	if err == nil {
		err = sumErr
	}
	if err != nil {
		return store.Ratings{}, err
	}
	out := store.Ratings{Count: sum.Count, Histogram: sum.Histogram, Mean: sum.Mean, Next: page.Next}
	for _, r := range page.Items[:min(len(page.Items), perPage)] {
		one := rating(r.Rating)
		one.Name, one.Mine, one.Voted = r.Author, r.Mine, r.Voted
		out.Items = append(out.Items, one)
	}
	return out, nil
}

// rating is a hub's rating as the store shows it.
func rating(r hub.Rating) store.Rating {
	return store.Rating{
		Author: r.Account, Stars: min(max(r.Stars, 1), 5), Text: r.Text, Version: r.Version, Proved: r.Proved, Helpful: r.Helpful,
		Held: r.State == hub.Held, Hidden: r.State == hub.Hidden, Why: r.Reason, Answer: r.Answer, Answered: r.Answered, Published: r.Updated,
	}
}

// MyRating returns the linked account's own rating, or an error that wraps
// catalog.ErrNotFound.
func (l *Link) MyRating(ctx context.Context, id catalog.PluginID) (store.Rating, error) {
	s := l.snapshot()
	if s.Token == "" {
		return store.Rating{}, fmt.Errorf("rating of %s: not linked: %w", id, catalog.ErrNotFound)
	}
	r, err := read(ctx, l, func(ctx context.Context, c *client.Client) (hub.Rating, error) {
		r, err := c.MyRating(ctx, id)
		if errors.Is(err, hub.ErrUnauthenticated) && c == l.hub { // the token was refused just before
			err = hub.ErrNotFound
		}
		return r, err
	})
	if err != nil {
		return store.Rating{}, err
	}
	out := rating(r)
	out.Name, out.Mine = s.Name, true
	return out, nil
}

// Rate rates a plugin, with a receipt when it is installed here.
func (l *Link) Rate(ctx context.Context, id catalog.PluginID, stars int, text string) error {
	return act(ctx, l, func(ctx context.Context, c *client.Client, s state) error {
		n := client.NewRating{Stars: stars, Text: text}
		all := l.o.Market.Installed()
		if i := slices.IndexFunc(all, func(p install.Installed) bool { return p.Plugin == id }); i >= 0 && s.Account != "" {
			receipt, err := l.receipt(s, all[i])
			if err != nil {
				return fmt.Errorf("receipt for %s: %w", all[i].Ref, err)
			}
			n.Version, n.Receipt = all[i].Version, receipt
		}
		_, err := c.Rate(ctx, id, n)
		return err
	})
}

// receipt signs that a release is installed here.
func (l *Link) receipt(s state, p install.Installed) (string, error) {
	nonce := make([]byte, 16)
	if _, err := rand.Read(nonce); err != nil {
		return "", err
	}
	return hub.SignReceipt(hub.Receipt{
		Panel: s.Panel, Account: s.Account, Plugin: string(p.Plugin), Version: p.Version, Digest: string(p.Digest),
		IssuedAt: l.o.Now().UTC().Truncate(time.Second), Nonce: base64.RawURLEncoding.EncodeToString(nonce),
	}, ed25519.NewKeyFromSeed(s.Key))
}

// DeleteRating takes the linked account's rating back.
func (l *Link) DeleteRating(ctx context.Context, id catalog.PluginID) error {
	return act(ctx, l, func(ctx context.Context, c *client.Client, _ state) error { return c.DeleteRating(ctx, id) })
}

// Vote says that a rating was helpful, or takes that back.
func (l *Link) Vote(ctx context.Context, id catalog.PluginID, author string, helpful bool) error {
	return act(ctx, l, func(ctx context.Context, c *client.Client, _ state) error {
		_, err := c.Vote(ctx, id, author, helpful)
		return err
	})
}

// Report says what is wrong with a plugin.
func (l *Link) Report(ctx context.Context, id catalog.PluginID, reason, text string) error {
	return act(ctx, l, func(ctx context.Context, c *client.Client, _ state) error {
		_, err := c.Report(ctx, client.NewReport{Kind: hub.SubjectPlugin, Subject: string(id), Reason: reason, Text: text})
		return err
	})
}

// Reasons are those that a hub takes for a report.
func (l *Link) Reasons() []string { return hub.Reasons() }

// Recommend returns plugins for who has what is installed here, none when nothing is.
// The hub keeps nothing of the question.
func (l *Link) Recommend(ctx context.Context, n int) ([]store.Suggestion, error) {
	var have []catalog.PluginID
	for _, p := range l.o.Market.Installed() {
		have = append(have, p.Plugin)
	}
	if len(have) == 0 || n < 1 {
		return nil, nil
	}
	have = have[:min(len(have), maxHave)]
	question := fmt.Sprintf("tips %d %v", n, have)
	if known, ok := l.cache.get(question, freshTips); ok {
		return known.([]store.Suggestion), nil
	}
	list, err := read(ctx, l, func(ctx context.Context, c *client.Client) ([]client.Recommendation, error) {
		return c.Recommend(ctx, have, n)
	})
	if err != nil {
		if known, ok := l.cache.get(question, keepFor); ok {
			return known.([]store.Suggestion), nil
		}
		return nil, err
	}
	out := []store.Suggestion{}
	for _, r := range list[:min(len(list), n)] {
		out = append(out, store.Suggestion{Plugin: r.Plugin, Name: r.Name, Summary: r.Summary, Because: r.Have})
	}
	l.cache.put(question, out)
	return out, nil
}
