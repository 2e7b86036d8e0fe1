package search_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/search"
)

// reference is the search written down as simply as it is described, for lower-case
// ASCII texts: it looks at every plugin for every query.
type reference struct {
	listings []catalog.Listing
	stats    map[catalog.PluginID]catalog.Stats
	words    []map[string]float32 // of each listing: the weight of its best field
}

type found struct {
	listing catalog.Listing
	score   float32
}

func newReference(c catalog.Contents) *reference {
	r := &reference{listings: c.Listings, stats: map[catalog.PluginID]catalog.Stats{}}
	for _, s := range c.Stats {
		r.stats[s.ID] = s
	}
	for _, l := range c.Listings {
		words := map[string]float32{}
		add := func(weight float32, texts ...string) {
			for _, text := range texts {
				for _, w := range asciiWords(text) {
					words[w] = max(words[w], weight)
				}
			}
		}
		add(8, l.Name, l.ID.Name())
		add(4, l.Tags...)
		add(4, l.Keywords...)
		add(4, l.Categories...)
		add(2, l.Summary)
		add(1, l.ID.Publisher())
		r.words = append(r.words, words)
	}
	return r
}

func asciiWords(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

// oneMistake reports whether a letter of a is missing, too many, wrong or swapped with
// the next one in b, but not the first letter.
func oneMistake(a, b string) bool {
	if a[0] != b[0] {
		return false
	}
	for i := 1; i <= len(a); i++ {
		rest := a[i:]
		if i < len(a) && a[:i]+rest[1:] == b ||
			i < len(a) && len(a) == len(b) && a[:i] == b[:i] && rest[1:] == b[i+1:] ||
			i+1 < len(a) && a[:i]+rest[1:2]+rest[:1]+rest[2:] == b ||
			len(b) == len(a)+1 && a[:i] == b[:i] && rest == b[i+1:] {
			return true
		}
	}
	return false
}

// scores returns what each listing in which all words occur scores.
func (r *reference) scores(typed []string) map[int]float32 {
	out := map[int]float32{}
	for i := range r.listings {
		out[i] = 0
	}
	for n, w := range typed {
		kinds := []func(word string) float32{func(word string) float32 {
			switch {
			case word == w:
				return 1
			case n == len(typed)-1 && strings.HasPrefix(word, w):
				return 0.6
			}
			return 0
		}, func(word string) float32 {
			if len(w) >= 4 && oneMistake(w, word) {
				return 0.3
			}
			return 0
		}}
		next := map[int]float32{}
		for k := 0; k < len(kinds) && len(next) == 0; k++ {
			for i, before := range out {
				best, score := float32(0), before
				for _, word := range slices.Sorted(maps.Keys(r.words[i])) {
					if way := r.words[i][word] * kinds[k](word); way > best {
						score += way - best // in this order, so that sums are rounded alike
						best = way
					}
				}
				if best > 0 {
					next[i] = score
				}
			}
		}
		out = next
	}
	for i, score := range out {
		switch text := strings.Join(typed, " "); {
		case len(typed) == 0 || score < 8*(float32(len(typed)-1)+0.6):
		case r.listings[i].Name == text:
			out[i] += 16
		case strings.HasPrefix(r.listings[i].Name, text):
			out[i] += 4
		}
	}
	return out
}

func (r *reference) search(q search.Query) (all []found, categories, tags []search.Count) {
	byCategory, byTag := map[string]int{}, map[string]int{}
	typed := asciiWords(q.Text)
	for i, score := range r.scores(typed) {
		l := r.listings[i]
		inCategory := q.Category == "" || slices.Contains(l.Categories, q.Category)
		inTag := q.Tag == "" || slices.Contains(l.Tags, q.Tag)
		if q.Publisher != "" && l.ID.Publisher() != q.Publisher {
			continue
		}
		if inTag {
			count(byCategory, l.Categories)
		}
		if inCategory {
			count(byTag, l.Tags)
		}
		if inTag && inCategory {
			all = append(all, found{l, score})
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		sa, sb := r.stats[a.listing.ID], r.stats[b.listing.ID]
		first := 0
		switch q.Sort {
		case search.ByName: // the second order anyway
			first = cmp.Compare(a.listing.Name, b.listing.Name)
		case search.ByUpdated:
			first = b.listing.Updated.Compare(a.listing.Updated)
		case search.ByDownloads:
			first = cmp.Compare(sb.Downloads, sa.Downloads)
		case search.ByRating:
			first = cmp.Compare(sb.Rating, sa.Rating)
		default:
			first = cmp.Compare(b.score, a.score)
		}
		return cmp.Or(first, cmp.Compare(sb.Rank, sa.Rank), cmp.Compare(a.listing.Name, b.listing.Name), cmp.Compare(a.listing.ID, b.listing.ID))
	})
	return all, mostFirst(byCategory, len(byCategory)), mostFirst(byTag, 50)
}

func count(n map[string]int, values []string) {
	for _, v := range slices.Compact(slices.Sorted(slices.Values(values))) {
		n[v]++
	}
}

func mostFirst(n map[string]int, most int) []search.Count {
	out := []search.Count{}
	for v, k := range n {
		out = append(out, search.Count{Value: v, N: k})
	}
	slices.SortFunc(out, func(a, b search.Count) int { return cmp.Or(b.N-a.N, cmp.Compare(a.Value, b.Value)) })
	return out[:min(len(out), most)]
}

// The index finds, orders and counts what the simple search does.
func TestSearchEqualsReference(t *testing.T) {
	t.Parallel()
	text := strings.Fields("backup server monitor data of sync mail game file cloud store publisher1 plugin 1 12 bakcup servr srever monitorr w wa b s m st zzz")
	value := strings.Fields("backup server monitor the data of for sync mail game file user")
	orders := []search.Sort{search.ByRelevance, search.ByRelevance, search.ByName, search.ByUpdated, search.ByDownloads, search.ByRating}
	for _, n := range []int{1, 63, 64, 400, 1500} {
		rnd := rand.New(rand.NewPCG(7, uint64(n)))
		pick := func(list []string) string { return list[rnd.IntN(len(list))] }
		c := many(n)
		for i := range c.Listings {
			l, s := &c.Listings[i], &c.Stats[i]
			if i%3 == 0 {
				l.Categories = append(l.Categories, "mail", "game")
			}
			if i%4 == 0 {
				l.Keywords, s.Rank = []string{"backups, " + pick(text)}, 0
			}
			l.Updated, s.Rating = day.AddDate(0, 0, rnd.IntN(9)), float64(rnd.IntN(5))
		}
		x, ref := search.Build([]*catalog.Snapshot{snapshot(t, c)}), newReference(c)
		for range 200 {
			q := search.Query{Sort: orders[rnd.IntN(len(orders))], Limit: 1 + rnd.IntN(100)}
			for range rnd.IntN(4) {
				q.Text += pick(text) + " "
			}
			if rnd.IntN(3) == 0 {
				q.Category = pick(value)
			}
			if rnd.IntN(3) == 0 {
				q.Tag = pick(value)
			}
			if rnd.IntN(6) == 0 {
				q.Publisher = fmt.Sprintf("publisher%d", rnd.IntN(9))
			}
			all, categories, tags := ref.search(q)
			q.Offset = rnd.IntN(len(all) + 2)
			want := all[min(q.Offset, len(all)):min(q.Offset+q.Limit, len(all))]
			got := x.Search(q)
			require.Equal(t, len(all), got.Total, "%+v", q)
			require.Equal(t, categories, got.Categories, "%+v", q)
			require.Equal(t, tags, got.Tags, "%+v", q)
			require.Len(t, got.Hits, len(want), "%+v", q)
			for i, h := range got.Hits {
				require.Equal(t, want[i].listing.ID, h.ID, "%+v, hit %d", q, i)
				require.Equal(t, float64(want[i].score), h.Score, "%+v, hit %d", q, i)
			}
		}
	}
}
