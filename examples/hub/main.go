// Command hub is a whole plugin hub on this machine: portal, JSON interface, review,
// numbers, feeds, and a registry with the signed catalog that panels read.
//
//	go run ./examples/hub [-addr 127.0.0.1:8090] [-dir DIR] [-demo] [-reset] [-postgres DSN]
//
// Sign in with a passkey and show the code that it prints: that makes you the
// administrator. With -demo it is filled, once, with people, plugins, ratings, a review
// queue, reports and 90 days of traffic, all of it made up, and http://localhost:8090/demo
// signs you in as any of these people. That needs Go to build the sample plugins, and no
// network.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/souk-dev/souk/marketplace/hub/hubtest"
	"github.com/souk-dev/souk/marketplace/hub/server"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/sandbox/safefs"
	"github.com/souk-dev/souk/verify/scan"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hub:", err)
		os.Exit(1)
	}
}

type options struct {
	addr, dir, postgres  string
	demo, reset, verbose bool
}

func run(ctx context.Context, args []string, out io.Writer) error {
	var o options
	flags := flag.NewFlagSet("hub", flag.ContinueOnError)
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8090", "address to listen on, of this machine alone")
	flags.StringVar(&o.dir, "dir", "", "directory for everything (default: souk-hub in the user's cache directory)")
	flags.StringVar(&o.postgres, "postgres", "", "data source name of a PostgreSQL database, instead of SQLite")
	flags.BoolVar(&o.demo, "demo", false, "fill it with made up data, once, and let anybody at this machine sign in as the people in it")
	flags.BoolVar(&o.reset, "reset", false, "begin with nothing: remove what earlier runs left in the directory")
	flags.BoolVar(&o.verbose, "v", false, "log what goes on")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if o.dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("no place to keep things, name one with -dir: %w", err)
		}
		o.dir = filepath.Join(cache, "souk-hub")
	}
	level := slog.LevelWarn
	if o.verbose {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ln, err := net.Listen("tcp", o.addr)
	if err != nil {
		return fmt.Errorf("listen (choose another address with -addr): %w", err)
	}
	return serve(ctx, ln, o, out, log)
}

func serve(ctx context.Context, ln net.Listener, o options, out io.Writer, log *slog.Logger) (err error) {
	defer func() {
		if cerr := ln.Close(); !errors.Is(cerr, net.ErrClosed) {
			err = errors.Join(err, cerr)
		}
	}()
	at, ok := ln.Addr().(*net.TCPAddr)
	if !ok || !at.IP.IsLoopback() {
		return fmt.Errorf("%s can be reached by others, and this example speaks plain http: use `souk hub serve` for that", ln.Addr())
	}
	start := time.Now()
	state, err := prepare(o)
	if err != nil {
		return err
	}
	// A passkey belongs to a name, so the hub is localhost and not 127.0.0.1.
	base := fmt.Sprintf("http://localhost:%d", at.Port)
	s, err := server.Open(ctx, server.Options{
		Dir: o.dir, BaseURL: base, Name: "Souk hub", Postgres: o.postgres, Functions: functions(), Demo: o.demo, Log: log,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	town := hubtest.NewTown(s, base)
	var handler http.Handler = s
	if o.demo {
		handler = withDemo(s, town)
	}
	return working(ctx, ln, handler, s.Run, func(ctx context.Context) error {
		if o.demo && state == empty {
			if err := fill(ctx, o, town, out); err != nil {
				return err
			}
		} else {
			fmt.Fprintf(out, "The hub is up after %s.\n", time.Since(start).Round(time.Millisecond))
		}
		whereToLook(out, base, o, s)
		return nil
	})
}

// working serves and does the hub's work until ctx ends, or begin fails, which runs once
// both are under way.
func working(ctx context.Context, ln net.Listener, handler http.Handler, work, begin func(context.Context) error) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	web := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, BaseContext: func(net.Listener) context.Context { return running }}
	worked, served, began := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() { worked <- work(running) }()
	go func() { served <- web.Serve(ln) }()
	go func() { began <- begin(running) }()
	var err error
	workEnded, beginEnded := false, false
	select {
	case err = <-began:
		beginEnded = true
		if err == nil {
			select {
			case <-ctx.Done():
			case err = <-worked:
				workEnded = true
			}
		}
	case err = <-worked:
		workEnded = true
	case <-ctx.Done():
	}
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	stop()
	if serr := web.Shutdown(bounded); serr != nil {
		err = errors.Join(err, serr, web.Close())
	}
	if serr := <-served; !errors.Is(serr, http.ErrServerClosed) {
		err = errors.Join(err, serr)
	}
	if !workEnded {
		err = errors.Join(err, <-worked)
	}
	if !beginEnded {
		if berr := <-began; ctx.Err() == nil {
			err = errors.Join(err, berr)
		}
	}
	return err
}

func whereToLook(out io.Writer, base string, o options, s *server.Server) {
	fmt.Fprintf(out, "Open %s in a browser. Ctrl-C ends it; everything is kept in %s.\n", base, o.dir)
	fmt.Fprintf(out, "  JSON      %s/api/v1/openapi.json\n", base)
	fmt.Fprintf(out, "  feeds     %s/feeds/releases.atom  %s/feeds/advisories.atom\n", base, base)
	fmt.Fprintf(out, "  registry  %s, with the catalog at %s\n", s.RegistryRef(), s.Catalog())
	if code := s.SetupCode(); code != "" && !o.demo { // the demo made an administrator since
		fmt.Fprintf(out, "  setup     sign in, open %s/setup and show %s: that makes you the administrator\n", base, code)
	}
	if o.demo {
		fmt.Fprintf(out, "  demo      %s/demo signs you in as somebody; all that you see is made up\n", base)
		for _, p := range people() {
			fmt.Fprintf(out, "            %-10s %s\n", p.Key, p.What)
		}
	}
}

// How far a demo was filled.
type filled string

const (
	empty   filled = ""        // nothing was filled in
	filling filled = "filling" // and did not come to its end
	full    filled = "full"
)

const stateFile = "demo"

func readState(dir string) (filled, error) {
	b, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return empty, nil
	}
	return filled(b), err
}

// prepare clears the directory where that was asked for, or where filling it was cut off,
// and says how far it is filled.
func prepare(o options) (state filled, err error) {
	if state, err = readState(o.dir); err != nil {
		return state, err
	}
	cutOff := o.demo && state == filling
	switch {
	case !o.reset && !cutOff:
		return state, nil
	case o.postgres != "":
		return state, errors.New("what is in the PostgreSQL database is not removed: name an empty database, and another directory with -dir")
	}
	root, err := safefs.Open(o.dir, safefs.Options{})
	if err != nil {
		return state, err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	held, err := root.Lock("lock") // the hub's own
	if errors.Is(err, safefs.ErrLocked) {
		return state, fmt.Errorf("%s is in use by another hub: end that one, or choose another directory with -dir: %w", o.dir, err)
	}
	if err != nil {
		return state, err
	}
	defer func() { err = errors.Join(err, held.Unlock()) }()
	for _, name := range []string{"registry", "keys", "hub.db", "hub.db-wal", "hub.db-shm", stateFile} {
		if err := root.RemoveAll(name); err != nil {
			return state, fmt.Errorf("reset: %w", err)
		}
	}
	return empty, nil
}

// functions are what the panel of examples/panel gives to plugins.
func functions() []scan.HostFunction {
	return []scan.HostFunction{
		{Name: "server.read", Permission: "api:server:read"}, {Name: "ui.card", Permission: "ui:dashboard.card"},
		{Name: "kv.get", Permission: "db:notes:read"}, {Name: "kv.put", Permission: "db:notes:write"},
		{Name: "net.fetch", Kind: sandbox.KindNetOut},
	}
}
