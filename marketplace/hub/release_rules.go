package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
)

// The rules in this file are parts of a transaction that more than one service runs.
// Who may ask is checked by the service; they check the states.

// ReleasesOf returns all releases of a plugin, newest version first.
func ReleasesOf(ctx context.Context, tx Tx, plugin string) ([]Release, error) {
	var all []Release
	for last := ""; ; {
		page, err := tx.Releases().List(ctx, Query{Where: []Cond{Eq("plugin", plugin), Gt("version", last)}})
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
		if len(page) < MaxList {
			break
		}
		last = page[len(page)-1].Version
	}
	slices.SortFunc(all, func(a, b Release) int { return catalog.CompareVersions(b.Version, a.Version) })
	return all, nil
}

// Speaks returns the release that people read about: the newest active stable one,
// else the newest active one, else the newest. It is the one that
// [github.com/souk-dev/souk/catalog/publish.ListingOf] chooses; false without any.
func Speaks(releases []Release) (Release, bool) {
	if len(releases) == 0 {
		return Release{}, false
	}
	standing := func(r Release) int {
		v, err := catalog.ParseVersion(r.Version)
		switch {
		case r.State != catalog.Active:
			return 0
		case err != nil || v.Prerelease() != "":
			return 1
		}
		return 2
	}
	return slices.MaxFunc(releases, func(a, b Release) int {
		return cmp.Or(cmp.Compare(standing(a), standing(b)), catalog.CompareVersions(a.Version, b.Version))
	}), true
}

// RefreshPlugin makes a plugin say what its releases say, after one was added or
// changed, and has the catalog written.
func RefreshPlugin(ctx context.Context, tx Tx, id string) error {
	p, err := tx.Plugins().Get(ctx, id)
	if err != nil {
		return err
	}
	all, err := ReleasesOf(ctx, tx, id)
	if err != nil {
		return err
	}
	best, ok := Speaks(all)
	if !ok {
		return nil
	}
	m, err := catalog.ParseManifest(best.Manifest)
	if err != nil {
		return fmt.Errorf("kept manifest of %s: %w", best.Ref(), err)
	}
	p.Name, p.Summary, p.Categories, p.Latest = m.Name, m.Summary, m.Categories, best.Version
	if best.State != catalog.Active {
		p.Latest = ""
	}
	for _, r := range all {
		if r.Published.After(p.Updated) {
			p.Updated = r.Published
		}
	}
	if p.State == PluginNew {
		p.State = PluginListed
	}
	if err := tx.Plugins().Update(ctx, &p); err != nil {
		return err
	}
	return MarkChanged(ctx, tx, id)
}

// setRelease changes the state of a release and of its submission.
func setRelease(ctx context.Context, tx Tx, a Actor, now time.Time, r *Release, to State, state catalog.State, reason string, act Action) error {
	if r.Submission != "" {
		s, err := tx.Submissions().Get(ctx, r.Submission)
		if err == nil {
			if err = s.Move(to, now, reason); err == nil {
				err = tx.Submissions().Update(ctx, &s)
			}
		}
		if err != nil && !errors.Is(err, ErrNotFound) { // a release that was imported has none
			return err
		}
	}
	r.State, r.Reason = state, reason
	if err := tx.Releases().Update(ctx, r); err != nil {
		return err
	}
	if err := RefreshPlugin(ctx, tx, r.Plugin); err != nil {
		return err
	}
	if err := Record(ctx, tx, a, now, act, "release "+r.Ref(), map[string]any{"state": cmp.Or(string(state), "active"), "reason": reason}); err != nil {
		return err
	}
	kind := EventReleaseYanked
	switch state {
	case catalog.Active:
		return nil
	case catalog.Withdrawn:
		kind = EventReleaseWithdrawn
	}
	return Emit(ctx, tx, now, Event{
		Kind: kind, Publisher: r.Publisher, Plugin: r.Plugin, Version: r.Version, Subject: r.Submission,
		Title: fmt.Sprintf("%s was %s: %s", r.Ref(), state, reason),
	})
}

// WithdrawRelease takes a release out of the hands of everybody, for good: with an
// advisory, which the caller issues. One that is withdrawn already is [ErrState].
func WithdrawRelease(ctx context.Context, tx Tx, a Actor, now time.Time, plugin, version, reason string) (Release, error) {
	r, err := tx.Releases().Get(ctx, plugin, version)
	if err != nil {
		return Release{}, err
	}
	if r.State == catalog.Withdrawn {
		return Release{}, fmt.Errorf("%s is withdrawn already: %w", r.Ref(), ErrState)
	}
	err = setRelease(ctx, tx, a, now, &r, StateWithdrawn, catalog.Withdrawn, reason, ActReleaseWithdraw)
	return r, err
}

// YankRelease keeps a release from new installs; UnyankRelease takes that back.
func YankRelease(ctx context.Context, tx Tx, a Actor, now time.Time, plugin, version, reason string) (Release, error) {
	r, err := tx.Releases().Get(ctx, plugin, version)
	if err != nil {
		return Release{}, err
	}
	if r.State != catalog.Active {
		return Release{}, fmt.Errorf("%s is %s: %w", r.Ref(), r.State, ErrState)
	}
	err = setRelease(ctx, tx, a, now, &r, StateYanked, catalog.Yanked, reason, ActReleaseYank)
	return r, err
}

// UnyankRelease makes a yanked release available again.
func UnyankRelease(ctx context.Context, tx Tx, a Actor, now time.Time, plugin, version string) (Release, error) {
	r, err := tx.Releases().Get(ctx, plugin, version)
	if err != nil {
		return Release{}, err
	}
	if r.State != catalog.Yanked {
		return Release{}, fmt.Errorf("%s is %s and not yanked: %w", r.Ref(), cmp.Or(string(r.State), "active"), ErrState)
	}
	err = setRelease(ctx, tx, a, now, &r, StatePublished, catalog.Active, "", ActReleaseYank)
	return r, err
}

// HidePlugin takes a plugin out of the catalog; ShowPlugin puts it back.
func HidePlugin(ctx context.Context, tx Tx, a Actor, now time.Time, plugin, reason string) error {
	return showPlugin(ctx, tx, a, now, plugin, PluginListed, PluginHidden, reason)
}

// ShowPlugin puts a hidden plugin back into the catalog.
func ShowPlugin(ctx context.Context, tx Tx, a Actor, now time.Time, plugin, reason string) error {
	return showPlugin(ctx, tx, a, now, plugin, PluginHidden, PluginListed, reason)
}

func showPlugin(ctx context.Context, tx Tx, a Actor, now time.Time, plugin string, from, to PluginState, reason string) error {
	p, err := tx.Plugins().Get(ctx, plugin)
	if err != nil {
		return err
	}
	if p.State != from {
		return fmt.Errorf("%s is %s: %w", plugin, p.State, ErrState)
	}
	p.State, p.Reason = to, ""
	if to == PluginHidden {
		p.Reason = reason
	}
	if err := tx.Plugins().Update(ctx, &p); err != nil {
		return err
	}
	if err := Record(ctx, tx, a, now, ActReportDecide, "plugin "+plugin, map[string]any{"state": to, "reason": reason}); err != nil {
		return err
	}
	return MarkChanged(ctx, tx, plugin)
}

// ActSubmissionMoved stands in the audit log for each change of a submission's state,
// with [Moved] as its detail.
const ActSubmissionMoved Action = "submission.moved"

// Moved is the detail of a change of state.
type Moved struct {
	From   State  `json:"from"`
	To     State  `json:"to"`
	Round  int    `json:"round"`
	Reason string `json:"reason,omitempty"`
}

// MoveSubmission puts a submission into another state, writes it, and tells: a line in
// the audit log, an event for the publisher's hooks.
func MoveSubmission(ctx context.Context, tx Tx, a Actor, now time.Time, s *Submission, to State, reason string) error {
	from := s.State
	if err := s.Move(to, now, reason); err != nil {
		return err
	}
	if err := tx.Submissions().Update(ctx, s); err != nil {
		return err
	}
	moved := Moved{From: from, To: to, Round: s.Round, Reason: reason}
	if err := Record(ctx, tx, a, now, ActSubmissionMoved, "submission "+s.ID, moved); err != nil {
		return err
	}
	if from == to {
		return nil
	}
	return Emit(ctx, tx, now, Event{
		Kind: EventSubmissionMoved, Publisher: s.Publisher, Plugin: s.Plugin, Version: s.Version, Subject: s.ID,
		Title: fmt.Sprintf("%s is %s", s.Ref(), to),
	})
}

// ReopenSubmission puts a rejected submission back into review, after an appeal was
// granted. Reviews of before count no more: the caller's decision starts a new look.
func ReopenSubmission(ctx context.Context, tx Tx, a Actor, now time.Time, id, reason string) (Submission, error) {
	s, err := tx.Submissions().Get(ctx, id)
	if err != nil {
		return Submission{}, err
	}
	err = MoveSubmission(ctx, tx, a, now, &s, StateInReview, reason)
	return s, err
}
