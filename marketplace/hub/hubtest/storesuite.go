package hubtest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Database is an empty database for one test: each call opens it, as another process would.
type Database func() hub.Store

// StoreSuite holds an implementation of [hub.Store] to its contract. database makes an
// empty database; it and the stores are cleaned up by the test they are given.
func StoreSuite(t *testing.T, database func(t testing.TB) Database) {
	run := func(name string, f func(t *testing.T, open Database)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(t, database(t))
		})
	}
	run("records", testRecords)
	run("values", testValues)
	run("insert", testInsert)
	run("delete", testDelete)
	run("audit", testAudit)
	run("list/order", testOrder)
	run("list/conditions", testConditions)
	run("list/limit", testLimit)
	run("list/injection", testInjection)
	run("transaction", testTransaction)
	run("view", testView)
	run("concurrency/lost update", testLostUpdate)
	run("concurrency/write skew", testWriteSkew)
	run("concurrency/unique", testUniqueRace)
	run("concurrency/numbers", testNumbers)
	run("tally", testTally)
	run("tally/concurrency", testTallyConcurrency)
	run("jobs/commit", testJobsCommit)
	run("jobs/once", testJobsOnce)
	run("jobs/time", testJobsTime)
	run("jobs/outcome", testJobsOutcome)
	run("jobs/retry", testJobsRetry)
	run("jobs/end", testJobsEnd)
	run("jobs/no change missed", testJobsMiss)
	run("jobs/shared", testJobsShared)
	run("jobs/periodic", testPeriodic)
	run("jobs/misuse", testJobsMisuse)
	run("close", testClose)
}

// update runs f in an Update that must succeed. f may require, and is run again when the
// transaction is.
func update(t testing.TB, s hub.Store, f func(tx hub.Tx)) {
	t.Helper()
	require.NoError(t, s.Update(t.Context(), func(tx hub.Tx) error {
		f(tx)
		return nil
	}))
}

func view(t testing.TB, s hub.Store, f func(tx hub.Tx)) {
	t.Helper()
	require.NoError(t, s.View(t.Context(), func(tx hub.Tx) error {
		f(tx)
		return nil
	}))
}

var errUndo = errors.New("undo")

func testTransaction(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	account := func(id string) *hub.Account { return &hub.Account{ID: id} }
	has := func(id string) (found bool) {
		view(t, s, func(tx hub.Tx) {
			_, err := tx.Accounts().Get(ctx, id)
			found = err == nil
			if !found {
				require.ErrorIs(t, err, hub.ErrNotFound)
			}
		})
		return found
	}
	update(t, s, func(tx hub.Tx) {
		require.NoError(t, tx.Accounts().Insert(ctx, account("kept")))
		_, err := tx.Accounts().Get(ctx, "kept")
		require.NoError(t, err, "a transaction sees what it wrote")
	})
	assert.True(t, has("kept"))

	err := s.Update(ctx, func(tx hub.Tx) error {
		require.NoError(t, tx.Accounts().Insert(ctx, account("undone")))
		return errUndo
	})
	require.ErrorIs(t, err, errUndo)
	assert.False(t, has("undone"))

	assert.PanicsWithValue(t, "a mistake", func() {
		_ = s.Update(ctx, func(tx hub.Tx) error {
			require.NoError(t, tx.Accounts().Insert(ctx, account("panicked")))
			panic("a mistake")
		})
	})
	assert.False(t, has("panicked"))

	var after hub.Tx
	update(t, s, func(tx hub.Tx) { after = tx })
	require.Error(t, after.Accounts().Insert(ctx, account("late")), "a transaction is not used after its function")
	_, err = after.Accounts().Get(ctx, "kept")
	require.Error(t, err)
	assert.False(t, has("late"))

	ended, cancel := context.WithCancel(ctx)
	cancel()
	require.ErrorIs(t, s.Update(ended, func(hub.Tx) error { return nil }), context.Canceled)
	require.ErrorIs(t, s.View(ended, func(hub.Tx) error { return nil }), context.Canceled)
	in, cancel := context.WithCancel(ctx)
	err = s.Update(in, func(tx hub.Tx) error {
		require.NoError(t, tx.Accounts().Insert(in, account("cancelled")))
		cancel()
		_, err := tx.Accounts().Get(in, "cancelled")
		return err
	})
	require.ErrorIs(t, err, context.Canceled)
	assert.False(t, has("cancelled"))
	update(t, s, func(tx hub.Tx) { require.NoError(t, tx.Accounts().Insert(ctx, account("next"))) })
}

func testView(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	put := func(value string) {
		update(t, s, func(tx hub.Tx) {
			v, err := tx.Settings().Get(ctx, "k")
			if err != nil {
				v = hub.Setting{Key: "k", Value: value}
				require.NoError(t, tx.Settings().Insert(ctx, &v))
				return
			}
			v.Value = value
			require.NoError(t, tx.Settings().Update(ctx, &v))
		})
	}
	put("old")
	view(t, s, func(tx hub.Tx) {
		v, err := tx.Settings().Get(ctx, "k")
		require.NoError(t, err)
		require.Equal(t, "old", v.Value)
		put("new") // by another transaction, which does not wait for this one
		v, err = tx.Settings().Get(ctx, "k")
		require.NoError(t, err)
		require.Equal(t, "old", v.Value, "a View is one state")
	})
	view(t, s, func(tx hub.Tx) {
		v, err := tx.Settings().Get(ctx, "k")
		require.NoError(t, err)
		require.Equal(t, "new", v.Value)
	})
	for name, write := range map[string]func(tx hub.Tx) error{
		"insert": func(tx hub.Tx) error { return tx.Accounts().Insert(ctx, &hub.Account{ID: "x"}) },
		"number": func(tx hub.Tx) error { return tx.Changes().Insert(ctx, &hub.Change{}) },
		"put":    func(tx hub.Tx) error { return tx.Scores().Put(ctx, &hub.Score{Plugin: "x"}) },
		"update": func(tx hub.Tx) error { return tx.Settings().Update(ctx, &hub.Setting{Key: "k", Rev: 2}) },
		"delete": func(tx hub.Tx) error { return tx.Settings().Delete(ctx, "k") },
		"where": func(tx hub.Tx) error {
			_, err := tx.Settings().DeleteWhere(ctx, hub.Eq("name", "k"))
			return err
		},
		"enqueue": func(tx hub.Tx) error { return tx.Enqueue(ctx, hub.Job{Kind: "aa"}) },
	} {
		view(t, s, func(tx hub.Tx) { assert.Error(t, write(tx), name) })
	}
	view(t, s, func(tx hub.Tx) {
		v, err := tx.Settings().Get(ctx, "k")
		require.NoError(t, err)
		require.Equal(t, "new", v.Value)
		n, err := tx.Accounts().Count(ctx)
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

// testLostUpdate has many read a value and write what follows from it: none is lost.
func testLostUpdate(t *testing.T, open Database) {
	s, other, ctx := open(), open(), t.Context()
	update(t, s, func(tx hub.Tx) {
		require.NoError(t, tx.Scores().Put(ctx, &hub.Score{Plugin: "p"}))
	})
	const workers, each = 6, 15
	var all sync.WaitGroup
	for i := range workers {
		store := []hub.Store{s, other}[i%2]
		all.Go(func() {
			for range each {
				assert.NoError(t, store.Update(ctx, func(tx hub.Tx) error {
					v, err := tx.Scores().Get(ctx, "p")
					if err != nil {
						return err
					}
					v.S1++
					return tx.Scores().Put(ctx, &v)
				}))
			}
		})
	}
	all.Wait()
	view(t, s, func(tx hub.Tx) {
		v, err := tx.Scores().Get(ctx, "p")
		require.NoError(t, err)
		require.EqualValues(t, workers*each, v.S1)
	})
}

// testWriteSkew has two remove an owner each because there is another: one must stay.
func testWriteSkew(t *testing.T, open Database) {
	s, other, ctx := open(), open(), t.Context()
	for range 10 {
		update(t, s, func(tx hub.Tx) {
			for _, account := range []string{"a", "b"} {
				require.NoError(t, tx.Members().Put(ctx, &hub.Member{Publisher: "acme", Account: account, Role: hub.MemberOwner}))
			}
		})
		var both sync.WaitGroup
		for i, account := range []string{"a", "b"} {
			store := []hub.Store{s, other}[i]
			both.Go(func() {
				assert.NoError(t, store.Update(ctx, func(tx hub.Tx) error {
					n, err := tx.Members().Count(ctx, hub.Eq("publisher", "acme"), hub.Eq("role", hub.MemberOwner))
					if err != nil || n < 2 {
						return err
					}
					time.Sleep(5 * time.Millisecond) // both have read by now, where they can
					return tx.Members().Delete(ctx, "acme", account)
				}))
			})
		}
		both.Wait()
		view(t, s, func(tx hub.Tx) {
			n, err := tx.Members().Count(ctx, hub.Eq("publisher", "acme"))
			require.NoError(t, err)
			require.EqualValues(t, 1, n, "no order of the two leaves another number")
		})
	}
}

// testUniqueRace has many take the same name: one gets it, and the others know.
func testUniqueRace(t *testing.T, open Database) {
	s, other, ctx := open(), open(), t.Context()
	const workers = 8
	results := make([]error, workers)
	var all sync.WaitGroup
	for i := range workers {
		store := []hub.Store{s, other}[i%2]
		all.Go(func() {
			results[i] = store.Update(ctx, func(tx hub.Tx) error {
				return tx.Publishers().Insert(ctx, &hub.Publisher{Namespace: "acme"})
			})
		})
	}
	all.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else {
			assert.ErrorIs(t, err, hub.ErrExists)
		}
	}
	assert.Equal(t, 1, won)
}

// testNumbers follows events by their number while they are written: none is missed.
func testNumbers(t *testing.T, open Database) {
	s, other, ctx := open(), open(), t.Context()
	const workers, each = 4, 25
	var all sync.WaitGroup
	for i := range workers {
		store := []hub.Store{s, other}[i%2]
		all.Go(func() {
			for range each {
				assert.NoError(t, store.Update(ctx, func(tx hub.Tx) error {
					if err := tx.Events().Insert(ctx, &hub.Event{ID: hub.NewID("evt", time.Now())}); err != nil {
						return err
					}
					time.Sleep(time.Millisecond)
					return nil
				}))
			}
		})
	}
	done := make(chan struct{})
	go func() {
		all.Wait()
		close(done)
	}()
	seen, last := 0, int64(0)
	for finished := false; ; {
		select {
		case <-done:
			finished = true
		default:
		}
		n := 0
		view(t, s, func(tx hub.Tx) {
			list, err := tx.Events().List(ctx, hub.Query{Where: []hub.Cond{hub.Gt("seq", last)}})
			require.NoError(t, err)
			for _, e := range list {
				require.Greater(t, e.Seq, last)
				last = e.Seq
			}
			n = len(list)
		})
		seen += n
		if finished && n == 0 {
			break
		}
	}
	require.Equal(t, workers*each, seen)
}

func testClose(t *testing.T, open Database) {
	s, ctx := open(), t.Context()
	require.NoError(t, s.Ping(ctx))
	worked := make(chan error, 1)
	began := make(chan struct{})
	update(t, s, func(tx hub.Tx) { require.NoError(t, tx.Enqueue(ctx, hub.Job{Kind: "long"})) })
	go func() {
		worked <- s.Work(ctx, map[string]hub.Handler{"long": func(ctx context.Context, _ hub.Job) error {
			close(began)
			<-ctx.Done()
			return ctx.Err()
		}}, nil)
	}()
	<-began
	require.NoError(t, s.Close(), "while somebody works")
	require.NoError(t, <-worked)
	require.ErrorIs(t, s.Ping(ctx), hub.ErrUnavailable)
	require.ErrorIs(t, s.View(ctx, func(hub.Tx) error { return nil }), hub.ErrUnavailable)
	require.ErrorIs(t, s.Update(ctx, func(hub.Tx) error { return nil }), hub.ErrUnavailable)
	_, err := s.Tally(ctx, []hub.Tally{{Kind: "a", N: 1}})
	require.ErrorIs(t, err, hub.ErrUnavailable)
	_, _, err = s.Jobs(ctx)
	require.ErrorIs(t, err, hub.ErrUnavailable)
	require.ErrorIs(t, s.Work(ctx, map[string]hub.Handler{"aa": nil}, nil), hub.ErrUnavailable)

	waiting, _, err := open().Jobs(ctx)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"long": 1}, waiting, "what was interrupted is to be done by another")
}
