package marketplace

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox/phrase"
	"github.com/souk-dev/souk/verify"
)

// blocked is the advisories' word on installing a release; empty when there is none.
func (m *Market) blocked(r catalog.Release) string {
	snap, err := m.snapshotOf(r.Plugin, r.Source)
	if err != nil {
		return ""
	}
	for _, a := range snap.Advisories() {
		if m.forbids(a) && a.Concerns(r) {
			return blockedBy(a)
		}
	}
	if may, against := m.maySign(snap, r); len(may) == 0 && against != nil {
		return blockedBy(*against)
	}
	return ""
}

// forbids reports whether an advisory in force keeps what it is about from being installed.
func (m *Market) forbids(a catalog.Advisory) bool {
	return a.Action != catalog.ActionWarn && a.Active(m.opt.Now())
}

const byAdvisory = "blocked by advisory "

func blockedBy(a catalog.Advisory) string {
	return byAdvisory + a.ID + ": " + a.Title
}

// sayBlocked is a reason of blockedBy for any language.
func sayBlocked(why string) phrase.Phrase {
	if advisory, ok := strings.CutPrefix(why, byAdvisory); ok {
		return phrase.Of("market.advisory", "blocked by advisory {0}", advisory)
	}
	return phrase.Raw(why)
}

// maySign returns who may sign a release now: whom the signed publishers list of its
// source names, without those whom an advisory is against, of which it returns one.
func (m *Market) maySign(snap *catalog.Snapshot, r catalog.Release) (may []verify.Identity, against *catalog.Advisory) {
	pub, _ := snap.Publisher(r.Plugin.Publisher()) // one that is not listed has no signers
	now := m.opt.Now()
	for _, s := range pub.Signers {
		if !s.Revoked.IsZero() || now.Before(s.From) || !s.Until.IsZero() && !now.Before(s.Until) {
			continue
		}
		all := snap.Advisories()
		i := slices.IndexFunc(all, func(a catalog.Advisory) bool {
			return a.Signer != "" && m.forbids(a) && a.ConcernsSigner(s.Identity.ID())
		})
		if i < 0 {
			may = append(may, s.Identity)
		} else {
			against = &all[i]
		}
	}
	return may, against
}

// disabledError says which advisory keeps an installed plugin from running.
type disabledError struct {
	ref    catalog.Ref
	id     string // of the advisory
	reason string
}

func (e *disabledError) Error() string {
	return fmt.Sprintf("%s: disabled by advisory %s (%s): %v", e.ref, e.id, e.reason, catalog.ErrBlocked)
}

func (e *disabledError) Unwrap() error { return catalog.ErrBlocked }

// allowed is the advisories' word on running an installed plugin, from the catalogs
// kept on disk: also without a network. Where there is no catalog of its source, what
// was known last holds.
func (m *Market) allowed(p install.Installed) error {
	snap, err := m.snapshotOf(p.Plugin, p.Source)
	if err != nil {
		if id, stopped := m.runner.State().Disabled[p.Plugin]; stopped {
			return &disabledError{p.Ref, id, "there is no catalog that says otherwise"}
		}
		return nil
	}
	r := m.releaseOf(p)
	for _, a := range snap.Advisories() {
		if a.Action == catalog.ActionDisable && a.Active(m.opt.Now()) && (a.Concerns(r) || a.ConcernsSigner(p.Signer)) {
			return &disabledError{p.Ref, a.ID, a.Title}
		}
	}
	return nil
}

// obey stops what an advisory disables by now, and starts again what none does any
// more. Data and place in the installed set stay, so that nothing is lost when an
// advisory is rescinded. Nothing happens when nothing changed. What could not be
// stopped is an error, and tried again the next time. While an operation runs it is
// install.ErrBusy; it is then done when that ends.
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
		switch _, obeyed := e.Err.(*disabledError); {
		case obeyed: // and nothing went wrong beside it
		case e.Plugin.Plugin == "":
			return e // busy or closed: nothing was done
		default:
			delete(now, e.Plugin.Plugin)
			errs = append(errs, e)
		}
	}
	m.disabled = now
	return errors.Join(errs...)
}
