package catalog_test

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

func stats(t testing.TB, id catalog.PluginID, downloads int64) catalog.Record {
	t.Helper()
	r, err := catalog.NewStatsRecord(catalog.Stats{ID: id, Downloads: downloads})
	require.NoError(t, err)
	return r
}

func records(list ...catalog.Record) iter.Seq2[catalog.Record, error] {
	return func(yield func(catalog.Record, error) bool) {
		for _, r := range list {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// lines reads a segment to its end.
func lines(seq iter.Seq2[catalog.Record, error]) ([]string, error) {
	var out []string
	for r, err := range seq {
		if err != nil {
			return nil, err
		}
		out = append(out, string(r.Line))
	}
	return out, nil
}

func TestSegmentRoundTrip(t *testing.T) {
	t.Parallel()
	raw, s, err := catalog.WriteSegment(records(stats(t, "acme/a1", 1), catalog.Tombstone("acme/b1"), stats(t, "bolt/a1", 3)))
	require.NoError(t, err)
	assert.Equal(t, 3, s.Records)
	assert.Equal(t, verify.DigestOf(raw), s.Digest)
	assert.EqualValues(t, len(raw), s.Size)
	got, err := lines(catalog.ReadSegment(bytes.NewReader(raw), s.Blob))
	require.NoError(t, err)
	require.Len(t, got, 3)
	assert.Equal(t, s.DiffID, verify.DigestOf([]byte(strings.Join(got, "\n")+"\n")))
	assert.Equal(t, `{"id":"acme/b1","deleted":true}`, got[1])

	again, same, err := catalog.WriteSegment(catalog.ReadSegment(bytes.NewReader(raw), s.Blob))
	require.NoError(t, err)
	assert.Equal(t, s, same)
	assert.Equal(t, raw, again, "same records, same bytes")
}

func TestWriteSegmentRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		records []catalog.Record
		says    string
	}{
		"order":    {[]catalog.Record{stats(t, "bolt/a1", 1), stats(t, "acme/a1", 1)}, "not in order"},
		"twice":    {[]catalog.Record{stats(t, "acme/a1", 1), stats(t, "acme/a1", 1)}, "not in order"},
		"other id": {[]catalog.Record{{ID: "acme/a1", Line: []byte(`{"id":"acme/b1"}`)}}, "malformed"},
		"no id":    {[]catalog.Record{{ID: "acme/a1", Line: []byte(`{"x":1}`)}}, "does not begin with its id"},
		"break":    {[]catalog.Record{{ID: "acme/a1", Line: []byte("{\"id\":\"acme/a1\",\n\"x\":1}")}}, "malformed"},
	} {
		_, _, err := catalog.WriteSegment(records(c.records...))
		assert.ErrorContains(t, err, c.says, name)
	}
}

// pack compresses plain text and describes it as announced.
func pack(t testing.TB, plain string) ([]byte, catalog.Blob) {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	require.NoError(t, err)
	raw := z.EncodeAll([]byte(plain), nil)
	return raw, catalog.Blob{Digest: verify.DigestOf(raw), Size: int64(len(raw)), DiffID: verify.DigestOf([]byte(plain)), Plain: int64(len(plain))}
}

func TestReadSegmentRefuses(t *testing.T) {
	t.Parallel()
	a, b := `{"id":"acme/a1","x":1}`+"\n", `{"id":"acme/b1","x":1}`+"\n"
	for name, c := range map[string]struct{ plain, says string }{
		"order":      {b + a, "not in order"},
		"twice":      {a + a, "not in order"},
		"no end":     {a + strings.TrimSpace(b), "the last line has no end"},
		"bad id":     {`{"id":"ACME/a1"}` + "\n", "is not publisher/name"},
		"no id":      {"{}\n", "does not begin with its id"},
		"empty line": {a + "\n", "does not begin with its id"},
	} {
		raw, blob := pack(t, c.plain)
		_, err := lines(catalog.ReadSegment(bytes.NewReader(raw), blob))
		assert.ErrorContains(t, err, c.says, name)
	}

	raw, blob := pack(t, a)
	longer, shorter, other, bomb := blob, blob, blob, blob
	longer.Plain++
	shorter.Plain--
	other.DiffID = verify.DigestOf([]byte("other"))
	bomb.Plain = catalog.SegmentRatioFree + catalog.MaxSegmentRatio*bomb.Size + 1
	for name, b := range map[string]catalog.Blob{"longer": longer, "shorter": shorter, "other": other} {
		_, err := lines(catalog.ReadSegment(bytes.NewReader(raw), b))
		assert.ErrorIs(t, err, verify.ErrDigest, name)
	}
	_, err := lines(catalog.ReadSegment(bytes.NewReader(raw), bomb))
	require.ErrorContains(t, err, "more than 200 times as many")
	_, err = lines(catalog.ReadSegment(strings.NewReader("junk"), blob))
	require.Error(t, err)

	huge, blob := pack(t, strings.Repeat("x", catalog.MaxRecord+1)+"\n")
	blob.Size = catalog.MaxSegment // so that its announced ratio is fine
	_, err = lines(catalog.ReadSegment(bytes.NewReader(huge), blob))
	require.ErrorContains(t, err, "a record is longer than")
}

func TestLongRecords(t *testing.T) {
	t.Parallel()
	want := []string{
		`{"id":"acme/a1","x":"` + strings.Repeat("a", 300<<10) + `"}`,
		`{"id":"acme/b1","x":"b"}`,
		`{"id":"acme/c1","x":"` + strings.Repeat("c", 700<<10) + `"}`,
	}
	raw, blob := pack(t, strings.Join(want, "\n")+"\n")
	got, err := lines(catalog.ReadSegment(bytes.NewReader(raw), blob))
	require.NoError(t, err)
	assert.Equal(t, want, got)
}

func TestMergeRecords(t *testing.T) {
	t.Parallel()
	old := records(stats(t, "acme/a1", 1), stats(t, "acme/b1", 1), stats(t, "acme/c1", 1))
	mid := records(catalog.Tombstone("acme/b1"), stats(t, "acme/c1", 2))
	young := records(stats(t, "acme/c1", 3), stats(t, "acme/d1", 3), catalog.Tombstone("acme/e1"))
	got, err := lines(catalog.MergeRecords(true, old, mid, young))
	require.NoError(t, err)
	assert.Equal(t, []string{string(stats(t, "acme/a1", 1).Line), string(stats(t, "acme/c1", 3).Line), string(stats(t, "acme/d1", 3).Line)}, got)

	got, err = lines(catalog.MergeRecords(false, mid, young))
	require.NoError(t, err)
	assert.Len(t, got, 4, "what hides older records stays")

	broken := func(yield func(catalog.Record, error) bool) {
		_ = yield(stats(t, "acme/a1", 1), nil) && yield(catalog.Record{}, verify.ErrDigest)
	}
	_, err = lines(catalog.MergeRecords(true, old, broken))
	require.ErrorIs(t, err, verify.ErrDigest)
}

// Merging in steps gives what merging at once gives, which gives the newest of all.
func TestMergeRecordsIsAssociative(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		want := make(map[catalog.PluginID]string)
		var all []iter.Seq2[catalog.Record, error]
		for n := range rapid.IntRange(1, 6).Draw(rt, "segments") {
			ids := rapid.SliceOfDistinct(rapid.IntRange(0, 9), rapid.ID[int]).Draw(rt, "ids")
			slices.Sort(ids)
			var list []catalog.Record
			for _, i := range ids {
				id := catalog.PluginID(fmt.Sprintf("acme/p%d", i))
				if rapid.Bool().Draw(rt, "deleted") {
					list = append(list, catalog.Tombstone(id))
					delete(want, id)
					continue
				}
				r := stats(t, id, int64(n))
				list, want[id] = append(list, r), string(r.Line)
			}
			all = append(all, records(list...))
		}
		once, err := lines(catalog.MergeRecords(true, all...))
		require.NoError(rt, err)
		cut := rapid.IntRange(0, len(all)).Draw(rt, "cut")
		steps, err := lines(catalog.MergeRecords(true, catalog.MergeRecords(true, all[:cut]...), catalog.MergeRecords(false, all[cut:]...)))
		require.NoError(rt, err)
		require.Equal(rt, once, steps)
		require.Len(rt, once, len(want))
		for _, line := range once {
			require.Contains(rt, slices.Collect(mapValues(want)), line)
		}
	})
}

func mapValues(m map[catalog.PluginID]string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, v := range m {
			if !yield(v) {
				return
			}
		}
	}
}

func TestRecordReaderRefuses(t *testing.T) {
	t.Parallel()
	var d catalog.RecordReader
	digest := verify.DigestOf(nil)
	manifest := func(version string) string {
		return strings.Replace(strings.Replace(small, `"1.0.0"`, `"`+version+`"`, 1), `acme/backup`, `acme/a1`, 1)
	}
	release := func(extra string) string {
		return `{"plugin":"acme/a1","version":"1.0.0","digest":"` + string(digest) + `","size":1,"manifest":` + manifest("1.0.0") + `,"published":"2026-05-03T12:00:00Z"` + extra + `}`
	}
	for name, c := range map[string]struct{ line, says string }{
		"unknown field":  {`{"id":"acme/a1","releases":[],"x":1}`, `unknown field "x"`},
		"other plugin":   {`{"id":"acme/a1","releases":[` + strings.Replace(release(""), `"plugin":"acme/a1"`, `"plugin":"acme/b1"`, 1) + `]}`, "is not about acme/a1"},
		"other manifest": {`{"id":"acme/a1","releases":[` + strings.Replace(release(""), `"version":"1.0.0","name"`, `"version":"2.0.0","name"`, 1) + `]}`, "has the manifest of acme/a1@2.0.0"},
		"twice":          {`{"id":"acme/a1","releases":[` + release("") + `,` + release("") + `]}`, "not in order"},
		"state":          {`{"id":"acme/a1","releases":[` + release(`,"state":"gone"`) + `]}`, `state "gone"`},
		"rollout":        {`{"id":"acme/a1","releases":[` + release(`,"rollout":{"percent":101}`) + `]}`, "rollout of 101"},
		"media":          {`{"id":"acme/a1","releases":[` + release(`,"media":[{"mediaType":"text/markdown","digest":"x","size":1}]`) + `]}`, "no valid digest"},
		"digest":         {`{"id":"acme/a1","releases":[` + strings.Replace(release(""), string(digest), "sha256:1", 1) + `]}`, "no valid digest"},
		"tombstone":      {string(catalog.Tombstone("acme/a1").Line), `unknown field "deleted"`},
	} {
		_, err := d.Releases(catalog.Record{ID: "acme/a1", Line: []byte(c.line)})
		assert.ErrorContains(t, err, c.says, name)
	}
	all, err := d.Releases(catalog.Record{ID: "acme/a1", Line: []byte(`{"id":"acme/a1","releases":[` + release("") + `]}`)})
	require.NoError(t, err)
	assert.Equal(t, digest, all[0].Digest)

	for name, c := range map[string]struct{ line, says string }{
		"no name":      {`{"id":"acme/a1","name":"","summary":"s","license":"MIT","latest":"","updated":"2026-05-03T12:00:00Z","risk":"low"}`, "name is missing"},
		"turned":       {`{"id":"acme/a1","name":"a\u202eb","summary":"s","license":"MIT","latest":"","updated":"2026-05-03T12:00:00Z","risk":"low"}`, "U+202E"},
		"latest":       {`{"id":"acme/a1","name":"n","summary":"s","license":"MIT","latest":"one","updated":"2026-05-03T12:00:00Z","risk":"low"}`, "latest: "},
		"icon":         {`{"id":"acme/a1","name":"n","summary":"s","license":"MIT","latest":"","updated":"2026-05-03T12:00:00Z","risk":"low","icon":{"mediaType":"image/png","digest":"x","size":1}}`, "no valid digest"},
		"unknown risk": {`{"id":"acme/a1","name":"n","summary":"s","license":"MIT","latest":"","updated":"2026-05-03T12:00:00Z","risk":"none"}`, "risk"},
	} {
		_, err := d.Listing(catalog.Record{ID: "acme/a1", Line: []byte(c.line)})
		assert.ErrorContains(t, err, c.says, name)
	}
	_, err = d.Stats(catalog.Record{ID: "acme/a1", Line: []byte(`{"id":"acme/a1","downloads":1,"rating":6,"ratings":1,"rank":0}`)})
	require.ErrorContains(t, err, "out of range")
}

func FuzzReadSegment(f *testing.F) {
	raw, blob := pack(f, `{"id":"acme/a1","x":1}`+"\n")
	f.Add(raw, string(blob.DiffID), blob.Plain)
	f.Fuzz(func(t *testing.T, raw []byte, diffID string, plain int64) {
		b := catalog.Blob{Digest: verify.DigestOf(raw), Size: int64(len(raw)), DiffID: verify.Digest(diffID), Plain: plain}
		got, err := lines(catalog.ReadSegment(bytes.NewReader(raw), b))
		if err == nil && len(got) > 0 {
			require.Equal(t, b.DiffID, verify.DigestOf([]byte(strings.Join(got, "\n")+"\n")))
		}
	})
}

func FuzzRecordReader(f *testing.F) {
	f.Add([]byte(`{"id":"acme/a1","releases":[]}`))
	f.Add([]byte(`{"id":"acme/a1","downloads":1,"rating":0,"ratings":1,"rank":0}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var d catalog.RecordReader
		r := catalog.Record{ID: "acme/a1", Line: line}
		if all, err := d.Releases(r); err == nil {
			_, err := catalog.NewReleasesRecord("acme/a1", all)
			require.NoError(t, err)
		}
		if l, err := d.Listing(r); err == nil {
			_, err := catalog.NewListingRecord(l)
			require.NoError(t, err)
		}
		if s, err := d.Stats(r); err == nil {
			_, err := catalog.NewStatsRecord(s)
			require.NoError(t, err)
		}
	})
}

func sortRecords(list []catalog.Record) {
	slices.SortFunc(list, func(a, b catalog.Record) int { return strings.Compare(string(a.ID), string(b.ID)) })
}
