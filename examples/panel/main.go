// Command panel is a small server panel with a plugin store in it, and everything
// the store needs: a registry in the same process, sample plugins that it builds,
// signs and publishes there, and a signed catalog.
//
//	go run ./examples/panel [-addr 127.0.0.1:8080] [-dir DIR] [-reset]
//
// It needs Go to build the sample plugins, and no network. With a hub it has neither
// registry nor samples of its own, but the hub's plugins, reviews and account:
//
//	go run ./examples/panel -hub http://localhost:8090 [-numbers]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/marketplace/link"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/tuf"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "panel:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("panel", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8080", "address to listen on")
	dir := flags.String("dir", "", "directory for everything (default: souk-panel in the user's cache directory)")
	reset := flags.Bool("reset", false, "begin with nothing: remove what earlier runs left in the directory")
	hub := flags.String("hub", "", "address of a hub, whose plugins, reviews and account this panel uses")
	numbers := flags.Bool("numbers", false, "tell the hub once a day what is installed here, when the panel is linked")
	verbose := flags.Bool("v", false, "log what goes on")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if *dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("no place to keep things, name one with -dir: %w", err)
		}
		*dir = filepath.Join(cache, "souk-panel")
	}
	unlock, err := lock(*dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if *reset {
		if err := clear(*dir); err != nil {
			return err
		}
	}
	log := slog.New(slog.DiscardHandler)
	if *verbose {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("listen (choose another address with -addr): %w", err)
	}
	return serve(ctx, ln, choices{dir: *dir, hub: *hub, numbers: *numbers}, out, log)
}

// choices are what the command line says.
type choices struct {
	dir     string
	hub     string // empty: a registry and samples of its own
	numbers bool
}

// panelVersion is what plugins and the hub are told.
const panelVersion = "3.0.0"

// lock keeps a second panel out of dir: two would sign two catalogs with one number.
func lock(dir string) (unlock func() error, err error) {
	root, err := safefs.Open(dir, safefs.Options{})
	if err != nil {
		return nil, err
	}
	held, err := root.Lock("lock")
	if errors.Is(err, safefs.ErrLocked) {
		err = fmt.Errorf("%s is in use by another panel: end that one, or choose another directory with -dir: %w", dir, err)
	}
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return func() error { return errors.Join(held.Unlock(), root.Close()) }, nil
}

// clear removes what this program put into dir, and nothing else.
func clear(dir string) error {
	hubs, err := filepath.Glob(filepath.Join(dir, "hub-*"))
	if err != nil {
		return err
	}
	for _, name := range []string{"registry", "keys", "panel", "wasm-cache"} {
		hubs = append(hubs, filepath.Join(dir, name))
	}
	for _, name := range hubs {
		if err := os.RemoveAll(name); err != nil {
			return fmt.Errorf("reset: %w", err)
		}
	}
	return nil
}

func serve(ctx context.Context, ln net.Listener, c choices, out io.Writer, log *slog.Logger) (err error) {
	defer func() {
		if cerr := ln.Close(); !errors.Is(cerr, net.ErrClosed) {
			err = errors.Join(err, cerr)
		}
	}()
	lab := &lab{}
	var from supply
	var shop *registry
	kept := c.dir // where what is installed is kept
	if c.hub == "" {
		if shop, err = openRegistry(ctx, c.dir, lab, out, log); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, shop.close()) }()
		from = supply{"demo", shop.catalogRef(), shop.root}
	} else if from, kept, err = openHub(ctx, c.dir, c.hub, out); err != nil {
		return err
	}

	h, err := newHost(ctx, filepath.Join(c.dir, "wasm-cache"), log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.close(context.WithoutCancel(ctx))) }()

	m, err := openMarket(filepath.Join(kept, "panel"), from, h, lab, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if shop != nil {
		lab.news, lab.publish, lab.sync = shop.news, shop.publishWave, m.Sync
	}
	if err := m.Sync(ctx); err != nil {
		log.Warn("first sync", "err", err) // the store shows it, with the last good catalog
	}

	loopback := isLoopback(ln.Addr().String())
	u := newUsers(loopback)
	p, err := newPanel(m, h, u, lab, log)
	if err != nil {
		return err
	}
	var linked *link.Link
	if c.hub != "" {
		if linked, err = openLink(kept, c.hub, h.facts().Hostname, m, c.numbers, log); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, linked.Close()) }()
		p.community, p.source = linked, from.source
	}
	pages, err := p.handler()
	if err != nil {
		return err
	}
	if !loopback {
		fmt.Fprintf(out, "This address can be reached by others. To be the administrator, give this token: %s\n", u.token)
	}
	fmt.Fprintf(out, "Open http://%s/plugins/ in a browser. Ctrl-C ends it; what you install is kept in %s.\n", display(ln.Addr()), kept)

	running, stop := context.WithCancel(ctx)
	defer stop()
	updates := make(chan error, 2)
	go func() { updates <- m.Run(running) }()
	if linked != nil {
		go func() { updates <- linked.Run(running) }()
	} else {
		updates <- nil
	}
	server := &http.Server{Handler: pages, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return running }}
	served := make(chan error, 1)
	go func() { served <- server.Serve(ln) }()
	select {
	case err = <-served:
	case <-ctx.Done():
		stop() // ends the streams of events too
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err = server.Shutdown(bounded)
	}
	stop()
	for range 2 {
		if uerr := <-updates; uerr != nil && !errors.Is(uerr, context.Canceled) {
			err = errors.Join(err, uerr)
		}
	}
	return err
}

// openMarket is what a panel does to have a marketplace: name its catalog, its root
// of trust, who checks signatures, what runs plugins and what these may be granted.
func openMarket(dir string, from supply, h *host, lab *lab, log *slog.Logger) (*marketplace.Market, error) {
	src, err := oci.New(from.catalog, oci.Options{Credentials: oci.Anonymous, Log: log})
	if err != nil {
		return nil, err
	}
	trust, err := tuf.New(from.root, tuf.Options{Name: from.source})
	if err != nil {
		return nil, err
	}
	signed, err := sigstore.New(sigstore.Options{})
	if err != nil {
		return nil, err
	}
	return marketplace.Open(dir, marketplace.Options{
		Sources:  []marketplace.Source{{Name: from.source, Source: src, Trust: trust}},
		Verifier: signed,
		Host:     h,
		Panel:    panelVersion,
		Policy:   policy,
		Gate:     install.Gate{OK: 3, Within: 10 * time.Second, Every: 300 * time.Millisecond},
		Now:      lab.now,
		Log:      log,
	})
}

// policy is what any plugin of this panel may be granted, and what of the panel
// plugins can ask for.
var policy = sandbox.Policy{
	Allow: sandbox.MustSet("ui:dashboard.card", "ui:theme"),
	Deny:  sandbox.MustSet("exec:/"),
	Scopes: []sandbox.Scope{
		{Kind: sandbox.KindUI, Target: "dashboard.card", Risk: sandbox.RiskLow, Sentence: "Can put a card on your dashboard."},
		{Kind: sandbox.KindUI, Target: "theme", Risk: sandbox.RiskLow, Sentence: "Can change the colours of this panel."},
		{Kind: sandbox.KindAPI, Target: "server:read", Risk: sandbox.RiskLow, Sentence: "Can see this server's name, load, memory and disks."},
	},
}

func isLoopback(hostport string) bool {
	name := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		name = h
	}
	if strings.EqualFold(name, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && ip.IsLoopback()
}

// display is the address as a person would type it.
func display(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok && t.IP.IsUnspecified() {
		return fmt.Sprintf("localhost:%d", t.Port)
	}
	return a.String()
}
