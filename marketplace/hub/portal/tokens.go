package portal

import (
	"net/http"
	"slices"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

func (h *Handler) tokenRoutes() {
	h.own("GET /account/tokens", h.tokens)
	h.own("POST /account/tokens", h.tokenCreate)
	h.own("POST /account/tokens/revoke", h.tokenRevoke)
}

// verbRow is something that a token can be good for.
type verbRow struct {
	Verb hub.Verb
	Text string
}

// verbsFor are what the actor's tokens can be good for: those of roles they have not are
// left out.
func verbsFor(a hub.Actor) []verbRow {
	rows := []verbRow{
		{hub.VerbRead, "Read what your account sees"},
		{hub.VerbPush, "Push packages, before they are submitted"},
		{hub.VerbSubmit, "Submit and withdraw submissions, and write remarks"},
		{hub.VerbRelease, "Change releases: roll out, pause, yank, deprecate; answer ratings"},
		{hub.VerbManage, "Change the publisher’s profile, proofs and webhooks"},
		{hub.VerbRate, "Rate, vote and report"},
	}
	if slices.Contains(a.Roles, hub.RoleReviewer) {
		rows = append(rows, verbRow{hub.VerbReview, "Review submissions"})
	}
	if slices.Contains(a.Roles, hub.RoleModerator) {
		rows = append(rows, verbRow{hub.VerbDecide, "Decide about reports and appeals"})
	}
	if slices.Contains(a.Roles, hub.RoleAdmin) {
		rows = append(rows, verbRow{hub.VerbAdmin, "Administrate what needs no fresh sign-in"})
	}
	return rows
}

type tokenRow struct {
	hub.Token
	State string
}

type tokensPage struct {
	Tabs   []staffFilter
	List   []tokenRow
	Verbs  []verbRow
	Owned  []string
	Lives  []staffOption
	Secret string // of the token just made, shown once
	Made   hub.Token
}

func (h *Handler) tokens(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	return h.showTokens(w, r, a, "", hub.Token{})
}

func (h *Handler) showTokens(w http.ResponseWriter, r *http.Request, a hub.Actor, secret string, made hub.Token) error {
	list, err := h.o.Identity.Tokens(r.Context(), a)
	if err != nil {
		return err
	}
	p := tokensPage{Tabs: accountTabs("/account/tokens"), Verbs: verbsFor(a), Secret: secret, Made: made}
	now := h.o.Env.Now()
	for _, t := range list {
		row := tokenRow{t, "active"}
		switch {
		case !t.Revoked.IsZero():
			row.State = "revoked"
		case !now.Before(t.Expires):
			row.State = "expired"
		}
		p.List = append(p.List, row)
	}
	for namespace := range a.Memberships {
		p.Owned = append(p.Owned, namespace)
	}
	slices.Sort(p.Owned)
	longest := h.o.Env.Policy().WithDefaults().TokenLife
	for _, o := range []struct {
		days int
		name string
	}{{7, "a week"}, {30, "30 days"}, {90, "90 days"}, {180, "half a year"}, {365, "a year"}} {
		if life := time.Duration(o.days) * 24 * time.Hour; life <= longest {
			p.Lives = append(p.Lives, staffOption{life.String(), o.name, o.days == 90})
		}
	}
	return h.show(w, r, a, http.StatusOK, "account", "Tokens", "tokens", p)
}

func (h *Handler) tokenCreate(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	life, err := time.ParseDuration(r.PostFormValue("life"))
	if r.PostFormValue("life") != "" && err != nil {
		return hub.Invalid("life", "must be one of those offered")
	}
	n := identity.NewToken{Name: formText(r, "name"), Publisher: formText(r, "publisher"), Plugin: formText(r, "plugin"), Life: life}
	if n.Plugin != "" && n.Publisher != "" {
		n.Plugin = n.Publisher + "/" + n.Plugin
	}
	for _, v := range r.PostForm["verb"] {
		n.Verbs = append(n.Verbs, hub.Verb(v))
	}
	raw, made, err := h.o.Identity.CreateToken(r.Context(), a, n)
	if err != nil {
		return err
	}
	return h.showTokens(w, r, a, raw, made)
}

func (h *Handler) tokenRevoke(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := h.o.Identity.RevokeToken(r.Context(), a, r.PostFormValue("id")); err != nil {
		return err
	}
	return done(w, r, "/account/tokens", "revoked")
}
