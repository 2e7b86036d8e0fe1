package update_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
	"github.com/souk-dev/souk/verify"
)

func TestHold(t *testing.T) {
	t.Parallel()
	forever := update.Hold{}
	assert.True(t, forever.Active(now))
	assert.True(t, forever.Blocks("9.0.0", now))
	assert.False(t, forever.BlocksByHand("9.0.0", now), "a person may")
	assert.True(t, update.Hold{Pin: true}.BlocksByHand("9.0.0", now), "but not when pinned")

	until := update.Hold{Until: now.Add(time.Hour), Pin: true}
	assert.True(t, until.Blocks("9.0.0", now))
	assert.False(t, until.Blocks("9.0.0", until.Until))
	assert.False(t, until.BlocksByHand("9.0.0", until.Until))

	one := update.Hold{Version: "1.1.0"}
	assert.True(t, one.Blocks("1.1.0", now))
	assert.False(t, one.Blocks("1.2.0", now), "a newer one may")

	s := update.State{Holds: map[catalog.PluginID]update.Hold{
		"acme/held": {By: "admin"}, "acme/pinned": {By: "admin", Pin: true, Why: "it is in use"},
	}}
	require.NoError(t, s.ByHand(catalog.Ref{Plugin: "acme/free", Version: "2.0.0"}, now))
	require.NoError(t, s.ByHand(catalog.Ref{Plugin: "acme/held", Version: "2.0.0"}, now))
	err := s.ByHand(catalog.Ref{Plugin: "acme/pinned", Version: "2.0.0"}, now)
	require.ErrorIs(t, err, update.ErrPinned)
	assert.EqualError(t, err, "update to acme/pinned@2.0.0: pinned to its version: pinned by admin: it is in use")

	for want, h := range map[string]update.Hold{
		"held": {},
		"held by admin since 3 May 2026: too many bugs":          {By: "admin", At: time.Date(2026, 5, 3, 9, 0, 0, 0, time.UTC), Why: "too many bugs"},
		"held back from 1.1.0 by eve until 3 May 2026 09:00 UTC": {By: "eve", Version: "1.1.0", Until: time.Date(2026, 5, 3, 9, 0, 0, 0, time.UTC)},
	} {
		assert.Equal(t, want, h.Sentence())
	}
}

func TestBackoff(t *testing.T) {
	t.Parallel()
	const h = time.Hour
	want := []time.Duration{0, 0, 8 * h, 12 * h, 24 * h, 48 * h, 96 * h, 168 * h, 252 * h, 336 * h, 336 * h}
	for count, d := range want {
		assert.Equal(t, d, update.Backoff(count), "%d", count)
	}
	assert.Equal(t, 336*h, update.Backoff(1<<40))
	assert.Zero(t, update.Backoff(-1))
}

func TestBreaker(t *testing.T) {
	t.Parallel()
	ago := func(hours ...int) (s update.State) {
		for _, h := range hours {
			s.Rollbacks = append(s.Rollbacks, now.Add(-time.Duration(h)*time.Hour))
		}
		return s
	}
	assert.Zero(t, ago().Breaker(now))
	assert.Zero(t, ago(1).Breaker(now), "one is bad luck")
	assert.Zero(t, ago(1, 24).Breaker(now), "a day apart")
	assert.Equal(t, now.Add(time.Hour), ago(1, 23).Breaker(now), "until the older is a day ago")
	assert.Equal(t, now.Add(22*time.Hour), ago(23, 1, 2).Breaker(now))
	assert.Zero(t, ago(-5, -6).Breaker(now), "a clock that was set back")
}

func TestSchedule(t *testing.T) {
	t.Parallel()
	for _, n := range []uint64{0, 1, 1 << 40, 1<<64 - 1} {
		d := update.FirstCheck(now, n).Sub(now)
		assert.True(t, d >= 0 && d < update.FirstSpread, "%v", d)
	}
	offsets := map[time.Duration]bool{}
	for i := range 200 {
		secret := []byte{byte(i)}
		next := update.NextCheck(now, secret)
		gap := next.Sub(now)
		assert.True(t, gap >= update.CheckEvery/2 && gap < update.CheckEvery*3/2, "%v", gap)
		assert.Equal(t, next.Add(update.CheckEvery), update.NextCheck(next, secret), "regular from then on")
		assert.Equal(t, next.Add(update.CheckEvery), update.NextCheck(next.Add(time.Minute), secret), "also when it was late")
		offsets[next.Sub(next.Truncate(update.CheckEvery)).Truncate(time.Hour)] = true
	}
	assert.Len(t, offsets, 6, "a fleet spreads")
}

func TestCheckPlan(t *testing.T) {
	t.Parallel()
	from, to := rel("acme/one@1.0.0"), rel("acme/one@1.1.0")
	has := installed(from)
	allowed := []update.Offer{{Plugin: "acme/one", Source: "main", From: has, To: to, Decision: update.Decision{Verdict: update.Auto}}}
	step := func() install.Step {
		return install.Step{Action: install.ActUpdate, Release: to, Source: "main", From: &has}
	}
	plan := func(change func(*install.Plan)) *install.Plan {
		p := &install.Plan{Steps: []install.Step{step()}}
		change(p)
		return p
	}
	require.NoError(t, update.CheckPlan(plan(func(*install.Plan) {}), allowed))
	require.NoError(t, update.CheckPlan(plan(func(p *install.Plan) {
		p.Consents = []install.Need{{Optional: true}}
	}), allowed), "it runs without")
	for name, change := range map[string]func(*install.Plan){
		"a consent": func(p *install.Plan) {
			p.Consents = []install.Need{{Kind: install.NeedPermission, Risk: sandbox.RiskLow}}
		},
		"another signer": func(p *install.Plan) { p.Consents = []install.Need{{Kind: install.NeedSigner}} },
		"a new dependency": func(p *install.Plan) {
			p.Steps = append(p.Steps, install.Step{Action: install.ActInstall, Release: rel("acme/new@1.0.0"), Source: "main"})
		},
		"a removal": func(p *install.Plan) {
			p.Steps = append(p.Steps, install.Step{Action: install.ActRemove, Release: rel("acme/old@1.0.0"), Source: "main"})
		},
		"another plugin":   func(p *install.Plan) { p.Steps[0].Release = rel("acme/two@1.1.0") },
		"a higher version": func(p *install.Plan) { p.Steps[0].Release = rel("acme/one@2.0.0") },
		"another digest":   func(p *install.Plan) { p.Steps[0].Release.Digest = verify.DigestOf([]byte("x")) },
		"another source":   func(p *install.Plan) { p.Steps[0].Source = "other" },
		"a downgrade":      func(p *install.Plan) { p.Steps[0].Action = install.ActDowngrade },
		"from another one": func(p *install.Plan) { q := installed(rel("acme/one@1.0.5")); p.Steps[0].From = &q },
		"from nothing":     func(p *install.Plan) { p.Steps[0].From = nil },
	} {
		require.ErrorIs(t, update.CheckPlan(plan(change), allowed), update.ErrBeyond, name)
	}
	allowed[0].Decision.Verdict = update.Ask
	require.ErrorIs(t, update.CheckPlan(plan(func(*install.Plan) {}), allowed), update.ErrBeyond, "a person was to decide")
}
