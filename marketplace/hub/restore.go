package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
)

// RestoreRelease takes the withdrawal of a release back: it is what it was before, active
// or yanked, and its submission likewise. [Transitions] has no such step, because nobody
// but who reverses a moderator's decision may take it. One that is not withdrawn is
// [ErrState]. The caller rescinds the advisory.
func RestoreRelease(ctx context.Context, tx Tx, a Actor, now time.Time, plugin, version string, was catalog.State, reason string) (Release, error) {
	r, err := tx.Releases().Get(ctx, plugin, version)
	if err != nil {
		return Release{}, err
	}
	if r.State != catalog.Withdrawn || was == catalog.Withdrawn {
		return Release{}, fmt.Errorf("%s is %s and not withdrawn: %w", r.Ref(), cmp.Or(string(r.State), "active"), ErrState)
	}
	r.State, r.Reason = was, ""
	to := StatePublished
	if was == catalog.Yanked {
		r.Reason, to = reason, StateYanked
	}
	if err := tx.Releases().Update(ctx, &r); err != nil {
		return Release{}, err
	}
	if s, err := tx.Submissions().Get(ctx, r.Submission); err == nil {
		moved := Moved{From: s.State, To: to, Round: s.Round, Reason: reason}
		s.State, s.Reason, s.Updated = to, reason, now
		if err := tx.Submissions().Update(ctx, &s); err != nil {
			return Release{}, err
		}
		if err := Record(ctx, tx, a, now, ActSubmissionMoved, "submission "+s.ID, moved); err != nil {
			return Release{}, err
		}
	} else if !errors.Is(err, ErrNotFound) { // a release that was imported has none
		return Release{}, err
	}
	if err := RefreshPlugin(ctx, tx, plugin); err != nil {
		return Release{}, err
	}
	return r, Record(ctx, tx, a, now, ActReleaseWithdraw, "release "+r.Ref(), map[string]any{"state": cmp.Or(string(was), "active"), "reason": reason})
}
