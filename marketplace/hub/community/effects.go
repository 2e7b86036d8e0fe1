package community

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
)

// concerned is the subject of a decision as far as the decision itself says it: what it
// was about may be gone.
func concerned(d hub.Decision) subject {
	s := subject{kind: d.Subject, about: d.About, publisher: d.Publisher}
	switch d.Subject {
	case hub.SubjectRating:
		s.plugin, s.account, _ = strings.Cut(d.About, "#")
	case hub.SubjectAccount:
		s.account = d.About
	case hub.SubjectPlugin:
		s.plugin = d.About
	case hub.SubjectRelease:
		s.plugin, s.version, _ = strings.Cut(d.About, "@")
	}
	return s
}

// carryOut does what a decision says. It fills in d.Advisory.
func (s *Service) carryOut(ctx context.Context, tx hub.Tx, a hub.Actor, sub subject, d *hub.Decision, adv *catalog.Advisory, now time.Time) error {
	switch {
	case d.Kind == hub.DecisionDismiss || d.Kind == hub.DecisionWarn:
		return nil
	case d.Kind == hub.DecisionWithdraw:
		return s.withdraw(ctx, tx, a, sub, d, *adv, now)
	case sub.kind == hub.SubjectPlugin && d.Kind == hub.DecisionHide:
		return hub.HidePlugin(ctx, tx, a, now, sub.plugin, d.Text)
	case sub.kind == hub.SubjectPlugin:
		return hub.ShowPlugin(ctx, tx, a, now, sub.plugin, d.Text)
	case sub.kind == hub.SubjectRating && d.Kind == hub.DecisionHide:
		return s.showRating(ctx, tx, sub, hub.Hidden, d.Text, now)
	case sub.kind == hub.SubjectRating:
		return s.showRating(ctx, tx, sub, hub.Shown, "", now)
	case sub.kind == hub.SubjectPublisher:
		return suspendPublisher(ctx, tx, sub.publisher, d, now)
	case sub.kind == hub.SubjectAccount:
		return suspendAccount(ctx, tx, a, d, now)
	}
	return hub.Invalid("kind", "%s cannot be decided about a %s", d.Kind, sub.kind)
}

// showRating shows or hides a rating and keeps the score. The numbers of the day are not
// told: a moderator's work is no trend.
func (s *Service) showRating(ctx context.Context, tx hub.Tx, sub subject, to hub.Visibility, reason string, now time.Time) error {
	r, err := tx.Ratings().Get(ctx, sub.plugin, sub.account)
	if err != nil {
		return err
	}
	if r.State == to {
		return fmt.Errorf("the rating of %s is %s already: %w", r.Plugin, to, hub.ErrState)
	}
	before := r
	r.State, r.Reason = to, reason
	if err := tx.Ratings().Update(ctx, &r); err != nil {
		return err
	}
	if _, err := rescore(ctx, tx, before, r, now); err != nil {
		return err
	}
	if before.State == hub.Held && to == hub.Shown {
		return ratingAdded(ctx, tx, sub.publisher, r, now)
	}
	return nil
}

func suspendPublisher(ctx context.Context, tx hub.Tx, namespace string, d *hub.Decision, now time.Time) error {
	p, err := tx.Publishers().Get(ctx, namespace)
	if err != nil {
		return err
	}
	to, reason := hub.PublisherActive, ""
	if d.Kind == hub.DecisionSuspend {
		to, reason = hub.PublisherSuspended, d.Text
	}
	if p.State == to {
		return fmt.Errorf("publisher %s is %s already: %w", namespace, to, hub.ErrState)
	}
	p.State, p.Reason = to, reason
	if err := tx.Publishers().Update(ctx, &p); err != nil {
		return err
	}
	if to == hub.PublisherActive {
		return nil
	}
	return hub.Emit(ctx, tx, now, hub.Event{Kind: hub.EventPublisherSuspended, Publisher: namespace, Subject: d.ID, Title: "the publisher " + namespace + " was suspended"})
}

func suspendAccount(ctx context.Context, tx hub.Tx, a hub.Actor, d *hub.Decision, now time.Time) error {
	if d.Kind == hub.DecisionSuspend {
		return hub.SuspendAccount(ctx, tx, a, now, d.About, d.Text)
	}
	return hub.RestoreAccount(ctx, tx, a, now, d.About)
}

// was is what a withdrawn release was before, kept in the audit log beside the decision.
type was struct {
	State  catalog.State `json:"was"`
	Reason string        `json:"wasReason"`
}

func (s *Service) withdraw(ctx context.Context, tx hub.Tx, a hub.Actor, sub subject, d *hub.Decision, body catalog.Advisory, now time.Time) error {
	if err := a.May(hub.ActReleaseWithdraw, sub.object()); err != nil {
		return err
	}
	before, err := tx.Releases().Get(ctx, sub.plugin, sub.version)
	if err != nil {
		return err
	}
	if err := hub.Record(ctx, tx, a, now, hub.ActReleaseWithdraw, "decision "+d.ID, was{before.State, before.Reason}); err != nil {
		return err
	}
	r, err := hub.WithdrawRelease(ctx, tx, a, now, sub.plugin, sub.version, d.Text)
	if err != nil {
		return err
	}
	adv, err := s.issue(ctx, tx, a, catalog.Advisory{
		Action: body.Action, Title: body.Title, Detail: body.Detail, URL: body.URL, FixedIn: body.FixedIn,
		Plugin: catalog.PluginID(r.Plugin), Digests: []verify.Digest{verify.Digest(r.Digest)},
	}, now)
	d.Advisory = adv.ID
	return err
}

// giveBack takes a withdrawal back.
func (s *Service) giveBack(ctx context.Context, tx hub.Tx, a hub.Actor, sub subject, d hub.Decision, why string, now time.Time) error {
	for _, act := range []hub.Action{hub.ActReleaseWithdraw, hub.ActAdvisoryIssue} {
		if err := a.May(act, sub.object()); err != nil {
			return err
		}
	}
	lines, err := tx.Audit().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("target", "decision "+d.ID), hub.Eq("action", hub.ActReleaseWithdraw)}, Limit: 1})
	if err != nil {
		return err
	}
	var before was
	if len(lines) == 0 {
		return fmt.Errorf("the audit log does not have what %s was before decision %s: %w", d.About, d.ID, hub.ErrState)
	}
	if err := json.Unmarshal(lines[0].Detail, &before); err != nil {
		return fmt.Errorf("audit log, line %d: %w", lines[0].Seq, err)
	}
	reason := before.Reason
	if before.State == catalog.Active {
		reason = why
	}
	if _, err := hub.RestoreRelease(ctx, tx, a, now, sub.plugin, sub.version, before.State, reason); err != nil {
		return err
	}
	adv, err := tx.Advisories().Get(ctx, d.Advisory)
	if err != nil {
		return err
	}
	if !adv.Rescinded.IsZero() {
		return nil
	}
	_, err = s.rescind(ctx, tx, a, adv, why, now)
	return err
}
