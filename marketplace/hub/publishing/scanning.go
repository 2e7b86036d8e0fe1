package publishing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
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
		return s.move(ctx, tx, hub.SystemActor(j.Kind), &sub, hub.StateNeedsChanges, clip("what was submitted cannot be read any more: "+fault.Error()))
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
