package install

import (
	"context"
	"io"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/phrase"
	"github.com/souk-dev/souk/verify"
)

// Installed is one plugin of a Generation.
type Installed struct {
	catalog.Ref
	Source    string           `json:"source"`
	Digest    verify.Digest    `json:"digest"` // of the OCI manifest
	Object    string           `json:"object"` // name in the store: "sha256-<hex>"
	Data      string           `json:"data"`   // data directory, relative to the root
	Grants    sandbox.Set      `json:"grants"` // what the runtime must enforce
	Consent   sandbox.Consent  `json:"consent"`
	Signer    string           `json:"signer"` // verify.Identity.ID, locked at first install
	Root      bool             `json:"root"`   // a person asked for it
	Enabled   bool             `json:"enabled"`
	Since     time.Time        `json:"since"` // when this version was installed
	Manifest  catalog.Manifest `json:"manifest"`
	Published time.Time        `json:"published"`

	Dir     string `json:"-"` // absolute path of the unpacked tree, read-only; set for the Host
	DataDir string `json:"-"` // absolute path of the data directory; set for the Host
}

// Generation is the complete set of installed releases with their grants.
type Generation struct {
	N       uint64                         `json:"n"`
	Parent  uint64                         `json:"parent"`
	Plugins map[catalog.PluginID]Installed `json:"plugins"`
	Reason  string                         `json:"reason"`
	Says    phrase.Phrase                  `json:"says,omitzero"` // Reason for any language
	Actor   string                         `json:"actor"`
	Tx      string                         `json:"tx"`
	Time    time.Time                      `json:"time"`
}

// Supply is where a Store gets releases, and the facts to verify them by.
type Supply interface {
	// Subject says who may sign the release, from a catalog verified by now. It
	// fails when the release may not be installed any more: withdrawn, blocked by
	// an advisory, or its catalog expired.
	Subject(ctx context.Context, r catalog.Release) (verify.Subject, error)
	Evidence(ctx context.Context, r catalog.Release) (verify.Evidence, error)
	Open(ctx context.Context, r catalog.Release) (io.ReadCloser, error)
}

// Host is the panel's side of a plugin's life. All of it is level-triggered: it is
// called again after a crash, and doing what is done already is success. Every call
// has a time limit in ctx, and a panic in it counts as an error. Calls for
// different plugins do not overlap.
type Host interface {
	// Activate runs p from p.Dir with p.Grants and nothing more. When another
	// release of the same plugin runs, it is replaced.
	Activate(ctx context.Context, p Installed) error
	// Deactivate stops the plugin, whichever release of it runs.
	Deactivate(ctx context.Context, p Installed) error
	// Health is nil when p is well, wraps ErrHealthUnknown when that cannot be
	// told, and says otherwise what is wrong.
	Health(ctx context.Context, p Installed) error
}

// Preparer is a Host that wants to do slow work before anything is stopped:
// compiling a module, for example. A failure ends the transaction with nothing changed.
type Preparer interface {
	Prepare(ctx context.Context, p Installed) error
}

// Migrator is a Host that can bring a plugin's data to another schema. It gets a
// copy of the data in to.DataDir; the original is not touched.
type Migrator interface {
	Migrate(ctx context.Context, from, to Installed) error
}

// State is where an Operation is. The order of the constants is the way of a success.
type State string

// The states of an Operation.
const (
	StateQueued      State = "queued"
	StateResolving   State = "resolving"
	StateDownloading State = "downloading"
	StateVerifying   State = "verifying"
	StateStaging     State = "staging"
	StateStarting    State = "starting" // from here on it cannot be cancelled
	StateChecking    State = "checking health"
	StateDone        State = "done"
	StateRollingBack State = "rolling back"
	StateFailed      State = "failed" // everything is as it was before
	StateCancelled   State = "cancelled"
)

// Final reports whether nothing more will happen.
func (s State) Final() bool {
	return s == StateDone || s == StateFailed || s == StateCancelled
}

// Events tells what goes on, for display only: what they do cannot change what
// happens. Every field may be nil. They are called from one goroutine at a time.
type Events struct {
	State    func(State, catalog.PluginID)                // the plugin may be empty
	Progress func(id catalog.PluginID, done, total int64) // bytes
	Log      func(line string)                            // a sentence for people
}

// Transaction is what Apply did.
type Transaction struct {
	ID      string    `json:"id"`
	From    uint64    `json:"from"` // generations
	To      uint64    `json:"to"`
	Title   string    `json:"title"`
	Actor   string    `json:"actor"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`

	Says phrase.Phrase `json:"says,omitzero"` // Title for any language
}

// Entry is a finished transaction as the history keeps it.
type Entry struct {
	Transaction
	State   State         `json:"state"` // done, failed or cancelled
	Error   string        `json:"error,omitempty"`
	Changes []HistoryStep `json:"changes"`
}

// HistoryStep is one change of an Entry.
type HistoryStep struct {
	Action Action           `json:"action"`
	Plugin catalog.PluginID `json:"plugin"`
	From   string           `json:"from,omitempty"` // versions
	To     string           `json:"to,omitempty"`
}

// Operation is a plan on its way through a Queue. It is a value; get it again to
// see it move.
type Operation struct {
	ID       string             `json:"id"` // the transaction's
	Plan     string             `json:"plan"`
	Title    string             `json:"title"`
	Actor    string             `json:"actor"`
	State    State              `json:"state"`
	Failing  string             `json:"failing,omitempty"` // the state it was in when it failed
	Plugin   catalog.PluginID   `json:"plugin,omitempty"`  // the one at work
	Plugins  []catalog.PluginID `json:"plugins"`           // all concerned
	Done     int64              `json:"done"`              // bytes
	Total    int64              `json:"total"`
	Started  time.Time          `json:"started"`
	Ended    time.Time          `json:"ended,omitzero"`
	Log      []string           `json:"log,omitempty"` // at most 200 lines
	Err      error              `json:"-"`             // when it failed
	Restored bool               `json:"restored"`      // it failed, and everything is as before

	Says phrase.Phrase `json:"-"` // Title for any language
}

// Event is one change of an Operation, numbered so that a listener can resume.
type Event struct {
	Seq       uint64    `json:"seq"`
	Operation Operation `json:"operation"`
}
