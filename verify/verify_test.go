package verify_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
)

func TestReportErr(t *testing.T) {
	t.Parallel()
	check := func(verdicts ...verify.Verdict) *verify.Report {
		r := &verify.Report{Subject: verify.Subject{Name: "acme/backup@1.4.2"}}
		for _, v := range verdicts {
			r.Checks = append(r.Checks, verify.Check{Name: "signature", Verdict: v, Detail: "as it is"})
		}
		return r
	}
	const (
		oops = verify.VerdictError
		pass = verify.VerdictPass
		fail = verify.VerdictFail
		none = verify.VerdictNotConfigured
	)
	for name, tt := range map[string]struct {
		report *verify.Report
		ok     bool
	}{
		"nil":                       {nil, false},
		"nothing checked":           {check(), false},
		"passed":                    {check(pass), true},
		"passed twice":              {check(pass, pass), true},
		"passed, one not asked for": {check(none, pass, none), true},
		"nothing asked for":         {check(none), false},
		"one failed":                {check(pass, fail), false},
		"one had an error":          {check(pass, oops), false},
		"the zero check":            {&verify.Report{Checks: []verify.Check{{}}}, false},
		"no verdict of ours":        {check(pass, verify.Verdict(9)), false},
	} {
		err := tt.report.Err()
		if tt.ok {
			assert.NoError(t, err, name)
			continue
		}
		assert.ErrorIs(t, err, verify.ErrUntrusted, name)
		var typed *verify.Error
		assert.ErrorAs(t, err, &typed, name)
	}
	assert.EqualError(t, check(pass, fail).Err(), "verify acme/backup@1.4.2: signature: not trusted: as it is")

	passed := check(pass)
	passed.Considered = []verify.Check{{Name: "bundle 1", Verdict: fail}}
	assert.NoError(t, passed.Err(), "one bad bundle does not spoil a good one")
}

func TestReportSigner(t *testing.T) {
	t.Parallel()
	who := verify.Identity{Issuer: "https://issuer.example", Subject: "acme"}
	var none *verify.Report
	assert.Zero(t, none.Signer())
	r := &verify.Report{Checks: []verify.Check{
		{Verdict: verify.VerdictFail, Signer: verify.Identity{Key: "evil"}},
		{Verdict: verify.VerdictPass},
		{Verdict: verify.VerdictPass, Signer: who},
	}}
	assert.Equal(t, who, r.Signer())
}

func TestVerdictsAreWords(t *testing.T) {
	t.Parallel()
	for v, word := range map[verify.Verdict]string{
		0: "error", 1: "pass", 2: "fail", 3: "not configured", 4: "error",
	} {
		text, err := v.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, word, string(text))
	}
}

func TestReportJSON(t *testing.T) {
	t.Parallel()
	r := verify.Report{
		Subject: verify.Subject{Name: "acme/backup@1.4.2", Digest: "sha256:00", Signers: []verify.Identity{{Key: "k"}}},
		Checks: []verify.Check{{
			Name: "signature", Verdict: verify.VerdictPass, Detail: "ok", Signer: verify.Identity{Key: "k"},
			Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Bundle: "sha256:11",
		}, {Name: "scan"}},
	}
	b, err := json.Marshal(r)
	require.NoError(t, err)
	assert.JSONEq(t, `{
		"subject": {"name": "acme/backup@1.4.2", "digest": "sha256:00", "signers": [{"key": "k"}]},
		"checks": [
			{"name": "signature", "verdict": "pass", "detail": "ok", "signer": {"key": "k"}, "time": "2026-01-02T03:04:05Z", "bundle": "sha256:11"},
			{"name": "scan", "verdict": "error", "detail": ""}
		]}`, string(b))
}

func TestVerdictText(t *testing.T) {
	t.Parallel()
	for _, v := range []verify.Verdict{verify.VerdictError, verify.VerdictPass, verify.VerdictFail, verify.VerdictNotConfigured} {
		b, err := v.MarshalText()
		require.NoError(t, err)
		back := verify.Verdict(9)
		require.NoError(t, back.UnmarshalText(b))
		assert.Equal(t, v, back)
	}
	for _, word := range []string{"", "Pass", "passed", "verdict(9)"} {
		v := verify.VerdictError
		require.Error(t, v.UnmarshalText([]byte(word)))
		assert.Equal(t, verify.VerdictError, v)
	}
}

func TestIdentityID(t *testing.T) {
	t.Parallel()
	key := verify.Identity{Key: "k"}
	assert.Equal(t, "key:"+verify.DigestOf([]byte("k")).Hex(), key.ID())
	assert.NotEqual(t, key.ID(), verify.Identity{Key: "k\n"}.ID())
	keyless := verify.Identity{Issuer: "https://issuer.example", Subject: "acme"}
	assert.Equal(t, "keyless:https://issuer.example#acme", keyless.ID())
}

func TestCatalogStateSurvivesJSON(t *testing.T) {
	t.Parallel()
	s := verify.CatalogState{
		Chain: [][]byte{[]byte("2")}, Root: []byte("3"), Timestamp: []byte("t"), Snapshot: []byte("s"), Targets: []byte("x"),
		Files:   map[string][]byte{"index": []byte("{}")},
		Expires: time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC), Seen: time.Date(2026, 1, 1, 0, 0, 0, 7, time.UTC),
	}
	b, err := json.Marshal(s)
	require.NoError(t, err)
	var back verify.CatalogState
	require.NoError(t, json.Unmarshal(b, &back))
	assert.Equal(t, s, back)
}
