package store

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
)

// errChanged means that the settings are not those any more that somebody set out to change.
var errChanged = errors.New("the settings were changed meanwhile")

type settingsPage struct {
	Sources   []sourceRow
	Allowed   []sandbox.Ruling
	Denied    []sandbox.Ruling
	State     update.State
	Updates   updateSettings
	Holds     []holdRow
	Hold      holdForm
	Free      []facet // installed plugins that are not held
	ReadOnly  bool
	MaySync   bool
	MayChange bool
	Saved     string          // what was saved just now, in words
	Problem   *problem        // of what was just tried
	Account   *accountSection // nil: there is no hub
}

// updateSettings is the update policy in force, and the form to change it.
type updateSettings struct {
	Policy    update.Policy
	Sentences []string
	Next      time.Time // when updates may begin, if any do by themselves; zero: never
	Presets   []facet
	Form      policyForm
	Wrong     []facet // what is wrong with the form: the field's name, where it is, and why
}

type sourceRow struct {
	Name, State, Word, Icon, Kind string
	Serial                        uint64
	Synced, Expires               time.Time
	Plugins                       int
	Problem                       *problem
}

type holdRow struct {
	Plugin catalog.PluginID
	Name   string
	Over   bool // its time is over, and it holds nothing back any more
	update.Hold
}

// saved are the things of which the address of the page may say that they were saved.
var saved = []string{"updates", "freeze", "hold", "sync"}

func (h *shop) settings(w http.ResponseWriter, r *http.Request, a Actor) error {
	c := h.settingsPage(a)
	if what := r.URL.Query().Get("saved"); slices.Contains(saved, what) {
		c.Saved = h.text.T("saved." + what)
	}
	h.showSettings(w, r, a, http.StatusOK, c)
	return nil
}

func (h *shop) showSettings(w http.ResponseWriter, r *http.Request, a Actor, status int, c settingsPage) {
	out := &page{Title: h.text.T("settings.title"), Nav: "settings", Content: c}
	if c.Account != nil && c.Account.State == LinkWaiting && status == http.StatusOK {
		out.Every = lookAgain
	}
	h.show(w, r, a, status, "settings", out)
}

// settingsPage works out the page as things are now.
func (h *shop) settingsPage(a Actor) settingsPage {
	c := settingsPage{ReadOnly: !a.Install, MaySync: a.Administer, MayChange: a.Administer, Account: h.accountOf(a)}
	c.Sources = h.sourceRows()
	policy := h.m.Policy()
	c.Allowed = h.allRuled(policy.Decide(policy.Allow, sandbox.Consent{}).Rulings)
	c.Denied = h.allRuled(policy.Decide(policy.Deny, sandbox.Consent{}).Rulings)
	c.State = h.m.UpdateState()
	c.Updates = h.updateSettings(c.State)
	installed := h.m.Installed()
	for _, p := range installed {
		if _, held := c.State.Holds[p.Plugin]; !held {
			c.Free = append(c.Free, facet{Value: string(p.Plugin), Name: h.nameOf(p.Plugin, p.Manifest)})
		}
	}
	for id, hold := range c.State.Holds {
		row := holdRow{Plugin: id, Name: string(id), Over: !hold.Active(h.o.Now()), Hold: hold}
		for _, p := range installed {
			if p.Plugin == id {
				row.Name = h.nameOf(id, p.Manifest)
			}
		}
		c.Holds = append(c.Holds, row)
	}
	slices.SortFunc(c.Holds, func(a, b holdRow) int { return compare(a.Plugin, b.Plugin) })
	return c
}

func (h *shop) sourceRows() (out []sourceRow) {
	for _, s := range h.m.Sources() {
		row := sourceRow{Name: s.Name, State: string(s.State), Serial: s.Serial, Synced: s.Synced, Expires: s.Expires, Plugins: s.Plugins}
		row.Kind, row.Icon = "warn", "triangle-alert"
		switch row.State {
		case sourceFresh:
			row.Kind, row.Icon = "ok", "circle-check"
		case sourceExpired, sourceError:
			row.Kind, row.Icon = "danger", "circle-x"
		}
		row.Word = h.text.T("source." + row.State)
		if s.Err != nil {
			p := h.explain(s.Err)
			row.Problem = &p
		}
		out = append(out, row)
	}
	return out
}

func (h *shop) updateSettings(s update.State) updateSettings {
	p := h.m.UpdatePolicy()
	u := updateSettings{Policy: p, Sentences: h.policySentences(p, s.Frozen), Form: h.formOf(p, settingsTag(p, s.Frozen))}
	for _, known := range presets {
		u.Presets = append(u.Presets, facet{Value: known.name, Name: h.text.T("preset." + known.name + ".name")})
	}
	if p.Mode != update.ModeAsk && !s.Frozen {
		if at, err := p.Begin(h.o.Now(), s.LastTook); err == nil { // a zone that is gone: the form says so when it is saved
			u.Next = at
		}
	}
	return u
}

// saveUpdates changes the update policy by one of the two forms.
func (h *shop) saveUpdates(w http.ResponseWriter, r *http.Request, a Actor) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	var f policyForm
	var p update.Policy
	if r.PostForm.Get("kind") == custom {
		f, p = h.readCustom(r.PostForm)
	} else {
		f, p = h.readPreset(r.PostForm, h.m.UpdatePolicy())
	}
	if len(f.Wrong) > 0 {
		h.showForm(w, r, a, f, http.StatusUnprocessableEntity, nil)
		return nil
	}
	err := h.setUpdates(r, a, p, nil, f.Version)
	if errors.Is(err, errChanged) { // what was typed stands, and saving again means it
		f.Version = settingsTag(h.m.UpdatePolicy(), h.m.UpdateState().Frozen)
		problem := h.explain(err)
		h.showForm(w, r, a, f, problem.Status, &problem)
		return nil
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, h.url("settings")+"?saved=updates", http.StatusSeeOther)
	return nil
}

// showForm shows the settings with what somebody typed, all of it.
func (h *shop) showForm(w http.ResponseWriter, r *http.Request, a Actor, f policyForm, status int, why *problem) {
	c := h.settingsPage(a)
	c.Updates.Form, c.Problem = f, why
	for _, field := range []struct{ name, label, at string }{
		{"preset", "preset.title", "souk-preset-ask"}, {"zone", "preset.zone", "souk-zone"}, {"mode", "own.mode", "souk-mode"},
		{"minAge", "own.age", "souk-age"}, {"windows", "own.windows", "souk-windows"}, {"prerelease", "own.prerelease", "souk-pre"},
	} {
		if why := f.Wrong[field.name]; why != "" {
			c.Updates.Wrong = append(c.Updates.Wrong, facet{Name: h.text.T(field.label), URL: "#" + field.at, Value: why})
		}
	}
	h.showSettings(w, r, a, status, c)
}

// setUpdates changes the policy, and whether updates are frozen when that is given, if
// they are still those that tag names, and writes down who did it.
func (h *shop) setUpdates(r *http.Request, a Actor, p update.Policy, frozen *bool, tag string) error {
	h.setting.Lock() // nobody changes them between the look and the change
	defer h.setting.Unlock()
	was, state := h.m.UpdatePolicy(), h.m.UpdateState()
	if settingsTag(was, state.Frozen) != tag {
		return errChanged
	}
	if settingsTag(was, state.Frozen) != settingsTag(p, state.Frozen) {
		if err := h.m.SetUpdatePolicy(r.Context(), p); err != nil {
			return err
		}
		h.o.Log.Info("update policy changed", "actor", a.Name, "from", was.String(), "to", p.String())
	}
	if frozen != nil && *frozen != state.Frozen {
		return h.setFrozen(r, a, *frozen)
	}
	return nil
}

func (h *shop) setFrozen(r *http.Request, a Actor, on bool) error {
	if err := h.m.Freeze(r.Context(), on); err != nil {
		return err
	}
	h.o.Log.Info("automatic updates", "frozen", on, "actor", a.Name)
	return nil
}

func (h *shop) freeze(w http.ResponseWriter, r *http.Request, a Actor) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	on := r.PostForm.Get("on")
	if on != "0" && on != "1" {
		return fmt.Errorf("%w: on is neither 0 nor 1", errRequest)
	}
	h.setting.Lock()
	err := h.setFrozen(r, a, on == "1")
	h.setting.Unlock()
	if err != nil {
		return err
	}
	http.Redirect(w, r, h.url(backTo(r))+"?saved=freeze", http.StatusSeeOther)
	return nil
}

// forgive lets a release that did not work here be tried again by itself.
func (h *shop) forgive(w http.ResponseWriter, r *http.Request, a Actor) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	if err := h.forget(r, a, r.PostForm.Get("digest")); err != nil {
		return err
	}
	http.Redirect(w, r, h.url("updates"), http.StatusSeeOther)
	return nil
}

func (h *shop) apiForgive(w http.ResponseWriter, r *http.Request, a Actor) error {
	if err := h.forget(r, a, r.PathValue("digest")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (h *shop) forget(r *http.Request, a Actor, digest string) error {
	for _, f := range h.m.UpdateState().Failures {
		if string(f.Digest) != digest {
			continue
		}
		if err := h.m.Forgive(r.Context(), f.Digest); err != nil {
			return err
		}
		h.o.Log.Info("release may be tried again", "release", f.Ref.String(), "actor", a.Name)
		return nil
	}
	return fmt.Errorf("release %.80q that did not work: %w", digest, catalog.ErrNotFound)
}

// sync fetches the catalogs. What did not come is shown with its source.
func (h *shop) sync(w http.ResponseWriter, r *http.Request, a Actor) error {
	err := h.m.Sync(r.Context())
	if err == nil {
		http.Redirect(w, r, h.url("settings")+"?saved=sync", http.StatusSeeOther)
		return nil
	}
	problem := h.explain(err)
	c := h.settingsPage(a)
	c.Problem = &problem
	h.showSettings(w, r, a, problem.Status, c)
	return nil
}
