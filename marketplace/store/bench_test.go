package store_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/souk-dev/souk/catalog"
)

// crowded returns a market with 500 plugins.
func crowded() *market {
	m := newMarket()
	base := m.Listed["north/alerts"]
	for i := range 488 {
		p := base
		p.ID = catalog.PluginID(fmt.Sprintf("many/plugin-%d", i))
		m.Listed[p.ID] = p
	}
	return m
}

func bench(b *testing.B, path string) {
	h := shop(b, crowded(), admin)
	b.ReportAllocs()
	for b.Loop() {
		if w := get(h, path); w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
}

func BenchmarkBrowse(b *testing.B) { bench(b, "/plugins/") }
func BenchmarkSearch(b *testing.B) { bench(b, "/plugins/?q=alerts") }
func BenchmarkDetail(b *testing.B) { bench(b, "/plugins/p/acme/backup") }
