package signintest

import (
	"context"
	"crypto/rand"
	"html/template"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"
)

// Client is an application that a [Provider] knows.
type Client struct {
	ID          string
	Secret      string // empty: a public client, which has to use PKCE
	RedirectURL string
}

// Person is somebody who can sign in at a [Provider].
type Person struct {
	Subject, Name, Email string
	EmailVerified        bool
}

// Provider is an OpenID provider: the server of zitadel/oidc with people who need no
// password. It is safe for concurrent use.
type Provider struct {
	URL string

	server *httptest.Server
	store  *store
}

// NewProvider starts a provider. Somebody who comes to sign in is the only person there
// is, or chooses one on a page without scripts. Close ends it.
func NewProvider(clients []Client, people ...Person) (*Provider, error) {
	p := &Provider{store: newStore(clients, people)}
	mux := http.NewServeMux()
	p.server = httptest.NewServer(mux)
	p.URL = p.server.URL
	config := &op.Config{CodeMethodS256: true, AuthMethodPost: true, SupportedScopes: []string{"openid", "profile", "email"}}
	if _, err := rand.Read(config.CryptoKey[:]); err != nil {
		return nil, err
	}
	server, err := op.NewProvider(config, p.store, op.StaticIssuer(p.URL), op.WithAllowInsecure())
	if err != nil {
		p.server.Close()
		return nil, err
	}
	back := op.AuthCallbackURL(server)
	mux.Handle("/", server)
	mux.Handle("GET /login", op.NewIssuerInterceptor(server.IssuerFromRequest).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.login(w, r, back)
	}))
	return p, nil
}

// Close ends the server.
func (p *Provider) Close() { p.server.Close() }

// SetPeople replaces those who can sign in.
func (p *Provider) SetPeople(people ...Person) {
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	p.store.people = slices.Clone(people)
}

var choose = template.Must(template.New("").Parse(`<!doctype html><title>Sign in</title>
<h1>Who are you?</h1><p>This provider is for tests and asks for no password.</p>
<ul>{{range .People}}<li><a href="/login?id={{$.ID}}&amp;as={{.Subject}}">{{.Name}}</a></li>{{end}}</ul>`))

func (p *Provider) login(w http.ResponseWriter, r *http.Request, back func(context.Context, string) string) {
	id, as := r.FormValue("id"), r.FormValue("as")
	p.store.mu.Lock()
	defer p.store.mu.Unlock()
	if as == "" && len(p.store.people) == 1 {
		as = p.store.people[0].Subject
	}
	request := p.store.requests[id]
	person := slices.IndexFunc(p.store.people, func(q Person) bool { return q.Subject == as })
	switch {
	case request == nil:
		http.Error(w, "nobody asked to sign in", http.StatusBadRequest)
	case person < 0:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = choose.Execute(w, struct { // the reader went away
			ID     string
			People []Person
		}{id, p.store.people})
	default:
		request.subject, request.at = as, time.Now()
		http.Redirect(w, r, back(r.Context(), id), http.StatusFound)
	}
}
