package store

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/update"
)

const maxWhy = 300 // bytes of the reason for a hold

// holdForm is a hold as somebody typed it, and what is wrong with it.
type holdForm struct {
	Plugin, Until, Why string
	Pin                bool
	Wrong              string // of Until
}

// hold keeps a plugin at its version.
func (h *shop) hold(w http.ResponseWriter, r *http.Request, a Actor) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	id, err := parsePlugin(r.PostForm.Get("plugin"))
	if err != nil {
		return err
	}
	hold, form := h.readHold(r.PostForm, a)
	if form.Wrong != "" {
		c := h.settingsPage(a)
		c.Hold = form
		h.showSettings(w, r, a, http.StatusUnprocessableEntity, c)
		return nil
	}
	if err := h.setHold(r, a, id, hold); err != nil {
		return err
	}
	http.Redirect(w, r, h.url(backTo(r)), http.StatusSeeOther)
	return nil
}

func (h *shop) readHold(v url.Values, a Actor) (update.Hold, holdForm) {
	now := h.o.Now()
	f := holdForm{Plugin: v.Get("plugin"), Until: oneLine(v.Get("until"), 40), Why: oneLine(v.Get("why"), maxWhy), Pin: v.Get("pin") != ""}
	hold := update.Hold{By: a.Name, At: now, Why: f.Why, Pin: f.Pin}
	if f.Until == "" {
		return hold, f
	}
	until, err := time.ParseInLocation(time.DateOnly, f.Until, now.Location())
	switch {
	case err != nil:
		f.Wrong = h.text.T("wrong.date")
	case !until.After(now):
		f.Wrong = h.text.T("wrong.past")
	}
	hold.Until = until
	return hold, f
}

// setHold holds a plugin and writes down who did it.
func (h *shop) setHold(r *http.Request, a Actor, id catalog.PluginID, hold update.Hold) error {
	if err := h.m.Hold(r.Context(), id, hold); err != nil {
		return err
	}
	h.o.Log.Info("plugin held", "plugin", string(id), "pin", hold.Pin, "until", hold.Until, "actor", a.Name)
	return nil
}

func (h *shop) unhold(w http.ResponseWriter, r *http.Request, a Actor) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	id, err := parsePlugin(r.PostForm.Get("plugin"))
	if err != nil {
		return err
	}
	if err := h.releaseHold(r, a, id); err != nil {
		return err
	}
	http.Redirect(w, r, h.url(backTo(r)), http.StatusSeeOther)
	return nil
}

func (h *shop) releaseHold(r *http.Request, a Actor, id catalog.PluginID) error {
	if err := h.m.Unhold(r.Context(), id); err != nil {
		return err
	}
	h.o.Log.Info("plugin held no more", "plugin", string(id), "actor", a.Name)
	return nil
}

// backTo is the page that a form came from: one of our own by name, never an address.
func backTo(r *http.Request) string {
	if r.PostForm.Get("back") == "updates" {
		return "updates"
	}
	return "settings"
}
