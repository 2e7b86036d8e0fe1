package insight_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/insight"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "insight")
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
		if err := tx.Plugins().Insert(ctx, &hub.Plugin{ID: "acme/backup", Publisher: "acme", State: hub.PluginListed}); err != nil {
			return err
		}
		return tx.Releases().Insert(ctx, &hub.Release{Plugin: "acme/backup", Version: "1.0.0", Content: digestOf("acme/backup", "1.0.0"), State: catalog.Active})
	})
	if err != nil {
		log.Fatal(err)
	}

	in, err := insight.New(hub.Env{Store: store}, insight.Options{BaseURL: "https://hub.example.org/"})
	if err != nil {
		log.Fatal(err)
	}
	d := insight.Download{Repository: "acme/backup", Digest: digestOf("acme/backup", "1.0.0"), Client: "192.0.2.1 souk/1.0"}
	if err := in.CountDownloads(ctx, []insight.Download{d, d}); err != nil { // the same client twice
		log.Fatal(err)
	}
	if err := in.Close(ctx); err != nil {
		log.Fatal(err)
	}
	stats, err := in.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(stats[0].ID, stats[0].Downloads)
	// Output: acme/backup 1
}

func ExampleSignWebhook() {
	secret := "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	sig, err := insight.SignWebhook(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sig)
	// Output: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=
}
