package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/souk-dev/souk/verify"
)

// EventsType is the media type of a registry's notifications; the older v1 of
// distribution 2 differs in its name only.
const (
	EventsType   = "application/vnd.docker.distribution.events.v2+json"
	eventsTypeV1 = "application/vnd.docker.distribution.events.v1+json"
)

// Bounds of notifications.
const (
	// MaxNotification is the most bytes of one. A registry puts the user agent of
	// its client into each, which may have 1 MiB, six times as much in JSON. A bound
	// below that would let anybody stop the notifications: a registry repeats what is
	// refused for ever, and everything else waits behind it.
	MaxNotification = 8 << 20
	MaxEvents       = 1000 // in one; distribution sends one at a time
	maxField        = 255  // bytes kept of what a client says about itself
	maxMethod       = 16
	maxEventID      = 64
	maxTag          = 128
)

// Action is what happened.
type Action string

// The actions of an event.
const (
	Pull   Action = "pull"
	Push   Action = "push"
	Mount  Action = "mount"  // a blob, from another repository
	Delete Action = "delete" // a manifest, a blob or a tag
)

// Event is one thing that happened in a registry. Everything a client says about
// itself (UserAgent, and Remote behind a proxy) is unverified, and shortened to 255 bytes.
type Event struct {
	ID             string        // unique; the same when an event is delivered again
	Action         Action        //
	Repository     string        // "acme/backup"
	FromRepository string        // of a mount
	Digest         verify.Digest // of the manifest or blob; empty when a tag was deleted
	MediaType      string        // of a manifest; "application/octet-stream" of a blob
	Tag            string        // that a manifest was pushed or pulled by, else empty
	Timestamp      time.Time     // by the clock of the registry
	Remote         string        // host of the client, without port
	UserAgent      string        //
	Method         string        // of the HTTP request: a HEAD is an event, too
	Actor          string        // subject of the token; empty when anonymous
}

// IsManifest reports whether the event is about a manifest or an index, not a blob.
func (e Event) IsManifest() bool {
	switch e.MediaType {
	case "application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json",
		"application/vnd.docker.distribution.manifest.v2+json", "application/vnd.docker.distribution.manifest.list.v2+json",
		"application/vnd.docker.distribution.manifest.v1+json", "application/vnd.docker.distribution.manifest.v1+prettyjws":
		return true
	}
	return false
}

// IsDownload reports whether the event may be a download of a plugin: a blob was
// read with GET. Whether it was one the hub knows: it is when Digest is the content
// layer (layer 0) of a published release of Repository. That is what is counted, and
// nothing else, because
//
//   - the content is read when a plugin is installed and at no other time. The manifest
//     is also read, twice or more, by whoever looks at evidence: to verify before
//     asking a person, to show a detail page, to mirror;
//   - each release has one content layer and many other blobs (config, chunk index,
//     README, pictures, bundles), which are pages looked at, not plugins installed;
//   - HEAD moves nothing: it is how a pusher or a mirror asks what is there.
//
// A download that breaks off and goes on, or is made in ranges, is several such
// events: registries tell of each request. So a download is counted once per digest,
// client and day by whoever keeps the numbers, from Remote through a keyed hash. What
// the hub reads itself has its own Actor and is left out by that.
func (e Event) IsDownload() bool {
	return e.Action == Pull && e.Method == "GET" && e.Digest != "" && !e.IsManifest()
}

// wireEvent is an event as the registry sends it; what is not used is not read.
type wireEvent struct {
	ID        string    `json:"id"`
	Timestamp time.Time `json:"timestamp"`
	Action    string    `json:"action"`
	Target    struct {
		MediaType      string `json:"mediaType"`
		Digest         string `json:"digest"`
		Repository     string `json:"repository"`
		FromRepository string `json:"fromRepository"`
		Tag            string `json:"tag"`
	} `json:"target"`
	Request struct {
		Addr      string `json:"addr"`
		Method    string `json:"method"`
		UserAgent string `json:"useragent"`
	} `json:"request"`
	Actor struct {
		Name string `json:"name"`
	} `json:"actor"`
}

// ParseEvents reads the envelope of a notification. Its shape must be right and it
// may have at most [MaxNotification] bytes and [MaxEvents] events. A single event that
// says something unknown (an action of a later registry, a digest that is not
// SHA-256, as anybody who may push can provoke) is left out, for an error would make the
// registry send it again for ever.
func ParseEvents(b []byte) ([]Event, error) {
	if len(b) > MaxNotification {
		return nil, fmt.Errorf("notification of %d bytes is more than %d", len(b), MaxNotification)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	for _, want := range []json.Token{json.Delim('{'), "events", json.Delim('[')} {
		if got, err := dec.Token(); err != nil || got != want {
			return nil, errors.New("notification is not an envelope of events")
		}
	}
	var out []Event
	for n := 1; dec.More(); n++ {
		if n > MaxEvents {
			return nil, fmt.Errorf("notification has more than %d events", MaxEvents)
		}
		var w wireEvent
		if err := dec.Decode(&w); err != nil {
			return nil, fmt.Errorf("notification: event %d is malformed", n)
		}
		if e, ok := w.event(); ok {
			out = append(out, e)
		}
	}
	for _, want := range []json.Token{json.Delim(']'), json.Delim('}')} {
		if got, err := dec.Token(); err != nil || got != want {
			return nil, errors.New("notification is not an envelope of events")
		}
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("notification has something after its end")
	}
	return out, nil
}

// event reports false for what cannot be understood.
func (w *wireEvent) event() (Event, bool) {
	e := Event{
		ID: w.ID, Action: Action(w.Action), Repository: w.Target.Repository, FromRepository: w.Target.FromRepository,
		Digest: verifyDigest(w.Target.Digest), MediaType: clip(w.Target.MediaType, maxField), Tag: w.Target.Tag,
		Timestamp: w.Timestamp, Remote: clip(hostOnly(w.Request.Addr), maxField), UserAgent: clip(w.Request.UserAgent, maxField),
		Method: clip(w.Request.Method, maxMethod), Actor: clip(w.Actor.Name, maxField),
	}
	switch e.Action {
	case Pull, Push, Mount:
		if e.Digest == "" {
			return Event{}, false
		}
	case Delete:
		if w.Target.Digest != "" && e.Digest == "" {
			return Event{}, false
		}
	default:
		return Event{}, false
	}
	name := func(s string) bool { return len(s) <= maxName && repositoryName.MatchString(s) }
	ok := e.ID != "" && len(e.ID) <= maxEventID && len(e.Tag) <= maxTag && name(e.Repository) &&
		(e.FromRepository == "" || name(e.FromRepository))
	return e, ok
}

// verifyDigest returns s when it is a digest that Souk uses, else nothing.
func verifyDigest(s string) verify.Digest {
	if d := verify.Digest(s); d.Valid() {
		return d
	}
	return ""
}

// clip shortens what a client says to n bytes of valid UTF-8.
func clip(s string, n int) string { return cut(strings.ToValidUTF8(cut(s, n), "\ufffd"), n) }

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
