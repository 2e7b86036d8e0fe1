package hub

import (
	"context"
	"encoding/json"
	"time"
)

// Audit is one line of the audit log, which can only be added to.
type Audit struct {
	Seq    int64           `db:"seq,auto" json:"seq"`
	At     time.Time       `db:"at" json:"at"`
	Actor  string          `db:"actor" json:"actor"` // account; empty: the hub itself
	Via    string          `db:"via" json:"via"`     // "session", "token tok_…", "job publish"
	Action Action          `db:"action" json:"action"`
	Target string          `db:"target" json:"target"` // "submission sub_…", "plugin acme/backup"
	Detail json.RawMessage `db:"detail" json:"detail,omitempty"`
}

// EventKind names what happened, as webhooks and feeds say it.
type EventKind string

// The kinds of event. Those that are public stand in feeds and go to everybody's
// webhooks; the others go to the publisher concerned.
const (
	EventReleasePublished   EventKind = "release.published"
	EventReleaseYanked      EventKind = "release.yanked"
	EventReleaseWithdrawn   EventKind = "release.withdrawn"
	EventAdvisoryIssued     EventKind = "advisory.issued"
	EventAdvisoryRescinded  EventKind = "advisory.rescinded"
	EventSubmissionMoved    EventKind = "submission.moved" // not public, as all below
	EventSubmissionComment  EventKind = "submission.comment"
	EventRatingAdded        EventKind = "rating.added"
	EventReportDecided      EventKind = "report.decided"
	EventPublisherSuspended EventKind = "publisher.suspended"
	EventProofChanged       EventKind = "proof.changed"
	EventTransferChanged    EventKind = "transfer.changed"
)

// EventKinds returns all kinds of event.
func EventKinds() []EventKind {
	return []EventKind{
		EventReleasePublished, EventReleaseYanked, EventReleaseWithdrawn, EventAdvisoryIssued, EventAdvisoryRescinded,
		EventSubmissionMoved, EventSubmissionComment, EventRatingAdded, EventReportDecided, EventPublisherSuspended,
		EventProofChanged, EventTransferChanged,
	}
}

// Public reports whether everybody may know.
func (k EventKind) Public() bool {
	switch k {
	case EventReleasePublished, EventReleaseYanked, EventReleaseWithdrawn, EventAdvisoryIssued, EventAdvisoryRescinded:
		return true
	}
	return false
}

// Event is something that happened, kept for feeds and webhooks.
type Event struct {
	Seq       int64           `db:"seq,auto" json:"-"`
	ID        string          `db:"id" json:"id"` // unique
	At        time.Time       `db:"at" json:"at"`
	Kind      EventKind       `db:"kind" json:"kind"`
	Publisher string          `db:"publisher" json:"publisher,omitempty"`
	Plugin    string          `db:"plugin" json:"plugin,omitempty"`
	Version   string          `db:"version" json:"version,omitempty"`
	Subject   string          `db:"subject" json:"subject,omitempty"` // id of the submission, advisory, ...
	Title     string          `db:"title" json:"title"`               // a sentence
	Data      json.RawMessage `db:"data" json:"data,omitempty"`
	Public    bool            `db:"public" json:"-"`
}

// Hook is an address that is told of events (Standard Webhooks).
type Hook struct {
	ID        string      `db:"id,key" json:"id"`
	Rev       int64       `db:"rev,rev" json:"rev"`
	Account   string      `db:"account" json:"account"`     // whose it is
	Publisher string      `db:"publisher" json:"publisher"` // of whom events that are not public are sent; empty: public ones of all
	URL       string      `db:"url" json:"url"`
	Secret    string      `db:"secret" json:"-"` // "whsec_…"; shown once
	Kinds     []EventKind `db:"kinds" json:"kinds"`
	Enabled   bool        `db:"enabled" json:"enabled"`
	Reason    string      `db:"reason" json:"reason,omitempty"`      // why the hub disabled it
	Failures  int         `db:"failures" json:"failures"`            // deliveries given up in a row
	Created   time.Time   `db:"created" json:"created"`              //
	Succeeded time.Time   `db:"succeeded" json:"succeeded,omitzero"` // last time
}

// DeliveryState is how far a delivery has come.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryWaiting DeliveryState = "waiting"
	DeliveryDone    DeliveryState = "done"
	DeliveryFailed  DeliveryState = "failed" // given up; can be asked for again
)

// Delivery is an event on its way to a hook.
type Delivery struct {
	ID       string        `db:"id,key" json:"id"`
	Hook     string        `db:"hook" json:"hook"`
	Event    string        `db:"event" json:"event"` // id
	Kind     EventKind     `db:"kind" json:"kind"`
	Body     string        `db:"body" json:"-"` // what is sent, the same at each try
	State    DeliveryState `db:"state" json:"state"`
	Attempts int           `db:"attempts" json:"attempts"`
	Status   int           `db:"status" json:"status"`           // HTTP status of the last try; 0: no answer
	Detail   string        `db:"detail" json:"detail,omitempty"` // what went wrong, or the beginning of the answer
	Took     int64         `db:"took" json:"took"`               // milliseconds
	Created  time.Time     `db:"created" json:"created"`
	Tried    time.Time     `db:"tried" json:"tried,omitzero"`
}

// Notice tells a person something that concerns them.
type Notice struct {
	ID      string    `db:"id,key" json:"id"`
	Account string    `db:"account" json:"account"`
	Title   string    `db:"title" json:"title"`
	Text    string    `db:"text" json:"text,omitempty"`
	Kind    string    `db:"kind" json:"kind"`       // what Subject is: "submission", "decision", "advisory", "publisher"
	Subject string    `db:"subject" json:"subject"` // for a link
	Read    time.Time `db:"read_at" json:"read,omitzero"`
	Created time.Time `db:"created" json:"created"`
}

// Setting is a decision of the administrator that the code has no field for.
type Setting struct {
	Key   string `db:"name,key"`
	Rev   int64  `db:"rev,rev"`
	Value string `db:"value"` // JSON
}

// Tally is something to be counted.
type Tally struct {
	Day     int    // days since 1970-01-01 UTC
	Once    string // when not empty, counted only the first time it is seen on that day; a keyed hash
	Kind    string // "download", "install", "active", "pair", "rollback", "unhealthy"
	Plugin  string
	Version string
	Detail  string // panel version, or the other plugin of a pair
	N       int64
}

// Total is a sum of tallies.
type Total struct {
	Day     int    `json:"day,omitempty"` // zero when not asked for
	Plugin  string `json:"plugin,omitempty"`
	Version string `json:"version,omitempty"`
	Detail  string `json:"detail,omitempty"`
	N       int64  `json:"n"`
}

// TotalQuery says which tallies are summed up, and by what.
type TotalQuery struct {
	Kind     string
	Plugin   string // empty: of all
	Detail   string // empty: any
	From, To int    // days, both included
	// By are the fields of the result, out of "day", "plugin", "version", "detail".
	By    []string
	Limit int // largest sums first; 0: all, in order of By
}

// Day returns the number of the UTC day of t since 1970-01-01.
func Day(t time.Time) int { return int(t.Unix() / 86400) }

// Record writes a line of the audit log. Detail is anything that encodes as JSON and
// holds no secret.
func Record(ctx context.Context, tx Tx, a Actor, now time.Time, action Action, target string, detail any) error {
	line := Audit{At: now, Actor: a.Account, Via: a.Via, Action: action, Target: target}
	if detail != nil {
		b, err := json.Marshal(detail)
		if err != nil {
			return err
		}
		line.Detail = b
	}
	return tx.Audit().Insert(ctx, &line)
}

// Emit keeps an event and has it delivered to the hooks that want it. It fills in ID,
// At and Public.
func Emit(ctx context.Context, tx Tx, now time.Time, e Event) error {
	e.ID, e.At, e.Public = NewID("evt", now), now, e.Kind.Public()
	if err := tx.Events().Insert(ctx, &e); err != nil {
		return err
	}
	return tx.Enqueue(ctx, Job{Kind: JobFanOut, Subject: e.ID})
}

// Notify leaves a notice for each of the accounts.
func Notify(ctx context.Context, tx Tx, now time.Time, accounts []string, n Notice) error {
	for _, account := range accounts {
		one := n
		one.ID, one.Account, one.Created = NewID("ntc", now), account, now
		if err := tx.Notices().Insert(ctx, &one); err != nil {
			return err
		}
	}
	return nil
}

// MarkChanged has the catalog written anew for a plugin; for the list of publishers or
// the advisories when plugin is empty.
func MarkChanged(ctx context.Context, tx Tx, plugin string) error {
	if err := tx.Changes().Insert(ctx, &Change{Plugin: plugin}); err != nil {
		return err
	}
	return tx.Enqueue(ctx, Job{Kind: JobCatalog})
}
