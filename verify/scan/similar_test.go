package scan_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/scan"
)

func TestSimilar(t *testing.T) {
	t.Parallel()
	known := []string{"acme", "cloudbackup", "game-server", "modern", "python2", "s3", "filip"}
	for name, want := range map[string]scan.Match{
		"ACME":                 {Name: "acme", Why: "it looks the same"},
		"acrne":                {Name: "acme", Why: "it looks the same"},
		"аcmе":                 {Name: "acme", Why: "it looks the same"}, // Cyrillic а, е
		"αcme":                 {Name: "acme", Why: "it looks the same"}, // Greek
		"ａｃｍｅ":                 {Name: "acme", Why: "it looks the same"}, // full width
		"𝐚𝐜𝐦𝐞":                 {Name: "acme", Why: "it looks the same"}, // mathematical
		"acmé":                 {Name: "acme", Why: "it looks the same"},
		"ac\u200bme":           {Name: "acme", Why: "it looks the same"}, // zero width
		"ac\u00adme":           {Name: "acme", Why: "it looks the same"}, // soft hyphen
		"a-c-m-e":              {Name: "acme", Why: "it looks the same"},
		"fiIip":                {Name: "filip", Why: "it looks the same"},
		"fi1ip":                {Name: "filip", Why: "it looks the same"},
		"cloud-backup":         {Name: "cloudbackup", Why: "it looks the same"},
		"cl0udbackup":          {Name: "cloudbackup", Why: "it looks the same"},
		"server-game":          {Name: "game-server", Why: "the same words in another order"},
		"amce":                 {Name: "acme", Why: "two letters are swapped"},
		"clouddbackup":         {Name: "cloudbackup", Why: "one letter differs"},
		"cloudbackups":         {Name: "cloudbackup", Why: "one letter differs"},
		"clodubackub":          {Name: "cloudbackup", Why: "two letters differ"},
		"acme-official":        {Name: "acme", Why: "only a word is added that says nothing"},
		"the-acme":             {Name: "acme", Why: "only a word is added that says nothing"},
		"acmeinc":              {Name: "acme", Why: "only a word is added that says nothing"},
		"official-cloudbackup": {Name: "cloudbackup", Why: "only a word is added that says nothing"},
	} {
		got, ok := scan.Similar(name, known)
		assert.True(t, ok, name)
		assert.Equal(t, want, got, name)
	}
	for _, name := range []string{"acme", "cloudbackup", "acne", "python3", "gardening", "backup", "cloud", "s4", "", "---", "игра", "game", "server"} {
		got, ok := scan.Similar(name, known)
		assert.False(t, ok, "%s looks like %v", name, got)
	}
	_, ok := scan.Similar("anything", nil)
	assert.False(t, ok)
}

func TestSquatting(t *testing.T) {
	t.Parallel()
	popular := []string{"acmecorp/cloudbackup", "example/monitor"}
	for plugin, want := range map[string][]string{
		"acmecorp/cloudbackup":  {},
		"acmecorp/cloudbackup2": {}, // its own publisher may
		"acrnecorp/cloudbackup": {"squatting-plugin high high"},
		"acmec0rp/cloud-backup": {"squatting-plugin high high"},
		"acmec0rp/gardening":    {"squatting-publisher medium high"},
		"smith/cloudbackups":    {"squatting-name medium medium"},
		"smith/cloudbackup":     {"squatting-name info high"},
		"smith/gardening":       {},
	} {
		s := subject
		s.Plugin, s.Popular = plugin, func(context.Context) ([]string, error) { return popular, nil }
		r := look(t, scan.Squatting(), files(), s)
		assert.Equal(t, want, rules(r), plugin)
		assert.Equal(t, len(want) > 0 && want[0] == "squatting-plugin high high", r.Verdict == verify.VerdictFail, plugin)
	}
}

func TestSquattingWithoutNames(t *testing.T) {
	t.Parallel()
	r := look(t, scan.Squatting(), files(), subject)
	assert.Equal(t, verify.VerdictNotConfigured, r.Verdict)
	for name, popular := range map[string]func(context.Context) ([]string, error){
		"broken":    func(context.Context) ([]string, error) { return nil, errors.New("database is away") },
		"not an id": func(context.Context) ([]string, error) { return []string{"backup"}, nil },
		"too many":  func(context.Context) ([]string, error) { return make([]string, 50_001), nil },
	} {
		s := subject
		s.Popular = popular
		r, err := scan.Squatting().Scan(t.Context(), files(), s)
		require.Error(t, err, name)
		assert.Equal(t, verify.VerdictError, r.Verdict, name)
	}
}

// FuzzSimilar: being similar goes both ways and never panics.
func FuzzSimilar(f *testing.F) {
	f.Add("acme", "acrne")
	f.Add("a-b", "b_a")
	f.Add("ａｃｍｅ", "\xff\x00")
	f.Add("cloudbackup", "the-official-cloudbackup")
	f.Fuzz(func(t *testing.T, a, b string) {
		_, there := scan.Similar(a, []string{b})
		_, back := scan.Similar(b, []string{a})
		require.Equal(t, there, back)
		_, self := scan.Similar(a, []string{a})
		require.False(t, self)
	})
}

func BenchmarkSimilar(b *testing.B) {
	var known []string
	for i := range 10_000 {
		known = append(known, fmt.Sprintf("%s-%d", noise(6+i%14), i))
	}
	for b.Loop() {
		scan.Similar("cloud-backup", known)
	}
}
