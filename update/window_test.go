package update_test

import (
	"encoding/json"
	"testing"
	"time"
	_ "time/tzdata" // the tables below must not depend on the machine

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/update"
)

func TestWindowOverChangesOfTheClock(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, window, now, start, end string }{
		{"plain", "daily 02:30 2h Europe/Berlin", "2026-01-10T12:00:00Z", "2026-01-11T02:30:00+01:00", "2026-01-11T04:30:00+01:00"},
		{"spring gap: first instant that exists", "daily 02:30 2h Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T03:00:00+02:00", "2026-03-29T05:00:00+02:00"},
		{"before the spring gap, over it", "daily 01:30 2h Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00+01:00", "2026-03-29T04:30:00+02:00"},
		{"the day after the gap", "daily 02:30 2h Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-30T02:30:00+02:00", "2026-03-30T04:30:00+02:00"},
		{"autumn overlap: the first", "daily 02:30 30m Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T02:30:00+02:00", "2026-10-25T02:00:00+01:00"},
		{"autumn overlap: the second does not count", "daily 02:30 30m Europe/Berlin", "2026-10-25T01:00:00Z", "2026-10-26T02:30:00+01:00", "2026-10-26T03:00:00+01:00"},
		{"overlap ends where it ends", "Sun 02:00 3h Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T02:00:00+02:00", "2026-10-25T04:00:00+01:00"},
		{"New York gap", "Sun 02:15 1h America/New_York", "2026-03-07T12:00:00Z", "2026-03-08T03:00:00-04:00", "2026-03-08T04:00:00-04:00"},
		{"New York overlap", "Sun 01:15 1h America/New_York", "2026-10-31T12:00:00Z", "2026-11-01T01:15:00-04:00", "2026-11-01T01:15:00-05:00"},
		{"half an hour, Lord Howe gap", "daily 02:15 1h Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-04T02:30:00+11:00", "2026-10-04T03:30:00+11:00"},
		{"half an hour, Lord Howe overlap", "daily 01:45 1h Australia/Lord_Howe", "2026-04-04T12:00:00Z", "2026-04-05T01:45:00+11:00", "2026-04-05T02:15:00+10:30"},
		{"gap at midnight", "Sun 00:00 1h America/Santiago", "2026-09-05T12:00:00Z", "2026-09-06T01:00:00-03:00", "2026-09-06T02:00:00-03:00"},
		{"overlap before midnight", "Sat 23:30 1h America/Santiago", "2026-04-04T12:00:00Z", "2026-04-04T23:30:00-03:00", "2026-04-04T23:30:00-04:00"},
		{"a day that did not exist", "Fri 02:00 1h Pacific/Apia", "2011-12-29T12:00:00Z", "2011-12-31T00:00:00+14:00", "2011-12-31T01:00:00+14:00"},
		{"the week after that", "Fri 02:00 1h Pacific/Apia", "2011-12-31T12:00:00Z", "2012-01-06T02:00:00+14:00", "2012-01-06T03:00:00+14:00"},
		{"open now", "Mon 22:00 8h Asia/Tokyo", "2026-06-01T18:00:00Z", "2026-06-01T22:00:00+09:00", "2026-06-02T06:00:00+09:00"},
		{"open at its start", "Mon 22:00 8h", "2026-06-01T22:00:00Z", "2026-06-01T22:00:00Z", "2026-06-02T06:00:00Z"},
		{"closed at its end", "Mon 22:00 8h", "2026-06-02T06:00:00Z", "2026-06-08T22:00:00Z", "2026-06-09T06:00:00Z"},
		{"yesterday's is still open", "daily 20:00 24h", "2026-06-02T10:00:00Z", "2026-06-01T20:00:00Z", "2026-06-02T20:00:00Z"},
		{"the day is the place's, not UTC's", "Mon 01:00 1h Asia/Tokyo", "2026-05-31T12:00:00Z", "2026-06-01T01:00:00+09:00", "2026-06-01T02:00:00+09:00"},
	} {
		w, err := update.ParseWindow(tt.window)
		require.NoError(t, err, tt.name)
		start, end, err := w.At(when(t, tt.now))
		require.NoError(t, err, tt.name)
		assert.Equal(t, tt.start, start.Format(time.RFC3339), "%s: start", tt.name)
		assert.Equal(t, tt.end, end.Format(time.RFC3339), "%s: end", tt.name)
	}
}

// A window comes exactly once on each of its days, through all changes of the clock.
func TestWindowOncePerDay(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "UTC"} {
		for _, clock := range []string{"00:00", "00:30", "01:30", "02:00", "02:30", "03:00", "23:45"} {
			w, err := update.ParseWindow("daily " + clock + " 10m " + zone)
			require.NoError(t, err)
			now, days := when(t, "2025-12-31T12:00:00Z"), map[string]int{}
			for range 730 {
				start, end, err := w.At(now)
				require.NoError(t, err)
				require.True(t, end.After(now), "%s %v", w, now)
				days[start.Format(time.DateOnly)]++
				now = end
			}
			assert.Len(t, days, 730, "%s", w)
		}
	}
}

func TestParseWindow(t *testing.T) {
	t.Parallel()
	for text, canonical := range map[string]string{
		"daily 02:00 4h":                "daily 02:00 4h UTC",
		"Sun-Sat 2:00 240m UTC":         "daily 02:00 4h UTC",
		"fri-mon 23:59 1h30m":           "Mon,Fri,Sat,Sun 23:59 1h30m UTC",
		"Mon,Mon 00:00 24h Asia/Tokyo":  "Mon 00:00 24h Asia/Tokyo",
		"  Tue  00:05   5m  ":           "Tue 00:05 5m UTC",
		"Sat,Sun 02:00 4h Europe/Paris": "Sat,Sun 02:00 4h Europe/Paris",
	} {
		w, err := update.ParseWindow(text)
		require.NoError(t, err, text)
		assert.Equal(t, canonical, w.String())
		b, err := json.Marshal(w)
		require.NoError(t, err)
		var again update.Window
		require.NoError(t, json.Unmarshal(b, &again))
		assert.Equal(t, w, again)
	}
	for text, says := range map[string]string{
		"":                          "reads like",
		"daily":                     "reads like",
		"daily 02:00 4h UTC UTC":    "reads like",
		"daily 24:00 4h":            "not a time",
		"daily 2 4h":                "not a time",
		"daily +2:00 4h":            "not a time",
		"daily 02:5 4h":             "not a time",
		"daily 02:00 4":             "not a duration",
		"daily 02:00 1s":            "5m to 24h",
		"daily 02:00 25h":           "5m to 24h",
		"daily 02:00 90s":           "whole minutes",
		"daily 02:00 -4h":           "5m to 24h",
		"Mo 02:00 4h":               "not one of",
		"Mon- 02:00 4h":             "not one of",
		",Mon 02:00 4h":             "not one of",
		"daily 02:00 4h Mars/Base":  "not known here",
		"daily 02:00 4h ../etc":     "not known here",
		"daily 02:00 4h Local":      "depends on the process",
		string(make([]byte, 10000)): "10000 characters",
	} {
		_, err := update.ParseWindow(text)
		assert.ErrorContains(t, err, says, "%q", text)
	}
}

func FuzzWindow(f *testing.F) {
	f.Add("Sat,Sun 02:00 4h Europe/Berlin", int64(1774742400))
	f.Add("daily 02:30 24h America/New_York", int64(1793500000))
	f.Add("Fri 00:00 5m Pacific/Apia", int64(1325200000))
	f.Add("Mon-Fri 23:59 1h30m", int64(0))
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		w, err := update.ParseWindow(text)
		if err != nil {
			return
		}
		again, err := update.ParseWindow(w.String())
		require.NoError(t, err)
		require.Equal(t, w.String(), again.String())
		now := time.Unix(unix%(1<<34), 0) // years 1426 to 2514
		start, end, err := w.At(now)
		require.NoError(t, err)
		require.True(t, end.After(now))
		require.Equal(t, w.Duration, end.Sub(start))
		require.LessOrEqual(t, start.Sub(now), 9*24*time.Hour)
		inside, _, err := w.At(start)
		require.NoError(t, err)
		require.False(t, inside.After(start), "open at its start")
		next, _, err := w.At(end)
		require.NoError(t, err)
		require.True(t, next.After(start))
	})
}

func when(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	require.NoError(t, err)
	return v
}
