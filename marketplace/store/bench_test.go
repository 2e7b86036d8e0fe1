package store_test

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/search"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/verify"
)

// shelf is a market whose catalog is a real snapshot with a real index, as the facade has
// it; what is installed is in memory.
type shelf struct {
	*market
	snap  *catalog.Snapshot
	index *search.Index
}

func (s shelf) Search(q search.Query) search.Result { return s.index.Search(q) }

func (s shelf) Plugin(id catalog.PluginID) (catalog.Plugin, error) { return s.snap.Plugin(id) }

// crowded returns a market with the sample plugins and n more, each with three releases,
// and 200 of them installed.
func crowded(b *testing.B, n int) store.Market {
	b.Helper()
	m := newMarket()
	c := catalog.Contents{Source: "main", Serial: 7}
	add := func(p catalog.Plugin) {
		p.Stats.ID = p.ID
		c.Listings = append(c.Listings, p.Listing)
		c.Stats = append(c.Stats, p.Stats)
		c.Releases = append(c.Releases, p.Releases...)
	}
	names := map[string]bool{}
	for _, p := range m.Listed {
		add(p)
		if !names[p.ID.Publisher()] {
			c.Publishers = append(c.Publishers, p.Publisher)
			names[p.ID.Publisher()] = true
		}
	}
	what := []string{"backup", "monitoring", "mail", "firewall", "database", "server", "deploy", "dns", "storage", "theme"}
	like := m.Listed["acme/backup"]
	for i := range n {
		publisher := fmt.Sprintf("many%03d", i%997)
		p := like
		p.ID = catalog.PluginID(fmt.Sprintf("%s/plugin-%d", publisher, i))
		p.Listing.ID = p.ID
		p.Listing.Name = fmt.Sprintf("%s %s %d", what[i%10], what[i/10%10], i)
		p.Listing.Summary = "Looks after the " + what[i/100%10] + " of every server, day and night."
		p.Listing.Categories = []string{what[i%10]}
		p.Listing.Featured = i%5000 == 0
		p.Listing.Updated = now.Add(-time.Duration(i) * time.Minute)
		p.Stats.Rank = float64(i % 1000)
		p.Releases = slices.Clone(like.Releases)
		for k := range p.Releases {
			p.Releases[k].Ref.Plugin, p.Releases[k].Manifest.ID = p.ID, p.ID
			p.Releases[k].Digest = verify.DigestOf(fmt.Appendf(nil, "%s %d", p.ID, k))
		}
		if !names[publisher] {
			c.Publishers = append(c.Publishers, catalog.Publisher{Namespace: publisher, Name: publisher, Signers: like.Publisher.Signers})
			names[publisher] = true
		}
		if i < 200 {
			in := m.Here[0]
			in.Ref, in.Digest, in.Manifest = p.Releases[0].Ref, p.Releases[0].Digest, p.Releases[0].Manifest
			m.Here = append(m.Here, in)
		}
		add(p)
	}
	snap, err := catalog.NewSnapshot(c)
	require.NoError(b, err)
	return shelf{m, snap, search.Build([]*catalog.Snapshot{snap})}
}

// BenchmarkPages is the time of the server for a page among 100,000 plugins, 200 of them
// installed. With -short there are 1,000.
func BenchmarkPages(b *testing.B) {
	n := 100_000
	if testing.Short() {
		n = 1000
	}
	h, err := store.New(crowded(b, n), store.Options{Actor: func(*http.Request) (store.Actor, error) { return admin, nil }, Now: func() time.Time { return now }})
	require.NoError(b, err)
	for _, page := range []struct{ name, path string }{
		{"browse", ""}, {"search two words", "?q=backup+mail"}, {"search common word", "?q=server"}, {"category", "?category=backup"}, {"page 100", "?category=backup&page=100"},
		{"detail", "p/acme/backup"}, {"permissions", "p/acme/backup/permissions"}, {"installed", "installed"}, {"json search", "api/v1/plugins?q=backup"},
	} {
		b.Run(page.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if w := get(h, "/plugins/"+page.path); w.Code != http.StatusOK {
					b.Fatal(w.Code, w.Body.String())
				}
			}
		})
	}
}
