package sqlstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

// bench runs a benchmark on both engines, as durable as they are in production.
func bench(b *testing.B, f func(b *testing.B, s *sqlstore.Store)) {
	b.Run("sqlite", func(b *testing.B) { f(b, sqlite(b).open(sqlstore.Options{})) })
	b.Run("postgres", func(b *testing.B) {
		d := postgres(b)
		if d.server != nil {
			d.server.Durable(b)
		}
		f(b, d.open(sqlstore.Options{}))
	})
}

// ratings fills 100 plugins with 100 ratings each.
func ratings(b *testing.B, s hub.Store) {
	b.Helper()
	ctx, at := context.Background(), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	require.NoError(b, s.Update(ctx, func(tx hub.Tx) error {
		for i := range 10_000 {
			r := hub.Rating{
				Plugin: fmt.Sprintf("acme/plugin-%02d", i%100), Account: fmt.Sprintf("acc_%06d", i), Stars: 1 + i%5,
				Text: "It does what it says, and says what it does.", Version: "1.4.2", State: hub.Shown, Helpful: i % 17,
				Created: at.Add(time.Duration(i) * time.Minute), Updated: at.Add(time.Duration(i) * time.Minute),
			}
			if err := tx.Ratings().Insert(ctx, &r); err != nil {
				return err
			}
		}
		return nil
	}))
	b.ResetTimer()
}

func BenchmarkGet(b *testing.B) {
	bench(b, func(b *testing.B, s *sqlstore.Store) {
		ratings(b, s)
		ctx := context.Background()
		for i := 0; b.Loop(); i++ {
			n := i % 10_000
			err := s.View(ctx, func(tx hub.Tx) error {
				_, err := tx.Ratings().Get(ctx, fmt.Sprintf("acme/plugin-%02d", n%100), fmt.Sprintf("acc_%06d", n))
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkList50(b *testing.B) {
	bench(b, func(b *testing.B, s *sqlstore.Store) {
		ratings(b, s)
		ctx := context.Background()
		for i := 0; b.Loop(); i++ {
			err := s.View(ctx, func(tx hub.Tx) error {
				list, err := tx.Ratings().List(ctx, hub.Query{
					Where: []hub.Cond{hub.Eq("plugin", fmt.Sprintf("acme/plugin-%02d", i%100)), hub.Eq("state", hub.Shown)},
					Order: "helpful", Desc: true, Limit: 50,
				})
				if err == nil && len(list) != 50 {
					err = fmt.Errorf("%d ratings", len(list))
				}
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkUpdate changes a record, writes a line of the audit log and an event, and
// enqueues its job: what most requests do.
func BenchmarkUpdate(b *testing.B) {
	bench(b, func(b *testing.B, s *sqlstore.Store) {
		ctx, now := context.Background(), time.Now()
		require.NoError(b, s.Update(ctx, func(tx hub.Tx) error {
			return tx.Settings().Insert(ctx, &hub.Setting{Key: "k"})
		}))
		for b.Loop() {
			err := s.Update(ctx, func(tx hub.Tx) error {
				v, err := tx.Settings().Get(ctx, "k")
				if err != nil {
					return err
				}
				if err := tx.Settings().Update(ctx, &v); err != nil {
					return err
				}
				if err := hub.Record(ctx, tx, hub.Actor{Account: "acc_1"}, now, hub.ActPolicyEdit, "policy", nil); err != nil {
					return err
				}
				return hub.Emit(ctx, tx, now, hub.Event{Kind: hub.EventRatingAdded, Publisher: "acme"})
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkTally1000 counts a thousand downloads of a hundred releases, each once a day.
func BenchmarkTally1000(b *testing.B) {
	bench(b, func(b *testing.B, s *sqlstore.Store) {
		ctx := context.Background()
		for i := 0; b.Loop(); i++ {
			list := make([]hub.Tally, 1000)
			for n := range list {
				list[n] = hub.Tally{Day: 1, Once: fmt.Sprintf("%032x", i*1000+n), Kind: hub.TallyDownload,
					Plugin: fmt.Sprintf("acme/plugin-%02d", n%100), Version: "1.4.2", N: 1}
			}
			if n, err := s.Tally(ctx, list); err != nil || n != 1000 {
				b.Fatal(n, err)
			}
		}
	})
}

// BenchmarkTally1 counts one download, as a registry reports it.
func BenchmarkTally1(b *testing.B) {
	bench(b, func(b *testing.B, s *sqlstore.Store) {
		ctx := context.Background()
		for i := 0; b.Loop(); i++ {
			if _, err := s.Tally(ctx, []hub.Tally{{Day: 1, Once: fmt.Sprintf("%032x", i), Kind: hub.TallyDownload, Plugin: "acme/backup", N: 1}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkJobs does jobs that do nothing, 100 at a time.
func BenchmarkJobs100(b *testing.B) {
	bench(b, func(b *testing.B, s *sqlstore.Store) {
		ctx, cancel := context.WithCancel(context.Background())
		done, worked := make(chan struct{}, 100), make(chan error, 1)
		go func() {
			worked <- s.Work(ctx, map[string]hub.Handler{"job": func(context.Context, hub.Job) error { done <- struct{}{}; return nil }}, nil)
		}()
		for i := 0; b.Loop(); i++ {
			err := s.Update(ctx, func(tx hub.Tx) error {
				var list []hub.Job
				for n := range 100 {
					list = append(list, hub.Job{Kind: "job", Subject: fmt.Sprint(i, " ", n)})
				}
				return tx.Enqueue(ctx, list...)
			})
			if err != nil {
				b.Fatal(err)
			}
			for range 100 {
				<-done
			}
		}
		cancel()
		require.NoError(b, <-worked)
	})
}

// BenchmarkOpen opens a new database, and one that is up to date.
func BenchmarkOpen(b *testing.B) {
	for name, e := range map[string]engine{"sqlite": sqlite, "postgres": postgres} {
		b.Run(name+"/again", func(b *testing.B) {
			d := e(b)
			d.open(sqlstore.Options{})
			for b.Loop() {
				s, err := d.try(sqlstore.Options{})
				require.NoError(b, err)
				require.NoError(b, s.Close())
			}
		})
	}
}
