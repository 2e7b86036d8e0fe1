package store_test

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/mirror"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/update"
)

var serve = flag.String("serve", "", "instead of testing, serve the pages of a market in memory at this address, to look at them")

func TestMain(m *testing.M) {
	flag.Parse()
	if *serve != "" {
		fmt.Println(look(*serve))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// look serves several markets, one a path, for a person to see.
func look(address string) error {
	mux := http.NewServeMux()
	mount := func(base string, m *market, a store.Actor) error {
		h, err := store.New(m, store.Options{BasePath: base, Actor: func(*http.Request) (store.Actor, error) { return a, nil }, Now: func() time.Time { return now }})
		mux.Handle(base, h)
		return err
	}
	busy := newMarket()
	busy.operations = append([]install.Operation{{ID: "t4", Title: "Install Backup 2.1.0", Actor: "ada", State: install.StateDownloading, Plugin: "acme/backup", Plugins: []catalog.PluginID{"acme/backup"}, Done: 42, Total: 100, Started: now}}, busy.operations...)
	wide := newMarket()
	wide.plan = mailerPlan(wide)
	odd := newMarket()
	odd.sources = []mirror.Status{{Name: "main", State: "stale", Synced: now.Add(-30 * time.Hour), Plugins: 12, Err: catalog.ErrUnavailable}, {Name: "team", State: "error", Err: catalog.ErrUnavailable}}
	odd.planErr = conflict()
	odd.offers, odd.state = nil, update.State{}
	empty := &market{}
	for base, err := range map[string]error{
		"/plugins/": mount("/plugins/", newMarket(), admin), "/busy/": mount("/busy/", busy, admin), "/wide/": mount("/wide/", wide, admin),
		"/odd/": mount("/odd/", odd, store.Actor{Name: "vic", View: true}), "/clash/": mount("/clash/", odd, admin), "/empty/": mount("/empty/", empty, admin),
	} {
		if err != nil {
			return fmt.Errorf("%s: %w", base, err)
		}
	}
	return http.ListenAndServe(address, mux)
}
