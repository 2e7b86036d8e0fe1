package portal

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// What the pages of reviewers, moderators and administrators share.

// staffNames are names of accounts by id.
type staffNames map[string]string

// Name returns what an account is called. No account is the hub itself.
func (p staffNames) Name(id string) string {
	if id == "" {
		return "the hub"
	}
	if name := p[id]; name != "" {
		return name
	}
	return "somebody who is not known here"
}

// peopleOf looks up names; empty ids and doubles are left out.
func (h *Handler) peopleOf(ctx context.Context, ids ...string) (staffNames, error) {
	seen := make(map[string]bool, len(ids))
	var ask []string
	for _, id := range ids {
		if id != "" && !seen[id] && len(ask) < hub.MaxList {
			seen[id] = true
			ask = append(ask, id)
		}
	}
	names, err := h.o.Identity.Names(ctx, ask)
	return names, err
}

// staffOnly is an action for who may do one thing at least; nothing is read before.
func (h *Handler) staff(pattern string, act hub.Action, f action) {
	h.own(pattern, func(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
		if err := a.May(act, hub.Object{}); err != nil {
			return err
		}
		return f(w, r, a)
	})
}

// staffForm is staff for a POST, whose form is read.
func (h *Handler) staffForm(pattern string, act hub.Action, f action) {
	h.staff(pattern, act, func(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
		if err := r.ParseForm(); err != nil {
			return err
		}
		return f(w, r, a)
	})
}

// formText reads a field with the line ends that people's texts are kept with.
func formText(r *http.Request, field string) string {
	return strings.TrimSpace(strings.ReplaceAll(r.PostFormValue(field), "\r\n", "\n"))
}

// formInt reads a number that a person typed; an empty field is zero.
func formInt(r *http.Request, field string) (int, error) {
	s := strings.TrimSpace(r.PostFormValue(field))
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, hub.Invalid(field, "must be a whole number")
	}
	return n, nil
}

// formRev reads the revision that a form was made for, and refuses one of another.
func formRev(r *http.Request, is int64) error {
	rev, err := strconv.ParseInt(r.PostFormValue("rev"), 10, 64)
	if err != nil {
		return hub.Invalid("rev", "is missing: open the page again")
	}
	if rev != is {
		return hub.ErrMoved
	}
	return nil
}

// staffFilter is a choice above a list that leads to an address.
type staffFilter struct {
	Name, URL string
	N         string // how many; empty: not said
	Current   bool
}

// withQuery returns the path with some values of a query; empty ones are left out.
func withQuery(path string, pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			q.Set(pairs[i], pairs[i+1])
		}
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// staffOption is one of a select.
type staffOption struct {
	Value, Name string
	Chosen      bool
}

// optionsOf writes values as options; the first is for any.
func optionsOf[T ~string](any string, chosen string, values []T) []staffOption {
	var out []staffOption
	if any != "" {
		out = append(out, staffOption{"", any, chosen == ""})
	}
	for _, v := range values {
		out = append(out, staffOption{string(v), word(v), string(v) == chosen})
	}
	return out
}

// pluginLink, publisherLink and the like are where people read about a thing.
func pluginLink(id string) string {
	p := catalog.PluginID(id)
	return "/plugins/" + url.PathEscape(p.Publisher()) + "/" + url.PathEscape(p.Name())
}

// tabsOf are the areas of a section. Who lacks a role does not see what is not theirs.
func moderationTabs(current string, admin bool) []staffFilter {
	tabs := []staffFilter{
		{Name: "Reports", URL: "/moderation"}, {Name: "Held ratings", URL: "/moderation/held"}, {Name: "Appeals", URL: "/moderation/appeals"},
		{Name: "Advisories", URL: "/moderation/advisories"}, {Name: "Decisions", URL: "/moderation/decisions"},
	}
	if !admin { // administrators find these among their own
		tabs = append(tabs, staffFilter{Name: "People", URL: "/admin/users"}, staffFilter{Name: "Featured", URL: "/admin/featured"})
	}
	return marked(tabs, current)
}

func adminTabs(current string) []staffFilter {
	return marked([]staffFilter{
		{Name: "System", URL: "/admin"}, {Name: "People", URL: "/admin/users"}, {Name: "Policy", URL: "/admin/policy"},
		{Name: "Categories", URL: "/admin/categories"}, {Name: "Reserved names", URL: "/admin/reserved"},
		{Name: "Featured", URL: "/admin/featured"}, {Name: "Audit log", URL: "/admin/audit"},
	}, current)
}

func marked(tabs []staffFilter, current string) []staffFilter {
	for i := range tabs {
		tabs[i].Current = tabs[i].URL == current
	}
	return tabs
}

// sharedTabs are for pages that moderators and administrators have in common.
func sharedTabs(a hub.Actor, current string) (section string, tabs []staffFilter) {
	if a.May(hub.ActSystemRead, hub.Object{}) == nil {
		return "admin", adminTabs(current)
	}
	return "moderation", moderationTabs(current, false)
}
