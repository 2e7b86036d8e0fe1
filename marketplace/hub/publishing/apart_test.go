package publishing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
)

// join makes an account a maintainer, as who joined before they were of the staff.
func (w *world) join(namespace, account string) {
	w.t.Helper()
	require.NoError(w.t, w.db.Update(w.t.Context(), func(tx hub.Tx) error {
		return tx.Members().Put(w.t.Context(), &hub.Member{Publisher: namespace, Account: account, Role: hub.MemberMaintainer, Added: w.clock.now()})
	}))
}

// accountRoles changes what an account is.
func (w *world) accountRoles(id string, state hub.AccountState, roles ...hub.Role) {
	w.t.Helper()
	require.NoError(w.t, w.db.Update(w.t.Context(), func(tx hub.Tx) error {
		acc, err := tx.Accounts().Get(w.t.Context(), id)
		if err != nil {
			return err
		}
		acc.State, acc.Roles = state, roles
		return tx.Accounts().Update(w.t.Context(), &acc)
	}))
}

// TestStaffIsNotConscripted: who adds reviewers to a publisher would choose who does not
// review it.
func TestStaffIsNotConscripted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	owner, signer := w.publisher("acme")
	sub := w.reviewed(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	for _, role := range hub.Roles() {
		name := "staff-" + string(role)
		w.account(name, role)
		assert.ErrorIs(t, w.service.SetMember(t.Context(), owner, "acme", name, hub.MemberMaintainer), hub.ErrState)
	}
	w.account("bob")
	require.NoError(t, w.service.SetMember(t.Context(), owner, "acme", "bob", hub.MemberMaintainer), "anybody else is")
	w.join("acme", "staff-moderator")
	require.NoError(t, w.service.SetMember(t.Context(), owner, "acme", "staff-moderator", hub.MemberOwner), "who is one already can become another")
	_, err := w.decide("staff-reviewer", sub, hub.VerdictApprove, "")
	require.NoError(t, err)
}

// TestReviewersStayApart: leaving a publisher, or waiting to be given it, makes nobody an
// outsider who reviews it.
func TestReviewersStayApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	owner, signer := w.publisher("acme")
	sub := w.reviewed(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	approve := func(who string) error {
		_, err := w.decide(who, sub, hub.VerdictApprove, "")
		return err
	}
	leaver := w.account("leaver", hub.RoleReviewer)
	w.join("acme", "leaver")
	require.NoError(t, w.service.RemoveMember(ctx, leaver, "acme", "leaver"))
	require.ErrorIs(t, approve("leaver"), hub.ErrForbidden)

	heir := w.account("heir", hub.RoleReviewer)
	statement, err := w.service.TransferStatement(ctx, owner, "acme", "heir")
	require.NoError(t, err)
	bundle, err := signer.Sign(ctx, verify.DigestOf([]byte(statement)))
	require.NoError(t, err)
	tr, err := w.service.ProposeTransfer(ctx, owner, statement, string(bundle))
	require.NoError(t, err)
	tr, err = w.service.AcceptTransfer(ctx, heir, tr.ID)
	require.NoError(t, err)
	require.ErrorIs(t, approve("heir"), hub.ErrForbidden)
	_, err = w.service.CancelTransfer(ctx, owner, tr.ID, "")
	require.NoError(t, err)

	require.Equal(t, hub.StateInReview, w.get(sub.ID).State)
	w.clock.advance(91 * 24 * time.Hour)
	require.NoError(t, approve("leaver"), "that was long ago")
	require.Equal(t, hub.StateApproved, w.get(sub.ID).State)
}

// TestApprovalsNeedReviewers: an approval counts while who gave it is a reviewer.
func TestApprovalsNeedReviewers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(w *world) { w.policy.Reviewers = 2 })
	owner, signer := w.publisher("acme")
	sub := w.reviewed(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	approve := func(who string) {
		_, err := w.decide(who, sub, hub.VerdictApprove, "")
		require.NoError(t, err)
	}
	approve("sacked")
	w.accountRoles("sacked", hub.AccountActive)
	approve("suspended")
	require.Equal(t, hub.StateInReview, w.get(sub.ID).State, "one of the two is no reviewer any more")
	w.accountRoles("suspended", hub.AccountSuspended, hub.RoleReviewer)
	approve("rita")
	require.Equal(t, hub.StateInReview, w.get(sub.ID).State, "and the other is suspended")
	approve("rob")
	require.Equal(t, hub.StateApproved, w.get(sub.ID).State)
}

// TestUnlistedIsNotKnown: what is not published, or hidden, is not there for strangers.
func TestUnlistedIsNotKnown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, nil)
	ctx := t.Context()
	owner, signer := w.publisher("acme")
	stranger := w.account("stranger")
	known := func(a hub.Actor) error { return w.service.MayKnow(ctx, a, "acme/backup") }
	require.ErrorIs(t, known(owner), hub.ErrNotFound, "there is none yet")
	w.reviewed(owner, signer, manifest("acme/backup", "1.0.0"), nil)
	require.NoError(t, known(owner))
	require.NoError(t, known(w.account("rita", hub.RoleReviewer)))
	for _, a := range []hub.Actor{{}, stranger} {
		require.ErrorIs(t, known(a), hub.ErrNotFound)
	}
	w.publish(owner, signer, manifest("acme/other", "1.0.0"), nil)
	require.NoError(t, w.service.MayKnow(ctx, hub.Actor{}, "acme/other"), "what is listed is")
	narrow := owner
	narrow.Token = &hub.Token{Publisher: "acme", Verbs: []hub.Verb{hub.VerbPush}}
	_, err := w.service.Mine(ctx, narrow)
	require.ErrorIs(t, err, hub.ErrForbidden, "a token to push with does not read")
	narrow.Token.Verbs = []hub.Verb{hub.VerbRead}
	mine, err := w.service.Mine(ctx, narrow)
	require.NoError(t, err)
	assert.Len(t, mine, 1)
}
