package store

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/souk-dev/souk/update"
)

// presets are the policies that somebody chooses by a sentence. What they say of data and
// pre-releases is not theirs: it stays as it was.
var presets = []struct {
	name string
	make func(zone string) update.Policy
}{
	{"ask", func(string) update.Policy { return update.Manual() }},
	{"security", func(string) update.Policy { return update.SecurityOnly() }},
	{"nightly", update.Nightly},
	{"weekend", update.Weekend},
}

// custom is the name of a policy that is none of the presets.
const custom = "custom"

// presetOf returns which preset a policy is, and its time zone.
func presetOf(p update.Policy) (name, zone string) {
	if len(p.Windows) > 0 {
		zone = p.Windows[0].Zone
	}
	for _, s := range presets {
		q := s.make(zone)
		if p.Mode == q.Mode && sameAge(p.MinAge, q.MinAge) && slices.Equal(p.Windows, q.Windows) {
			return s.name, zone
		}
	}
	return custom, zone
}

func sameAge(a, b time.Duration) bool {
	return a == b || max(a, b) == update.DefaultMinAge && min(a, b) == 0
}

// preset returns the policy of a preset with what it does not say taken from old.
func preset(name, zone string, old update.Policy) (update.Policy, bool) {
	for _, s := range presets {
		if s.name == name {
			p := s.make(zone)
			p.Data, p.RollbackData, p.Prerelease = old.Data, old.RollbackData, old.Prerelease
			return p, true
		}
	}
	return old, false
}

// settingsTag names the update settings as they are now, for If-Match: it changes when
// somebody changes them.
func settingsTag(p update.Policy, frozen bool) string {
	b, err := json.Marshal(struct {
		P update.Policy
		F bool
	}{p, frozen})
	if err != nil { // a Policy has no value that JSON cannot hold
		panic(err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// policySentences says in words what a policy does.
func (h *shop) policySentences(p update.Policy, frozen bool) []string {
	var out []string
	say := func(key string, args ...any) { out = append(out, h.text.T("update."+key, args...)) }
	if frozen {
		say("frozen")
	}
	switch p.Mode {
	case update.ModeSecurity:
		say("security", h.windows(p))
	case update.ModeAuto:
		say("auto", h.windows(p))
	default:
		say("ask")
	}
	if p.Mode == update.ModeAuto {
		if age := minAge(p); age == 0 {
			say("age.none")
		} else {
			say("age", h.span(age))
		}
	}
	if p.Mode != update.ModeAsk {
		say("never")
		if !p.Data {
			say("data.ask")
		}
	}
	if p.RollbackData {
		say("back.always", h.span(update.SoakTime))
	} else {
		say("back", h.span(update.SoakTime))
	}
	if len(p.Prerelease) > 0 {
		ids := make([]string, 0, len(p.Prerelease))
		for _, id := range p.Prerelease {
			ids = append(ids, string(id))
		}
		say("prerelease", strings.Join(ids, ", "))
	}
	return out
}

// minAge is how long a release has to be out.
func minAge(p update.Policy) time.Duration {
	switch p.MinAge {
	case 0:
		return update.DefaultMinAge
	case update.NoMinAge:
		return 0
	}
	return p.MinAge
}

// windows says when updates may begin.
func (h *shop) windows(p update.Policy) string {
	if len(p.Windows) == 0 {
		return h.text.T("window.any")
	}
	all := make([]string, 0, len(p.Windows))
	for _, w := range p.Windows {
		all = append(all, h.window(w))
	}
	return strings.Join(all, h.text.T("window.or"))
}

// window is a maintenance window in words: "Sat, Sun from 02:00 to 06:00 (Europe/Berlin)".
func (h *shop) window(w update.Window) string {
	days := h.text.T("window.daily")
	if w.Days != 0 && w.Days != update.AllDays {
		var names []string
		for _, d := range week {
			if w.Days.Has(d) {
				names = append(names, h.text.T("day."+dayKeys[d]))
			}
		}
		days = strings.Join(names, ", ")
	}
	zone := w.Zone
	if zone == "" {
		zone = "UTC"
	}
	if w.Duration == 24*time.Hour {
		return h.text.T("window.whole", days, clock(w.Start), zone)
	}
	return h.text.T("window", days, clock(w.Start), clock(w.Start+w.Duration), zone)
}

// clock writes a time of the day.
func clock(d time.Duration) string {
	return time.Time{}.Add(d % (24 * time.Hour)).Format("15:04")
}

// span writes how long something is: in days where it is whole days, else in hours or minutes.
func (h *shop) span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day && d%day == 0:
		return h.text.N("span.days", int(d/day))
	case d >= time.Hour && d%time.Hour == 0:
		return h.text.N("span.hours", int(d/time.Hour))
	}
	return h.text.N("span.minutes", int(d/time.Minute))
}

// week is in the order in which people read it, and dayKeys are its names in the JSON.
var (
	week    = []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday, time.Saturday, time.Sunday}
	dayKeys = [7]string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)
