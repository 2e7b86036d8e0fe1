package portal

import (
	"net/http"
	"net/url"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/insight"
)

func (h *Handler) hookRoutes() {
	h.own("GET /account/hooks", h.myHooks)
	h.own("GET /publish/{namespace}/hooks", h.publisherHooks)
	h.own("POST /hooks", h.hookCreate)
	h.own("GET /hooks/{id}", h.hook)
	h.own("POST /hooks/{id}", h.hookChange)
	h.own("POST /hooks/{id}/rotate", h.hookRotate)
	h.own("POST /hooks/{id}/delete", h.hookDelete)
	h.own("POST /hooks/{id}/redeliver", h.hookRedeliver)
}

// kindRow is an event that a webhook can be told of.
type kindRow struct {
	Kind   hub.EventKind
	Text   string
	Chosen bool
}

// kindRows are the events that a hook of a publisher, or of a person, can have.
func kindRows(publisher string, chosen []hub.EventKind) []kindRow {
	words := map[hub.EventKind]string{
		hub.EventReleasePublished: "A release is published", hub.EventReleaseYanked: "A release is kept from new installs",
		hub.EventReleaseWithdrawn: "A release is withdrawn", hub.EventAdvisoryIssued: "An advisory is issued",
		hub.EventAdvisoryRescinded: "An advisory is taken back", hub.EventSubmissionMoved: "A submission changes its state",
		hub.EventSubmissionComment: "A remark on a submission", hub.EventRatingAdded: "A new rating", hub.EventReportDecided: "A report is decided",
		hub.EventPublisherSuspended: "The publisher is suspended", hub.EventProofChanged: "A proof holds or is lost", hub.EventTransferChanged: "A hand-over goes on",
	}
	var out []kindRow
	for _, k := range hub.EventKinds() {
		if publisher == "" && !k.Public() {
			continue
		}
		row := kindRow{Kind: k, Text: words[k]}
		if row.Text == "" {
			row.Text = word(k)
		}
		for _, c := range chosen {
			row.Chosen = row.Chosen || c == k
		}
		out = append(out, row)
	}
	return out
}

type hooksPage struct {
	Title     string
	Tabs      []staffFilter
	Publisher string // empty: a person's own
	Owner     bool   // who asks may make some
	List      []hub.Hook
	Kinds     []kindRow
}

func (h *Handler) myHooks(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	p := hooksPage{Title: "Webhooks", Tabs: accountTabs("/account/hooks"), Owner: !a.Suspended, Kinds: kindRows("", nil)}
	if p.Owner { // who is suspended has none
		var err error
		if p.List, err = h.o.Insight.Hooks(r.Context(), a, ""); err != nil {
			return err
		}
	}
	return h.show(w, r, a, http.StatusOK, "account", p.Title, "hooks", p)
}

func (h *Handler) publisherHooks(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	in, err := h.inside(r, a, "/hooks")
	if err != nil {
		return err
	}
	p := hooksPage{Title: in.Publisher.Name, Tabs: in.Tabs, Publisher: in.Publisher.Namespace, Owner: in.Owner, Kinds: kindRows(in.Publisher.Namespace, nil)}
	if in.Owner { // others may not see them
		if p.List, err = h.o.Insight.Hooks(r.Context(), a, p.Publisher); err != nil {
			return err
		}
	}
	return h.show(w, r, a, http.StatusOK, "publish", "Webhooks of "+in.Publisher.Name, "hooks", p)
}

func formKinds(r *http.Request) ([]hub.EventKind, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	var out []hub.EventKind
	for _, k := range r.PostForm["kind"] {
		out = append(out, hub.EventKind(k))
	}
	return out, nil
}

func (h *Handler) hookCreate(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	kinds, err := formKinds(r)
	if err != nil {
		return err
	}
	made, err := h.o.Insight.CreateHook(r.Context(), a, insight.NewHook{Publisher: r.PostFormValue("publisher"), URL: formText(r, "url"), Kinds: kinds})
	if err != nil {
		return err
	}
	return h.showHook(w, r, a, made, made.Secret)
}

type deliveryRow struct {
	hub.Delivery
	Again bool // it can be sent once more
}

type hookPage struct {
	hub.Hook
	Kinds      []kindRow
	Secret     string // shown once
	Deliveries []deliveryRow
	Next       string
	Back       string
}

func (h *Handler) hook(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	one, err := h.o.Insight.Hook(r.Context(), a, r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.showHook(w, r, a, one, "")
}

func hookLink(id string) string { return "/hooks/" + url.PathEscape(id) }

func hooksLink(publisher string) string {
	if publisher == "" {
		return "/account/hooks"
	}
	return publishLink(publisher) + "/hooks"
}

func (h *Handler) showHook(w http.ResponseWriter, r *http.Request, a hub.Actor, one hub.Hook, secret string) error {
	list, err := h.o.Insight.Deliveries(r.Context(), a, one.ID, r.URL.Query().Get("after"), 0)
	if err != nil {
		return err
	}
	p := hookPage{Hook: one, Secret: secret, Kinds: kindRows(one.Publisher, one.Kinds), Back: hooksLink(one.Publisher)}
	for _, d := range list.Items {
		p.Deliveries = append(p.Deliveries, deliveryRow{d, one.Enabled && d.State != hub.DeliveryWaiting})
	}
	if list.Next != "" {
		p.Next = withQuery(hookLink(one.ID), "after", list.Next)
	}
	section := "publish"
	if one.Publisher == "" {
		section = "account"
	}
	return h.show(w, r, a, http.StatusOK, section, "Webhook", "hook", p)
}

func (h *Handler) hookChange(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	kinds, err := formKinds(r)
	if err != nil {
		return err
	}
	rev, err := formInt(r, "rev")
	if err != nil {
		return err
	}
	change := insight.HookChange{Kinds: kinds}
	if len(kinds) == 0 {
		return hub.Invalid("kind", "is missing: choose at least one event, or delete the webhook")
	}
	if at := formText(r, "url"); at != "" {
		change.URL = &at
	}
	on := r.PostFormValue("enabled") == "1"
	change.Enabled = &on
	id := r.PathValue("id")
	if _, err := h.o.Insight.UpdateHook(r.Context(), a, id, int64(rev), change); err != nil {
		return err
	}
	return done(w, r, hookLink(id), "saved")
}

func (h *Handler) hookRotate(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	one, err := h.o.Insight.RotateSecret(r.Context(), a, r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.showHook(w, r, a, one, one.Secret)
}

func (h *Handler) hookDelete(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	one, err := h.o.Insight.Hook(r.Context(), a, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := h.o.Insight.DeleteHook(r.Context(), a, one.ID); err != nil {
		return err
	}
	return done(w, r, hooksLink(one.Publisher), "removed")
}

func (h *Handler) hookRedeliver(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	d, err := h.o.Insight.Redeliver(r.Context(), a, r.PostFormValue("delivery"))
	if err != nil {
		return err
	}
	return done(w, r, hookLink(d.Hook), "retried")
}
