package community

import (
	"context"

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

// RatingView is a rating as people see it.
type RatingView struct {
	hub.Rating
	Author string `json:"author"` // name of the account
	Mine   bool   `json:"mine,omitempty"`
	Voted  bool   `json:"voted,omitempty"` // who asks found it helpful
}

// Rate adds the actor's rating of a plugin or replaces it. A new one beyond a burst is
// [hub.Held]; a hidden one stays hidden whatever is written anew.
//
// It fails with [hub.ErrNotFound] when the plugin is not listed, [hub.ErrForbidden] for a
// member of its publisher, [*hub.InvalidError], and [*hub.LimitError] beyond
// [hub.Policy.RatingsDay] in a day.
func (s *Service) Rate(ctx context.Context, a hub.Actor, n NewRating) (hub.Rating, error) {
	return hub.Rating{}, errNotBuilt
}

// DeleteRating removes the actor's rating of a plugin with its votes and answer. One that
// is not there is [hub.ErrNotFound].
func (s *Service) DeleteRating(ctx context.Context, a hub.Actor, plugin string) error {
	return errNotBuilt
}

// RatingOf returns the actor's own rating of a plugin, shown or not, or
// [hub.ErrNotFound].
func (s *Service) RatingOf(ctx context.Context, a hub.Actor, plugin string) (hub.Rating, error) {
	return hub.Rating{}, errNotBuilt
}

// Answer writes the publisher's one answer to a rating, replaces it, or takes it back
// when text is empty. Members of the publisher may; a rating that is not shown is
// [hub.ErrNotFound].
func (s *Service) Answer(ctx context.Context, a hub.Actor, plugin, author, text string) (hub.Rating, error) {
	return hub.Rating{}, errNotBuilt
}

// Vote says that the actor finds the rating of author helpful, or takes that back. One
// vote each: saying it twice changes nothing. Nobody votes for their own rating.
func (s *Service) Vote(ctx context.Context, a hub.Actor, plugin, author string, helpful bool) (hub.Rating, error) {
	return hub.Rating{}, errNotBuilt
}

// ForgetAccount removes the ratings and votes of an account that is deleted, with what
// they add to scores. Its reports and appeals stay, as the record of what was decided. It
// is for the transaction that deletes the account, which checks who may.
func (s *Service) ForgetAccount(ctx context.Context, tx hub.Tx, account string) error {
	return errNotBuilt
}
