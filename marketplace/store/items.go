package store

import (
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
)

// item is one plugin of an operation and how far it is.
type item struct {
	Plugin   catalog.PluginID
	Name     string
	Action   install.Action // empty when it is not known any more
	From, To string         // versions
	Line     string         // what is done with it, in words
	Status   string         // "done", "current", "failed", "todo"
	Word     string
}

// items says of each plugin of an operation how far it is. Releases are downloaded one
// after another; everything else is done with all of them together.
func (h *shop) items(op install.Operation) []item {
	at := slices.Index(op.Plugins, op.Plugin)
	failed := failedAt(op)
	steps := h.steps(op)
	out := make([]item, 0, len(op.Plugins))
	for i, id := range op.Plugins {
		it := item{Plugin: id, Name: h.nameOf(id, catalog.Manifest{})}
		if n := slices.IndexFunc(steps, func(s install.HistoryStep) bool { return s.Plugin == id }); n >= 0 {
			it.Action, it.From, it.To = steps[n].Action, steps[n].From, steps[n].To
			switch it.Action {
			case install.ActInstall:
				it.Line = it.To
			case install.ActRemove:
				it.Line = h.text.T("action.word.remove")
			default:
				it.Line = it.From + " → " + it.To
			}
		}
		it.Status, it.Word = "current", h.text.T("state."+string(op.State))
		switch op.State {
		case install.StateQueued:
			it.Status = "todo"
		case install.StateDownloading:
			switch {
			case it.Action == install.ActRemove, at >= 0 && i > at:
				it.Status, it.Word = "todo", h.text.T("item.waits")
			case at >= 0 && i < at:
				it.Status, it.Word = "done", h.text.T("item.fetched")
			}
		case install.StateDone:
			it.Status = "done"
		case install.StateFailed, install.StateCancelled:
			switch {
			case id == failed:
				it.Status = "failed"
			case op.Restored || op.State == install.StateCancelled:
				it.Status, it.Word = "todo", h.text.T("item.asbefore")
			default:
				it.Status, it.Word = "todo", h.text.T("item.unclear")
			}
		}
		out = append(out, it)
	}
	return out
}

// failedAt is the plugin at which an operation failed; empty when it is not known.
func failedAt(op install.Operation) catalog.PluginID {
	var broken *install.Error
	if errors.As(op.Err, &broken) && broken.Ref.Plugin != "" {
		return broken.Ref.Plugin
	}
	var ref *catalog.RefError
	if errors.As(op.Err, &ref) {
		return ref.Ref.Plugin
	}
	if op.State == install.StateFailed && len(op.Plugins) == 1 {
		return op.Plugins[0]
	}
	return ""
}

// steps returns what an operation changes: from its plan, or from the history when it is
// too long ago.
func (h *shop) steps(op install.Operation) []install.HistoryStep {
	if p, err := h.m.PlanByID(op.Plan); err == nil && op.Plan != "" {
		out := make([]install.HistoryStep, 0, len(p.Steps))
		for _, s := range p.Steps {
			c := install.HistoryStep{Action: s.Action, Plugin: s.Release.Plugin, To: s.Release.Version}
			if s.From != nil {
				c.From = s.From.Version
			}
			if s.Action == install.ActRemove {
				c.From, c.To = s.Release.Version, ""
			}
			out = append(out, c)
		}
		return out
	}
	e, _ := h.entry(op.ID)
	return e.Changes
}

// entry returns a finished operation as the history keeps it.
func (h *shop) entry(id string) (install.Entry, bool) {
	entries, err := h.m.History()
	if err != nil {
		return install.Entry{}, false // the history page says what is wrong with it
	}
	i := slices.IndexFunc(entries, func(e install.Entry) bool { return e.ID == id })
	if i < 0 {
		return install.Entry{}, false
	}
	return entries[i], true
}

// again returns the change that an operation was made for, so that it can be planned
// again; false when it succeeded, still runs, or cannot be told any more.
func (h *shop) again(op install.Operation) (c install.Change, ok bool) {
	if op.State != install.StateFailed && op.State != install.StateCancelled {
		return c, false
	}
	steps := h.steps(op)
	var along func(install.HistoryStep) bool // came as a dependency
	if p, err := h.m.PlanByID(op.Plan); err == nil && op.Plan != "" {
		if p.Rollback != 0 {
			return install.Change{Rollback: p.Rollback}, true
		}
		along = func(s install.HistoryStep) bool {
			return slices.ContainsFunc(p.Steps, func(t install.Step) bool { return t.Release.Plugin == s.Plugin && !t.Root })
		}
	} else {
		needed := map[catalog.PluginID]bool{}
		for _, s := range steps {
			q, err := h.m.Plugin(s.Plugin)
			if err != nil {
				continue // then nothing is known to need anything
			}
			for _, r := range q.Releases {
				if r.Version == s.To {
					for _, d := range r.Manifest.Dependencies {
						needed[d.ID] = true
					}
				}
			}
		}
		along = func(s install.HistoryStep) bool { return needed[s.Plugin] }
	}
	for _, s := range steps {
		switch s.Action {
		case install.ActInstall:
			if !along(s) {
				c.Install = append(c.Install, resolve.Want{Plugin: s.Plugin})
			}
		case install.ActUpdate:
			c.Update = append(c.Update, s.Plugin)
		case install.ActRemove:
			c.Remove = append(c.Remove, s.Plugin)
		case install.ActDowngrade:
			if len(steps) > 1 {
				return install.Change{}, false // a way back, and it is not known to where
			}
			c.Install = append(c.Install, resolve.Want{Plugin: s.Plugin, Range: "=" + s.To})
		default:
			return install.Change{}, false
		}
	}
	switch {
	case len(c.Install) > 0 && len(c.Remove) > 0:
		return install.Change{}, false // a way back, and it is not known to where
	case len(c.Install) > 0:
		return install.Change{Install: c.Install}, true
	case len(c.Update) > 0:
		return install.Change{Update: c.Update}, true
	}
	return c, len(c.Remove) > 0
}

// replan plans a failed or cancelled operation again, as things are now.
func (h *shop) replan(r *http.Request) (*install.Plan, error) {
	op, err := h.m.Operation(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	c, ok := h.again(op)
	if !ok {
		return nil, fmt.Errorf("%w: what was asked for cannot be planned again from here", errRequest)
	}
	return h.m.Plan(r.Context(), c)
}

func (h *shop) retry(w http.ResponseWriter, r *http.Request, _ Actor) error {
	p, err := h.replan(r)
	if err != nil {
		return err
	}
	http.Redirect(w, r, h.url("plans", p.ID()), http.StatusSeeOther)
	return nil
}

func (h *shop) apiRetry(w http.ResponseWriter, r *http.Request, _ Actor) error {
	p, err := h.replan(r)
	if err != nil {
		return err
	}
	w.Header().Set("Location", h.url("api", "v1", "plans", p.ID()))
	h.writeJSON(w, http.StatusCreated, h.planOf(r.Context(), p))
	return nil
}
