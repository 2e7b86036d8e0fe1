package update

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of a Window.
const (
	// MinWindow is the shortest window: a run needs some time to be worth starting.
	MinWindow = 5 * time.Minute
	// MaxWindow is the longest: an occurrence of each day then touches the next.
	MaxWindow = 24 * time.Hour
	// maxWindowText bounds what ParseWindow reads; the longest zone has some 40.
	maxWindowText = 120
)

// Window is a time of the week in which updates may begin, on the clocks of a
// place. When the clocks go forward over Start, it starts at the first instant that
// exists; when they go back over it, only the first of the two counts. So it comes
// exactly once on each of its days, which a cron line does not promise.
//
// Its text and JSON form is one line, see [ParseWindow]. The zero value is not valid.
type Window struct {
	Days     Days          // none: every day
	Start    time.Duration // on the clock, since midnight: whole minutes, less than 24 h
	Duration time.Duration // as time passes: whole minutes, MinWindow to MaxWindow
	Zone     string        // IANA name, "Europe/Berlin"; empty: UTC
}

// Days is a set of days of the week.
type Days uint8

// AllDays is every day of the week.
const AllDays Days = 1<<7 - 1

// On returns the set of the given days.
func On(days ...time.Weekday) Days {
	var d Days
	for _, day := range days {
		d |= 1 << (uint(day) % 7)
	}
	return d
}

// Has reports whether the set has day.
func (d Days) Has(day time.Weekday) bool { return d>>(uint(day)%7)&1 != 0 }

var errWindow = errors.New("a window reads like \"Sat,Sun 02:00 4h Europe/Berlin\"")

const dayNames = "SunMonTueWedThuFriSat"

func dayName(d time.Weekday) string { return dayNames[3*d : 3*d+3] }

// String returns the days as ParseWindow reads them: "daily", "Sat,Sun".
func (d Days) String() string {
	if d &= AllDays; d == 0 || d == AllDays {
		return "daily"
	}
	var names []string
	for i := range time.Weekday(7) {
		if day := (i + 1) % 7; d.Has(day) { // a week begins on Monday
			names = append(names, dayName(day))
		}
	}
	return strings.Join(names, ",")
}

// ParseWindow reads "<days> <start> <duration> [<zone>]": days are "daily", or names
// and ranges with commas ("Mon-Fri", "Sat,Sun"), start is HH:MM, duration is hours
// and minutes ("4h", "1h30m", "90m"), and without a zone it is UTC.
func ParseWindow(s string) (Window, error) {
	if len(s) > maxWindowText {
		return Window{}, fmt.Errorf("window of %d characters: %w", len(s), errWindow)
	}
	f := strings.Fields(s)
	if len(f) < 3 || len(f) > 4 {
		return Window{}, fmt.Errorf("window %q: %w", s, errWindow)
	}
	var w Window
	var err error
	if w.Days, err = parseDays(f[0]); err != nil {
		return Window{}, fmt.Errorf("window %q: %w", s, err)
	}
	if w.Start, err = parseClock(f[1]); err != nil {
		return Window{}, fmt.Errorf("window %q: %w", s, err)
	}
	if w.Duration, err = time.ParseDuration(f[2]); err != nil {
		return Window{}, fmt.Errorf("window %q: %q is not a duration such as 4h or 90m", s, f[2])
	}
	if len(f) == 4 && f[3] != "UTC" {
		w.Zone = f[3]
	}
	return w, w.Validate()
}

func parseDays(s string) (Days, error) {
	if strings.EqualFold(s, "daily") {
		return AllDays, nil
	}
	var d Days
	for part := range strings.SplitSeq(s, ",") {
		first, last, isRange := strings.Cut(part, "-")
		from, err := parseDay(first)
		if err != nil {
			return 0, err
		}
		to := from
		if isRange {
			if to, err = parseDay(last); err != nil {
				return 0, err
			}
		}
		for d |= On(from); from != to; d |= On(from) {
			from = (from + 1) % 7
		}
	}
	return d, nil
}

func parseDay(s string) (time.Weekday, error) {
	for d := range time.Weekday(7) {
		if strings.EqualFold(s, dayName(d)) {
			return d, nil
		}
	}
	return 0, fmt.Errorf("%q is not one of Mon, Tue, Wed, Thu, Fri, Sat, Sun", s)
}

func parseClock(s string) (time.Duration, error) {
	h, m, ok := strings.Cut(s, ":")
	hour, errH := strconv.ParseUint(h, 10, 8)
	minute, errM := strconv.ParseUint(m, 10, 8)
	if !ok || len(h) > 2 || len(m) != 2 || errH != nil || errM != nil || hour > 23 || minute > 59 {
		return 0, fmt.Errorf("%q is not a time from 00:00 to 23:59", s)
	}
	return time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute, nil
}

// String returns the window as ParseWindow reads it.
func (w Window) String() string {
	zone := w.Zone
	if zone == "" {
		zone = "UTC"
	}
	return fmt.Sprintf("%s %02d:%02d %s %s", w.Days, w.Start/time.Hour, w.Start%time.Hour/time.Minute, span(w.Duration), zone)
}

// MarshalText writes the form of String.
func (w Window) MarshalText() ([]byte, error) { return []byte(w.String()), nil }

// UnmarshalText reads the form of String.
func (w *Window) UnmarshalText(b []byte) (err error) {
	*w, err = ParseWindow(string(b))
	return err
}

// Validate says what is wrong with the window; nil when nothing is. It knows a zone
// only if the machine, or the program by importing time/tzdata, has zone data.
func (w Window) Validate() error {
	_, err := w.check()
	return err
}

// check is Validate, and returns the zone.
func (w Window) check() (*time.Location, error) {
	switch {
	case w.Days > AllDays:
		return nil, errors.New("a window has a day that no week has")
	case w.Start < 0 || w.Start >= 24*time.Hour || w.Start%time.Minute != 0:
		return nil, fmt.Errorf("a window starts at %v, not at a minute of the day", w.Start)
	case w.Duration < MinWindow || w.Duration > MaxWindow || w.Duration%time.Minute != 0:
		return nil, fmt.Errorf("a window lasts %v, not whole minutes from %s to %s", w.Duration, span(MinWindow), span(MaxWindow))
	case w.Zone == "Local":
		return nil, errors.New("the zone \"Local\" depends on the process: name one such as Europe/Berlin")
	}
	loc, err := time.LoadLocation(w.Zone)
	if err != nil {
		return nil, fmt.Errorf("zone %q is not known here: %w", w.Zone, err)
	}
	return loc, nil
}

// At returns the occurrence that is open at now, or else the next one. It is open
// from start on, and at end no more.
func (w Window) At(now time.Time) (start, end time.Time, err error) {
	loc, err := w.check()
	if err != nil {
		return time.Time{}, time.Time{}, err
	}
	days := w.Days
	if days == 0 {
		days = AllDays
	}
	y, m, d := now.In(loc).Date()
	// Two days back, since the gap of a zone that moves over the date line may push
	// a start of the day before yesterday; nine ahead, since it may swallow a day.
	for i := -2; i <= 9; i++ {
		if day := time.Date(y, m, d+i, 12, 0, 0, 0, time.UTC); !days.Has(day.Weekday()) {
			continue
		}
		start = onClock(y, m, d+i, w.Start, loc)
		if end = start.Add(w.Duration); end.After(now) {
			return start, end, nil
		}
	}
	return time.Time{}, time.Time{}, fmt.Errorf("window %s does not come within nine days of %v", w, now)
}

// onClock returns the first instant at which the clocks of loc show the time, or
// that comes after they jumped over it.
func onClock(y int, m time.Month, d int, clock time.Duration, loc *time.Location) time.Time {
	hour, minute := int(clock/time.Hour), int(clock%time.Hour/time.Minute)
	t := time.Date(y, m, d, hour, minute, 0, 0, loc)
	want := time.Date(y, m, d, hour, minute, 0, 0, time.UTC)
	from, until := t.ZoneBounds()
	switch shown := wall(t); {
	case shown.Before(want): // in a gap, and t is before it
		return until
	case shown.After(want): // in a gap, and t is behind it
		return from
	}
	if from.IsZero() {
		return t
	}
	_, offset := t.Zone()
	_, before := from.Add(-time.Second).Zone()
	if earlier := t.Add(time.Duration(offset-before) * time.Second); earlier.Before(from) && wall(earlier).Equal(want) {
		return earlier // the clocks were put back, and showed it before that too
	}
	return t
}

// wall returns what the clock shows, as if it were UTC, so that it can be compared.
func wall(t time.Time) time.Time {
	_, offset := t.Zone()
	return t.UTC().Add(time.Duration(offset) * time.Second)
}

// span writes whole minutes without the zeros of Duration.String: "4h", "1h30m".
func span(d time.Duration) string {
	d = d.Round(time.Minute)
	if d == 0 {
		return "0m"
	}
	s := strings.TrimSuffix(d.String(), "0s")
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
