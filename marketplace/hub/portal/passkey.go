package portal

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/signin"
)

// Purposes of ceremonies. One that was begun for one thing is no good for another.
const (
	purposeLogin  = "passkey.login"
	purposeSignUp = "passkey.signup"
	purposeAdd    = "passkey.add " // and the account
)

// passkeyRoutes are spoken to by passkey.js.
func (h *Handler) passkeyRoutes() {
	h.script("POST /passkey/login/begin", h.loginBegin)
	h.script("POST /passkey/login/finish", h.loginFinish)
	h.script("POST /passkey/signup/begin", h.signUpBegin)
	h.script("POST /passkey/signup/finish", h.signUpFinish)
	h.script("POST /passkey/add/begin", h.addBegin)
	h.script("POST /passkey/add/finish", h.addFinish)
}

// script registers a route whose answers and errors are JSON.
func (h *Handler) script(pattern string, f func(w http.ResponseWriter, r *http.Request, a hub.Actor) (any, error)) {
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, signin.MaxResponse)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "application/json")
		out, err := f(w, r, edge.ActorOf(r.Context()))
		status := http.StatusOK
		if err != nil {
			p := h.explainPasskey(r.Context(), err)
			w.Header().Set("Content-Type", "application/problem+json")
			status, out = p.Status, map[string]any{"title": p.Title, "status": p.Status, "detail": p.Detail}
		}
		b, err := json.Marshal(out)
		if err != nil {
			h.o.Log.Error("answer does not encode", "error", err)
			status, b = http.StatusInternalServerError, []byte("{}")
		}
		w.WriteHeader(status)
		if _, err := w.Write(b); err != nil {
			h.o.Log.Debug("answer not sent", "error", err) // the browser went away
		}
	})
}

// explainPasskey adds the errors of a ceremony to those of pages.
func (h *Handler) explainPasskey(ctx context.Context, err error) problem {
	switch {
	case errors.Is(err, signin.ErrExpired):
		return problem{Status: http.StatusUnprocessableEntity, Title: "Too late", Detail: "That took too long. Begin again."}
	case errors.Is(err, signin.ErrCloneSuspected):
		return problem{Status: http.StatusForbidden, Title: "Suspicious", Detail: "This passkey may have been copied, so it was not accepted. Sign in another way, and remove it."}
	case errors.Is(err, signin.ErrUnknownPasskey):
		return problem{Status: http.StatusUnprocessableEntity, Title: "Unknown", Detail: "This passkey belongs to no account here. You can make a new account with it below."}
	case errors.Is(err, signin.ErrRefused):
		h.o.Log.Info("passkey refused", "request", edge.RequestID(ctx), "error", err)
		return problem{Status: http.StatusUnprocessableEntity, Title: "Refused", Detail: "That proves nothing. Begin again."}
	case errors.Is(err, hub.ErrForbidden) && !errors.Is(err, hub.ErrNotFresh):
		return problem{Status: http.StatusForbidden, Title: "Not allowed", Detail: "That is another account, or nobody new can sign up here."}
	case errors.Is(err, hub.ErrNotFresh):
		return problem{Status: http.StatusForbidden, Title: "Sign in again", Detail: "Sign in once more, then add the passkey."}
	}
	return h.explain(ctx, err)
}

// begin keeps a ceremony and asks the browser.
func (h *Handler) begin(ctx context.Context, purpose string, options json.RawMessage, c signin.Ceremony) (any, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	id, err := h.o.Identity.StartCeremony(ctx, purpose, string(data))
	if err != nil {
		return nil, err
	}
	return signin.Question{Ceremony: id, PublicKey: options}, nil
}

// answer reads what the browser answered, and takes the ceremony, which is good once.
func (h *Handler) answer(r *http.Request, purpose string) (signin.Answer, signin.Ceremony, error) {
	var c signin.Ceremony
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return signin.Answer{}, c, err
	}
	a, err := signin.ParseAnswer(body)
	if err != nil {
		return a, c, err
	}
	data, err := h.o.Identity.TakeCeremony(r.Context(), purpose, a.Ceremony)
	if errors.Is(err, hub.ErrNotFound) {
		return a, c, fmt.Errorf("%w: %w", signin.ErrExpired, err)
	}
	if err != nil {
		return a, c, err
	}
	return a, c, json.Unmarshal([]byte(data), &c)
}

func (h *Handler) loginBegin(_ http.ResponseWriter, r *http.Request, _ hub.Actor) (any, error) {
	options, c, err := h.o.Passkeys.BeginLogin()
	if err != nil {
		return nil, err
	}
	return h.begin(r.Context(), purposeLogin, options, c)
}

func (h *Handler) loginFinish(w http.ResponseWriter, r *http.Request, _ hub.Actor) (any, error) {
	a, c, err := h.answer(r, purposeLogin)
	if err != nil {
		return nil, err
	}
	var stored hub.Passkey
	used, err := h.o.Passkeys.FinishLogin(r.Context(), c, a.Credential, func(ctx context.Context, id []byte) (signin.Credential, error) {
		var cred signin.Credential
		var err error
		stored, err = h.o.Identity.PasskeyByID(ctx, base64.RawURLEncoding.EncodeToString(id))
		if errors.Is(err, hub.ErrNotFound) {
			return cred, signin.ErrUnknownPasskey
		}
		if err != nil {
			return cred, err
		}
		return cred, json.Unmarshal([]byte(stored.Data), &cred)
	})
	suspect := errors.Is(err, signin.ErrCloneSuspected)
	if err != nil && !suspect {
		return nil, err
	}
	data, merr := json.Marshal(used)
	if merr != nil {
		return nil, merr
	}
	use := identity.PasskeyUse{ID: stored.ID, Was: stored.Data, Data: string(data)}
	if suspect {
		return nil, errors.Join(err, h.o.Identity.SuspectPasskey(r.Context(), use))
	}
	err = h.enter(w, r, identity.Proof{Passkey: use}, func(ctx context.Context, from identity.Browser) (string, hub.Session, error) {
		return h.o.Identity.SignInPasskey(ctx, use, from)
	})
	return signin.Done{Location: signin.SafeReturn(a.Fields["to"])}, err
}

// handle returns a new handle for an account's passkeys.
func handle() ([]byte, error) {
	b := make([]byte, 32)
	_, err := rand.Read(b)
	return b, err
}

func (h *Handler) signUpBegin(_ http.ResponseWriter, r *http.Request, _ hub.Actor) (any, error) {
	if err := r.ParseForm(); err != nil {
		return nil, err
	}
	name := r.PostFormValue("name")
	if name == "" {
		return nil, hub.Invalid("name", "is missing: what shall we call you?")
	}
	id, err := handle()
	if err != nil {
		return nil, err
	}
	options, c, err := h.o.Passkeys.BeginRegistration(signin.PasskeyUser{Handle: id, Name: name}, nil)
	if err != nil {
		return nil, err
	}
	return h.begin(r.Context(), purposeSignUp, options, c)
}

func (h *Handler) signUpFinish(w http.ResponseWriter, r *http.Request, actor hub.Actor) (any, error) {
	if actor.Account != "" {
		return nil, fmt.Errorf("%w: sign out before you make another account", hub.ErrState)
	}
	a, key, err := h.made(r, purposeSignUp)
	if err != nil {
		return nil, err
	}
	cookie, session, err := h.o.Identity.SignUpPasskey(r.Context(), a.Fields["name"], key, browser(r))
	if err != nil {
		return nil, err
	}
	http.SetCookie(w, identity.Cookie(cookie, session, h.secure()))
	return signin.Done{Location: signin.SafeReturn(a.Fields["to"])}, nil
}

// made is the passkey that a registration has made.
func (h *Handler) made(r *http.Request, purpose string) (signin.Answer, hub.Passkey, error) {
	a, c, err := h.answer(r, purpose)
	if err != nil {
		return a, hub.Passkey{}, err
	}
	name := a.Fields["passkey"]
	if name == "" {
		name = "Passkey"
	}
	cred, err := h.o.Passkeys.FinishRegistration(c, a.Credential, name)
	if err != nil {
		return a, hub.Passkey{}, err
	}
	data, err := json.Marshal(cred)
	return a, hub.Passkey{ID: base64.RawURLEncoding.EncodeToString(cred.ID), Name: name, Data: string(data)}, err
}

func (h *Handler) addBegin(_ http.ResponseWriter, r *http.Request, actor hub.Actor) (any, error) {
	if actor.Account == "" {
		return nil, hub.ErrUnauthenticated
	}
	list, err := h.o.Identity.PasskeysOf(r.Context(), actor)
	if err != nil {
		return nil, err
	}
	user := signin.PasskeyUser{Name: actor.Name}
	var have []signin.Credential
	for _, p := range list {
		var c signin.Credential
		if err := json.Unmarshal([]byte(p.Data), &c); err != nil {
			return nil, fmt.Errorf("passkey %s: %w", p.Name, err)
		}
		have = append(have, c)
		user.Handle = c.Handle // one account, one handle
	}
	if user.Handle == nil {
		if user.Handle, err = handle(); err != nil {
			return nil, err
		}
	}
	options, c, err := h.o.Passkeys.BeginRegistration(user, have)
	if err != nil {
		return nil, err
	}
	return h.begin(r.Context(), purposeAdd+actor.Account, options, c)
}

func (h *Handler) addFinish(_ http.ResponseWriter, r *http.Request, actor hub.Actor) (any, error) {
	if actor.Account == "" {
		return nil, hub.ErrUnauthenticated
	}
	_, key, err := h.made(r, purposeAdd+actor.Account)
	if err != nil {
		return nil, err
	}
	_, err = h.o.Identity.AddPasskey(r.Context(), actor, key)
	return signin.Done{Location: "/account/security?done=added"}, err
}
