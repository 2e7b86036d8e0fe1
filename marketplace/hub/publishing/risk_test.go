package publishing_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog/publish"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/sandbox"
)

func set(t *testing.T, all ...sandbox.Permission) sandbox.Set {
	t.Helper()
	s, err := sandbox.NewSet(all...)
	require.NoError(t, err)
	return s
}

// calm is what nothing is wrong with.
func calm(t *testing.T) publishing.RiskInput {
	wants := set(t, "net.out:a.example:443")
	return publishing.RiskInput{
		Verified: true, Age: 365 * 24 * time.Hour, Wants: wants,
		Diff: publishing.Diff{
			Base: "1.0.0", Permissions: sandbox.DiffOf(wants, wants),
			Signer: publishing.Was{Old: "key:a", New: "key:a"}, Runtime: publishing.Was{Old: "wasm", New: "wasm"},
		},
		Scans: []hub.Scan{{Scanner: "one", State: hub.ScanClean}},
	}
}

func TestRisk(t *testing.T) {
	t.Parallel()
	require.Equal(t, publishing.Risk{}, publishing.Assess(calm(t)))
	auto := hub.Policy{AutoApprove: true}.WithDefaults()
	ok, why := publishing.Automatic(auto, calm(t), publishing.Risk{})
	require.True(t, ok, why)
	ok, _ = publishing.Automatic(hub.Policy{}.WithDefaults(), calm(t), publishing.Risk{})
	require.False(t, ok, "only by written policy")

	for name, c := range map[string]struct {
		change func(*publishing.RiskInput)
		rule   string
		grew   bool
	}{
		"unverified": {func(in *publishing.RiskInput) { in.Verified = false }, "publisher-unverified", false},
		"first": {func(in *publishing.RiskInput) {
			in.Diff.Base, in.Diff.Signer.Old, in.Diff.Runtime.Old = "", "", ""
		}, "release-first", false},
		"wider": {func(in *publishing.RiskInput) {
			in.Wants = set(t, "net.out:*:443")
			in.Diff.Permissions = sandbox.DiffOf(set(t, "net.out:a.example:443"), in.Wants)
		}, "permissions-widened", true},
		"signer": {func(in *publishing.RiskInput) { in.Diff.Signer.New = "key:b" }, "signer-changed", true},
		"native": {func(in *publishing.RiskInput) { in.Diff.Runtime.New = "process" }, "code-native-new", true},
		"found":  {func(in *publishing.RiskInput) { in.Scans[0].State = hub.ScanFound }, "scan-found", true},
		"error":  {func(in *publishing.RiskInput) { in.Scans[0].State = hub.ScanError }, "scan-error", false},
		"absent": {func(in *publishing.RiskInput) {
			in.Scans = append(in.Scans, hub.Scan{Scanner: "clamd", State: hub.ScanUnavailable, Report: []byte(`{"unavailable":true,"verdict":"not configured"}`)})
		}, "scan-unavailable", false},
		"warnings": {func(in *publishing.RiskInput) { in.Warnings = 2 }, "warnings", false},
	} {
		in := calm(t)
		c.change(&in)
		r := publishing.Assess(in)
		var rules []string
		for _, reason := range r.Reasons {
			rules = append(rules, reason.Rule)
		}
		assert.Contains(t, rules, c.rule, name)
		assert.Equal(t, c.grew, r.Grew, name)
		assert.Positive(t, r.Score, name)
		ok, why := publishing.Automatic(auto, in, r)
		assert.False(t, ok, name)
		assert.NotEmpty(t, why, name)
	}

	young := calm(t)
	young.Age = time.Hour
	assert.Equal(t, "publisher-new", publishing.Assess(young).Reasons[0].Rule)
	skipped := calm(t)
	skipped.Scans = append(skipped.Scans, hub.Scan{Scanner: "wasm", State: hub.ScanUnavailable, Report: []byte(`{"verdict":"not configured"}`)})
	assert.Equal(t, publishing.Risk{}, publishing.Assess(skipped), "a scanner with nothing to look at is no risk")
	ok, why = publishing.Automatic(auto, skipped, publishing.Risk{})
	assert.True(t, ok, why)
	skipped.Scans = skipped.Scans[1:]
	ok, _ = publishing.Automatic(auto, skipped, publishing.Risk{})
	assert.False(t, ok, "nobody said clean")
	waiting := calm(t)
	waiting.Scans[0].State = hub.ScanRunning
	ok, _ = publishing.Automatic(auto, waiting, publishing.Risk{})
	assert.False(t, ok)

	worst := calm(t)
	worst.Verified, worst.Age = false, 0
	worst.Diff.Runtime.New, worst.Diff.Signer.New = "process", "key:b"
	worst.Wants = set(t, "net.out:*:*", "exec:/bin/sh")
	worst.Diff.Permissions = sandbox.DiffOf(set(t), worst.Wants)
	worst.Diff.Files = []publish.FileChange{{Path: "x", Exec: true}}
	worst.Scans[0].State = hub.ScanFound
	assert.Equal(t, 100, publishing.Assess(worst).Score, "no more than a hundred")
}
