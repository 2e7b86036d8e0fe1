package sqlstore_test

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

// calls is everything that can be asked of a store.
func calls(s hub.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"ping": s.Ping,
		"view": func(ctx context.Context) error {
			return s.View(ctx, func(tx hub.Tx) error {
				_, err := tx.Accounts().Count(ctx)
				return err
			})
		},
		"update": func(ctx context.Context) error {
			return s.Update(ctx, func(tx hub.Tx) error { return tx.Scores().Put(ctx, &hub.Score{Plugin: "p"}) })
		},
		"tally": func(ctx context.Context) error {
			_, err := s.Tally(ctx, []hub.Tally{{Kind: "d", Once: "o", N: 1}})
			return err
		},
		"forget": func(ctx context.Context) error { return s.Forget(ctx, 0) },
		"jobs": func(ctx context.Context) error {
			_, _, err := s.Jobs(ctx)
			return err
		},
	}
}

// allAway asks everything at once, and wants to hear soon that the database is away.
func allAway(t *testing.T, s hub.Store, soon time.Duration) {
	t.Helper()
	var all sync.WaitGroup
	for name, call := range calls(s) {
		all.Go(func() {
			begin := time.Now()
			err := call(t.Context())
			assert.ErrorIs(t, err, hub.ErrUnavailable, name)
			assert.Less(t, time.Since(begin), soon, name)
		})
	}
	all.Wait()
}

func allThere(t *testing.T, s hub.Store) {
	t.Helper()
	for name, call := range calls(s) {
		require.NoError(t, call(t.Context()), name)
	}
}

// away is how long the database is away in these tests; longer than River tries to write
// down what became of a job before it begins anew.
const away = 10 * time.Second

// needServer skips a test that stops the server where that is somebody else's.
func needServer(t *testing.T, d database) {
	t.Helper()
	if d.server == nil {
		if os.Getenv("SOUK_TEST_REQUIRE") == "all" {
			require.Fail(t, "SOUK_POSTGRES names a server that cannot be stopped: unset it")
		}
		t.Skip("needs a PostgreSQL server of its own: unset SOUK_POSTGRES")
	}
}

// TestAway stops and starts a real server under a store in use.
func TestAway(t *testing.T) {
	d := postgres(t)
	needServer(t, d)
	for name, end := range map[string]func(testing.TB){"stopped": d.server.Stop, "crashed": d.server.Kill} {
		t.Run(name, func(t *testing.T) {
			d := postgres(t)
			s := d.open(sqlstore.Options{Timeout: 2 * time.Second, Beat: time.Second})
			allThere(t, s)
			inside, goOn := make(chan struct{}), make(chan struct{})
			var done sync.Map
			ctx, cancel := context.WithCancel(t.Context())
			worked := make(chan error, 1)
			go func() {
				worked <- s.Work(ctx, map[string]hub.Handler{"job": func(ctx context.Context, j hub.Job) error {
					if j.Subject == "through it" && j.Attempt == 1 {
						close(inside)
						<-goOn // ends while the database is away
					}
					n, _ := done.LoadOrStore(j.Subject, new(atomic.Int64))
					n.(*atomic.Int64).Add(1)
					return nil
				}}, nil)
			}()
			enqueue := func(subject string) error {
				return s.Update(ctx, func(tx hub.Tx) error { return tx.Enqueue(ctx, hub.Job{Kind: "job", Subject: subject}) })
			}
			require.NoError(t, enqueue("through it"))
			<-inside

			// One transaction is open when it happens.
			var mid error
			require.Error(t, s.Update(ctx, func(tx hub.Tx) error {
				if mid != nil {
					return mid // not again: the database is away
				}
				require.NoError(t, tx.Scores().Put(ctx, &hub.Score{Plugin: "mid"}))
				end(t)
				_, mid = tx.Scores().Get(ctx, "mid")
				return mid
			}))
			require.ErrorIs(t, mid, hub.ErrUnavailable)
			close(goOn)
			for begin := time.Now(); time.Since(begin) < away; {
				allAway(t, s, 3*time.Second)
			}
			d.server.Start(t)
			allThere(t, s)
			require.NoError(t, s.View(ctx, func(tx hub.Tx) error {
				_, err := tx.Scores().Get(ctx, "mid")
				require.ErrorIs(t, err, hub.ErrNotFound)
				return nil
			}))
			require.NoError(t, enqueue("after it"))
			require.Eventually(t, func() bool { _, ok := done.Load("after it"); return ok }, 30*time.Second, 20*time.Millisecond, "jobs go on by themselves")
			n, _ := done.Load("through it")
			require.EqualValues(t, 1, n.(*atomic.Int64).Load(), "a job that ended meanwhile is not done twice")
			require.Eventually(t, func() bool {
				var running int
				err := d.raw().QueryRowContext(ctx, "SELECT count(*) FROM river_job WHERE state <> 'completed'").Scan(&running)
				return err == nil && running == 0
			}, 30*time.Second, 100*time.Millisecond, "what became of it is written down at last")
			cancel()
			require.NoError(t, <-worked)
		})
	}
}

// proxy passes on connections until it is told to hold them.
type proxy struct {
	dir  string
	held atomic.Bool
}

func newProxy(t *testing.T, socket string) *proxy {
	p := &proxy{dir: t.TempDir()}
	l, err := net.Listen("unix", filepath.Join(p.dir, ".s.PGSQL.5432"))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); _ = l.Close() })
	pass := func(to, from net.Conn) {
		defer to.Close()
		defer from.Close()
		buffer := make([]byte, 64<<10)
		for {
			n, err := from.Read(buffer)
			if p.held.Load() {
				<-ctx.Done()
				return
			}
			if _, werr := to.Write(buffer[:n]); err != nil || werr != nil {
				return
			}
		}
	}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", socket)
			if err != nil {
				_ = in.Close()
				continue
			}
			context.AfterFunc(ctx, func() { _ = in.Close(); _ = out.Close() })
			go pass(out, in)
			go pass(in, out)
		}
	}()
	return p
}

// TestSilent has a server that takes connections and bytes, and says nothing any more.
func TestSilent(t *testing.T) {
	d := postgres(t)
	needServer(t, d)
	host, rest, _ := strings.Cut(strings.TrimPrefix(d.source, "host="), " ")
	p := newProxy(t, filepath.Join(host, ".s.PGSQL.5432"))
	d.source = "host=" + p.dir + " " + rest
	s := d.open(sqlstore.Options{Timeout: 500 * time.Millisecond})
	allThere(t, s)
	p.held.Store(true)
	allAway(t, s, 3*time.Second)
	_, err := d.try(sqlstore.Options{Timeout: 500 * time.Millisecond})
	require.ErrorIs(t, err, hub.ErrUnavailable)
}

// TestBusy has another process keep SQLite's write lock.
func TestBusy(t *testing.T) {
	d := sqlite(t)
	s := d.open(sqlstore.Options{Timeout: 300 * time.Millisecond})
	allThere(t, s)
	raw := d.raw()
	conn, err := raw.Conn(t.Context())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.ExecContext(t.Context(), "BEGIN IMMEDIATE")
	require.NoError(t, err)
	for name, call := range calls(s) {
		begin := time.Now()
		switch err := call(t.Context()); name {
		case "ping", "view", "jobs":
			require.NoError(t, err, "%s: reading goes on", name)
		default:
			require.ErrorIs(t, err, hub.ErrUnavailable, name)
		}
		require.Less(t, time.Since(begin), 3*time.Second, name)
	}
	_, err = conn.ExecContext(t.Context(), "ROLLBACK")
	require.NoError(t, err)
	allThere(t, s)
}

// TestDeadline has the caller's own time be the reason.
func TestDeadline(t *testing.T) {
	both(t, func(t *testing.T, e engine) {
		s := e(t).open(sqlstore.Options{})
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := s.Update(ctx, func(tx hub.Tx) error {
			<-ctx.Done()
			return tx.Scores().Put(ctx, &hub.Score{Plugin: "p"})
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, s.View(t.Context(), func(tx hub.Tx) error {
			n, err := tx.Scores().Count(t.Context())
			require.Zero(t, n)
			return err
		}))
	})
}

func TestOpenFails(t *testing.T) {
	_, err := sqlstore.OpenPostgres(t.Context(), "host="+t.TempDir()+" user=nobody dbname=none", sqlstore.Options{})
	require.ErrorIs(t, err, hub.ErrUnavailable)
	_, err = sqlstore.OpenPostgres(t.Context(), "postgres://user:secret-word@host:port/x", sqlstore.Options{})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "secret-word")
	_, err = sqlstore.OpenSQLite(t.Context(), t.TempDir(), sqlstore.Options{})
	require.Error(t, err, "a directory")
}

// TestPrivate has nobody else read the database: not the file, not its log.
func TestPrivate(t *testing.T) {
	d := sqlite(t)
	d.source = filepath.Join(filepath.Dir(d.source), "new", "hub.db")
	s := d.open(sqlstore.Options{})
	allThere(t, s)
	files, err := os.ReadDir(filepath.Dir(d.source))
	require.NoError(t, err)
	require.Len(t, files, 3, "the database, its log, and the index of that")
	for _, f := range files {
		info, err := f.Info()
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o600), info.Mode().Perm(), f.Name())
	}
	info, err := os.Stat(filepath.Dir(d.source))
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o700), info.Mode().Perm())
}

// TestNothingStays looks for goroutines after a store was closed.
func TestNothingStays(t *testing.T) {
	both(t, func(t *testing.T, e engine) {
		d := e(t)
		run := func() {
			s, err := d.try(sqlstore.Options{})
			require.NoError(t, err)
			began := make(chan struct{})
			worked := make(chan error, 1)
			go func() {
				worked <- s.Work(t.Context(), map[string]hub.Handler{"job": func(context.Context, hub.Job) error {
					close(began)
					return nil
				}}, []hub.Periodic{{Kind: "job", Every: time.Hour, Start: true}})
			}()
			<-began
			allThere(t, s)
			require.NoError(t, s.Close())
			require.NoError(t, <-worked)
		}
		// The stacks of what this package and River run, beside what is waited for.
		ours := func() string {
			var all []string
			buffer := make([]byte, 4<<20)
			for stack := range strings.SplitSeq(string(buffer[:runtime.Stack(buffer, true)]), "\n\n") {
				if strings.Contains(stack, "riverqueue/") || strings.Contains(stack, "sqlstore.") || strings.Contains(stack, "database/sql.") {
					if !strings.Contains(stack, "TestNothingStays(") && !strings.Contains(stack, "testing.tRunner") {
						all = append(all, stack)
					}
				}
			}
			return strings.Join(all, "\n\n")
		}
		settled := func() string {
			for deadline := time.Now().Add(10 * time.Second); ours() != "" && time.Now().Before(deadline); {
				time.Sleep(10 * time.Millisecond)
			}
			return ours()
		}
		require.Empty(t, settled(), "left by another test")
		s, err := d.try(sqlstore.Options{})
		require.NoError(t, err)
		require.NotEmpty(t, ours(), "the control: a store that is open")
		require.NoError(t, s.Close())
		for range 3 {
			run()
		}
		require.Empty(t, settled())
	})
}
