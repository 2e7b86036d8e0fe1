package community_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
)

func TestAppealOfADecision(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.rate(w.bob, 1)
	rating := "acme/backup#" + w.bob.Account
	d := w.decide(w.mod, hub.DecisionHide, hub.SubjectRating, rating)
	n := community.NewAppeal{Decision: d.ID, Text: "I meant it."}

	for name, a := range map[string]hub.Actor{"another": w.eve, "owner of the plugin": w.ann, "reviewer": w.rev} {
		_, err := w.Appeal(ctx, a, n)
		assert.ErrorIs(t, err, hub.ErrNotFound, name)
	}
	_, err := w.Appeal(ctx, hub.Actor{}, n)
	assert.ErrorIs(t, err, hub.ErrUnauthenticated)
	var invalid *hub.InvalidError
	for _, bad := range []community.NewAppeal{{Text: "x"}, {Decision: d.ID, Submission: "s", Text: "x"}, {Decision: d.ID}} {
		_, err := w.Appeal(ctx, w.bob, bad)
		assert.ErrorAs(t, err, &invalid)
	}
	suspended := w.bob
	suspended.Suspended = true
	p, err := w.Appeal(ctx, suspended, n)
	require.NoError(t, err, "a suspended account may appeal")
	_, err = w.Appeal(ctx, w.bob, n)
	assert.ErrorIs(t, err, hub.ErrExists)

	_, err = w.AppealByID(ctx, w.eve, p.ID)
	assert.ErrorIs(t, err, hub.ErrNotFound)
	_, err = w.AppealByID(ctx, w.bob, p.ID)
	assert.NoError(t, err)

	_, err = w.DecideAppeal(ctx, w.mod, p.ID, true, "Right.")
	assert.ErrorIs(t, err, hub.ErrForbidden, "who decided before")
	_, err = w.DecideAppeal(ctx, w.rev, p.ID, true, "Right.")
	assert.ErrorIs(t, err, hub.ErrForbidden)
	got, err := w.DecideAppeal(ctx, w.mod2, p.ID, true, "Right.")
	require.NoError(t, err)
	assert.Equal(t, hub.AppealGranted, got.State)
	assert.Equal(t, hub.Shown, row(w, hub.Tx.Ratings, "acme/backup", w.bob.Account).State)
	assert.Equal(t, w.truth(), w.score())
	assert.Equal(t, int64(1), w.score().Count())
	_, err = w.DecideAppeal(ctx, w.mod2, p.ID, false, "Hm.")
	assert.ErrorIs(t, err, hub.ErrState)
	assert.Len(t, rows(w, hub.Tx.Decisions, hub.Eq("reverses", d.ID)), 1)
	mine, err := w.AppealByID(ctx, w.bob, p.ID)
	require.NoError(t, err)
	assert.Empty(t, mine.AnswerBy)
}

func TestAppealUpheldChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	d := w.decide(w.mod, hub.DecisionSuspend, hub.SubjectPublisher, "acme")
	p, err := w.Appeal(ctx, w.ann, community.NewAppeal{Decision: d.ID, Text: "Please."})
	require.NoError(t, err)
	member := w.mod2
	member.Memberships = map[string]hub.MemberRole{"acme": hub.MemberMaintainer}
	_, err = w.DecideAppeal(ctx, member, p.ID, true, "My friends.")
	assert.ErrorIs(t, err, hub.ErrForbidden)
	got, err := w.DecideAppeal(ctx, w.mod2, p.ID, false, "No.")
	require.NoError(t, err)
	assert.Equal(t, hub.AppealUpheld, got.State)
	assert.Equal(t, hub.PublisherSuspended, row(w, hub.Tx.Publishers, "acme").State)
	_, err = w.Appeal(ctx, w.ann, community.NewAppeal{Decision: d.ID, Text: "Please!"})
	assert.ErrorIs(t, err, hub.ErrExists, "once")

	dismissed := w.report(w.eve, hub.SubjectPlugin, "acme/backup", "spam")
	no := w.decide(w.mod, hub.DecisionDismiss, hub.SubjectPlugin, "acme/backup", dismissed.ID)
	_, err = w.Appeal(ctx, w.ann, community.NewAppeal{Decision: no.ID, Text: "?"})
	assert.ErrorIs(t, err, hub.ErrState, "took nothing from anybody")
}

func TestAppealOfARejection(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	rejected := func() {
		w.update(func(ctx context.Context, tx hub.Tx) error {
			s, err := tx.Submissions().Get(ctx, "sub_r")
			if err != nil {
				return err
			}
			if err := s.Move(hub.StateRejected, w.clock(), "Looks like malware."); err != nil {
				return err
			}
			return tx.Submissions().Update(ctx, &s)
		})
	}
	w.update(func(ctx context.Context, tx hub.Tx) error {
		if err := tx.Reviews().Insert(ctx, &hub.Review{ID: "rvw_1", Submission: "sub_r", Reviewer: w.mod.Account, Verdict: hub.VerdictReject}); err != nil {
			return err
		}
		return tx.Submissions().Insert(ctx, &hub.Submission{ID: "sub_r", Plugin: "acme/new", Version: "1.0.0", Publisher: "acme", State: hub.StateInReview, Updated: w.now})
	})
	n := community.NewAppeal{Submission: "sub_r", Text: "It is none."}
	_, err := w.Appeal(ctx, w.ann, n)
	assert.ErrorIs(t, err, hub.ErrState)
	rejected()
	_, err = w.Appeal(ctx, w.bob, n)
	assert.ErrorIs(t, err, hub.ErrNotFound)
	p, err := w.Appeal(ctx, w.ann, n)
	require.NoError(t, err)
	_, err = w.DecideAppeal(ctx, w.mod, p.ID, true, "Right.")
	assert.ErrorIs(t, err, hub.ErrForbidden, "who reviewed it")
	_, err = w.DecideAppeal(ctx, w.mod2, p.ID, true, "Look again.")
	require.NoError(t, err)
	assert.Equal(t, hub.StateInReview, row(w, hub.Tx.Submissions, "sub_r").State)
	rejected()
	_, err = w.Appeal(ctx, w.ann, n)
	require.NoError(t, err, "another rejection, another appeal")
	_, err = w.Appeal(ctx, w.ann, n)
	assert.ErrorIs(t, err, hub.ErrExists)

	for _, c := range []struct {
		who  hub.Actor
		q    community.AppealQuery
		want int // below zero: forbidden
	}{
		{w.mod, community.AppealQuery{}, 2}, {w.mod, community.AppealQuery{State: hub.AppealOpen}, 1},
		{w.ann, community.AppealQuery{Publisher: "acme"}, 2}, {w.ann, community.AppealQuery{Mine: true}, 2}, {w.bob, community.AppealQuery{Mine: true}, 0},
		{w.ann, community.AppealQuery{}, -1}, {w.bob, community.AppealQuery{Publisher: "acme"}, -1}, {w.bob, community.AppealQuery{Publisher: "acme", Mine: true}, 0},
	} {
		page, err := w.Appeals(ctx, c.who, c.q)
		if c.want < 0 {
			assert.ErrorIs(t, err, hub.ErrForbidden)
			continue
		}
		require.NoError(t, err)
		assert.Len(t, page.Items, c.want)
	}
}

// TestAppealOfAWarningAboutASubmission: the appeal is of the decision, not of the submission.
func TestAppealOfAWarningAboutASubmission(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := t.Context()
	w.update(func(ctx context.Context, tx hub.Tx) error {
		return tx.Submissions().Insert(ctx, &hub.Submission{ID: "sub_1", Plugin: "acme/backup", Version: "2.0.0", Publisher: "acme", State: hub.StateInReview})
	})
	d := w.decide(w.mod, hub.DecisionWarn, hub.SubjectSubmission, "sub_1")
	p, err := w.Appeal(ctx, w.ann, community.NewAppeal{Decision: d.ID, Text: "It is not so."})
	require.NoError(t, err)
	_, err = w.DecideAppeal(ctx, w.mod, p.ID, true, "Right.")
	assert.ErrorIs(t, err, hub.ErrForbidden, "who decided before")
	got, err := w.DecideAppeal(ctx, w.mod2, p.ID, true, "Right.")
	require.NoError(t, err)
	assert.Equal(t, hub.AppealGranted, got.State)
	assert.Equal(t, hub.StateInReview, row(w, hub.Tx.Submissions, "sub_1").State)
}
