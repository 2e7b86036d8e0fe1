package main

import (
	"context"
	"net/http"

	"github.com/pocketbase/pocketbase/core"

	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/marketplace/store"
)

// embed
// cookieName keeps PocketBase's token for pages: its own sends a header, which only a script can.
const cookieName = "pb_souk"

type signedIn struct{} // the key of who asks, in a request's context

// embed mounts the store in PocketBase's router, for those who signed in to PocketBase.
func embed(se *core.ServeEvent, m *marketplace.Market) error {
	shop, err := store.New(m, store.Options{Actor: actor})
	se.Router.Any("/plugins/{path...}", func(e *core.RequestEvent) error {
		if c, err := e.Request.Cookie(cookieName); err == nil && e.Auth == nil {
			e.Auth, _ = e.App.FindAuthRecordByToken(c.Value, core.TokenTypeAuth) // bad or expired: nobody
		}
		shop.ServeHTTP(e.Response, e.Request.WithContext(context.WithValue(e.Request.Context(), signedIn{}, e.Auth)))
		return nil
	})
	return err
}

// actor lets superusers do all, and users look.
func actor(r *http.Request) (store.Actor, error) {
	auth, _ := r.Context().Value(signedIn{}).(*core.Record)
	if auth == nil {
		return store.Actor{}, store.ErrUnauthenticated
	}
	super := auth.IsSuperuser()
	return store.Actor{Name: auth.Email(), View: true, Install: super, ApproveRisky: super, Administer: super}, nil
}

// end

// remember gives the pages the token of who signs in, in a cookie that no script reads and
// no other site sends. PocketBase calls it before it asks for a second factor, so the cookie
// goes out with the answer that carries the token, and with no other.
func remember(e *core.RecordAuthRequestEvent) error {
	if e.AuthMethod != "" { // not a token that is renewed, or made for somebody else
		e.Response = answer{e.Response, &http.Cookie{Name: cookieName, Value: e.Token, Path: "/plugins/", HttpOnly: true, Secure: e.IsTLS(), SameSite: http.SameSiteStrictMode}}
	}
	return e.Next()
}

// answer sends a cookie along with success.
type answer struct {
	http.ResponseWriter
	cookie *http.Cookie
}

func (a answer) WriteHeader(status int) {
	if status == http.StatusOK {
		http.SetCookie(a.ResponseWriter, a.cookie)
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets PocketBase ask the writer below whether anything is written.
func (a answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
