package main

import (
	"errors"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/marketplace/store/storetest"
)

func operationStories() []story {
	const path = "operations/t9"
	ref := catalog.Ref{Plugin: "acme/backup", Version: "2.1.0"}
	broken := func(at install.State, restored bool, err error) func(*storetest.Market) {
		return func(m *storetest.Market) {
			running(install.StateFailed, 0)(m)
			op := &m.Running[0]
			op.Failing, op.Restored, op.Ended = string(at), restored, now
			op.Err = &install.Error{Op: "install", Phase: at, Ref: ref, Restored: restored, Err: err}
			op.Log = []string{"acme/storage 2.1.0 is there already", "acme/backup 2.1.0 fetched, 1.4 MB", "acme/backup 2.1.0: " + err.Error(), "went back"}
		}
	}
	var out []story
	for _, s := range underWay() {
		out = append(out, story{ID: "operation-" + slug(s), Name: "Under way: " + string(s), Path: path, Set: with(running(s, 42))})
	}
	out = append(out,
		story{ID: "operation-no-size", Name: "A download of unknown size", Path: path, Set: with(running(install.StateDownloading, -1))},
		story{ID: "operation-several", Name: "Several plugins at once", Path: path, Set: with(running(install.StateStaging, 0), func(m *storetest.Market) {
			m.Running[0].Title, m.Running[0].Plugins = "Update 3 plugins", []catalog.PluginID{"acme/mailer", "north/metrics", "acme/storage"}
			m.Running[0].Log = []string{"acme/mailer 2.1.0 fetched, 1.7 MB", "north/metrics 2.1.0 fetched, 2.0 MB"}
		})},
		story{ID: "operation-viewer", Name: "Seen by somebody who may only look", Path: path, Set: both(as(viewer), with(running(install.StateVerifying, 0)))},
		story{ID: "operation-done", Name: "Done", Path: path, Set: with(running(install.StateDone, 0), func(m *storetest.Market) {
			m.Running[0].Ended, m.Running[0].Log = now, []string{"acme/backup 2.1.0 started", "health: ok"}
		})},
		story{ID: "operation-cancelled", Name: "Cancelled", Path: path, Set: with(running(install.StateCancelled, 0), func(m *storetest.Market) {
			m.Running[0].Failing, m.Running[0].Ended = string(install.StateDownloading), now
		})},
		story{ID: "operation-unhealthy", Name: "Failed: did not become healthy, and went back", Path: path, Set: with(broken(install.StateChecking, true, install.ErrUnhealthy))},
		story{ID: "operation-restored", Name: "Failed: not reachable, everything as before", Path: path, Set: with(broken(install.StateDownloading, true, catalog.ErrUnavailable))},
		story{ID: "operation-lost", Name: "Failed, and going back could not be confirmed", Path: path, Set: with(broken(install.StateStarting, false, install.ErrInDoubt))},
		story{ID: "operation-recorded", Name: "Failed, as the history remembers it", Path: path, Set: with(running(install.StateFailed, 0), func(m *storetest.Market) {
			op := &m.Running[0]
			op.Failing, op.Restored, op.Ended, op.Err = string(install.StateChecking), true, now, errors.New("health check failed: connection refused by 10.0.0.5:25")
		})},
	)
	return page("Operation", out...)
}

// underWay are the states of an operation that has not ended.
func underWay() []install.State {
	return []install.State{
		install.StateQueued, install.StateResolving, install.StateDownloading, install.StateVerifying,
		install.StateStaging, install.StateStarting, install.StateChecking, install.StateRollingBack,
	}
}

// slug makes a state part of an address.
func slug(s install.State) string { return strings.ReplaceAll(string(s), " ", "-") }

// running adds an operation. percent is of the download; negative: its size is unknown.
func running(s install.State, percent int64) func(*storetest.Market) {
	return func(m *storetest.Market) {
		op := install.Operation{ID: "t9", Title: storetest.InstallBackup().String(), Says: storetest.InstallBackup(), Actor: "ada", State: s, Plugin: "acme/backup", Plugins: []catalog.PluginID{"acme/backup", "north/alerts"}, Started: now.Add(-40 * time.Second)}
		if percent >= 0 {
			op.Done, op.Total = percent, 100
		}
		if s == install.StateRollingBack {
			op.Failing = string(install.StateChecking)
		}
		m.Running = append([]install.Operation{op}, m.Running...)
	}
}
