package store

import (
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/update"
)

// policyForm is the update policy as somebody edits it: what they typed, and beside each
// field what is wrong with it.
type policyForm struct {
	Version    string // settingsTag of what the form was made from
	Preset     string
	Zone       string // of a preset with a window
	Mode       string
	MinAge     string // hours
	Windows    []windowForm
	Data, Back bool
	Prerelease string            // ids, one a line
	Wrong      map[string]string // by field: "zone", "preset", "mode", "minAge", "prerelease", "windows"
	Open       bool              // the own rules are shown
}

// windowForm is a maintenance window as it is edited. The last one of a form is empty: it
// is for one more.
type windowForm struct {
	N              int
	Days           []dayBox
	From, To, Zone string
	Field, Wrong   string // which field is wrong: "days", "from", "to", "zone", and why
	Spare          bool
}

type dayBox struct {
	Value, Name string
	On          bool
}

// formOf puts a policy into a form.
func (h *shop) formOf(p update.Policy, version string) policyForm {
	f := policyForm{Version: version, Mode: string(p.Mode), Data: p.Data, Back: p.RollbackData, Wrong: map[string]string{}}
	f.Preset, f.Zone = presetOf(p)
	f.Open = f.Preset == custom
	if p.Mode == update.ModeAsk {
		f.Mode = "ask"
	}
	f.MinAge = strconv.FormatFloat(minAge(p).Hours(), 'f', -1, 64)
	for _, w := range p.Windows {
		x := windowForm{From: clock(w.Start), To: clock(w.Start + w.Duration), Zone: w.Zone}
		x.Days = h.boxes(func(d time.Weekday) bool { return w.Days == 0 || w.Days.Has(d) })
		f.Windows = append(f.Windows, x)
	}
	ids := make([]string, 0, len(p.Prerelease))
	for _, id := range p.Prerelease {
		ids = append(ids, string(id))
	}
	f.Prerelease = strings.Join(ids, "\n")
	return h.spare(f)
}

// spare adds the row for one more window, and numbers all of them.
func (h *shop) spare(f policyForm) policyForm {
	zone := f.Zone
	if n := len(f.Windows); n > 0 {
		zone = f.Windows[n-1].Zone
	}
	if len(f.Windows) < update.MaxWindows {
		f.Windows = append(f.Windows, windowForm{Zone: zone, Spare: true, Days: h.boxes(func(time.Weekday) bool { return false })})
	}
	for i := range f.Windows {
		f.Windows[i].N = i + 1
	}
	return f
}

func (h *shop) boxes(on func(time.Weekday) bool) []dayBox {
	out := make([]dayBox, 0, len(week))
	for _, d := range week {
		out = append(out, dayBox{dayKeys[d], h.text.T("day." + dayKeys[d]), on(d)})
	}
	return out
}

// readPreset reads the form of the presets.
func (h *shop) readPreset(v url.Values, old update.Policy) (policyForm, update.Policy) {
	f := h.formOf(old, oneLine(v.Get("version"), 100))
	f.Preset, f.Zone, f.Open = v.Get("preset"), strings.TrimSpace(v.Get("zone")), false
	p, ok := preset(f.Preset, zoneOf(f.Zone), old)
	if !ok {
		f.Wrong["preset"] = h.text.T("wrong.preset")
		return f, old
	}
	if len(p.Windows) > 0 {
		if err := p.Windows[0].Validate(); err != nil {
			f.Wrong["zone"] = h.text.T("wrong.zone", oneLine(f.Zone, 60))
		}
	}
	return f, p
}

// readCustom reads the form of the own rules.
func (h *shop) readCustom(v url.Values) (policyForm, update.Policy) {
	f := policyForm{Version: oneLine(v.Get("version"), 100), Preset: custom, Mode: v.Get("mode"), MinAge: strings.TrimSpace(v.Get("minAge")), Prerelease: v.Get("prerelease"), Wrong: map[string]string{}, Open: true}
	f.Data, f.Back = v.Get("data") != "", v.Get("back") != ""
	p := update.Policy{Data: f.Data, RollbackData: f.Back}
	switch f.Mode {
	case "ask":
	case string(update.ModeSecurity), string(update.ModeAuto):
		p.Mode = update.Mode(f.Mode)
	default:
		f.Wrong["mode"] = h.text.T("wrong.mode")
	}
	age, err := parseHours(f.MinAge)
	if err != nil {
		f.Wrong["minAge"] = h.text.T("wrong.age", int(update.MaxMinAge.Hours()))
	}
	p.MinAge = age
	count, err := strconv.Atoi(v.Get("windows"))
	if err != nil || count < 0 || count > update.MaxWindows+1 {
		f.Wrong["windows"] = h.text.T("wrong.windows", update.MaxWindows)
		count = 0
	}
	for n := 1; n <= count; n++ {
		w, x, used := h.readWindow(v, n)
		if !used {
			continue
		}
		if x.Wrong != "" {
			f.Wrong["windows"] = h.text.T("wrong.window")
		}
		f.Windows, p.Windows = append(f.Windows, x), append(p.Windows, w)
	}
	for line := range strings.FieldsFuncSeq(f.Prerelease, func(r rune) bool { return r == '\n' || r == '\r' || r == ',' || r == ' ' }) {
		id, err := catalog.ParsePluginID(line)
		if err != nil {
			f.Wrong["prerelease"] = h.text.T("wrong.plugin", oneLine(line, 60))
			break
		}
		if !slices.Contains(p.Prerelease, id) {
			p.Prerelease = append(p.Prerelease, id)
		}
	}
	if len(f.Wrong) == 0 {
		if err := p.Validate(); err != nil { // what no field of ours is the reason of
			f.Wrong["windows"] = oneLine(err.Error(), maxCause)
		}
	}
	return h.spare(f), p
}

// parseHours reads a number of hours, which may have a fraction.
func parseHours(s string) (time.Duration, error) {
	n, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
	if err != nil || math.IsNaN(n) || n < 0 || n > update.MaxMinAge.Hours() {
		return 0, errors.New("not a number of hours")
	}
	if d := time.Duration(n * float64(time.Hour)).Round(time.Minute); d > 0 {
		return d, nil
	}
	return update.NoMinAge, nil
}

// readWindow reads the n-th window of the form; used is false for one that was left empty
// or is to go.
func (h *shop) readWindow(v url.Values, n int) (w update.Window, x windowForm, used bool) {
	key := func(s string) string { return fmt.Sprintf("w%d.%s", n, s) }
	x.From, x.To, x.Zone = strings.TrimSpace(v.Get(key("from"))), strings.TrimSpace(v.Get(key("to"))), strings.TrimSpace(v.Get(key("zone")))
	days := v[key("day")]
	x.Days = h.boxes(func(d time.Weekday) bool {
		on := slices.Contains(days, dayKeys[d])
		if on {
			w.Days |= update.On(d)
		}
		return on
	})
	if v.Get(key("gone")) != "" || x.From == "" && x.To == "" && w.Days == 0 {
		return w, x, false
	}
	w.Zone = zoneOf(x.Zone)
	start, errFrom := parseClock(x.From)
	end, errTo := parseClock(x.To)
	w.Start, w.Duration = start, end-start
	if w.Duration <= 0 { // past midnight, or the whole day
		w.Duration += 24 * time.Hour
	}
	switch {
	case w.Days == 0:
		x.Field, x.Wrong = "days", h.text.T("wrong.days")
	case errFrom != nil:
		x.Field, x.Wrong = "from", h.text.T("wrong.clock")
	case errTo != nil:
		x.Field, x.Wrong = "to", h.text.T("wrong.clock")
	case w.Duration < update.MinWindow:
		x.Field, x.Wrong = "to", h.text.T("wrong.short", h.span(update.MinWindow))
	case w.Validate() != nil:
		x.Field, x.Wrong = "zone", h.text.T("wrong.zone", oneLine(x.Zone, 60))
	}
	return w, x, true
}

// zoneOf is a time zone as a window names it: UTC has no name, as in its text form.
func zoneOf(s string) string {
	if s == "UTC" {
		return ""
	}
	return s
}

func parseClock(s string) (time.Duration, error) {
	t, err := time.Parse("15:04", s)
	if err != nil {
		return 0, err
	}
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute, nil
}
