package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/marketplace/hub/signin"
	"github.com/souk-dev/souk/verify/sigstore"
)

// serverVerbs are those of somebody who runs a hub.
func serverVerbs() []verb {
	return []verb{{
		name: "hub serve", max: 0,
		short: "run a hub: portal, registry, review, catalog",
		long: `
Runs a whole hub in this process until it is interrupted: SQLite and a registry in --dir,
sign-in by passkey. It prints where to look, and at the first start the code that makes
you the administrator.

It is reached at --base-url. For others than this machine that is https: with --tls-cert
and --tls-key here, or by a reverse proxy, whose network is given by --proxy so that its
X-Forwarded-For is believed.

The keys are made at the first start in <dir>/keys. Move the three catalog-root-*.pem
offline: they are needed again only when a key is replaced or a year is over.`,
		flags: func(fs *flag.FlagSet) action {
			var o serveOptions
			o.flags(fs)
			return func(ctx context.Context, a *app, _ []string) error { return a.serve(ctx, o) }
		},
	}, backupVerb(), restoreVerb(), {
		name: "hub keys", max: 0,
		short: "show how long a hub's keys last, and what is due",
		long: `
Asks a hub for its catalog's roles and when they end, for administrators. Exit status 1
when somebody has to do something, or when the last publish or check went wrong.`,
		flags: withHub(func(ctx context.Context, a *app, d *desk, _ []string, asJSON bool) error {
			return a.hubKeys(ctx, d, asJSON)
		}),
	}}
}

type serveOptions struct {
	dir, baseURL, listen, name, postgres, clamd string
	cert, key, trustedRoot                      string
	hosts, oidc, ci, proxies                    list
	demo, verbose                               bool
}

func (o *serveOptions) flags(fs *flag.FlagSet) {
	fs.StringVar(&o.dir, "dir", "", "`directory` for keys, database and registry; required")
	fs.StringVar(&o.baseURL, "base-url", "", "`address` at which people reach it, https://hub.example.org; default: http://localhost with the port")
	fs.StringVar(&o.listen, "listen", "127.0.0.1:8090", "`address` to listen on")
	fs.StringVar(&o.name, "name", "", "`name` that people know it by")
	fs.Var(&o.hosts, "host", "further `name` by which it is reached; may be repeated")
	fs.StringVar(&o.postgres, "postgres", "", "data source `name` of a PostgreSQL database, instead of SQLite in the directory")
	fs.StringVar(&o.clamd, "clamd", "", "`socket` of a clamd, a path or host:port, that scans too")
	fs.StringVar(&o.trustedRoot, "trusted-root", "", "`file` with the sigstore trusted root whose keyless signatures are believed; without it releases are signed by keys")
	fs.Var(&o.oidc, "oidc", "let people sign in by OpenID Connect, `issuer,client-id,secret-file`; may be repeated")
	fs.Var(&o.ci, "ci", "let jobs of a CI `system` publish: github, gitlab, gitlab=<url>, github=<url>, or the url of another issuer; may be repeated")
	fs.StringVar(&o.cert, "tls-cert", "", "`file` with the certificate chain")
	fs.StringVar(&o.key, "tls-key", "", "`file` with its private key")
	fs.Var(&o.proxies, "proxy", "`network` of a reverse proxy that is believed, 10.0.0.0/8; may be repeated")
	fs.BoolVar(&o.demo, "demo", false, "mark every page as made up")
	fs.BoolVar(&o.verbose, "v", false, "log what goes on to standard error")
}

// Bounds of the server: how long requests may take to come, and the end to be waited for.
// A body may take its time: packages are large.
const (
	headerWait = 10 * time.Second
	idleWait   = 2 * time.Minute
	endWait    = 20 * time.Second
)

// options checks what was given, and makes the server's options of it. port is the one that
// is listened on.
func (o *serveOptions) options(addr net.Addr, log *slog.Logger) (server.Options, error) {
	var port int
	loopback := false
	if t, ok := addr.(*net.TCPAddr); ok {
		port, loopback = t.Port, t.IP.IsLoopback()
	}
	so := server.Options{
		Dir: o.dir, BaseURL: o.baseURL, Hosts: o.hosts, Name: o.name, Postgres: o.postgres, Clamd: o.clamd, Demo: o.demo, Log: log,
	}
	if o.trustedRoot != "" {
		var err error
		if so.TrustedRoot, err = readFile(o.trustedRoot, sigstore.MaxTrustedRoot); err != nil {
			return so, err
		}
	}
	if so.BaseURL == "" {
		if !loopback {
			return so, usage("--base-url is missing: the address at which people reach %s", o.listen)
		}
		so.BaseURL = fmt.Sprintf("http://localhost:%d", port)
	}
	base, err := url.Parse(so.BaseURL)
	switch {
	case err != nil || base.Host == "":
		return so, usage("--base-url %.200q must be like https://hub.example.org", so.BaseURL)
	case (o.cert == "") != (o.key == ""):
		return so, usage("--tls-cert and --tls-key belong together")
	case base.Scheme == "https" && o.cert == "" && len(o.proxies) == 0:
		return so, usage("somebody has to speak TLS for %s: give --tls-cert and --tls-key, or --proxy with the network of the proxy that does", so.BaseURL)
	case base.Scheme == "http" && !loopback:
		return so, usage("%s can be reached by others, who would read passwords and tokens on the way: give it an https --base-url", o.listen)
	}
	for _, p := range o.proxies {
		network, err := netip.ParsePrefix(p)
		if err != nil {
			return so, usage("--proxy %.100q is no network like 10.0.0.0/8", p)
		}
		so.Proxies = append(so.Proxies, network)
	}
	for _, p := range o.oidc {
		provider, err := oidcProvider(p)
		if err != nil {
			return so, err
		}
		so.Providers = append(so.Providers, provider)
	}
	for _, system := range o.ci {
		so.CI = append(so.CI, ciIssuer(system, strings.TrimSuffix(so.BaseURL, "/")))
	}
	return so, nil
}

func oidcProvider(text string) (signin.ProviderOptions, error) {
	parts := strings.Split(text, ",")
	if len(parts) != 3 {
		return signin.ProviderOptions{}, usage("--oidc is issuer,client-id,secret-file")
	}
	secret, err := readFile(parts[2], maxToken)
	if err != nil {
		return signin.ProviderOptions{}, fmt.Errorf("--oidc: %w", err)
	}
	return signin.ProviderOptions{Issuer: parts[0], ClientID: parts[1], ClientSecret: strings.TrimSpace(string(secret))}, nil
}

// ciIssuer is the CI system of a word or address. Its tokens are to be made out to the hub.
func ciIssuer(system, audience string) signin.Issuer {
	i := signin.Issuer{URL: system, Audience: audience, Kind: signin.Generic}
	kind, at, own := strings.Cut(system, "=")
	switch {
	case kind == "github":
		i.URL, i.Kind = signin.GitHubIssuer, signin.GitHub
	case kind == "gitlab":
		i.URL, i.Kind = signin.GitLabIssuer, signin.GitLab
	default:
		// What others are asked to put into their tokens is called as GitHub calls it.
		i.Claims = signin.ClaimMap{
			Repository: "repository", RepositoryID: "repository_id", Owner: "repository_owner", OwnerID: "repository_owner_id",
			Workflow: "workflow", Ref: "ref", Environment: "environment", Commit: "sha", RunID: "run_id",
		}
		return i
	}
	if own {
		i.URL = at
	}
	return i
}

func (a *app) serve(ctx context.Context, o serveOptions) (err error) {
	if o.dir == "" {
		return usage("--dir is missing: the directory that everything is kept in")
	}
	log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	if o.verbose {
		log = slog.New(slog.NewTextHandler(a.stderr, nil))
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", o.listen)
	if err != nil {
		return advise(err, "choose another address with --listen")
	}
	defer func() {
		if cerr := ln.Close(); !errors.Is(cerr, net.ErrClosed) {
			err = errors.Join(err, cerr)
		}
	}()
	so, err := o.options(ln.Addr(), log)
	if err != nil {
		return err
	}
	web := &http.Server{ReadHeaderTimeout: headerWait, IdleTimeout: idleWait, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug)}
	if o.cert != "" {
		pair, err := tls.LoadX509KeyPair(o.cert, o.key)
		if err != nil {
			return fmt.Errorf("certificate: %w", err)
		}
		web.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	s, err := server.Open(ctx, so)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	web.Handler = s
	if err := a.whereToLook(so, s); err != nil {
		return err
	}
	return serveUntil(ctx, web, ln, s.Run)
}

// whereToLook tells whoever started a hub what to open, and what to keep.
func (a *app) whereToLook(o server.Options, s *server.Server) error {
	base := strings.TrimSuffix(o.BaseURL, "/")
	database := filepath.Join(o.Dir, dbFile)
	if o.Postgres != "" {
		database = "PostgreSQL"
	}
	lines := []string{
		"portal    " + base,
		"API       " + base + "/api/v1/openapi.json",
		"feeds     " + base + "/feeds/releases.atom",
		"registry  " + s.RegistryRef(),
		"catalog   " + s.Catalog(),
		"keys      " + filepath.Join(o.Dir, keysDir) + " (move catalog-root-*.pem offline)",
		"database  " + database,
	}
	if code := s.SetupCode(); code != "" {
		lines = append(lines, "setup     sign in, open "+base+"/setup and show this code, which makes you the administrator: "+code)
	}
	for _, l := range lines {
		if err := a.print("%s", l); err != nil {
			return err
		}
	}
	a.say("the hub runs; an interrupt ends it")
	return nil
}

// serveUntil serves and works until ctx ends, and then lets what is under way come to its
// end.
func serveUntil(ctx context.Context, web *http.Server, ln net.Listener, work func(context.Context) error) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	worked, served := make(chan error, 1), make(chan error, 1)
	go func() { worked <- work(running) }()
	go func() {
		if web.TLSConfig != nil {
			served <- web.ServeTLS(ln, "", "")
			return
		}
		served <- web.Serve(ln)
	}()
	var err error
	workEnded := false
	select {
	case err = <-served:
		served <- nil
	case err = <-worked:
		workEnded = true
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWait)
	defer cancel()
	if serr := web.Shutdown(bounded); serr != nil {
		err = errors.Join(err, serr, web.Close())
	}
	if serr := <-served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	stop()
	if !workEnded {
		err = errors.Join(err, <-worked)
	}
	return err
}

func (a *app) hubKeys(ctx context.Context, d *desk, asJSON bool) error {
	s, err := d.System(ctx)
	if err != nil {
		return err
	}
	wrong := s.Error != ""
	for _, r := range s.Roles {
		wrong = wrong || r.Due
	}
	if asJSON {
		err = a.result(s)
	} else {
		lines := []string{fmt.Sprintf("catalog    serial %d, %d changes wait", s.Serial, s.Waiting), "reviews    signed by " + s.Attester}
		for _, r := range s.Roles {
			line := fmt.Sprintf("%-10s version %d, until %s", r.Name, r.Version, r.Expires.UTC().Format("2006-01-02 15:04 UTC"))
			if r.Note != "" {
				line += ": " + r.Note
			}
			lines = append(lines, line)
		}
		if s.Error != "" {
			lines = append(lines, "went wrong "+s.Error)
		}
		for _, l := range lines {
			if err := a.print("%s", l); err != nil {
				return err
			}
		}
	}
	if err == nil && wrong {
		err = errFound
	}
	return err
}
