package update

import (
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/phrase"
)

// Offer is a newer release of an installed plugin, what it changes, and what the
// policy says about it. An offer never goes down. [Find] makes them; what they hold
// is shared with the catalog and must not be changed.
type Offer struct {
	Plugin   catalog.PluginID  `json:"plugin"`
	Name     string            `json:"name"`
	Source   string            `json:"source"`
	From     install.Installed `json:"from"`
	To       catalog.Release   `json:"to"`
	Notes    []Note            `json:"notes"` // of every release after From up to To, newest first
	Risk     RiskDiff          `json:"risk"`
	Decision Decision          `json:"decision"`
}

// Note is what a publisher wrote about one release.
type Note struct {
	Version   string    `json:"version"`
	Published time.Time `json:"published"`
	Text      string    `json:"text"` // Markdown
}

// RiskDiff is what an update changes that a careful person wants to know.
type RiskDiff struct {
	Permissions  sandbox.Diff       `json:"permissions"`
	Wider        bool               `json:"wider"`                  // asks for more than what was granted
	Dependencies []catalog.PluginID `json:"dependencies,omitempty"` // needed now, not before, and not installed
	Native       bool               `json:"native,omitempty"`       // native code where there was none
	Major        bool               `json:"major,omitempty"`        // another major version
	Breaking     bool               `json:"breaking,omitempty"`     // declared to break with the installed version
	Signer       bool               `json:"signer,omitempty"`       // the locked signer may not sign for it any more
	Data         bool               `json:"data,omitempty"`         // another data schema
	Security     []string           `json:"security,omitempty"`     // ids of the advisories it answers
	Warned       []string           `json:"warned,omitempty"`       // ids of advisories that warn of the new release
	SizeFactor   float64            `json:"sizeFactor,omitempty"`   // new size by old size, when both are known
	Age          time.Duration      `json:"age"`                    // since it was published
}

// Verdict is what becomes of an offer without a person.
type Verdict string

// The verdicts.
const (
	Auto Verdict = "auto" // is applied in the next window
	Wait Verdict = "wait" // will be looked at again, see Until
	Ask  Verdict = "ask"  // a person decides
	Held Verdict = "held" // a person decided against it: held, pinned, or frozen
)

// Decision is a verdict with its reasons, as sentences for people.
type Decision struct {
	Verdict Verdict   `json:"verdict"`
	Until   time.Time `json:"until,omitzero"` // of Wait, when it is known; of Auto, when its window is still to come
	Why     []string  `json:"why"`

	Because []phrase.Phrase `json:"-"` // Why for any language
}
