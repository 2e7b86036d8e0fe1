package community

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/souk-dev/souk/marketplace/hub"
)

// MaxEvidence is how many addresses a report names.
const MaxEvidence = 10

// NewReport says what is wrong with something.
type NewReport struct {
	Kind    hub.SubjectKind `json:"kind"`
	Subject string          `json:"subject"` // as [hub.SubjectKind] says
	Reason  string          `json:"reason"`  // one of [hub.Reasons]
	Text    string          `json:"text"`    // at most [MaxReason]; needed
	// Evidence are https addresses, at most [MaxEvidence]. Nothing fetches them.
	Evidence []string `json:"evidence,omitempty"`
}

// CreateReport files a report about something that the actor can see; what they cannot is
// [hub.ErrNotFound]. Who has an open report about the same thing gets [hub.ErrExists],
// and [*hub.LimitError] beyond [hub.Policy.ReportsDay] in a day.
func (s *Service) CreateReport(ctx context.Context, a hub.Actor, n NewReport) (hub.Report, error) {
	var out hub.Report
	if err := s.person(a, hub.ActReportCreate, hub.Object{}); err != nil {
		return out, err
	}
	if !slices.Contains(hub.Reasons(), n.Reason) {
		return out, hub.Invalid("reason", "must be one of %q", hub.Reasons())
	}
	text, err := prose("text", n.Text, MaxReason, true)
	if err != nil {
		return out, err
	}
	if err := checkEvidence(n.Evidence); err != nil {
		return out, err
	}
	now := s.now()
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		sub, err := subjectOf(ctx, tx, n.Kind, n.Subject)
		if err != nil {
			return err
		}
		if !sub.visible && sub.account != a.Account && a.May(hub.ActSubmissionRead, hub.Object{Publisher: sub.publisher, Plugin: sub.plugin}) != nil {
			return fmt.Errorf("%s %s: %w", n.Kind, n.Subject, hub.ErrNotFound)
		}
		open, err := tx.Reports().Count(ctx, hub.Eq("created_by", a.Account), hub.Eq("kind", n.Kind), hub.Eq("subject", n.Subject), hub.Eq("state", hub.ReportOpen))
		if err != nil {
			return err
		}
		if open > 0 {
			return fmt.Errorf("your report about %s waits for a moderator: %w", n.Subject, hub.ErrExists)
		}
		if err := spend(ctx, tx, a.Account, "reports", s.policy().ReportsDay, now); err != nil {
			return err
		}
		out = hub.Report{
			ID: hub.NewID("rep", now), Kind: n.Kind, Subject: n.Subject, Publisher: sub.publisher, Reason: n.Reason, Text: text,
			Evidence: n.Evidence, By: a.Account, State: hub.ReportOpen, Created: now,
		}
		if err := tx.Reports().Insert(ctx, &out); err != nil {
			return err
		}
		return hub.Record(ctx, tx, a, now, hub.ActReportCreate, "report "+out.ID, map[string]any{"kind": n.Kind, "subject": n.Subject, "reason": n.Reason})
	})
	return out, err
}

// ReportQuery asks for reports. The zero value: all open ones.
type ReportQuery struct {
	State     hub.ReportState // empty: open
	Kind      hub.SubjectKind // empty: any
	Subject   string          // empty: any
	Publisher string          // empty: any
	Reason    string          // empty: any
	Cursor    string
	Limit     int // 0: [hub.DefaultPage]; at most [hub.MaxPage]
}

// Reports returns the queue of reports, to who may see it: the gravest reason first, in
// the order of [Severity], and the oldest first among those.
func (s *Service) Reports(ctx context.Context, a hub.Actor, q ReportQuery) (hub.Page[hub.Report], error) {
	out := hub.Page[hub.Report]{}
	if err := a.May(hub.ActReportQueue, hub.Object{}); err != nil {
		return out, err
	}
	if q.State == "" {
		q.State = hub.ReportOpen
	}
	where := append([]hub.Cond{hub.Eq("state", q.State)}, given("kind", string(q.Kind), "subject", q.Subject, "publisher", q.Publisher)...)
	reasons := hub.Reasons()
	if q.Reason != "" {
		reasons = []string{q.Reason}
	}
	var groups []group
	for _, r := range reasons {
		groups = append(groups, group{r, hub.Eq("reason", r)})
	}
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		list := hub.Query{Where: where, Order: "created"}
		out, err = inGroups(ctx, tx.Reports(), "reports", groups, list, q.Cursor, q.Limit, func(r hub.Report) (string, []any) {
			return r.Reason, []any{r.Created, r.ID}
		})
		return err
	})
	return out, err
}

// given returns conditions for the columns whose value is not empty.
func given(columnsAndValues ...string) []hub.Cond {
	var out []hub.Cond
	for pair := range slices.Chunk(columnsAndValues, 2) {
		if pair[1] != "" {
			out = append(out, hub.Eq(pair[0], pair[1]))
		}
	}
	return out
}

// MyReports returns the actor's own reports, newest first.
func (s *Service) MyReports(ctx context.Context, a hub.Actor, cursor string, limit int) (hub.Page[hub.Report], error) {
	var out hub.Page[hub.Report]
	if err := a.May(hub.ActAccountRead, hub.Object{Account: a.Account}); err != nil {
		return out, err
	}
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		q := hub.Query{Where: []hub.Cond{hub.Eq("created_by", a.Account)}, Order: "created", Desc: true}
		out, err = hub.ListPage(ctx, tx.Reports(), q, cursor, limit, func(r hub.Report) []any { return []any{r.Created, r.ID} })
		return err
	})
	return out, err
}

// Report returns a report, to who made it and who may see the queue.
func (s *Service) Report(ctx context.Context, a hub.Actor, id string) (hub.Report, error) {
	if a.Account == "" && !a.System {
		return hub.Report{}, fmt.Errorf("report: %w", hub.ErrUnauthenticated)
	}
	var out hub.Report
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		out, err = tx.Reports().Get(ctx, id)
		return err
	})
	if err != nil {
		return hub.Report{}, err
	}
	own := out.By != "" && a.May(hub.ActAccountRead, hub.Object{Account: out.By}) == nil && out.By == a.Account
	if !own && !inQueue(a) {
		return hub.Report{}, fmt.Errorf("report %s: %w", id, hub.ErrNotFound)
	}
	return out, nil
}

// Severity returns how grave a reason is, 0 for the gravest: the place in [hub.Reasons].
// What is no reason sorts last.
func Severity(reason string) int {
	if i := slices.Index(hub.Reasons(), reason); i >= 0 {
		return i
	}
	return len(hub.Reasons())
}

// closeReports answers the open reports of a decision and returns who made them.
func closeReports(ctx context.Context, tx hub.Tx, sub subject, d hub.Decision, ids []string) ([]string, error) {
	var by []string
	for _, id := range ids {
		r, err := tx.Reports().Get(ctx, id)
		if errors.Is(err, hub.ErrNotFound) {
			return nil, hub.Invalid("reports", "has %.60q, which is none", id)
		} else if err != nil {
			return nil, err
		}
		same := r.Kind == sub.kind && r.Subject == sub.about
		if !same && (r.Publisher == "" || r.Publisher != sub.publisher) {
			return nil, hub.Invalid("reports", "has %s, which is about something else", id)
		}
		if r.State != hub.ReportOpen {
			return nil, fmt.Errorf("report %s is decided: %w", id, hub.ErrState)
		}
		r.State, r.Decision = hub.ReportDecided, d.ID
		if err := tx.Reports().Update(ctx, &r); err != nil {
			return nil, err
		}
		if r.By != "" && !slices.Contains(by, r.By) {
			by = append(by, r.By)
		}
	}
	return by, nil
}
