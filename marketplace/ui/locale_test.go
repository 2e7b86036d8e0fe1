package ui_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/ui"
	"github.com/souk-dev/souk/sandbox/phrase"
)

func german(t testing.TB) *ui.Messages {
	t.Helper()
	m, err := ui.NewMessages("de")
	require.NoError(t, err)
	return m
}

// TestGermanNumbersAndTimes: a decimal comma, points between thousands, dates and times as they
// are written in German.
func TestGermanNumbersAndTimes(t *testing.T) {
	t.Parallel()
	m := german(t)
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1.000", -1234567: "-1.234.567"} {
		assert.Equal(t, want, m.Number(n))
	}
	for n, want := range map[int64]string{999: "999", 1000: "1 Tsd.", 9449: "9,4 Tsd.", 128_400: "128 Tsd.", 3_400_000: "3,4 Mio.", 12_000_000: "12 Mio."} {
		assert.Equal(t, want, m.Short(n))
	}
	for n, want := range map[int64]string{999: "999 B", 1400: "1,4 kB", 999_960: "1 MB", 3_800_000: "3,8 MB"} {
		assert.Equal(t, want, m.Bytes(n))
	}
	assert.Equal(t, "4,5", m.Decimal(4.5))
	assert.Equal(t, "42 %", m.Percent(42))
	now := time.Date(2026, 5, 3, 14, 5, 0, 0, time.FixedZone("CEST", 2*60*60))
	assert.Equal(t, "3. Mai 2026", m.Date(now))
	assert.Equal(t, "3. Mai 2026, 14:05 Uhr (CEST)", m.DateTime(now))
	for d, want := range map[time.Duration]string{
		0: "gerade eben", time.Minute: "vor 1 Minute", 3 * time.Hour: "vor 3 Stunden", 26 * time.Hour: "vor 1 Tag",
		-2 * time.Hour: "in 2 Stunden", -48 * time.Hour: "in 2 Tagen", 40 * 24 * time.Hour: "24. März 2026",
	} {
		assert.Equal(t, want, m.Ago(now, now.Add(-d)))
	}
	assert.Equal(t, "nie", m.Ago(now, time.Time{}))
	assert.Equal(t, "1.200 Plugins", m.N("found", 1200))
}

// TestSay: what an engine says, with lists, numbers, times and sentences in sentences, in
// each language; what has no text stays as it is.
func TestSay(t *testing.T) {
	t.Parallel()
	en, de := english(t), german(t)
	at := time.Date(2026, 7, 2, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		says            phrase.Phrase
		english, german string
	}{
		{phrase.Raw("as {0} wrote"), "as {0} wrote", "as {0} wrote"},
		{phrase.Of("update.window", "It will be applied in the next window, from {0}.", at), "It is installed in the next window, from 2 July 2026, 10:00 UTC.", "Es wird im nächsten Zeitfenster installiert, ab 2. Juli 2026, 10:00 Uhr (UTC)."},
		{phrase.Of("resolve.apart", "{0} cannot be installed together", phrase.And([]string{"a", "b", "c"})), "a, b and c cannot be installed together", "a, b und c lassen sich nicht zusammen installieren"},
		{phrase.Of("resolve.versions", "{0} {1}", "acme/x", phrase.Or([]string{"1", "2"})), "acme/x 1 or 2", "acme/x 1 oder 2"},
		{phrase.Of("title.several", "{0}", phrase.And([]phrase.Arg{
			{Phrase: new(phrase.Of("title.install", "Install {0} {1}", "Backup", "2.1.0"))},
			phrase.Inside(phrase.N("title.dependencies", "{0} dependency", "{0} dependencies", 1)),
			phrase.Inside(phrase.Of("title.remove", "Remove {0}", "Old")),
		})), "Install Backup 2.1.0, 1 dependency and remove Old", "Backup 2.1.0 installieren, dazu 1 Abhängigkeit und Old entfernen"},
		{phrase.Of("resolve.more", "{0} more", 1200), "1,200 more", "1.200 weitere"},
		{phrase.Of("no such key", "{0} is said in English", "a"), "a is said in English", "a is said in English"},
	} {
		assert.Equal(t, c.english, en.Say(c.says))
		assert.Equal(t, c.german, de.Say(c.says))
	}
	assert.Equal(t, "a", de.List([]string{"a"}, true))
}
