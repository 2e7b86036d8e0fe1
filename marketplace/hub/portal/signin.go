package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/signin"
)

// signinPage is what the page to sign in shows.
type signinPage struct {
	To        string // where to go afterwards
	Again     bool   // somebody who is signed in proves themselves again
	Providers []provider
	Passkeys  bool
	Error     string
}

type provider struct {
	Name string
	Link string // a link, not a form: the policy of pages lets no form lead elsewhere
}

func (h *Handler) signinRoutes() {
	h.page("GET /signin", h.signinPage)
	h.page("GET /signin/oidc/{n}", h.oidcBegin)
	h.page("GET /signin/oidc/{n}/callback", h.oidcFinish)
	h.page("POST /signout", h.signOut)
	h.own("GET /setup", h.setupPage)
	h.own("POST /setup", h.setup)
	if h.o.Passkeys != nil {
		h.passkeyRoutes()
	}
}

func (h *Handler) secure() bool { return h.o.BaseURL[:min(len(h.o.BaseURL), 8)] == "https://" }

func browser(r *http.Request) identity.Browser {
	return identity.Browser{UserAgent: r.UserAgent(), Session: edge.SessionOf(r.Context())}
}

func (h *Handler) signinPage(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	p := signinPage{To: signin.SafeReturn(q.Get("to")), Again: q.Get("again") == "1" && a.Account != "", Passkeys: h.o.Passkeys != nil}
	p.Error = map[string]string{
		"declined":    "You said no at the provider. Nothing happened.",
		"expired":     "That took too long. Begin again.",
		"refused":     "The provider's answer proves nothing. Begin again; if it happens once more, tell whoever runs this hub.",
		"unavailable": "The provider does not answer. Try again in a moment, or choose another way.",
		"other":       "That is another account than the one you are signed in with.",
		"closed":      "Nobody new can sign up here. Ask whoever runs this hub.",
	}[q.Get("error")]
	if a.Account != "" && !p.Again && p.Error == "" {
		http.Redirect(w, r, p.To, http.StatusSeeOther)
		return nil
	}
	for i, one := range h.o.Providers {
		p.Providers = append(p.Providers, provider{one.Name(), fmt.Sprintf("/signin/oidc/%d?%s", i, url.Values{"to": {p.To}}.Encode())})
	}
	return h.show(w, r, a, http.StatusOK, "", "Sign in", "signin", p)
}

// pendingCookie holds a sign-in that is under way at a provider.
func (h *Handler) pendingCookie(value string) *http.Cookie {
	c := &http.Cookie{
		Name: "souk_signin", Value: value, Path: "/", MaxAge: int(signin.MaxPending.Seconds()),
		HttpOnly: true, Secure: h.secure(), SameSite: http.SameSiteLaxMode,
	}
	if h.secure() {
		c.Name = "__Host-souk_signin"
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

func (h *Handler) providerOf(r *http.Request) (*signin.Provider, error) {
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(h.o.Providers) {
		return nil, hub.ErrNotFound
	}
	return h.o.Providers[n], nil
}

// signinError leads back to the page with a word of why.
func (h *Handler) signinError(w http.ResponseWriter, r *http.Request, err error) error {
	word := ""
	switch {
	case errors.Is(err, signin.ErrDeclined):
		word = "declined"
	case errors.Is(err, signin.ErrExpired):
		word = "expired"
	case errors.Is(err, signin.ErrRefused):
		word = "refused"
	case errors.Is(err, signin.ErrUnavailable):
		word = "unavailable"
	case errors.Is(err, hub.ErrForbidden) && edge.ActorOf(r.Context()).Account != "":
		word = "other"
	case errors.Is(err, hub.ErrForbidden):
		word = "closed"
	default:
		return err
	}
	h.o.Log.Info("sign-in did not work", "request", edge.RequestID(r.Context()), "why", word, "error", err)
	http.Redirect(w, r, "/signin?error="+word, http.StatusSeeOther)
	return nil
}

func (h *Handler) oidcBegin(w http.ResponseWriter, r *http.Request, _ hub.Actor) error {
	p, err := h.providerOf(r)
	if err != nil {
		return err
	}
	to, pending, err := p.Begin(r.Context(), signin.SafeReturn(r.URL.Query().Get("to")))
	if err != nil {
		return h.signinError(w, r, err)
	}
	http.SetCookie(w, h.pendingCookie(string(pending)))
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

func (h *Handler) oidcFinish(w http.ResponseWriter, r *http.Request, _ hub.Actor) error {
	p, err := h.providerOf(r)
	if err != nil {
		return err
	}
	var pending signin.Pending
	if c, err := r.Cookie(h.pendingCookie("x").Name); err == nil {
		pending = signin.Pending(c.Value)
	}
	http.SetCookie(w, h.pendingCookie(""))
	who, to, err := p.Finish(r.Context(), pending, r.URL.Query())
	if err != nil {
		return h.signinError(w, r, err)
	}
	ext := identity.ExternalIdentity{Issuer: who.Issuer, Subject: who.Subject, Name: who.Name, Email: who.Email, EmailVerified: who.EmailVerified}
	if a := edge.ActorOf(r.Context()); h.linkWanted(r, a, to) {
		if err := h.o.Identity.LinkIdentity(r.Context(), a, ext); err != nil {
			return err
		}
		return done(w, r, "/account/security", "added")
	}
	if err := h.enter(w, r, identity.Proof{Identity: ext}, func(ctx context.Context, from identity.Browser) (string, hub.Session, error) {
		return h.o.Identity.SignIn(ctx, ext, from)
	}); err != nil {
		return h.signinError(w, r, err)
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// enter makes the session of somebody who is signed in fresh, or signs somebody in.
func (h *Handler) enter(w http.ResponseWriter, r *http.Request, p identity.Proof, sign func(context.Context, identity.Browser) (string, hub.Session, error)) error {
	var cookie string
	var session hub.Session
	var err error
	if edge.ActorOf(r.Context()).Account != "" {
		cookie, session, err = h.o.Identity.Refresh(r.Context(), edge.SessionOf(r.Context()), p)
	} else {
		cookie, session, err = sign(r.Context(), browser(r))
	}
	if err != nil {
		return err
	}
	http.SetCookie(w, identity.Cookie(cookie, session, h.secure()))
	return nil
}

func (h *Handler) signOut(w http.ResponseWriter, r *http.Request, _ hub.Actor) error {
	if err := h.o.Identity.SignOut(r.Context(), edge.SessionOf(r.Context())); err != nil {
		return err
	}
	http.SetCookie(w, identity.ClearCookie(h.secure()))
	w.Header().Set("Clear-Site-Data", `"cache"`)
	return done(w, r, "/", "signedout")
}

func (h *Handler) setupPage(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	return h.show(w, r, a, http.StatusOK, "account", "Become the administrator", "setup", nil)
}

func (h *Handler) setup(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	if err := h.o.Identity.ClaimAdmin(r.Context(), a, r.PostFormValue("code")); err != nil {
		return err
	}
	return done(w, r, "/admin", "saved")
}
