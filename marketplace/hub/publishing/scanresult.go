package publishing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

// judgeScan writes a report into the record of a scan. Only a verdict is a pass.
func (s *Service) judgeScan(c *hub.Scan, r scan.Report) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	c.Report, c.Finished = b, s.now()
	blocking := slices.IndexFunc(r.Findings, scan.Finding.Blocks)
	switch {
	case r.Unavailable && s.optional(c.Scanner):
		c.State, c.Detail = hub.ScanUnavailable, "is not available: "+r.Error
	case r.Verdict == verify.VerdictPass && blocking < 0:
		c.State, c.Detail = hub.ScanClean, "found nothing"
		if n := len(r.Findings); n > 0 {
			c.Detail = fmt.Sprintf("found nothing that blocks; worth a look: %d", n)
		}
	case r.Verdict == verify.VerdictFail || blocking >= 0:
		c.State, c.Detail = hub.ScanFound, "says no"
		if blocking >= 0 {
			f := r.Findings[blocking]
			c.Detail = f.Title
			if f.File != "" {
				c.Detail += " in " + f.File
			}
		}
	case r.Verdict == verify.VerdictNotConfigured:
		c.State, c.Detail = hub.ScanUnavailable, "had nothing to look at"
	default:
		c.State, c.Detail = hub.ScanError, r.Error
	}
	return nil
}

// popular are the plugins that others pretend to be.
func (s *Service) popular(ctx context.Context) ([]string, error) {
	if s.o.Popular != nil {
		return s.o.Popular(ctx)
	}
	const most = 20_000 // comparing takes microseconds each
	return inView(ctx, s, func(tx hub.Tx) (out []string, err error) {
		for last := ""; len(out) < most; {
			page, err := tx.Plugins().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("state", hub.PluginListed), hub.Gt("id", last)}})
			if err != nil {
				return nil, err
			}
			for _, p := range page {
				last = p.ID
				out = append(out, p.ID)
			}
			if len(page) < hub.MaxList {
				break
			}
		}
		return out, nil
	})
}

// scanFailed is for a scanner that went wrong at every try: a person decides.
func (s *Service) scanFailed(ctx context.Context, tx hub.Tx, p hub.Policy, sub *hub.Submission, d Diff, in RiskInput, scans []hub.Scan) error {
	if _, err := assess(p, sub, d, in); err != nil {
		return err
	}
	reason := "a scan could not be made"
	for _, c := range scans {
		if c.State == hub.ScanError || c.State == hub.ScanRunning {
			reason = fmt.Sprintf("the scanner %s did not come to its end in %d tries: %s", c.Scanner, c.Attempts, c.Detail)
			if c.State == hub.ScanRunning {
				c.State, c.Detail, c.Finished = hub.ScanError, "the hub ended while it ran", s.now()
				if err := tx.Scans().Put(ctx, &c); err != nil {
					return err
				}
			}
		}
	}
	return s.move(ctx, tx, hub.SystemActor(hub.JobScan), sub, hub.StateScanError, reason+"; a reviewer decides")
}

// assess writes differences and risk into a submission.
func assess(p hub.Policy, sub *hub.Submission, d Diff, in RiskInput) (Risk, error) {
	r := Assess(in)
	d.Risk = r.Reasons
	b, err := json.Marshal(d)
	if err != nil {
		return r, err
	}
	sub.Diff, sub.Risk, sub.Grew, sub.Needs = b, r.Score, r.Grew, p.Reviewers
	if r.Grew {
		sub.Needs = max(p.Reviewers, p.ReviewersGrown)
	}
	return r, nil
}

// RetryScans lets the scanners that went wrong try again.
func (s *Service) RetryScans(ctx context.Context, a hub.Actor, id string) (hub.Submission, error) {
	return s.change(ctx, a, hub.ActScanRetry, id, func(tx hub.Tx, sub *hub.Submission) error {
		if sub.State != hub.StateScanError {
			return fmt.Errorf("%s is %s: %w", sub.Ref(), sub.State, hub.ErrState)
		}
		all, err := scansOf(ctx, tx, *sub)
		if err != nil {
			return err
		}
		for _, c := range all {
			if c.State != hub.ScanError && c.State != hub.ScanRunning {
				continue
			}
			c.State, c.Attempts, c.Detail = hub.ScanWaiting, 0, ""
			if err := tx.Scans().Put(ctx, &c); err != nil {
				return err
			}
		}
		if err := s.move(ctx, tx, a, sub, hub.StateScanning, "is scanned again"); err != nil {
			return err
		}
		return tx.Enqueue(ctx, hub.Job{Kind: hub.JobScan, Subject: sub.ID})
	})
}

// TakeToReview takes a submission whose scan went wrong into review without it, with a
// reason that stands in its history. The failed scan stays shown, and is no pass: more
// than one person has to approve.
func (s *Service) TakeToReview(ctx context.Context, a hub.Actor, id, reason string) (hub.Submission, error) {
	if err := checkProse(reason, maxText); err != nil || reason == "" {
		return hub.Submission{}, hub.Invalid("reason", "must say why in at most %d characters", maxText)
	}
	p := s.policy()
	return s.change(ctx, a, hub.ActScanRetry, id, func(tx hub.Tx, sub *hub.Submission) error {
		if sub.State != hub.StateScanError {
			return fmt.Errorf("%s is %s: %w", sub.Ref(), sub.State, hub.ErrState)
		}
		d, err := diffOf(*sub)
		if err != nil || d == nil {
			return errors.Join(err, fmt.Errorf("%s was not compared: %w", sub.Ref(), hub.ErrState))
		}
		skipped := Reason{Rule: "scan-skipped", Points: 15, Grew: true, Text: "It was taken to review although not every scan could be made."}
		d.Risk = append(d.Risk, skipped)
		if sub.Diff, err = json.Marshal(d); err != nil {
			return err
		}
		sub.Risk, sub.Grew, sub.Needs = min(100, sub.Risk+skipped.Points), true, max(p.Reviewers, p.ReviewersGrown)
		return s.move(ctx, tx, a, sub, hub.StateInReview, reason)
	})
}
