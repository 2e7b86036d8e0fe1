package store_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/souk-dev/souk/marketplace/store"
)

// A panel mounts the storefront and says who asks. Here everybody may look.
func Example() {
	market := newMarket() // a *marketplace.Market in a real panel
	shop, err := store.New(market, store.Options{
		BasePath: "/plugins/",
		Hosts:    []string{"panel.example.org"},
		Actor: func(*http.Request) (store.Actor, error) {
			return store.Actor{Name: "guest", View: true}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	mux := http.NewServeMux()
	mux.Handle("/plugins/", shop)

	for _, request := range []*http.Request{
		httptest.NewRequest(http.MethodGet, "http://panel.example.org/plugins/p/acme/backup", nil),
		httptest.NewRequest(http.MethodPost, "http://panel.example.org/plugins/plans", nil),
		httptest.NewRequest(http.MethodGet, "http://stranger.example/plugins/", nil),
	} {
		answer := httptest.NewRecorder()
		mux.ServeHTTP(answer, request)
		fmt.Println(answer.Code, http.StatusText(answer.Code))
	}
	// Output:
	// 200 OK
	// 403 Forbidden
	// 421 Misdirected Request
}
