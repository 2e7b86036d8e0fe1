package publishing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/sigstore"
)

// ActReleasePublish stands in the audit log for a release that was written down.
const ActReleasePublish hub.Action = "release.publish"

// publishJob publishes an approved submission. Each step may have been done before:
//
//  1. what was approved is still there and validly signed
//  2. the review's attestation is signed once, and kept before anybody sees it
//  3. artifact and evidence are copied to the public repository
//  4. the attestation is attached there
//  5. release, plugin and the wish for a new catalog are written, together
//
// The catalog job does the rest.
func (s *Service) publishJob(ctx context.Context, j hub.Job) error {
	sub, who, err := s.approved(ctx, j.Subject)
	if err != nil || sub.State != hub.StateApproved {
		return unlessGone(err)
	}
	staged, err := s.look(ctx, s.staging(sub.Plugin), sub.Plugin, sub.Version, sub.Digest)
	if err == nil {
		_, err = s.signer(ctx, staged, who)
	}
	if err != nil {
		return s.unpublishable(ctx, j, sub, err)
	}
	if sub.Bundle == "" {
		if sub, err = s.attest(ctx, sub); err != nil || sub.State != hub.StateApproved {
			return err
		}
	}
	to, from := s.public(sub.Plugin), s.staging(sub.Plugin)
	if err := s.o.Registry.Copy(ctx, to, from, publish.Tag(sub.Version), staged.release.Digest); err != nil {
		if errors.Is(err, oci.ErrTooManyReferrers) {
			return s.unpublishable(ctx, j, sub, &faultError{RuleArtifact, err})
		}
		return later(j, fmt.Errorf("copy %s: %w", sub.Ref(), err))
	}
	subject := catalog.Descriptor{MediaType: catalog.TypeManifest, Digest: staged.release.Digest, Size: int64(len(staged.evidence.Manifest))}
	if err := s.o.Registry.Attach(ctx, to, subject, publish.TypeBundle, []byte(sub.Bundle), map[string]string{
		"dev.sigstore.bundle.content":       "dsse-envelope",
		"dev.sigstore.bundle.predicateType": ReviewType,
	}); err != nil {
		return later(j, fmt.Errorf("attach the review of %s: %w", sub.Ref(), err))
	}
	public, err := s.look(ctx, to, sub.Plugin, sub.Version, sub.Digest)
	if err == nil {
		_, err = s.signer(ctx, public, who)
	}
	if err != nil {
		return later(j, fmt.Errorf("read %s back: %w", sub.Ref(), err))
	}
	return s.env.Store.Update(ctx, func(tx hub.Tx) error { return s.record(ctx, tx, j, sub, public) })
}

// approved loads a submission with who has to have signed it: the signer that reviewers
// saw, and nobody when that one is not valid any more or the publisher is suspended.
func (s *Service) approved(ctx context.Context, id string) (sub hub.Submission, who []verify.Identity, err error) {
	now := s.now()
	err = s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		if sub, err = tx.Submissions().Get(ctx, id); err != nil || sub.State != hub.StateApproved {
			return err
		}
		p, err := tx.Publishers().Get(ctx, sub.Publisher)
		if err != nil {
			return err
		}
		all, err := signers(ctx, tx, sub.Publisher)
		who = nil
		for _, id := range validSigners(all, now) {
			if p.State == hub.PublisherActive && id.ID() == sub.Signer {
				who = append(who, id) // the one that was reviewed, as long as it is valid
			}
		}
		return err
	})
	return sub, who, err
}

// unpublishable rejects what can no longer be published as it was approved, or says what
// its publisher has to change.
func (s *Service) unpublishable(ctx context.Context, j hub.Job, was hub.Submission, err error) error {
	fault := (*faultError)(nil)
	if !errors.As(err, &fault) {
		return later(j, err)
	}
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		sub, same, err := stillAt(ctx, tx, was, hub.StateApproved)
		if err != nil || !same {
			return err
		}
		reason := clip(fault.Error())
		if p, err := tx.Publishers().Get(ctx, sub.Publisher); err != nil {
			return err
		} else if p.State != hub.PublisherActive {
			reason = sub.Publisher + " was suspended before it was published"
		}
		to := hub.StateRejected
		if errors.Is(fault, oci.ErrTooManyReferrers) { // its publisher pushed them, and can push the package anew
			to, reason = hub.StateNeedsChanges, clip("more signatures and statements were pushed about it than anybody reads; pack and push it again without them: "+fault.Error())
		}
		return s.move(ctx, tx, hub.SystemActor(j.Kind), &sub, to, reason)
	})
}

// attest signs the review and keeps it. When another process was faster, its is taken.
func (s *Service) attest(ctx context.Context, sub hub.Submission) (hub.Submission, error) {
	p, err := inView(ctx, s, func(tx hub.Tx) (ReviewPredicate, error) { return s.predicate(ctx, tx, sub) })
	fewer := (*fewerError)(nil)
	if errors.As(err, &fewer) {
		return s.reviewAgain(ctx, sub, fewer)
	}
	if err != nil {
		return sub, err
	}
	b, err := json.Marshal(p)
	if err != nil {
		return sub, err
	}
	bundle, err := s.o.Attester.Attest(ctx, verify.Digest(sub.Digest), ReviewType, b)
	if err != nil {
		return sub, fmt.Errorf("sign the review of %s: %w", sub.Ref(), err)
	}
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Submission, error) {
		now, same, err := stillAt(ctx, tx, sub, hub.StateApproved)
		if err != nil || !same || now.Bundle != "" {
			return now, err
		}
		now.Bundle = string(bundle)
		return now, tx.Submissions().Update(ctx, &now)
	})
}

// fewerError says that approvals do not count any more: their reviewers left the staff, were
// suspended, or now have to do with the publisher.
type fewerError struct{ left, needs int }

func (e *fewerError) Error() string {
	return fmt.Sprintf("waits for reviewers again: %d of the %d approvals that it needs still count", e.left, e.needs)
}

// reviewAgain puts what was approved back before reviewers.
func (s *Service) reviewAgain(ctx context.Context, was hub.Submission, why error) (hub.Submission, error) {
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Submission, error) {
		sub, same, err := stillAt(ctx, tx, was, hub.StateApproved)
		if err != nil || !same || sub.Bundle != "" {
			return sub, err
		}
		return sub, s.move(ctx, tx, hub.SystemActor(hub.JobPublish), &sub, hub.StateInReview, why.Error())
	})
}

// predicate says by whom and by what rule a submission was approved.
func (s *Service) predicate(ctx context.Context, tx hub.Tx, sub hub.Submission) (ReviewPredicate, error) {
	p := ReviewPredicate{
		Plugin: sub.Plugin, Version: sub.Version, Digest: verify.Digest(sub.Digest), Submission: sub.ID, Round: sub.Round,
		Policy: ReviewPolicy{Needs: sub.Needs, Grew: sub.Grew, Risk: sub.Risk}, Signer: sub.Signer, Time: s.now(),
		Reviews: []ReviewedBy{}, Scans: []ReviewedScan{},
	}
	reviews, err := tx.Reviews().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("submission", sub.ID), hub.Eq("round", sub.Round)}})
	if err != nil {
		return p, err
	}
	counted, err := standing(ctx, tx, approvals(reviews, sub), sub)
	if err != nil {
		return p, err
	}
	automatic := slices.ContainsFunc(counted, func(r hub.Review) bool { return r.Reviewer == "" })
	if need := max(1, sub.Needs); len(counted) < need && !automatic {
		return p, &fewerError{len(counted), need}
	}
	for _, r := range counted {
		by := ReviewedBy{Reviewer: r.Reviewer, Time: r.Created}
		if r.Reviewer == "" {
			p.Policy.Automatic, by.Text = true, r.Text
		}
		p.Reviews = append(p.Reviews, by)
	}
	scans, err := scansOf(ctx, tx, sub)
	for _, c := range scans {
		r := reportOf(c)
		p.Scans = append(p.Scans, ReviewedScan{
			Scanner: c.Scanner, State: c.State, Version: r.Version, Database: r.Database.Version, Findings: len(r.Findings), Time: c.Finished,
		})
	}
	return p, err
}

// record writes a release down, once.
func (s *Service) record(ctx context.Context, tx hub.Tx, j hub.Job, was hub.Submission, p *pushed) error {
	sub, same, err := stillAt(ctx, tx, was, hub.StateApproved)
	if err != nil || !same {
		return err
	}
	switch old, err := tx.Releases().Get(ctx, sub.Plugin, sub.Version); {
	case err == nil && old.Submission == sub.ID:
		return nil
	case err == nil:
		return s.move(ctx, tx, hub.SystemActor(j.Kind), &sub, hub.StateRejected, "this version was published meanwhile")
	case !errors.Is(err, hub.ErrNotFound):
		return err
	}
	manifest, err := p.release.Manifest.Canonical()
	if err != nil {
		return err
	}
	r := hub.Release{
		Plugin: sub.Plugin, Version: sub.Version, Publisher: sub.Publisher, Digest: sub.Digest, Content: string(p.artifact.Content.Digest), Size: p.release.Size,
		Manifest: manifest, Media: p.release.Media, Channel: sub.Channel, Notes: sub.Notes, NotesText: sub.NotesText,
		State: catalog.Active, Percent: sub.Percent, Signer: sub.Signer, Submission: sub.ID, Published: s.now(),
	}
	if err := tx.Releases().Insert(ctx, &r); err != nil {
		return err
	}
	if err := hub.Record(ctx, tx, hub.SystemActor(j.Kind), s.now(), ActReleasePublish, "release "+r.Ref(), map[string]string{"digest": r.Digest, "submission": sub.ID}); err != nil {
		return err
	}
	return hub.RefreshPlugin(ctx, tx, sub.Plugin)
}

// A KeySigner is what Options.Attester usually is.
var _ Attester = (*sigstore.KeySigner)(nil)
