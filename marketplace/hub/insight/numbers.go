package insight

import (
	"context"
	"io"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// MaxDays is how many days one question about numbers covers.
const MaxDays = 400

// Series is a named row of numbers, one for each of [Numbers.Days].
type Series struct {
	Name   string  `json:"name"` // a version
	Values []int64 `json:"values"`
	Sum    int64   `json:"sum"`
}

// Numbers are a plugin's days. Every slice beside Days has one value for each of them.
type Numbers struct {
	Plugin string   `json:"plugin"`
	Days   []string `json:"days"` // "2026-03-01", UTC, oldest first

	Downloads          []int64  `json:"downloads"`
	DownloadsByVersion []Series `json:"downloadsByVersion"` // largest first
	DownloadsTotal     int64    `json:"downloadsTotal"`     // of all time

	// Active are panels that said they run it; only those that opted in say so.
	Active        []int64  `json:"active"`
	ActiveVersion []Series `json:"activeByVersion"`
	ActivePanel   []Series `json:"activeByPanel"` // by version of the panel
	// Adoption is the part of Active, 0 to 1, that runs the version which was the
	// newest on that day.
	Adoption []float64 `json:"adoption"`

	Rollbacks []int64 `json:"rollbacks"`
	Unhealthy []int64 `json:"unhealthy"`

	Ratings    []int64   `json:"ratings"`    // new on that day, less those taken back
	RatingMean []float64 `json:"ratingMean"` // of those; 0: none
}

// Numbers returns the numbers of a plugin on the days from to to, both included, at most
// [MaxDays], to members of its publisher and administrators.
func (s *Service) Numbers(ctx context.Context, a hub.Actor, plugin string, from, to time.Time) (Numbers, error) {
	return Numbers{}, errNotBuilt
}

// WriteCSV writes a line for each day. No cell begins with a character that a
// spreadsheet takes for the beginning of a formula.
func (n Numbers) WriteCSV(w io.Writer) error { return errNotBuilt }

// Stats returns the public numbers of every listed plugin, in order of their ids: what
// goes into the catalog. A rating is zero below [hub.Policy.MinRatings].
func (s *Service) Stats(ctx context.Context) ([]catalog.Stats, error) {
	return nil, errNotBuilt
}

// PublicNumbers are what everybody may know of the whole hub.
type PublicNumbers struct {
	Plugins    int64 `json:"plugins"` // listed
	Publishers int64 `json:"publishers"`
	Downloads  int64 `json:"downloads"` // of all time
	Ratings    int64 `json:"ratings"`
}

// Public returns the numbers of the whole hub.
func (s *Service) Public(ctx context.Context) (PublicNumbers, error) {
	return PublicNumbers{}, errNotBuilt
}

var _ = hub.Day
