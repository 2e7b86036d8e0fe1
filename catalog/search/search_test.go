package search_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/search"
)

var day = time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC)

func snapshot(t testing.TB, c catalog.Contents) *catalog.Snapshot {
	t.Helper()
	s, err := catalog.NewSnapshot(c)
	require.NoError(t, err)
	return s
}

func listing(id, name, summary string, tags ...string) catalog.Listing {
	return catalog.Listing{ID: catalog.PluginID(id), Name: name, Summary: summary, License: "MIT", Tags: tags, Updated: day}
}

func market(t testing.TB) *search.Index {
	t.Helper()
	backup := listing("acme/backup", "Backup", "Saves every server at night.", "storage", "s3")
	backup.Categories = []string{"storage"}
	vault := listing("acme/vault", "Vault", "Encrypted backup of secrets.", "storage")
	vault.Categories = []string{"storage", "security"}
	vault.Localized = map[string]catalog.Localized{"de": {Name: "Tresor", Summary: "Verschlüsselte Sicherung."}, "ja": {Name: "金庫"}}
	cafe := listing("bolt/cafe", "Café Münster", "Orders coffee.", "fun")
	cafe.Keywords = []string{"backup drinks"}
	clock := listing("bolt/clock", "World Clock", "Shows the time.", "fun")
	clock.Updated = day.Add(time.Hour)
	return search.Build([]*catalog.Snapshot{
		snapshot(t, catalog.Contents{
			Source: "main", Listings: []catalog.Listing{backup, vault, cafe, clock},
			Publishers: []catalog.Publisher{{Namespace: "bolt", Name: "Bolt Brothers"}},
			Stats:      []catalog.Stats{{ID: "bolt/clock", Downloads: 9, Rank: 2}, {ID: "acme/vault", Downloads: 50, Rank: 1, Rating: 4}},
		}),
		snapshot(t, catalog.Contents{Source: "other", Listings: []catalog.Listing{
			listing("acme/backup", "Backup!!", "An impostor of backup.", "backup"), listing("dora/dns", "DNS", "Names."),
		}}),
	})
}

func ids(r search.Result) []string {
	out := []string{}
	for _, h := range r.Hits {
		out = append(out, string(h.ID))
	}
	return out
}

func TestSearch(t *testing.T) {
	t.Parallel()
	x := market(t)
	for name, c := range map[string]struct {
		q    search.Query
		want []string
	}{
		"everything by rank":      {search.Query{}, []string{"bolt/clock", "acme/vault", "acme/backup", "bolt/cafe", "dora/dns"}},
		"name before tags":        {search.Query{Text: "backup"}, []string{"acme/backup", "bolt/cafe", "acme/vault"}},
		"prefix while typing":     {search.Query{Text: "bac"}, []string{"acme/backup", "bolt/cafe", "acme/vault"}},
		"prefix of last word":     {search.Query{Text: "world cl"}, []string{"bolt/clock"}},
		"no prefix of first word": {search.Query{Text: "wor clock"}, []string{}},
		"all words":               {search.Query{Text: "backup secrets"}, []string{"acme/vault"}},
		"words of several fields": {search.Query{Text: "acme night"}, []string{"acme/backup"}},
		"case and accents":        {search.Query{Text: "CAFE munster"}, []string{"bolt/cafe"}},
		"decomposed accents":      {search.Query{Text: "cafe\u0301"}, []string{"bolt/cafe"}},
		"publisher's name":        {search.Query{Text: "brothers"}, []string{"bolt/clock", "bolt/cafe"}},
		"id":                      {search.Query{Text: "acme/vault"}, []string{"acme/vault"}},
		"one letter wrong":        {search.Query{Text: "backip"}, []string{"acme/backup", "bolt/cafe", "acme/vault"}},
		"two letters swapped":     {search.Query{Text: "vualt"}, []string{"acme/vault"}},
		"letter missing":          {search.Query{Text: "clck"}, []string{"bolt/clock"}},
		"letter too many":         {search.Query{Text: "clocck"}, []string{"bolt/clock"}},
		"two mistakes":            {search.Query{Text: "clccck"}, []string{}},
		"short word no typo":      {search.Query{Text: "dnz"}, []string{}},
		"nothing":                 {search.Query{Text: "zebra"}, []string{}},
		"signs only":              {search.Query{Text: "!!!"}, []string{"bolt/clock", "acme/vault", "acme/backup", "bolt/cafe", "dora/dns"}},
		"category":                {search.Query{Category: "storage"}, []string{"acme/vault", "acme/backup"}},
		"tag":                     {search.Query{Text: "o", Tag: "fun"}, []string{"bolt/cafe"}},
		"publisher":               {search.Query{Publisher: "acme"}, []string{"acme/vault", "acme/backup"}},
		"unknown category":        {search.Query{Category: "games"}, []string{}},
		"by name":                 {search.Query{Sort: search.ByName}, []string{"acme/backup", "bolt/cafe", "dora/dns", "acme/vault", "bolt/clock"}},
		"by date":                 {search.Query{Sort: search.ByUpdated}, []string{"bolt/clock", "acme/vault", "acme/backup", "bolt/cafe", "dora/dns"}},
		"by downloads":            {search.Query{Sort: search.ByDownloads, Text: "a"}, []string{"acme/vault", "acme/backup"}},
		"by rating":               {search.Query{Sort: search.ByRating, Limit: 1}, []string{"acme/vault"}},
		"unknown order":           {search.Query{Sort: "x", Limit: 1}, []string{"bolt/clock"}},
		"German":                  {search.Query{Text: "tresor", Language: "de-AT"}, []string{"acme/vault"}},
		"German unasked":          {search.Query{Text: "tresor"}, []string{}},
		"Japanese":                {search.Query{Text: "庫", Language: "ja"}, []string{"acme/vault"}},
		"second page":             {search.Query{Offset: 1, Limit: 2}, []string{"acme/vault", "acme/backup"}},
		"behind the end":          {search.Query{Offset: 10}, []string{}},
		"negative offset":         {search.Query{Offset: -3, Limit: 1}, []string{"bolt/clock"}},
	} {
		assert.Equal(t, c.want, ids(x.Search(c.q)), name)
	}
}

func TestShadowedPluginShowsOnce(t *testing.T) {
	t.Parallel()
	r := market(t).Search(search.Query{Text: "backup"})
	assert.Equal(t, "main", r.Hits[0].Source)
	assert.Equal(t, "Backup", r.Hits[0].Name)
	assert.Equal(t, 3, r.Total)
	assert.Empty(t, market(t).Search(search.Query{Text: "impostor"}).Hits)
	assert.Equal(t, "other", market(t).Search(search.Query{Text: "dns"}).Hits[0].Source)
}

func TestFacets(t *testing.T) {
	t.Parallel()
	x := market(t)
	all := x.Search(search.Query{})
	assert.Equal(t, []search.Count{{Value: "storage", N: 2}, {Value: "security", N: 1}}, all.Categories)
	assert.Equal(t, []search.Count{{Value: "fun", N: 2}, {Value: "storage", N: 2}, {Value: "s3", N: 1}}, all.Tags)
	chosen := x.Search(search.Query{Category: "security"})
	assert.Equal(t, all.Categories, chosen.Categories, "as if no category were chosen")
	assert.Equal(t, []search.Count{{Value: "storage", N: 1}}, chosen.Tags)
	assert.Equal(t, 1, chosen.Total)
	none := x.Search(search.Query{Text: "zebra"})
	assert.NotNil(t, none.Hits)
	assert.Empty(t, none.Categories)
}

func TestBounds(t *testing.T) {
	t.Parallel()
	x := search.Build([]*catalog.Snapshot{snapshot(t, many(300))})
	assert.Equal(t, 300, x.Len())
	assert.Len(t, x.Search(search.Query{}).Hits, search.DefaultLimit)
	assert.Len(t, x.Search(search.Query{Limit: 1000}).Hits, search.MaxLimit)
	assert.Equal(t, 300, x.Search(search.Query{Limit: 1000}).Total)
	assert.LessOrEqual(t, len(x.Search(search.Query{}).Tags), 50)
	x.Search(search.Query{Text: strings.Repeat("a ", 1<<20)})
	x.Search(search.Query{Text: strings.Repeat("x", search.MaxText-1) + "é"})
	assert.Empty(t, search.Build(nil).Search(search.Query{Text: "a"}).Hits)
	assert.Empty(t, x.Search(search.Query{Text: "serv", Offset: math.MaxInt}).Hits)
}

// Pages are the cuts of one order, whatever the page.
func TestPagesAddUp(t *testing.T) {
	t.Parallel()
	x := search.Build([]*catalog.Snapshot{snapshot(t, many(500))})
	for _, q := range []search.Query{{}, {Text: "serv"}, {Sort: search.ByName, Text: "the"}, {Sort: search.ByDownloads}} {
		q.Limit = 100
		whole := []string{}
		for q.Offset = 0; q.Offset < 500; q.Offset += 100 {
			whole = append(whole, ids(x.Search(q))...)
		}
		assert.Len(t, whole, x.Search(q).Total)
		parts := []string{}
		q.Limit = 7
		for q.Offset = 0; q.Offset < 500; q.Offset += 7 {
			parts = append(parts, ids(x.Search(q))...)
		}
		assert.Equal(t, whole, parts)
	}
}

func TestConcurrentSearches(t *testing.T) {
	t.Parallel()
	x := search.Build([]*catalog.Snapshot{snapshot(t, many(400))})
	texts := []string{"backup", "serv", "the d", "monitor", "pl"}
	want := make([][]string, len(texts))
	for i, text := range texts {
		want[i] = ids(x.Search(search.Query{Text: text}))
		require.NotEmpty(t, want[i], text)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				for i, text := range texts {
					assert.Equal(t, want[i], ids(x.Search(search.Query{Text: text})))
				}
			}
		})
	}
	wg.Wait()
}

func FuzzSearch(f *testing.F) {
	f.Add("backup", "de", 0, 10)
	f.Add("caf\xff\u0301 庫", "", -1, 1000)
	x := market(f)
	f.Fuzz(func(t *testing.T, text, language string, offset, limit int) {
		r := x.Search(search.Query{Text: text, Language: language, Offset: offset, Limit: limit})
		require.LessOrEqual(t, len(r.Hits), r.Total)
		require.Equal(t, r, x.Search(search.Query{Text: text, Language: language, Offset: offset, Limit: limit}), "the same again")
	})
}

// many returns a catalog of n plugins of words that differ in how common they are.
func many(n int) catalog.Contents {
	rnd := rand.New(rand.NewPCG(1, 2))
	common := strings.Fields("backup server monitor the data of for sync mail game file user login report chart cloud store alert proxy cache")
	word := func() string {
		if rnd.IntN(3) > 0 {
			return common[rnd.IntN(len(common))]
		}
		return fmt.Sprintf("w%c%c%d", 'a'+rnd.IntN(26), 'a'+rnd.IntN(26), rnd.IntN(500))
	}
	c := catalog.Contents{Source: "main"}
	for i := range n {
		var summary []string
		for range 10 {
			summary = append(summary, word())
		}
		l := listing(fmt.Sprintf("publisher%d/plugin-%d", i%(n/10+1), i), word()+" "+word(), strings.Join(summary, " "), word(), word(), word())
		l.Categories = []string{common[rnd.IntN(12)]}
		c.Listings = append(c.Listings, l)
		c.Stats = append(c.Stats, catalog.Stats{ID: l.ID, Rank: rnd.Float64(), Downloads: rnd.Int64N(1000)})
	}
	return c
}

func BenchmarkSearch(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		x := search.Build([]*catalog.Snapshot{snapshot(b, many(n))})
		for name, q := range map[string]search.Query{
			"typical": {Text: "backup mon"}, "common": {Text: "server"}, "rare": {Text: "wab12"}, "letter": {Text: "b"},
			"typo": {Text: "bakcup"}, "front": {}, "category": {Category: "mail", Sort: search.ByDownloads},
		} {
			b.Run(fmt.Sprintf("%d/%s", n, name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					x.Search(q)
				}
			})
		}
	}
}

func BenchmarkBuild100k(b *testing.B) {
	s := snapshot(b, many(100_000))
	b.ReportAllocs()
	for b.Loop() {
		search.Build([]*catalog.Snapshot{s})
	}
}

func ExampleIndex_Search() {
	snap, err := catalog.NewSnapshot(catalog.Contents{Source: "main", Listings: []catalog.Listing{
		{ID: "acme/backup", Name: "Backup", Summary: "Saves every server at night."},
		{ID: "acme/vault", Name: "Vault", Summary: "Encrypted backup of secrets."},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, h := range search.Build([]*catalog.Snapshot{snap}).Search(search.Query{Text: "back"}).Hits {
		fmt.Println(h.ID, h.Name)
	}
	// Output:
	// acme/backup Backup
	// acme/vault Vault
}
