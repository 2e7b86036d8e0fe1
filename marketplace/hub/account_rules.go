package hub

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Administrators returns at most limit active accounts with the role.
func Administrators(ctx context.Context, tx Tx, limit int) ([]Account, error) {
	return tx.Accounts().List(ctx, Query{Where: []Cond{InList("roles", string(RoleAdmin)), Eq("state", AccountActive)}, Limit: limit})
}

// NotTheLastAdmin refuses, with [ErrState], to take the role from the only account that
// has it.
func NotTheLastAdmin(ctx context.Context, tx Tx, acc Account) error {
	if acc.State != AccountActive || !slices.Contains(acc.Roles, RoleAdmin) {
		return nil
	}
	list, err := Administrators(ctx, tx, 2)
	if err == nil && len(list) < 2 {
		err = fmt.Errorf("%w: this is the only administrator", ErrState)
	}
	return err
}

// RevokeTokens ends all tokens that meet the conditions and are still good, and returns
// how many there were.
func RevokeTokens(ctx context.Context, tx Tx, now time.Time, where ...Cond) (int, error) {
	where = append(where, Unset("revoked"), Gt("expires", now))
	for n := 0; ; {
		list, err := tx.Tokens().List(ctx, Query{Where: where})
		if err != nil || len(list) == 0 {
			return n, err
		}
		for _, t := range list {
			t.Revoked = now
			if err := tx.Tokens().Put(ctx, &t); err != nil {
				return n, err
			}
			n++
		}
	}
}

// UnlinkPanels ends the links of all panels of an account. Their tokens are for
// [RevokeTokens].
func UnlinkPanels(ctx context.Context, tx Tx, account string, now time.Time) error {
	list, err := tx.Panels().List(ctx, Query{Where: []Cond{Eq("account", account), Unset("revoked")}})
	for _, p := range list {
		p.Revoked = now
		if err := tx.Panels().Put(ctx, &p); err != nil {
			return err
		}
	}
	return err
}

// SuspendAccount keeps an account from acting: its sessions and tokens end and its panels
// are unlinked. A moderator does not suspend an administrator, and nobody the last one.
// It is for a transaction of whoever decides, and stands in the audit log.
func SuspendAccount(ctx context.Context, tx Tx, a Actor, now time.Time, id, reason string) error {
	acc, err := suspendable(ctx, tx, a, id, AccountActive)
	if err != nil {
		return err
	}
	if err := NotTheLastAdmin(ctx, tx, acc); err != nil {
		return err
	}
	acc.State, acc.Reason = AccountSuspended, reason
	if _, err := tx.Sessions().DeleteWhere(ctx, Eq("account", id)); err != nil {
		return err
	}
	if _, err := RevokeTokens(ctx, tx, now, Eq("account", id)); err != nil {
		return err
	}
	if err := UnlinkPanels(ctx, tx, id, now); err != nil {
		return err
	}
	if err := tx.Accounts().Update(ctx, &acc); err != nil {
		return err
	}
	return Record(ctx, tx, a, now, ActAccountSuspend, "account "+id, map[string]any{"reason": reason})
}

// RestoreAccount lets a suspended account act again. Tokens and panels stay as they were
// ended.
func RestoreAccount(ctx context.Context, tx Tx, a Actor, now time.Time, id string) error {
	acc, err := suspendable(ctx, tx, a, id, AccountSuspended)
	if err != nil {
		return err
	}
	acc.State, acc.Reason = AccountActive, ""
	if err := tx.Accounts().Update(ctx, &acc); err != nil {
		return err
	}
	return Record(ctx, tx, a, now, ActAccountSuspend, "account "+id, map[string]any{"lifted": true})
}

func suspendable(ctx context.Context, tx Tx, a Actor, id string, in AccountState) (Account, error) {
	if err := a.May(ActAccountSuspend, Object{Account: id}); err != nil {
		return Account{}, err
	}
	acc, err := tx.Accounts().Get(ctx, id)
	switch {
	case err != nil:
		return acc, fmt.Errorf("account %.60s: %w", id, err)
	case acc.State != in:
		return acc, fmt.Errorf("%w: the account is %s", ErrState, acc.State)
	case slices.Contains(acc.Roles, RoleAdmin) && !slices.Contains(a.Roles, RoleAdmin) && !a.System:
		return acc, fmt.Errorf("%s: %w: it is an administrator's", ActAccountSuspend, ErrForbidden)
	}
	return acc, nil
}
