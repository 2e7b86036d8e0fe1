package community

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// NewAppeal asks for another person to look. One of Decision and Submission is given.
type NewAppeal struct {
	Decision   string `json:"decision,omitempty"`   // id of a decision to hide, warn, suspend or withdraw
	Submission string `json:"submission,omitempty"` // id of a rejected submission
	Text       string `json:"text"`                 // why; needed, at most [MaxReason]
}

// Appeal files an appeal: of a decision, by whose thing it was about or a member of the
// publisher, once; of a rejected submission, by a member, once for each rejection. A
// second one is [hub.ErrExists]. A suspended account may appeal for itself.
func (s *Service) Appeal(ctx context.Context, a hub.Actor, n NewAppeal) (hub.Appeal, error) {
	var out hub.Appeal
	if a.Account == "" {
		return out, fmt.Errorf("%s: %w", hub.ActAppealCreate, hub.ErrUnauthenticated)
	}
	if (n.Decision == "") == (n.Submission == "") {
		return out, hub.Invalid("decision", "or a submission is needed, and not both")
	}
	text, err := prose("text", n.Text, MaxReason, true)
	if err != nil {
		return out, err
	}
	now := s.now()
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		p := hub.Appeal{ID: hub.NewID("app", now), By: a.Account, Text: text, State: hub.AppealOpen, Created: now}
		if n.Decision != "" {
			err = ofDecision(ctx, tx, a, n.Decision, &p)
		} else {
			err = ofSubmission(ctx, tx, a, n.Submission, &p)
		}
		if err != nil {
			return err
		}
		if err := spend(ctx, tx, a.Account, "appeals", s.policy().ReportsDay, now); err != nil {
			return err
		}
		if err := tx.Appeals().Insert(ctx, &p); err != nil {
			return err
		}
		out = p
		return hub.Record(ctx, tx, a, now, hub.ActAppealCreate, "appeal "+p.ID, map[string]any{"kind": p.Kind, "subject": p.Subject})
	})
	return out, err
}

// hidden tells who may not appeal that there is nothing, so that ids tell nothing.
func hidden(a hub.Actor, o hub.Object, what, id string) error {
	if err := a.May(hub.ActAppealCreate, o); err != nil {
		return fmt.Errorf("%s %s: %w", what, id, hub.ErrNotFound)
	}
	return nil
}

func ofDecision(ctx context.Context, tx hub.Tx, a hub.Actor, id string, p *hub.Appeal) error {
	d, err := tx.Decisions().Get(ctx, id)
	if err != nil {
		return err
	}
	sub := concerned(d)
	if err := hidden(a, sub.concerns(), "decision", id); err != nil {
		return err
	}
	if !slices.Contains([]hub.DecisionKind{hub.DecisionHide, hub.DecisionWarn, hub.DecisionSuspend, hub.DecisionWithdraw}, d.Kind) {
		return fmt.Errorf("decision %s took nothing from anybody: %w", id, hub.ErrState)
	}
	n, err := tx.Appeals().Count(ctx, hub.Eq("subject", id))
	if err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("an appeal of decision %s: %w", id, hub.ErrExists)
	}
	reversed, err := tx.Decisions().Count(ctx, hub.Eq("reverses", id))
	if err != nil {
		return err
	}
	if reversed > 0 {
		return fmt.Errorf("decision %s was taken back: %w", id, hub.ErrState)
	}
	p.Kind, p.Subject, p.Publisher = d.Subject, id, sub.concerns().Publisher
	return nil
}

func ofSubmission(ctx context.Context, tx hub.Tx, a hub.Actor, id string, p *hub.Appeal) error {
	sub, err := tx.Submissions().Get(ctx, id)
	if err != nil {
		return err
	}
	if err := hidden(a, hub.Object{Publisher: sub.Publisher, Plugin: sub.Plugin}, "submission", id); err != nil {
		return err
	}
	if sub.State != hub.StateRejected {
		return fmt.Errorf("%s is %s and not rejected: %w", sub.Ref(), sub.State, hub.ErrState)
	}
	n, err := tx.Appeals().Count(ctx, hub.Eq("subject", id), hub.Ge("created", sub.Updated))
	if err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("an appeal of this rejection of %s: %w", sub.Ref(), hub.ErrExists)
	}
	p.Kind, p.Subject, p.Publisher = hub.SubjectSubmission, id, sub.Publisher
	return nil
}

// DecideAppeal grants an appeal or upholds what was decided. Granted, the decision is
// reversed as by [Service.Reverse], or the submission goes back to review. Who decided
// before, reviewed the submission, appeals or belongs to the publisher may not.
func (s *Service) DecideAppeal(ctx context.Context, a hub.Actor, id string, grant bool, answer string) (hub.Appeal, error) {
	var out hub.Appeal
	if err := a.May(hub.ActAppealDecide, hub.Object{}); err != nil {
		return out, err
	}
	answer, err := prose("answer", answer, MaxReason, true)
	if err != nil {
		return out, err
	}
	now := s.now()
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		p, err := tx.Appeals().Get(ctx, id)
		if err != nil {
			return err
		}
		if err := a.May(hub.ActAppealDecide, hub.Object{Publisher: p.Publisher, Account: p.By}); err != nil {
			return err
		}
		if p.State != hub.AppealOpen {
			return fmt.Errorf("appeal %s is %s: %w", id, p.State, hub.ErrState)
		}
		// Its Subject is a decision, also one about a submission, or a rejected submission.
		before := s.decisionAgain
		if _, err := tx.Decisions().Get(ctx, p.Subject); errors.Is(err, hub.ErrNotFound) {
			before = s.submissionAgain
		} else if err != nil {
			return err
		}
		if err := before(ctx, tx, a, p, grant, answer, now); err != nil {
			return err
		}
		p.State, p.Answer, p.AnswerBy, p.Answered = hub.AppealUpheld, answer, a.Account, now
		if grant {
			p.State = hub.AppealGranted
		}
		if err := tx.Appeals().Update(ctx, &p); err != nil {
			return err
		}
		n := hub.Notice{Title: "Your appeal was " + string(p.State), Text: answer, Kind: "appeal", Subject: p.ID}
		if err := hub.Notify(ctx, tx, now, []string{p.By}, n); err != nil {
			return err
		}
		out = p
		return hub.Record(ctx, tx, a, now, hub.ActAppealDecide, "appeal "+p.ID, map[string]any{"state": p.State})
	})
	return out, err
}

var errSamePerson = fmt.Errorf("%s: %w: an appeal is for another person than who decided before", hub.ActAppealDecide, hub.ErrForbidden)

func (s *Service) decisionAgain(ctx context.Context, tx hub.Tx, a hub.Actor, p hub.Appeal, grant bool, answer string, now time.Time) error {
	d, err := tx.Decisions().Get(ctx, p.Subject)
	if err != nil {
		return err
	}
	if d.By == a.Account {
		return errSamePerson
	}
	sub, err := subjectOf(ctx, tx, d.Subject, d.About)
	if errors.Is(err, hub.ErrNotFound) { // a rating that its author deleted
		return nil
	} else if err != nil {
		return err
	}
	if err := a.May(hub.ActAppealDecide, sub.object()); err != nil {
		return err
	}
	if !grant || d.Kind == hub.DecisionWarn { // a warning is answered, there is nothing to take back
		return nil
	}
	reversed, err := tx.Decisions().Count(ctx, hub.Eq("reverses", d.ID))
	if err != nil || reversed > 0 {
		return err
	}
	_, err = s.reverse(ctx, tx, a, sub, d, answer, now)
	return err
}

func (s *Service) submissionAgain(ctx context.Context, tx hub.Tx, a hub.Actor, p hub.Appeal, grant bool, answer string, now time.Time) error {
	reviewed, err := tx.Reviews().Count(ctx, hub.Eq("submission", p.Subject), hub.Eq("reviewer", a.Account))
	if err != nil {
		return err
	}
	if reviewed > 0 {
		return errSamePerson
	}
	if !grant {
		return nil
	}
	_, err = hub.ReopenSubmission(ctx, tx, a, now, p.Subject, answer)
	return err
}

// AppealQuery asks for appeals.
type AppealQuery struct {
	State     hub.AppealState // empty: any
	Publisher string          // empty: any
	Mine      bool            // the actor's own
	Cursor    string
	Limit     int // 0: [hub.DefaultPage]; at most [hub.MaxPage]
}

// Appeals returns appeals, oldest first: the actor's own ones, those of a publisher to its
// members, all to who may see the queue of reports. Who answered is for the latter only.
func (s *Service) Appeals(ctx context.Context, a hub.Actor, q AppealQuery) (hub.Page[hub.Appeal], error) {
	var out hub.Page[hub.Appeal]
	where := given("state", string(q.State), "publisher", q.Publisher)
	all := a.May(hub.ActReportQueue, hub.Object{})
	own := q.Mine && a.May(hub.ActAppealCreate, hub.Object{Account: a.Account}) == nil
	member := q.Publisher != "" && a.May(hub.ActAppealCreate, hub.Object{Publisher: q.Publisher}) == nil
	if all != nil && !own && !member {
		return out, all
	}
	if q.Mine {
		where = append(where, hub.Eq("created_by", a.Account))
	}
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		list := hub.Query{Where: where, Order: "created"}
		out, err = hub.ListPage(ctx, tx.Appeals(), list, q.Cursor, q.Limit, func(p hub.Appeal) []any { return []any{p.Created, p.ID} })
		return err
	})
	if all != nil {
		for i := range out.Items {
			out.Items[i].AnswerBy = ""
		}
	}
	return out, err
}

// AppealByID returns an appeal to who may see the queue and whom it concerns.
func (s *Service) AppealByID(ctx context.Context, a hub.Actor, id string) (hub.Appeal, error) {
	var out hub.Appeal
	if a.Account == "" && !a.System {
		return out, fmt.Errorf("appeal: %w", hub.ErrUnauthenticated)
	}
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		out, err = tx.Appeals().Get(ctx, id)
		return err
	})
	if err != nil || inQueue(a) {
		return out, err
	}
	if err := hidden(a, hub.Object{Publisher: out.Publisher, Account: out.By}, "appeal", id); err != nil {
		return hub.Appeal{}, err
	}
	out.AnswerBy = ""
	return out, nil
}
