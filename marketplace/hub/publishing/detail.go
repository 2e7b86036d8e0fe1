package publishing

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
)

// Submission returns a submission with all that belongs to it, for its publisher's
// members and the hub's staff; for others it is not there.
func (s *Service) Submission(ctx context.Context, a hub.Actor, id string) (Detail, error) {
	return inView(ctx, s, func(tx hub.Tx) (d Detail, err error) {
		if d.Submission, err = readable(ctx, tx, a, id); err != nil {
			return Detail{}, err
		}
		round := []hub.Cond{hub.Eq("submission", id), hub.Eq("round", d.Round)}
		if d.Scans, err = tx.Scans().List(ctx, hub.Query{Where: round}); err != nil {
			return Detail{}, err
		}
		if d.Reviews, err = tx.Reviews().List(ctx, hub.Query{Where: round}); err != nil {
			return Detail{}, err
		}
		if d.Comments, err = comments(ctx, tx, a, d.Submission); err != nil {
			return Detail{}, err
		}
		if d.Problems, err = problemsOf(d.Submission); err != nil {
			return Detail{}, err
		}
		if d.Diff, err = diffOf(d.Submission); err != nil {
			return Detail{}, err
		}
		d.Approved = len(approvals(d.Reviews, d.Submission))
		d.May = actions(a, d.Submission)
		return d, nil
	})
}

// readable loads a submission that the actor may read.
func readable(ctx context.Context, tx hub.Tx, a hub.Actor, id string) (hub.Submission, error) {
	if err := notIn(a); err != nil {
		return hub.Submission{}, err
	}
	sub, err := tx.Submissions().Get(ctx, id)
	if err != nil {
		return hub.Submission{}, err
	}
	if err := mayDo(a, hub.ActSubmissionRead, sub); err != nil {
		return hub.Submission{}, err
	}
	return sub, nil
}

// comments are those that the actor may read, oldest first.
func comments(ctx context.Context, tx hub.Tx, a hub.Actor, sub hub.Submission) ([]hub.Comment, error) {
	all, err := tx.Comments().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("submission", sub.ID)}})
	if a.May(hub.ActReviewInternal, objectOf(sub)) != nil {
		all = slices.DeleteFunc(all, func(c hub.Comment) bool { return c.Internal })
	}
	return all, err
}

func problemsOf(sub hub.Submission) ([]publish.Problem, error) {
	if len(sub.Problems) == 0 {
		return nil, nil
	}
	var out []publish.Problem
	if err := json.Unmarshal(sub.Problems, &out); err != nil {
		return nil, fmt.Errorf("kept problems of %s: %w", sub.ID, err)
	}
	return out, nil
}

func diffOf(sub hub.Submission) (*Diff, error) {
	if len(sub.Diff) == 0 {
		return nil, nil
	}
	d := new(Diff)
	if err := json.Unmarshal(sub.Diff, d); err != nil {
		return nil, fmt.Errorf("kept differences of %s: %w", sub.ID, err)
	}
	return d, nil
}

func actions(a hub.Actor, sub hub.Submission) Actions {
	may := func(act hub.Action, states ...hub.State) bool {
		return (len(states) == 0 || slices.Contains(states, sub.State)) && a.May(act, objectOf(sub)) == nil
	}
	can := func(to hub.State) bool { return slices.Contains(hub.Transitions()[sub.State], to) }
	return Actions{
		Revise:   may(hub.ActSubmissionSubmit, hub.StateDraft, hub.StateNeedsChanges),
		Submit:   may(hub.ActSubmissionSubmit, hub.StateDraft, hub.StateNeedsChanges),
		Withdraw: may(hub.ActSubmissionWithdraw) && can(hub.StateWithdrawn) && sub.State != hub.StatePublished && sub.State != hub.StateYanked,
		Comment:  may(hub.ActSubmissionComment),
		Internal: may(hub.ActReviewInternal),
		Decide:   may(hub.ActReviewDecide, hub.StateInReview) && sub.By != a.Account,
		Retry:    may(hub.ActScanRetry, hub.StateScanError),
		Appeal:   may(hub.ActAppealCreate, hub.StateRejected),
	}
}

// Queue lists what waits for a reviewer: in review or with a scan that went wrong, the
// highest risk first and of the same the oldest; at most limit (0: [hub.DefaultPage], at
// most [hub.MaxPage]). The number is of all that wait.
func (s *Service) Queue(ctx context.Context, a hub.Actor, limit int) ([]hub.Submission, int, error) {
	if err := a.May(hub.ActReviewQueue, hub.Object{}); err != nil {
		return nil, 0, err
	}
	waiting := hub.In("state", []hub.State{hub.StateInReview, hub.StateScanError})
	var n int64
	all, err := inView(ctx, s, func(tx hub.Tx) (all []hub.Submission, err error) {
		if n, err = tx.Submissions().Count(ctx, waiting); err != nil {
			return nil, err
		}
		return tx.Submissions().List(ctx, hub.Query{Where: []hub.Cond{waiting}, Order: "risk", Desc: true})
	})
	if err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(all, func(x, y hub.Submission) int {
		return cmp.Or(cmp.Compare(y.Risk, x.Risk), x.Submitted.Compare(y.Submitted), cmp.Compare(x.ID, y.ID))
	})
	return all[:min(len(all), hub.Limit(limit))], int(n), nil
}

// Timeline returns all that happened to a submission, oldest first.
func (s *Service) Timeline(ctx context.Context, a hub.Actor, id string) ([]Step, error) {
	return inView(ctx, s, func(tx hub.Tx) ([]Step, error) {
		sub, err := readable(ctx, tx, a, id)
		if err != nil {
			return nil, err
		}
		of := []hub.Cond{hub.Eq("submission", id)}
		log, err := tx.Audit().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("target", "submission "+id)}})
		if err != nil {
			return nil, err
		}
		var out []Step
		for _, line := range log {
			switch line.Action {
			case hub.ActSubmissionCreate:
				out = append(out, Step{At: line.At, Kind: "state", Actor: line.Actor, Round: 1, State: hub.StateDraft, Text: "named"})
			case hub.ActSubmissionMoved:
				var m hub.Moved
				if err := json.Unmarshal(line.Detail, &m); err != nil {
					return nil, fmt.Errorf("audit line %d: %w", line.Seq, err)
				}
				out = append(out, Step{At: line.At, Kind: "state", Actor: line.Actor, Round: m.Round, State: m.To, Text: m.Reason})
			}
		}
		scans, err := tx.Scans().List(ctx, hub.Query{Where: of})
		for _, c := range scans {
			if !c.Finished.IsZero() {
				out = append(out, Step{At: c.Finished, Kind: "scan", Round: c.Round, Scanner: c.Scanner, Scan: c.State, Text: c.Detail})
			}
		}
		reviews, err2 := tx.Reviews().List(ctx, hub.Query{Where: of})
		for _, r := range reviews {
			out = append(out, Step{At: r.Created, Kind: "review", Actor: r.Reviewer, Round: r.Round, Verdict: r.Verdict, Text: r.Text})
		}
		said, err3 := comments(ctx, tx, a, sub)
		for _, c := range said {
			out = append(out, Step{At: c.Created, Kind: "comment", Actor: c.Author, Round: c.Round, File: c.File, Line: c.Line, Text: c.Text, Internal: c.Internal})
		}
		slices.SortStableFunc(out, func(x, y Step) int { return x.At.Compare(y.At) })
		return out, errors.Join(err, err2, err3)
	})
}
