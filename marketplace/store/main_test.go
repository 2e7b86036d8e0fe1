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
	mount := func(base string, m *market, a store.Actor, change ...func(*store.Options)) error {
		o := store.Options{BasePath: base, Actor: func(*http.Request) (store.Actor, error) { return a, nil }, Now: func() time.Time { return now }}
		for _, c := range change {
			c(&o)
		}
		h, err := store.New(m, o)
		mux.Handle(base, h)
		return err
	}
	busy := newMarket()
	busy.Running = append([]install.Operation{{ID: "t4", Title: "Install Backup 2.1.0", Actor: "ada", State: install.StateDownloading, Plugin: "acme/backup", Plugins: []catalog.PluginID{"acme/backup"}, Done: 42, Total: 100, Started: now}}, busy.Running...)
	wide := newMarket()
	wide.Next = mailerPlan(wide)
	odd := newMarket()
	odd.Catalogs = []mirror.Status{{Name: "main", State: "stale", Synced: now.Add(-30 * time.Hour), Plugins: 12, Err: catalog.ErrUnavailable}, {Name: "team", State: "error", Err: catalog.ErrUnavailable}}
	odd.PlanErr = conflict()
	odd.Offered, odd.Updating = nil, update.State{}
	empty := &market{}
	hub := func(state store.LinkState) func(*store.Options) {
		c := newHub()
		c.Linked.State = state
		return c.In
	}
	for base, err := range map[string]error{
		"/plugins/": mount("/plugins/", newMarket(), admin), "/busy/": mount("/busy/", busy, admin), "/wide/": mount("/wide/", wide, admin),
		"/odd/": mount("/odd/", odd, store.Actor{Name: "vic", View: true}), "/clash/": mount("/clash/", odd, admin), "/empty/": mount("/empty/", empty, admin),
		"/hub-none/": mount("/hub-none/", newMarket(), admin, hub(store.LinkNone)), "/hub-waiting/": mount("/hub-waiting/", newMarket(), admin, hub(store.LinkWaiting)),
		"/hub/": mount("/hub/", newMarket(), admin, hub(store.LinkLinked)), "/hub-lost/": mount("/hub-lost/", newMarket(), admin, hub(store.LinkLost)),
	} {
		if err != nil {
			return fmt.Errorf("%s: %w", base, err)
		}
	}
	return http.ListenAndServe(address, mux)
}
