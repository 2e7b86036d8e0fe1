package publishing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// Bounds of what is said about a submission.
const (
	maxText     = 5000 // characters
	maxComments = 1000 // of a submission
)

// move changes a submission's state and tells its publisher where that concerns it.
func (s *Service) move(ctx context.Context, tx hub.Tx, a hub.Actor, sub *hub.Submission, to hub.State, reason string) error {
	if err := hub.MoveSubmission(ctx, tx, a, s.now(), sub, to, reason); err != nil {
		return err
	}
	said := ""
	switch to {
	case hub.StateNeedsChanges:
		said = sub.Ref() + " needs changes"
	case hub.StateRejected:
		said = sub.Ref() + " was rejected; you can appeal"
	case hub.StatePublished:
		said = sub.Ref() + " is published"
	default:
		return nil
	}
	return tellMembers(ctx, tx, s.now(), sub.Publisher, hub.Notice{Title: said, Text: reason, Kind: "submission", Subject: sub.ID})
}

// enterReview puts a scanned submission before reviewers, or approves it where the
// written policy does.
func (s *Service) enterReview(ctx context.Context, tx hub.Tx, p hub.Policy, sub *hub.Submission, d Diff, in RiskInput) error {
	r, err := assess(p, sub, d, in)
	if err != nil {
		return err
	}
	system := hub.SystemActor(hub.JobScan)
	ok, why := Automatic(p, in, r)
	if !ok {
		return s.move(ctx, tx, system, sub, hub.StateInReview, fmt.Sprintf("waits for %d of the reviewers: %s", sub.Needs, why))
	}
	review := hub.Review{
		ID: hub.NewID("rev", s.now()), Submission: sub.ID, Round: sub.Round, Digest: sub.Digest,
		Verdict: hub.VerdictApprove, Text: "by written policy: " + why, Created: s.now(),
	}
	if err := tx.Reviews().Insert(ctx, &review); err != nil {
		return err
	}
	if err := hub.Record(ctx, tx, system, s.now(), hub.ActReviewDecide, "submission "+sub.ID, review); err != nil {
		return err
	}
	return s.approve(ctx, tx, system, sub, "approved "+review.Text)
}

func (s *Service) approve(ctx context.Context, tx hub.Tx, a hub.Actor, sub *hub.Submission, reason string) error {
	if err := s.move(ctx, tx, a, sub, hub.StateApproved, reason); err != nil {
		return err
	}
	return tx.Enqueue(ctx, hub.Job{Kind: hub.JobPublish, Subject: sub.ID})
}

// Comment adds a remark. An internal one is for reviewers.
func (s *Service) Comment(ctx context.Context, a hub.Actor, id string, in NewComment) (hub.Comment, error) {
	if err := checkProse(in.Text, maxText); err != nil || in.Text == "" {
		return hub.Comment{}, hub.Invalid("text", "must be 1 to %d visible characters", maxText)
	}
	if in.File != "" {
		if err := catalog.CheckPath(in.File); err != nil {
			return hub.Comment{}, hub.Invalid("file", "%v", err)
		}
	}
	if in.Line < 0 || in.Line > 10_000_000 || in.Line > 0 && in.File == "" {
		return hub.Comment{}, hub.Invalid("line", "is not a line of a file")
	}
	act := hub.ActSubmissionComment
	if in.Internal {
		act = hub.ActReviewInternal
	}
	now := s.now()
	c := hub.Comment{
		ID: hub.NewID("cmt", now), Submission: id, Author: a.Account, File: in.File, Line: in.Line,
		Text: in.Text, Internal: in.Internal, Created: now,
	}
	_, err := s.change(ctx, a, act, id, func(tx hub.Tx, sub *hub.Submission) error {
		n, err := tx.Comments().Count(ctx, hub.Eq("submission", id))
		if err != nil {
			return err
		}
		if n >= maxComments {
			return &hub.LimitError{What: fmt.Sprintf("%d comments a submission", maxComments)}
		}
		c.Round = sub.Round
		if err := tx.Comments().Insert(ctx, &c); err != nil {
			return err
		}
		if in.Internal {
			return nil
		}
		if !member(a, *sub) {
			n := hub.Notice{Title: "A remark on " + sub.Ref(), Text: in.Text, Kind: "submission", Subject: id}
			if err := tellMembers(ctx, tx, now, sub.Publisher, n); err != nil {
				return err
			}
		}
		return hub.Emit(ctx, tx, now, hub.Event{
			Kind: hub.EventSubmissionComment, Publisher: sub.Publisher, Plugin: sub.Plugin, Version: sub.Version, Subject: id,
			Title: "A remark on " + sub.Ref(),
		})
	})
	if err != nil {
		return hub.Comment{}, err
	}
	return c, nil
}

// approvals are the reviewers whose last word on this round and digest is an approval
// that came after the last rejection: an appeal that was granted asks for a new look.
func approvals(all []hub.Review, sub hub.Submission) []hub.Review {
	var rejected time.Time
	last := make(map[string]hub.Review)
	for _, r := range all {
		if r.Round != sub.Round || r.Digest != sub.Digest {
			continue
		}
		if r.Verdict == hub.VerdictReject && r.Created.After(rejected) {
			rejected = r.Created
		}
		if old, ok := last[r.Reviewer]; !ok || !r.Created.Before(old.Created) {
			last[r.Reviewer] = r
		}
	}
	var out []hub.Review
	for _, r := range last {
		if r.Verdict == hub.VerdictApprove && r.Created.After(rejected) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b hub.Review) int { return a.Created.Compare(b.Created) })
	return out
}

// Decide is a reviewer's decision. Who submitted it or belongs to its publisher cannot.
// An approval counts once a reviewer; when enough approved it is published, in a moment.
func (s *Service) Decide(ctx context.Context, a hub.Actor, id string, d Decision) (hub.Submission, error) {
	switch d.Verdict {
	case hub.VerdictApprove:
	case hub.VerdictChanges, hub.VerdictReject:
		if d.Text == "" {
			return hub.Submission{}, hub.Invalid("text", "must say what is to be changed, or why it is rejected")
		}
	default:
		return hub.Submission{}, hub.Invalid("verdict", "must be approve, changes or reject")
	}
	if err := checkProse(d.Text, maxText); err != nil {
		return hub.Submission{}, hub.Invalid("text", "%v", err)
	}
	now := s.now()
	return s.change(ctx, a, hub.ActReviewDecide, id, func(tx hub.Tx, sub *hub.Submission) error {
		if err := mayReview(ctx, tx, now, a, *sub); err != nil {
			return err
		}
		if d.Round != sub.Round || d.Digest != sub.Digest {
			return fmt.Errorf("%s was submitted again since you looked at it: %w", sub.Ref(), hub.ErrMoved)
		}
		if sub.State != hub.StateInReview {
			return fmt.Errorf("%s is %s and not in review: %w", sub.Ref(), sub.State, hub.ErrState)
		}
		r := hub.Review{
			ID: hub.NewID("rev", now), Submission: id, Round: sub.Round, Digest: sub.Digest, Reviewer: a.Account,
			Verdict: d.Verdict, Text: d.Text, Created: now,
		}
		if err := tx.Reviews().Insert(ctx, &r); err != nil {
			return err
		}
		if err := hub.Record(ctx, tx, a, now, hub.ActReviewDecide, "submission "+id, r); err != nil {
			return err
		}
		switch d.Verdict {
		case hub.VerdictChanges:
			return s.move(ctx, tx, a, sub, hub.StateNeedsChanges, d.Text)
		case hub.VerdictReject:
			return s.move(ctx, tx, a, sub, hub.StateRejected, d.Text)
		}
		all, err := tx.Reviews().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("submission", id), hub.Eq("round", sub.Round)}})
		if err != nil {
			return err
		}
		counted, err := standing(ctx, tx, approvals(all, *sub), *sub)
		if err != nil {
			return err
		}
		if len(counted) < max(1, sub.Needs) {
			return s.move(ctx, tx, a, sub, hub.StateInReview, fmt.Sprintf("%d of %d reviewers approved", len(counted), sub.Needs))
		}
		return s.approve(ctx, tx, a, sub, "approved by review")
	})
}

// standing returns the approvals of those who are still reviewers, and neither belong to
// the publisher nor are about to.
func standing(ctx context.Context, tx hub.Tx, all []hub.Review, sub hub.Submission) (out []hub.Review, err error) {
	for _, r := range all {
		if r.Reviewer != "" { // not the written policy
			acc, err := tx.Accounts().Get(ctx, r.Reviewer)
			if errors.Is(err, hub.ErrNotFound) || err == nil && (acc.State != hub.AccountActive || !slices.Contains(acc.Roles, hub.RoleReviewer)) {
				continue
			}
			if err != nil {
				return nil, err
			}
			switch err := apart(ctx, tx, r.Created, r.Reviewer, sub.Publisher); {
			case errors.Is(err, hub.ErrForbidden):
				continue
			case err != nil:
				return nil, err
			}
		}
		out = append(out, r)
	}
	return out, nil
}

// apart is [hub.ErrForbidden] for who belongs to a publisher, left it lately, or is to be
// given it.
func apart(ctx context.Context, tx hub.Tx, now time.Time, account, publisher string) error {
	switch _, err := tx.Members().Get(ctx, publisher, account); {
	case err == nil:
		return fmt.Errorf("nobody reviews for a publisher they belong to: %w", hub.ErrForbidden)
	case !errors.Is(err, hub.ErrNotFound):
		return err
	}
	switch left, err := tx.Onces().Get(ctx, onceLeft, leftKey(publisher, account)); {
	case err == nil && now.Before(left.Expires):
		return fmt.Errorf("nobody reviews for a publisher they left less than %d days ago: %w", int(leftFor.Hours()/24), hub.ErrForbidden)
	case err != nil && !errors.Is(err, hub.ErrNotFound):
		return err
	}
	switch t, err := openTransfer(ctx, tx, publisher); {
	case err == nil && t.State == hub.TransferAccepted && t.To == account:
		return fmt.Errorf("nobody reviews for a publisher that is handed over to them: %w", hub.ErrForbidden)
	case err != nil && !errors.Is(err, hub.ErrNotFound):
		return err
	}
	return nil
}

// mayReview refuses who submitted it or has to do with its publisher, by what the store
// says now: an Actor may have been made before.
func mayReview(ctx context.Context, tx hub.Tx, now time.Time, a hub.Actor, sub hub.Submission) error {
	if a.System || a.Account == "" {
		return fmt.Errorf("a review is a person's: %w", hub.ErrForbidden)
	}
	if a.Account == sub.By {
		return fmt.Errorf("nobody reviews what they submitted: %w", hub.ErrForbidden)
	}
	return apart(ctx, tx, now, a.Account, sub.Publisher)
}
