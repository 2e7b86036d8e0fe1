package store_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
)

// TestEveryReasonOfThePolicyIsSaid lets the policy decide, and compares what it says with
// what the pages say in the language of who reads: none is missing and none is added.
func TestEveryReasonOfThePolicyIsSaid(t *testing.T) {
	t.Parallel()
	auto := update.Policy{Mode: update.ModeAuto}
	hold := update.Hold{By: "bob", At: now, Pin: true, Why: "fair week"}
	for name, c := range map[string]struct {
		policy update.Policy
		in     update.Input
		state  update.State
	}{
		"now":      {auto, update.Input{}, update.State{}},
		"window":   {update.Nightly(""), update.Input{}, update.State{}},
		"ask":      {update.Manual(), update.Input{}, update.State{}},
		"security": {update.SecurityOnly(), update.Input{}, update.State{}},
		"answers":  {update.SecurityOnly(), update.Input{Risk: update.RiskDiff{Security: []string{"ADV-1"}}, Fix: true}, update.State{}},
		"held":     {auto, update.Input{Hold: &hold}, update.State{Holds: map[catalog.PluginID]update.Hold{"acme/mailer": hold}}},
		"frozen":   {auto, update.Input{Frozen: true}, update.State{Frozen: true}},
		"everything": {auto, update.Input{Risk: update.RiskDiff{
			Signer: true, Wider: true, Native: true, Major: true, Breaking: true, Data: true, Dependencies: []catalog.PluginID{"acme/x"}, Warned: []string{"ADV-2"},
			Permissions: sandbox.Diff{},
		}}, update.State{}},
		"young":   {update.Policy{Mode: update.ModeAuto, MinAge: 300 * 24 * time.Hour}, update.Input{}, update.State{}},
		"problem": {auto, update.Input{Problem: "the disk is full"}, update.State{}},
		"breaker": {auto, update.Input{Breaker: now.Add(23 * time.Hour)}, update.State{Rollbacks: []time.Time{now.Add(-time.Hour), now.Add(-time.Minute)}}},
		"soak":    {auto, update.Input{Soaking: now.Add(time.Minute)}, update.State{Soaks: []update.Soak{{Title: "Update x", Until: now.Add(time.Minute)}}}},
		"rollout": {auto, update.Input{To: catalog.Release{Rollout: &catalog.Rollout{Percent: 0}}}, update.State{}},
		"paused":  {auto, update.Input{To: catalog.Release{Rollout: &catalog.Rollout{Percent: 50, Paused: true}}}, update.State{}},
	} {
		m := newMarket()
		o := m.Offered[0]
		o.To.Rollout = c.in.To.Rollout
		c.in.Now, c.in.From, c.in.To = now, o.From.Version, o.To
		o.Risk = c.in.Risk
		o.Decision = c.policy.Decide(c.in)
		m.Offered, m.Updating, m.Updates = []update.Offer{o}, c.state, c.policy
		for _, lang := range []string{"en", "de"} {
			h := shop(t, m, admin, func(o *store.Options) { o.Language = func(*http.Request) string { return lang } })
			w := get(h, "/plugins/updates")
			wellFormed(t, w.Body.String())
			var out struct {
				Updates []struct{ Why []string }
			}
			require.NoError(t, json.Unmarshal(get(h, "/plugins/api/v1/updates").Body.Bytes(), &out))
			assert.Len(t, out.Updates[0].Why, len(o.Decision.Why), "%s: %q for %q", name, out.Updates[0].Why, o.Decision.Why)
			if lang == "de" {
				for _, said := range o.Decision.Why {
					assert.NotContains(t, out.Updates[0].Why, said, "%s: English on a German page", name)
				}
			}
		}
	}
}
