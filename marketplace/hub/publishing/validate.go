package publishing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

// retryAfter is how long a job waits for a registry that does not answer, once its
// quick tries are used up. It never gives up: nothing is wrong with the submission.
const retryAfter = 10 * time.Minute

// later is what a job returns that could not be done for a reason which passes.
func later(j hub.Job, err error) error {
	most := j.MaxAttempts
	if most == 0 {
		most = 10
	}
	if j.Attempt >= most {
		return &hub.Snooze{After: retryAfter}
	}
	return err
}

// unlessGone is for jobs about something that is not there any more.
func unlessGone(err error) error {
	if errors.Is(err, hub.ErrNotFound) {
		return fmt.Errorf("%w: %w", hub.ErrGiveUp, err)
	}
	return err
}

// stillAt loads a submission that a job works on, as long as it is the same round and
// digest in one of the states; otherwise somebody else decided, and the job is over.
func stillAt(ctx context.Context, tx hub.Tx, was hub.Submission, states ...hub.State) (hub.Submission, bool, error) {
	sub, err := tx.Submissions().Get(ctx, was.ID)
	if err != nil {
		return sub, false, unlessGone(err)
	}
	return sub, sub.Round == was.Round && sub.Digest == was.Digest && slices.Contains(states, sub.State), nil
}

// verdict is what validation found.
type verdict struct {
	manifest json.RawMessage // canonical; nil when it could not be read
	signer   string
	notes    *publish.Notes // from the changelog, when the submission has none
	problems []publish.Problem
}

// validateJob holds a submission to the rules.
func (s *Service) validateJob(ctx context.Context, j hub.Job) error {
	system := hub.SystemActor(j.Kind)
	var work bool
	sub, err := inUpdate(ctx, s, func(tx hub.Tx) (sub hub.Submission, err error) {
		sub, err = tx.Submissions().Get(ctx, j.Subject)
		work = sub.State == hub.StateSubmitted || sub.State == hub.StateValidating
		if err != nil || sub.State != hub.StateSubmitted {
			return sub, unlessGone(err)
		}
		return sub, hub.MoveSubmission(ctx, tx, system, s.now(), &sub, hub.StateValidating, "is being checked")
	})
	if err != nil || !work {
		return err
	}
	v, err := s.validate(ctx, sub)
	if err != nil {
		return later(j, err)
	}
	if v.problems == nil {
		v.problems = []publish.Problem{} // never null
	}
	problems, err := json.Marshal(v.problems)
	if err != nil {
		return err
	}
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		sub, same, err := stillAt(ctx, tx, sub, hub.StateValidating)
		if err != nil || !same {
			return err
		}
		sub.Manifest, sub.Signer, sub.Problems = v.manifest, v.signer, problems
		if v.notes != nil {
			if err := (Revision{Notes: v.notes}).apply(&sub); err != nil {
				return err
			}
		}
		if publish.HasErrors(v.problems) {
			return s.move(ctx, tx, system, &sub, hub.StateNeedsChanges, summary(v.problems))
		}
		for _, name := range s.scannerNames() {
			if err := tx.Scans().Put(ctx, &hub.Scan{Submission: sub.ID, Round: sub.Round, Scanner: name, State: hub.ScanWaiting}); err != nil {
				return err
			}
		}
		if err := s.move(ctx, tx, system, &sub, hub.StateScanning, "is being scanned"); err != nil {
			return err
		}
		return tx.Enqueue(ctx, hub.Job{Kind: hub.JobScan, Subject: sub.ID})
	})
}

// summary says in a sentence what is wrong.
func summary(problems []publish.Problem) string {
	errs := slices.DeleteFunc(slices.Clone(problems), func(p publish.Problem) bool { return p.Severity == publish.SeverityWarning })
	if len(errs) == 1 {
		return clip("validation: " + errs[0].String())
	}
	return clip(fmt.Sprintf("validation: %d things to change, the first: %s", len(errs), errs[0]))
}

// clip makes a reason that holds texts of others fit for a line.
func clip(s string) string { return scan.Printable(s, 2*maxReason) }

// validate looks at what was submitted. An error is one that may be gone at the next
// try; what is wrong with the submission stands in the verdict.
func (s *Service) validate(ctx context.Context, sub hub.Submission) (verdict, error) {
	in, who, err := s.rules(ctx, sub)
	if err != nil {
		return verdict{}, err
	}
	p, err := s.look(ctx, s.staging(sub.Plugin), sub.Plugin, sub.Version, sub.Digest)
	if err != nil {
		return faulty(verdict{}, err)
	}
	v := verdict{}
	if v.manifest, err = p.release.Manifest.Canonical(); err != nil {
		return v, err
	}
	if most := s.policy().MaxPackage; p.artifact.Content.Size > most {
		return faulty(v, &faultError{RuleLimit, fmt.Errorf("has %d bytes, more than the %d that this hub takes", p.artifact.Content.Size, most)})
	}
	if v.signer, err = s.signer(ctx, p, who); err != nil {
		if v, err = faulty(v, err); err != nil {
			return v, err
		}
	}
	leave, err := s.place(ctx)
	if err != nil {
		return v, err
	}
	defer leave()
	files, err := s.unpack(ctx, p)
	if err != nil {
		return faulty(v, err)
	}
	in.Files, in.Manifest = files, &p.release.Manifest
	if len(sub.Notes) > 0 {
		in.Notes = new(publish.Notes)
		if err := json.Unmarshal(sub.Notes, in.Notes); err != nil {
			return v, fmt.Errorf("kept notes of %s: %w", sub.ID, err)
		}
	}
	if in.Notes == nil || in.Notes.Empty() {
		in.Notes = nil
		if b, err := readFile(files, p.release.Manifest.Changelog, catalog.MaxMedia); err == nil {
			if found, err := publish.FindNotes(b, sub.Version); err == nil {
				v.notes = &found // what is wrong with the changelog is among the problems
			}
		}
	}
	v.problems = append(v.problems, publish.Validate(ctx, in)...)
	return v, context.Cause(ctx)
}

// faulty adds a fault to a verdict; another error is returned.
func faulty(v verdict, err error) (verdict, error) {
	fault := (*faultError)(nil)
	if !errors.As(err, &fault) {
		return v, err
	}
	v.problems = append(v.problems, publish.Problem{
		Severity: publish.SeverityError, Rule: fault.rule, Message: fault.Error(), Advice: adviceOn(fault.rule),
	})
	return v, nil
}

func adviceOn(rule string) string {
	switch rule {
	case RulePushed:
		return "push the package with `souk push`, then submit its digest"
	case RuleArtifact:
		return "pack and push again with `souk pack` and `souk push`"
	case RuleSignature:
		return "sign it with `souk sign` by a key or identity that stands among the publisher's signers"
	}
	return ""
}

// rules returns what a submission is held to, and who may sign it.
func (s *Service) rules(ctx context.Context, sub hub.Submission) (in publish.Input, who []verify.Identity, err error) {
	now := s.now()
	err = s.env.Store.View(ctx, func(tx hub.Tx) error {
		in, who = publish.Input{}, nil
		all, err := signers(ctx, tx, sub.Publisher)
		if err != nil {
			return err
		}
		who = validSigners(all, now)
		previous, err := hub.ReleasesOf(ctx, tx, sub.Plugin)
		if err != nil {
			return err
		}
		for _, r := range previous {
			one, err := release(r)
			if err != nil {
				return err
			}
			in.Previous = append(in.Previous, one)
		}
		categories, err := tx.Categories().List(ctx, hub.Query{})
		if err != nil {
			return err
		}
		for _, c := range categories {
			in.Categories = append(in.Categories, c.Slug)
		}
		reserved, err := tx.Reserved().List(ctx, hub.Query{})
		for _, r := range reserved {
			if r.Name == sub.Publisher || len(previous) > 0 {
				continue // who has a name keeps it
			}
			in.Reserved = append(in.Reserved, publish.Reservation{Name: r.Name, Reason: r.Reason})
		}
		return err
	})
	return in, who, err
}
