package portal

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

func (h *Handler) securityRoutes() {
	h.own("GET /account/security", h.security)
	h.own("POST /account/security/passkeys/remove", h.passkeyRemove)
	h.own("POST /account/security/identities/remove", h.identityRemove)
	h.own("POST /account/security/identities/link", h.identityLink)
	h.own("POST /account/security/sessions/end", h.sessionEnd)
}

type securityPage struct {
	Tabs       []staffFilter
	Passkeys   []hub.Passkey
	Identities []identityRow
	Sessions   []identity.SessionInfo
	Providers  []provider
	CanPasskey bool
	Ways       int // to sign in
}

// identityRow is an identity with the name of its provider.
type identityRow struct {
	hub.Identity
	Provider string
}

func (h *Handler) security(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ctx := r.Context()
	p := securityPage{Tabs: accountTabs("/account/security"), CanPasskey: h.o.Passkeys != nil}
	var err error
	if p.Passkeys, err = h.o.Identity.PasskeysOf(ctx, a); err != nil {
		return err
	}
	identities, err := h.o.Identity.Identities(ctx, a)
	if err != nil {
		return err
	}
	for _, i := range identities {
		p.Identities = append(p.Identities, identityRow{i, strings.TrimPrefix(i.Issuer, "https://")})
	}
	if p.Sessions, err = h.o.Identity.Sessions(ctx, a, edge.SessionOf(ctx)); err != nil {
		return err
	}
	for i, one := range h.o.Providers {
		p.Providers = append(p.Providers, provider{one.Name(), fmt.Sprint(i)})
	}
	p.Ways = len(p.Passkeys) + len(p.Identities)
	return h.show(w, r, a, http.StatusOK, "account", "Security", "security", p)
}

func (h *Handler) passkeyRemove(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := h.o.Identity.RemovePasskey(r.Context(), a, r.PostFormValue("id")); err != nil {
		return err
	}
	return done(w, r, "/account/security", "removed")
}

func (h *Handler) identityRemove(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := h.o.Identity.UnlinkIdentity(r.Context(), a, r.PostFormValue("issuer"), r.PostFormValue("subject")); err != nil {
		return err
	}
	return done(w, r, "/account/security", "removed")
}

// linkParam names, in the address to come back to, the wish to link an identity. It is
// good once, and only for the account that had it: without it, coming back from a
// provider links nothing, whatever page led there.
const linkParam = "link"

func linkPurpose(account string) string { return "identity.link " + account }

// identityLink leads to a provider whose identity is to be added. A page with a link, as
// the policy of pages lets no form lead elsewhere.
func (h *Handler) identityLink(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	n, err := formInt(r, "provider")
	if err != nil {
		return err
	}
	if n < 0 || n >= len(h.o.Providers) {
		return hub.ErrNotFound
	}
	if !a.Fresh {
		return hub.ErrNotFresh
	}
	id, err := h.o.Identity.StartCeremony(r.Context(), linkPurpose(a.Account), "")
	if err != nil {
		return err
	}
	to := withQuery("/account/security", linkParam, id)
	p := provider{h.o.Providers[n].Name(), fmt.Sprintf("/signin/oidc/%d?%s", n, url.Values{"to": {to}}.Encode())}
	return h.show(w, r, a, http.StatusOK, "account", "Add a way to sign in", "security-link", p)
}

// linkWanted takes the wish to link an identity out of the address to come back to.
func (h *Handler) linkWanted(r *http.Request, a hub.Actor, to string) bool {
	u, err := url.Parse(to)
	if err != nil || u.Path != "/account/security" || a.Account == "" || u.Query().Get(linkParam) == "" {
		return false
	}
	_, err = h.o.Identity.TakeCeremony(r.Context(), linkPurpose(a.Account), u.Query().Get(linkParam))
	return err == nil
}

func (h *Handler) sessionEnd(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	var err error
	if id := r.PostFormValue("id"); id != "" {
		err = h.o.Identity.EndSession(r.Context(), a, id)
	} else {
		_, err = h.o.Identity.EndSessions(r.Context(), a, edge.SessionOf(r.Context()))
	}
	if err != nil {
		return err
	}
	return done(w, r, "/account/security", "ended")
}
