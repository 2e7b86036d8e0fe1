package store

import (
	"net/http"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
)

type settingsPage struct {
	Sources  []sourceRow
	Allowed  []sandbox.Ruling
	Denied   []sandbox.Ruling
	State    update.State
	Holds    []holdRow
	Free     []facet // installed plugins that are not held
	Failures []update.Failure
	ReadOnly bool
	MaySync  bool
	Account  *accountSection // nil: there is no hub
}

type sourceRow struct {
	Name, State, Word, Icon, Kind string
	Serial                        uint64
	Synced, Expires               time.Time
	Plugins                       int
	Problem                       *problem
}

type holdRow struct {
	Plugin catalog.PluginID
	Name   string
	update.Hold
}

func (h *shop) settings(w http.ResponseWriter, r *http.Request, a Actor) error {
	c := settingsPage{ReadOnly: !a.Install, MaySync: a.Administer, Account: h.accountOf(a)}
	for _, s := range h.m.Sources() {
		row := sourceRow{Name: s.Name, State: string(s.State), Serial: s.Serial, Synced: s.Synced, Expires: s.Expires, Plugins: s.Plugins}
		row.Kind, row.Icon = "warn", "triangle-alert"
		switch row.State {
		case sourceFresh:
			row.Kind, row.Icon = "ok", "circle-check"
		case sourceExpired, sourceError:
			row.Kind, row.Icon = "danger", "circle-x"
		}
		row.Word = h.text.T("source." + row.State)
		if s.Err != nil {
			p := h.explain(s.Err)
			row.Problem = &p
		}
		c.Sources = append(c.Sources, row)
	}
	policy := h.m.Policy()
	c.Allowed = policy.Decide(policy.Allow, sandbox.Consent{}).Rulings
	c.Denied = policy.Decide(policy.Deny, sandbox.Consent{}).Rulings
	c.State = h.m.UpdateState()
	c.Failures = c.State.Failures
	for _, p := range h.m.Installed() {
		if _, held := c.State.Holds[p.Plugin]; !held {
			c.Free = append(c.Free, facet{Value: string(p.Plugin), Name: oneLine(p.Manifest.Name, 200)})
		}
	}
	for id, hold := range c.State.Holds {
		c.Holds = append(c.Holds, holdRow{id, string(id), hold})
	}
	slices.SortFunc(c.Holds, func(a, b holdRow) int { return compare(a.Plugin, b.Plugin) })
	out := &page{Title: h.text.T("settings.title"), Nav: "settings", Content: c}
	if c.Account != nil && c.Account.State == LinkWaiting {
		out.Every = lookAgain
	}
	h.show(w, r, a, http.StatusOK, "settings", out)
	return nil
}

func (h *shop) sync(w http.ResponseWriter, r *http.Request, _ Actor) error {
	if err := h.m.Sync(r.Context()); err != nil {
		return err
	}
	http.Redirect(w, r, h.url("settings"), http.StatusSeeOther)
	return nil
}
