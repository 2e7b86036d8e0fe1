package update

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
)

// Mode says what may be updated without a person.
type Mode string

// The modes of a Policy.
const (
	ModeAsk      Mode = ""         // nothing: offers are found and told
	ModeSecurity Mode = "security" // what answers a published advisory
	ModeAuto     Mode = "auto"     // everything within the rules
)

// Bounds of a Policy.
const (
	// DefaultMinAge is how long a release is out before it is applied without a
	// person: most bad ones are found and pulled within a day.
	DefaultMinAge = 24 * time.Hour
	// NoMinAge as Policy.MinAge applies releases at once.
	NoMinAge time.Duration = -1
	// MaxMinAge keeps a slip from looking like a policy that never updates.
	MaxMinAge = 365 * 24 * time.Hour
	// MaxWindows is one for each hour of a week, rounded up.
	MaxWindows = 200
	// MaxPrerelease bounds the plugins that follow pre-releases.
	MaxPrerelease = 1000
)

// Policy says which updates happen without a person, and when. It is data: it has a
// JSON form, a form in words ([Policy.String]), and no behaviour beyond
// [Policy.Decide]. The zero value asks a person about everything.
//
// Some updates are never made without a person, whatever a policy says: to another
// major version or over a declared break, signed by somebody else than before,
// asking for more than was granted, with native code where there was none, or in
// need of a plugin that is not installed.
type Policy struct {
	Mode Mode `json:"mode,omitempty"`
	// MinAge is how long a release must have been published; 0 is DefaultMinAge,
	// NoMinAge none. The first release that answers a published advisory is not
	// made to wait.
	MinAge time.Duration `json:"minAge,omitempty"`
	// Windows are the times in which updates may begin; none: at any time.
	Windows []Window `json:"windows,omitempty"`
	// Data also updates to another data schema. The data is migrated as a copy,
	// but what the new version writes is lost when it has to be taken back.
	Data bool `json:"data,omitempty"`
	// RollbackData also takes a version back that turned out bad when that loses
	// what it has written. Otherwise a person is told and decides.
	RollbackData bool `json:"rollbackData,omitempty"`
	// Prerelease names the plugins that are offered pre-releases.
	Prerelease []catalog.PluginID `json:"prerelease,omitempty"`
}

// Manual asks a person about everything. It is the zero Policy.
func Manual() Policy { return Policy{} }

// SecurityOnly applies at any time what answers a published advisory, and asks about
// the rest.
func SecurityOnly() Policy { return Policy{Mode: ModeSecurity} }

// Nightly applies everything within the rules, from two to six at night on the clocks
// of zone; empty is UTC.
func Nightly(zone string) Policy {
	return Policy{Mode: ModeAuto, Windows: []Window{{Days: AllDays, Start: 2 * time.Hour, Duration: 4 * time.Hour, Zone: zone}}}
}

// Weekend is Nightly on Saturdays and Sundays for releases that are a week old.
func Weekend(zone string) Policy {
	p := Nightly(zone)
	p.MinAge = 7 * 24 * time.Hour
	p.Windows[0].Days = On(time.Saturday, time.Sunday)
	return p
}

// Validate says what is wrong with the policy; nil when nothing is.
func (p Policy) Validate() error {
	switch {
	case !slices.Contains([]Mode{ModeAsk, ModeSecurity, ModeAuto}, p.Mode):
		return fmt.Errorf("update mode %q is not one of \"\", %q, %q", p.Mode, ModeSecurity, ModeAuto)
	case p.MinAge < 0 && p.MinAge != NoMinAge || p.MinAge > MaxMinAge:
		return fmt.Errorf("a minimum release age of %v is not between 0 and %d days", p.MinAge, MaxMinAge/(24*time.Hour))
	case len(p.Windows) > MaxWindows:
		return fmt.Errorf("%d windows, more than %d", len(p.Windows), MaxWindows)
	case len(p.Prerelease) > MaxPrerelease:
		return fmt.Errorf("%d plugins with pre-releases, more than %d", len(p.Prerelease), MaxPrerelease)
	}
	for _, w := range p.Windows {
		if err := w.Validate(); err != nil {
			return err
		}
	}
	for _, id := range p.Prerelease {
		if _, err := catalog.ParsePluginID(string(id)); err != nil {
			return err
		}
	}
	return nil
}

// String returns the policy in sentences, for people to check what they chose.
func (p Policy) String() string {
	if err := p.Validate(); err != nil {
		return "Not valid: " + err.Error() + "."
	}
	var b strings.Builder
	switch p.Mode {
	case ModeAsk:
		b.WriteString("Asks a person about every update.")
	case ModeSecurity:
		b.WriteString("Updates by itself what answers a published advisory, " + p.when() + ", and asks a person about everything else.")
	case ModeAuto:
		b.WriteString("Updates by itself " + p.when() + ", " + p.ripe() + ".")
	}
	if p.Mode != ModeAsk {
		never := "another major version, a declared break, another signer, more permissions, native code where there was none, a plugin that is not installed"
		if !p.Data {
			never += ", another data schema"
		}
		b.WriteString(" Always asks before: " + never + ".")
	}
	if p.RollbackData {
		b.WriteString(" Takes back a version that turns out bad even if that loses what it has written.")
	} else {
		b.WriteString(" Takes back by itself a version that turns out bad, unless that loses data.")
	}
	if n := len(p.Prerelease); n > 0 {
		b.WriteString(" Offers pre-releases of " + join(p.Prerelease) + ".")
	}
	return b.String()
}

func (p Policy) when() string {
	if len(p.Windows) == 0 {
		return "at any time"
	}
	var all []string
	for _, w := range p.Windows {
		all = append(all, w.String())
	}
	return "in the window " + strings.Join(all, " or ")
}

func (p Policy) ripe() string {
	if p.minAge() == 0 {
		return "as soon as a release is published"
	}
	return "once a release has been out for " + age(p.minAge()).String() + " (at once when it answers a published advisory)"
}

func (p Policy) minAge() time.Duration {
	switch p.MinAge {
	case 0:
		return DefaultMinAge
	case NoMinAge:
		return 0
	}
	return p.MinAge
}

// Begin returns when a run may next begin, now or later, if it takes as long as took,
// the last one. It does not begin when less than twice that is left of a window, but
// always in a window's first half, so that a window that became too short does not
// stop all updates. Without windows it may begin now.
func (p Policy) Begin(now time.Time, took time.Duration) (time.Time, error) {
	if len(p.Windows) == 0 {
		return now, nil
	}
	var first time.Time
	for _, w := range p.Windows {
		start, end, err := w.At(now)
		if err != nil {
			return time.Time{}, err
		}
		if last := end.Add(-min(2*max(took, 0), w.Duration/2)); now.After(last) {
			if start, _, err = w.At(end); err != nil {
				return time.Time{}, err
			}
		}
		if first.IsZero() || start.Before(first) {
			first = start
		}
	}
	if first.Before(now) {
		return now, nil
	}
	return first, nil
}
