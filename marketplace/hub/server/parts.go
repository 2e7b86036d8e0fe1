package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/insight"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/marketplace/hub/registry"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
	"github.com/souk-dev/souk/verify/scan"
	"github.com/souk-dev/souk/verify/sigstore"
)

// Names in a hub's directory and registry.
const (
	dbFile      = "hub.db"
	registryDir = "registry"
	stagingDir  = "staging"
	catalogRepo = "catalog"
)

func (s *Server) openStore(ctx context.Context) error {
	o := sqlstore.Options{Log: s.log, Volatile: s.o.Volatile}
	if s.o.Volatile {
		o.Poll = 10 * time.Millisecond // tests wait for jobs, and nobody for the database
	}
	if s.o.Postgres != "" {
		store, err := sqlstore.OpenPostgres(ctx, s.o.Postgres, o)
		if err != nil {
			return err
		}
		s.Store = store
		return nil
	}
	o.Alone = true // the directory is locked
	store, err := sqlstore.OpenSQLite(ctx, filepath.Join(s.o.Dir, dbFile), o)
	if err != nil {
		return err
	}
	s.Store = store
	return nil
}

// shelf is the registry, here or elsewhere.
type shelf struct {
	ref    string // "hub.example.org" or "registry.example.org/plugins"
	local  *registry.Registry
	pusher *oci.Pusher
	reader *oci.Reader
	source *oci.Source
}

func (h *shelf) catalog() string { return h.ref + "/" + catalogRepo }

func (h *shelf) close() error {
	err := errors.Join(h.pusher.Close(), h.reader.Close(), h.source.Close())
	if h.local != nil {
		err = errors.Join(h.local.Close(), err)
	}
	return err
}

// minBlob is what a blob may have at least: catalogs are pushed too, in segments of at
// most 64 MiB.
const minBlob = catalog.MaxSegment

// hubSubject is the subject of the hub's own tokens: what it reads is no download.
const hubSubject = "souk-hub-" // and random letters, which no account has

// openRegistry opens the registry and its token service, and mounts both.
func (s *Server) openRegistry(base *url.URL, k keys) (*shelf, error) {
	h := &shelf{ref: base.Host}
	service := base.Host
	if s.o.Registry != nil {
		h.ref, service = s.o.Registry.Ref, s.o.Registry.Service
	}
	tokens, err := registry.NewTokens(registry.TokenOptions{
		Realm: s.o.BaseURL + "/v2/token", Service: service, Key: k.registry, Authorize: s.authorize, Now: s.o.Now, Log: s.log,
	})
	if err != nil {
		return nil, err
	}
	s.mux.Handle("/v2/token", s.edge.Bound(tokens))
	s.mux.HandleFunc("GET /v2/token/jwks.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Write(tokens.JWKS()) //nolint:errcheck // the client has gone, nobody else to tell
	})
	self := hubSubject + rand.Text()
	o := oci.Options{}
	if s.o.Registry != nil {
		o = s.o.Registry.Options
		if secret := s.o.Registry.NotificationSecret; secret != "" {
			notify, err := registry.Notifications(secret, s.counter(self))
			if err != nil {
				return nil, err
			}
			// Not bounded: a registry sends an event at a time, and who does not show its
			// secret is refused before anything is read.
			s.mux.Handle("POST /hooks/registry", notify)
		}
	} else {
		h.local, err = registry.Open(filepath.Join(s.o.Dir, registryDir), registry.Options{
			Tokens: tokens, Notify: s.counter(self), InMemory: s.o.Volatile, Now: s.o.Now, Log: s.log,
			// No package is larger; what the policy says later takes effect at the next start.
			MaxBlob: max(s.env.Policy().MaxPackage, minBlob),
			Remote:  func(r *http.Request) string { return s.edge.Address(r).String() },
		})
		if err != nil {
			return nil, err
		}
		s.mux.Handle("/v2/", fenced(h.local))
		o.Transport = h.local.Transport()
		o.Insecure = base.Scheme == "http"
	}
	o.Log = s.log
	o.Credentials = func(_ context.Context, repository string) (oci.Credential, error) {
		token, err := tokens.Issue(self, s.own(h, repository), registry.MaxTTL)
		return oci.Credential{RegistryToken: token}, err
	}
	if h.pusher, err = oci.NewPusher(h.ref, o); err != nil {
		return nil, err
	}
	if h.reader, err = oci.NewReader(h.ref, o); err != nil {
		return nil, err
	}
	if h.source, err = oci.New(h.catalog(), o); err != nil {
		return nil, err
	}
	return h, nil
}

// fenced keeps browsers from making a page or a script of what somebody pushed: the
// registry answers on the origin of the portal.
func fenced(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'; sandbox")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		next.ServeHTTP(w, r)
	})
}

// own is what the hub itself may do in a repository: push there, and read its other side,
// which a blob is mounted from.
func (s *Server) own(h *shelf, repository string) []registry.Access {
	_, prefix, _ := strings.Cut(h.ref, "/")
	_, name, _ := strings.Cut(repository, "/")
	plain := strings.TrimPrefix(strings.TrimPrefix(name, prefix), "/")
	join := func(parts ...string) string {
		return strings.Trim(strings.Join(parts, "/"), "/")
	}
	other := join(prefix, stagingDir, plain)
	if staged, ok := strings.CutPrefix(plain, stagingDir+"/"); ok {
		other = join(prefix, staged)
	}
	return []registry.Access{registry.Repository(name, "pull", "push"), registry.Repository(other, "pull")}
}

// authorize answers the token service: identity decides.
func (s *Server) authorize(ctx context.Context, c registry.Credential, want []registry.Access) ([]registry.Access, string, error) {
	prefix := ""
	if s.o.Registry != nil {
		if _, p, ok := strings.Cut(s.o.Registry.Ref, "/"); ok {
			prefix = p + "/"
		}
	}
	var ask []identity.RegistryAccess
	for _, a := range want {
		if name, ok := strings.CutPrefix(a.Name, prefix); ok && a.Type == "repository" {
			ask = append(ask, identity.RegistryAccess{Repository: name, Actions: a.Actions})
		}
	}
	granted, subject, err := s.Identity.AuthorizeRegistry(ctx, c.Username, c.Password, ask)
	if errors.Is(err, hub.ErrUnauthenticated) {
		return nil, "", fmt.Errorf("%w: %w", registry.ErrCredentials, err)
	}
	if err != nil {
		return nil, "", err
	}
	var out []registry.Access
	for _, g := range granted {
		out = append(out, registry.Repository(prefix+g.Repository, g.Actions...))
	}
	return out, subject, nil
}

// counter counts downloads among what the registry tells.
func (s *Server) counter(self string) func(context.Context, []registry.Event) error {
	return func(ctx context.Context, events []registry.Event) error {
		var batch []insight.Download
		for _, e := range events {
			if e.Actor == self || !e.IsDownload() {
				continue
			}
			batch = append(batch, insight.Download{
				Repository: e.Repository, Digest: string(e.Digest), Client: client(e.Remote), At: e.Timestamp,
			})
		}
		if len(batch) == 0 {
			return nil
		}
		return s.Insight.CountDownloads(ctx, batch)
	}
}

// client is what counts once a day: an address, without what the client says of itself,
// which it can say anew each time; of IPv6 the network, which one customer has all of.
func client(remote string) string {
	a, err := netip.ParseAddr(remote)
	if err != nil {
		return remote
	}
	return edge.Network(a)
}

func (s *Server) openPublishing(ctx context.Context, k keys) error {
	verifier, err := sigstore.New(sigstore.Options{TrustedRoot: s.o.TrustedRoot})
	if err != nil {
		return err
	}
	modules, err := scan.WASM(s.o.Functions)
	if err != nil {
		return err
	}
	required := []scan.Scanner{scan.Secrets(), scan.Native(), modules, scan.Archives(), scan.Squatting()}
	if s.o.Advisories != nil {
		known, err := scan.OSV(s.o.Advisories, scan.SeverityHigh)
		if err != nil {
			return err
		}
		required = append(required, known)
	}
	var optional []scan.Scanner
	if s.o.Clamd != "" {
		network := "unix"
		if !strings.Contains(s.o.Clamd, "/") {
			network = "tcp"
		}
		clamd, err := scan.NewClamd(network, s.o.Clamd, scan.ClamdOptions{})
		if err != nil {
			return err
		}
		optional = append(optional, clamd)
	}
	s.Publishing, err = publishing.New(s.env, publishing.Options{
		Registry: s.shelf.pusher, Reader: s.shelf.reader, Source: s.shelf.source, Verifier: verifier, Attester: k.reviewer,
		Keys: k.catalog, Scanners: required, Optional: optional, Stats: s.Insight.Stats,
		Catalog: catalogRepo, Staging: stagingDir, Guard: s.o.Guard, Alone: s.o.Postgres == "",
	})
	if err != nil {
		return err
	}
	if _, err := s.Publishing.Root(ctx); !errors.Is(err, hub.ErrNotFound) {
		return err
	}
	root, err := rootKeys(s.dir)
	if err != nil {
		return err
	}
	_, err = s.Publishing.InitCatalog(ctx, publishing.InitOptions{Root: root})
	return err
}

// Run does the hub's work until ctx ends: jobs, counters, cleaning. It returns nil then.
func (s *Server) Run(ctx context.Context) error {
	handlers := map[string]hub.Handler{hub.JobTidy: func(ctx context.Context, _ hub.Job) error { _, err := s.Identity.Tidy(ctx); return err }}
	for _, part := range []map[string]hub.Handler{s.Publishing.Handlers(), s.Insight.Handlers()} {
		for kind, do := range part {
			handlers[kind] = do
		}
	}
	periodic := append(s.Publishing.Periodic(), s.Insight.Periodic()...)
	periodic = append(periodic, hub.Periodic{Kind: hub.JobTidy, Every: time.Hour, Start: true})
	if s.shelf.local != nil {
		handlers[hub.JobGarbage] = s.garbageJob
		periodic = append(periodic, hub.Periodic{Kind: hub.JobGarbage, Every: garbageEvery})
	}

	ctx, stop := context.WithCancel(ctx)
	defer stop()
	parts := []func(context.Context) error{
		func(ctx context.Context) error { return s.Store.Work(ctx, handlers, periodic) },
		s.Insight.Run,
	}
	ended := make(chan error, len(parts))
	for _, part := range parts {
		go func() { ended <- part(ctx) }()
	}
	var err error
	for range parts {
		if one := <-ended; one != nil && !errors.Is(one, context.Canceled) {
			err = errors.Join(err, one)
		}
		stop() // one that ends takes the others along: a hub runs whole or not at all
	}
	return err
}

// closeWait bounds what Close does at the end.
const closeWait = 10 * time.Second

// Close ends the hub: Run must have returned, and no request be under way.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	var err error
	if s.shelf != nil {
		err = errors.Join(err, s.shelf.close())
	}
	if s.Insight != nil {
		err = errors.Join(err, s.Insight.Close(ctx))
	}
	if s.Publishing != nil {
		err = errors.Join(err, s.Publishing.Close())
	}
	if s.Store != nil {
		err = errors.Join(err, s.Store.Close())
	}
	if s.held != nil {
		err = errors.Join(err, s.held.Unlock())
	}
	if s.dir != nil {
		err = errors.Join(err, s.dir.Close())
	}
	return err
}
