package portal

import (
	"errors"
	"net/http"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub"
)

func (h *Handler) panelRoutes() {
	h.own("GET /account/panels", h.panels)
	h.own("POST /account/panels/telemetry", h.panelTelemetry)
	h.own("POST /account/panels/unlink", h.panelUnlink)
	h.own("GET /link", h.linkPage)
	h.own("POST /link", h.link)
}

type panelsPage struct {
	Tabs []staffFilter
	List []hub.Panel
}

func (h *Handler) panels(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	list, err := h.o.Identity.Panels(r.Context(), a)
	if err != nil {
		return err
	}
	p := panelsPage{Tabs: accountTabs("/account/panels")}
	for _, one := range list {
		if one.Revoked.IsZero() {
			p.List = append(p.List, one)
		}
	}
	return h.show(w, r, a, http.StatusOK, "account", "Linked panels", "panels", p)
}

func (h *Handler) panelTelemetry(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := h.o.Identity.SetTelemetry(r.Context(), a, r.PostFormValue("id"), r.PostFormValue("on") == "1"); err != nil {
		return err
	}
	return done(w, r, "/account/panels", "saved")
}

func (h *Handler) panelUnlink(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := h.o.Identity.UnlinkPanel(r.Context(), a, r.PostFormValue("id")); err != nil {
		return err
	}
	return done(w, r, "/account/panels", "unlinked")
}

type linkPage struct {
	Code    string // as typed
	Wrong   bool   // no panel waits with it
	Waiting *hub.DeviceGrant
}

// linkPage shows the panel that waits with a code, so that its person sees name and
// address before they say yes (RFC 8628, 5.4: a code may come from somebody else).
func (h *Handler) linkPage(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	p := linkPage{Code: strings.TrimSpace(r.URL.Query().Get("code"))}
	if p.Code == "" {
		return h.show(w, r, a, http.StatusOK, "account", "Link a panel", "link", p)
	}
	waiting, err := h.o.Identity.DeviceByUserCode(r.Context(), a, p.Code)
	status := http.StatusOK
	switch {
	case errors.Is(err, hub.ErrNotFound):
		p.Wrong, status = true, http.StatusNotFound
	case err != nil:
		return err
	default:
		p.Waiting = &waiting
	}
	return h.show(w, r, a, status, "account", "Link a panel", "link", p)
}

func (h *Handler) link(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	code := r.PostFormValue("code")
	switch r.PostFormValue("do") {
	case "approve":
		if err := h.o.Identity.ApproveDevice(r.Context(), a, code); err != nil {
			return err
		}
		return done(w, r, "/account/panels", "linked")
	case "deny":
		if err := h.o.Identity.DenyDevice(r.Context(), a, code); err != nil {
			return err
		}
		return done(w, r, "/account/panels", "denied")
	}
	return hub.Invalid("do", "must be approve or deny")
}
