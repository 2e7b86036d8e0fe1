package update

import (
	"context"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
)

// Kind says what an Event is about.
type Kind string

// The kinds of Event.
const (
	KindAvailable  Kind = "available"   // a newer release was found
	KindHeld       Kind = "held"        // a newer release was found that a person does not want
	KindStarted    Kind = "started"     // a transaction begins
	KindSucceeded  Kind = "succeeded"   // the new versions run
	KindRolledBack Kind = "rolled_back" // the old versions are in place again
	KindPoisoned   Kind = "poisoned"    // a release failed here again, and is left alone until Event.Until
	KindAdvisory   Kind = "advisory"    // an advisory concerns something installed, or does no more
	KindInDoubt    Kind = "in_doubt"    // a person has to look
	KindDiskLow    Kind = "disk_low"    // no space for an update
)

// Event is something that a person may want to know. Fields that do not belong to
// its Kind are zero.
type Event struct {
	Kind     Kind                  `json:"kind"`
	Time     time.Time             `json:"time"`
	Title    string                `json:"title"`              // one line for people
	Changes  []install.HistoryStep `json:"changes,omitempty"`  // what it is about
	Reason   string                `json:"reason,omitempty"`   // why, with the text of an error
	Log      []string              `json:"log,omitempty"`      // what the plugin wrote last, see Excerpter
	Decision *Decision             `json:"decision,omitempty"` // of available and held
	Advisory *catalog.Advisory     `json:"advisory,omitempty"`
	Until    time.Time             `json:"until,omitzero"` // of poisoned
}

// Notifier is told what happens. It is called from one goroutine at a time, with at
// most NotifyTime; what it returns is logged and changes nothing.
type Notifier interface {
	Notify(ctx context.Context, e Event) error
}

// NotifyTime bounds one call of a Notifier, so that a dead receiver does not keep an
// update from being taken back.
const NotifyTime = 10 * time.Second
