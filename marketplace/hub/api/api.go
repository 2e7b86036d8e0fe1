package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"path"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/insight"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/verify"
)

// maxBody is the most bytes of a request: release notes, texts and evidence of some
// 64 kB, with room.
const maxBody = 256 << 10

// Options are what the interface is made of. The services and Edge are required.
type Options struct {
	Env        hub.Env
	Edge       *edge.Edge
	Identity   *identity.Service
	Publishing *publishing.Service
	Community  *community.Service
	Insight    *insight.Service
	// Issuers are whose CI tokens are exchanged; nil: none.
	Issuers *signin.Issuers
	// BaseURL is how the hub is reached; Registry how its registry is, as a publisher
	// writes it ("hub.example.org/plugins"); Catalog the catalog's reference.
	BaseURL, Registry, Catalog string
	Name                       string          // of the hub
	Reviewer                   verify.Identity // who signs the attestations of reviews
	Log                        *slog.Logger    // nil: nothing is logged
}

// Handler is the interface. It is safe for concurrent use.
type Handler struct {
	o     Options
	api   huma.API
	serve http.Handler
}

// New returns the interface.
func New(o Options) (*Handler, error) {
	if o.Edge == nil || o.Identity == nil || o.Publishing == nil || o.Community == nil || o.Insight == nil || o.Env.Store == nil {
		return nil, errors.New("api: store, edge and all services are needed")
	}
	o.Env = o.Env.WithDefaults()
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	h := &Handler{o: o}
	mux := http.NewServeMux()
	h.api = humago.New(mux, configuration(o.BaseURL))
	h.adminRoutes()
	h.accountRoutes()
	h.publisherRoutes()
	h.submissionRoutes()
	h.pluginRoutes()
	h.communityRoutes()
	h.insightRoutes()
	h.oauthRoutes(mux)
	mux.HandleFunc("GET /feeds/{file}", h.feed)
	mux.HandleFunc("GET /feeds/publishers/{file}", h.feed)
	mux.HandleFunc("GET /feeds/plugins/{publisher}/{file}", h.feed)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		h.fail(w, r, hub.ErrNotFound)
	})
	h.serve = o.Edge.Wrap(h.idempotent(conditional(h.methods(mux))), h.fail)
	return h, nil
}

// ServeHTTP answers requests below /api/ and /feeds/.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.serve.ServeHTTP(w, r) }

// Document returns the OpenAPI document.
func (h *Handler) Document() ([]byte, error) { return h.api.OpenAPI().MarshalJSON() }

// methods answers a known path with a method it does not have as a problem too.
func (h *Handler) methods(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern == "/" {
			var allowed []string
			for _, m := range []string{"GET", "POST", "PUT", "PATCH", "DELETE"} {
				other := r.Clone(r.Context())
				other.Method = m
				if _, p := mux.Handler(other); p != "/" {
					allowed = append(allowed, m)
				}
			}
			if len(allowed) > 0 {
				w.Header().Set("Allow", strings.Join(allowed, ", "))
				h.problemMethod(w, r)
				return
			}
		}
		mux.ServeHTTP(w, r)
	})
}

func (h *Handler) problemMethod(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(http.StatusMethodNotAllowed)
	w.Write([]byte(`{"type":"` + problemType + `method","title":"This address has other methods","status":405,"instance":"urn:souk:request:` + edge.RequestID(r.Context()) + `"}` + "\n")) //nolint:errcheck // the client has gone
}

func configuration(base string) huma.Config {
	c := huma.DefaultConfig("Souk hub", "1")
	c.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	c.Info.Description = "Publishing, review, ratings, moderation and numbers of a plugin marketplace."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.Servers = []*huma.Server{{URL: base}}
	c.OpenAPIPath = "/api/v1/openapi"
	c.DocsPath, c.SchemasPath = "", ""
	c.CreateHooks = nil // no $schema in answers
	c.Transformers = []huma.Transformer{complete}
	c.RejectUnknownQueryParameters = true
	c.NoFormatFallback = false
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "An API, CI or panel token."},
		"session": {Type: "apiKey", In: "cookie", Name: identity.CookieName(strings.HasPrefix(base, "https://")), Description: "The portal's session."},
	}
	return c
}

// schemaName names a type in the document: those of package hub and of this one by their
// names, all others with their package before it, so that no two are one.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	switch pkg := path.Base(t.PkgPath()); pkg {
	case "hub", "api", ".":
		return name
	default:
		return strings.ToUpper(pkg[:1]) + pkg[1:] + name
	}
}

// op describes an operation.
type op struct {
	method, path string // path below /api/v1
	id           string
	summary      string
	tag          string
	status       int    // of success; 0: 200, or 204 without a body
	public       bool   // nobody has to be signed in
	media        string // of the answer; empty: JSON
}

// none is an answer without a body.
type none struct{}

// reply is an answer with a body.
type reply[T any] struct {
	Body T
}

// secret is a reply with something that is shown once, and kept by nobody on the way.
type secret[T any] struct {
	CacheControl string `header:"Cache-Control"`
	Body         T
}

// shownOnce makes a reply with a secret of what a service returned.
func shownOnce[T any](v T, err error) (*secret[T], error) {
	if err != nil {
		return nil, err
	}
	return &secret[T]{CacheControl: "no-store", Body: v}, nil
}

// body makes a reply of what a service returned.
func body[T any](v T, err error) (*reply[T], error) {
	if err != nil {
		return nil, err
	}
	return &reply[T]{v}, nil
}

// empty makes a reply without a body of what a service returned.
func empty(err error) (*none, error) {
	if err != nil {
		return nil, err
	}
	return &none{}, nil
}

// notNil makes an empty list of none, so that it is [] and not null.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// signedIn answers 401 to nobody, before anything of the request is read.
func (h *Handler) signedIn(ctx huma.Context, next func(huma.Context)) {
	if edge.ActorOf(ctx.Context()).Account != "" {
		next(ctx)
		return
	}
	r, w := humago.Unwrap(ctx)
	h.fail(w, r, hub.ErrUnauthenticated)
}

// route registers an operation. Who asks is given to f; its errors become problems.
func route[I, O any](h *Handler, o op, f func(ctx context.Context, a hub.Actor, in *I) (*O, error)) {
	operation := huma.Operation{
		OperationID: o.id, Method: o.method, Path: "/api/v1" + o.path, Summary: o.summary, Tags: []string{o.tag},
		DefaultStatus: o.status, MaxBodyBytes: maxBody,
		Security: []map[string][]string{{"token": {}}, {"session": {}}},
		Errors:   []int{400, 401, 403, 404, 409, 412, 422, 429, 500, 503},
	}
	if !o.public {
		operation.Middlewares = huma.Middlewares{h.signedIn}
	} else {
		operation.Security = []map[string][]string{{}, {"token": {}}, {"session": {}}}
	}
	if o.media != "" {
		operation.Responses = map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{o.media: {}}}}
	}
	if o.method == http.MethodPost {
		operation.Parameters = []*huma.Param{{
			Name: "Idempotency-Key", In: "header", Description: "Makes the request safe to repeat; see the package documentation.",
			Schema: &huma.Schema{Type: "string"},
		}}
	}
	huma.Register(h.api, operation, func(ctx context.Context, in *I) (*O, error) {
		out, err := f(ctx, edge.ActorOf(ctx), in)
		if err != nil {
			p, header := h.problem(ctx, err)
			return nil, huma.ErrorWithHeaders(p, header)
		}
		return out, nil
	})
}
