package portal

import (
	"net/http"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

type adminCategoriesPage struct {
	Rows []hub.Category
	Edit hub.Category // that the form shows; the zero one: a new one
}

func (h *Handler) adminCategories(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	list, err := h.o.Publishing.Categories(r.Context())
	if err != nil {
		return err
	}
	p := adminCategoriesPage{Rows: list}
	for _, c := range list {
		if c.Slug == r.URL.Query().Get("edit") {
			p.Edit = c
		}
	}
	return h.admin(w, r, a, "/admin/categories", "Categories", "admin-categories", p)
}

func (h *Handler) adminSetCategory(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	position, err := formInt(r, "position")
	if err != nil {
		return err
	}
	c := hub.Category{Slug: formText(r, "slug"), Name: formText(r, "name"), Summary: formText(r, "summary"), Position: position}
	if err := h.o.Publishing.SetCategory(r.Context(), a, c); err != nil {
		return err
	}
	return done(w, r, "/admin/categories", "saved")
}

func (h *Handler) adminRemoveCategory(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := h.o.Publishing.RemoveCategory(r.Context(), a, r.PathValue("slug")); err != nil {
		return err
	}
	return done(w, r, "/admin/categories", "removed")
}

type adminReservedPage struct {
	Rows []hub.Reserved
	Find string
	All  int
}

// maxReservedRows bounds the page; who looks for one of more searches.
const maxReservedRows = 200

func (h *Handler) adminReserved(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	list, err := h.o.Publishing.Reserved(r.Context())
	if err != nil {
		return err
	}
	p := adminReservedPage{Find: strings.ToLower(strings.TrimSpace(r.URL.Query().Get("find"))), All: len(list)}
	for _, one := range list {
		if strings.Contains(one.Name, p.Find) && len(p.Rows) < maxReservedRows {
			p.Rows = append(p.Rows, one)
		}
	}
	return h.admin(w, r, a, "/admin/reserved", "Reserved names", "admin-reserved", p)
}

func (h *Handler) adminReserve(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := h.o.Publishing.Reserve(r.Context(), a, strings.ToLower(formText(r, "name")), formText(r, "reason")); err != nil {
		return err
	}
	return done(w, r, "/admin/reserved", "added")
}

func (h *Handler) adminUnreserve(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := h.o.Publishing.Unreserve(r.Context(), a, r.PostFormValue("name")); err != nil {
		return err
	}
	return done(w, r, "/admin/reserved", "removed")
}

// featuredRow is a plugin that is or could be on the front page.
type featuredRow struct {
	hub.Plugin
	Link string
	Own  bool // of a publisher that who looks belongs to
}

type adminFeaturedPage struct {
	On    []featuredRow
	Found []featuredRow
	Find  string
	Next  string // of what is featured
}

func (h *Handler) adminFeatured(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	p := adminFeaturedPage{Find: strings.TrimSpace(q.Get("find"))}
	on, err := h.o.Publishing.Shelf(r.Context(), publishing.ShelfQuery{Featured: true, Cursor: q.Get("after")})
	if err != nil {
		return err
	}
	rows := func(list []hub.Plugin, featured bool) (out []featuredRow) {
		for _, one := range list {
			if one.Featured == featured {
				out = append(out, featuredRow{one, pluginLink(one.ID), a.Memberships[one.Publisher] != ""})
			}
		}
		return out
	}
	p.On = rows(on.Items, true)
	if on.Next != "" {
		p.Next = withQuery("/admin/featured", "after", on.Next)
	}
	if p.Find != "" {
		found, err := h.o.Publishing.Shelf(r.Context(), publishing.ShelfQuery{Find: p.Find, Limit: 50})
		if err != nil {
			return err
		}
		p.Found = rows(found.Items, false)
	}
	section, tabs := sharedTabs(a, "/admin/featured")
	return h.show(w, r, a, http.StatusOK, section, "Featured plugins", "admin-featured", map[string]any{"Tabs": tabs, "Page": p})
}

func (h *Handler) adminFeature(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if _, err := h.o.Publishing.Feature(r.Context(), a, r.PostFormValue("plugin"), r.PostFormValue("featured") == "1"); err != nil {
		return err
	}
	return done(w, r, "/admin/featured", "saved")
}
