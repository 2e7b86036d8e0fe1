package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
	"github.com/souk-dev/souk/verify/scan"
)

// awayFor is how long a hub that does not answer is waited for, while a submission that is
// safe there is followed.
const awayFor = 10 * time.Minute

// words is a state for people.
func words(s hub.State) string {
	switch s {
	case hub.StateNeedsChanges:
		return "to be changed"
	case hub.StateInReview:
		return "in review"
	case hub.StateScanError:
		return "stuck at a scan"
	case hub.StateDraft:
		return "a draft"
	case hub.StateValidating:
		return "being checked"
	case hub.StateScanning:
		return "being scanned"
	}
	return string(s)
}

// next says what can be done about a submission now; empty: nothing.
func next(sub hub.Submission) string {
	switch sub.State {
	case hub.StateDraft:
		return "run `souk submit` to hand it in"
	case hub.StateNeedsChanges:
		return "fix it and run `souk submit` again; the version stays the same"
	case hub.StateInReview, hub.StateScanError:
		return fmt.Sprintf("people look at it; `souk comment %s` answers them", sub.ID)
	case hub.StateSubmitted, hub.StateValidating, hub.StateScanning, hub.StateApproved:
		return fmt.Sprintf("nothing to do; `souk status %s` shows how it goes on", sub.ID)
	case hub.StateRejected:
		return "appeal in the portal, on the page of the submission, or submit another version"
	case hub.StatePublished:
		return fmt.Sprintf("`souk rollout %s` says to how many panels it is offered", sub.Ref())
	case hub.StateYanked:
		return fmt.Sprintf("`souk unyank %s` takes that back", sub.Ref())
	}
	return ""
}

// settled reports whether a followed submission has come as far as one waits for it.
func settled(s hub.State, wait bool) bool {
	switch s {
	case hub.StateSubmitted, hub.StateValidating, hub.StateScanning, hub.StateApproved:
		return false
	case hub.StateInReview, hub.StateScanError:
		return !wait
	}
	return true
}

// follow shows what becomes of a submission, as it happens, and ends with what came of it.
// pkg is where the files of problems are.
func (a *app) follow(ctx context.Context, d *desk, id, pkg string, wait, asJSON bool) error {
	var (
		said  hub.State
		round int
		scans = map[string]hub.ScanState{}
		away  time.Time
	)
	for {
		sub, err := d.Submission(ctx, id)
		switch {
		case err == nil:
			away = time.Time{}
		case ctx.Err() == nil && errors.Is(err, hub.ErrUnavailable) && (away.IsZero() || a.now().Sub(away) < awayFor):
			if away.IsZero() {
				away = a.now()
				a.say("souk: %s does not answer; %s is safe there, trying again ...", d.Address(), id)
			}
			if err := sleep(ctx, a.poll); err != nil {
				return err
			}
			continue
		default:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return advise(err, "it was handed in; `souk status %s` shows how it goes on", id)
		}
		if sub.Round != round {
			round, scans = sub.Round, map[string]hub.ScanState{}
		}
		if sub.State != said {
			said = sub.State
			a.say("souk: %s %s", sub.Ref(), sentence(sub.Submission))
		}
		for _, s := range sub.Scans {
			if s.State != scans[s.Scanner] && s.State != hub.ScanWaiting {
				a.say("souk:   scanner %s: %s", s.Scanner, strings.TrimSuffix(string(s.State)+", "+s.Detail, ", "))
			}
			scans[s.Scanner] = s.State
		}
		if settled(sub.State, wait) {
			return a.outcome(sub, pkg, asJSON)
		}
		if err := sleep(ctx, a.poll); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// sentence says how a submission stands and why.
func sentence(sub hub.Submission) string {
	s := "is " + words(sub.State)
	if sub.Reason != "" {
		s += ": " + sub.Reason
	}
	return s
}

// outcome tells what came of a submission. It is errFound when its publisher has to act.
func (a *app) outcome(sub client.Submission, pkg string, asJSON bool) error {
	var err error
	if asJSON {
		err = a.result(sub)
	} else {
		err = a.detail(sub, pkg)
	}
	if err != nil {
		return err
	}
	switch sub.State {
	case hub.StateNeedsChanges, hub.StateRejected, hub.StateWithdrawn:
		return errFound
	}
	return nil
}

// detail prints all that a publisher has to know of a submission.
func (a *app) detail(sub client.Submission, pkg string) error {
	lines := []string{fmt.Sprintf("%s  %s  round %d", sub.Ref(), sub.ID, sub.Round), "  " + sentence(sub.Submission)}
	if sub.State == hub.StateInReview {
		lines = append(lines, fmt.Sprintf("  %d of %d approvals; risk %d of 100", sub.Approvals, sub.Needs, sub.Risk))
	}
	if sub.Via != "" {
		lines = append(lines, "  handed in by "+sub.Via)
	}
	for _, s := range sub.Scans {
		lines = append(lines, scanLines(s, pkg)...)
	}
	for _, r := range sub.Reviews {
		line := "  a reviewer: " + verdictWords(r.Verdict)
		if r.Reviewer == "" {
			line = "  by written policy: " + verdictWords(r.Verdict)
		}
		lines = append(lines, line+indented(r.Text))
	}
	for _, c := range sub.Comments {
		line := "  comment: "
		if c.File != "" {
			line = "  comment on " + placeOf(pkg, c.File, c.Line) + ": "
		}
		lines = append(lines, line+strings.ReplaceAll(c.Text, "\n", "\n    "))
	}
	for _, l := range lines {
		if err := a.print("%s", l); err != nil {
			return err
		}
	}
	if err := a.tell(pkg, sub.Problems); err != nil {
		return err
	}
	if what := next(sub.Submission); what != "" {
		a.say("next: %s", what)
	}
	return nil
}

func verdictWords(v hub.Verdict) string {
	switch v {
	case hub.VerdictApprove:
		return "approved"
	case hub.VerdictChanges:
		return "asks for changes"
	case hub.VerdictReject:
		return "rejected"
	}
	return string(v)
}

func indented(text string) string {
	if text == "" {
		return ""
	}
	return ": " + strings.ReplaceAll(text, "\n", "\n    ")
}

// scanLines are what a scanner said, and each thing that it found.
func scanLines(s hub.Scan, pkg string) []string {
	out := []string{fmt.Sprintf("  scanner %s: %s", s.Scanner, strings.TrimSuffix(string(s.State)+", "+s.Detail, ", "))}
	var report scan.Report
	if len(s.Report) == 0 || json.Unmarshal(s.Report, &report) != nil {
		return out // its state and detail are said
	}
	for _, f := range report.Findings {
		line := fmt.Sprintf("    %s: %s: %s", placeOf(pkg, f.File, f.Line), f.Severity, f.Title)
		if f.Detail != "" {
			line += ": " + f.Detail
		}
		out = append(out, line+" ("+f.Rule+")")
		if f.Advice != "" {
			out = append(out, "        "+f.Advice)
		}
	}
	return out
}

// target finds the submission that somebody means: its id, or the newest one of a release
// "acme/backup@1.2.0".
func (d *desk) target(ctx context.Context, what string) (hub.Submission, error) {
	if strings.HasPrefix(what, "sub_") {
		sub, err := d.Submission(ctx, what)
		return sub.Submission, err
	}
	ref, err := catalog.ParseRef(what)
	if err != nil {
		return hub.Submission{}, usage("%.200q is neither a submission (sub_...) nor a release (acme/backup@1.2.0)", what)
	}
	sub, err := d.latest(ctx, ref)
	if err == nil && sub.ID == "" {
		err = advise(fmt.Errorf("there is no submission of %s", ref), "`souk status %s` lists those of the plugin", ref.Plugin)
	}
	return sub, err
}
