package portal

import (
	"net/http"
	"net/url"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

func (h *Handler) appealRoutes() {
	h.own("GET /decisions/{id}", h.decision)
	h.own("GET /appeals", h.appeals)
	h.own("GET /appeals/new", h.appealPage)
	h.own("POST /appeals", h.appealNew)
	h.own("GET /appeals/{id}", h.appeal)
}

// subjectLink is where people read about the subject of a decision; empty: nowhere.
func subjectLink(kind hub.SubjectKind, subject string) string {
	switch kind {
	case hub.SubjectPlugin, hub.SubjectRelease, hub.SubjectRating, hub.SubjectPublisher:
		return reportBack(kind, subject)
	case hub.SubjectSubmission:
		return "/submissions/" + url.PathEscape(subject)
	}
	return ""
}

// subjectName names the subject for people, without the ids of accounts.
func subjectName(kind hub.SubjectKind, subject string) string {
	switch kind {
	case hub.SubjectRating:
		plugin, _, _ := cutLast(subject, "#")
		return "a rating of " + plugin
	case hub.SubjectAccount:
		return "an account"
	case hub.SubjectSubmission:
		return "a submission"
	}
	return word(kind) + " " + subject
}

type decisionPage struct {
	hub.Decision
	Name, Link string
	Outcome    string
	CanAppeal  bool
}

func (h *Handler) decision(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	d, err := h.o.Community.Decision(r.Context(), a, r.PathValue("id"))
	if err != nil {
		return err
	}
	p := decisionPage{Decision: d, Name: subjectName(d.Subject, d.About), Link: subjectLink(d.Subject, d.About), Outcome: decisionWords(d.Kind)}
	_, member := a.Memberships[d.Publisher]
	switch d.Kind {
	case hub.DecisionHide, hub.DecisionWarn, hub.DecisionSuspend, hub.DecisionWithdraw:
		p.CanAppeal = member && d.Subject != hub.SubjectRating && d.Subject != hub.SubjectAccount || ownSubject(a, d)
	}
	return h.show(w, r, a, http.StatusOK, "notices", "A moderator’s decision", "decision", p)
}

// ownSubject reports whether a decision is about the actor's own rating or account.
func ownSubject(a hub.Actor, d hub.Decision) bool {
	_, author, _ := cutLast(d.About, "#")
	return d.Subject == hub.SubjectAccount && d.About == a.Account || d.Subject == hub.SubjectRating && author == a.Account
}

type myAppealsPage struct {
	Tabs []staffFilter
	List []hub.Appeal
	Next string
}

func (h *Handler) appeals(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	list, err := h.o.Community.Appeals(r.Context(), a, community.AppealQuery{Mine: true, Cursor: r.URL.Query().Get("after")})
	if err != nil {
		return err
	}
	p := myAppealsPage{Tabs: accountTabs("/appeals"), List: list.Items}
	if list.Next != "" {
		p.Next = withQuery("/appeals", "after", list.Next)
	}
	return h.show(w, r, a, http.StatusOK, "account", "Your appeals", "appeals", p)
}

type appealPage struct {
	Decision, Submission string
	Name, Said           string // what it is about, and the reason that was given
	Told                 []noticeRow
	MaxText              int
}

// appealPage is the form, or what the person was told of and could appeal.
func (h *Handler) appealPage(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ctx, q := r.Context(), r.URL.Query()
	p := appealPage{Decision: q.Get("decision"), Submission: q.Get("submission"), MaxText: community.MaxReason}
	switch {
	case p.Submission != "":
		s, err := h.o.Publishing.Submission(ctx, a, p.Submission)
		if err != nil {
			return err
		}
		p.Name, p.Said = "the rejection of "+s.Ref(), s.Reason
	case p.Decision != "":
		d, err := h.o.Community.Decision(ctx, a, p.Decision)
		if err != nil {
			return err
		}
		p.Name, p.Said = "the decision about "+subjectName(d.Subject, d.About)+": "+decisionWords(d.Kind), d.Text
	default:
		list, err := h.o.Identity.Notices(ctx, a, identity.NoticeQuery{Limit: 200})
		if err != nil {
			return err
		}
		for _, n := range list {
			if n.Kind == "decision" {
				p.Told = append(p.Told, noticeRow{n, noticeLink(a, n)})
			}
		}
	}
	return h.show(w, r, a, http.StatusOK, "account", "Appeal", "appeal-new", p)
}

func (h *Handler) appealNew(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	p, err := h.o.Community.Appeal(r.Context(), a, community.NewAppeal{
		Decision: r.PostFormValue("decision"), Submission: r.PostFormValue("submission"), Text: formText(r, "text"),
	})
	if err != nil {
		return err
	}
	return done(w, r, "/appeals/"+url.PathEscape(p.ID), "appealed")
}

type oneAppeal struct {
	hub.Appeal
	Author string
	Link   string
}

func (h *Handler) appeal(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	p, err := h.o.Community.AppealByID(r.Context(), a, r.PathValue("id"))
	if err != nil {
		return err
	}
	names, err := h.peopleOf(r.Context(), p.By)
	if err != nil {
		return err
	}
	out := oneAppeal{Appeal: p, Author: names.Name(p.By), Link: "/decisions/" + url.PathEscape(p.Subject)}
	if p.Kind == hub.SubjectSubmission {
		out.Link = "/submissions/" + url.PathEscape(p.Subject)
	}
	return h.show(w, r, a, http.StatusOK, "account", "Appeal", "appeal", out)
}
