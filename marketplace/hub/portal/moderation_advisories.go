package portal

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/verify"
)

type advisoryQueue struct {
	Rows    []staffAdvisory
	Chips   []staffFilter
	All, Of string // "all" shows rescinded ones too; of a plugin
	May     bool
	Next    string
}

// staffAdvisory is an advisory in words.
type staffAdvisory struct {
	hub.Advisory
	Link, About string
	Means       string
}

// advisoryMeans says what an advisory has panels do.
func advisoryMeans(a catalog.Action) string {
	switch a {
	case catalog.ActionWarn:
		return "Panels say it."
	case catalog.ActionBlock:
		return "Panels install it no more."
	case catalog.ActionDisable:
		return "Panels stop running it."
	}
	return word(a)
}

func advisoryActions(chosen string) []staffOption {
	var out []staffOption
	for _, a := range []catalog.Action{catalog.ActionWarn, catalog.ActionBlock, catalog.ActionDisable} {
		out = append(out, staffOption{string(a), advisoryMeans(a), string(a) == chosen})
	}
	return out
}

func staffAdvisoryOf(v hub.Advisory) staffAdvisory {
	b, about := v.Body, ""
	switch {
	case b.Plugin != "" && len(b.Digests) > 0:
		about = "some releases of " + string(b.Plugin)
	case len(b.Digests) > 0:
		about = "some releases"
	case b.Plugin != "":
		about = strings.TrimSpace("plugin " + string(b.Plugin) + " " + b.Range)
	case b.Publisher != "":
		about = "publisher " + b.Publisher
	case b.Signer != "":
		about = "everything that a signer signed"
	}
	return staffAdvisory{v, "/moderation/advisories/" + url.PathEscape(v.ID), about, advisoryMeans(b.Action)}
}

func (h *Handler) modAdvisories(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	p := advisoryQueue{All: q.Get("show"), Of: strings.TrimSpace(q.Get("plugin")), May: a.May(hub.ActAdvisoryIssue, hub.Object{}) == nil}
	page, err := h.o.Community.Advisories(r.Context(), community.AdvisoryQuery{Plugin: p.Of, Active: p.All != "all", Cursor: q.Get("after")})
	if err != nil {
		return err
	}
	for _, v := range page.Items {
		p.Rows = append(p.Rows, staffAdvisoryOf(v))
	}
	p.Chips = []staffFilter{
		{Name: "In force", URL: withQuery("/moderation/advisories", "plugin", p.Of), Current: p.All != "all"},
		{Name: "Rescinded ones too", URL: withQuery("/moderation/advisories", "plugin", p.Of, "show", "all"), Current: p.All == "all"},
	}
	if page.Next != "" {
		p.Next = withQuery("/moderation/advisories", "plugin", p.Of, "show", p.All, "after", page.Next)
	}
	return h.moderation(w, r, a, "/moderation/advisories", "Advisories", "moderation-advisories", p)
}

func (h *Handler) modAdvisoryForm(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	return h.moderation(w, r, a, "/moderation/advisories", "Issue an advisory", "moderation-advisory-new", map[string]any{
		"Actions": advisoryActions(""), "Plugin": r.URL.Query().Get("plugin"),
	})
}

func (h *Handler) modAdvisoryIssue(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	body := catalog.Advisory{
		Action: catalog.Action(r.PostFormValue("action")), Title: formText(r, "title"), Detail: formText(r, "detail"), URL: formText(r, "url"),
		Plugin: catalog.PluginID(formText(r, "plugin")), Range: formText(r, "range"), FixedIn: formText(r, "fixedIn"),
		Publisher: formText(r, "publisher"), Signer: formText(r, "signer"),
	}
	for _, d := range strings.Fields(r.PostFormValue("digests")) {
		body.Digests = append(body.Digests, verify.Digest(d))
	}
	v, err := h.o.Community.IssueAdvisory(r.Context(), a, body)
	if err != nil {
		return err
	}
	return done(w, r, "/moderation/advisories/"+url.PathEscape(v.ID), "sent")
}

func (h *Handler) modAdvisory(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	v, err := h.o.Community.Advisory(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	may := v.Rescinded.IsZero() && a.May(hub.ActAdvisoryIssue, hub.Object{Publisher: v.Publisher, Plugin: v.Plugin}) == nil
	return h.moderation(w, r, a, "/moderation/advisories", v.Body.Title, "moderation-advisory", map[string]any{"A": staffAdvisoryOf(v), "May": may})
}

func (h *Handler) modAdvisoryRescind(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	v, err := h.o.Community.RescindAdvisory(r.Context(), a, r.PathValue("id"), formText(r, "text"))
	if err != nil {
		return err
	}
	return done(w, r, "/moderation/advisories/"+url.PathEscape(v.ID), "saved")
}
