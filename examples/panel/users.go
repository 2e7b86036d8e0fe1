package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"

	"github.com/souk-dev/souk/marketplace/store"
)

// The roles of this panel. A real panel has its own users; what the store needs of
// them is the actor that users.actor returns.
const (
	roleAdmin  = "admin"
	roleViewer = "viewer"
)

const roleCookie = "quay_role"

// users knows who is who by a signed cookie. On a loopback address a first visit is
// the administrator; elsewhere it is a viewer, and becoming the administrator takes
// the token that stands in the terminal.
type users struct {
	loopback bool
	secret   []byte
	token    string
}

func newUsers(loopback bool) *users {
	u := &users{loopback: loopback, secret: make([]byte, 32), token: rand.Text()}
	rand.Read(u.secret) // never fails, by its documentation
	return u
}

func (u *users) sign(role string) string {
	mac := hmac.New(sha256.New, u.secret)
	mac.Write([]byte(role))
	return role + "." + hex.EncodeToString(mac.Sum(nil))
}

func (u *users) role(r *http.Request) string {
	if c, err := r.Cookie(roleCookie); err == nil {
		role, _, _ := strings.Cut(c.Value, ".")
		if hmac.Equal([]byte(u.sign(role)), []byte(c.Value)) {
			return role
		}
	}
	if u.loopback {
		return roleAdmin
	}
	return roleViewer
}

// actor is what the panel tells the store about a request.
func (u *users) actor(r *http.Request) (store.Actor, error) {
	switch u.role(r) {
	case roleAdmin:
		return store.Actor{Name: "admin", View: true, Install: true, ApproveRisky: true, Administer: true}, nil
	case roleViewer:
		return store.Actor{Name: "viewer", View: true}, nil
	}
	return store.Actor{}, errors.New("no such role")
}

// change serves the user switch of the page's head.
func (u *users) change(w http.ResponseWriter, r *http.Request) {
	role := r.PostFormValue("role")
	if role != roleAdmin && role != roleViewer {
		http.Error(w, "There is no such role here.", http.StatusBadRequest)
		return
	}
	if role == roleAdmin && !u.loopback && subtle.ConstantTimeCompare([]byte(r.PostFormValue("token")), []byte(u.token)) != 1 {
		http.Error(w, "To become the administrator, give the token that this program printed in its terminal.", http.StatusForbidden)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: roleCookie, Value: u.sign(role), Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	back := r.PostFormValue("back")
	if !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.Contains(back, `\`) {
		back = "/"
	}
	http.Redirect(w, r, back, http.StatusSeeOther)
}
