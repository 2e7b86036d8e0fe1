package install_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
)

const (
	backup = catalog.PluginID("acme/backup")
	base   = catalog.PluginID("acme/base")
)

func TestInstallUpdateRemove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	lib, one := w.release(base, "1.0.0"), w.release(backup, "1.0.0", needs(base))

	p := w.plan(lib, one)
	assert.Equal(t, "Install 2 plugins", p.Title)
	assert.Equal(t, lib.Size+one.Size, p.Download)
	var states []install.State
	tx, err := w.s.Apply(t.Context(), p, all(p), install.Events{State: func(st install.State, _ catalog.PluginID) { states = append(states, st) }})
	require.NoError(t, err)
	assert.Equal(t, uint64(0), tx.From)
	assert.Equal(t, uint64(1), tx.To)
	assert.Equal(t, []install.State{
		install.StateResolving, install.StateDownloading, install.StateDownloading, install.StateVerifying, install.StateStaging,
		install.StateStarting, install.StateChecking, install.StateDone,
	}, states)
	assert.Equal(t, []string{"prepare acme/base@1.0.0", "prepare acme/backup@1.0.0", "activate acme/base@1.0.0", "activate acme/backup@1.0.0"}, w.host.Calls())
	in := w.host.Running()[backup]
	b, err := os.ReadFile(filepath.Join(in.Dir, "VERSION"))
	require.NoError(t, err)
	assert.Equal(t, "1.0.0", string(b))
	assert.True(t, in.Enabled)
	assert.Equal(t, installtest.Signer("acme").ID(), in.Signer)
	fi, err := os.Stat(filepath.Join(in.Dir, "bin", "run"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o555), fi.Mode())

	w.writeData(backup, "db", "old data")
	before := w.data(backup)
	two := w.release(backup, "2.0.0", schema(2), needs(base))
	w.host.OnMigrate = func(_ context.Context, from, to install.Installed) error {
		assert.Equal(t, before, from.DataDir)
		return os.WriteFile(filepath.Join(to.DataDir, "db"), []byte("new data"), 0o600)
	}
	p = w.plan(lib, two)
	assert.Equal(t, "Update backup to 2.0.0", p.Title)
	assert.Equal(t, install.ActUpdate, p.Steps[0].Action)
	_, err = w.s.Apply(t.Context(), p, all(p), install.Events{})
	require.NoError(t, err)
	assert.Equal(t, []string{"prepare acme/backup@2.0.0", "deactivate acme/backup", "migrate acme/backup@1.0.0 to acme/backup@2.0.0", "activate acme/backup@2.0.0"}, w.host.Calls())
	assert.Equal(t, "new data", w.readData(backup, "db"))
	b, err = os.ReadFile(filepath.Join(before, "db"))
	require.NoError(t, err)
	assert.Equal(t, "old data", string(b))

	require.NoError(t, w.apply(lib))
	assert.Equal(t, []string{"acme/base@1.0.0"}, w.host.Versions())
	list, err := w.s.History()
	require.NoError(t, err)
	require.Len(t, list, 3)
	assert.Equal(t, install.ActRemove, list[0].Changes[0].Action)
	assert.Equal(t, "Update backup to 2.0.0", list[1].Title)
	assert.Equal(t, install.HistoryStep{Action: install.ActUpdate, Plugin: backup, From: "1.0.0", To: "2.0.0"}, list[1].Changes[0])
	for _, e := range list {
		assert.Equal(t, install.StateDone, e.State)
		assert.Equal(t, "admin", e.Actor)
	}
	gens, err := w.s.Generations()
	require.NoError(t, err)
	assert.Len(t, gens, 4)
	assert.Equal(t, []string{"acme/base@1.0.0"}, w.settled().Versions())
}

func TestUnchangedSchemaSharesData(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	require.NoError(t, w.apply(w.release(backup, "1.0.0")))
	w.writeData(backup, "db", "x")
	dir := w.data(backup)
	require.NoError(t, w.apply(w.release(backup, "1.1.0")))
	assert.Equal(t, dir, w.data(backup))
	assert.NotContains(t, w.host.Calls(), "migrate acme/backup@1.0.0 to acme/backup@1.1.0")
}

func TestUnhealthyGoesBackByItself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.o.Gate.Within = 100 * time.Millisecond
	w.start()
	require.NoError(t, w.apply(w.release(base, "1.0.0"), w.release(backup, "1.0.0")))
	w.writeData(backup, "db", "old data")
	w.host.Calls()
	w.host.OnHealth = func(_ context.Context, p install.Installed) error {
		if p.Version == "2.0.0" {
			return errors.New("port is taken")
		}
		return nil
	}
	gens := w.s.Current().N
	err := w.apply(w.release(base, "1.0.0"), w.release(backup, "2.0.0", schema(2)))
	require.ErrorIs(t, err, install.ErrUnhealthy)
	e, ok := errors.AsType[*install.Error](err)
	require.True(t, ok)
	assert.True(t, e.Restored)
	assert.Equal(t, install.StateChecking, e.Phase)
	assert.Contains(t, err.Error(), "port is taken")
	assert.Equal(t, []string{"acme/backup@1.0.0", "acme/base@1.0.0"}, w.host.Versions())
	assert.Equal(t, "old data", w.readData(backup, "db"))
	assert.Equal(t, gens, w.s.Current().N)
	list, err := w.s.History()
	require.NoError(t, err)
	assert.Equal(t, install.StateFailed, list[0].State)
	assert.Contains(t, list[0].Error, "port is taken")
	assert.Equal(t, []string{"acme/backup@1.0.0", "acme/base@1.0.0"}, w.settled().Versions())
}

func TestHealthBaselineAndUnknown(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		health func(p install.Installed) error
		kept   bool
	}{
		{"unhealthy before proves nothing", func(install.Installed) error { return errors.New("always bad") }, true},
		{"unknown is kept", func(install.Installed) error { return install.ErrHealthUnknown }, true},
		{"breaks another that was healthy", nil, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.o.Gate.Within = 100 * time.Millisecond
			w.start()
			lib := w.release(base, "1.0.0")
			require.NoError(t, w.apply(lib, w.release(backup, "1.0.0")))
			w.host.OnHealth = func(_ context.Context, p install.Installed) error {
				if tc.kept {
					return tc.health(p)
				}
				if p.Plugin == base && w.host.Running()[backup].Version == "2.0.0" {
					return errors.New("dependant broke")
				}
				return nil
			}
			err := w.apply(lib, w.release(backup, "2.0.0"))
			if tc.kept {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, install.ErrUnhealthy)
			assert.Contains(t, err.Error(), "acme/base@1.0.0")
		})
	}
}

func TestRollbackByHand(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	require.NoError(t, w.apply(w.release(backup, "1.0.0")))
	w.writeData(backup, "db", "old data")
	require.NoError(t, w.apply(w.release(backup, "2.0.0", schema(2)), w.release(base, "1.0.0")))
	w.writeData(backup, "db", "new data")
	opens := w.supply.Calls("Open")

	p, err := w.s.PlanRollback(1, install.PlanOptions{})
	require.NoError(t, err)
	assert.Equal(t, "Go back to generation 1", p.Title)
	assert.Equal(t, uint64(1), p.Rollback)
	require.Len(t, p.Steps, 2)
	assert.Equal(t, install.ActDowngrade, p.Steps[0].Action)
	assert.Equal(t, install.ActRemove, p.Steps[1].Action)
	assert.NotEmpty(t, p.Warnings, "it says that data goes back")
	w.supply.Refuse = func(catalog.Release) error { return catalog.ErrUnavailable } // no network is needed
	_, err = w.s.Apply(t.Context(), p, all(p), install.Events{})
	require.NoError(t, err)
	assert.Equal(t, opens, w.supply.Calls("Open"))
	assert.Equal(t, []string{"acme/backup@1.0.0"}, w.host.Versions())
	assert.Equal(t, "old data", w.readData(backup, "db"))
	assert.Equal(t, uint64(3), w.s.Current().N)

	p, err = w.s.PlanRollback(2, install.PlanOptions{}) // and forward again
	require.NoError(t, err)
	_, err = w.s.Apply(t.Context(), p, all(p), install.Events{})
	require.NoError(t, err)
	assert.Equal(t, "new data", w.readData(backup, "db"))
	_, err = w.s.PlanRollback(99, install.PlanOptions{})
	require.ErrorIs(t, err, catalog.ErrNotFound)
	w.settled()
}

func TestOldGenerationsGoAndKeptOnesStay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.o.Keep = 3
	w.start()
	for _, v := range []string{"1.0.0", "2.0.0", "3.0.0", "4.0.0", "5.0.0"} {
		require.NoError(t, w.apply(w.release(backup, v, schema(int(v[0])))))
	}
	gens, err := w.s.Generations()
	require.NoError(t, err)
	var kept []uint64
	for _, g := range gens {
		kept = append(kept, g.N)
	}
	assert.Equal(t, []uint64{5, 4, 3}, kept)
	for dir, want := range map[string]int{"store": 3, "gen": 3, "data/acme/backup": 3} {
		list, err := os.ReadDir(filepath.Join(w.dir, dir))
		require.NoError(t, err)
		assert.Len(t, list, want, dir)
	}
	require.NoError(t, w.apply()) // remove all; data stays as long as a kept generation has it
	_, err = os.Stat(filepath.Join(w.dir, "data/acme/backup/0000000005"))
	require.NoError(t, err)
	require.NoError(t, w.apply(w.release(base, "1.0.0")))
	require.NoError(t, w.apply(w.release(base, "2.0.0")))
	require.NoError(t, w.apply(w.release(base, "3.0.0")))
	_, err = os.Stat(filepath.Join(w.dir, "data/acme/backup"))
	require.ErrorIs(t, err, os.ErrNotExist)
	w.settled()
}

func TestStalePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	a, b := w.plan(w.release(backup, "1.0.0")), w.plan(w.release(base, "1.0.0"))
	errs := make(chan error, 2)
	for _, p := range []*install.Plan{a, b} {
		go func() {
			_, err := w.s.Apply(t.Context(), p, all(p), install.Events{})
			errs <- err
		}()
	}
	first, second := <-errs, <-errs
	if first == nil {
		first = second
	} else {
		require.NoError(t, second)
	}
	require.Error(t, first)
	assert.True(t, errors.Is(first, install.ErrStalePlan) || errors.Is(first, install.ErrBusy), "%v", first)
	var lost *install.Plan
	for _, p := range []*install.Plan{a, b} {
		if _, won := w.s.Current().Plugins[p.Steps[0].Release.Plugin]; !won {
			lost = p
		}
	}
	_, err := w.s.Apply(t.Context(), lost, all(lost), install.Events{})
	require.ErrorIs(t, err, install.ErrStalePlan)
	assert.Len(t, w.s.Installed(), 1)
}

func TestCancelBeforeStarting(t *testing.T) {
	t.Parallel()
	for _, at := range []install.State{install.StateResolving, install.StateDownloading, install.StateVerifying, install.StateStaging, install.StateStarting, install.StateChecking} {
		t.Run(string(at), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.start()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := w.plan(w.release(backup, "1.0.0"))
			_, err := w.s.Apply(ctx, p, all(p), install.Events{State: func(st install.State, _ catalog.PluginID) {
				if st == at {
					cancel()
				}
			}})
			if at == install.StateChecking {
				require.NoError(t, err, "it is too late")
				return
			}
			require.ErrorIs(t, err, context.Canceled)
			e, ok := errors.AsType[*install.Error](err)
			require.True(t, ok)
			assert.True(t, e.Restored)
			list, err := w.s.History()
			require.NoError(t, err)
			assert.Equal(t, install.StateCancelled, list[0].State)
			assert.Empty(t, w.host.Versions())
			assert.Empty(t, w.settled().Versions())
		})
	}
}

func TestHostFailures(t *testing.T) {
	t.Parallel()
	bad := func(p install.Installed) bool { return p.Version == "2.0.0" }
	boom := errors.New("boom")
	for name, arm := range map[string]func(h *installtest.Host){
		"prepare": func(h *installtest.Host) {
			h.OnPrepare = func(context.Context, install.Installed) error { return boom }
		},
		"migrate": func(h *installtest.Host) {
			h.OnMigrate = func(context.Context, install.Installed, install.Installed) error { return boom }
		},
		"activate": func(h *installtest.Host) {
			h.OnActivate = func(_ context.Context, p install.Installed) error {
				if bad(p) {
					return boom
				}
				return nil
			}
		},
		"activate panics": func(h *installtest.Host) {
			h.OnActivate = func(_ context.Context, p install.Installed) error {
				if bad(p) {
					panic("boom")
				}
				return nil
			}
		},
		"activate hangs": func(h *installtest.Host) {
			h.OnActivate = func(ctx context.Context, p install.Installed) error {
				if bad(p) {
					<-ctx.Done()
					return errors.New("boom")
				}
				return nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.o.HookTimeout = 50 * time.Millisecond
			if name != "activate hangs" {
				w.o.HookTimeout = time.Minute
			}
			w.start()
			require.NoError(t, w.apply(w.release(backup, "1.0.0")))
			arm(w.host)
			err := w.apply(w.release(backup, "2.0.0", schema(2)))
			require.Error(t, err)
			e, ok := errors.AsType[*install.Error](err)
			require.True(t, ok)
			assert.True(t, e.Restored)
			assert.Equal(t, backup, e.Ref.Plugin)
			assert.Equal(t, []string{"acme/backup@1.0.0"}, w.host.Versions())
			assert.Equal(t, []string{"acme/backup@1.0.0"}, w.settled().Versions())
		})
	}
}

func TestObjectsAreReusedOnlyWhenWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	one, two := w.release(backup, "1.0.0"), w.release(backup, "2.0.0")
	require.NoError(t, w.apply(one))
	dir := w.s.Current().Plugins[backup].Dir
	require.NoError(t, w.apply(two))
	p := w.plan(one)
	assert.Zero(t, p.Download, "it is here already")
	require.NoError(t, w.apply(one))
	assert.Equal(t, 2, w.supply.Calls("Open"))

	require.NoError(t, w.apply(two))
	require.NoError(t, os.Chmod(filepath.Join(dir, "VERSION"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "VERSION"), []byte("6.6.6"), 0o600))
	require.NoError(t, os.Chmod(filepath.Join(dir, "VERSION"), 0o444))
	roll, err := w.s.PlanRollback(1, install.PlanOptions{})
	require.NoError(t, err)
	_, err = w.s.Apply(t.Context(), roll, all(roll), install.Events{})
	require.ErrorIs(t, err, install.ErrModified)
	require.NoError(t, w.apply(one), "a damaged object is downloaded again")
	assert.Equal(t, 3, w.supply.Calls("Open"))
	w.settled()
}

func TestStartVerifiesWhatItLoads(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, dir string){
		"changed": func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "VERSION")))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "VERSION"), []byte("9.9.9"), 0o444))
		},
		"removed":    func(t *testing.T, dir string) { require.NoError(t, os.Remove(filepath.Join(dir, "VERSION"))) },
		"added":      func(t *testing.T, dir string) { require.NoError(t, os.WriteFile(filepath.Join(dir, "x"), nil, 0o444)) },
		"executable": func(t *testing.T, dir string) { require.NoError(t, os.Chmod(filepath.Join(dir, "VERSION"), 0o555)) },
		"link": func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "VERSION")))
			require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(dir, "VERSION")))
		},
		"manifest": func(t *testing.T, dir string) {
			require.NoError(t, os.Remove(filepath.Join(dir, "..", "MANIFEST")))
			require.NoError(t, os.WriteFile(filepath.Join(dir, "..", "MANIFEST"), nil, 0o444))
		},
		"gone": func(t *testing.T, dir string) { require.NoError(t, os.RemoveAll(filepath.Dir(dir))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.start()
			require.NoError(t, w.apply(w.release(backup, "1.0.0"), w.release(base, "1.0.0", func(m *catalog.Manifest) { m.Name = "Other" })))
			_, err := w.s.Verify(t.Context(), backup)
			require.NoError(t, err)
			damage(t, w.s.Current().Plugins[backup].Dir)
			_, err = w.s.Verify(t.Context(), backup)
			require.ErrorIs(t, err, install.ErrModified)
			require.Error(t, w.s.Check(t.Context()))
			require.NoError(t, w.s.Close())
			w.host = &installtest.Host{}
			w.o.Host = w.host
			w.open()
			bad := w.s.Start(t.Context())
			require.Len(t, bad, 1)
			require.ErrorIs(t, bad[0], install.ErrModified)
			assert.Equal(t, backup, bad[0].Plugin.Plugin)
			assert.Equal(t, []string{"acme/base@1.0.0"}, w.host.Versions())
		})
	}
}

func TestAllowStopsWhatAnAdvisoryDisables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	disabled := false
	w.o.Allow = func(p install.Installed) error {
		if disabled && p.Plugin == backup {
			return catalog.ErrBlocked
		}
		return nil
	}
	w.start()
	one := w.release(backup, "1.0.0")
	require.NoError(t, w.apply(one))
	disabled = true
	bad := w.s.Start(t.Context())
	require.Len(t, bad, 1)
	require.ErrorIs(t, bad[0], catalog.ErrBlocked)
	assert.Empty(t, w.host.Versions())
	_, err := w.s.Verify(t.Context(), backup)
	require.ErrorIs(t, err, catalog.ErrBlocked)
	require.NoError(t, w.apply())
	require.ErrorIs(t, w.apply(one), catalog.ErrBlocked)
	_, err = w.s.PlanRollback(1, install.PlanOptions{})
	require.ErrorIs(t, err, catalog.ErrBlocked)
	disabled = false
	require.NoError(t, w.apply(one))
}

func TestSupplyRefusesAndLies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.start()
	w.supply.Refuse = func(catalog.Release) error { return catalog.ErrExpired }
	r := w.release(backup, "1.0.0")
	require.ErrorIs(t, w.apply(r), catalog.ErrExpired)
	w.supply.Refuse = nil
	cut := errors.New("connection reset")
	w.supply.Wrap = func(_ catalog.Release, rc io.ReadCloser) io.ReadCloser {
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(io.LimitReader(rc, 100), errReader{cut}), rc}
	}
	require.ErrorIs(t, w.apply(r), cut)
	w.supply.Wrap = nil
	require.NoError(t, w.apply(r))
	assert.True(t, slices.Contains(w.host.Versions(), "acme/backup@1.0.0"))
}

type errReader struct{ err error }

func (r errReader) Read([]byte) (int, error) { return 0, r.err }
