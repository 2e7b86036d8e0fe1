package portal

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
)

// casePage is what a moderator needs to decide about something.
type casePage struct {
	Report   *reportRow // nil: without a report
	Rev      int64
	Subject  subjectView
	Others   []reportRow // open reports about the same thing
	More     bool        // there are more than these
	Before   []reportRow // decided ones
	History  []decisionRow
	Decided  *decisionRow // that answered the report
	Choices  []caseChoice
	Cannot   string
	Action   string // where the form goes
	Withdraw bool   // a withdrawal is among the choices
	Actions  []staffOption
}

// maxBeside is how many other reports and decisions stand beside one.
const maxBeside = 20

func (h *Handler) modReport(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ctx := r.Context()
	rep, err := h.o.Community.Report(ctx, a, r.PathValue("id"))
	if err != nil {
		return err
	}
	p, err := h.caseOf(r, a, rep.Kind, rep.Subject, &rep)
	if err != nil {
		return err
	}
	if rep.Decision != "" {
		d, err := h.o.Community.Decision(ctx, a, rep.Decision)
		if err != nil {
			return err
		}
		rows, err := h.decisionRows(ctx, []hub.Decision{d})
		if err != nil {
			return err
		}
		p.Decided = &rows[0]
	}
	return h.moderation(w, r, a, "/moderation", "Report: "+reportReason(rep.Reason), "moderation-case", p)
}

func (h *Handler) modSubject(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	p, err := h.caseOf(r, a, hub.SubjectKind(q.Get("kind")), q.Get("about"), nil)
	if err != nil {
		return err
	}
	if p.Subject.Gone {
		return hub.ErrNotFound
	}
	return h.moderation(w, r, a, "/moderation", p.Subject.Title, "moderation-case", p)
}

// caseOf gathers what is known about a subject.
func (h *Handler) caseOf(r *http.Request, a hub.Actor, kind hub.SubjectKind, about string, rep *hub.Report) (casePage, error) {
	ctx := r.Context()
	p := casePage{Action: "/moderation/subject"}
	var err error
	if p.Subject, err = h.readSubject(ctx, a, kind, about); err != nil {
		return p, err
	}
	open := true
	if rep != nil {
		rows, err := h.reportRows(ctx, []hub.Report{*rep})
		if err != nil {
			return p, err
		}
		p.Report, p.Rev, p.Action = &rows[0], rep.Rev, "/moderation/reports/"+url.PathEscape(rep.ID)+"/decide"
		open = rep.State == hub.ReportOpen
	}
	for _, state := range []hub.ReportState{hub.ReportOpen, hub.ReportDecided} {
		page, err := h.o.Community.Reports(ctx, a, community.ReportQuery{State: state, Kind: kind, Subject: about, Limit: maxBeside + 1})
		if err != nil {
			return p, err
		}
		list := slices.DeleteFunc(page.Items, func(one hub.Report) bool { return rep != nil && one.ID == rep.ID })
		rows, err := h.reportRows(ctx, list[:min(len(list), maxBeside)])
		if err != nil {
			return p, err
		}
		if state == hub.ReportOpen {
			p.Others, p.More = rows, page.Next != ""
		} else {
			p.Before = rows
		}
	}
	past, err := h.o.Community.Decisions(ctx, a, community.DecisionQuery{Subject: kind, About: about, Limit: maxBeside})
	if err != nil {
		return p, err
	}
	if p.History, err = h.decisionRows(ctx, past.Items); err != nil {
		return p, err
	}
	if open {
		p.Cannot = cannotModerate(a, p.Subject)
		p.Choices = p.Subject.choicesFor(rep != nil)
		p.Withdraw = slices.ContainsFunc(p.Choices, func(c caseChoice) bool { return c.Kind == hub.DecisionWithdraw })
		p.Actions = advisoryActions("")
	}
	return p, nil
}

// decisionForm reads the form of a case.
func decisionForm(r *http.Request, kind hub.SubjectKind, about string) community.NewDecision {
	n := community.NewDecision{
		Kind: hub.DecisionKind(r.PostFormValue("kind")), Subject: kind, About: about, Text: formText(r, "text"), Reports: r.PostForm["reports"],
	}
	if n.Kind == hub.DecisionWithdraw {
		n.Advisory = &catalog.Advisory{
			Action: catalog.Action(r.PostFormValue("action")), Title: formText(r, "title"), Detail: formText(r, "detail"),
			URL: formText(r, "url"), FixedIn: formText(r, "fixedIn"),
		}
	}
	return n
}

func (h *Handler) modReportDecide(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	rep, err := h.o.Community.Report(r.Context(), a, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := formRev(r, rep.Rev); err != nil {
		return err
	}
	n := decisionForm(r, rep.Kind, rep.Subject)
	if !slices.Contains(n.Reports, rep.ID) {
		n.Reports = append(n.Reports, rep.ID)
	}
	d, err := h.o.Community.Decide(r.Context(), a, n)
	if err != nil {
		return err
	}
	return done(w, r, "/moderation/decisions/"+url.PathEscape(d.ID), "decided")
}

func (h *Handler) modSubjectDecide(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	d, err := h.o.Community.Decide(r.Context(), a, decisionForm(r, hub.SubjectKind(r.PostFormValue("subject")), r.PostFormValue("about")))
	if err != nil {
		return err
	}
	return done(w, r, "/moderation/decisions/"+url.PathEscape(d.ID), "decided")
}
