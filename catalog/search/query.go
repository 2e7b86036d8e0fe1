package search

import "github.com/souk-dev/souk/catalog"

// Sort is an order of results.
type Sort string

// The orders.
const (
	ByRelevance Sort = ""        // best match first; without text: by rank, then name
	ByName      Sort = "name"    // by display name
	ByUpdated   Sort = "updated" // newest release first
	ByDownloads Sort = "downloads"
	ByRating    Sort = "rating"
)

// Query is what to look for. The zero value finds everything.
type Query struct {
	Text      string // words; the last one also matches as a prefix; at most MaxText bytes
	Category  string
	Tag       string
	Publisher string
	Sort      Sort
	Language  string // BCP 47; matches localized names and summaries too
	Offset    int
	Limit     int // 0: DefaultLimit; at most MaxLimit
}

// Bounds of a Query.
const (
	MaxText      = 200 // bytes; more is cut, nobody types it
	DefaultLimit = 24
	MaxLimit     = 100
)

// Hit is one plugin found.
type Hit struct {
	catalog.Listing
	Source string
	Stats  catalog.Stats
	Score  float64
}

// Count is how many results have a value.
type Count struct {
	Value string `json:"value"`
	N     int    `json:"n"`
}

// Result is a page of hits.
type Result struct {
	Hits       []Hit
	Total      int     // of all pages
	Categories []Count // over all results of the text, as if no category were chosen; most first
	Tags       []Count // likewise for tags, at most 50
}
