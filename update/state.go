package update

import (
	"time"

	"github.com/souk-dev/souk/catalog"
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

// State is what the updater remembers, kept in state/update.json below the
// store's root. The zero value remembers nothing.
type State struct {
	Holds     map[catalog.PluginID]Hold `json:"holds,omitempty"`
	Failures  []Failure                 `json:"failures,omitempty"` // the poison list
	Frozen    bool                      `json:"frozen,omitempty"`   // no automatic update at all
	LastRun   time.Time                 `json:"lastRun,omitzero"`
	LastTook  time.Duration             `json:"lastTook,omitempty"`
	NextRun   time.Time                 `json:"nextRun,omitzero"`
	Rollbacks []time.Time               `json:"rollbacks,omitempty"` // automatic ones, for the circuit breaker
	Secret    []byte                    `json:"secret,omitempty"`    // 32 random bytes: this panel's rollout bucket
}
