// Command hostile shows the store on a page whose style sheet is against everything on it:
// each kind of element, every property that is inherited, and the names that the store uses.
//
//	go run ./examples/hostile [-addr 127.0.0.1:8092]
//
// There are four: /isolated/plugins/ and /native/plugins/ on the hostile page, and for
// comparison /isolated-plain/plugins/ and /native-plain/plugins/ on one without its rules.
// The market is in memory; nothing is installed or fetched.
package main

import (
	"embed"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
)

//go:embed web
var web embed.FS

var shell = template.Must(template.ParseFS(web, "web/shell.html"))

// kinds are the pages, by the first part of their address.
var kinds = []string{"isolated", "native", "isolated-plain", "native-plain"}

// embed
// mount returns the store on a page of that kind.
func mount(m store.Market, kind string) (http.Handler, error) {
	return store.New(m, store.Options{
		BasePath: "/" + kind + "/plugins/",
		Isolated: strings.HasPrefix(kind, "isolated"),
		Actor: func(*http.Request) (store.Actor, error) {
			return store.Actor{Name: "ada", View: true, Install: true, ApproveRisky: true, Administer: true}, nil
		},
		Layout: func(w http.ResponseWriter, _ *http.Request, p store.Page) {
			w.Header().Set("Content-Security-Policy", store.ContentSecurityPolicy)
			w.WriteHeader(p.Status)
			_ = shell.Execute(w, struct { // the browser went away
				store.Page
				Hostile bool
			}{p, !strings.HasSuffix(kind, "-plain")})
		},
		Now: func() time.Time { return storetest.Now },
	})
}

// end

func handler() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.Handle("GET /web/", http.FileServerFS(web))
	mux.Handle("GET /{$}", http.RedirectHandler("/isolated/plugins/", http.StatusFound))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	for _, kind := range kinds {
		shop, err := mount(storetest.NewMarket(), kind)
		if err != nil {
			return nil, err
		}
		mux.Handle("/"+kind+"/plugins/", shop)
	}
	return mux, nil
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("hostile", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8092", "address to listen on")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	h, err := handler()
	if err != nil {
		return err
	}
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("listen (choose another address with -addr): %w", err)
	}
	fmt.Fprintf(out, "Open http://%s/\n", ln.Addr())
	return (&http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}).Serve(ln)
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "hostile:", err)
		os.Exit(1)
	}
}
