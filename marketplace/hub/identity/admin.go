package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

const (
	onceSetup = "setup"
	// setupLife is for how long a setup code is good: the hub that printed it was just started.
	setupLife = 24 * time.Hour
)

// SetupCode returns a code by which somebody who is signed in becomes the first
// administrator, or "" when the hub has one. The operator's program prints it where only
// the operator reads. It is good for a day and once; that of an earlier start or of
// another process is good too, until one of them was used.
func (s *Service) SetupCode(ctx context.Context) (string, error) {
	now, code := s.now(), newSecret()
	has := false
	err := s.env.Store.Update(ctx, func(tx hub.Tx) error {
		list, err := hub.Administrators(ctx, tx, 1)
		if has = len(list) > 0; err != nil || has {
			return err
		}
		return tx.Onces().Insert(ctx, &hub.Once{Kind: onceSetup, Key: hashOf(code), Created: now, Expires: now.Add(setupLife)})
	})
	if err != nil || has {
		return "", err
	}
	return code, nil
}

// ClaimAdmin makes the actor the first administrator. It wants a session and the code of
// [Service.SetupCode], and works only as long as there is no administrator:
// [hub.ErrState]. A wrong code is [hub.ErrForbidden]; with 256 bits nobody guesses one.
func (s *Service) ClaimAdmin(ctx context.Context, actor hub.Actor, code string) error {
	if err := actor.May(hub.ActAccountEdit, self(actor)); err != nil {
		return err
	}
	if err := needFresh(actor, ActClaimAdmin); err != nil {
		return err
	}
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		switch list, err := hub.Administrators(ctx, tx, 1); {
		case err != nil:
			return err
		case len(list) > 0:
			return fmt.Errorf("%w: the hub has an administrator, who can give the role", hub.ErrState)
		}
		once, err := tx.Onces().Get(ctx, onceSetup, hashOf(code))
		if errors.Is(err, hub.ErrNotFound) || err == nil && !now.Before(once.Expires) {
			return fmt.Errorf("%w: that is not the setup code, or it has expired", hub.ErrForbidden)
		}
		if err != nil {
			return err
		}
		acc, err := tx.Accounts().Get(ctx, actor.Account)
		if err != nil {
			return err
		}
		if acc.State != hub.AccountActive {
			return fmt.Errorf("%w: the account is %s", hub.ErrState, acc.State)
		}
		if _, err := tx.Onces().DeleteWhere(ctx, hub.Eq("kind", onceSetup)); err != nil {
			return err
		}
		acc.Roles = append(acc.Roles, hub.RoleAdmin)
		if err := tx.Accounts().Update(ctx, &acc); err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, ActClaimAdmin, "account "+acc.ID, nil)
	})
}

// AccountQuery says which accounts to return, the newest first.
type AccountQuery struct {
	Text  string           // in the name; or the mail address if it has an "@" and an administrator asks
	Role  hub.Role         // that has it
	State hub.AccountState // in it
	After string           // id of the last one of the page before
	Limit int              // 0: 50; at most 200
}

// Accounts lists accounts for administrators and moderators. Only the former see mail
// addresses.
func (s *Service) Accounts(ctx context.Context, actor hub.Actor, q AccountQuery) ([]hub.Account, error) {
	if err := actor.May(hub.ActAccountList, hub.Object{}); err != nil {
		return nil, err
	}
	if len(q.Text) > 200 {
		return nil, hub.Invalid("text", "is longer than 200 bytes")
	}
	mails := actor.System || slices.Contains(actor.Roles, hub.RoleAdmin)
	query := hub.Query{Desc: true, Limit: pageLimit(q.Limit)}
	if text := strings.TrimSpace(q.Text); text != "" {
		column := "name"
		if mails && strings.Contains(text, "@") {
			column = "email"
		}
		query.Where = append(query.Where, hub.Has(column, text))
	}
	if q.Role != "" {
		query.Where = append(query.Where, hub.InList("roles", string(q.Role)))
	}
	if q.State != "" {
		query.Where = append(query.Where, hub.Eq("state", q.State))
	}
	if q.After != "" {
		query.After = []any{q.After}
	}
	var list []hub.Account
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		list, err = tx.Accounts().List(ctx, query)
		return err
	})
	if !mails {
		for i := range list {
			list[i].Email = ""
		}
	}
	return list, err
}

// SetRoles gives an account exactly these roles. An administrator does it, in a fresh
// session, and not to themselves; the last administrator stays one: [hub.ErrState].
func (s *Service) SetRoles(ctx context.Context, actor hub.Actor, account string, roles []hub.Role) (hub.Account, error) {
	if err := actor.May(hub.ActAccountRoles, hub.Object{Account: account}); err != nil {
		return hub.Account{}, err
	}
	roles = slices.Clone(roles)
	slices.Sort(roles)
	roles = slices.Compact(roles)
	for _, r := range roles {
		if !slices.Contains(hub.Roles(), r) {
			return hub.Account{}, hub.Invalid("roles", "has %.40q, which there is not", string(r))
		}
	}
	now := s.now()
	var acc hub.Account
	err := s.env.Store.Update(ctx, func(tx hub.Tx) error {
		var err error
		if acc, err = tx.Accounts().Get(ctx, account); errors.Is(err, hub.ErrNotFound) {
			return missing("account", account)
		} else if err != nil {
			return err
		}
		if acc.State != hub.AccountActive {
			return fmt.Errorf("%w: the account is %s", hub.ErrState, acc.State)
		}
		if !slices.Contains(roles, hub.RoleAdmin) {
			if err := hub.NotTheLastAdmin(ctx, tx, acc); err != nil {
				return err
			}
		}
		was := acc.Roles
		acc.Roles = roles
		if err := tx.Accounts().Update(ctx, &acc); err != nil {
			return err
		}
		if err := hub.Notify(ctx, tx, now, []string{account}, hub.Notice{Title: "Your roles on this hub have changed", Kind: "account", Subject: account}); err != nil {
			return err
		}
		return hub.Record(ctx, tx, actor, now, hub.ActAccountRoles, "account "+account, map[string]any{"was": was, "roles": roles})
	})
	return acc, err
}

// Suspend keeps an account from acting: see [hub.SuspendAccount]. It can sign in again to
// read and to appeal. Reason is shown to the person.
func (s *Service) Suspend(ctx context.Context, actor hub.Actor, account, reason string) error {
	if err := catalog.CheckText(reason, MaxReason); err != nil {
		return hub.Invalid("reason", "%s", err)
	}
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		if err := hub.SuspendAccount(ctx, tx, actor, now, account, reason); err != nil {
			return err
		}
		return hub.Notify(ctx, tx, now, []string{account}, hub.Notice{Title: "Your account is suspended", Text: reason, Kind: "account", Subject: account})
	})
}

// Unsuspend lets an account act again. Tokens and panels stay as they were ended.
func (s *Service) Unsuspend(ctx context.Context, actor hub.Actor, account string) error {
	now := s.now()
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		if err := hub.RestoreAccount(ctx, tx, actor, now, account); err != nil {
			return err
		}
		return hub.Notify(ctx, tx, now, []string{account}, hub.Notice{Title: "Your account is no longer suspended", Kind: "account", Subject: account})
	})
}
