// Command bootstrap is an admin template in the look of Bootstrap 5 with the store in it, light
// and dark. The market is in memory; nothing is installed or fetched.
//
//	go run ./examples/bootstrap [-addr 127.0.0.1:8093]
//
// web/bootstrap.min.css is Bootstrap 5.3.3, as npm has it, without the line that names a source
// map; its licence (MIT) lies beside it.
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
	"time"

	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
)

//go:embed web
var web embed.FS

var shell = template.Must(template.ParseFS(web, "web/admin.html"))

// embed
// mount returns the store in the template's shell.
func mount(m store.Market) (http.Handler, error) {
	return store.New(m, store.Options{
		Actor: func(*http.Request) (store.Actor, error) {
			return store.Actor{Name: "ada", View: true, Install: true, ApproveRisky: true, Administer: true}, nil
		},
		Layout: func(w http.ResponseWriter, r *http.Request, p store.Page) { show(w, r, "plugins", p) },
		Now:    func() time.Time { return storetest.Now },
	})
}

// end

const themeCookie = "theme"

// show writes a page in the shell, in the colours that its reader chose.
func show(w http.ResponseWriter, r *http.Request, here string, p store.Page) {
	theme, other := "light", "dark"
	if c, err := r.Cookie(themeCookie); err == nil && c.Value == "dark" {
		theme, other = "dark", "light"
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", store.ContentSecurityPolicy)
	w.WriteHeader(p.Status)
	_ = shell.Execute(w, struct { // the browser went away
		store.Page
		Here, Theme, Other string
	}{p, here, theme, other})
}

func handler(m store.Market) (http.Handler, error) {
	shop, err := mount(m)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/plugins/", shop)
	mux.Handle("GET /web/", http.FileServerFS(web))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		show(w, r, "home", store.Page{Status: http.StatusOK, Title: "Dashboard", Lang: "en", Dir: "ltr", Body: `<h1 id="souk" tabindex="-1">Dashboard</h1><p class="lead">Nothing happens here. The plugins are beside.</p>`})
	})
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	mux.HandleFunc("POST /theme", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: themeCookie, Value: r.PostFormValue("theme"), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, "/plugins/", http.StatusSeeOther)
	})
	return http.NewCrossOriginProtection().Handler(mux), nil
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("bootstrap", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:8093", "address to listen on")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	h, err := handler(storetest.NewMarket())
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
		fmt.Fprintln(os.Stderr, "bootstrap:", err)
		os.Exit(1)
	}
}
