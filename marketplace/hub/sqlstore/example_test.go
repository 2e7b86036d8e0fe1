package sqlstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

func ExampleOpenSQLite() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "hub")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := sqlstore.OpenSQLite(ctx, filepath.Join(dir, "hub.db"), sqlstore.Options{})
	if err != nil {
		panic(err)
	}
	defer s.Close()

	err = s.Update(ctx, func(tx hub.Tx) error {
		p := hub.Publisher{Namespace: "acme", Name: "Acme"}
		if err := tx.Publishers().Insert(ctx, &p); err != nil {
			return err
		}
		return tx.Enqueue(ctx, hub.Job{Kind: hub.JobProof, Subject: "acme"})
	})
	fmt.Println(err)
	err = s.View(ctx, func(tx hub.Tx) error {
		list, err := tx.Publishers().List(ctx, hub.Query{Where: []hub.Cond{hub.Has("name", "ac")}})
		for _, p := range list {
			fmt.Println(p.Namespace, p.Rev)
		}
		return err
	})
	fmt.Println(err)
	// Output:
	// <nil>
	// acme 1
	// <nil>
}
