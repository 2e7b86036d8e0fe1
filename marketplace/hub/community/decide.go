package community

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// MaxReports is how many reports one decision closes.
const MaxReports = 100

// NewDecision is what a moderator decides about a subject.
type NewDecision struct {
	Kind    hub.DecisionKind `json:"kind"`
	Subject hub.SubjectKind  `json:"subject"` // kind of what it is about
	About   string           `json:"about"`   // as [hub.SubjectKind] says
	Text    string           `json:"text"`    // why; shown to those concerned; needed, at most [MaxReason]
	// Reports are the open reports that it answers: each about the subject, or about
	// the same publisher. None: the moderator acts without a report; a dismissal needs
	// one.
	Reports []string `json:"reports,omitempty"`
	// Advisory goes with a withdrawal, which needs one: Action, Title, Detail, URL and
	// FixedIn are read, the rest is the withdrawn release.
	Advisory *catalog.Advisory `json:"advisory,omitempty"`
}

// Decidable says what can be decided about what.
func Decidable() map[hub.SubjectKind][]hub.DecisionKind {
	return map[hub.SubjectKind][]hub.DecisionKind{
		hub.SubjectPlugin:     {hub.DecisionDismiss, hub.DecisionWarn, hub.DecisionHide, hub.DecisionShow},
		hub.SubjectRelease:    {hub.DecisionDismiss, hub.DecisionWarn, hub.DecisionWithdraw},
		hub.SubjectRating:     {hub.DecisionDismiss, hub.DecisionWarn, hub.DecisionHide, hub.DecisionShow},
		hub.SubjectPublisher:  {hub.DecisionDismiss, hub.DecisionWarn, hub.DecisionSuspend, hub.DecisionRestore},
		hub.SubjectSubmission: {hub.DecisionDismiss, hub.DecisionWarn},
		hub.SubjectAccount:    {hub.DecisionDismiss, hub.DecisionWarn, hub.DecisionSuspend, hub.DecisionRestore},
	}
}

// Decide carries out a decision, closes the reports, and tells who reported, whose thing
// it is about and the publisher's members, all in one transaction. What can be decided
// about what is in [Decidable]; anything else is an [*hub.InvalidError], and what is so
// already is [hub.ErrState]. Nobody decides about their own thing or that of a publisher
// they are a member of. A suspension of an account needs [hub.ActAccountSuspend] too, a
// withdrawal [hub.ActReleaseWithdraw] and [hub.ActAdvisoryIssue].
func (s *Service) Decide(ctx context.Context, a hub.Actor, n NewDecision) (hub.Decision, error) {
	var out hub.Decision
	if err := a.May(hub.ActReportDecide, hub.Object{}); err != nil {
		return out, err // before anything tells what is there
	}
	text, err := prose("text", n.Text, MaxReason, true)
	if err != nil {
		return out, err
	}
	allowed, known := Decidable()[n.Subject]
	switch {
	case !known:
		return out, hub.Invalid("subject", "%.40q is not a kind of subject", n.Subject)
	case !slices.Contains(allowed, n.Kind):
		return out, hub.Invalid("kind", "of a decision about a %s must be one of %q", n.Subject, allowed)
	case len(n.Reports) > MaxReports:
		return out, hub.Invalid("reports", "are more than %d", MaxReports)
	case n.Kind == hub.DecisionDismiss && len(n.Reports) == 0:
		return out, hub.Invalid("reports", "is missing: a dismissal is the answer to a report")
	case n.Kind == hub.DecisionWithdraw && n.Advisory == nil:
		return out, hub.Invalid("advisory", "is missing: a withdrawal comes with one")
	}
	now := s.now()
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		sub, err := subjectOf(ctx, tx, n.Subject, n.About)
		if err != nil {
			return err
		}
		if err := a.May(hub.ActReportDecide, sub.object()); err != nil {
			return err
		}
		d := hub.Decision{
			ID: hub.NewID("dec", now), Kind: n.Kind, Subject: sub.kind, About: sub.about, Publisher: sub.publisher,
			Text: text, By: a.Account, Created: now,
		}
		if err := s.carryOut(ctx, tx, a, sub, &d, n.Advisory, now); err != nil {
			return err
		}
		by, err := closeReports(ctx, tx, sub, d, n.Reports)
		if err != nil {
			return err
		}
		if err := keep(ctx, tx, a, sub, &d, by, now); err != nil {
			return err
		}
		out = d
		return nil
	})
	return out, err
}

// keep writes a decision and tells of it. reporters are told what came of their report;
// those concerned only of what concerns them, which a dismissal does not.
func keep(ctx context.Context, tx hub.Tx, a hub.Actor, sub subject, d *hub.Decision, reporters []string, now time.Time) error {
	if err := tx.Decisions().Insert(ctx, d); err != nil {
		return err
	}
	if err := hub.Record(ctx, tx, a, now, hub.ActReportDecide, "decision "+d.ID, map[string]any{"kind": d.Kind, "subject": string(d.Subject) + " " + d.About, "reverses": d.Reverses}); err != nil {
		return err
	}
	answer := hub.Notice{Title: "Your report was decided: " + sub.title, Text: "Decision: " + string(d.Kind) + ".", Kind: "decision", Subject: d.ID}
	if err := hub.Notify(ctx, tx, now, reporters, answer); err != nil {
		return err
	}
	if d.Kind == hub.DecisionDismiss {
		return nil
	}
	people, err := sub.people(ctx, tx)
	if err != nil {
		return err
	}
	told := hub.Notice{Title: "A moderator decided about " + sub.title + ": " + string(d.Kind), Text: d.Text, Kind: "decision", Subject: d.ID}
	if err := hub.Notify(ctx, tx, now, people, told); err != nil {
		return err
	}
	if sub.account != "" || d.Publisher == "" {
		return nil // a person's; no publisher's hook is told
	}
	return hub.Emit(ctx, tx, now, hub.Event{
		Kind: hub.EventReportDecided, Publisher: d.Publisher, Plugin: sub.plugin, Version: sub.version, Subject: d.ID,
		Title: fmt.Sprintf("a moderator decided about %s: %s", sub.title, d.Kind),
	})
}

// Reverse takes a decision back: what was hidden is shown, who was suspended is restored,
// a withdrawn release is what it was before and its advisory rescinded. Decisions of
// another kind did nothing that could be taken back, and one that was reversed before or
// that a later decision about the same thing stands upon cannot be: [hub.ErrState]. The
// decision that reverses is returned.
func (s *Service) Reverse(ctx context.Context, a hub.Actor, id, text string) (hub.Decision, error) {
	var out hub.Decision
	if err := a.May(hub.ActReportDecide, hub.Object{}); err != nil {
		return out, err
	}
	text, err := prose("text", text, MaxReason, true)
	if err != nil {
		return out, err
	}
	now := s.now()
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		d, err := tx.Decisions().Get(ctx, id)
		if err != nil {
			return err
		}
		sub, err := subjectOf(ctx, tx, d.Subject, d.About)
		if err != nil {
			return err
		}
		if err := a.May(hub.ActReportDecide, sub.object()); err != nil {
			return err
		}
		out, err = s.reverse(ctx, tx, a, sub, d, text, now)
		return err
	})
	return out, err
}

func (s *Service) reverse(ctx context.Context, tx hub.Tx, a hub.Actor, sub subject, d hub.Decision, text string, now time.Time) (hub.Decision, error) {
	back := map[hub.DecisionKind]hub.DecisionKind{
		hub.DecisionHide: hub.DecisionShow, hub.DecisionSuspend: hub.DecisionRestore, hub.DecisionWithdraw: hub.DecisionRestore,
	}
	kind, can := back[d.Kind]
	if !can {
		return d, fmt.Errorf("decision %s to %s did nothing that can be taken back: %w", d.ID, d.Kind, hub.ErrState)
	}
	later, err := tx.Decisions().Count(ctx, hub.Eq("subject", d.About), hub.Eq("subject_kind", d.Subject), hub.Gt("created", d.Created), hub.In("kind", []hub.DecisionKind{
		hub.DecisionHide, hub.DecisionShow, hub.DecisionSuspend, hub.DecisionRestore, hub.DecisionWithdraw,
	}))
	if err != nil {
		return d, err
	}
	if later > 0 {
		return d, fmt.Errorf("decision %s was followed by another about %s: %w", d.ID, d.About, hub.ErrState)
	}
	r := hub.Decision{
		ID: hub.NewID("dec", now), Kind: kind, Subject: d.Subject, About: d.About, Publisher: d.Publisher,
		Text: text, By: a.Account, Reverses: d.ID, Created: now,
	}
	if d.Kind == hub.DecisionWithdraw {
		err = s.giveBack(ctx, tx, a, sub, d, text, now)
	} else {
		err = s.carryOut(ctx, tx, a, sub, &r, nil, now)
	}
	if err != nil {
		return d, err
	}
	return r, keep(ctx, tx, a, sub, &r, nil, now)
}

// DecisionQuery asks for decisions.
type DecisionQuery struct {
	Subject   hub.SubjectKind // empty: any
	About     string          // empty: any
	Publisher string          // empty: any
	Cursor    string
	Limit     int // 0: [hub.DefaultPage]; at most [hub.MaxPage]
}

// Decisions returns decisions, newest first: all of them to who may see the queue, those
// about the things of a Publisher to its members, without who decided.
func (s *Service) Decisions(ctx context.Context, a hub.Actor, q DecisionQuery) (hub.Page[hub.Decision], error) {
	var out hub.Page[hub.Decision]
	where := given("subject_kind", string(q.Subject), "subject", q.About, "publisher", q.Publisher)
	all := a.May(hub.ActReportQueue, hub.Object{})
	if all != nil {
		if q.Publisher == "" || a.May(hub.ActAppealCreate, hub.Object{Publisher: q.Publisher}) != nil {
			return out, all
		}
		// Ratings and accounts are a person's; a dismissal is between moderators and who reported.
		where = append(where, hub.In("subject_kind", []hub.SubjectKind{hub.SubjectPlugin, hub.SubjectRelease, hub.SubjectPublisher, hub.SubjectSubmission}),
			hub.Ne("kind", hub.DecisionDismiss))
	}
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		list := hub.Query{Where: where, Order: "created", Desc: true}
		out, err = hub.ListPage(ctx, tx.Decisions(), list, q.Cursor, q.Limit, func(d hub.Decision) []any { return []any{d.Created, d.ID} })
		return err
	})
	if all != nil {
		for i := range out.Items {
			out.Items[i].By = ""
		}
	}
	return out, err
}

// Decision returns a decision to who may see the queue, and without who decided to whom
// it concerns and who reported what it answers.
func (s *Service) Decision(ctx context.Context, a hub.Actor, id string) (hub.Decision, error) {
	if a.Account == "" && !a.System {
		return hub.Decision{}, fmt.Errorf("decision: %w", hub.ErrUnauthenticated)
	}
	var out hub.Decision
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		d, err := tx.Decisions().Get(ctx, id)
		if err != nil {
			return err
		}
		if !inQueue(a) {
			if err := mayRead(ctx, tx, a, d); err != nil {
				return err
			}
			d.By = ""
		}
		out = d
		return nil
	})
	return out, err
}

func mayRead(ctx context.Context, tx hub.Tx, a hub.Actor, d hub.Decision) error {
	n, err := tx.Reports().Count(ctx, hub.Eq("decision", d.ID), hub.Eq("created_by", a.Account))
	if err != nil {
		return err
	}
	if n > 0 && a.May(hub.ActAccountRead, hub.Object{Account: a.Account}) == nil {
		return nil
	}
	if d.Kind != hub.DecisionDismiss {
		sub := concerned(d)
		if a.May(hub.ActAppealCreate, sub.concerns()) == nil {
			return nil
		}
	}
	return fmt.Errorf("decision %s: %w", d.ID, hub.ErrNotFound)
}
