package publishing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

// scanWait is the wait before a scanner that went wrong tries again, times its tries.
const scanWait = 30 * time.Second

// scanners returns all scanners by name.
func (s *Service) scanners() map[string]scan.Scanner {
	out := make(map[string]scan.Scanner)
	for _, c := range slices.Concat(s.o.Scanners, s.o.Optional) {
		out[c.Name()] = c
	}
	return out
}

func (s *Service) scannerNames() []string {
	var out []string
	for _, c := range slices.Concat(s.o.Scanners, s.o.Optional) {
		out = append(out, c.Name())
	}
	return out
}

func (s *Service) optional(name string) bool {
	return slices.ContainsFunc(s.o.Optional, func(c scan.Scanner) bool { return c.Name() == name })
}

// pending reports whether a scanner has to run, again or at all. One that was running
// when its process died counts as a try.
func pending(c hub.Scan, attempts int) bool {
	switch c.State {
	case hub.ScanWaiting:
		return true
	case hub.ScanRunning, hub.ScanError:
		return c.Attempts < attempts
	}
	return false
}

// scanJob lets the scanners look, and then decides where a submission goes.
func (s *Service) scanJob(ctx context.Context, j hub.Job) error {
	var (
		sub   hub.Submission
		scans []hub.Scan
	)
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		if sub, err = tx.Submissions().Get(ctx, j.Subject); err != nil {
			return unlessGone(err)
		}
		scans, err = scansOf(ctx, tx, sub)
		return err
	})
	if err != nil || sub.State != hub.StateScanning {
		return err
	}
	leave, err := s.place(ctx)
	if err != nil {
		return err
	}
	defer leave()
	p, err := s.look(ctx, s.staging(sub.Plugin), sub.Plugin, sub.Version, sub.Digest)
	if err != nil {
		return s.scanFault(ctx, j, sub, err)
	}
	files, err := s.unpack(ctx, p)
	if err != nil {
		return s.scanFault(ctx, j, sub, err)
	}
	if scans, err = s.runScans(ctx, sub, p, files, scans); err != nil {
		return err
	}
	policy, tried, failed := s.policy(), 0, 0
	for _, c := range scans {
		if c.State != hub.ScanError && c.State != hub.ScanRunning {
			continue
		}
		if failed++; c.Attempts < policy.ScanAttempts {
			tried = max(tried, c.Attempts)
		}
	}
	if tried > 0 {
		return &hub.Snooze{After: time.Duration(tried) * scanWait}
	}
	d, in, err := s.compare(ctx, sub, p, files, scans)
	if err != nil {
		if fault := (*faultError)(nil); errors.As(err, &fault) {
			err = fmt.Errorf("%w: %w", catalog.ErrUnavailable, err) // of the release before: not this publisher's fault
		}
		return later(j, err)
	}
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		sub, same, err := stillAt(ctx, tx, sub, hub.StateScanning)
		if err != nil || !same {
			return err
		}
		if failed > 0 {
			return s.scanFailed(ctx, tx, policy, &sub, d, in, scans)
		}
		return s.enterReview(ctx, tx, policy, &sub, d, in)
	})
}

// scanFault is for what validation saw and is not there, or not the same, any more: the
// publisher deleted or changed it.
func (s *Service) scanFault(ctx context.Context, j hub.Job, was hub.Submission, err error) error {
	fault := (*faultError)(nil)
	if !errors.As(err, &fault) {
		return later(j, err)
	}
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		sub, same, err := stillAt(ctx, tx, was, hub.StateScanning)
		if err != nil || !same {
			return err
		}
		return s.move(ctx, tx, hub.SystemActor(j.Kind), &sub, hub.StateNeedsChanges, "what was submitted cannot be read any more: "+fault.Error())
	})
}

// runScans runs the scanners that have not said anything final yet, and keeps what they
// say.
func (s *Service) runScans(ctx context.Context, sub hub.Submission, p *pushed, files fs.FS, scans []hub.Scan) ([]hub.Scan, error) {
	policy, known := s.policy(), s.scanners()
	var run []scan.Scanner
	started := s.now()
	err := s.env.Store.Update(ctx, func(tx hub.Tx) error {
		run = nil
		for i := range scans {
			c := scans[i]
			if !pending(c, policy.ScanAttempts) {
				continue
			}
			scanner, there := known[c.Scanner]
			c.State, c.Started, c.Finished = hub.ScanRunning, started, time.Time{}
			c.Attempts++
			if !there { // the operator took it away meanwhile
				c.State, c.Finished, c.Detail = hub.ScanUnavailable, started, "is not configured any more"
			} else {
				run = append(run, scanner)
			}
			if err := tx.Scans().Put(ctx, &c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(run) == 0 {
		return s.keptScans(ctx, sub, err)
	}
	set, err := scan.NewSet(scan.Options{Scanners: run, Timeout: policy.ScanTimeout, Now: s.env.Now, Log: s.env.Log})
	if err != nil {
		return nil, err
	}
	wants, _, err := p.release.Manifest.Wants()
	if err != nil {
		return nil, err
	}
	result := set.Run(ctx, files, scan.Subject{
		Plugin: sub.Plugin, Version: sub.Version, Digest: p.release.Digest, Runtime: p.release.Manifest.Runtime.Kind,
		Permissions: wants, Popular: s.popular,
	})
	s.scans.Go(set.Wait)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx) // the hub stops: not the scanners' fault, and a try all the same
	}
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		for _, r := range result.Reports {
			c, err := tx.Scans().Get(ctx, sub.ID, sub.Round, r.Scanner)
			if err != nil {
				return unlessGone(err)
			}
			if err := s.judgeScan(&c, r); err != nil {
				return err
			}
			if err := tx.Scans().Put(ctx, &c); err != nil {
				return err
			}
		}
		return nil
	})
	return s.keptScans(ctx, sub, err)
}

func (s *Service) keptScans(ctx context.Context, sub hub.Submission, err error) ([]hub.Scan, error) {
	if err != nil {
		return nil, err
	}
	return inView(ctx, s, func(tx hub.Tx) ([]hub.Scan, error) { return scansOf(ctx, tx, sub) })
}

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
			c.Detail = fmt.Sprintf("found nothing that blocks, %d things to look at", n)
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
