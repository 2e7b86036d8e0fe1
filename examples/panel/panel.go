package main

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/marketplace/store"
)

//go:embed web
var web embed.FS

// panel is a small server panel with a life of its own: it has a layout, a
// navigation, users and a dashboard, and it gives the plugin store a place in them.
type panel struct {
	market  *marketplace.Market
	host    *host
	users   *users
	lab     *lab
	log     *slog.Logger
	pages   *template.Template
	version string // of the panel's own static files

	community store.Community // nil: there is no hub
	source    string          // of the plugins that it speaks about
}

func newPanel(m *marketplace.Market, h *host, u *users, l *lab, log *slog.Logger) (*panel, error) {
	pages, err := template.ParseFS(web, "web/*.html")
	if err != nil {
		return nil, err
	}
	return &panel{market: m, host: h, users: u, lab: l, log: log, pages: pages, version: strconv.FormatInt(time.Now().Unix(), 36)}, nil
}

// maxForm is the most bytes of a request, as much as the store takes.
const maxForm = 256 << 10

// handler mounts the panel's own pages and, at /plugins/, the store.
func (p *panel) handler() (http.Handler, error) {
	// embed
	shop, err := store.New(p.market, store.Options{
		BasePath: "/plugins/",
		Actor:    p.users.actor,
		Layout:   p.storePage,
		Now:      p.lab.now,
		Log:      p.log,

		Community:       p.community,
		CommunitySource: p.source,
	})
	if err != nil {
		return nil, err
	}
	// end
	static, err := fs.Sub(web, "web")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/plugins/", shop)
	mux.HandleFunc("GET /{$}", p.dashboard)
	mux.HandleFunc("GET /lab", p.labPage)
	mux.HandleFunc("POST /lab", p.adminOnly(p.lab.change))
	mux.HandleFunc("POST /user", p.users.change)
	mux.Handle("GET /static/", http.StripPrefix("/static/", http.FileServerFS(static)))
	mux.HandleFunc("GET /plugin-files/{publisher}/{name}/{file...}", p.host.serveFile)
	guarded := http.MaxBytesHandler(http.NewCrossOriginProtection().Handler(mux), maxForm)
	if p.users.loopback {
		guarded = loopbackOnly(guarded)
	}
	return guarded, nil
}

// loopbackOnly refuses names that are not this machine's own: a page elsewhere could
// point a name of its own at 127.0.0.1 and be the administrator here (DNS rebinding).
func loopbackOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !isLoopback(r.Host) {
			http.Error(w, fmt.Sprintf("This panel answers to localhost and 127.0.0.1 only, not to %q.", r.Host), http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (p *panel) adminOnly(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p.users.role(r) != roleAdmin {
			http.Error(w, "Only an administrator can do that.", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

type navItem struct {
	Href, Label, Icon string
	Here              bool
	Badge             string
}

func (p *panel) nav(path string) []navItem {
	items := []navItem{
		{Href: "/", Label: "Dashboard", Icon: "gauge", Here: path == "/"},
		{Href: "/plugins/", Label: "Plugins", Icon: "plug", Here: strings.HasPrefix(path, "/plugins/")},
		{Href: "/lab", Label: "Lab", Icon: "flask", Here: path == "/lab"},
	}
	if n := len(p.market.Installed()); n > 0 {
		items[1].Badge = strconv.Itoa(n)
	}
	return items
}

// page puts a body into the panel's shell.
func (p *panel) page(w http.ResponseWriter, r *http.Request, status int, title string, head, body template.HTML) {
	var out bytes.Buffer
	err := p.pages.ExecuteTemplate(&out, "layout", map[string]any{
		"Title": title, "Head": head, "Body": body, "Version": p.version, "Theme": p.host.theme(),
		"Host": p.host.facts().Hostname, "Role": p.users.role(r), "NeedsToken": !p.users.loopback,
		"Path": r.URL.Path, "Nav": p.nav(r.URL.Path),
	})
	if err != nil {
		p.log.Error("page", "path", r.URL.Path, "err", err)
		http.Error(w, "The page could not be made. The log says why.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	if h.Get("Content-Security-Policy") == "" {
		h.Set("Content-Security-Policy", store.ContentSecurityPolicy)
	}
	w.WriteHeader(status)
	if _, err := out.WriteTo(w); err != nil {
		p.log.Debug("page not sent", "err", err)
	}
}

// embed
// storePage is the store's Layout: its pages are pages of this panel.
func (p *panel) storePage(w http.ResponseWriter, r *http.Request, page store.Page) {
	p.page(w, r, page.Status, page.Title, page.Head, page.Body)
}

// end

func (p *panel) own(w http.ResponseWriter, r *http.Request, title, name string, data any) {
	var body bytes.Buffer
	if err := p.pages.ExecuteTemplate(&body, name, data); err != nil {
		p.log.Error("page", "path", r.URL.Path, "err", err)
		http.Error(w, "The page could not be made. The log says why.", http.StatusInternalServerError)
		return
	}
	p.page(w, r, http.StatusOK, title, "", template.HTML(body.String())) //nolint:gosec // made by html/template just above
}

func (p *panel) dashboard(w http.ResponseWriter, r *http.Request) {
	p.own(w, r, "Dashboard", "dashboard", map[string]any{
		"Facts": p.host.facts().list(), "Cards": p.host.cards(r.Context()),
	})
}

func (p *panel) labPage(w http.ResponseWriter, r *http.Request) {
	p.own(w, r, "Lab", "lab", map[string]any{
		"Switches": p.lab.switches(), "Tries": p.lab.tries(), "Admin": p.users.role(r) == roleAdmin,
	})
}
