package main

import (
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

// person is somebody of the demo whom one can sign in as.
type person struct {
	Key, Name string
	What      string // who they are
	Try       string
	Home      string // where they are led
}

func people() []person {
	return []person{
		{"publisher", "Olga acme", "owns the publisher acme", "See the numbers of Uptime, and what became of Disk report 1.1.0 and Charts 1.3.0.", "/publish"},
		{"northwind", "Olga northwind", "owns the publisher northwind, which proved nothing", "See what the scanner found in Alerts 1.1.0.", "/publish"},
		{"reviewer", "Rosa Reviewer", "reviews submissions", "Begin with the highest risk: a secret was packed. Disk report asks for more, so that it needs two of you.", "/review"},
		{"second", "Rick Reviewer", "reviews submissions too", "Be the second one to approve Disk report.", "/review"},
		{"moderator", "Mo Moderator", "decides about reports", "Two reports are open.", "/moderation"},
		{"admin", "Ada Admin", "is the administrator", "Look at policy, audit log and keys.", "/admin"},
		{"user", "Mira A.", "rates plugins", "Change what you think of one.", "/account"},
	}
}

// withDemo puts the demo's sign-in before a hub: whoever is at this machine can be any of
// the people who were made up. It is no part of a hub, whose accounts prove who they are.
func withDemo(hub http.Handler, town *hubtest.Town) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", hub)
	origin := http.NewCrossOriginProtection()
	mux.HandleFunc("GET /demo", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_ = page.Execute(w, people()) // the browser went away
	})
	mux.Handle("POST /demo/signin/{person}", origin.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, p := range people() {
			if p.Key != r.PathValue("person") {
				continue
			}
			in, err := town.Enrol(r.Context(), p.Name)
			if err != nil {
				http.Error(w, "signing in did not work: "+err.Error(), http.StatusInternalServerError)
				return
			}
			http.SetCookie(w, &http.Cookie{
				Name: identity.CookieName(false), Value: in.Cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
			})
			http.Redirect(w, r, p.Home, http.StatusSeeOther)
			return
		}
		http.Error(w, "There is nobody of that name.", http.StatusNotFound)
	})))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if (r.URL.Path == "/demo" || strings.HasPrefix(r.URL.Path, "/demo/")) && !here(r) {
			http.Error(w, "The demo's sign-in is for who sits at this machine.", http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// here reports whether a request comes from this machine, and was meant for it: a page of
// somebody else can point its own name at 127.0.0.1.
func here(r *http.Request) bool {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	name, err := netip.ParseAddr(strings.Trim(host, "[]"))
	if host != "localhost" && (err != nil || !name.IsLoopback()) {
		return false
	}
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && from.Addr().Unmap().IsLoopback()
}

var page = template.Must(template.New("demo").Parse(`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Demo</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
li { margin: 1rem 0; list-style: none } ul { padding: 0 } button { font: inherit; min-width: 12rem; padding: .4rem 1rem }
p { margin: .2rem 0 }
</style></head><body>
<h1>Look at the demo as somebody</h1>
<p>All people, plugins, ratings and numbers here are made up. This page is of the demo and of no real hub:
there people prove who they are, with a passkey or by their organisation.</p>
<ul>{{range .}}
<li><form method="post" action="/demo/signin/{{.Key}}"><button>{{.Name}}</button></form>
<p>{{.What}}. {{.Try}}</p></li>{{end}}
</ul>
<p><a href="/">The hub as anybody sees it</a></p>
</body></html>
`))
