package community_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "community")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := sqlstore.OpenSQLite(ctx, filepath.Join(dir, "hub.db"), sqlstore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	err = store.Update(ctx, func(tx hub.Tx) error { // as publishing does
		return tx.Plugins().Insert(ctx, &hub.Plugin{ID: "acme/backup", Publisher: "acme", State: hub.PluginListed})
	})
	if err != nil {
		log.Fatal(err)
	}

	c, err := community.New(hub.Env{Store: store}, community.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for i, stars := range []int{5, 4, 3} {
		actor := hub.Actor{Account: fmt.Sprint("acc_", i), Via: "session"} // as identity makes it of a request
		if _, err := c.Rate(ctx, actor, community.NewRating{Plugin: "acme/backup", Stars: stars}); err != nil {
			log.Fatal(err)
		}
	}
	sum, err := c.Summary(ctx, "acme/backup")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Count, sum.Mean, sum.Histogram)
	// Output: 3 4 [0 0 1 1 1]
}

func ExampleBurst() {
	month := make([]int, community.BurstDays)
	for i := range month {
		month[i] = 3
	}
	fmt.Println(community.Burst(month, 12), community.Burst(month, 13))
	// Output: false true
}
