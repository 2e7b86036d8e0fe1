package sqlstore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/sqlstore"
)

// beat is short, so that a dead process is missed soon.
const beat = 100 * time.Millisecond

// child is what this binary does as another process: SOUK_SQLSTORE_CHILD says what, on
// the database that its arguments name.
func child() {
	ctx := context.Background()
	open := sqlstore.OpenSQLite
	if os.Args[1] == "pgx" {
		open = sqlstore.OpenPostgres
	}
	s, err := open(ctx, os.Args[2], sqlstore.Options{Beat: beat})
	if err == nil {
		switch os.Getenv("SOUK_SQLSTORE_CHILD") {
		case "work":
			err = s.Work(ctx, map[string]hub.Handler{"crash": func(ctx context.Context, j hub.Job) error {
				fmt.Println("began", j.Attempt)
				<-ctx.Done()
				return nil
			}}, nil)
		case "write":
			for n := 1; err == nil; n++ {
				if err = s.Update(ctx, func(tx hub.Tx) error {
					return tx.Settings().Insert(ctx, &hub.Setting{Key: fmt.Sprint(n)})
				}); err == nil {
					fmt.Println(n)
				}
			}
		}
	}
	fmt.Println(err)
	os.Exit(1)
}

// start runs child, and returns its output.
func (d database) start(t *testing.T, what string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), self, d.driver, d.source)
	cmd.Env = append(os.Environ(), "SOUK_SQLSTORE_CHILD="+what)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

// TestKilledWorker kills a process in the middle of a job: another does the job again,
// soon, also when it had but one attempt.
func TestKilledWorker(t *testing.T) {
	both(t, func(t *testing.T, e engine) {
		d := e(t)
		s := d.open(sqlstore.Options{Beat: beat})
		require.NoError(t, s.Update(t.Context(), func(tx hub.Tx) error {
			return tx.Enqueue(t.Context(), hub.Job{Kind: "crash", MaxAttempts: 1})
		}))
		cmd, out := d.start(t, "work")
		require.True(t, out.Scan())
		require.Equal(t, "began 1", out.Text())

		again := make(chan hub.Job, 1)
		ctx, cancel := context.WithCancel(t.Context())
		worked := make(chan error, 1)
		go func() {
			worked <- s.Work(ctx, map[string]hub.Handler{"crash": func(_ context.Context, j hub.Job) error { again <- j; return nil }}, nil)
		}()
		defer func() { cancel(); require.NoError(t, <-worked) }()
		select { // a process that lives keeps its jobs, however long they take
		case <-again:
			require.Fail(t, "a job was taken from a process that lives")
		case <-time.After(15 * beat):
		}
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
		select {
		case j := <-again:
			require.Equal(t, 2, j.Attempt)
		case <-time.After(20 * time.Second):
			require.Fail(t, "the job of a dead process is not done")
		}
	})
}

// TestInherit: a process that knows it is the only one waits for nobody.
func TestInherit(t *testing.T) {
	both(t, func(t *testing.T, e engine) {
		d := e(t)
		const long = time.Hour // nobody is ever missed
		s := d.open(sqlstore.Options{Beat: long, Alone: true})
		require.NoError(t, s.Update(t.Context(), func(tx hub.Tx) error {
			return tx.Enqueue(t.Context(), hub.Job{Kind: "crash"})
		}))
		cmd, out := d.start(t, "work")
		require.True(t, out.Scan())
		require.Equal(t, "began 1", out.Text())
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
		again := make(chan hub.Job, 1)
		ctx, cancel := context.WithCancel(t.Context())
		worked := make(chan error, 1)
		go func() {
			worked <- s.Work(ctx, map[string]hub.Handler{"crash": func(_ context.Context, j hub.Job) error { again <- j; return nil }}, nil)
		}()
		defer func() { cancel(); require.NoError(t, <-worked) }()
		select {
		case j := <-again:
			require.Equal(t, 2, j.Attempt)
		case <-time.After(20 * time.Second):
			require.Fail(t, "the job of a dead process is not done")
		}
	})
}

// TestPoison has a job end every process that touches it: it is given up in the end.
func TestPoison(t *testing.T) {
	both(t, func(t *testing.T, e engine) {
		d := e(t)
		s := d.open(sqlstore.Options{Beat: beat})
		require.NoError(t, s.Update(t.Context(), func(tx hub.Tx) error {
			return tx.Enqueue(t.Context(), hub.Job{Kind: "crash", MaxAttempts: 2})
		}))
		cmd, out := d.start(t, "work")
		require.True(t, out.Scan())
		require.NoError(t, cmd.Process.Kill())
		require.Error(t, cmd.Wait())
		_, err := d.raw().ExecContext(t.Context(), "UPDATE river_job SET attempt = 12") // as if that were the twelfth
		require.NoError(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		worked := make(chan error, 1)
		go func() {
			worked <- s.Work(ctx, map[string]hub.Handler{"crash": func(context.Context, hub.Job) error {
				t.Error("done once more")
				return nil
			}}, nil)
		}()
		require.Eventually(t, func() bool {
			_, failed, err := s.Jobs(ctx)
			return err == nil && failed["crash"] == 1
		}, 20*time.Second, 20*time.Millisecond)
		cancel()
		require.NoError(t, <-worked)
	})
}

// TestKilledWriter kills a process that writes: what it was told is kept is kept.
func TestKilledWriter(t *testing.T) {
	both(t, func(t *testing.T, e engine) {
		d := e(t)
		s := d.open(sqlstore.Options{})
		cmd, out := d.start(t, "write")
		said := 0
		for out.Scan() {
			said++
			require.Equal(t, fmt.Sprint(said), strings.TrimSpace(out.Text()))
			if said == 50 {
				require.NoError(t, cmd.Process.Kill())
			}
		}
		require.Error(t, cmd.Wait())
		require.GreaterOrEqual(t, said, 50)
		require.NoError(t, s.View(t.Context(), func(tx hub.Tx) error {
			n, err := tx.Settings().Count(t.Context())
			require.NoError(t, err)
			require.GreaterOrEqual(t, n, int64(said))
			require.LessOrEqual(t, n, int64(said+1), "and at most the one that was not confirmed")
			_, err = tx.Settings().Get(t.Context(), fmt.Sprint(said))
			return err
		}))
	})
}

// TestSweep has a row keep a job from being added whose own is gone, which only a hand
// in the database can cause: it is swept away.
func TestSweep(t *testing.T) {
	both(t, func(t *testing.T, e engine) {
		d, ctx := e(t), t.Context()
		s := d.open(sqlstore.Options{Beat: beat})
		add := func() int {
			require.NoError(t, s.Update(ctx, func(tx hub.Tx) error {
				return tx.Enqueue(ctx, hub.Job{Kind: "gone"}, hub.Job{Kind: "waits"})
			}))
			waiting, _, err := s.Jobs(ctx)
			require.NoError(t, err)
			require.Equal(t, 1, waiting["waits"], "what does wait is not added again")
			return waiting["gone"]
		}
		require.Equal(t, 1, add())
		_, err := d.raw().ExecContext(ctx, "DELETE FROM river_job WHERE kind = 'gone'")
		require.NoError(t, err)
		require.Equal(t, 0, add(), "the control")
		work, cancel := context.WithCancel(ctx)
		worked := make(chan error, 1)
		go func() {
			worked <- s.Work(work, map[string]hub.Handler{"none": func(context.Context, hub.Job) error { return nil }}, nil)
		}()
		require.Eventually(t, func() bool { return add() == 1 }, 10*time.Second, beat)
		require.Equal(t, 1, add())
		cancel()
		require.NoError(t, <-worked)
	})
}
