package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/api"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/insight"
	"github.com/souk-dev/souk/marketplace/hub/portal"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify/scan"
)

// Options are the decisions of the operator. Dir and BaseURL are required; the zero value
// of everything else is a hub that is complete in itself.
type Options struct {
	// Dir holds the keys, and everything that is not kept elsewhere. One process at a
	// time, unless both Postgres and Registry are set.
	Dir string
	// BaseURL is how the hub is reached: "https://hub.example.org". Plain http is for
	// loopback addresses only.
	BaseURL string
	// Hosts are further names it is reached by.
	Hosts []string
	// Name as people know it. Empty: "Plugin hub".
	Name string
	// Postgres is the data source name of a PostgreSQL database. Empty: SQLite in Dir.
	Postgres string
	// Registry is a registry elsewhere. nil: one in this process, kept in Dir.
	Registry *Registry

	// Providers let people sign in by OpenID Connect. RedirectURL and Key are filled in:
	// register BaseURL + "/signin/oidc/" + the place in this list + "/callback".
	Providers []signin.ProviderOptions
	// NoPasskeys takes sign-in by passkey away.
	NoPasskeys bool
	// CI are the systems whose jobs may exchange their identity for a token.
	CI []signin.Issuer
	// CIClient reaches them; nil: a client of signin's own.
	CIClient *http.Client
	// NoSignUp makes no account for somebody new, see identity.Options.
	NoSignUp       bool
	Administrators []identity.IdentityRef

	// Clamd is the socket of a clamd, "/run/clamav/clamd.ctl" or "127.0.0.1:3310". When
	// nobody listens there, the scan is shown as not available. Empty: not asked.
	Clamd string
	// Advisories is a database of known vulnerabilities that components are looked up in.
	Advisories *scan.OSVDatabase
	// TrustedRoot is that of the sigstore instance whose keyless signatures are believed,
	// see sigstore.Options. Empty: releases are signed by keys only.
	TrustedRoot []byte
	// Functions are what panels give to WASM plugins. An import that is not among them is
	// for a reviewer to judge.
	Functions []scan.HostFunction

	Mailer  insight.Mailer // nil: no mail
	Limits  edge.Limits    // SignInPaths empty: those of the portal
	Proxies []netip.Prefix // whose X-Forwarded-For is believed
	// Guard decides where webhooks and proofs may lead. The zero value: public addresses.
	Guard hub.Guard
	// Demo marks every page as made up.
	Demo bool
	// Volatile does without syncing to disk, for tests: a power cut damages everything.
	Volatile bool
	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: nothing is logged
}

// Registry is an OCI registry that is not in this process. Its tokens come from the hub:
// configure it with "auth: token", the realm BaseURL + "/v2/token", Service as service and
// issuer, and the key set that the hub serves at /v2/token/jwks.json.
type Registry struct {
	// Ref is its host and the prefix of all repositories: "registry.example.org/plugins".
	Ref     string
	Service string
	// NotificationSecret is what its notifications to BaseURL + "/hooks/registry" carry,
	// see registry.Notifications. Empty: downloads are not counted.
	NotificationSecret string
	Options            oci.Options // how it is reached; Credentials are filled in
}

// Server is a hub. It is safe for concurrent use.
type Server struct {
	// The services, for whoever embeds a hub and for commands on the same machine.
	Identity   *identity.Service
	Publishing *publishing.Service
	Community  *community.Service
	Insight    *insight.Service
	Store      hub.Store

	o      Options
	log    *slog.Logger
	dir    *safefs.Root
	held   *safefs.Lock // of dir, when the hub is in one process
	env    hub.Env
	shelf  *shelf // the registry
	edge   *edge.Edge
	api    *api.Handler
	portal *portal.Handler
	mux    *http.ServeMux
	setup  string
}

// Open opens a hub, and makes what a first start needs: keys, database, catalog.
func Open(ctx context.Context, o Options) (*Server, error) {
	if o.Dir == "" {
		return nil, errors.New("hub: a directory is needed")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.BaseURL = strings.TrimSuffix(o.BaseURL, "/")
	s := &Server{o: o, log: o.Log, mux: http.NewServeMux()}
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("hub: %w", errors.Join(err, s.Close()))
	}
	return s, nil
}

func (s *Server) open(ctx context.Context) error {
	base, err := url.Parse(s.o.BaseURL)
	if err != nil || base.Host == "" {
		return fmt.Errorf("base address %.200q must be like https://hub.example.org", s.o.BaseURL)
	}
	if s.dir, err = safefs.Open(s.o.Dir, safefs.Options{}); err != nil {
		return err
	}
	if s.o.Postgres == "" || s.o.Registry == nil {
		s.held, err = s.dir.Lock("lock")
		if errors.Is(err, safefs.ErrLocked) {
			return fmt.Errorf("%s is in use by another hub: end that one, or give this one a directory of its own: %w", s.o.Dir, err)
		}
		if err != nil {
			return err
		}
	}
	k, err := loadKeys(s.dir)
	if err != nil {
		return err
	}
	if err := s.openStore(ctx); err != nil {
		return err
	}
	s.env = hub.Env{Store: s.Store, Policy: publishing.PolicyFunc(s.Store, s.o.Now), Now: s.o.Now, Log: s.log}
	if s.Identity, err = identity.New(s.env, identity.Options{AllowSignUp: !s.o.NoSignUp, Administrators: s.o.Administrators}); err != nil {
		return err
	}
	if s.o.Limits.SignInPaths == nil {
		s.o.Limits.SignInPaths = signInPaths()
	}
	s.edge, err = edge.New(edge.Options{
		Authenticator: s.Identity, Cookie: identity.CookieName(base.Scheme == "https"), BaseURL: s.o.BaseURL, Hosts: s.o.Hosts, Proxies: s.o.Proxies, Limits: s.o.Limits, Now: s.o.Now, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.Insight, err = insight.New(s.env, insight.Options{
		BaseURL: s.o.BaseURL + "/", Title: s.o.Name, Guard: s.o.Guard, Mailer: s.o.Mailer,
	})
	if err != nil {
		return err
	}
	if s.Community, err = community.New(s.env, community.Options{}); err != nil {
		return err
	}
	if s.shelf, err = s.openRegistry(base, k); err != nil {
		return err
	}
	if err := s.openPublishing(ctx, k); err != nil {
		return err
	}
	if s.setup, err = s.Identity.SetupCode(ctx); err != nil {
		return err
	}
	return s.openFaces(base, k)
}

// signInPaths are where secrets are shown, accounts are made, and ceremonies begun.
func signInPaths() []string { return []string{"/passkey/", "/setup", "/link"} }

// openFaces makes what people and programs see.
func (s *Server) openFaces(base *url.URL, k keys) error {
	var issuers *signin.Issuers
	if len(s.o.CI) > 0 {
		var err error
		issuers, err = signin.NewIssuers(s.o.CI, signin.IssuersOptions{HTTPClient: s.o.CIClient, Now: s.o.Now, Log: s.log})
		if err != nil {
			return err
		}
	}
	var providers []*signin.Provider
	for i, p := range s.o.Providers {
		p.RedirectURL, p.Key, p.Now, p.Log = fmt.Sprintf("%s/signin/oidc/%d/callback", s.o.BaseURL, i), k.cookies, s.o.Now, s.log
		one, err := signin.NewProvider(p)
		if err != nil {
			return err
		}
		providers = append(providers, one)
	}
	var passkeys *signin.Passkeys
	if !s.o.NoPasskeys {
		var err error
		passkeys, err = signin.NewPasskeys(signin.PasskeyOptions{
			RPID: base.Hostname(), RPName: s.name(), Origins: []string{base.Scheme + "://" + base.Host}, Now: s.o.Now,
		})
		if err != nil {
			return fmt.Errorf("passkeys (they need a name, not an address: localhost instead of 127.0.0.1): %w", err)
		}
	}
	var err error
	s.api, err = api.New(api.Options{
		Env: s.env, Edge: s.edge, Identity: s.Identity, Publishing: s.Publishing, Community: s.Community, Insight: s.Insight,
		Issuers: issuers, BaseURL: s.o.BaseURL, Registry: s.shelf.ref, Catalog: s.shelf.catalog(), Name: s.name(),
		Reviewer: k.reviewer.Identity(), Log: s.log,
	})
	if err != nil {
		return err
	}
	s.portal, err = portal.New(portal.Options{
		Env: s.env, Edge: s.edge, Identity: s.Identity, Publishing: s.Publishing, Community: s.Community, Insight: s.Insight,
		Providers: providers, Passkeys: passkeys, Issuers: issuers, Name: s.name(), BaseURL: s.o.BaseURL, Registry: s.shelf.ref,
		Catalog: s.shelf.catalog(), Demo: s.o.Demo, Log: s.log,
	})
	if err != nil {
		return err
	}
	s.mux.Handle("/api/", s.api)
	s.mux.Handle("/feeds/", s.api)
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	s.mux.HandleFunc("GET /readyz", s.ready)
	s.mux.Handle("/", s.portal)
	return nil
}

func (s *Server) name() string {
	if s.o.Name == "" {
		return "Plugin hub"
	}
	return s.o.Name
}

// ready says whether the database answers.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), 3*time.Second)
	defer cancel()
	if err := s.Store.Ping(ctx); err != nil {
		s.log.Warn("not ready", "error", err)
		w.Header().Set("Retry-After", "5")
		http.Error(w, "the database does not answer", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// ServeHTTP answers all requests.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// SetupCode returns what makes who shows it the first administrator; empty when there is
// one already.
func (s *Server) SetupCode() string { return s.setup }

// Dir returns the hub's directory.
func (s *Server) Dir() string { return s.o.Dir }

// Catalog returns the catalog's reference, as a panel is given it.
func (s *Server) Catalog() string { return s.shelf.catalog() }

// RegistryRef returns how the registry is reached, as a publisher writes it.
func (s *Server) RegistryRef() string { return s.shelf.ref }

// Root returns the catalog's root of trust, which panels pin.
func (s *Server) Root(ctx context.Context) ([]byte, error) { return s.Publishing.Root(ctx) }

// Document returns the OpenAPI document of the JSON interface.
func (s *Server) Document() ([]byte, error) { return s.api.Document() }

// Backup writes a consistent copy of the database to the file at path, while the hub
// runs. The registry is content-addressed: copy its directory after the database, and the
// copy has all that the database names.
func (s *Server) Backup(ctx context.Context, path string) error { return s.Store.Backup(ctx, path) }
