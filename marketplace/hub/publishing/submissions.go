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
)

// Bounds of what a publisher submits.
const (
	maxPlugins  = 1000 // of a publisher
	maxReleases = 2000 // of a plugin: a catalog's record of it holds some 5,000
	maxRounds   = 50   // of a submission; whoever needs more starts another one
)

// CreateSubmission names a version of a plugin, as a draft. There is at most one open
// submission of a version ([hub.ErrExists]), and none of a published one.
func (s *Service) CreateSubmission(ctx context.Context, a hub.Actor, in NewSubmission) (hub.Submission, error) {
	id, err := catalog.ParsePluginID(in.Plugin)
	if err != nil {
		return hub.Submission{}, hub.Invalid("plugin", "is not publisher/name")
	}
	if err := a.May(hub.ActSubmissionCreate, hub.Object{Publisher: id.Publisher(), Plugin: in.Plugin}); err != nil {
		return hub.Submission{}, err
	}
	sub, err := newSubmission(in)
	if err != nil {
		return hub.Submission{}, err
	}
	now, policy := s.now(), s.policy()
	sub.ID, sub.Publisher, sub.By, sub.Via = hub.NewID("sub", now), id.Publisher(), a.Account, via(a)
	sub.Created, sub.Updated = now, now
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Submission, error) {
		one := sub
		if err := s.mayPublish(ctx, tx, one.Publisher, policy); err != nil {
			return one, err
		}
		if err := freeVersion(ctx, tx, in.Plugin, in.Version); err != nil {
			return one, err
		}
		day := []hub.Cond{hub.Eq("created_by", a.Account), hub.Ge("created", now.Add(-24*time.Hour))}
		switch n, err := tx.Submissions().Count(ctx, day...); {
		case err != nil:
			return one, err
		case n >= int64(policy.SubmissionsDay):
			return one, &hub.LimitError{What: fmt.Sprintf("%d submissions a day", policy.SubmissionsDay), After: time.Hour}
		}
		if err := s.knowPlugin(ctx, tx, id, now); err != nil {
			return one, err
		}
		if err := tx.Submissions().Insert(ctx, &one); err != nil {
			return one, err
		}
		return one, hub.Record(ctx, tx, a, now, hub.ActSubmissionCreate, "submission "+one.ID, map[string]string{"release": one.Ref()})
	})
}

func newSubmission(in NewSubmission) (hub.Submission, error) {
	if _, err := catalog.ParseVersion(in.Version); err != nil {
		return hub.Submission{}, hub.Invalid("version", "is not a version like 1.4.2 or 2.0.0-beta.1")
	}
	channel := publish.Channel(in.Version)
	if in.Channel != "" && in.Channel != channel {
		return hub.Submission{}, hub.Invalid("channel", "is %q by the version", channel)
	}
	sub := hub.Submission{
		Plugin: in.Plugin, Version: in.Version, Channel: channel, State: hub.StateDraft, Round: 1, Percent: 100,
	}
	r := Revision{Notes: &in.Notes}
	if in.Percent != 0 {
		r.Percent = &in.Percent
	}
	return sub, r.apply(&sub)
}

// apply writes what was given into a submission.
func (r Revision) apply(sub *hub.Submission) error {
	if r.Percent != nil {
		if *r.Percent < 1 || *r.Percent > 100 {
			return hub.Invalid("percent", "must be between 1 and 100")
		}
		sub.Percent = *r.Percent
	}
	if r.Notes == nil {
		return nil
	}
	if err := r.Notes.Check(); err != nil {
		return hub.Invalid("notes", "%v", err)
	}
	b, err := json.Marshal(r.Notes)
	if err != nil {
		return err
	}
	sub.Notes, sub.NotesText = b, r.Notes.Markdown()
	return nil
}

// via says for people how a submission came, when it was not by a browser.
func via(a hub.Actor) string {
	switch {
	case a.Token == nil:
		return ""
	case a.Token.Workload != "":
		return a.Token.Workload
	}
	return "token " + a.Token.Name
}

// mayPublish says why a publisher cannot publish now.
func (s *Service) mayPublish(ctx context.Context, tx hub.Tx, namespace string, policy hub.Policy) error {
	p, err := tx.Publishers().Get(ctx, namespace)
	switch {
	case err != nil:
		return err
	case p.State != hub.PublisherActive:
		return fmt.Errorf("%s is suspended: %s: %w", namespace, p.Reason, hub.ErrState)
	case policy.NeedVerified && !p.Verified:
		return fmt.Errorf("%s has no proof of who it is, which this hub asks for: %w", namespace, hub.ErrState)
	}
	return nil
}

// freeVersion says why a version cannot be submitted.
func freeVersion(ctx context.Context, tx hub.Tx, plugin, version string) error {
	switch _, err := tx.Releases().Get(ctx, plugin, version); {
	case err == nil:
		return fmt.Errorf("%s@%s is published, and a release never changes: %w", plugin, version, hub.ErrExists)
	case !errors.Is(err, hub.ErrNotFound):
		return err
	}
	all, err := tx.Submissions().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("plugin", plugin), hub.Eq("version", version)}})
	if err != nil {
		return err
	}
	for _, other := range all {
		if other.State.Open() {
			return fmt.Errorf("%s@%s is submitted already, as %s: %w", plugin, version, other.ID, hub.ErrExists)
		}
	}
	return nil
}

// knowPlugin takes the name of a plugin at its first submission.
func (s *Service) knowPlugin(ctx context.Context, tx hub.Tx, id catalog.PluginID, now time.Time) error {
	switch _, err := tx.Plugins().Get(ctx, string(id)); {
	case err == nil:
		return nil
	case !errors.Is(err, hub.ErrNotFound):
		return err
	}
	switch r, err := tx.Reserved().Get(ctx, string(id)); {
	case err == nil:
		return hub.Invalid("plugin", "is reserved: %s", r.Reason)
	case !errors.Is(err, hub.ErrNotFound):
		return err
	}
	n, err := tx.Plugins().Count(ctx, hub.Eq("publisher", id.Publisher()))
	if err != nil {
		return err
	}
	if n >= maxPlugins {
		return &hub.LimitError{What: fmt.Sprintf("%d plugins a publisher", maxPlugins)}
	}
	p := hub.Plugin{ID: string(id), Publisher: id.Publisher(), Name: id.Name(), State: hub.PluginNew, Created: now, Updated: now}
	return tx.Plugins().Insert(ctx, &p)
}

// change loads a submission, checks that the actor may do act to it, and changes it.
func (s *Service) change(ctx context.Context, a hub.Actor, act hub.Action, id string, f func(hub.Tx, *hub.Submission) error) (hub.Submission, error) {
	if err := notIn(a); err != nil {
		return hub.Submission{}, err
	}
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Submission, error) {
		sub, err := tx.Submissions().Get(ctx, id)
		if err != nil {
			return sub, err
		}
		if err := mayDo(a, act, sub); err != nil {
			return sub, err
		}
		return sub, f(tx, &sub)
	})
}

// notIn is what is said to somebody who is not signed in, instead of "not there".
func notIn(a hub.Actor) error {
	if a.Account == "" && !a.System {
		return hub.ErrUnauthenticated
	}
	return nil
}

func objectOf(sub hub.Submission) hub.Object {
	return hub.Object{Publisher: sub.Publisher, Plugin: sub.Plugin}
}

// mayDo checks an action on a submission. To who may not even read it, it is not there.
func mayDo(a hub.Actor, act hub.Action, sub hub.Submission) error {
	err := a.May(act, objectOf(sub))
	if err == nil || member(a, sub) || a.May(hub.ActSubmissionRead, objectOf(sub)) == nil {
		return err
	}
	return hide(err)
}

func member(a hub.Actor, sub hub.Submission) bool { return a.Memberships[sub.Publisher] != "" }

// Revise changes a draft, or what needs changes. rev is the revision that was read; 0
// overwrites whatever is there.
func (s *Service) Revise(ctx context.Context, a hub.Actor, id string, rev int64, in Revision) (hub.Submission, error) {
	return s.change(ctx, a, hub.ActSubmissionSubmit, id, func(tx hub.Tx, sub *hub.Submission) error {
		if err := checkRev(rev, sub.Rev); err != nil {
			return err
		}
		if sub.State != hub.StateDraft && sub.State != hub.StateNeedsChanges {
			return fmt.Errorf("%s is %s, and cannot be changed while it is looked at: %w", sub.Ref(), sub.State, hub.ErrState)
		}
		if err := in.apply(sub); err != nil {
			return err
		}
		return tx.Submissions().Update(ctx, sub)
	})
}

// Submit hands in what was pushed to staging under this digest: a draft, or again what
// needed changes, as the next round.
func (s *Service) Submit(ctx context.Context, a hub.Actor, id, digest string) (hub.Submission, error) {
	if _, err := verify.ParseDigest(digest); err != nil {
		return hub.Submission{}, hub.Invalid("digest", "is not sha256: and 64 hex digits")
	}
	now, policy := s.now(), s.policy()
	return s.change(ctx, a, hub.ActSubmissionSubmit, id, func(tx hub.Tx, sub *hub.Submission) error {
		if err := s.mayPublish(ctx, tx, sub.Publisher, policy); err != nil {
			return err
		}
		if sub.State == hub.StateNeedsChanges {
			if sub.Round >= maxRounds {
				return &hub.LimitError{What: fmt.Sprintf("%d rounds; withdraw it and submit anew", maxRounds)}
			}
			sub.Round++
		}
		sub.Digest, sub.Submitted = digest, now
		sub.Manifest, sub.Problems, sub.Diff, sub.Bundle = nil, nil, nil, ""
		sub.Signer, sub.Risk, sub.Grew, sub.Needs = "", 0, false, 0
		if err := hub.MoveSubmission(ctx, tx, a, now, sub, hub.StateSubmitted, "waits for validation"); err != nil {
			return err
		}
		return tx.Enqueue(ctx, hub.Job{Kind: hub.JobValidate, Subject: sub.ID})
	})
}

// Withdraw gives a submission up that is not published yet.
func (s *Service) Withdraw(ctx context.Context, a hub.Actor, id, reason string) (hub.Submission, error) {
	if reason == "" {
		reason = "withdrawn by its publisher"
	}
	if err := catalog.CheckText(reason, maxReason); err != nil {
		return hub.Submission{}, hub.Invalid("reason", "%v", err)
	}
	return s.change(ctx, a, hub.ActSubmissionWithdraw, id, func(tx hub.Tx, sub *hub.Submission) error {
		if sub.State == hub.StatePublished || sub.State == hub.StateYanked {
			return fmt.Errorf("%s is published; it can be yanked: %w", sub.Ref(), hub.ErrState)
		}
		return hub.MoveSubmission(ctx, tx, a, s.now(), sub, hub.StateWithdrawn, reason)
	})
}

// Submissions lists submissions, newest first.
func (s *Service) Submissions(ctx context.Context, a hub.Actor, f SubmissionFilter) (hub.Page[hub.Submission], error) {
	q := hub.Query{Desc: true} // ids begin with the time
	at := func(sub hub.Submission) []any { return []any{sub.ID} }
	switch {
	case f.Publisher == "" && f.Plugin != "":
		f.Publisher = catalog.PluginID(f.Plugin).Publisher()
		fallthrough
	case f.Publisher != "":
		if err := a.May(hub.ActSubmissionRead, hub.Object{Publisher: f.Publisher, Plugin: f.Plugin}); err != nil {
			return hub.Page[hub.Submission]{}, hide(err)
		}
		q.Where, q.Order = append(q.Where, hub.Eq("publisher", f.Publisher)), "created"
		at = func(sub hub.Submission) []any { return []any{sub.Created, sub.ID} }
	case a.May(hub.ActSubmissionRead, hub.Object{}) == nil: // staff see all
	default:
		if err := notIn(a); err != nil {
			return hub.Page[hub.Submission]{}, err
		}
		if t := a.Token; t != nil && (t.Publisher != "" || !slices.Contains(t.Verbs, hub.VerbRead)) {
			return hub.Page[hub.Submission]{}, a.May(hub.ActSubmissionRead, hub.Object{Publisher: t.Publisher})
		}
		var mine []string
		for namespace := range a.Memberships {
			mine = append(mine, namespace)
		}
		q.Where = append(q.Where, hub.In("publisher", mine))
	}
	if f.Plugin != "" {
		q.Where = append(q.Where, hub.Eq("plugin", f.Plugin))
	}
	if len(f.States) > 0 {
		q.Where = append(q.Where, hub.In("state", f.States))
	}
	return inView(ctx, s, func(tx hub.Tx) (hub.Page[hub.Submission], error) {
		return hub.ListPage(ctx, tx.Submissions(), q, f.Cursor, f.Limit, at)
	})
}
