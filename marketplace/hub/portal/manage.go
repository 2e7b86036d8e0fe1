package portal

import (
	"net/http"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

func (h *Handler) manageRoutes() {
	h.own("GET /publish/{namespace}/plugins/{name}", h.manage)
	h.own("POST /publish/{namespace}/plugins/{name}/rollout", h.rollout)
	h.own("POST /publish/{namespace}/plugins/{name}/yank", h.yank)
	h.own("POST /publish/{namespace}/plugins/{name}/unyank", h.unyank)
	h.own("POST /publish/{namespace}/plugins/{name}/deprecate", h.deprecate)
}

func managed(r *http.Request) string { return r.PathValue("namespace") + "/" + r.PathValue("name") }

type managedRelease struct {
	release
	Active, Yanked bool
}

type managePage struct {
	Plugin   hub.Plugin
	Title    string
	Releases []managedRelease
	May      bool // who asks may change it
	Link     string
}

// managedPlugin returns a plugin to the members of its publisher and the hub's staff.
func (h *Handler) managedPlugin(r *http.Request, a hub.Actor) (hub.Plugin, error) {
	id := managed(r)
	if a.May(hub.ActSubmissionRead, hub.Object{Publisher: r.PathValue("namespace"), Plugin: id}) != nil {
		return hub.Plugin{}, hub.ErrNotFound
	}
	return h.o.Publishing.Plugin(r.Context(), id)
}

func (h *Handler) manage(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	plugin, err := h.managedPlugin(r, a)
	if err != nil {
		return err
	}
	p := managePage{
		Plugin: plugin, Title: plugin.Name, Link: manageLink(plugin.ID),
		May: a.May(hub.ActReleaseEdit, hub.Object{Publisher: plugin.Publisher, Plugin: plugin.ID}) == nil,
	}
	if p.Title == "" {
		p.Title = plugin.ID
	}
	list, err := h.o.Publishing.Releases(r.Context(), plugin.ID)
	if err != nil {
		return err
	}
	for _, one := range list {
		p.Releases = append(p.Releases, managedRelease{release{one, releaseState(one)}, one.State == catalog.Active, one.State == catalog.Yanked})
	}
	return h.show(w, r, a, http.StatusOK, "publish", p.Title, "manage", p)
}

// releaseRev refuses a form about a release that was changed since.
func (h *Handler) releaseRev(r *http.Request) error {
	is, err := h.o.Publishing.Release(r.Context(), managed(r), r.PostFormValue("version"))
	if err != nil {
		return err
	}
	return formRev(r, is.Rev)
}

func (h *Handler) rollout(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	percent, err := formInt(r, "percent")
	if err != nil {
		return err
	}
	if err := h.releaseRev(r); err != nil {
		return err
	}
	id := managed(r)
	if _, err := h.o.Publishing.SetRollout(r.Context(), a, id, r.PostFormValue("version"), percent, r.PostFormValue("paused") == "1"); err != nil {
		return err
	}
	return done(w, r, manageLink(id), "saved")
}

func (h *Handler) yank(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := h.releaseRev(r); err != nil {
		return err
	}
	id := managed(r)
	if _, err := h.o.Publishing.Yank(r.Context(), a, id, r.PostFormValue("version"), formText(r, "reason")); err != nil {
		return err
	}
	return done(w, r, manageLink(id), "saved")
}

func (h *Handler) unyank(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := h.releaseRev(r); err != nil {
		return err
	}
	id := managed(r)
	if _, err := h.o.Publishing.Unyank(r.Context(), a, id, r.PostFormValue("version")); err != nil {
		return err
	}
	return done(w, r, manageLink(id), "restored")
}

func (h *Handler) deprecate(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	id := managed(r)
	if _, err := h.o.Publishing.Deprecate(r.Context(), a, id, formText(r, "text")); err != nil {
		return err
	}
	return done(w, r, manageLink(id), "saved")
}
