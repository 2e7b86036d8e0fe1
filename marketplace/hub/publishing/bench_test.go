package publishing_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/verify"
)

// BenchmarkSubmitToReview is a submission from its name to the queue of the reviewers:
// validation, one scanner that says nothing, the difference. The package is pushed before.
func BenchmarkSubmitToReview(b *testing.B) {
	w := newWorld(b, nil)
	owner, signer := w.publisher("acme")
	w.settle()
	type pushedOne struct {
		m      catalog.Manifest
		digest string
	}
	var all []pushedOne
	for i := range b.N {
		m := manifest("acme/backup", fmt.Sprintf("1.0.%d", i))
		all = append(all, pushedOne{m, w.push(pack(b, m, nil), signer)})
	}
	b.ResetTimer()
	for _, one := range all {
		sub := w.submit(owner, one.m, one.digest)
		if err := w.run(); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		require.Equal(b, hub.StateInReview, w.get(sub.ID).State)
		_, err := w.service.Withdraw(b.Context(), owner, sub.ID, "")
		require.NoError(b, err)
		b.StartTimer()
	}
}

// BenchmarkCatalogOneChange publishes one change of a catalog of 10,000 plugins.
func BenchmarkCatalogOneChange(b *testing.B) {
	const plugins = 10_000
	w := newWorld(b, nil)
	owner, _ := w.publisher("acme")
	w.settle()
	ctx := b.Context()
	st := &store{w.db, w.jobs, w.cut}
	for from := 0; from < plugins; from += 500 {
		require.NoError(b, st.Update(ctx, func(tx hub.Tx) error {
			for i := from; i < from+500; i++ {
				id := fmt.Sprintf("acme/plugin-%d", i)
				raw, err := json.Marshal(manifest(catalog.PluginID(id), "1.0.0"))
				if err != nil {
					return err
				}
				p := hub.Plugin{ID: id, Publisher: "acme", State: hub.PluginListed, Latest: "1.0.0", Created: w.clock.now()}
				r := hub.Release{
					Plugin: id, Version: "1.0.0", Publisher: "acme", Digest: string(verify.DigestOf([]byte(id))), Size: 1000,
					Manifest: raw, Percent: 100, Published: w.clock.now(), Serial: 1,
				}
				if err := tx.Plugins().Insert(ctx, &p); err != nil {
					return err
				}
				if err := tx.Releases().Insert(ctx, &r); err != nil {
					return err
				}
				if err := hub.MarkChanged(ctx, tx, id); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	start := time.Now()
	w.settle()
	b.Logf("all %d plugins published in %s", plugins, time.Since(start).Round(time.Millisecond))
	require.Equal(b, plugins, w.panel().sync().Len())
	percent := 0
	for b.Loop() {
		percent = (percent + 1) % 100
		if _, err := w.service.SetRollout(ctx, owner, "acme/plugin-77", "1.0.0", percent, false); err != nil {
			b.Fatal(err)
		}
		if err := w.run(); err != nil {
			b.Fatal(err)
		}
	}
}
