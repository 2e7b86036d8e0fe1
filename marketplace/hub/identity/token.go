package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// DefaultTokenLife is how long a token lives that does not say, or the policy's longest
// if that is shorter.
const DefaultTokenLife = 90 * 24 * time.Hour

// MinTokenLife keeps a slip from looking like a token that does not work.
const MinTokenLife = time.Minute

// NewToken says what a token shall be able to do.
type NewToken struct {
	Name string // for its person to recognise it, 1 to [MaxLabel] characters
	// Publisher and Plugin ("acme/backup") bound it; empty: everything of its account's.
	Publisher string
	Plugin    string
	Verbs     []hub.Verb    // at least one; never [hub.VerbPanel]
	Life      time.Duration // 0: [DefaultTokenLife]; at most Policy.TokenLife
}

// CreateToken makes a token for the actor's account. Raw is the token: it is shown to
// its person now, and kept nowhere. It wants a fresh session, and no token makes one.
func (s *Service) CreateToken(ctx context.Context, actor hub.Actor, n NewToken) (raw string, t hub.Token, err error) {
	if err := actor.May(hub.ActTokenManage, self(actor)); err != nil {
		return "", hub.Token{}, err
	}
	now, longest := s.now(), s.env.Policy().TokenLife
	if n.Life == 0 {
		n.Life = min(DefaultTokenLife, longest)
	}
	if err := n.check(actor, longest); err != nil {
		return "", hub.Token{}, err
	}
	raw = newTokenText(hub.TokenAPI)
	t = hub.Token{ID: hub.NewID("tok", now), Hash: hashOf(raw), Kind: hub.TokenAPI, Account: actor.Account, Name: n.Name, Hint: raw[:tokenHint],
		Publisher: n.Publisher, Plugin: n.Plugin, Verbs: slices.Clone(n.Verbs), Created: now, Expires: now.Add(n.Life)}
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		switch have, err := tx.Tokens().Count(ctx, hub.Eq("account", actor.Account), hub.Eq("kind", hub.TokenAPI), hub.Unset("revoked"), hub.Gt("expires", now)); {
		case err != nil:
			return err
		case have >= MaxTokens:
			return &hub.LimitError{What: fmt.Sprintf("%d tokens of an account", MaxTokens)}
		}
		if err := tx.Tokens().Insert(ctx, &t); err != nil {
			return err
		}
		if err := tell(ctx, tx, now, actor.Account, "The token "+t.Name+" was made"); err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, hub.ActTokenManage, "token "+t.ID,
			map[string]any{"made": t.Kind, "publisher": t.Publisher, "plugin": t.Plugin, "verbs": t.Verbs, "expires": t.Expires})
	})
	if err != nil {
		return "", hub.Token{}, err
	}
	return raw, t, nil
}

func (n *NewToken) check(a hub.Actor, longest time.Duration) error {
	if err := checkLabel("name", n.Name); err != nil {
		return err
	}
	if len(n.Verbs) == 0 {
		return hub.Invalid("verbs", "are missing")
	}
	slices.Sort(n.Verbs)
	n.Verbs = slices.Compact(n.Verbs)
	for _, v := range n.Verbs {
		if v == hub.VerbPanel || !slices.Contains(hub.Verbs(), v) {
			return hub.Invalid("verbs", "has %.40q, which no token can be made with", string(v))
		}
	}
	if n.Plugin != "" {
		id, err := catalog.ParsePluginID(n.Plugin)
		switch {
		case err != nil:
			return hub.Invalid("plugin", "is no plugin: %s", err)
		case n.Publisher == "":
			n.Publisher = id.Publisher()
		case n.Publisher != id.Publisher():
			return hub.Invalid("plugin", "is not one of the publisher")
		}
	}
	if n.Publisher != "" && a.Memberships[n.Publisher] == "" {
		return hub.Invalid("publisher", "is none that you are a member of")
	}
	if n.Life < MinTokenLife || n.Life > longest {
		return hub.Invalid("life", "is not between %s and %s", MinTokenLife, longest)
	}
	return nil
}

// Tokens returns the API and CI tokens of the actor's account, newest first, with those
// that expired or were revoked in the last 30 days, 1,000 at most. Panels have theirs in
// [Service.Panels].
func (s *Service) Tokens(ctx context.Context, actor hub.Actor) ([]hub.Token, error) {
	if err := actor.May(hub.ActAccountRead, self(actor)); err != nil {
		return nil, err
	}
	var list []hub.Token
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		list, err = tx.Tokens().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", actor.Account), hub.Ne("kind", hub.TokenPanel)}, Desc: true})
		return err
	})
	return list, err
}

// RevokeToken ends a token of the actor's account at once; one that is revoked is no
// error. It wants no fresh session: giving power up never waits.
func (s *Service) RevokeToken(ctx context.Context, actor hub.Actor, id string) error {
	if err := actor.May(hub.ActAccountEdit, self(actor)); err != nil {
		return err
	}
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		t, err := tx.Tokens().Get(ctx, id)
		if err == nil && t.Kind == hub.TokenPanel { // unlink the panel instead
			err = hub.ErrNotFound
		}
		if err := theirs(actor, t.Account, "token", id, err); err != nil {
			return err
		}
		if !t.Revoked.IsZero() {
			return nil
		}
		if err := revoke(ctx, tx, t, now); err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, hub.ActTokenManage, "token "+id, map[string]any{"revoked": t.Kind})
	})
}

func revoke(ctx context.Context, tx hub.Tx, t hub.Token, now time.Time) error {
	t.Revoked = now
	return tx.Tokens().Put(ctx, &t)
}

// AuthenticateToken returns who a token acts for, as of now, with the token as the
// limit: [hub.Actor.May] asks for both, what the account may do and what the token is
// for. A token is found by its hash, so that how long that takes tells nothing of it. The
// error is [hub.ErrUnauthenticated] for one that is unknown, revoked or expired, whose
// account is suspended or gone, or whose workload's account left the publisher. It writes
// at most once a minute and token.
func (s *Service) AuthenticateToken(ctx context.Context, raw string) (hub.Actor, error) {
	if !LooksLikeToken(raw) {
		return hub.Actor{}, fmt.Errorf("token: %w", hub.ErrUnauthenticated)
	}
	hash, now := hashOf(raw), s.now()
	var a hub.Actor
	var t hub.Token
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		list, err := tx.Tokens().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("hash", hash)}, Limit: 1})
		switch {
		case err != nil:
			return err
		case len(list) == 0:
			return hub.ErrUnauthenticated
		}
		if t = list[0]; !t.Revoked.IsZero() || !now.Before(t.Expires) {
			return fmt.Errorf("%w: it was revoked or has expired", hub.ErrUnauthenticated)
		}
		if a, _, err = actorOf(ctx, tx, t.Account, "token "+t.ID); err != nil {
			return err
		}
		switch {
		case a.Suspended:
			return fmt.Errorf("%w: the account is suspended", hub.ErrUnauthenticated)
		case t.Kind == hub.TokenCI && a.Memberships[t.Publisher] == "":
			return fmt.Errorf("%w: whom it acts for is no member of %s any more", hub.ErrUnauthenticated, t.Publisher)
		}
		return nil
	})
	if err != nil {
		return hub.Actor{}, fmt.Errorf("token: %w", err)
	}
	a.Token = &t
	if now.Sub(t.Used) >= seenEvery {
		s.touch(ctx, func(tx hub.Tx) error { return s.seeToken(ctx, tx, t.ID, now) })
	}
	return a, nil
}

// seeToken writes that a token was used. A panel's lives on as long as it is used.
func (s *Service) seeToken(ctx context.Context, tx hub.Tx, id string, now time.Time) error {
	t, err := tx.Tokens().Get(ctx, id)
	if errors.Is(err, hub.ErrNotFound) || err == nil && (!t.Revoked.IsZero() || now.Sub(t.Used) < seenEvery) {
		return nil
	}
	if err != nil {
		return err
	}
	t.Used = now
	if t.Kind == hub.TokenPanel {
		t.Expires = now.Add(s.env.Policy().TokenLife)
		panel, err := panelOfToken(ctx, tx, id)
		if err != nil {
			return err
		}
		panel.Seen = now
		if err := tx.Panels().Put(ctx, &panel); err != nil {
			return err
		}
	}
	return tx.Tokens().Put(ctx, &t)
}
