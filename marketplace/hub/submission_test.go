package hub_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
)

func states() []hub.State {
	return []hub.State{hub.StateDraft, hub.StateSubmitted, hub.StateValidating, hub.StateScanning, hub.StateScanError, hub.StateNeedsChanges,
		hub.StateRejected, hub.StateInReview, hub.StateApproved, hub.StatePublished, hub.StateYanked, hub.StateWithdrawn}
}

func TestTransitionsKnowEveryState(t *testing.T) {
	all := hub.Transitions()
	require.Len(t, all, len(states()))
	for _, from := range states() {
		require.Contains(t, all, from)
		for _, to := range all[from] {
			assert.Contains(t, states(), to, "from %s", from)
		}
		seen := slices.Clone(all[from])
		slices.Sort(seen)
		assert.Len(t, slices.Compact(seen), len(all[from]), "%s lists a state twice", from)
	}
}

// Move goes where Transitions says and nowhere else, and a refused move changes nothing.
func TestMoveObeysTransitions(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	moved, refused := 0, 0
	for _, from := range states() {
		for _, to := range append(states(), "", "no such state") {
			was := hub.Submission{ID: "sub_1", Plugin: "acme/backup", Version: "1.4.2", State: from, Reason: "before", Updated: now.Add(-time.Hour)}
			s := was
			err := s.Move(to, now, "because")
			if slices.Contains(hub.Transitions()[from], to) {
				moved++
				require.NoError(t, err, "%s to %s", from, to)
				assert.Equal(t, []any{to, "because", now}, []any{s.State, s.Reason, s.Updated})
				continue
			}
			refused++
			require.ErrorIs(t, err, hub.ErrState, "%s to %s", from, to)
			assert.ErrorContains(t, err, "acme/backup@1.4.2")
			assert.Equal(t, was, s, "a refused move from %s to %s", from, to)
		}
	}
	assert.Positive(t, moved)
	assert.Positive(t, refused)
	none := hub.Submission{State: "no such state"}
	assert.ErrorIs(t, none.Move(hub.StateSubmitted, now, ""), hub.ErrState)
}

// predecessors returns the states from which to can be reached in one step.
func predecessors(to hub.State) (from []hub.State) {
	for _, s := range states() {
		if slices.Contains(hub.Transitions()[s], to) {
			from = append(from, s)
		}
	}
	return from
}

func TestWaysToThePublic(t *testing.T) {
	assert.Equal(t, []hub.State{hub.StateApproved, hub.StateYanked}, predecessors(hub.StatePublished), "nothing is published that was not approved")
	assert.Equal(t, []hub.State{hub.StateScanning, hub.StateInReview}, predecessors(hub.StateApproved), "by written policy after scans, or by a reviewer")
	assert.NotContains(t, hub.Transitions()[hub.StateScanError], hub.StateApproved, "a scanner that failed is never a pass")
	assert.Equal(t, []hub.State{hub.StatePublished}, predecessors(hub.StateYanked))
	assert.Empty(t, hub.Transitions()[hub.StateWithdrawn], "what was withdrawn stays so")
	assert.Empty(t, predecessors(hub.StateDraft), "nothing becomes a draft again")
	assert.Equal(t, []hub.State{hub.StateDraft, hub.StateNeedsChanges}, predecessors(hub.StateSubmitted))
}

// reaches says whether there is a way from a state to another that avoids some.
func reaches(from, to hub.State, without ...hub.State) bool {
	seen := map[hub.State]bool{}
	var walk func(hub.State) bool
	walk = func(s hub.State) bool {
		if s == to {
			return true
		}
		if seen[s] || slices.Contains(without, s) {
			return false
		}
		seen[s] = true
		return slices.ContainsFunc(hub.Transitions()[s], walk)
	}
	return walk(from)
}

func TestNoWayAround(t *testing.T) {
	draft, published := hub.StateDraft, hub.StatePublished
	require.True(t, reaches(draft, published), "there is a way to be published")
	for _, must := range []hub.State{hub.StateSubmitted, hub.StateValidating, hub.StateApproved} {
		assert.False(t, reaches(draft, published, must), "none avoids %s", must)
	}
	assert.False(t, reaches(draft, published, hub.StateScanning, hub.StateInReview), "none avoids both scanners and a person")
	assert.True(t, reaches(draft, published, hub.StateInReview), "written policy approves without a person")
	for _, s := range states() {
		assert.True(t, reaches(draft, s), "%s can be reached", s)
		if s.Open() {
			assert.True(t, reaches(s, published), "%s can still be published", s)
			assert.NotEmpty(t, hub.Transitions()[s])
		}
	}
	// While something or somebody has to act, it can be given up; not while it is being
	// published, where half of it may be done.
	for _, s := range states() {
		can := slices.Contains(hub.Transitions()[s], hub.StateWithdrawn)
		closed := s == hub.StateApproved || s == hub.StateRejected || s == hub.StateWithdrawn
		assert.Equal(t, !closed, can, s)
	}
}

func TestOpen(t *testing.T) {
	var open []hub.State
	for _, s := range states() {
		if s.Open() {
			open = append(open, s)
		}
	}
	assert.Equal(t, []hub.State{hub.StateDraft, hub.StateSubmitted, hub.StateValidating, hub.StateScanning, hub.StateScanError,
		hub.StateNeedsChanges, hub.StateInReview, hub.StateApproved}, open)
	assert.False(t, hub.State("no such state").Open())
}

// Whatever happens to a submission, in whatever order: who is asked to approve comes
// after validation in the same round, and what is public was approved.
func TestRandomLives(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	published := 0
	for range 2000 {
		s := hub.Submission{Plugin: "acme/backup", Version: "1.0.0", State: hub.StateDraft}
		validated, approved := false, false
		for range 40 {
			next := hub.Transitions()[s.State]
			if len(next) == 0 {
				break
			}
			from := s.State
			require.NoError(t, s.Move(next[r.IntN(len(next))], now, "chance"))
			switch s.State {
			case hub.StateSubmitted:
				validated, approved = false, false
			case hub.StateValidating:
				validated = true
			case hub.StateApproved:
				require.True(t, validated, "approved from %s without validation", from)
				approved = true
			case hub.StatePublished:
				require.True(t, approved, "published from %s without approval", from)
				published++
			case hub.StateRejected, hub.StateInReview:
				approved = false
			}
		}
	}
	assert.Positive(t, published)
}
