package store

import (
	"fmt"
	"net/http"
	"time"

	"github.com/souk-dev/souk/update"
)

const maxWhy = 300 // bytes of the reason for a hold

func (h *shop) hold(w http.ResponseWriter, r *http.Request, a Actor) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	id, err := parsePlugin(r.PostForm.Get("plugin"))
	if err != nil {
		return err
	}
	hold := update.Hold{By: a.Name, At: h.o.Now(), Why: oneLine(r.PostForm.Get("why"), maxWhy), Pin: r.PostForm.Get("pin") != ""}
	if v := r.PostForm.Get("until"); v != "" {
		if hold.Until, err = time.ParseInLocation(time.DateOnly, v, h.o.Now().Location()); err != nil {
			return fmt.Errorf("%w: %q is not a date", errRequest, oneLine(v, 40))
		}
	}
	if err := h.m.Hold(r.Context(), id, hold); err != nil {
		return err
	}
	http.Redirect(w, r, h.url(backTo(r)), http.StatusSeeOther)
	return nil
}

func (h *shop) unhold(w http.ResponseWriter, r *http.Request, _ Actor) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	id, err := parsePlugin(r.PostForm.Get("plugin"))
	if err != nil {
		return err
	}
	if err := h.m.Unhold(r.Context(), id); err != nil {
		return err
	}
	http.Redirect(w, r, h.url(backTo(r)), http.StatusSeeOther)
	return nil
}

// backTo is the page that a form came from: one of our own by name, never an address.
func backTo(r *http.Request) string {
	if r.PostForm.Get("back") == "updates" {
		return "updates"
	}
	return "settings"
}
