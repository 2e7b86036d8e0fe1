package portal

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
)

// decisionRow is a decision in words.
type decisionRow struct {
	hub.Decision
	Link, What, By string
	Done           string // what was done: "hid", "suspended"
}

func (h *Handler) decisionRows(ctx context.Context, list []hub.Decision) ([]decisionRow, error) {
	var ids []string
	for _, d := range list {
		ids = append(ids, d.By, subjectAccount(d.Subject, d.About))
	}
	who, err := h.peopleOf(ctx, ids...)
	if err != nil {
		return nil, err
	}
	var out []decisionRow
	for _, d := range list {
		out = append(out, decisionRow{
			Decision: d, Link: "/moderation/decisions/" + url.PathEscape(d.ID), What: subjectWords(d.Subject, d.About, who), By: who.Name(d.By), Done: doneWord(d.Kind),
		})
	}
	return out, nil
}

func doneWord(k hub.DecisionKind) string {
	done := map[hub.DecisionKind]string{
		hub.DecisionDismiss: "dismissed", hub.DecisionHide: "hidden", hub.DecisionShow: "shown", hub.DecisionWarn: "warned",
		hub.DecisionSuspend: "suspended", hub.DecisionRestore: "restored", hub.DecisionWithdraw: "withdrawn",
	}[k]
	if done == "" {
		return word(k)
	}
	return done
}

type decisionsPage struct {
	Rows      []decisionRow
	Kinds     []staffOption
	Subjects  []staffOption // without "anything", for a case without a report
	About     string
	Publisher string
	Filtered  bool
	May       bool
	Next      string
}

func (h *Handler) modDecisions(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	f := community.DecisionQuery{
		Subject: hub.SubjectKind(q.Get("subject")), About: strings.TrimSpace(q.Get("about")), Publisher: strings.TrimSpace(q.Get("publisher")), Cursor: q.Get("after"),
	}
	page, err := h.o.Community.Decisions(r.Context(), a, f)
	if err != nil {
		return err
	}
	p := decisionsPage{
		Kinds: optionsOf("anything", string(f.Subject), subjectKinds()), Subjects: optionsOf("", "plugin", subjectKinds()),
		About: f.About, Publisher: f.Publisher, Filtered: f.Subject != "" || f.About != "" || f.Publisher != "",
		May: a.May(hub.ActReportDecide, hub.Object{}) == nil,
	}
	if p.Rows, err = h.decisionRows(r.Context(), page.Items); err != nil {
		return err
	}
	if page.Next != "" {
		p.Next = withQuery("/moderation/decisions", "subject", string(f.Subject), "about", f.About, "publisher", f.Publisher, "after", page.Next)
	}
	return h.moderation(w, r, a, "/moderation/decisions", "Decisions", "moderation-decisions", p)
}

// decisionView is one decision.
type decisionView struct {
	decisionRow
	Subject  subjectView
	Reverses *decisionRow
	Undone   *decisionRow // what took it back
	Can      bool         // it did something that can be taken back, by who looks
	Cannot   string
}

func (h *Handler) modDecision(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ctx := r.Context()
	d, err := h.o.Community.Decision(ctx, a, r.PathValue("id"))
	if err != nil {
		return err
	}
	rows, err := h.decisionRows(ctx, []hub.Decision{d})
	if err != nil {
		return err
	}
	v := decisionView{decisionRow: rows[0]}
	if v.Subject, err = h.readSubject(ctx, a, d.Subject, d.About); err != nil {
		return err
	}
	past, err := h.o.Community.Decisions(ctx, a, community.DecisionQuery{Subject: d.Subject, About: d.About, Limit: hub.MaxPage})
	if err != nil {
		return err
	}
	all, err := h.decisionRows(ctx, past.Items)
	if err != nil {
		return err
	}
	later := false
	for i, one := range all {
		if one.ID == d.Reverses {
			v.Reverses = &all[i]
		}
		if one.Decision.Reverses == d.ID {
			v.Undone = &all[i]
		}
		later = later || one.Created.After(d.Created) && one.Kind != hub.DecisionDismiss && one.Kind != hub.DecisionWarn
	}
	v.Cannot = cannotReverse(a, v, later)
	v.Can = v.Cannot == ""
	return h.moderation(w, r, a, "/moderation/decisions", "Decision", "moderation-decision", v)
}

// cannotReverse says why a decision cannot be taken back by the actor; empty when it can.
func cannotReverse(a hub.Actor, v decisionView, later bool) string {
	switch v.Kind {
	case hub.DecisionHide, hub.DecisionSuspend, hub.DecisionWithdraw:
	default:
		return "It did nothing that could be taken back."
	}
	switch {
	case v.Undone != nil:
		return "It was taken back already."
	case later:
		return "A later decision about the same thing stands upon it. Look at that one."
	case v.Subject.Gone:
		return "What it was about is gone."
	}
	return cannotModerate(a, v.Subject)
}

func (h *Handler) modDecisionReverse(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	d, err := h.o.Community.Reverse(r.Context(), a, r.PathValue("id"), formText(r, "text"))
	if err != nil {
		return err
	}
	return done(w, r, "/moderation/decisions/"+url.PathEscape(d.ID), "restored")
}
