package hub_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/hubtest"
)

// TestSuspendAccount: whoever asks, by whichever service, the same holds.
func TestSuspendAccount(t *testing.T) {
	store, ctx, now := hubtest.Store(t), t.Context(), time.Now().UTC()
	update := func(f func(tx hub.Tx) error) error { return store.Update(ctx, f) }
	require.NoError(t, update(func(tx hub.Tx) error {
		for id, roles := range map[string][]hub.Role{"acc_ada": {hub.RoleAdmin}, "acc_mo": {hub.RoleModerator}, "acc_mira": nil} {
			if err := tx.Accounts().Insert(ctx, &hub.Account{ID: id, Name: id, Roles: roles, State: hub.AccountActive}); err != nil {
				return err
			}
		}
		if err := tx.Sessions().Insert(ctx, &hub.Session{Hash: "h", Account: "acc_mira", Expires: now.Add(time.Hour)}); err != nil {
			return err
		}
		if err := tx.Tokens().Insert(ctx, &hub.Token{ID: "tok_1", Hash: "t", Account: "acc_mira", Expires: now.Add(time.Hour)}); err != nil {
			return err
		}
		return tx.Panels().Insert(ctx, &hub.Panel{ID: "pnl_1", Account: "acc_mira"})
	}))
	mo := hub.Actor{Account: "acc_mo", Roles: []hub.Role{hub.RoleModerator}}
	ada := hub.Actor{Account: "acc_ada", Roles: []hub.Role{hub.RoleAdmin}}
	suspend := func(a hub.Actor, id string) error {
		return update(func(tx hub.Tx) error { return hub.SuspendAccount(ctx, tx, a, now, id, "Spam.") })
	}
	restore := func(a hub.Actor, id string) error {
		return update(func(tx hub.Tx) error { return hub.RestoreAccount(ctx, tx, a, now, id) })
	}
	assert.ErrorIs(t, suspend(mo, "acc_ada"), hub.ErrForbidden, "a moderator, an administrator")
	assert.ErrorIs(t, suspend(ada, "acc_ada"), hub.ErrForbidden, "oneself")
	assert.ErrorIs(t, suspend(hub.SystemActor("x"), "acc_ada"), hub.ErrState, "the last administrator")
	assert.ErrorIs(t, suspend(hub.Actor{Account: "acc_mira"}, "acc_mo"), hub.ErrForbidden, "anybody")
	assert.ErrorIs(t, suspend(mo, "acc_nobody"), hub.ErrNotFound)
	require.NoError(t, suspend(mo, "acc_mira"))
	assert.ErrorIs(t, suspend(mo, "acc_mira"), hub.ErrState, "twice")
	require.NoError(t, store.View(ctx, func(tx hub.Tx) error {
		acc, err := tx.Accounts().Get(ctx, "acc_mira")
		require.NoError(t, err)
		assert.Equal(t, hub.AccountSuspended, acc.State)
		n, err := tx.Sessions().Count(ctx)
		require.NoError(t, err)
		assert.Zero(t, n, "its sessions have ended")
		token, err := tx.Tokens().Get(ctx, "tok_1")
		require.NoError(t, err)
		assert.False(t, token.Revoked.IsZero())
		panel, err := tx.Panels().Get(ctx, "pnl_1")
		assert.False(t, panel.Revoked.IsZero())
		return err
	}))
	require.NoError(t, restore(mo, "acc_mira"))
	assert.ErrorIs(t, restore(mo, "acc_mira"), hub.ErrState)
}
