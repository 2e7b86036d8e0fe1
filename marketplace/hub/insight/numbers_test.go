package insight_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/insight"
)

func TestNumbers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, insight.Options{})
	ctx := t.Context()
	today := w.today()
	w.set(w.now.AddDate(0, 0, 1))
	w.release("acme/backup", "1.1.0", nil)      // tomorrow
	w.release("acme/backup", "2.0.0-rc.1", nil) // no stable one
	const p = "acme/backup"
	w.tally(
		hub.Tally{Day: today - 9, Kind: hub.TallyDownload, Plugin: p, Version: "1.0.0", N: 100}, // before the range
		hub.Tally{Day: today, Kind: hub.TallyDownload, Plugin: p, Version: "1.0.0", N: 7},
		hub.Tally{Day: today + 1, Kind: hub.TallyDownload, Plugin: p, Version: "1.0.0", N: 1},
		hub.Tally{Day: today + 1, Kind: hub.TallyDownload, Plugin: p, Version: "1.1.0", N: 10},
		hub.Tally{Day: today + 1, Kind: hub.TallyDownload, Plugin: "acme/other", Version: "1.1.0", N: 10},
		hub.Tally{Day: today, Kind: hub.TallyActive, Plugin: p, Version: "1.0.0", Detail: "3.0.0", N: 4},
		hub.Tally{Day: today + 1, Kind: hub.TallyActive, Plugin: p, Version: "1.0.0", Detail: "3.0.0", N: 3},
		hub.Tally{Day: today + 1, Kind: hub.TallyActive, Plugin: p, Version: "1.1.0", Detail: "3.1.0", N: 1},
		hub.Tally{Day: today + 1, Kind: hub.TallyRollback, Plugin: p, Version: "1.1.0", N: 2},
		hub.Tally{Day: today, Kind: hub.TallyUnhealthy, Plugin: p, Version: "1.0.0", N: 5},
		hub.Tally{Day: today, Kind: hub.TallyRating, Plugin: p, Detail: "5", N: 3},
		hub.Tally{Day: today, Kind: hub.TallyRating, Plugin: p, Detail: "1", N: 1},
		hub.Tally{Day: today + 1, Kind: hub.TallyRating, Plugin: p, Detail: "1", N: -1},
	)
	from := time.Unix(int64(today-1)*86400, 0)
	to := from.AddDate(0, 0, 2)
	n, err := w.Numbers(ctx, w.ann, p, from, to)
	require.NoError(t, err)
	assert.Equal(t, []string{"2026-03-09", "2026-03-10", "2026-03-11"}, n.Days)
	assert.Equal(t, []int64{0, 7, 11}, n.Downloads)
	assert.Equal(t, []insight.Series{{Name: "1.1.0", Values: []int64{0, 0, 10}, Sum: 10}, {Name: "1.0.0", Values: []int64{0, 7, 1}, Sum: 8}}, n.DownloadsByVersion)
	assert.Equal(t, int64(118), n.DownloadsTotal)
	assert.Equal(t, []int64{0, 4, 4}, n.Active)
	assert.Equal(t, "3.0.0", n.ActivePanel[0].Name)
	assert.Equal(t, []float64{0, 1, 0.25}, n.Adoption, "of the version that was the newest stable one")
	assert.Equal(t, []int64{0, 0, 2}, n.Rollbacks)
	assert.Equal(t, []int64{0, 5, 0}, n.Unhealthy)
	assert.Equal(t, []int64{0, 4, -1}, n.Ratings)
	assert.Equal(t, []float64{0, 4, 0}, n.RatingMean)

	admin := w.bob
	admin.Roles = []hub.Role{hub.RoleAdmin}
	_, err = w.Numbers(ctx, admin, p, from, to)
	assert.NoError(t, err)
	for name, c := range map[string]struct {
		who      hub.Actor
		plugin   string
		from, to time.Time
		want     error
	}{
		"nobody": {hub.Actor{}, p, from, to, hub.ErrUnauthenticated}, "another": {w.bob, p, from, to, hub.ErrForbidden},
		"no plugin": {w.ann, "acme/none", from, to, hub.ErrNotFound}, "no id": {w.ann, "x", from, to, hub.ErrNotFound},
	} {
		_, err := w.Numbers(ctx, c.who, c.plugin, c.from, c.to)
		assert.ErrorIs(t, err, c.want, name)
	}
	var invalid *hub.InvalidError
	for _, r := range [][2]time.Time{{to, from}, {from, from.AddDate(0, 0, insight.MaxDays)}, {time.Time{}, to}} {
		_, err := w.Numbers(ctx, w.ann, p, r[0], r[1])
		assert.ErrorAs(t, err, &invalid)
	}

	var b bytes.Buffer
	require.NoError(t, n.WriteCSV(&b))
	lines, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 4)
	assert.Equal(t, []string{"day", "plugin", "downloads", "active", "adoption", "rollbacks", "unhealthy", "ratings", "rating_mean", "downloads 1.1.0", "downloads 1.0.0", "active 1.0.0", "active 1.1.0"}, lines[0])
	assert.Equal(t, []string{"2026-03-11", p, "11", "4", "0.2500", "2", "0", "-1", "0.0000", "10", "1", "3", "1"}, lines[3])
}

func TestManyVersionsAreSummedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, insight.Options{})
	for i := range 30 {
		w.tally(hub.Tally{Day: w.today(), Kind: hub.TallyDownload, Plugin: "acme/backup", Version: "1.0." + string(rune('0'+i/10)) + string(rune('0'+i%10)), N: int64(i + 1)})
	}
	n, err := w.Numbers(t.Context(), w.ann, "acme/backup", w.now, w.now)
	require.NoError(t, err)
	require.Len(t, n.DownloadsByVersion, 12)
	assert.Equal(t, "other", n.DownloadsByVersion[11].Name)
	sum := int64(0)
	for _, s := range n.DownloadsByVersion {
		sum += s.Sum
	}
	assert.Equal(t, n.Downloads[0], sum)
}

// FuzzCSV: whatever a name is, no cell of the file is a formula, and the file has as
// many lines and cells as days and columns.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"1.0.0", "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r\n=1", "a\"b,c;d", " =1", "＝1", "|calc", "'", "\x00=1", "\f%", "\u200b=1", "\u2028@"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n := insight.Numbers{
			Plugin: s, Days: []string{s}, Downloads: []int64{1}, Active: []int64{1}, Adoption: []float64{1}, Rollbacks: []int64{1}, Unhealthy: []int64{1},
			Ratings: []int64{-1}, RatingMean: []float64{1}, DownloadsByVersion: []insight.Series{{Name: s, Values: []int64{1}}}, ActiveVersion: []insight.Series{{Name: s, Values: []int64{2}}},
		}
		var b bytes.Buffer
		require.NoError(t, n.WriteCSV(&b))
		lines, err := csv.NewReader(&b).ReadAll()
		require.NoError(t, err)
		require.Len(t, lines, 2)
		for _, line := range lines {
			require.Len(t, line, 11)
			for i, c := range line {
				if c == "-1" && i == 7 {
					continue // a number of ours
				}
				assert.False(t, strings.ContainsAny(strings.TrimSpace(c)[:min(1, len(strings.TrimSpace(c)))], "=+-@|%"), "%q", c)
				assert.NotContains(t, c, "\n")
			}
		}
	})
}

func TestStats(t *testing.T) {
	t.Parallel()
	w := newWorld(t, insight.Options{})
	w.release("acme/alpha", "1.0.0", nil)
	w.release("acme/hidden", "1.0.0", nil)
	ctx := t.Context()
	w.update(func(ctx context.Context, tx hub.Tx) error {
		if err := hub.HidePlugin(ctx, tx, hub.SystemActor("test"), w.now, "acme/hidden", "x"); err != nil {
			return err
		}
		if err := tx.Scores().Put(ctx, &hub.Score{Plugin: "acme/alpha", S5: 2}); err != nil {
			return err
		}
		return tx.Scores().Put(ctx, &hub.Score{Plugin: "acme/backup", S5: 2, S3: 1})
	})
	w.tally(
		hub.Tally{Day: w.today() - 100, Kind: hub.TallyDownload, Plugin: "acme/backup", Version: "1.0.0", N: 1000},
		hub.Tally{Day: w.today(), Kind: hub.TallyDownload, Plugin: "acme/alpha", Version: "1.0.0", N: 99},
	)
	stats, err := w.Stats(ctx)
	require.NoError(t, err)
	prior := 23. / 5
	assert.Equal(t, []catalog.Stats{
		{ID: "acme/alpha", Downloads: 99, Ratings: 2, Rating: 0, Rank: insight.Rank(99, (prior*10+10)/12)},
		{ID: "acme/backup", Downloads: 1000, Ratings: 3, Rating: 4.33, Rank: insight.Rank(0, (prior*10+13)/13)},
	}, stats)
	assert.Greater(t, stats[0].Rank, stats[1].Rank, "what is downloaded now")
	for _, one := range stats {
		_, err := catalog.NewStatsRecord(one)
		assert.NoError(t, err)
	}
	pub, err := w.Public(ctx)
	require.NoError(t, err)
	assert.Equal(t, insight.PublicNumbers{Plugins: 2, Publishers: 1, Downloads: 1099, Ratings: 5}, pub)
}
