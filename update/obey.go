package update

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
)

// advisoryKey begins the entries of State.Told that are about advisories.
const advisoryKey = "advisory "

func isAdvisory(key string) bool { return strings.HasPrefix(key, advisoryKey) }

// obey does what the advisories in force ask about what is installed: it tells of
// each once, stops what is to be stopped, and lets run again what it had stopped
// itself when the advisory was rescinded or no longer concerns what is installed.
func (r *Runner) obey(ctx context.Context, facts Facts) error {
	var errs []error
	var keys []string
	var events []Event
	disabled := r.State().Disabled
	for _, id := range slices.Sorted(maps.Keys(facts.Generation.Plugins)) {
		p := facts.Generation.Plugins[id]
		s := snapshot(facts, p.Source)
		if s == nil {
			continue // what cannot be read says neither that nor the contrary
		}
		var stop *catalog.Advisory
		for _, a := range s.Advisories() {
			if !a.Active(r.now()) || !concerns(a, p) {
				continue
			}
			keys = append(keys, fmt.Sprintf("%s %s %s", a.ID, a.Action, p.Ref))
			events = append(events, Event{Kind: KindAdvisory, Title: a.Title, Advisory: &a, Changes: unchanged(p),
				Reason: fmt.Sprintf("It concerns %s, which is installed.", p.Ref)})
			if a.Action == catalog.ActionDisable && stop == nil {
				stop = &a
			}
		}
		switch by, ours := disabled[id]; {
		case stop != nil && p.Enabled:
			errs = append(errs, r.setEnabled(ctx, p, false, *stop))
		case stop == nil && ours:
			if a, known := lifted(s, by, p, r.now()); known {
				errs = append(errs, r.setEnabled(ctx, p, true, a))
			}
		}
	}
	errs = append(errs, r.tell(ctx, advisoryKey, keys, events))
	return errors.Join(errs...)
}

// lifted finds the advisory by which we stopped p, and reports that it is still there
// and lets p run. One that is merely missing from a catalog lifts nothing.
func lifted(s *catalog.Snapshot, id string, p install.Installed, now time.Time) (catalog.Advisory, bool) {
	all := s.Advisories()
	i := slices.IndexFunc(all, func(a catalog.Advisory) bool { return a.ID == id })
	if i < 0 {
		return catalog.Advisory{}, false
	}
	return all[i], !all[i].Active(now) || !concerns(all[i], p)
}

func (r *Runner) setEnabled(ctx context.Context, p install.Installed, on bool, a catalog.Advisory) error {
	if on && p.Enabled { // a person was faster
		return r.change(ctx, func(s *State) { delete(s.Disabled, p.Plugin) })
	}
	e := Event{Kind: KindAdvisory, Advisory: &a, Changes: unchanged(p),
		Title: fmt.Sprintf("%s was stopped", p.Ref), Reason: fmt.Sprintf("Advisory %s: %s", a.ID, a.Title)}
	if on {
		e.Title, e.Reason = fmt.Sprintf("%s runs again", p.Ref), fmt.Sprintf("Advisory %s does not hold any more.", a.ID)
	}
	if err := r.market.SetEnabled(ctx, p.Plugin, on, e.Reason); err != nil {
		return fmt.Errorf("obey advisory %s on %s: %w", a.ID, p.Ref, err)
	}
	err := r.change(ctx, func(s *State) {
		if on {
			delete(s.Disabled, p.Plugin)
			return
		}
		if s.Disabled == nil {
			s.Disabled = make(map[catalog.PluginID]string)
		}
		s.Disabled[p.Plugin] = a.ID
	})
	r.notify(ctx, e)
	return err
}

func concerns(a catalog.Advisory, p install.Installed) bool {
	return a.Concerns(release(p)) || a.ConcernsSigner(p.Signer)
}

func snapshot(facts Facts, source string) *catalog.Snapshot {
	for _, s := range facts.Snapshots {
		if s != nil && s.Source() == source {
			return s
		}
	}
	return nil
}

func unchanged(p install.Installed) []install.HistoryStep {
	return []install.HistoryStep{{Plugin: p.Plugin, From: p.Version, To: p.Version}}
}
