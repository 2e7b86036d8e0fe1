package portal

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
)

// appealRow is an appeal in a list.
type appealRow struct {
	hub.Appeal
	Link, By string
}

type appealsPage struct {
	Rows  []appealRow
	Chips []staffFilter
	State string
	Next  string
}

func (h *Handler) modAppeals(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	state := hub.AppealState(q.Get("state"))
	if state != hub.AppealUpheld && state != hub.AppealGranted {
		state = hub.AppealOpen
	}
	page, err := h.o.Community.Appeals(r.Context(), a, community.AppealQuery{State: state, Cursor: q.Get("after")})
	if err != nil {
		return err
	}
	p := appealsPage{State: string(state), Chips: []staffFilter{
		{Name: "Open", URL: "/moderation/appeals", Current: state == hub.AppealOpen},
		{Name: "Granted", URL: "/moderation/appeals?state=granted", Current: state == hub.AppealGranted},
		{Name: "Upheld", URL: "/moderation/appeals?state=upheld", Current: state == hub.AppealUpheld},
	}}
	var ids []string
	for _, one := range page.Items {
		ids = append(ids, one.By)
	}
	who, err := h.peopleOf(r.Context(), ids...)
	if err != nil {
		return err
	}
	for _, one := range page.Items {
		p.Rows = append(p.Rows, appealRow{one, "/moderation/appeals/" + url.PathEscape(one.ID), who.Name(one.By)})
	}
	if page.Next != "" {
		p.Next = withQuery("/moderation/appeals", "state", q.Get("state"), "after", page.Next)
	}
	return h.moderation(w, r, a, "/moderation/appeals", "Appeals", "moderation-appeals", p)
}

// appealView is one appeal, and what it is against.
type appealView struct {
	hub.Appeal
	By, AnswerBy string
	Decision     *decisionRow
	Subject      *subjectView
	Sub          *publishing.Detail
	Verdicts     []reviewStep // of reviewers, all rounds
	Warned       bool         // a warning is answered; there is nothing to take back
	Cannot       string
}

func (h *Handler) modAppeal(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ctx := r.Context()
	p, err := h.o.Community.AppealByID(ctx, a, r.PathValue("id"))
	if err != nil {
		return err
	}
	v := appealView{Appeal: p}
	who, err := h.peopleOf(ctx, p.By, p.AnswerBy)
	if err != nil {
		return err
	}
	v.By, v.AnswerBy = who.Name(p.By), who.Name(p.AnswerBy)
	var decided []string // who decided before
	if aboutDecision(p) {
		decided, err = h.appealedDecision(r, a, &v)
	} else {
		decided, err = h.appealedSubmission(r, a, &v)
	}
	if err != nil {
		return err
	}
	v.Cannot = cannotAppeal(a, p, decided)
	return h.moderation(w, r, a, "/moderation/appeals", "Appeal", "moderation-appeal", v)
}

// aboutDecision reports whether an appeal is about a decision: one about a submission can
// be that or the submission itself, and their ids say which.
func aboutDecision(p hub.Appeal) bool {
	return p.Kind != hub.SubjectSubmission || strings.HasPrefix(p.Subject, "dec_")
}

func (h *Handler) appealedSubmission(r *http.Request, a hub.Actor, v *appealView) (decided []string, err error) {
	ctx := r.Context()
	d, err := h.o.Publishing.Submission(ctx, a, v.Appeal.Subject)
	if err != nil {
		return nil, err
	}
	steps, err := h.o.Publishing.Timeline(ctx, a, d.ID)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, s := range steps {
		ids = append(ids, s.Actor)
	}
	who, err := h.peopleOf(ctx, ids...)
	if err != nil {
		return nil, err
	}
	for _, s := range steps {
		if s.Kind == "review" {
			v.Verdicts = append(v.Verdicts, reviewStepOf(s, who))
			decided = append(decided, s.Actor)
		}
	}
	v.Sub = &d
	return decided, nil
}

func (h *Handler) appealedDecision(r *http.Request, a hub.Actor, v *appealView) (decided []string, err error) {
	ctx := r.Context()
	d, err := h.o.Community.Decision(ctx, a, v.Appeal.Subject)
	if errors.Is(err, hub.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := h.decisionRows(ctx, []hub.Decision{d})
	if err != nil {
		return nil, err
	}
	s, err := h.readSubject(ctx, a, d.Subject, d.About)
	if err != nil {
		return nil, err
	}
	v.Decision, v.Subject, v.Warned = &rows[0], &s, d.Kind == hub.DecisionWarn
	return []string{d.By}, nil
}

// cannotAppeal says why the actor cannot decide about an appeal; empty when they can.
func cannotAppeal(a hub.Actor, p hub.Appeal, decided []string) string {
	switch {
	case p.State != hub.AppealOpen:
		return "It is decided."
	case !slices.Contains(a.Roles, hub.RoleModerator):
		return "Only moderators decide. Your role lets you look at everything."
	case p.By == a.Account:
		return "It is your own appeal. Somebody else has to decide."
	case p.Publisher != "" && a.Memberships[p.Publisher] != "":
		return "You belong to the publisher " + p.Publisher + ". Somebody else has to decide."
	case slices.Contains(decided, a.Account):
		return "You decided before. An appeal is for another person than that."
	}
	return ""
}

func (h *Handler) modAppealDecide(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	p, err := h.o.Community.AppealByID(r.Context(), a, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := formRev(r, p.Rev); err != nil {
		return err
	}
	verdict := r.PostFormValue("verdict")
	if verdict != "grant" && verdict != "uphold" {
		return hub.Invalid("verdict", "must be to grant the appeal or to uphold the decision")
	}
	if _, err := h.o.Community.DecideAppeal(r.Context(), a, p.ID, verdict == "grant", formText(r, "answer")); err != nil {
		return err
	}
	return done(w, r, "/moderation/appeals/"+url.PathEscape(p.ID), "decided")
}
