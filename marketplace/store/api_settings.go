package store

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
)

// updatesSettingsJSON is the update policy for front ends. What a client cannot change is
// ignored when it is sent back.
type updatesSettingsJSON struct {
	Preset       string             `json:"preset"` // ask, security, nightly, weekend or custom; read only
	Mode         string             `json:"mode"`   // ask, security or auto
	MinAge       int64              `json:"minAge"` // seconds that a release has to be out
	Windows      []windowJSON       `json:"windows"`
	Data         bool               `json:"data"`
	RollbackData bool               `json:"rollbackData"`
	Prerelease   []catalog.PluginID `json:"prerelease"`
	Frozen       bool               `json:"frozen"`
	Soak         int64              `json:"soak"`          // seconds that an update is watched; read only
	Next         time.Time          `json:"next,omitzero"` // when updates may begin; read only
	Sentences    []string           `json:"sentences"`     // for people; read only
}

type windowJSON struct {
	Days []string `json:"days"` // mon, tue, ...
	From string   `json:"from"` // 02:00
	To   string   `json:"to"`   // 06:00; the same as from: a whole day
	Zone string   `json:"zone"` // Europe/Berlin; empty: UTC
}

func (h *shop) updatesSettingsOf() (updatesSettingsJSON, string) {
	state := h.m.UpdateState()
	u := h.updateSettings(state)
	p := u.Policy
	out := updatesSettingsJSON{
		Preset: u.Form.Preset, Mode: u.Form.Mode, MinAge: int64(minAge(p) / time.Second), Windows: []windowJSON{}, Data: p.Data, RollbackData: p.RollbackData,
		Prerelease: notNil(p.Prerelease), Frozen: state.Frozen, Soak: int64(update.SoakTime / time.Second), Next: u.Next, Sentences: u.Sentences,
	}
	if u.Form.Preset == custom {
		out.Preset = custom
	}
	for _, w := range p.Windows {
		j := windowJSON{Days: []string{}, From: clock(w.Start), To: clock(w.Start + w.Duration), Zone: w.Zone}
		for _, d := range week {
			if w.Days == 0 || w.Days.Has(d) {
				j.Days = append(j.Days, dayKeys[d])
			}
		}
		out.Windows = append(out.Windows, j)
	}
	return out, settingsTag(p, state.Frozen)
}

// policy reads what a client sent, by the rules of the form.
func (j updatesSettingsJSON) policy() (update.Policy, error) {
	p := update.Policy{MinAge: time.Duration(j.MinAge) * time.Second, Data: j.Data, RollbackData: j.RollbackData, Prerelease: j.Prerelease}
	switch j.Mode {
	case "ask":
	case string(update.ModeSecurity), string(update.ModeAuto):
		p.Mode = update.Mode(j.Mode)
	default:
		return p, fmt.Errorf("%w: mode is none of ask, security and auto", errRequest)
	}
	if j.MinAge < 0 || j.MinAge > int64(update.MaxMinAge/time.Second) {
		return p, fmt.Errorf("%w: minAge is not between 0 and %d seconds", errRequest, update.MaxMinAge/time.Second)
	}
	if j.MinAge == 0 {
		p.MinAge = update.NoMinAge
	}
	for i, in := range j.Windows {
		if i >= update.MaxWindows {
			return p, fmt.Errorf("%w: more than %d windows", errRequest, update.MaxWindows)
		}
		w := update.Window{Zone: zoneOf(in.Zone)}
		for _, day := range in.Days {
			n := -1
			for d, key := range dayKeys {
				if key == day {
					n = d
				}
			}
			if n < 0 {
				return p, fmt.Errorf("%w: window %d: %q is no day, mon to sun are", errRequest, i, oneLine(day, 20))
			}
			w.Days |= update.On(time.Weekday(n))
		}
		start, errFrom := parseClock(in.From)
		end, errTo := parseClock(in.To)
		if errFrom != nil || errTo != nil || w.Days == 0 {
			return p, fmt.Errorf("%w: window %d needs days, and from and to as 02:00", errRequest, i)
		}
		if w.Start, w.Duration = start, end-start; w.Duration <= 0 {
			w.Duration += 24 * time.Hour
		}
		p.Windows = append(p.Windows, w)
	}
	if err := p.Validate(); err != nil {
		return p, fmt.Errorf("%w: %w", errRequest, err)
	}
	return p, nil
}

func (h *shop) apiUpdatesSettings(w http.ResponseWriter, _ *http.Request, _ Actor) error {
	out, tag := h.updatesSettingsOf()
	w.Header().Set("ETag", `"`+tag+`"`)
	h.writeJSON(w, http.StatusOK, out)
	return nil
}

// apiSetUpdates replaces the update settings that If-Match names: who has not seen what is
// there does not overwrite it.
func (h *shop) apiSetUpdates(w http.ResponseWriter, r *http.Request, a Actor) error {
	match := r.Header.Get("If-Match")
	if match == "" {
		return errNoMatch
	}
	var in updatesSettingsJSON
	if err := readJSON(r, &in); err != nil {
		return err
	}
	p, err := in.policy()
	if err != nil {
		return err
	}
	if err := h.setUpdates(r, a, p, &in.Frozen, strings.Trim(match, `"`)); err != nil {
		return err
	}
	return h.apiUpdatesSettings(w, r, a)
}

type settingsJSON struct {
	Updates     updatesSettingsJSON `json:"updates"`
	Holds       []holdJSON          `json:"holds"`
	Sources     []sourceJSON        `json:"sources"`
	Permissions struct {
		Allowed []permissionJSON `json:"allowed"`
		Denied  []permissionJSON `json:"denied"`
	} `json:"permissions"`
	Actor actorJSON `json:"actor"`
}

type holdJSON struct {
	Plugin  catalog.PluginID `json:"plugin"`
	Version string           `json:"version,omitempty"` // only this one is held back
	Pin     bool             `json:"pin"`
	By      string           `json:"by"`
	At      time.Time        `json:"at"`
	Until   time.Time        `json:"until,omitzero"`
	Why     string           `json:"why,omitempty"`
}

type sourceJSON struct {
	catalogJSON
	Word    string    `json:"word"`
	Plugins int       `json:"plugins"`
	Synced  time.Time `json:"synced,omitzero"`
	Expires time.Time `json:"expires,omitzero"`
}

// actorJSON is who asks and what they may do.
type actorJSON struct {
	Name         string `json:"name"`
	View         bool   `json:"view"`
	Install      bool   `json:"install"`
	ApproveRisky bool   `json:"approveRisky"`
	Administer   bool   `json:"administer"`
}

func (h *shop) sourcesJSON() []sourceJSON {
	all, _ := h.catalogs()
	out := make([]sourceJSON, 0, len(all))
	for i, s := range h.sourceRows() {
		if i < len(all) {
			out = append(out, sourceJSON{all[i], s.Word, s.Plugins, s.Synced, s.Expires})
		}
	}
	return out
}

func (h *shop) apiSettings(w http.ResponseWriter, _ *http.Request, a Actor) error {
	c := h.settingsPage(a)
	out := settingsJSON{Holds: []holdJSON{}, Sources: h.sourcesJSON(), Actor: actorJSON(a)}
	out.Updates, _ = h.updatesSettingsOf()
	for _, x := range c.Holds {
		out.Holds = append(out.Holds, holdJSON{x.Plugin, x.Version, x.Pin, x.By, x.At, x.Until, x.Why})
	}
	list := func(rules []sandbox.Ruling) []permissionJSON {
		out := []permissionJSON{}
		for _, r := range rules {
			out = append(out, permissionJSON{Permission: string(r.Permission), Risk: r.Risk.String(), Verdict: r.Verdict.String(), Sentence: r.Sentence})
		}
		return out
	}
	out.Permissions.Allowed, out.Permissions.Denied = list(c.Allowed), list(c.Denied)
	h.writeJSON(w, http.StatusOK, out)
	return nil
}

func (h *shop) apiSync(w http.ResponseWriter, r *http.Request, _ Actor) error {
	if err := h.m.Sync(r.Context()); err != nil {
		return err
	}
	h.writeJSON(w, http.StatusOK, map[string]any{"sources": h.sourcesJSON()})
	return nil
}

// apiHold holds a plugin: {"until": "2026-06-01", "pin": true, "why": "..."}, all optional.
func (h *shop) apiHold(w http.ResponseWriter, r *http.Request, a Actor) error {
	id, err := pluginID(r)
	if err != nil {
		return err
	}
	var in struct {
		Until string `json:"until"`
		Pin   bool   `json:"pin"`
		Why   string `json:"why"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	v := map[string][]string{"until": {in.Until}, "why": {in.Why}}
	if in.Pin {
		v["pin"] = []string{"1"}
	}
	hold, form := h.readHold(v, a)
	if form.Wrong != "" {
		return fmt.Errorf("%w: until: %s", errRequest, form.Wrong)
	}
	if err := h.setHold(r, a, id, hold); err != nil {
		return err
	}
	h.writeJSON(w, http.StatusOK, holdJSON{id, hold.Version, hold.Pin, hold.By, hold.At, hold.Until, hold.Why})
	return nil
}

func (h *shop) apiUnhold(w http.ResponseWriter, r *http.Request, a Actor) error {
	id, err := pluginID(r)
	if err != nil {
		return err
	}
	if err := h.releaseHold(r, a, id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
