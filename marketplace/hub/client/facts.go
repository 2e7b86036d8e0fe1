package client

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// Categories returns the categories of plugins, in their order. None: any word is one.
func (c *Client) Categories(ctx context.Context) ([]hub.Category, error) {
	return get[[]hub.Category](ctx, c, "/categories", nil)
}

// Reserved returns the names that nobody can take.
func (c *Client) Reserved(ctx context.Context) ([]hub.Reserved, error) {
	return get[[]hub.Reserved](ctx, c, "/reserved", nil)
}

// Release returns a published release, or an error that wraps [hub.ErrNotFound].
func (c *Client) Release(ctx context.Context, ref catalog.Ref) (hub.Release, error) {
	path, err := release(ref, "")
	if err != nil {
		return hub.Release{}, err
	}
	return get[hub.Release](ctx, c, path, nil)
}

// Series is a named row of numbers, one for each of [Numbers.Days].
type Series struct {
	Name   string  `json:"name"` // a version, "other", or empty for a panel that does not say
	Values []int64 `json:"values"`
	Sum    int64   `json:"sum"`
}

// Numbers are a plugin's days. Every slice beside Days has one value for each of them.
type Numbers struct {
	Plugin             string    `json:"plugin"`
	Days               []string  `json:"days"` // "2026-03-01", UTC, oldest first
	Downloads          []int64   `json:"downloads"`
	DownloadsByVersion []Series  `json:"downloadsByVersion"` // largest first
	DownloadsTotal     int64     `json:"downloadsTotal"`     // of all time
	Active             []int64   `json:"active"`             // panels that said they run it
	ActiveVersion      []Series  `json:"activeByVersion"`
	ActivePanel        []Series  `json:"activeByPanel"` // by version of the panel
	Adoption           []float64 `json:"adoption"`      // part of Active, 0 to 1, on what was the newest version then
	Rollbacks          []int64   `json:"rollbacks"`
	Unhealthy          []int64   `json:"unhealthy"`
	Ratings            []int64   `json:"ratings"`    // that came, less those that went
	RatingMean         []float64 `json:"ratingMean"` // of those that came; 0: none
}

// span is a range of days, both included; a zero time leaves its end to the hub: the last
// 28 days.
func span(from, to time.Time) url.Values {
	v := url.Values{}
	for name, t := range map[string]time.Time{"from": from, "to": to} {
		if !t.IsZero() {
			v.Set(name, t.UTC().Format(time.RFC3339))
		}
	}
	return v
}

// NumbersOf returns a plugin's days from from to to, both included, at most 400, for
// members of its publisher. Zero times: the last 28 days.
func (c *Client) NumbersOf(ctx context.Context, id catalog.PluginID, from, to time.Time) (Numbers, error) {
	path, err := plugin(id, "/numbers")
	if err != nil {
		return Numbers{}, err
	}
	return get[Numbers](ctx, c, path, span(from, to))
}

// NumbersCSV returns the same as a table (RFC 4180).
func (c *Client) NumbersCSV(ctx context.Context, id catalog.PluginID, from, to time.Time) ([]byte, error) {
	path, err := plugin(id, "/numbers.csv")
	if err != nil {
		return nil, err
	}
	return get[[]byte](ctx, c, path, span(from, to))
}

// NewComment is a remark on a submission, about a line of a file or the whole.
type NewComment struct {
	Text string `json:"text"`
	File string `json:"file,omitempty"` // in the package
	Line int    `json:"line,omitempty"` // from 1; 0: the whole file
}

// CommentOn adds a remark to a submission.
func (c *Client) CommentOn(ctx context.Context, id string, n NewComment) (hub.Comment, error) {
	return send[hub.Comment](ctx, c, http.MethodPost, "/submissions/"+id+"/comments", n)
}

// KeyRole is a role of the catalog's trust, and how long it lasts.
type KeyRole struct {
	Name    string    `json:"name"` // "root", "targets", "snapshot", "timestamp"
	Version int64     `json:"version"`
	Expires time.Time `json:"expires"`
	Keys    []string  `json:"keys"` // ids of those that the hub signs with
	Due     bool      `json:"due"`  // a person has to do something
	Note    string    `json:"note,omitempty"`
}

// System is how the hub itself is.
type System struct {
	Serial      int64               `json:"serial"`  // of the catalog
	Waiting     int64               `json:"waiting"` // changes that are not in it yet
	Roles       []KeyRole           `json:"roles"`
	Attester    string              `json:"attester"` // who signs reviews
	Published   time.Time           `json:"published,omitzero"`
	Checked     time.Time           `json:"checked,omitzero"` // read back and verified, as a panel would
	Error       string              `json:"error,omitempty"`  // of the last publish, renewal or check
	Submissions map[hub.State]int64 `json:"submissions"`      // that are open
	JobsWaiting map[string]int      `json:"jobsWaiting"`
	JobsFailed  map[string]int      `json:"jobsFailed"` // given up, by kind
}

// System says how the hub is, to administrators.
func (c *Client) System(ctx context.Context) (System, error) {
	return get[System](ctx, c, "/system", nil)
}
