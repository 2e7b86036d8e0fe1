package insight

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
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

// Bounds of a feed.
const (
	MaxFeed  = 50   // entries
	maxEntry = 4000 // characters of an entry's summary
)

// Feed is an Atom document (RFC 4287).
type Feed struct {
	Body    []byte
	ETag    string // strong, with its quotes
	Updated time.Time
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

// The elements of Atom that are used; encoding/xml escapes what is in them, and writes
// characters that XML cannot hold as U+FFFD.
type (
	atomFeed struct {
		XMLName xml.Name    `xml:"http://www.w3.org/2005/Atom feed"`
		ID      string      `xml:"id"`
		Title   atomText    `xml:"title"`
		Updated string      `xml:"updated"`
		Author  atomPerson  `xml:"author"`
		Links   []atomLink  `xml:"link"`
		Entries []atomEntry `xml:"entry"`
	}
	atomEntry struct {
		ID        string       `xml:"id"`
		Title     atomText     `xml:"title"`
		Updated   string       `xml:"updated"`
		Published string       `xml:"published"`
		Author    atomPerson   `xml:"author"`
		Category  atomCategory `xml:"category"`
		Link      atomLink     `xml:"link"`
		Summary   *atomText    `xml:"summary"`
	}
	atomText struct {
		Type string `xml:"type,attr"`
		Text string `xml:",chardata"`
	}
	atomPerson struct {
		Name string `xml:"name"`
	}
	atomLink struct {
		Rel  string `xml:"rel,attr"`
		Type string `xml:"type,attr,omitempty"`
		Href string `xml:"href,attr"`
	}
	atomCategory struct {
		Term string `xml:"term,attr"`
	}
)

// Feed returns a feed of public events, the newest first. about is the id of the plugin or the
// namespace of the publisher, and empty otherwise; what is not there or hidden is
// [hub.ErrNotFound].
func (s *Service) Feed(ctx context.Context, kind FeedKind, about string) (Feed, error) {
	var f atomFeed
	var updated time.Time
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		title, began, where, err := s.feedOf(ctx, tx, kind, about)
		if err != nil {
			return err
		}
		updated = began
		f = atomFeed{
			ID: s.o.BaseURL + FeedPath(kind, about), Title: atomText{"text", title}, Author: atomPerson{s.o.Title},
			Links: []atomLink{
				{"self", "application/atom+xml", s.o.BaseURL + FeedPath(kind, about)},
				{"alternate", "text/html", s.o.BaseURL},
			},
		}
		events, err := tx.Events().List(ctx, hub.Query{Where: append(where, hub.Eq("public", true)), Order: "seq", Desc: true, Limit: MaxFeed})
		if err != nil {
			return err
		}
		hidden := map[string]bool{}
		for _, e := range events {
			entry, err := s.entry(ctx, tx, e, hidden)
			if err != nil {
				return err
			}
			if entry == nil {
				continue
			}
			if len(f.Entries) == 0 {
				updated = e.At
			}
			f.Entries = append(f.Entries, *entry)
		}
		return nil
	})
	if err != nil {
		return Feed{}, err
	}
	f.Updated = updated.UTC().Format(time.RFC3339)
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", " ")
	if err := errors.Join(enc.Encode(f), enc.Close()); err != nil {
		return Feed{}, err
	}
	sum := sha256.Sum256(b.Bytes())
	return Feed{Body: b.Bytes(), ETag: `"` + hex.EncodeToString(sum[:16]) + `"`, Updated: updated}, nil
}

// feedOf says what a feed is called, when what it is about began, and which events it has.
func (s *Service) feedOf(ctx context.Context, tx hub.Tx, kind FeedKind, about string) (title string, began time.Time, where []hub.Cond, err error) {
	began = time.Unix(0, 0).UTC() // a feed without entries has a date too
	none := fmt.Errorf("feed %.20s %.100s: %w", kind, about, hub.ErrNotFound)
	switch {
	case kind == FeedReleases && about == "":
		return s.o.Title + ": releases", began, []hub.Cond{hub.Eq("kind", hub.EventReleasePublished)}, nil
	case kind == FeedAdvisories && about == "":
		kinds := []hub.EventKind{hub.EventAdvisoryIssued, hub.EventAdvisoryRescinded}
		return s.o.Title + ": advisories", began, []hub.Cond{hub.In("kind", kinds)}, nil
	case kind == FeedPlugin && about != "":
		if _, err := catalog.ParsePluginID(about); err != nil {
			return "", began, nil, none
		}
		p, err := tx.Plugins().Get(ctx, about)
		if err == nil && p.State != hub.PluginListed {
			err = none
		}
		return s.o.Title + ": " + p.Name, p.Created, []hub.Cond{hub.Eq("plugin", about)}, err
	case kind == FeedPublisher && about != "":
		p, err := tx.Publishers().Get(ctx, about)
		return s.o.Title + ": " + p.Name, p.Created, []hub.Cond{hub.Eq("publisher", about)}, err
	}
	return "", began, nil, none
}

// entry makes an entry of an event; nil when its plugin is hidden.
func (s *Service) entry(ctx context.Context, tx hub.Tx, e hub.Event, hidden map[string]bool) (*atomEntry, error) {
	if e.Plugin != "" && e.Kind != hub.EventAdvisoryIssued && e.Kind != hub.EventAdvisoryRescinded {
		if _, known := hidden[e.Plugin]; !known {
			p, err := tx.Plugins().Get(ctx, e.Plugin)
			if err != nil && !errors.Is(err, hub.ErrNotFound) {
				return nil, err
			}
			hidden[e.Plugin] = p.State != hub.PluginListed
		}
		if hidden[e.Plugin] {
			return nil, nil
		}
	}
	at := e.At.UTC().Format(time.RFC3339)
	entry := &atomEntry{
		// RFC 4151: whoever had the name on the day of the event named it.
		ID:    "tag:" + s.base.Hostname() + "," + e.At.UTC().Format(time.DateOnly) + ":" + e.ID,
		Title: atomText{"text", e.Title}, Updated: at, Published: at, Author: atomPerson{e.Publisher},
		Category: atomCategory{string(e.Kind)}, Link: atomLink{"alternate", "text/html", s.o.Link(e)},
	}
	if e.Publisher == "" {
		entry.Author.Name = s.o.Title
	}
	text := ""
	switch e.Kind {
	case hub.EventReleasePublished:
		r, err := tx.Releases().Get(ctx, e.Plugin, e.Version)
		if err != nil && !errors.Is(err, hub.ErrNotFound) {
			return nil, err
		}
		text = r.NotesText
	case hub.EventAdvisoryIssued, hub.EventAdvisoryRescinded:
		v, err := tx.Advisories().Get(ctx, e.Subject)
		if err != nil && !errors.Is(err, hub.ErrNotFound) {
			return nil, err
		}
		text = v.Body.Detail
	}
	if r := []rune(text); len(r) > maxEntry {
		text = string(r[:maxEntry]) + "…"
	}
	if text != "" {
		entry.Summary = &atomText{"text", text}
	}
	return entry, nil
}
