package update

import (
	"maps"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox/phrase"
	"github.com/souk-dev/souk/verify"
)

// Hold keeps a plugin at its version.
type Hold struct {
	Until time.Time `json:"until,omitzero"` // zero: until it is released
	Pin   bool      `json:"pin,omitempty"`  // also against an update by hand
	By    string    `json:"by"`
	At    time.Time `json:"at"`
	Why   string    `json:"why,omitempty"`
	// Version, when set, holds against this version only: after a rollback by a
	// person it does not come back by itself, a newer one may.
	Version string `json:"version,omitempty"`
}

// Failure is what is remembered of a release that did not work here.
type Failure struct {
	Ref    catalog.Ref   `json:"ref"`
	Digest verify.Digest `json:"digest"`
	Count  int           `json:"count"`
	Last   time.Time     `json:"last"`
	Next   time.Time     `json:"next"` // not tried again by itself before
	Error  string        `json:"error"`
}

// Move is one plugin's way from a version to a release.
type Move struct {
	catalog.Ref
	Digest verify.Digest `json:"digest"`
	From   string        `json:"from"` // version
}

// Soak is a change that is being watched. It is written down before the change, so
// that a panel that does not survive it knows afterwards.
type Soak struct {
	Title   string                   `json:"title"`
	Says    phrase.Phrase            `json:"says,omitzero"` // Title for any language
	Moves   []Move                   `json:"moves"`
	Base    uint64                   `json:"base"`              // the generation to go back to
	To      uint64                   `json:"to,omitempty"`      // the generation after it; 0 until it is committed
	Until   time.Time                `json:"until,omitzero"`    // when it has held; of a committed one
	Loses   bool                     `json:"loses,omitempty"`   // going back loses data
	Unwell  []catalog.PluginID       `json:"unwell,omitempty"`  // before the change, so that it proves nothing after it
	Strikes map[catalog.PluginID]int `json:"strikes,omitempty"` // bad answers in a row
}

// State is what the updater remembers, kept in state/update.json below the
// store's root. The zero value remembers nothing.
type State struct {
	Holds     map[catalog.PluginID]Hold   `json:"holds,omitempty"`
	Failures  []Failure                   `json:"failures,omitempty"` // the poison list, latest last
	Frozen    bool                        `json:"frozen,omitempty"`   // no automatic update at all
	LastRun   time.Time                   `json:"lastRun,omitzero"`   // of the last check
	LastTook  time.Duration               `json:"lastTook,omitempty"` // how long the last run took to apply
	NextRun   time.Time                   `json:"nextRun,omitzero"`
	Rollbacks []time.Time                 `json:"rollbacks,omitempty"` // automatic ones, for the circuit breaker
	Secret    []byte                      `json:"secret,omitempty"`    // 32 random bytes: this panel's rollout bucket
	Policy    *Policy                     `json:"policy,omitempty"`    // set by a person, instead of Options.Policy
	Soaks     []Soak                      `json:"soaks,omitempty"`     // changes being watched
	Disabled  map[catalog.PluginID]string `json:"disabled,omitempty"`  // stopped by us, and the advisory that says so
	Told      []string                    `json:"told,omitempty"`      // what was announced, in order
}

// clone returns a copy that shares nothing that changes.
func (s State) clone() State {
	s.Holds = maps.Clone(s.Holds)
	s.Failures = slices.Clone(s.Failures)
	s.Rollbacks = slices.Clone(s.Rollbacks)
	s.Secret = slices.Clone(s.Secret)
	s.Soaks = slices.Clone(s.Soaks)
	for i := range s.Soaks {
		s.Soaks[i].Strikes = maps.Clone(s.Soaks[i].Strikes)
	}
	s.Disabled = maps.Clone(s.Disabled)
	s.Told = slices.Clone(s.Told)
	return s
}
