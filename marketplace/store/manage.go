package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/update"
)

const (
	maxAsking  = 8               // plugins whose health is asked for at the same time
	healthWait = 2 * time.Second // for all of them: a page does not wait longer
	maxWhy     = 300             // bytes of the reason for a hold
)

type installedPage struct {
	Rows    []installedRow
	Updates int
}

type installedRow struct {
	install.Installed
	Name     string
	Icon     string
	Health   string // "ok", "bad", "unknown", "off", "revoked"
	Sick     string // what is wrong
	Standing standing
	Risk     sandbox.Risk
	Held     bool
}

func (h *shop) installed(w http.ResponseWriter, r *http.Request, a Actor) error {
	on := h.panel()
	all := h.m.Installed()
	slices.SortFunc(all, func(a, b install.Installed) int {
		if a.Root != b.Root {
			if a.Root {
				return -1
			}
			return 1
		}
		return compare(a.Plugin, b.Plugin)
	})
	health := h.healths(r.Context(), all)
	holds := h.m.UpdateState().Holds
	var c installedPage
	for i, p := range all {
		row := installedRow{Installed: p, Name: oneLine(p.Manifest.Name, 200), Health: "ok"}
		if row.Name == "" {
			row.Name = string(p.Plugin)
		}
		row.Risk = h.m.Policy().Decide(p.Grants, p.Consent).Risk()
		_, row.Held = holds[p.Plugin]
		listing := catalog.Listing{ID: p.Plugin, Latest: p.Version}
		if q, err := h.m.Plugin(p.Plugin); err == nil { // no longer listed: it stays installed and is shown
			listing = q.Listing
			if d := q.Icon; d != nil && q.Latest != "" {
				row.Icon = h.mediaURL(catalog.Ref{Plugin: p.Plugin, Version: q.Latest}, *d)
			}
			row.Sick = h.revoked(q, p)
		}
		row.Standing = h.standing(on, a, listing, p.Source)
		if row.Standing.State == "update" {
			c.Updates++
		}
		err := health[i]
		switch {
		case row.Sick != "":
			row.Health = "revoked"
		case !p.Enabled:
			row.Health = "off"
		case errors.Is(err, install.ErrHealthUnknown), errors.Is(err, context.DeadlineExceeded):
			row.Health = "unknown"
		case err != nil:
			row.Health, row.Sick = "bad", oneLine(err.Error(), maxCause)
		}
		c.Rows = append(c.Rows, row)
	}
	h.show(w, r, a, http.StatusOK, "installed", &page{Title: h.text.T("installed.title"), Nav: "installed", Content: c, Refresh: on.running()})
	return nil
}

func compare(a, b catalog.PluginID) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
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

// healths asks how all plugins are, a few at a time and not for long.
func (h *shop) healths(ctx context.Context, all []install.Installed) []error {
	ctx, cancel := context.WithTimeout(ctx, healthWait)
	defer cancel()
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
	return out
}

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

func (h *shop) hold(w http.ResponseWriter, r *http.Request, a Actor) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	id, err := parsePlugin(r.PostForm.Get("plugin"))
	if err != nil {
		return err
	}
	hold := update.Hold{By: a.Name, At: h.o.Now(), Why: oneLine(r.PostForm.Get("why"), maxWhy), Pin: r.PostForm.Get("pin") != ""}
	if v := r.PostForm.Get("until"); v != "" {
		if hold.Until, err = time.ParseInLocation(time.DateOnly, v, h.o.Now().Location()); err != nil {
			return fmt.Errorf("%w: %q is not a date", errRequest, oneLine(v, 40))
		}
	}
	if err := h.m.Hold(r.Context(), id, hold); err != nil {
		return err
	}
	http.Redirect(w, r, h.url(backTo(r)), http.StatusSeeOther)
	return nil
}

func (h *shop) unhold(w http.ResponseWriter, r *http.Request, _ Actor) error {
	if err := r.ParseForm(); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	id, err := parsePlugin(r.PostForm.Get("plugin"))
	if err != nil {
		return err
	}
	if err := h.m.Unhold(r.Context(), id); err != nil {
		return err
	}
	http.Redirect(w, r, h.url(backTo(r)), http.StatusSeeOther)
	return nil
}

// backTo is the page that a form came from: one of our own by name, never an address.
func backTo(r *http.Request) string {
	if r.PostForm.Get("back") == "updates" {
		return "updates"
	}
	return "settings"
}

func (h *shop) sync(w http.ResponseWriter, r *http.Request, _ Actor) error {
	if err := h.m.Sync(r.Context()); err != nil {
		return err
	}
	http.Redirect(w, r, h.url("settings"), http.StatusSeeOther)
	return nil
}
