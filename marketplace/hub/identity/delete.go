package identity

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// SoleOwnerError says that an account cannot be deleted as it is: it is the only owner of
// publishers with published plugins. It wraps [hub.ErrState].
type SoleOwnerError struct {
	Publishers []string
}

func (e *SoleOwnerError) Error() string {
	return "you are the only owner of " + strings.Join(e.Publishers, ", ") +
		": hand it over or make somebody else an owner first, or say that you abandon it; what is published then stays, and nothing new can be"
}

// Unwrap returns [hub.ErrState].
func (e *SoleOwnerError) Unwrap() error { return hub.ErrState }

// Deletion is how an account is deleted.
type Deletion struct {
	// Abandon deletes it even when publishers with published plugins lose their only
	// owner. Without it that is a [*SoleOwnerError], which says what happens.
	Abandon bool
}

// Delete deletes the actor's account. The person does it, in a fresh session.
//
// Gone: name, mail address, roles, identities, passkeys, sessions, tokens, panels with
// their keys, notices, memberships, rules for workloads, webhooks of their own, ratings
// (the plugins' scores change with it) and votes. An open hand-over from or to them is
// cancelled.
//
// What stays is what others rely on, under the account's id, which is called "deleted
// user": the audit log; submissions, comments and reviews; reports, decisions and
// appeals. Webhooks of a publisher stay with the publisher.
//
// A publisher that loses its only owner is suspended: what is published stays, its name
// stays taken, nothing new can be published until an administrator gives it an owner.
// The last administrator cannot go: [hub.ErrState].
func (s *Service) Delete(ctx context.Context, actor hub.Actor, how Deletion) error {
	if err := actor.May(hub.ActAccountDelete, self(actor)); err != nil {
		return err
	}
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		acc, err := tx.Accounts().Get(ctx, actor.Account)
		if err != nil {
			return err
		}
		if acc.State == hub.AccountDeleted {
			return missing("account", acc.ID)
		}
		if err := hub.NotTheLastAdmin(ctx, tx, acc); err != nil {
			return err
		}
		orphans, err := leavePublishers(ctx, tx, acc.ID, how.Abandon, now)
		if err != nil {
			return err
		}
		if err := removeRatings(ctx, tx, acc.ID); err != nil {
			return err
		}
		if err := removeVotes(ctx, tx, hub.Eq("voter", acc.ID)); err != nil {
			return err
		}
		if err := cancelTransfers(ctx, tx, acc.ID); err != nil {
			return err
		}
		mine := hub.Eq("account", acc.ID)
		for _, gone := range []func() (int64, error){
			func() (int64, error) { return tx.Identities().DeleteWhere(ctx, mine) },
			func() (int64, error) { return tx.Passkeys().DeleteWhere(ctx, mine) },
			func() (int64, error) { return tx.Sessions().DeleteWhere(ctx, mine) },
			func() (int64, error) { return tx.Tokens().DeleteWhere(ctx, mine) },
			func() (int64, error) { return tx.Panels().DeleteWhere(ctx, mine) },
			func() (int64, error) { return tx.Devices().DeleteWhere(ctx, mine) },
			func() (int64, error) { return tx.Notices().DeleteWhere(ctx, mine) },
			func() (int64, error) { return tx.Members().DeleteWhere(ctx, mine) },
			func() (int64, error) { return tx.Trusted().DeleteWhere(ctx, hub.Eq("added_by", acc.ID)) },
			func() (int64, error) { return tx.Hooks().DeleteWhere(ctx, mine, hub.Eq("publisher", "")) },
		} {
			if _, err := gone(); err != nil {
				return err
			}
		}
		acc.Name, acc.Email, acc.Roles, acc.State, acc.Reason = DeletedName, "", nil, hub.AccountDeleted, ""
		if err := tx.Accounts().Update(ctx, &acc); err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, hub.ActAccountDelete, "account "+acc.ID, map[string]any{"abandoned": orphans})
	})
}

// leavePublishers suspends the publishers whose only owner the account is, and returns
// them. Without abandon, one that has published something is an error.
func leavePublishers(ctx context.Context, tx hub.Tx, account string, abandon bool, now time.Time) ([]string, error) {
	owned, err := tx.Members().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", account), hub.Eq("role", hub.MemberOwner)}})
	if err != nil {
		return nil, err
	}
	var orphans, published []string
	for _, m := range owned {
		others, err := tx.Members().Count(ctx, hub.Eq("publisher", m.Publisher), hub.Eq("role", hub.MemberOwner), hub.Ne("account", account))
		if err != nil {
			return nil, err
		}
		if others > 0 {
			continue
		}
		plugins, err := tx.Plugins().Count(ctx, hub.Eq("publisher", m.Publisher), hub.Ne("latest", ""))
		if err != nil {
			return nil, err
		}
		orphans = append(orphans, m.Publisher)
		if plugins > 0 {
			published = append(published, m.Publisher)
		}
	}
	if len(published) > 0 && !abandon {
		return nil, &SoleOwnerError{published}
	}
	for _, namespace := range orphans {
		p, err := tx.Publishers().Get(ctx, namespace)
		if err != nil {
			return nil, err
		}
		if p.State == hub.PublisherActive {
			p.State, p.Reason = hub.PublisherSuspended, "its only owner deleted their account"
			if err := hub.Emit(ctx, tx, now, hub.Event{Kind: hub.EventPublisherSuspended, Publisher: namespace, Subject: namespace,
				Title: fmt.Sprintf("%s is suspended: its only owner deleted their account", namespace)}); err != nil {
				return nil, err
			}
		}
		p.Contact = "" // the person's, most likely
		if err := tx.Publishers().Update(ctx, &p); err != nil {
			return nil, err
		}
	}
	return orphans, nil
}

// removeRatings deletes what the account thought of plugins, and takes it out of their scores.
func removeRatings(ctx context.Context, tx hub.Tx, account string) error {
	for {
		list, err := tx.Ratings().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", account)}})
		if err != nil || len(list) == 0 {
			return err
		}
		for _, r := range list {
			if _, err := tx.Votes().DeleteWhere(ctx, hub.Eq("plugin", r.Plugin), hub.Eq("author", account)); err != nil {
				return err
			}
			if err := tx.Ratings().Delete(ctx, r.Plugin, account); err != nil {
				return err
			}
			if r.State != hub.Shown {
				continue // does not count
			}
			score, err := tx.Scores().Get(ctx, r.Plugin)
			if err != nil {
				return fmt.Errorf("score of %s: %w", r.Plugin, err)
			}
			if n := [...]*int64{&score.S1, &score.S2, &score.S3, &score.S4, &score.S5}; r.Stars >= 1 && r.Stars <= len(n) {
				*n[r.Stars-1]--
			}
			if err := tx.Scores().Put(ctx, &score); err != nil {
				return err
			}
		}
	}
}

// removeVotes deletes votes, and takes them off the ratings.
func removeVotes(ctx context.Context, tx hub.Tx, where hub.Cond) error {
	for {
		list, err := tx.Votes().List(ctx, hub.Query{Where: []hub.Cond{where}})
		if err != nil || len(list) == 0 {
			return err
		}
		for _, v := range list {
			if err := tx.Votes().Delete(ctx, v.Plugin, v.Author, v.Voter); err != nil {
				return err
			}
			r, err := tx.Ratings().Get(ctx, v.Plugin, v.Author)
			if err != nil {
				return fmt.Errorf("rating of %s: %w", v.Plugin, err)
			}
			r.Helpful--
			if err := tx.Ratings().Update(ctx, &r); err != nil {
				return err
			}
		}
	}
}

// cancelTransfers ends the hand-overs that the account has a part in.
func cancelTransfers(ctx context.Context, tx hub.Tx, account string) error {
	for _, column := range []string{"from_account", "to_account"} {
		list, err := tx.Transfers().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq(column, account),
			hub.In("state", []string{string(hub.TransferProposed), string(hub.TransferAccepted)})}})
		if err != nil {
			return err
		}
		for _, t := range list {
			t.State = hub.TransferCancelled
			if err := tx.Transfers().Update(ctx, &t); err != nil {
				return err
			}
		}
	}
	return nil
}
