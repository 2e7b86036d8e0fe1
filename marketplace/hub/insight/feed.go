package insight

import (
	"context"
	"time"
)

// FeedKind says what a feed is about.
type FeedKind string

// The kinds of feed.
const (
	FeedReleases   FeedKind = "releases"   // new releases of all
	FeedPlugin     FeedKind = "plugin"     // releases and advisories of one plugin
	FeedPublisher  FeedKind = "publisher"  // of one publisher
	FeedAdvisories FeedKind = "advisories" // issued and rescinded
)

// FeedType is the media type of a feed.
const FeedType = "application/atom+xml; charset=utf-8"

// MaxFeed is how many entries a feed has.
const MaxFeed = 50

// Feed is an Atom document (RFC 4287).
type Feed struct {
	Body    []byte
	ETag    string // strong, with its quotes
	Updated time.Time
}

// Feed returns a feed of public events. about is the id of the plugin or the namespace of
// the publisher, and empty otherwise; what is not there or hidden is [hub.ErrNotFound].
func (s *Service) Feed(ctx context.Context, kind FeedKind, about string) (Feed, error) {
	return Feed{}, errNotBuilt
}

// FeedPath returns where a feed is served, relative to the BaseURL: what its self link
// says.
func FeedPath(kind FeedKind, about string) string {
	switch kind {
	case FeedPlugin:
		return "feeds/plugins/" + about + ".atom"
	case FeedPublisher:
		return "feeds/publishers/" + about + ".atom"
	}
	return "feeds/" + string(kind) + ".atom"
}
