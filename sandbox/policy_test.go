package sandbox_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/sandbox"
)

func panelPolicy() sandbox.Policy {
	return sandbox.Policy{
		Allow: sandbox.MustSet("ui:dashboard.card", "fs.read:/srv/public"),
		Deny:  sandbox.MustSet("fs.read:/etc/shadow", "net.out:*:25"),
		Scopes: []sandbox.Scope{
			{Kind: sandbox.KindAPI, Target: "server:read", Risk: sandbox.RiskLow, Sentence: "Can see how this server is doing."},
			{Kind: sandbox.KindUI, Target: "dashboard.card", Risk: sandbox.RiskLow, Sentence: "Can show a card on the dashboard."},
			{Kind: sandbox.KindEvent, Target: "backup.done", Risk: sandbox.RiskMedium, Sentence: "Is told when a backup is done."},
		},
	}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	agreed := sandbox.Consent{
		Set: sandbox.MustSet("net.out:*.example.com:443", "fs.write:/srv/a", "fs.read:/etc"),
		By:  "admin", At: time.Date(2026, 5, 3, 10, 0, 0, 0, time.UTC),
	}
	for want, verdict := range map[sandbox.Permission]struct {
		verdict sandbox.Verdict
		risk    sandbox.Risk
		why     string
	}{
		"ui:dashboard.card":           {sandbox.Granted, sandbox.RiskLow, "the policy of this panel allows it"},
		"fs.read:/srv/public/a":       {sandbox.Granted, sandbox.RiskMedium, "the policy of this panel allows it"},
		"api:server:read":             {sandbox.NeedsConsent, sandbox.RiskLow, "nobody has agreed to it yet"},
		"api:server:write":            {sandbox.Denied, sandbox.RiskHigh, "this panel does not offer it to plugins"},
		"ui:sidebar":                  {sandbox.Denied, sandbox.RiskHigh, "this panel does not offer it to plugins"},
		"event:login":                 {sandbox.Denied, sandbox.RiskHigh, "this panel does not offer it to plugins"},
		"net.out:*.example.com:443":   {sandbox.Granted, sandbox.RiskMedium, "agreed to by admin on 3 May 2026"},
		"net.out:api.example.com:443": {sandbox.Granted, sandbox.RiskMedium, "agreed to as part of net.out:*.example.com:443 by admin on 3 May 2026"},
		"net.out:example.com:443":     {sandbox.NeedsConsent, sandbox.RiskMedium, "nobody has agreed to it yet"},
		"net.out:*:443":               {sandbox.NeedsConsent, sandbox.RiskHigh, "only net.out:*.example.com:443 was agreed to so far"},
		"net.out:mx.example.com:*":    {sandbox.Denied, sandbox.RiskMedium, "the policy of this panel forbids net.out:*:25"},
		"fs.write:/srv":               {sandbox.NeedsConsent, sandbox.RiskMedium, "only fs.write:/srv/a was agreed to so far"},
		"fs.read:/etc":                {sandbox.Denied, sandbox.RiskHigh, "the policy of this panel forbids fs.read:/etc/shadow"},
		"exec:/bin/sh":                {sandbox.NeedsConsent, sandbox.RiskHigh, "nobody has agreed to it yet"},
	} {
		d := panelPolicy().Decide(sandbox.MustSet(want), agreed)
		require.Len(t, d.Rulings, 1)
		r := d.Rulings[0]
		assert.Equal(t, want, r.Permission)
		assert.Equal(t, verdict.verdict, r.Verdict, want)
		assert.Equal(t, verdict.risk, r.Risk, want)
		assert.Equal(t, verdict.why, r.Why, want)
		assert.NotEmpty(t, r.Sentence, want)
		assert.Equal(t, r.Risk, d.Risk())
		assert.Equal(t, r.Verdict == sandbox.Granted, d.Granted().Has(want))
		assert.Equal(t, r.Verdict == sandbox.NeedsConsent, len(d.Needs()) == 1)
		assert.Equal(t, r.Verdict == sandbox.Denied, len(d.Denied()) == 1)
	}
}

func TestZeroPolicyGrantsNothing(t *testing.T) {
	t.Parallel()
	want := sandbox.MustSet("api:server:read", "fs.read:/srv", "exec:/bin/sh")
	d := sandbox.Policy{}.Decide(want, sandbox.Consent{})
	assert.Zero(t, d.Granted().Len())
	assert.Len(t, d.Needs(), 2)
	assert.Len(t, d.Denied(), 1)
	assert.Equal(t, sandbox.RiskLow, sandbox.Policy{}.Decide(sandbox.Set{}, sandbox.Consent{}).Risk())
}

func TestGrantedTakesNoForgedRuling(t *testing.T) {
	t.Parallel()
	d := sandbox.Decision{Rulings: []sandbox.Ruling{
		{Permission: "net.out:nonsense", Verdict: sandbox.Granted},
		{Permission: "fs.read:/srv", Verdict: sandbox.Granted},
	}}
	assert.Equal(t, sandbox.MustSet("fs.read:/srv"), d.Granted())
}

func TestSentences(t *testing.T) {
	t.Parallel()
	const low, medium, high = sandbox.RiskLow, sandbox.RiskMedium, sandbox.RiskHigh
	for p, want := range map[sandbox.Permission]struct {
		sentence string
		risk     sandbox.Risk
	}{
		"net.out:*:*":               {"Can send data to any server on the internet.", high},
		"net.out:*:443":             {"Can send data to any server on the internet on port 443.", high},
		"net.out:*.example.com:443": {"Can send data to any server under example.com on port 443.", medium},
		"net.out:*.com:*":           {"Can send data to any server under com.", high},
		"net.out:example.com:*":     {"Can send data to example.com.", medium},
		"net.out:192.0.2.1:80":      {"Can send data to 192.0.2.1 on port 80.", medium},
		"net.out:localhost:80":      {"Can reach services of this server itself (localhost) on port 80.", high},
		"net.out:[::1]:80":          {"Can reach services of this server itself ([::1]) on port 80.", high},
		"net.out:10.0.0.1:80":       {"Can reach 10.0.0.1 in the local network on port 80.", high},
		"net.out:169.254.169.254:*": {"Can reach 169.254.169.254 in the local network.", high},
		"net.out:db:5432":           {"Can reach db in the local network on port 5432.", high},
		"net.listen:*":              {"Can accept connections from the network on any port.", high},
		"net.listen:443":            {"Can accept connections from the network on port 443.", high},
		"net.listen:1023":           {"Can accept connections from the network on port 1023.", high},
		"net.listen:1024":           {"Can accept connections from the network on port 1024.", medium},
		"net.listen:10000":          {"Can accept connections from the network on port 10000.", medium},
		"fs.read:/":                 {"Can read every file on this server.", high},
		"fs.read:/srv/www":          {"Can read /srv/www and everything in it.", medium},
		"fs.read:/etc/ssl":          {"Can read /etc/ssl and everything in it.", high},
		"fs.read:/var":              {"Can read /var and everything in it.", high},
		"fs.read:/usr/share":        {"Can read /usr/share and everything in it.", medium},
		"fs.write:/usr/share":       {"Can change and delete /usr/share and everything in it.", high},
		"fs.write:/":                {"Can change and delete every file on this server.", high},
		"fs.write:/srv":             {"Can change and delete /srv and everything in it.", medium},
		"exec:/":                    {"Can run every program on this server.", high},
		"exec:/opt/x":               {"Can run the program /opt/x, or every program in it if it is a folder.", high},
		"env:LANG":                  {"Can read the setting LANG of the server's environment.", medium},
		"secret:smtp":               {"Can read the stored secret “smtp”.", medium},
		"job:@hourly":               {"Can run by itself every hour.", low},
		"job:0 4 * * *":             {"Can run by itself on the schedule 0 4 * * *.", low},
		"db:notes:read":             {"Can read the data store “notes”.", medium},
		"db:notes:write":            {"Can change and delete what is in the data store “notes”.", medium},
		"db:notes:drop":             {"Can do “drop” with the data store “notes”.", high},
		"api:server:read":           {"Can use the panel's interface “server” to read.", high},
		"event:backup.done":         {"Is told about “backup.done” in the panel.", high},
		"ui:dashboard.card":         {"Can show something at “dashboard.card” in the panel.", high},
		"fs.read:/srv/":             {"Asks for something unknown: fs.read:/srv/.", high},
	} {
		s, r := sandbox.Explain(p)
		assert.Equal(t, want.sentence, s)
		assert.Equal(t, want.risk, r, p)
	}
	d := panelPolicy().Decide(sandbox.MustSet("api:server:read", "api:server:write"), sandbox.Consent{})
	assert.Equal(t, "Can see how this server is doing.", d.Rulings[0].Sentence)
	assert.Equal(t, "Asks for “server:write”, which this panel does not have.", d.Rulings[1].Sentence)
}

func TestPolicyValidate(t *testing.T) {
	t.Parallel()
	require.NoError(t, panelPolicy().Validate())
	require.NoError(t, sandbox.Policy{}.Validate())
	good := sandbox.Scope{Kind: sandbox.KindAPI, Target: "server:read", Sentence: "Can."}
	for want, scopes := range map[string][]sandbox.Scope{
		"kind is not api, event or ui": {{Kind: sandbox.KindExec, Target: "/bin/sh", Sentence: "Can."}},
		"is not a canonical":           {{Kind: sandbox.KindAPI, Target: "server", Sentence: "Can."}},
		"has no sentence":              {{Kind: sandbox.KindAPI, Target: "server:read"}},
		"no such risk":                 {{Kind: sandbox.KindAPI, Target: "server:read", Sentence: "Can.", Risk: 9}},
		"is registered twice":          {good, good},
	} {
		assert.ErrorContains(t, sandbox.Policy{Scopes: scopes}.Validate(), want)
	}
}

func TestDiffOf(t *testing.T) {
	t.Parallel()
	old := sandbox.MustSet("fs.read:/srv/a", "fs.read:/srv/a/deep", "fs.write:/srv", "ui:a", "env:OLD", "net.out:*:443")
	now := sandbox.MustSet("fs.read:/srv", "fs.write:/srv/a", "fs.write:/srv/b", "ui:a", "exec:/bin/tar", "net.out:a.example.com:*")
	assert.Equal(t, sandbox.Diff{
		Added:    []sandbox.Change{{Permission: "exec:/bin/tar"}, {Permission: "net.out:a.example.com:*"}},
		Removed:  []sandbox.Change{{Permission: "env:OLD"}, {Permission: "net.out:*:443"}},
		Widened:  []sandbox.Change{{Permission: "fs.read:/srv", Was: "fs.read:/srv/a"}},
		Narrowed: []sandbox.Change{{Permission: "fs.write:/srv/a", Was: "fs.write:/srv"}, {Permission: "fs.write:/srv/b", Was: "fs.write:/srv"}},
	}, sandbox.DiffOf(old, now))
	assert.True(t, sandbox.DiffOf(old, now).Wider())
	assert.True(t, sandbox.DiffOf(old, old).Empty())
	assert.False(t, sandbox.DiffOf(old, sandbox.Set{}).Wider())
	assert.False(t, sandbox.DiffOf(old, sandbox.Set{}).Empty())
}

func TestText(t *testing.T) {
	t.Parallel()
	type doc struct {
		R sandbox.Risk
		V sandbox.Verdict
	}
	for want, d := range map[string]doc{
		`{"R":"high","V":"denied"}`:          {},
		`{"R":"medium","V":"needs consent"}`: {sandbox.RiskMedium, sandbox.NeedsConsent},
		`{"R":"low","V":"granted"}`:          {sandbox.RiskLow, sandbox.Granted},
	} {
		b, err := json.Marshal(d)
		require.NoError(t, err)
		assert.Equal(t, want, string(b))
		var back doc
		require.NoError(t, json.Unmarshal(b, &back))
		assert.Equal(t, d, back)
	}
	_, err := json.Marshal(doc{R: 3})
	require.Error(t, err)
	_, err = json.Marshal(doc{V: 3})
	require.Error(t, err)
	require.Error(t, json.Unmarshal([]byte(`{"R":"none"}`), new(doc)))
	require.Error(t, json.Unmarshal([]byte(`{"V":"allowed"}`), new(doc)))
	assert.Equal(t, "risk(3)", sandbox.Risk(3).String())
	assert.Equal(t, "verdict(3)", sandbox.Verdict(3).String())
}
