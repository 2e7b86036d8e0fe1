package community

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// votesPerRating is how many votes a day somebody has for each rating they may write.
const votesPerRating = 10

// Answer writes the publisher's one answer to a rating, replaces it, or takes it back
// when text is empty. Members of the publisher may; a rating that is not shown is
// [hub.ErrNotFound].
func (s *Service) Answer(ctx context.Context, a hub.Actor, plugin, author, text string) (hub.Rating, error) {
	var out hub.Rating
	id, err := pluginID(plugin)
	if err != nil {
		return out, err
	}
	if err := s.person(a, hub.ActRatingAnswer, hub.Object{Publisher: id.Publisher(), Plugin: plugin}); err != nil {
		return out, err
	}
	if text, err = prose("text", text, MaxAnswer, false); err != nil {
		return out, err
	}
	now := s.now()
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		if out, err = shownRating(ctx, tx, plugin, author); err != nil {
			return err
		}
		first := out.Answer == "" && text != ""
		out.Answer, out.AnswerBy, out.Answered = text, a.Account, now
		if text == "" {
			out.AnswerBy, out.Answered = "", time.Time{}
		}
		if err := tx.Ratings().Update(ctx, &out); err != nil {
			return err
		}
		if first {
			n := hub.Notice{Title: "Your rating of " + plugin + " was answered", Kind: "plugin", Subject: plugin}
			if err := hub.Notify(ctx, tx, now, []string{author}, n); err != nil {
				return err
			}
		}
		return hub.Record(ctx, tx, a, now, hub.ActRatingAnswer, ratingTarget(out), map[string]any{"deleted": text == ""})
	})
	return out, err
}

// Vote says that the actor finds the rating of author helpful, or takes that back. One
// vote each: saying it twice changes nothing. Nobody votes for their own rating.
func (s *Service) Vote(ctx context.Context, a hub.Actor, plugin, author string, helpful bool) (hub.Rating, error) {
	var out hub.Rating
	id, err := pluginID(plugin)
	if err != nil {
		return out, err
	}
	if err := s.person(a, hub.ActRatingVote, ratingObject(id, author)); err != nil {
		return out, err
	}
	now := s.now()
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		if _, err := listed(ctx, tx, plugin); err != nil {
			return err
		}
		if out, err = shownRating(ctx, tx, plugin, author); err != nil {
			return err
		}
		_, err := tx.Votes().Get(ctx, plugin, author, a.Account)
		if err != nil && !errors.Is(err, hub.ErrNotFound) {
			return err
		}
		if voted := err == nil; voted == helpful {
			return nil
		}
		if err := spend(ctx, tx, a.Account, "votes", votesPerRating*s.policy().RatingsDay, now); err != nil {
			return err
		}
		if helpful {
			out.Helpful++
			err = tx.Votes().Insert(ctx, &hub.Vote{Plugin: plugin, Author: author, Voter: a.Account, Created: now})
		} else {
			out.Helpful--
			err = tx.Votes().Delete(ctx, plugin, author, a.Account)
		}
		if err != nil {
			return err
		}
		if err := tx.Ratings().Update(ctx, &out); err != nil {
			return err
		}
		return hub.Record(ctx, tx, a, now, hub.ActRatingVote, ratingTarget(out), map[string]any{"helpful": helpful})
	})
	return out, err
}

// shownRating reads a rating that everybody sees.
func shownRating(ctx context.Context, tx hub.Tx, plugin, author string) (hub.Rating, error) {
	r, err := tx.Ratings().Get(ctx, plugin, author)
	if err == nil && r.State != hub.Shown {
		err = fmt.Errorf("rating of %s: %w", plugin, hub.ErrNotFound)
	}
	return r, err
}
