package store

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
)

// maxWanted is the most plugins that one request may name.
const maxWanted = 100

// changeJSON is what a client asks to be planned. Exactly one field is used.
type changeJSON struct {
	Install []struct {
		Plugin string `json:"plugin"`
		Range  string `json:"range"`
	} `json:"install"`
	Source    string   `json:"source"`
	Update    []string `json:"update"`
	UpdateAll bool     `json:"updateAll"`
	Without   []string `json:"without"` // of updateAll: what is left out
	Remove    []string `json:"remove"`
	Rollback  uint64   `json:"rollback"`
	Override  bool     `json:"override"` // of rollback: also to what may not be installed any more
}

// change checks what was sent.
func (c changeJSON) change() (install.Change, error) {
	out := install.Change{UpdateAll: c.UpdateAll, Rollback: c.Rollback, Override: c.Override, Source: c.Source}
	used := 0
	for _, on := range []bool{len(c.Install) > 0, len(c.Update) > 0, c.UpdateAll, len(c.Remove) > 0, c.Rollback > 0} {
		if on {
			used++
		}
	}
	if c.Override && c.Rollback == 0 {
		return out, fmt.Errorf("%w: override comes with rollback only", errRequest)
	}
	if len(c.Without) > 0 && !c.UpdateAll {
		return out, fmt.Errorf("%w: without comes with updateAll only", errRequest)
	}
	if used != 1 {
		return out, fmt.Errorf("%w: exactly one of install, update, updateAll, remove and rollback is given", errRequest)
	}
	if len(c.Install)+len(c.Update)+len(c.Remove) > maxWanted {
		return out, fmt.Errorf("%w: more than %d plugins", errRequest, maxWanted)
	}
	for _, w := range c.Install {
		id, err := parsePlugin(w.Plugin)
		if err != nil {
			return out, err
		}
		if _, err := catalog.ParseRange(w.Range); err != nil {
			return out, fmt.Errorf("%w: %w", errRequest, err)
		}
		out.Install = append(out.Install, resolve.Want{Plugin: id, Range: w.Range})
	}
	for _, list := range []struct {
		from []string
		to   *[]catalog.PluginID
	}{{c.Update, &out.Update}, {c.Remove, &out.Remove}} {
		for _, s := range list.from {
			id, err := parsePlugin(s)
			if err != nil {
				return out, err
			}
			*list.to = append(*list.to, id)
		}
	}
	return out, nil
}

type planJSON struct {
	ID       string             `json:"id"`
	Title    string             `json:"title"`
	Base     uint64             `json:"base"`
	Rollback uint64             `json:"rollback,omitempty"`
	Download int64              `json:"download"`
	Steps    []stepJSON         `json:"steps"`
	Consents []consentJSON      `json:"consents"`
	Warnings []string           `json:"warnings"`
	Restarts []catalog.PluginID `json:"restarts"`          // what is stopped and started again
	Skipped  []skippedJSON      `json:"skipped,omitempty"` // of updateAll: what is left out
}

// skippedJSON is a plugin with an update that an update of everything leaves out.
type skippedJSON struct {
	Plugin  catalog.PluginID `json:"plugin"`
	Version string           `json:"version"`
	Why     string           `json:"why"` // for people
}

type stepJSON struct {
	Action  install.Action   `json:"action"`
	Plugin  catalog.PluginID `json:"plugin"`
	Version string           `json:"version"`
	Digest  string           `json:"digest"`
	From    string           `json:"from,omitempty"`
	Source  string           `json:"source"`
	Root    bool             `json:"root"`
	Why     string           `json:"why"`
}

type consentJSON struct {
	ID         string           `json:"id"`
	Plugin     catalog.PluginID `json:"plugin"`
	Kind       install.NeedKind `json:"kind"`
	Permission string           `json:"permission,omitempty"`
	Risk       string           `json:"risk"`
	Sentence   string           `json:"sentence"`
	Optional   bool             `json:"optional"`
	New        bool             `json:"new"`
}

func (h *shop) planOf(ctx context.Context, p *install.Plan) planJSON {
	out := planJSON{p.ID(), h.planTitle(p), p.Base, p.Rollback, p.Download, []stepJSON{}, []consentJSON{}, notNil(h.planWarnings(p)), []catalog.PluginID{}, nil}
	if all, ok := h.wholes.get(out.ID); ok {
		for _, s := range h.skips(ctx, p, all) {
			out.Skipped = append(out.Skipped, skippedJSON{s.Plugin, s.Version, s.Why})
		}
	}
	for _, s := range p.Steps {
		j := stepJSON{Action: s.Action, Plugin: s.Release.Plugin, Version: s.Release.Version, Digest: string(s.Release.Digest), Source: s.Source, Root: s.Root, Why: h.said(s.Because, s.Why)}
		if s.From != nil {
			j.From = s.From.Version
			if s.From.Enabled && s.Action != install.ActRemove && s.Action != install.ActKeep {
				out.Restarts = append(out.Restarts, s.Release.Plugin)
			}
		}
		out.Steps = append(out.Steps, j)
	}
	for _, n := range p.Consents {
		out.Consents = append(out.Consents, consentJSON{n.ID, n.Plugin, n.Kind, string(n.Ruling.Permission), n.Risk.String(), h.needSaid(n), n.Optional, n.New})
	}
	return out
}

func (h *shop) apiMakePlan(w http.ResponseWriter, r *http.Request, _ Actor) error {
	var in changeJSON
	if err := readJSON(r, &in); err != nil {
		return err
	}
	c, err := in.change()
	if err != nil {
		return err
	}
	var p *install.Plan
	if c.UpdateAll {
		var without []catalog.PluginID
		if without, err = parsePlugins(in.Without); err == nil {
			p, err = h.planAll(r.Context(), without)
		}
	} else {
		p, err = h.m.Plan(r.Context(), c)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Location", h.url("api", "v1", "plans", p.ID()))
	h.writeJSON(w, http.StatusCreated, h.planOf(r.Context(), p))
	return nil
}

func (h *shop) apiPlan(w http.ResponseWriter, r *http.Request, _ Actor) error {
	p, err := h.m.PlanByID(r.PathValue("id"))
	if err != nil {
		return err
	}
	h.writeJSON(w, http.StatusOK, h.planOf(r.Context(), p))
	return nil
}

func (h *shop) apiApply(w http.ResponseWriter, r *http.Request, a Actor) error {
	var in struct {
		Consents []string `json:"consents"`
	}
	if err := readJSON(r, &in); err != nil {
		return err
	}
	op, _, err := h.apply(r, a, in.Consents)
	if err != nil {
		return err
	}
	w.Header().Set("Location", h.url("api", "v1", "operations", op.ID))
	h.writeJSON(w, http.StatusAccepted, h.operationJSON(op))
	return nil
}

type operationJSON struct {
	ID       string             `json:"id"`
	Plan     string             `json:"plan"`
	Title    string             `json:"title"`
	Actor    string             `json:"actor"`
	State    install.State      `json:"state"`
	Word     string             `json:"word"`     // the state for people, in the language of the pages
	Progress float64            `json:"progress"` // 0 to 1
	Percent  int                `json:"percent"`  // of the download; -1: not known
	Plugin   catalog.PluginID   `json:"plugin,omitempty"`
	Plugins  []catalog.PluginID `json:"plugins"`
	Done     int64              `json:"done"` // bytes
	Total    int64              `json:"total"`
	Started  time.Time          `json:"started"`
	Ended    time.Time          `json:"ended,omitzero"`
	Restored bool               `json:"restored"`
	Final    bool               `json:"final"`
	Verdict  string             `json:"verdict,omitempty"` // what came of it, for people
	Log      []string           `json:"log"`
	Error    *problem           `json:"error"`  // null unless it failed
	Cancel   bool               `json:"cancel"` // it can still be cancelled
	Retry    bool               `json:"retry"`  // it can be planned again
	Items    []itemJSON         `json:"items"`
	Mark     string             `json:"mark"` // changes when a page about it has to be looked at again
}

// itemJSON is one plugin of an operation.
type itemJSON struct {
	Plugin catalog.PluginID `json:"plugin"`
	Action install.Action   `json:"action,omitempty"`
	From   string           `json:"from,omitempty"`
	To     string           `json:"to,omitempty"`
	Status string           `json:"status"` // done, current, failed or todo
	Word   string           `json:"word"`   // for people
}

func (h *shop) operationJSON(op install.Operation) operationJSON {
	v := h.operationView(op)
	_, retry := h.again(op)
	items := []itemJSON{}
	for _, i := range h.items(op) {
		items = append(items, itemJSON{i.Plugin, i.Action, i.From, i.To, i.Status, i.Word})
	}
	return operationJSON{
		op.ID, op.Plan, v.Title, op.Actor, op.State, v.Word, v.Progress, v.Percent, op.Plugin, notNil(op.Plugins),
		op.Done, op.Total, op.Started, op.Ended, op.Restored, v.Final, v.Verdict, notNil(op.Log), v.Problem, v.Can, retry, items, v.Mark,
	}
}

func (h *shop) apiOperation(w http.ResponseWriter, r *http.Request, _ Actor) error {
	op, err := h.m.Operation(r.PathValue("id"))
	if err != nil {
		return err
	}
	h.writeJSON(w, http.StatusOK, h.operationJSON(op))
	return nil
}

func (h *shop) apiCancel(w http.ResponseWriter, r *http.Request, _ Actor) error {
	id := r.PathValue("id")
	if err := h.m.Cancel(id); err != nil {
		return err
	}
	op, err := h.m.Operation(id)
	if err != nil {
		return err
	}
	h.writeJSON(w, http.StatusAccepted, h.operationJSON(op))
	return nil
}
