package store

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/verify"
)

const (
	maxAsking  = 8               // plugins whose health is asked for at the same time
	healthWait = 2 * time.Second // for all of them, on the pages that are about it
	// quickWait is what a page with cards waits for the answers that are too old. What
	// does not answer in time is not known, and not asked again before quickAge.
	quickWait = 40 * time.Millisecond
	quickAge  = 5 * time.Second
)

// healthBook remembers what plugins said of themselves, so that a page full of cards
// does not ask each of them. It is safe for concurrent use.
type healthBook struct {
	mu   sync.Mutex
	said map[catalog.PluginID]answer
}

type answer struct {
	digest verify.Digest // of the release that was asked
	at     time.Time
	err    error
}

// note takes over the answers about all that is installed, and forgets the rest.
func (b *healthBook) note(all []install.Installed, said []error, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = make(map[catalog.PluginID]answer, len(all))
	for i, p := range all {
		b.said[p.Plugin] = answer{p.Digest, now, said[i]}
	}
}

// fresh returns the answers that are young enough, and whether these are all.
func (b *healthBook) fresh(all []install.Installed, now time.Time) (map[catalog.PluginID]error, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := make(map[catalog.PluginID]error, len(all))
	for _, p := range all {
		a, ok := b.said[p.Plugin]
		age := now.Sub(a.at)
		if !ok || a.digest != p.Digest || age < 0 || age > quickAge {
			return nil, false
		}
		out[p.Plugin] = a.err
	}
	return out, true
}

// quick returns who says how a plugin is, for pages that are not about that. Nobody is
// asked before it is called.
func (h *shop) quick(all []install.Installed) func(catalog.PluginID) error {
	said := sync.OnceValue(func() map[catalog.PluginID]error {
		if known, ok := h.health.fresh(all, h.o.Now()); ok {
			return known
		}
		ctx, cancel := context.WithTimeout(context.Background(), quickWait)
		defer cancel()
		errs := h.healths(ctx, all)
		return maps.Collect(func(yield func(catalog.PluginID, error) bool) {
			for i, p := range all {
				if !yield(p.Plugin, errs[i]) {
					return
				}
			}
		})
	})
	return func(id catalog.PluginID) error { return said()[id] }
}

// healths asks how all plugins are, a few at a time, until ctx ends.
func (h *shop) healths(ctx context.Context, all []install.Installed) []error {
	out := make([]error, len(all))
	slots := make(chan struct{}, maxAsking)
	var wg sync.WaitGroup
	for i, p := range all {
		if !p.Enabled {
			continue
		}
		wg.Go(func() {
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
				out[i] = h.m.Health(ctx, p.Plugin)
			case <-ctx.Done():
				out[i] = ctx.Err()
			}
		})
	}
	wg.Wait()
	h.health.note(all, out, h.o.Now())
	return out
}

// unwell reports whether an answer says that the plugin does not work.
func unwell(err error) bool {
	return err != nil && !errors.Is(err, install.ErrHealthUnknown) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
}

// ail adds to the standing of an installed plugin what its health says. That an update
// failed says less than that it does not run.
func (h *shop) ail(s *standing, err error) {
	switch {
	case s.Disabled:
		s.State, s.Why, s.Cause, s.Failed = standDisabled, h.text.T("disabled.why"), "", nil
	case errors.Is(err, catalog.ErrBlocked):
		s.State, s.Why, s.Cause, s.Failed = standRevoked, h.text.T("revoked.why"), oneLine(innermost(err).Error(), maxCause), nil
	case errors.Is(err, install.ErrNeedsRestart):
		s.State, s.Why, s.Cause, s.Failed = standRestart, h.text.T("restart.why"), "", nil
	case unwell(err):
		s.State, s.Why, s.Cause, s.Failed = standCrashed, h.text.T("crashed.why"), oneLine(err.Error(), maxCause), nil
	}
}

// revoked says which advisory stops an installed release; empty for none.
func (h *shop) revoked(p catalog.Plugin, i install.Installed) string {
	rel := catalog.Release{Ref: i.Ref, Digest: i.Digest}
	for _, a := range p.Advisories {
		if a.Action == catalog.ActionDisable && a.Active(h.o.Now()) && (a.Concerns(rel) || a.ConcernsSigner(i.Signer)) {
			return h.text.T("installed.revoked", a.ID, oneLine(a.Title, 200))
		}
	}
	return ""
}

// healthPage is one installed plugin, how it is, and what can be done about it.
type healthPage struct {
	Name     string
	Icon     string
	Standing standing
	Last     *entryRow // the last change of it
	Back     uint64    // the newest restore point with another release of it that may be gone back to; 0: none
	BackTo   string    // the version there
}

// healthOf shows how an installed plugin is: where the word "Details" beside a crashed or
// revoked plugin leads.
func (h *shop) healthOf(w http.ResponseWriter, r *http.Request, a Actor) error {
	id, err := pluginID(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(r.Context(), healthWait)
	defer cancel()
	h.healths(ctx, h.m.Installed())
	on := h.panel()
	here, ok := on.here[id]
	if !ok {
		return catalog.ErrNotFound
	}
	c := healthPage{Name: h.nameOf(id, here.Manifest), Standing: h.installedStanding(on, a, here)}
	if entries, err := h.m.History(); err == nil { // the history says what is wrong with it
		for _, e := range entries {
			if slices.ContainsFunc(e.Changes, func(s install.HistoryStep) bool { return s.Plugin == id }) {
				row := h.entryRow(e)
				c.Last = &row
				break
			}
		}
	}
	if points, err := h.m.Generations(); err == nil && len(points) > 0 {
		for _, g := range points[1:] {
			if was, there := g.Plugins[id]; there && was.Version != here.Version {
				if why, _ := h.barred(g, points[0]); len(why) > 0 {
					continue
				}
				c.Back, c.BackTo = g.N, was.Version
				break
			}
		}
	}
	h.show(w, r, a, http.StatusOK, "health", &page{Title: c.Name, Nav: "installed", Notices: h.shelfNotices(), Content: c, Refresh: on.running()})
	return nil
}

// installedStanding is the whole standing of something installed, also of what no catalog
// lists any more.
func (h *shop) installedStanding(on panel, a Actor, i install.Installed) standing {
	q, err := h.m.Plugin(i.Plugin)
	if err != nil { // no longer listed: it stays installed and is shown
		return h.standing(on, a, catalog.Listing{ID: i.Plugin, Latest: i.Version}, i.Source)
	}
	return h.judge(h.standing(on, a, q.Listing, i.Source), q)
}

// nameOf is the name of an installed plugin for people.
func (h *shop) nameOf(id catalog.PluginID, m catalog.Manifest) string {
	if q, err := h.m.Plugin(id); err == nil { // in the language of the pages
		if name, _ := h.words(q.Listing); name != "" {
			return name
		}
	}
	if name := oneLine(m.Name, 200); name != "" {
		return name
	}
	return string(id)
}
