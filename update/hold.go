package update

import (
	"errors"
	"fmt"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox/phrase"
)

// ErrPinned means that a plugin is pinned to its version: an update by hand does not
// change it either, until the pin is taken away.
var ErrPinned = errors.New("pinned to its version")

// Active reports whether the hold is in force at now.
func (h Hold) Active(now time.Time) bool { return h.Until.IsZero() || now.Before(h.Until) }

// Blocks reports whether the hold keeps an automatic update to version away at now.
func (h Hold) Blocks(version string, now time.Time) bool {
	return h.Active(now) && (h.Version == "" || h.Version == version)
}

// BlocksByHand reports whether the hold keeps away even a person's update to version.
// A pin does, a mere hold does not.
func (h Hold) BlocksByHand(version string, now time.Time) bool {
	return h.Pin && h.Blocks(version, now)
}

// Sentence says who holds what since when, for people: "held by admin since 3 May
// 2026: breaks the reports".
func (h Hold) Sentence() string { return h.Says().String() }

// Says is [Hold.Sentence] for a page in any language.
func (h Hold) Says() phrase.Phrase {
	var back, by, since, until, why phrase.Phrase
	if h.Version != "" {
		back = phrase.Of("hold.back", " back from {0}", h.Version)
	}
	if h.By != "" {
		by = phrase.Of("hold.by", " by {0}", h.By)
	}
	if !h.At.IsZero() {
		since = phrase.Of("hold.since", " since {0}", phrase.Day(h.At))
	}
	if !h.Until.IsZero() {
		until = phrase.Of("hold.until", " until {0}", h.Until)
	}
	if h.Why != "" {
		why = phrase.Raw(": " + h.Why)
	}
	if h.Pin {
		return phrase.Of("hold.pinned", "pinned{0}{1}{2}{3}{4}", back, by, since, until, why)
	}
	return phrase.Of("hold.held", "held{0}{1}{2}{3}{4}", back, by, since, until, why)
}

// hold returns what is said about a plugin, nil when nothing is in force.
func (s *State) hold(id catalog.PluginID, now time.Time) *Hold {
	if h, ok := s.Holds[id]; ok && h.Active(now) {
		return &h
	}
	return nil
}

// ByHand returns nil when a person may update to r at now. A hold and a freeze stand
// back behind a person; a pin does not, and gives an error that wraps [ErrPinned].
func (s State) ByHand(r catalog.Ref, now time.Time) error {
	if h := s.hold(r.Plugin, now); h != nil && h.BlocksByHand(r.Version, now) {
		return &catalog.RefError{Op: "update to", Ref: r, Err: fmt.Errorf("%w: %s", ErrPinned, h.Sentence())}
	}
	return nil
}

// applied takes over what a person's plan says about what they want: a version that
// they stepped down from does not come back by itself, one that they chose is no
// longer held, and what is gone has nothing to hold.
func (s *State) applied(p *install.Plan, actor string, now time.Time) {
	for _, step := range p.Steps {
		id := step.Release.Plugin
		h, held := s.Holds[id]
		whole := held && h.Version == "" && h.Active(now) // says more than we would
		switch {
		case step.Action == install.ActRemove:
			delete(s.Holds, id)
		case step.From == nil || whole:
		case catalog.CompareVersions(step.Release.Version, step.From.Version) < 0:
			if s.Holds == nil {
				s.Holds = make(map[catalog.PluginID]Hold)
			}
			s.Holds[id] = Hold{Version: step.From.Version, By: actor, At: now, Why: "rolled back to " + step.Release.Version}
		case held && h.Version == step.Release.Version:
			delete(s.Holds, id)
		}
	}
}
