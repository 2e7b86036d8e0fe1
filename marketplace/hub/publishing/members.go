package publishing

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

const maxMembers = 100 // of a publisher

// For leftFor after somebody left a publisher they do not review for it.
const (
	onceLeft = "left"
	leftFor  = 90 * 24 * time.Hour
)

func leftKey(namespace, account string) string { return namespace + " " + account }

// SetMember adds an account to a publisher, or changes its role. The last owner stays one.
// Reviewers, moderators and administrators are not added: nobody decides about their own
// publisher, so that one could choose by whom it is not judged. They take part by a
// publisher that they make, or that is handed over to them.
func (s *Service) SetMember(ctx context.Context, a hub.Actor, namespace, account string, role hub.MemberRole) error {
	if err := a.May(hub.ActPublisherMembers, hub.Object{Publisher: namespace}); err != nil {
		return err
	}
	if role != hub.MemberOwner && role != hub.MemberMaintainer {
		return hub.Invalid("role", "must be owner or maintainer")
	}
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		if _, err := tx.Publishers().Get(ctx, namespace); err != nil {
			return err
		}
		acc, err := tx.Accounts().Get(ctx, account)
		if errors.Is(err, hub.ErrNotFound) || err == nil && acc.State != hub.AccountActive {
			return hub.Invalid("account", "is not an active account")
		}
		if err != nil {
			return err
		}
		all, err := members(ctx, tx, namespace)
		if err != nil {
			return err
		}
		m := hub.Member{Publisher: namespace, Account: account, Role: role, Added: now}
		known := false
		for _, old := range all {
			if old.Account == account {
				m.Added, known = old.Added, true
			}
		}
		if !known && len(acc.Roles) > 0 && !a.System {
			return fmt.Errorf("%s is of this hub's staff, who are not added by others: %w", account, hub.ErrState)
		}
		if !known && len(all) >= maxMembers {
			return &hub.LimitError{What: fmt.Sprintf("%d members a publisher", maxMembers)}
		}
		if role != hub.MemberOwner && lastOwner(all, account) {
			return fmt.Errorf("%s is the last owner of %s; make somebody else an owner first: %w", account, namespace, hub.ErrState)
		}
		if err := tx.Members().Put(ctx, &m); err != nil {
			return err
		}
		if !known {
			n := hub.Notice{Title: fmt.Sprintf("You are now %s of %s", role, namespace), Kind: "publisher", Subject: namespace}
			if err := hub.Notify(ctx, tx, now, []string{account}, n); err != nil {
				return err
			}
		}
		return hub.Record(ctx, tx, a, now, hub.ActPublisherMembers, "publisher "+namespace, map[string]any{"account": account, "role": role})
	})
}

// RemoveMember takes an account out of a publisher, and with it the tokens that were
// made for it there. The last owner stays. Whoever wants to may leave.
func (s *Service) RemoveMember(ctx context.Context, a hub.Actor, namespace, account string) error {
	if leaves := account == a.Account && account != "" && a.Token == nil; !leaves {
		if err := a.May(hub.ActPublisherMembers, hub.Object{Publisher: namespace}); err != nil {
			return err
		}
	}
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		all, err := members(ctx, tx, namespace)
		if err != nil {
			return err
		}
		if lastOwner(all, account) {
			return fmt.Errorf("%s is the last owner of %s; make somebody else an owner first: %w", account, namespace, hub.ErrState)
		}
		if _, err := tx.Members().Get(ctx, namespace, account); err != nil {
			return err
		}
		if err := removeMember(ctx, tx, now, namespace, account); err != nil {
			return err
		}
		return hub.Record(ctx, tx, a, now, hub.ActPublisherMembers, "publisher "+namespace, map[string]any{"account": account, "removed": true})
	})
}

// removeMember removes a membership and what acts by it: tokens and hooks for this
// publisher, and workloads whose tokens would act for the account. That there was one is
// remembered for a while, see [mayReview].
func removeMember(ctx context.Context, tx hub.Tx, now time.Time, namespace, account string) error {
	if err := tx.Members().Delete(ctx, namespace, account); err != nil {
		return err
	}
	left := hub.Once{Kind: onceLeft, Key: leftKey(namespace, account), Created: now, Expires: now.Add(leftFor)}
	if err := tx.Onces().Put(ctx, &left); err != nil {
		return err
	}
	if _, err := tx.Tokens().DeleteWhere(ctx, hub.Eq("account", account), hub.Eq("publisher", namespace)); err != nil {
		return err
	}
	if _, err := tx.Hooks().DeleteWhere(ctx, hub.Eq("account", account), hub.Eq("publisher", namespace)); err != nil {
		return err
	}
	_, err := tx.Trusted().DeleteWhere(ctx, hub.Eq("added_by", account), hub.Eq("publisher", namespace))
	return err
}

// lastOwner reports whether the account is the only owner.
func lastOwner(all []hub.Member, account string) bool {
	is, others := false, 0
	for _, m := range all {
		switch {
		case m.Role != hub.MemberOwner:
		case m.Account == account:
			is = true
		default:
			others++
		}
	}
	return is && others == 0
}
