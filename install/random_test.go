package install_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/install/installtest"
	"github.com/souk-dev/souk/sandbox/safefs/safefstest"
)

// Random sequences of changes, failures, faults of the disk and restarts, against a
// model that is a map.
func TestRandomSequences(t *testing.T) {
	t.Parallel()
	ids := []catalog.PluginID{"acme/aa", "acme/bb", "acme/cc"}
	rapid.Check(t, func(rt *rapid.T) {
		in := &safefstest.Injector{}
		quick := safefstest.How{NoSync: true}
		in.Arm(0, quick)
		w := crashWorld(t, in)
		w.o.Gate.Within = 50 * time.Millisecond // is waited for when one is sick
		sick := ""
		w.host.OnHealth = func(_ context.Context, p install.Installed) error {
			if p.Ref.String() == sick {
				return errors.New("sick")
			}
			return nil
		}
		w.start()
		model := map[catalog.PluginID]string{}
		check := func() {
			want := names(model)
			require.Equal(t, want, versions(w.s))
			require.Equal(t, want, w.host.Versions(), "the last call of the Host matches")
		}
		// change applies one random change and says what the set is when it succeeds.
		change := func() (map[catalog.PluginID]string, error) {
			next := maps.Clone(model)
			if gens, err := w.s.Generations(); err == nil && len(gens) > 1 && rapid.IntRange(0, 4).Draw(rt, "roll back") == 0 {
				clear(next)
				for id, p := range gens[1].Plugins {
					next[id] = p.Version
				}
				p, err := w.s.PlanRollback(gens[1].N, install.PlanOptions{})
				require.NoError(t, err)
				if len(p.Steps) == 0 {
					return next, nil
				}
				_, err = w.s.Apply(t.Context(), p, all(p), install.Events{})
				return next, err
			}
			id := rapid.SampledFrom(ids).Draw(rt, "plugin")
			if _, had := next[id]; had && rapid.Bool().Draw(rt, "remove") {
				delete(next, id)
			} else {
				next[id] = fmt.Sprintf("%d.0.0", rapid.IntRange(1, 4).Draw(rt, "version"))
			}
			var set []catalog.Release
			for _, other := range slices.Sorted(maps.Keys(next)) {
				set = append(set, w.release(other, next[other], schema(int(next[other][0])/2)))
			}
			if maps.Equal(next, model) {
				return next, nil
			}
			return next, w.apply(set...)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"change": func(*rapid.T) {
				next, err := change()
				require.NoError(t, err)
				model = next
			},
			"sick": func(rt *rapid.T) {
				sick = string(rapid.SampledFrom(ids).Draw(rt, "sick")) + "@3.0.0"
				defer func() { sick = "" }()
				next, err := change()
				if err == nil {
					model = next
					return
				}
				require.ErrorIs(t, err, install.ErrUnhealthy)
			},
			"fault": func(rt *rapid.T) {
				how := safefstest.How{Err: syscall.EIO, NoSync: true, After: rapid.Bool().Draw(rt, "after"), Persist: rapid.Bool().Draw(rt, "persist")}
				in.Arm(rapid.Uint64Range(20, 140).Draw(rt, "at"), how)
				var next map[catalog.PluginID]string
				var err error
				func() {
					defer in.Arm(0, quick)
					next, err = change()
				}()
				switch {
				case err == nil:
					model = next
				case errors.Is(err, install.ErrInDoubt):
					require.NoError(t, w.s.Recover(t.Context()))
					if fmt.Sprint(versions(w.s)) != fmt.Sprint(names(model)) {
						require.Equal(t, names(next), versions(w.s))
						model = next
					}
				}
			},
			"restart": func(*rapid.T) {
				require.NoError(t, w.s.Close())
				w.host = &installtest.Host{OnHealth: w.host.OnHealth, OnMigrate: w.host.OnMigrate}
				w.o.Host = w.host
				w.start()
				require.NoError(t, w.s.Check(t.Context()))
			},
			"": func(*rapid.T) { check() },
		})
		require.NoError(t, w.s.Recover(t.Context())) // the end of the last change may not be written down yet
		w.settled()
	})
}

func names(set map[catalog.PluginID]string) []string {
	out := []string{}
	for id, v := range set {
		out = append(out, string(id)+"@"+v)
	}
	slices.Sort(out)
	return out
}
