package tuf_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"time"

	"github.com/souk-dev/souk/verify"
	"github.com/souk-dev/souk/verify/tuf"
)

// An operator makes and publishes a catalog; a panel that pinned its first root
// follows it, until it is not renewed any more.
func Example() {
	key := func() tuf.Key {
		k, err := tuf.GenerateKey()
		if err != nil {
			log.Fatal(err)
		}
		return k
	}
	keys := tuf.Keys{
		Root:      []tuf.Key{key(), key(), key()}, // two of them sign
		Targets:   []tuf.Key{key()},
		Snapshot:  []tuf.Key{key()},
		Timestamp: []tuf.Key{key()},
	}
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	registry := make(map[string][]byte)
	upload := func(p *tuf.Publication, err error) {
		if err != nil {
			log.Fatal(err)
		}
		for _, name := range p.Order {
			registry[name] = p.Files[name]
		}
	}
	repo, first, err := tuf.Init(keys, now, tuf.Config{})
	upload(first, err)
	upload(repo.Publish(keys, map[string][]byte{
		"index": []byte("{}"), "publishers": []byte("{}"), "advisories": []byte("{}"),
	}, now))

	trust, err := tuf.New(registry["1.root.json"], tuf.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fetch := func(_ context.Context, name string, _ int64) ([]byte, error) {
		if b, ok := registry[name]; ok {
			return b, nil
		}
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	state, err := trust.Update(context.Background(), nil, fetch, now)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("index:", string(state.Files["index"]))

	_, err = trust.Update(context.Background(), state, fetch, now.Add(25*time.Hour))
	fmt.Println(errors.Is(err, verify.ErrExpired))
	fmt.Println(err)
	// Output:
	// index: {}
	// true
	// verify catalog: timestamp: expired: timestamp.json was good until 2026-05-02T12:00:00Z; the catalog was not renewed, or an old copy is served
}
