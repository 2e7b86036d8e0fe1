package store

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
)

// way is the way of a success, as it is shown.
var way = []install.State{
	install.StateQueued, install.StateResolving, install.StateDownloading, install.StateVerifying,
	install.StateStaging, install.StateStarting, install.StateChecking, install.StateDone,
}

type operationView struct {
	install.Operation
	Word     string  // the state in words
	Percent  int     // of the download; -1: not known
	Progress float64 // of the whole, 0 to 1
	Whole    float64 // the same in percent
	Stages   []stage
	Can      bool // may still be cancelled
	Problem  *problem
	Verdict  string // when it is over: what came of it, in words
	Final    bool
	Mark     string // which stages were passed: changes when the page has to
	At       string // name of the plugin at work; empty: all of them
}

type stage struct {
	State  install.State
	Word   string
	Status string // "done", "current", "failed", "todo"
}

type operationPage struct {
	operationView
	ReadOnly bool
	Names    []facet
	Items    []item
	Retry    bool           // it can be planned again
	Entry    *install.Entry // as the history keeps it; nil while it runs
	Earlier  bool           // of an earlier run of the panel, whose log is gone
}

// operationView works out how an operation is shown.
func (h *shop) operationView(op install.Operation) operationView {
	v := operationView{Operation: op, Word: h.text.T("state." + string(op.State)), Percent: -1, Final: op.State.Final()}
	v.Title = h.said(op.Says, op.Title)
	v.Can = slices.Contains(way[:slices.Index(way, install.StateStarting)], op.State)
	at := slices.Index(way, op.State)
	reached := at
	if at < 0 { // failed, cancelled or rolling back: what was passed is up to where it failed
		reached = slices.Index(way, install.State(op.Failing))
	}
	for i, s := range way {
		st := stage{s, h.text.T("state." + string(s)), "todo"}
		switch {
		case i < reached || op.State == install.StateDone:
			st.Status = "done"
		case i == reached && at < 0:
			st.Status = "failed"
		case i == reached:
			st.Status = "current"
		}
		v.Stages = append(v.Stages, st)
	}
	if op.Total > 0 {
		v.Percent = int(min(100, max(0, op.Done*100/op.Total)))
	}
	v.Progress = float64(max(reached, 0)) / float64(len(way)-1)
	if op.State == install.StateDownloading && v.Percent >= 0 {
		v.Progress += float64(v.Percent) / 100 / float64(len(way)-1)
		v.Word = h.text.T("state.downloading.percent", h.text.Percent(v.Percent))
	}
	v.Whole = v.Progress * 100
	switch {
	case op.Err == nil:
	case op.Plan == "" && !errors.As(op.Err, new(*install.Error)): // of the history, which keeps the words of an error and not the error
		p := h.recorded(op.Err)
		v.Problem = &p
	default:
		p := h.explain(op.Err)
		v.Problem = &p
	}
	v.Verdict = h.verdict(op)
	if op.Plugin != "" {
		v.At = h.nameOf(op.Plugin, catalog.Manifest{})
	}
	v.Mark = string(op.State)
	if op.State == install.StateDownloading && len(op.Plugins) > 1 {
		v.Mark += " " + string(op.Plugin) // the next one of several: the page says which
	}
	return v
}

// verdict says in words what came of an operation; empty while it runs.
func (h *shop) verdict(op install.Operation) string {
	switch op.State {
	case install.StateDone:
		return h.text.T("verdict.done")
	case install.StateCancelled:
		return h.text.T("verdict.cancelled")
	case install.StateFailed:
		switch {
		case op.Restored && (op.Failing == string(install.StateChecking) || errors.Is(op.Err, install.ErrUnhealthy)):
			return h.text.T("verdict.unhealthy")
		case op.Restored:
			return h.text.T("verdict.restored")
		}
		return h.text.T("verdict.failed")
	}
	return ""
}

func (h *shop) operation(w http.ResponseWriter, r *http.Request, a Actor) error {
	op, err := h.m.Operation(r.PathValue("id"))
	if err != nil {
		return err
	}
	v := operationPage{operationView: h.operationView(op), ReadOnly: !a.Install}
	v.Items = h.items(op)
	for _, i := range v.Items {
		v.Names = append(v.Names, facet{Name: i.Name, URL: h.url("p", i.Plugin.Publisher(), i.Plugin.Name())})
	}
	if e, ok := h.entry(op.ID); ok && v.Final {
		v.Entry = &e
	}
	v.Earlier = v.Final && op.Plan == ""
	_, v.Retry = h.again(op)
	h.show(w, r, a, http.StatusOK, "operation", &page{Title: v.Title, Nav: "history", Content: v, Refresh: !v.Final})
	return nil
}

func (h *shop) cancel(w http.ResponseWriter, r *http.Request, _ Actor) error {
	id := r.PathValue("id")
	if err := h.m.Cancel(id); err != nil {
		return err
	}
	http.Redirect(w, r, h.url("operations", id), http.StatusSeeOther)
	return nil
}

// took writes how long something took.
func (h *shop) took(from, to time.Time) string {
	switch d := to.Sub(from); {
	case d < time.Second:
		return h.text.T("took.moment")
	case d < 2*time.Minute:
		return h.text.N("took.seconds", int(d/time.Second))
	default:
		return h.text.N("took.minutes", int(d/time.Minute))
	}
}
