package update_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/update"
)

func TestPresetsSayWhatTheyDo(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]update.Policy{
		"Asks a person about every update. Takes back by itself a version that turns out bad, unless that loses data.": update.Manual(),
		"Updates by itself what answers a published advisory, at any time, and asks a person about everything else. " +
			"Always asks before: another major version, a declared break, another signer, more permissions, native code where there was none, a plugin that is not installed, another data schema. " +
			"Takes back by itself a version that turns out bad, unless that loses data.": update.SecurityOnly(),
		"Updates by itself in the window Sat,Sun 02:00 4h Europe/Berlin, once a release has been out for 7 days (at once when it answers a published advisory). " +
			"Always asks before: another major version, a declared break, another signer, more permissions, native code where there was none, a plugin that is not installed, another data schema. " +
			"Takes back by itself a version that turns out bad, unless that loses data.": update.Weekend("Europe/Berlin"),
		"Updates by itself at any time, as soon as a release is published. " +
			"Always asks before: another major version, a declared break, another signer, more permissions, native code where there was none, a plugin that is not installed. " +
			"Takes back a version that turns out bad even if that loses what it has written. Offers pre-releases of acme/one, acme/two and acme/three.": {
			Mode: update.ModeAuto, MinAge: update.NoMinAge, Data: true, RollbackData: true, Prerelease: []catalog.PluginID{"acme/one", "acme/two", "acme/three"},
		},
		`Not valid: update mode "yes" is not one of "", "security", "auto".`: {Mode: "yes"},
	} {
		assert.Equal(t, want, p.String())
	}
}

func TestPolicyValidate(t *testing.T) {
	t.Parallel()
	for _, p := range []update.Policy{{}, update.Manual(), update.SecurityOnly(), update.Nightly(""), update.Weekend("Asia/Tokyo")} {
		require.NoError(t, p.Validate())
		b, err := json.Marshal(p)
		require.NoError(t, err)
		var again update.Policy
		require.NoError(t, json.Unmarshal(b, &again))
		assert.Equal(t, p, again)
	}
	for says, p := range map[string]update.Policy{
		"mode":           {Mode: "Auto"},
		"-2ns":           {MinAge: -2},
		"365 days":       {MinAge: 366 * 24 * time.Hour},
		"201 windows":    {Windows: make([]update.Window, 201)},
		"a window lasts": {Windows: make([]update.Window, 1)},
		"plugin id":      {Prerelease: []catalog.PluginID{"one"}},
		"1001 plugins":   {Prerelease: make([]catalog.PluginID, 1001)},
	} {
		assert.ErrorContains(t, p.Validate(), says)
		d := p.Decide(update.Input{Now: now, To: rel("acme/one@1.0.0")})
		assert.Equal(t, update.Ask, d.Verdict, "an invalid policy allows nothing")
		assert.Contains(t, d.Why[0], "not valid")
	}
}

// Whatever a policy says, some things are never done without a person.
func TestNeverWithoutAPerson(t *testing.T) {
	t.Parallel()
	boldest := update.Policy{Mode: update.ModeAuto, MinAge: update.NoMinAge, Data: true, RollbackData: true}
	require.Equal(t, update.Auto, boldest.Decide(update.Input{Now: now, To: rel("acme/one@2.0.0")}).Verdict)
	for name, r := range map[string]update.RiskDiff{
		"major": {Major: true}, "breaking": {Breaking: true}, "signer": {Signer: true}, "wider": {Wider: true}, "native": {Native: true},
		"dependency": {Dependencies: []catalog.PluginID{"acme/new"}}, "warned": {Warned: []string{"A-1"}},
	} {
		for _, fix := range []bool{false, true} {
			r.Security = []string{"A-9"}
			d := boldest.Decide(update.Input{Now: now, To: rel("acme/one@2.0.0"), Risk: r, Fix: fix})
			assert.Equal(t, update.Ask, d.Verdict, name)
			assert.Len(t, d.Why, 1, name)
		}
	}
	careful := boldest
	careful.Data = false
	assert.Equal(t, update.Ask, careful.Decide(update.Input{Now: now, To: rel("acme/one@1.0.1"), Risk: update.RiskDiff{Data: true}}).Verdict)
	assert.Equal(t, update.Auto, boldest.Decide(update.Input{Now: now, To: rel("acme/one@1.0.1"), Risk: update.RiskDiff{Data: true}}).Verdict)
}

func TestDecideSaysWhyAndUntilWhen(t *testing.T) {
	t.Parallel()
	young := rel("acme/one@1.1.0", out(2*time.Hour))
	d := auto.Decide(update.Input{Now: now, To: young})
	assert.Equal(t, update.Decision{Because: d.Because, Verdict: update.Wait, Until: now.Add(22 * time.Hour),
		Why: []string{"It has to be out for 24 hours, until 2 July 2026 10:00 UTC."}}, d)
	assert.Equal(t, update.Auto, auto.Decide(update.Input{Now: d.Until, To: young}).Verdict, "then it is time")

	d = auto.Decide(update.Input{Now: now, To: young, Failure: &update.Failure{Count: 3, Next: now.Add(30 * time.Hour), Error: "no answer"}})
	assert.Equal(t, now.Add(30*time.Hour), d.Until, "the last of several")
	assert.Equal(t, "It did not work here (tried 3 times: no answer). It is tried again from 2 July 2026 18:00 UTC on.", d.Why[1])

	d = auto.Decide(update.Input{Now: now, To: rel("acme/one@1.1.0", out(2*time.Hour), rollout(5, false)), Bucket: 500})
	assert.Zero(t, d.Until, "not known for a rollout")
	assert.Equal(t, "Its publisher offers it to 5 % of all panels so far, and not yet to this one.", d.Why[1])

	d = update.Nightly("").Decide(update.Input{Now: now, To: rel("acme/one@1.1.0")})
	assert.Equal(t, update.Decision{Because: d.Because, Verdict: update.Auto, Until: time.Date(2026, 7, 2, 2, 0, 0, 0, time.UTC),
		Why: []string{"It will be applied in the next window, from 2 July 2026 02:00 UTC."}}, d)

	d = update.Manual().Decide(update.Input{Now: now, To: young, Frozen: true, Hold: &update.Hold{By: "admin", At: now, Pin: true, Why: "reports"}})
	assert.Equal(t, update.Held, d.Verdict)
	assert.Equal(t, []string{
		"It is pinned by admin since 1 July 2026: reports.", "All automatic updates are frozen.",
		"The policy asks a person about every update.", "It has to be out for 24 hours, until 2 July 2026 10:00 UTC.",
	}, d.Why, "strongest first")
}

func TestBegin(t *testing.T) {
	t.Parallel()
	nightly := update.Nightly("") // 02:00 to 06:00
	tomorrow := time.Date(2026, 7, 2, 2, 0, 0, 0, time.UTC)
	night := func(h, m int) time.Time { return time.Date(2026, 7, 1, h, m, 0, 0, time.UTC) }
	for _, tt := range []struct {
		name      string
		now, want time.Time
		took      time.Duration
	}{
		{"before", night(1, 0), night(2, 0), 0},
		{"inside", night(2, 30), night(2, 30), 0},
		{"after", night(6, 0), tomorrow, 0},
		{"twice the last run is left", night(5, 0), night(5, 0), 30 * time.Minute},
		{"less is left", night(5, 1), tomorrow, 30 * time.Minute},
		{"a run too long for any window may still begin early", night(4, 0), night(4, 0), 10 * time.Hour},
		{"but not late", night(4, 1), tomorrow, 10 * time.Hour},
	} {
		got, err := nightly.Begin(tt.now, tt.took)
		require.NoError(t, err)
		assert.Equal(t, tt.want, got, tt.name)
	}
	two := update.Policy{Windows: []update.Window{
		{Days: update.On(time.Sunday), Start: 2 * time.Hour, Duration: time.Hour}, {Days: update.On(time.Thursday), Start: 20 * time.Hour, Duration: time.Hour},
	}}
	got, err := two.Begin(now, 0)
	require.NoError(t, err)
	assert.Equal(t, time.Date(2026, 7, 2, 20, 0, 0, 0, time.UTC), got, "the first of several")
	got, err = update.Policy{}.Begin(now, time.Hour)
	require.NoError(t, err)
	assert.Equal(t, now, got, "no windows: at any time")
}

func TestBucketsSpread(t *testing.T) {
	t.Parallel()
	src := rand.NewChaCha8([32]byte{1})
	r := catalog.Ref{Plugin: "acme/one", Version: "1.2.3"}
	next := catalog.Ref{Plugin: "acme/one", Version: "1.2.4"}
	const panels = 20000
	var tenths [10]int
	both, first := 0, 0
	for range panels {
		secret := make([]byte, 32)
		_, err := src.Read(secret)
		require.NoError(t, err)
		b := update.Bucket(secret, r)
		require.Equal(t, b, update.Bucket(secret, r), "always the same")
		require.True(t, b >= 0 && b < update.Buckets)
		tenths[b*10/update.Buckets]++
		five := &catalog.Rollout{Percent: 5}
		if update.InRollout(five, b) {
			first++
			if update.InRollout(five, update.Bucket(secret, next)) {
				both++
			}
		}
	}
	// The bounds are more than six standard deviations away.
	for i, n := range tenths {
		assert.InDelta(t, panels/10, n, 260, "tenth %d", i)
	}
	assert.InDelta(t, panels/20, first, 190, "five percent")
	assert.InDelta(t, first/20, both, 45, "not the same panels go first every time")
}

func TestRolloutBounds(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		r      *catalog.Rollout
		bucket int
		want   bool
	}{
		{nil, 9999, true}, {&catalog.Rollout{Percent: 100}, 9999, true}, {&catalog.Rollout{}, 0, false},
		{&catalog.Rollout{Percent: 1}, 99, true}, {&catalog.Rollout{Percent: 1}, 100, false},
		{&catalog.Rollout{Percent: 100, Paused: true}, 0, false},
	} {
		assert.Equal(t, tt.want, update.InRollout(tt.r, tt.bucket), "%+v %d", tt.r, tt.bucket)
	}
}
