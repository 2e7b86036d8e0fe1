package community

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// Bounds of what people write, in characters: enough to say what happened, short enough
// to be read.
const (
	MaxRatingText = 4000
	MaxAnswer     = 4000
	MaxReason     = 2000 // of a report, decision, appeal or answer to one
)

// NewRating is what somebody thinks of a plugin.
type NewRating struct {
	Plugin string `json:"plugin"`         // "acme/backup"
	Stars  int    `json:"stars"`          // 1 to 5
	Text   string `json:"text,omitempty"` // plain, several lines; at most [MaxRatingText]; may be empty
	// Version is the one that they use, when they say; a receipt's version goes before it.
	Version string `json:"version,omitempty"`
	// Receipt is a written [hub.Receipt]. Empty: none, which [hub.Policy.NeedReceipt]
	// accepts only for a rating that was proved before.
	Receipt string `json:"receipt,omitempty"`
}

// ratingObject is a rating of a plugin as the rules see it; id was read by ParsePluginID.
func ratingObject(id catalog.PluginID, author string) hub.Object {
	return hub.Object{Publisher: id.Publisher(), Plugin: string(id), Account: author}
}

// pluginID reads an id that came from outside: what is none names nothing.
func pluginID(s string) (catalog.PluginID, error) {
	id, err := catalog.ParsePluginID(s)
	if err != nil {
		return "", fmt.Errorf("plugin %.100q: %w", s, hub.ErrNotFound)
	}
	return id, nil
}

// Rate adds the actor's rating of a plugin or replaces it. A new one beyond a burst is
// [hub.Held]; a hidden one stays hidden whatever is written anew.
//
// It fails with [hub.ErrNotFound] when the plugin is not listed, [hub.ErrForbidden] for a
// member of its publisher, [*hub.InvalidError], and [*hub.LimitError] beyond
// [hub.Policy.RatingsDay] in a day.
func (s *Service) Rate(ctx context.Context, a hub.Actor, n NewRating) (hub.Rating, error) {
	id, err := pluginID(n.Plugin)
	if err != nil {
		return hub.Rating{}, err
	}
	if err := s.person(a, hub.ActRatingWrite, ratingObject(id, a.Account)); err != nil {
		return hub.Rating{}, err
	}
	if n.Stars < 1 || n.Stars > 5 {
		return hub.Rating{}, hub.Invalid("stars", "must be 1 to 5")
	}
	if n.Text, err = prose("text", n.Text, MaxRatingText, false); err != nil {
		return hub.Rating{}, err
	}
	var out hub.Rating
	var tallies []hub.Tally
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		out, tallies, err = s.rate(ctx, tx, a, n, s.now())
		return err
	})
	if err != nil {
		return hub.Rating{}, err
	}
	s.tally(ctx, tallies)
	return out, nil
}

func (s *Service) rate(ctx context.Context, tx hub.Tx, a hub.Actor, n NewRating, now time.Time) (r hub.Rating, t []hub.Tally, err error) {
	p, err := listed(ctx, tx, n.Plugin)
	if err != nil {
		return r, nil, err
	}
	policy := s.policy()
	if err := spend(ctx, tx, a.Account, "ratings", policy.RatingsDay, now); err != nil {
		return r, nil, err
	}
	old, err := tx.Ratings().Get(ctx, n.Plugin, a.Account)
	added := errors.Is(err, hub.ErrNotFound)
	if err != nil && !added {
		return r, nil, err
	}
	r = old
	if added {
		r = hub.Rating{Plugin: n.Plugin, Account: a.Account, State: hub.Shown, Created: now}
	}
	if err := s.version(ctx, tx, a, n, &r, now); err != nil {
		return r, nil, err
	}
	if policy.NeedReceipt && !r.Proved {
		return r, nil, hub.Invalid("receipt", "is needed: rate the plugin from a linked panel that has it installed")
	}
	r.Stars, r.Text, r.Updated = n.Stars, n.Text, now
	if added {
		err = s.add(ctx, tx, p, &r, now)
	} else {
		err = tx.Ratings().Update(ctx, &r)
	}
	if err != nil {
		return r, nil, err
	}
	if t, err = rescore(ctx, tx, old, r, now); err != nil {
		return r, nil, err
	}
	return r, t, hub.Record(ctx, tx, a, now, hub.ActRatingWrite, ratingTarget(r), map[string]any{"stars": r.Stars, "state": r.State, "proved": r.Proved})
}

// add inserts a new rating, held when there are too many of a day or when the author's
// last one was hidden and then deleted.
func (s *Service) add(ctx context.Context, tx hub.Tx, p hub.Plugin, r *hub.Rating, now time.Time) error {
	held, err := s.countNew(ctx, tx, p, now)
	if err != nil {
		return err
	}
	hidden, err := wasHidden(ctx, tx, r.Plugin+"#"+r.Account)
	if err != nil {
		return err
	}
	if held || hidden {
		r.State, r.Reason = hub.Held, "waits for a moderator"
	}
	if err := tx.Ratings().Insert(ctx, r); err != nil {
		return err
	}
	if r.State != hub.Shown {
		return nil
	}
	return ratingAdded(ctx, tx, p.Publisher, *r, now)
}

func ratingAdded(ctx context.Context, tx hub.Tx, publisher string, r hub.Rating, now time.Time) error {
	return hub.Emit(ctx, tx, now, hub.Event{
		Kind: hub.EventRatingAdded, Publisher: publisher, Plugin: r.Plugin, Version: r.Version,
		Subject: r.Plugin + "#" + r.Account, Title: fmt.Sprintf("%s was rated with %d of 5 stars", r.Plugin, r.Stars),
	})
}

// wasHidden reports whether the last decision about a rating was to hide it.
func wasHidden(ctx context.Context, tx hub.Tx, about string) (bool, error) {
	list, err := tx.Decisions().List(ctx, hub.Query{
		Where: []hub.Cond{
			hub.Eq("subject", about), hub.Eq("subject_kind", hub.SubjectRating),
			hub.In("kind", []hub.DecisionKind{hub.DecisionHide, hub.DecisionShow}),
		},
		Order: "created", Desc: true, Limit: 1,
	})
	return len(list) == 1 && list[0].Kind == hub.DecisionHide, err
}

// version fills in which version is rated and whether that is proved.
func (s *Service) version(ctx context.Context, tx hub.Tx, a hub.Actor, n NewRating, r *hub.Rating, now time.Time) error {
	switch {
	case n.Receipt != "":
		receipt, err := useReceipt(ctx, tx, a, n, now)
		if err != nil {
			return err
		}
		r.Version, r.Proved = receipt.Version, true
	case r.Proved: // stays what was proved
	case n.Version != "":
		if _, err := tx.Releases().Get(ctx, n.Plugin, n.Version); errors.Is(err, hub.ErrNotFound) {
			return hub.Invalid("version", "is not a release of %s", n.Plugin)
		} else if err != nil {
			return err
		}
		r.Version = n.Version
	}
	return nil
}

// useReceipt holds a receipt to the linked panel that it names, to the actor, the plugin
// and a release, and uses it up.
func useReceipt(ctx context.Context, tx hub.Tx, a hub.Actor, n NewRating, now time.Time) (hub.Receipt, error) {
	claim, err := hub.ParseReceipt(n.Receipt)
	if err != nil {
		return claim, err
	}
	unlinked := hub.Invalid("receipt", "is not by a panel that is linked to this account")
	panel, err := tx.Panels().Get(ctx, claim.Panel)
	if errors.Is(err, hub.ErrNotFound) {
		return claim, unlinked
	} else if err != nil {
		return claim, err
	}
	key, err := hub.ParsePanelKey(panel.Key)
	if err != nil || panel.Account != a.Account || claim.Account != a.Account || !panel.Revoked.IsZero() {
		return claim, unlinked
	}
	r, err := hub.VerifyReceipt(n.Receipt, key, now)
	if err != nil {
		return claim, err
	}
	if r.Plugin != n.Plugin {
		return r, hub.Invalid("receipt", "is for %s", r.Plugin)
	}
	release, err := tx.Releases().Get(ctx, r.Plugin, r.Version)
	if err != nil && !errors.Is(err, hub.ErrNotFound) {
		return r, err
	}
	if err != nil || release.Digest != r.Digest {
		return r, hub.Invalid("receipt", "is for %s@%s with a digest that is no release here", r.Plugin, r.Version)
	}
	used := hub.Once{Kind: onceReceipt, Key: r.OnceKey(), Created: now, Expires: r.Expires()}
	if err := tx.Onces().Insert(ctx, &used); errors.Is(err, hub.ErrExists) {
		return r, hub.Invalid("receipt", "was used before")
	} else if err != nil {
		return r, err
	}
	return r, nil
}

// DeleteRating removes the actor's rating of a plugin with its votes and answer. One that
// is not there is [hub.ErrNotFound].
func (s *Service) DeleteRating(ctx context.Context, a hub.Actor, plugin string) error {
	id, err := pluginID(plugin)
	if err != nil {
		return err
	}
	if err := s.person(a, hub.ActRatingWrite, ratingObject(id, a.Account)); err != nil {
		return err
	}
	var tallies []hub.Tally
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		r, err := tx.Ratings().Get(ctx, plugin, a.Account)
		if err != nil {
			return err
		}
		if tallies, err = remove(ctx, tx, r, s.now()); err != nil {
			return err
		}
		return hub.Record(ctx, tx, a, s.now(), hub.ActRatingWrite, ratingTarget(r), map[string]any{"deleted": true})
	})
	if err == nil {
		s.tally(ctx, tallies)
	}
	return err
}

// remove deletes a rating with its votes, and takes it out of the score.
func remove(ctx context.Context, tx hub.Tx, r hub.Rating, now time.Time) ([]hub.Tally, error) {
	if _, err := tx.Votes().DeleteWhere(ctx, hub.Eq("plugin", r.Plugin), hub.Eq("author", r.Account)); err != nil {
		return nil, err
	}
	if err := tx.Ratings().Delete(ctx, r.Plugin, r.Account); err != nil {
		return nil, err
	}
	gone := r
	gone.Stars = 0
	return rescore(ctx, tx, r, gone, now)
}
