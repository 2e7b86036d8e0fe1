package insight_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/insight"
)

func TestCosine(t *testing.T) {
	assert.Zero(t, insight.Cosine(4, 4, 4), "four panels say nothing")
	assert.InDelta(t, 5./15, insight.Cosine(5, 5, 5), 1e-9, "five say a little")
	assert.InDelta(t, 1000./1010, insight.Cosine(1000, 1000, 1000), 1e-9, "a thousand are believed")
	assert.InDelta(t, 0.1*100/110, insight.Cosine(100, 1000, 1000), 1e-9)
	assert.Zero(t, insight.Cosine(100, 0, 10), "totals that cannot be")
	assert.LessOrEqual(t, insight.Cosine(100, 10, 10), 1.0)
}

func doc(id, name string, tags ...string) insight.Document {
	return insight.NewDocument(id, name, "", tags, nil)
}

// names says what was suggested, and why.
func names(m *insight.Model, n int, have ...string) []string {
	var out []string
	last := 2.0
	for _, s := range m.Suggest(have, n) {
		id, because, how, score := s.Get()
		if how == insight.Together && score > last {
			out = append(out, "out of order")
		}
		last = score
		out = append(out, fmt.Sprintf("%s %s %s", id, how, because))
	}
	return out
}

func TestSuggest(t *testing.T) {
	docs := []insight.Document{
		doc("a/backup", "Backup", "backup", "storage"), doc("a/restore", "Restore", "backup", "disaster"), doc("a/s3", "Object storage", "storage", "cloud"),
		doc("a/monitor", "Monitor", "metrics"), doc("a/graph", "Graphs", "metrics"), doc("a/lonely", "Lonely", "unique"),
	}
	active := map[string]float64{"a/backup": 100, "a/monitor": 100, "a/graph": 20, "a/s3": 50, "a/gone": 100}
	pairs := []insight.Pair{
		insight.NewPair("a/backup", "a/monitor", 50), insight.NewPair("a/backup", "a/s3", 40), insight.NewPair("a/graph", "a/monitor", 4),
		insight.NewPair("a/backup", "a/gone", 90), insight.NewPair("a/monitor", "a/s3", 5),
	}
	m := insight.NewModel(docs, active, pairs)
	assert.Equal(t, []string{"a/s3 together a/backup", "a/monitor together a/backup", "a/restore alike a/backup"}, names(m, 10, "a/backup"))
	assert.Equal(t, []string{"a/s3 together a/backup"}, names(m, 1, "a/backup"))
	assert.Equal(t, []string{"a/s3 together a/backup", "a/graph alike a/monitor", "a/restore alike a/backup"}, names(m, 10, "a/monitor", "a/backup"),
		"what one has is not among them, the stronger is the reason, four panels are too few")
	assert.Equal(t, []string{"a/monitor alike a/graph"}, names(m, 10, "a/graph"))
	assert.Empty(t, names(m, 10, "a/lonely"))
	assert.Empty(t, names(m, 10, "a/none"))
	assert.Empty(t, names(m, 10))
	assert.Empty(t, names(m, 0, "a/backup"))
	assert.Equal(t, []string{"a/backup together a/gone"}, names(m, 1, "a/gone"), "what is no longer listed still says something of who has it")
	assert.Empty(t, names(insight.NewModel(nil, nil, nil), 10, "a/backup"))
}

// TestSeveralReasonsAddUp: two that speak for a plugin are more than one.
func TestSeveralReasonsAddUp(t *testing.T) {
	docs := []insight.Document{doc("a/one", "x"), doc("a/two", "y"), doc("a/both", "z"), doc("a/single", "w")}
	active := map[string]float64{"a/one": 100, "a/two": 100, "a/both": 100, "a/single": 100}
	pairs := []insight.Pair{insight.NewPair("a/one", "a/both", 30), insight.NewPair("a/two", "a/both", 30), insight.NewPair("a/one", "a/single", 40)}
	m := insight.NewModel(docs, active, pairs)
	assert.Equal(t, []string{"a/both together a/one", "a/single together a/one"}, names(m, 9, "a/one", "a/two"))
	assert.Equal(t, []string{"a/single together a/one", "a/both together a/one"}, names(m, 9, "a/one"))
}

func TestRecommend(t *testing.T) {
	t.Parallel()
	w := newWorld(t, insight.Options{})
	ctx := t.Context()
	w.release("acme/restore", "1.0.0", func(m *catalog.Manifest) { m.Summary, m.Tags = "Puts it back.", []string{"files"} })
	w.release("acme/archive", "1.0.0", func(m *catalog.Manifest) { m.Summary, m.Tags = "Tapes.", []string{"files"} })
	w.release("acme/hidden", "1.0.0", nil)
	w.update(func(ctx context.Context, tx hub.Tx) error {
		return hub.HidePlugin(ctx, tx, hub.SystemActor("test"), w.now, "acme/hidden", "x")
	})
	for day := range 3 { // on three days of the last seven
		d := w.today() - 2*day
		for _, p := range []string{"acme/backup", "acme/restore", "acme/hidden"} {
			w.tally(hub.Tally{Day: d, Kind: hub.TallyActive, Plugin: p, Version: "1.0.0", N: 20})
		}
		w.tally(
			hub.Tally{Day: d, Kind: hub.TallyPair, Plugin: "acme/backup", Detail: "acme/restore", N: 10},
			hub.Tally{Day: d, Kind: hub.TallyPair, Plugin: "acme/backup", Detail: "acme/hidden", N: 20},
			hub.Tally{Day: d, Kind: hub.TallyPair, Plugin: "acme/archive", Detail: "acme/backup", N: 4}, // 12 in all, and never five panels
		)
	}
	list, err := w.Recommend(ctx, []catalog.PluginID{"acme/backup", "acme/backup"}, 10)
	require.NoError(t, err)
	require.Len(t, list, 1)
	assert.Equal(t, insight.Recommendation{
		Plugin: "acme/restore", Name: "The restore", Summary: "Puts it back.", Because: "acme/backup", Have: "The backup", How: insight.Together, Score: 0.25,
	}, list[0])
	list, err = w.Recommend(ctx, []catalog.PluginID{"acme/restore"}, 10)
	require.NoError(t, err)
	require.Len(t, list, 2)
	assert.Equal(t, insight.Together, list[0].How)
	assert.Equal(t, catalog.PluginID("acme/archive"), list[1].Plugin)
	assert.Equal(t, insight.Alike, list[1].How)
	_, err = w.Recommend(ctx, make([]catalog.PluginID, insight.MaxHave+1), 10)
	assert.Error(t, err)

	// A new plugin is known after the numbers job.
	w.release("acme/tapes", "1.0.0", func(m *catalog.Manifest) { m.Tags = []string{"files"} })
	require.NoError(t, w.run(w.Service, hub.JobNumbers, ""))
	list, err = w.Recommend(ctx, []catalog.PluginID{"acme/restore"}, 10)
	require.NoError(t, err)
	assert.Len(t, list, 3)
}

// BenchmarkRecommend asks a model of 10,000 plugins what goes with thirty.
func BenchmarkRecommend(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	tags := make([]string, 500)
	for i := range tags {
		tags[i] = fmt.Sprintf("tag%d", i)
	}
	var docs []insight.Document
	active := map[string]float64{}
	var pairs []insight.Pair
	id := func(i int) string { return fmt.Sprintf("p/plugin%d", i) }
	for i := range 10_000 {
		docs = append(docs, insight.NewDocument(id(i), fmt.Sprintf("Plugin number %d", i), "does what others do too",
			[]string{tags[r.IntN(500)], tags[r.IntN(500)], tags[r.IntN(500)]}, []string{tags[r.IntN(20)]}))
		active[id(i)] = float64(r.IntN(1000))
	}
	for range 100_000 {
		pairs = append(pairs, insight.NewPair(id(r.IntN(10_000)), id(r.IntN(10_000)), float64(r.IntN(50))))
	}
	var have []string
	for range 30 {
		have = append(have, id(r.IntN(10_000)))
	}
	m := insight.NewModel(docs, active, pairs)
	b.Run("model", func(b *testing.B) {
		for range b.N {
			insight.NewModel(docs, active, pairs)
		}
	})
	b.Run("together", func(b *testing.B) {
		for range b.N {
			m.Suggest(have, 6)
		}
	})
	alike := insight.NewModel(docs, nil, nil)
	b.Run("alike", func(b *testing.B) {
		for range b.N {
			alike.Suggest(have, 6)
		}
	})
}

// BenchmarkCountDownloads counts batches of 1,000 of known releases, with their writing.
func BenchmarkCountDownloads(b *testing.B) {
	w := newWorld(b, insight.Options{})
	batch := make([]insight.Download, 1000)
	for i := range b.N {
		for k := range batch {
			batch[k] = download("acme/backup", "1.0.0", fmt.Sprintf("%d %d", i, k))
		}
		s := w.Service
		require.NoError(b, s.CountDownloads(b.Context(), batch))
		require.NoError(b, insight.Flush(s, b.Context()))
	}
}
