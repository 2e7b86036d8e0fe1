// Command pocketbase is PocketBase with a plugin store in it: https://pocketbase.io, as it
// comes from the module proxy, mounts the store in its own router and says who may do what.
// It is a module of its own, so that the library's go.mod knows nothing of it.
//
//	go run . serve registry.example.org/plugins/catalog root.json
//
// Sign in at http://127.0.0.1:8090/_/ and open http://127.0.0.1:8090/plugins/.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/core"

	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/marketplace"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify/sigstore"
	"github.com/souk-dev/souk/verify/tuf"
)

// open returns the marketplace kept below dir.
func open(dir, ref string, root []byte, h *host) (*marketplace.Market, error) {
	src, err := oci.New(ref, oci.Options{})
	if err != nil {
		return nil, err
	}
	trust, err := tuf.New(root, tuf.Options{})
	if err != nil {
		return nil, err
	}
	signed, err := sigstore.New(sigstore.Options{})
	if err != nil {
		return nil, err
	}
	return marketplace.Open(filepath.Join(dir, "souk"), marketplace.Options{
		Sources:  []marketplace.Source{{Name: "main", Source: src, Trust: trust}},
		Verifier: signed, Host: h, Policy: sandbox.Policy{},
	})
}

// attach gives an app a store: it opens with the server and ends with it.
func attach(app core.App, ref string, root []byte) {
	h := newHost()
	app.OnRecordAuthRequest().BindFunc(remember)
	app.OnServe().BindFunc(func(se *core.ServeEvent) error {
		m, err := open(app.DataDir(), ref, root, h)
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() {
			if err := m.Run(ctx); err != nil && ctx.Err() == nil {
				app.Logger().Error("plugins are not kept up to date until the next start", "error", err)
			}
		})
		app.OnTerminate().BindFunc(func(e *core.TerminateEvent) error {
			stop()
			running.Wait()
			return errors.Join(m.Close(), e.Next())
		})
		if err := embed(se, m); err != nil {
			return err
		}
		se.Router.GET("/x/{publisher}/{name}/{file...}", h.serve)
		return se.Next()
	})
}

func run(args []string) error {
	if len(args) != 4 || args[1] != "serve" {
		return errors.New("usage: pocketbase serve <catalog in a registry> <root.json>")
	}
	root, err := os.ReadFile(args[3])
	if err != nil {
		return err
	}
	app := pocketbase.New()
	app.RootCmd.SetArgs(args[1:2])
	attach(app, args[2], root)
	return app.Start()
}

func main() {
	if err := run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "pocketbase:", err)
		os.Exit(1)
	}
}
