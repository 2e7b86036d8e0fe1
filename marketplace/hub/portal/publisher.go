package portal

import (
	"net/http"
	"net/url"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/insight"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

func (h *Handler) publisherRoutes() {
	h.page("GET /publishers/{namespace}", h.publisher)
	h.page("GET /advisories", h.advisories)
	h.page("GET /advisories/{id}", h.advisory)
}

func publisherLink(namespace string) string { return "/publishers/" + url.PathEscape(namespace) }

// signerRow is a signer as people see it.
type signerRow struct {
	hub.Signer
	Identity string // in words
	State    string
}

func signerRows(list []hub.Signer, now time.Time) []signerRow {
	var out []signerRow
	for _, s := range list {
		row := signerRow{Signer: s, Identity: signerWords(s.Catalog().Identity.ID()), State: "active"}
		switch {
		case !s.Revoked.IsZero():
			row.State = "revoked"
		case !s.Until.IsZero() && !now.Before(s.Until):
			row.State = "ended"
		case now.Before(s.From):
			row.State = "not yet"
		}
		out = append(out, row)
	}
	return out
}

type publisherPage struct {
	Publisher  hub.Publisher
	Proofs     []hub.Proof
	Signers    []signerRow
	Cards      []card
	Next       string
	Advisories []hub.Advisory
	Feed       string
	Member     bool
}

func (h *Handler) publisher(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ctx, name := r.Context(), r.PathValue("namespace")
	p := publisherPage{Feed: "/" + insight.FeedPath(insight.FeedPublisher, name)}
	var err error
	if p.Publisher, err = h.o.Publishing.Publisher(ctx, name); err != nil {
		return err
	}
	_, p.Member = a.Memberships[name]
	if p.Proofs, err = h.o.Publishing.Proofs(ctx, name); err != nil {
		return err
	}
	signers, err := h.o.Publishing.Signers(ctx, name)
	if err != nil {
		return err
	}
	p.Signers = signerRows(signers, h.o.Env.Now())
	if p.Cards, p.Next, err = h.shelfOf(ctx, publishing.ShelfQuery{Publisher: name, Cursor: r.URL.Query().Get("after")}); err != nil {
		return err
	}
	if p.Next != "" {
		p.Next = withQuery(publisherLink(name), "after", p.Next)
	}
	adv, err := h.o.Community.Advisories(ctx, community.AdvisoryQuery{Publisher: name, Active: true})
	if err != nil {
		return err
	}
	p.Advisories = adv.Items
	return h.show(w, r, a, http.StatusOK, "plugins", p.Publisher.Name, "publisher", p)
}

type advisoriesPage struct {
	List []hub.Advisory
	Next string
	Feed string
}

func (h *Handler) advisories(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	list, err := h.o.Community.Advisories(r.Context(), community.AdvisoryQuery{Cursor: r.URL.Query().Get("after")})
	if err != nil {
		return err
	}
	p := advisoriesPage{List: list.Items, Feed: "/" + insight.FeedPath(insight.FeedAdvisories, "")}
	if list.Next != "" {
		p.Next = withQuery("/advisories", "after", list.Next)
	}
	return h.show(w, r, a, http.StatusOK, "plugins", "Security advisories", "advisories", p)
}

func (h *Handler) advisory(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	adv, err := h.o.Community.Advisory(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return h.show(w, r, a, http.StatusOK, "plugins", adv.Body.Title, "advisory", adv)
}
