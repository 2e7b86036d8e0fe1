package portal

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
)

func (h *Handler) moderationRoutes() {
	h.staff("GET /moderation", hub.ActReportQueue, h.modReports)
	h.staff("GET /moderation/reports/{id}", hub.ActReportQueue, h.modReport)
	h.staffForm("POST /moderation/reports/{id}/decide", hub.ActReportDecide, h.modReportDecide)
	h.staff("GET /moderation/subject", hub.ActReportQueue, h.modSubject)
	h.staffForm("POST /moderation/subject", hub.ActReportDecide, h.modSubjectDecide)
	h.staff("GET /moderation/held", hub.ActReportQueue, h.modHeld)
	h.staffForm("POST /moderation/held", hub.ActReportDecide, h.modHeldDecide)
	h.staff("GET /moderation/appeals", hub.ActReportQueue, h.modAppeals)
	h.staff("GET /moderation/appeals/{id}", hub.ActReportQueue, h.modAppeal)
	h.staffForm("POST /moderation/appeals/{id}", hub.ActAppealDecide, h.modAppealDecide)
	h.staff("GET /moderation/advisories", hub.ActReportQueue, h.modAdvisories)
	h.staff("GET /moderation/advisories/new", hub.ActAdvisoryIssue, h.modAdvisoryForm)
	h.staffForm("POST /moderation/advisories", hub.ActAdvisoryIssue, h.modAdvisoryIssue)
	h.staff("GET /moderation/advisories/{id}", hub.ActReportQueue, h.modAdvisory)
	h.staffForm("POST /moderation/advisories/{id}/rescind", hub.ActAdvisoryIssue, h.modAdvisoryRescind)
	h.staff("GET /moderation/decisions", hub.ActReportQueue, h.modDecisions)
	h.staff("GET /moderation/decisions/{id}", hub.ActReportQueue, h.modDecision)
	h.staffForm("POST /moderation/decisions/{id}/reverse", hub.ActReportDecide, h.modDecisionReverse)
}

// moderationCounts is how much waits for a moderator.
type moderationCounts struct{ Reports, Held, Appeals int64 }

// countModeration counts for somebody who may see the queue.
func (h *Handler) countModeration(ctx context.Context, a hub.Actor) (moderationCounts, error) {
	var n moderationCounts
	if err := a.May(hub.ActReportQueue, hub.Object{}); err != nil {
		return n, err
	}
	err := h.o.Env.Store.View(ctx, func(tx hub.Tx) (err error) {
		if n.Reports, err = tx.Reports().Count(ctx, hub.Eq("state", hub.ReportOpen)); err != nil {
			return err
		}
		if n.Held, err = tx.Ratings().Count(ctx, hub.Eq("state", hub.Held)); err != nil {
			return err
		}
		n.Appeals, err = tx.Appeals().Count(ctx, hub.Eq("state", hub.AppealOpen))
		return err
	})
	return n, err
}

// moderation shows one of the moderators' pages, with what waits beside the areas.
func (h *Handler) moderation(w http.ResponseWriter, r *http.Request, a hub.Actor, area, title, content string, data any) error {
	n, err := h.countModeration(r.Context(), a)
	if err != nil {
		return err
	}
	tabs := moderationTabs(area, a.May(hub.ActSystemRead, hub.Object{}) == nil)
	for i, waits := range []int64{n.Reports, n.Held, n.Appeals} {
		if waits > 0 {
			tabs[i].N = strconv.FormatInt(waits, 10)
		}
	}
	return h.show(w, r, a, http.StatusOK, "moderation", title, content, map[string]any{"Tabs": tabs, "Page": data})
}

// reportRow is a report in a list.
type reportRow struct {
	hub.Report
	Link, What string
	By         string
	Words      string // the reason in words
	Grave      string // its tone
}

type reportsPage struct {
	Rows           []reportRow
	Chips          []staffFilter
	Kinds, Reasons []staffOption
	State          string
	Publisher      string
	Filtered       bool
	Next           string
}

// reportReason say a reason for a report in words.
func reportReason(reason string) string {
	words := map[string]string{
		"malware": "Does harm on purpose", "vulnerability": "Has a security hole", "privacy": "Violates privacy",
		"impersonation": "Pretends to be somebody else", "copyright": "Violates rights of others", "spam": "Unwanted advertising",
		"abuse": "Insults or threatens", "broken": "Does not work", "other": "Something else",
	}[reason]
	if words == "" {
		return word(reason)
	}
	return words
}

// graveTone is the colour of a reason: the first of them do harm now.
func graveTone(reason string) string {
	switch n := community.Severity(reason); {
	case n < 2:
		return "danger"
	case n < 5:
		return "warn"
	}
	return "info"
}

func (h *Handler) modReports(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	state, kind, reason, publisher := hub.ReportState(q.Get("state")), q.Get("kind"), q.Get("reason"), q.Get("publisher")
	if state != hub.ReportDecided {
		state = hub.ReportOpen
	}
	page, err := h.o.Community.Reports(r.Context(), a, community.ReportQuery{
		State: state, Kind: hub.SubjectKind(kind), Reason: reason, Publisher: publisher, Cursor: q.Get("after"),
	})
	if err != nil {
		return err
	}
	p := reportsPage{
		State: string(state), Publisher: publisher, Filtered: kind != "" || reason != "" || publisher != "",
		Kinds: optionsOf("anything", kind, subjectKinds()), Reasons: reportReasons(reason),
		Chips: []staffFilter{
			{Name: "Open", URL: "/moderation", Current: state == hub.ReportOpen},
			{Name: "Decided", URL: "/moderation?state=decided", Current: state == hub.ReportDecided},
		},
	}
	if p.Rows, err = h.reportRows(r.Context(), page.Items); err != nil {
		return err
	}
	if page.Next != "" {
		p.Next = withQuery("/moderation", "state", q.Get("state"), "kind", kind, "reason", reason, "publisher", publisher, "after", page.Next)
	}
	return h.moderation(w, r, a, "/moderation", "Reports", "moderation-reports", p)
}

func reportReasons(chosen string) []staffOption {
	out := []staffOption{{"", "any reason", chosen == ""}}
	for _, r := range hub.Reasons() {
		out = append(out, staffOption{r, reportReason(r), r == chosen})
	}
	return out
}

// subjectKinds are those that reports and decisions are about, in the order of the
// selects.
func subjectKinds() []hub.SubjectKind {
	return []hub.SubjectKind{hub.SubjectPlugin, hub.SubjectRelease, hub.SubjectRating, hub.SubjectPublisher, hub.SubjectSubmission, hub.SubjectAccount}
}

// reportRows adds to reports whom and what they name.
func (h *Handler) reportRows(ctx context.Context, list []hub.Report) ([]reportRow, error) {
	var ids []string
	for _, one := range list {
		ids = append(ids, one.By, subjectAccount(one.Kind, one.Subject))
	}
	who, err := h.peopleOf(ctx, ids...)
	if err != nil {
		return nil, err
	}
	var out []reportRow
	for _, one := range list {
		out = append(out, reportRow{
			Report: one, Link: "/moderation/reports/" + url.PathEscape(one.ID), What: subjectWords(one.Kind, one.Subject, who),
			By: who.Name(one.By), Words: reportReason(one.Reason), Grave: graveTone(one.Reason),
		})
	}
	return out, nil
}

// heldView is the page of held ratings.
type heldView struct {
	Rows   []community.RatingView
	Plugin string
	May    bool
	Next   string
}

func (h *Handler) modHeld(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	page, err := h.o.Community.Held(r.Context(), a, q.Get("plugin"), q.Get("after"), 0)
	if err != nil {
		return err
	}
	p := heldView{Rows: page.Items, Plugin: q.Get("plugin"), May: slices.Contains(a.Roles, hub.RoleModerator)}
	if page.Next != "" {
		p.Next = withQuery("/moderation/held", "plugin", p.Plugin, "after", page.Next)
	}
	return h.moderation(w, r, a, "/moderation/held", "Held ratings", "moderation-held", p)
}

// shownWhy is what the author of a held rating reads when a moderator shows it and says
// nothing.
const shownWhy = "A moderator looked at it. It is shown now."

func (h *Handler) modHeldDecide(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	d := community.NewDecision{
		Kind: hub.DecisionKind(r.PostFormValue("kind")), Subject: hub.SubjectRating, About: r.PostFormValue("about"), Text: formText(r, "text"),
	}
	if d.Kind == hub.DecisionShow && d.Text == "" {
		d.Text = shownWhy
	}
	if d.Kind != hub.DecisionShow && d.Kind != hub.DecisionHide {
		return hub.Invalid("kind", "of a decision about a held rating is to show or to hide it")
	}
	open, err := h.openReports(r.Context(), a, d.Subject, d.About)
	if err != nil {
		return err
	}
	d.Reports = open
	if _, err := h.o.Community.Decide(r.Context(), a, d); err != nil {
		return err
	}
	return done(w, r, "/moderation/held", "decided")
}

// openReports are the ids of the open reports about a thing, as many as one decision can
// answer.
func (h *Handler) openReports(ctx context.Context, a hub.Actor, kind hub.SubjectKind, about string) ([]string, error) {
	page, err := h.o.Community.Reports(ctx, a, community.ReportQuery{Kind: kind, Subject: about, Limit: community.MaxReports})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, one := range page.Items {
		out = append(out, one.ID)
	}
	return out, nil
}
