package resolve

import (
	"errors"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/phrase"
)

// ErrBudget means that the solver gave up before it knew: more steps, conflicts or
// memory than Budget allows, or the context ended. It says nothing about whether
// there is a solution, so it is not a [*Conflict].
var ErrBudget = errors.New("dependency resolution took too long")

// Universe is what could be installed. It is read only, deterministic, and safe
// for concurrent use.
type Universe interface {
	// Releases returns every release of a plugin, newest first, yanked and
	// withdrawn ones too; none when it is unknown. One PluginID belongs to one
	// source: whoever builds the Universe decided which.
	Releases(id catalog.PluginID) []catalog.Release
	// Providers returns the plugins that have a release which provides or
	// replaces id, in order of their ids.
	Providers(id catalog.PluginID) []catalog.PluginID
}

// Prefer says which version is better where several will do.
type Prefer uint8

// The preferences.
const (
	Newest  Prefer = iota // the newest release that fits
	Minimal               // what is installed, if it fits
)

// Installed is a plugin that is there already.
type Installed struct {
	Release catalog.Release // as installed; the Universe may no longer know it
	Root    bool            // a person asked for it; otherwise it came along as a dependency
	Hold    string          // not empty: do not change it, and why: "held by admin since 3 May"
	Held    phrase.Phrase   // Hold for any language; the zero value: only as it stands
	Pin     bool            // as Hold, and a request by name does not change it either
}

// Want is a plugin that shall be installed.
type Want struct {
	Plugin catalog.PluginID
	Range  string // empty: any
}

// Request is what to solve.
type Request struct {
	Panel       string // version of the panel's plugin API, "3.0.0"; empty: not checked
	Platform    string // "linux/amd64"; empty: not checked
	Installed   []Installed
	Install     []Want
	Update      []catalog.PluginID // installed plugins that shall move to the newest that fits; the rest stays unless it must move
	Remove      []catalog.PluginID
	KeepOrphans bool // do not remove dependencies that nothing needs any more
	Prefer      Prefer
	Prerelease  map[catalog.PluginID]bool          // plugins whose channel opts in to pre-releases
	Blocked     func(catalog.Release) (why string) // not empty: must not be newly chosen, and why (what is installed may stay, with a warning); pure; nil blocks nothing
	Say         func(why string) phrase.Phrase     // a reason of Blocked for any language; nil: as it stands
	Budget      Budget
}

// Budget bounds the work. The zero value is the default of each.
type Budget struct {
	Steps     int // decisions and propagations; default 5,000,000
	Conflicts int // default 20,000
}

// Chosen is one release of a Resolution.
type Chosen struct {
	Release  catalog.Release
	Root     bool
	From     string             // version it replaces; empty for a new one, equal to Release.Version when it stays
	Why      string             // a sentence: "you asked for it", "acme/backup 1.4.2 needs >=2.0"
	NeededBy []catalog.PluginID // who depends on it, in order
	Because  phrase.Phrase      // Why for any language
}

// Resolution is the complete set that will be installed afterwards.
type Resolution struct {
	Chosen   []Chosen // dependencies before dependants, otherwise by id
	Removed  []Removed
	Warnings []string        // "acme/old 1.0.0 was yanked: data loss on upgrade"
	Cautions []phrase.Phrase // Warnings for any language
}

// Removed is an installed release that goes.
type Removed struct {
	Release catalog.Release
	Why     string        // "you asked for it", "nothing needs it any more"
	Because phrase.Phrase // Why for any language
}
