package marketplace

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
)

// blocked is the advisories' word on installing a release; empty when there is none.
func (m *Market) blocked(r catalog.Release) string {
	snap, err := m.snapshotOf(r.Plugin, r.Source)
	if err != nil {
		return ""
	}
	for _, a := range snap.Advisories() {
		if a.Action != catalog.ActionWarn && a.Active(m.opt.Now()) && a.Concerns(r) {
			return fmt.Sprintf("blocked by advisory %s: %s", a.ID, a.Title)
		}
	}
	return ""
}

// allowed is the advisories' word on running an installed plugin, from the catalogs
// kept on disk: also without a network.
func (m *Market) allowed(p install.Installed) error {
	snap, err := m.snapshotOf(p.Plugin, p.Source)
	if err != nil {
		return nil // its source is gone: nobody says anything about it
	}
	r := m.releaseOf(p)
	for _, a := range snap.Advisories() {
		if a.Action == catalog.ActionDisable && a.Active(m.opt.Now()) && (a.Concerns(r) || a.ConcernsSigner(p.Signer)) {
			return fmt.Errorf("%s: disabled by advisory %s (%s): %w", p.Ref, a.ID, a.Title, catalog.ErrBlocked)
		}
	}
	return nil
}

// obey stops what an advisory disables by now, and starts again what none does any
// more. Data and place in the installed set stay, so that nothing is lost when an
// advisory is rescinded. Nothing happens when nothing changed; when an operation
// runs, it is left to the next time.
func (m *Market) obey(ctx context.Context) error {
	m.obeying.Lock()
	defer m.obeying.Unlock()
	now := map[catalog.PluginID]bool{}
	for _, p := range m.store.Installed() {
		if p.Enabled && m.allowed(p) != nil {
			now[p.Plugin] = true
		}
	}
	if maps.Equal(now, m.disabled) {
		return nil
	}
	var errs []error
	for _, e := range m.store.Start(ctx) {
		if !errors.Is(e, catalog.ErrBlocked) {
			errs = append(errs, e)
		}
	}
	err := errors.Join(errs...)
	if !errors.Is(err, install.ErrBusy) {
		m.disabled = now
	}
	return err
}

// stopped reports which plugins an advisory keeps from running.
func (m *Market) stopped() map[catalog.PluginID]bool {
	m.obeying.Lock()
	defer m.obeying.Unlock()
	return maps.Clone(m.disabled)
}
