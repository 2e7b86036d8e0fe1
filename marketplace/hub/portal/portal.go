package portal

import (
	"context"
	"errors"
	"html/template"
	"log/slog"
	"net/http"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/insight"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/marketplace/ui"
)

// Options are what the portal is made of. Everything is required but Providers,
// Passkeys (one of which there must be), Name and Log.
type Options struct {
	Env        hub.Env
	Edge       *edge.Edge
	Identity   *identity.Service
	Publishing *publishing.Service
	Community  *community.Service
	Insight    *insight.Service
	// Providers are the OpenID Connect providers that people sign in with, in the order
	// they are shown; Passkeys lets them sign in without any.
	Providers []*signin.Provider
	Passkeys  *signin.Passkeys
	// Issuers are the CI systems whose jobs can publish; nil: none.
	Issuers *signin.Issuers
	// Name of the hub as people know it. Empty: "Plugin hub".
	Name string
	// BaseURL is how the hub is reached, without a path at its end; Registry how its
	// registry is, as a publisher writes it; Catalog the catalog's reference.
	BaseURL, Registry, Catalog string
	// Demo marks every page: what is seen was made up.
	Demo bool
	Log  *slog.Logger // nil: nothing is logged
}

// Handler is the portal. It is safe for concurrent use.
type Handler struct {
	o      Options
	text   *ui.Messages
	assets *ui.Assets
	files  map[string]file
	pages  *template.Template
	mux    *http.ServeMux
	serve  http.Handler

	figures figures
}

// New returns the portal.
func New(o Options) (*Handler, error) {
	if o.Edge == nil || o.Identity == nil || o.Publishing == nil || o.Community == nil || o.Insight == nil || o.Env.Store == nil {
		return nil, errors.New("portal: store, edge and all services are needed")
	}
	if len(o.Providers) == 0 && o.Passkeys == nil {
		return nil, errors.New("portal: nobody could sign in: name a provider, or allow passkeys")
	}
	o.Env = o.Env.WithDefaults()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Name == "" {
		o.Name = "Plugin hub"
	}
	h := &Handler{o: o, mux: http.NewServeMux()}
	var err error
	if h.text, err = ui.NewMessages("en"); err != nil {
		return nil, err
	}
	if h.assets, err = ui.NewAssets("/assets/"); err != nil {
		return nil, err
	}
	if h.files, err = ownFiles(); err != nil {
		return nil, err
	}
	if h.pages, err = h.parse(); err != nil {
		return nil, err
	}
	h.mux.HandleFunc("GET /assets/", h.asset)
	h.routes()
	h.page("GET /", func(http.ResponseWriter, *http.Request, hub.Actor) error { return hub.ErrNotFound })
	h.serve = o.Edge.Wrap(h.mux, h.refuse)
	return h, nil
}

// ServeHTTP answers requests for pages.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve.ServeHTTP(w, r) }

// maxForm is the most bytes of a form: release notes and texts of some 64 kB, with room.
const maxForm = 256 << 10

// action answers a request of somebody. Its error becomes a page.
type action func(w http.ResponseWriter, r *http.Request, a hub.Actor) error

// page registers a route that anybody may ask.
func (h *Handler) page(pattern string, f action) {
	h.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		a := edge.ActorOf(r.Context())
		if r.Body != nil {
			r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		}
		err := readForm(r)
		if err == nil {
			err = f(w, r, a)
		}
		if err != nil {
			h.fail(w, r, a, err)
		}
	})
}

// readForm reads the form of a POST: what is too large or broken is said, and not taken
// for an empty one.
func readForm(r *http.Request) error {
	if r.Method != http.MethodPost {
		return nil
	}
	err := r.ParseForm()
	var large *http.MaxBytesError
	if err == nil || errors.As(err, &large) {
		return err
	}
	return hub.Invalid("", "the form could not be read: open the page and send it again")
}

// own registers a route for people who are signed in; others are sent to sign in first.
func (h *Handler) own(pattern string, f action) {
	h.page(pattern, func(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
		if a.Account == "" {
			return hub.ErrUnauthenticated
		}
		return f(w, r, a)
	})
}

// nav is the state of what stands around every page.
type nav struct {
	Reviewer, Moderator, Admin bool
	Unread                     int
}

func (h *Handler) navOf(ctx context.Context, a hub.Actor) nav {
	n := nav{
		Reviewer:  a.May(hub.ActReviewQueue, hub.Object{}) == nil,
		Moderator: a.May(hub.ActReportQueue, hub.Object{}) == nil,
		Admin:     a.May(hub.ActSystemRead, hub.Object{}) == nil,
	}
	if a.Account != "" {
		unread, err := h.o.Identity.UnreadCount(ctx, a)
		if err != nil {
			h.o.Log.Warn("unread notices", "error", err) // the number is missing, the page is not
		}
		n.Unread = unread
	}
	return n
}
