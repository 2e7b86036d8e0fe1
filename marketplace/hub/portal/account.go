package portal

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

func (h *Handler) accountRoutes() {
	h.own("GET /account", h.account)
	h.own("POST /account", h.accountEdit)
	h.own("GET /account/export", h.export)
	h.own("GET /account/delete", h.deletePage)
	h.own("POST /account/delete", h.deleteAccount)
	h.securityRoutes()
	h.tokenRoutes()
	h.panelRoutes()
	h.noticeRoutes()
	h.appealRoutes()
	h.hookRoutes()
}

func accountTabs(current string) []staffFilter {
	return marked([]staffFilter{
		{Name: "Profile", URL: "/account"}, {Name: "Security", URL: "/account/security"}, {Name: "Tokens", URL: "/account/tokens"},
		{Name: "Panels", URL: "/account/panels"}, {Name: "Webhooks", URL: "/account/hooks"}, {Name: "Reports and ratings", URL: "/account/reports"},
		{Name: "Appeals", URL: "/appeals"},
	}, current)
}

type accountPage struct {
	Tabs []staffFilter
	identity.Profile
}

func (h *Handler) account(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	p, err := h.o.Identity.Profile(r.Context(), a)
	if err != nil {
		return err
	}
	return h.show(w, r, a, http.StatusOK, "account", "Your account", "account", accountPage{accountTabs("/account"), p})
}

func (h *Handler) accountEdit(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	rev, err := formInt(r, "rev")
	if err != nil {
		return err
	}
	if _, err := h.o.Identity.EditProfile(r.Context(), a, identity.ProfileEdit{
		Rev: int64(rev), Name: formText(r, "name"), Email: formText(r, "email"),
	}); err != nil {
		return err
	}
	return done(w, r, "/account", "saved")
}

func (h *Handler) export(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	b, err := h.o.Identity.Export(r.Context(), a)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Disposition", "attachment; filename=\"account.json\"")
	if _, err := w.Write(b); err != nil {
		h.o.Log.Debug("export not sent", "error", err) // the browser went away
	}
	return nil
}

type deletePage struct {
	Name  string
	Sole  []string // publishers that would lose their only owner
	Owner []string // publishers the person belongs to
}

func (h *Handler) deletePage(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	return h.showDelete(w, r, a, http.StatusOK, nil)
}

func (h *Handler) showDelete(w http.ResponseWriter, r *http.Request, a hub.Actor, status int, sole []string) error {
	p := deletePage{Name: a.Name, Sole: sole}
	for namespace := range a.Memberships {
		p.Owner = append(p.Owner, namespace)
	}
	slices.Sort(p.Owner)
	return h.show(w, r, a, status, "account", "Delete your account", "delete", p)
}

func (h *Handler) deleteAccount(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if typed := formText(r, "name"); typed != a.Name {
		return hub.Invalid("name", "is not %q: type your name as it stands there", a.Name)
	}
	err := h.o.Identity.Delete(r.Context(), a, identity.Deletion{Abandon: r.PostFormValue("abandon") == "1"})
	var sole *identity.SoleOwnerError
	if errors.As(err, &sole) {
		return h.showDelete(w, r, a, http.StatusConflict, sole.Publishers)
	}
	if err != nil {
		return fmt.Errorf("delete account: %w", err)
	}
	http.SetCookie(w, identity.ClearCookie(h.secure()))
	w.Header().Set("Clear-Site-Data", `"cache"`)
	return done(w, r, "/", "deleted")
}
