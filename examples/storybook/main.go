// Command storybook serves every state of every page of the storefront, each at an
// address of its own: for those who work on its looks, and for the tests that look at all
// of them in a browser. Markets and hub are in memory; nothing is installed or fetched.
//
//	go run ./examples/storybook [-addr 127.0.0.1:8091]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "storybook:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("storybook", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8091", "address to listen on")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	b, err := newBook()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("listen (choose another address with -addr): %w", err)
	}
	s := &http.Server{Handler: b.handler(), ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	fmt.Fprintf(out, "%d stories. Open http://%s/\n", len(b.stories), ln.Addr())
	failed := make(chan error, 1)
	go func() { failed <- s.Serve(ln) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return s.Close() // pages that listen to events would hold a gentle shutdown
	}
}
