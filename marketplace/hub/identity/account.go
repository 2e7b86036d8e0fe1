package identity

import (
	"context"
	"errors"
	"slices"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Profile is what a person sees of their own account at a glance.
type Profile struct {
	hub.Account
	Emails      []string     `json:"emails,omitempty"` // those that a provider vouched for: one of them can be the account's
	Memberships []hub.Member `json:"memberships,omitempty"`
	Unread      int          `json:"unread"` // notices
}

// Profile returns the actor's own account.
func (s *Service) Profile(ctx context.Context, actor hub.Actor) (Profile, error) {
	if err := actor.May(hub.ActAccountRead, self(actor)); err != nil {
		return Profile{}, err
	}
	var p Profile
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		p = Profile{}
		var err error
		if p.Account, err = tx.Accounts().Get(ctx, actor.Account); err != nil {
			return err
		}
		if p.Emails, err = emailsOf(ctx, tx, actor.Account); err != nil {
			return err
		}
		if p.Memberships, err = tx.Members().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", actor.Account)}}); err != nil {
			return err
		}
		n, err := tx.Notices().Count(ctx, hub.Eq("account", actor.Account), hub.Unset("read_at"))
		p.Unread = int(n)
		return err
	})
	return p, err
}

func emailsOf(ctx context.Context, tx hub.Tx, account string) ([]string, error) {
	list, err := tx.Identities().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", account)}})
	var out []string
	for _, i := range list {
		if i.Email != "" && !slices.Contains(out, i.Email) {
			out = append(out, i.Email)
		}
	}
	return out, err
}

// ProfileEdit is what a person changes of their account.
type ProfileEdit struct {
	Rev   int64  // of the account as it was read; 0: whatever it is now
	Name  string // 1 to [MaxName] characters
	Email string // one of [Profile.Emails], or none
}

// EditProfile changes the actor's account. [hub.ErrMoved] when Rev is not the account's.
func (s *Service) EditProfile(ctx context.Context, actor hub.Actor, e ProfileEdit) (hub.Account, error) {
	if err := actor.May(hub.ActAccountEdit, self(actor)); err != nil {
		return hub.Account{}, err
	}
	if err := checkName(e.Name); err != nil {
		return hub.Account{}, err
	}
	now := s.now()
	var acc hub.Account
	err := s.env.Store.Update(ctx, func(tx hub.Tx) error {
		var err error
		if acc, err = tx.Accounts().Get(ctx, actor.Account); err != nil {
			return err
		}
		if e.Rev != 0 && e.Rev != acc.Rev {
			return hub.ErrMoved
		}
		if e.Email != "" && e.Email != acc.Email {
			known, err := emailsOf(ctx, tx, acc.ID)
			if err != nil {
				return err
			}
			if !slices.Contains(known, e.Email) {
				return hub.Invalid("email", "is none that one of your identities vouches for")
			}
		}
		var changed []string // what, not to what: a log keeps no names
		if acc.Name != e.Name {
			changed = append(changed, "name")
		}
		if acc.Email != e.Email {
			changed = append(changed, "email")
		}
		if changed == nil {
			return nil
		}
		acc.Name, acc.Email = e.Name, e.Email
		if err := tx.Accounts().Update(ctx, &acc); err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, hub.ActAccountEdit, "account "+acc.ID, map[string]any{"changed": changed})
	})
	return acc, err
}

// Account returns an account by its id: one's own, or any for an administrator. For
// everybody else there is none: [hub.ErrNotFound].
func (s *Service) Account(ctx context.Context, actor hub.Actor, id string) (hub.Account, error) {
	if err := actor.May(hub.ActAccountRead, hub.Object{Account: id}); err != nil {
		if errors.Is(err, hub.ErrUnauthenticated) {
			return hub.Account{}, err
		}
		return hub.Account{}, missing("account", id)
	}
	var acc hub.Account
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		acc, err = tx.Accounts().Get(ctx, id)
		return err
	})
	if errors.Is(err, hub.ErrNotFound) {
		err = missing("account", id)
	}
	return acc, err
}

// Names returns what the accounts are called, by id, for pages that show who wrote
// something. Names are public; ids that are not there are left out. 1,000 at most.
func (s *Service) Names(ctx context.Context, ids []string) (map[string]string, error) {
	out := make(map[string]string, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	if len(ids) > hub.MaxList {
		return nil, hub.Invalid("accounts", "are more than %d", hub.MaxList)
	}
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		list, err := tx.Accounts().List(ctx, hub.Query{Where: []hub.Cond{hub.In("id", ids)}})
		for _, a := range list {
			out[a.ID] = a.Name
		}
		return err
	})
	return out, err
}
