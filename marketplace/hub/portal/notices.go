package portal

import (
	"net/http"
	"net/url"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

func (h *Handler) noticeRoutes() {
	h.own("GET /notices", h.notices)
	h.own("POST /notices/read", h.noticesRead)
	h.own("GET /account/reports", h.myReports)
}

type noticeRow struct {
	hub.Notice
	Link string
}

type noticesPage struct {
	List   []noticeRow
	Unread bool // only those
	Some   bool // of the ones shown are unread
	Next   string
}

// noticeLink is where a notice leads; empty when there is nothing to see.
func noticeLink(a hub.Actor, n hub.Notice) string {
	id := url.PathEscape(n.Subject)
	switch n.Kind {
	case "submission":
		return "/submissions/" + id
	case "decision":
		return "/decisions/" + id
	case "appeal":
		return "/appeals/" + id
	case "advisory":
		return "/advisories/" + id
	case "plugin":
		return pluginLink(n.Subject) + "/ratings"
	case "hook":
		return "/hooks/" + id
	case "account":
		return "/account"
	case "publisher":
		if _, member := a.Memberships[n.Subject]; member {
			return publishLink(n.Subject)
		}
		return "/publish" // hand-overs to somebody stand there
	}
	return ""
}

// noticesShown is how many stand on a page.
const noticesShown = 30

func (h *Handler) notices(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	q := r.URL.Query()
	p := noticesPage{Unread: q.Get("show") == "unread"}
	list, err := h.o.Identity.Notices(r.Context(), a, identity.NoticeQuery{Unread: p.Unread, After: q.Get("after"), Limit: noticesShown})
	if err != nil {
		return err
	}
	for _, n := range list {
		p.Some = p.Some || n.Read.IsZero()
		p.List = append(p.List, noticeRow{n, noticeLink(a, n)})
	}
	if len(list) == noticesShown {
		p.Next = withQuery("/notices", "show", q.Get("show"), "after", list[len(list)-1].ID)
	}
	return h.show(w, r, a, http.StatusOK, "notices", "Notices", "notices", p)
}

func (h *Handler) noticesRead(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	var ids []string
	if id := r.PostFormValue("id"); id != "" {
		ids = []string{id}
	}
	if err := h.o.Identity.MarkRead(r.Context(), a, ids...); err != nil {
		return err
	}
	if to := r.PostFormValue("to"); len(ids) == 1 && len(to) > 1 && to[0] == '/' && to[1] != '/' && to[1] != '\\' {
		return done(w, r, to, "")
	}
	return done(w, r, "/notices", "")
}

type myReportRow struct {
	hub.Report
	Outcome string // of the decision, for people; empty: none yet
}

type myReportsPage struct {
	Tabs                     []staffFilter
	Reports                  []myReportRow
	Ratings                  []hub.Rating
	MoreReports, MoreRatings string
}

func (h *Handler) myReports(w http.ResponseWriter, r *http.Request, a hub.Actor) error {
	ctx, q := r.Context(), r.URL.Query()
	p := myReportsPage{Tabs: accountTabs("/account/reports")}
	reports, err := h.o.Community.MyReports(ctx, a, q.Get("reports"), 0)
	if err != nil {
		return err
	}
	for _, one := range reports.Items {
		row := myReportRow{Report: one}
		if one.Decision != "" {
			d, err := h.o.Community.Decision(ctx, a, one.Decision)
			if err != nil {
				return err
			}
			row.Outcome = decisionWords(d.Kind)
		}
		p.Reports = append(p.Reports, row)
	}
	ratings, err := h.o.Community.MyRatings(ctx, a, q.Get("ratings"), 0)
	if err != nil {
		return err
	}
	p.Ratings = ratings.Items
	if reports.Next != "" {
		p.MoreReports = withQuery("/account/reports", "reports", reports.Next)
	}
	if ratings.Next != "" {
		p.MoreRatings = withQuery("/account/reports", "ratings", ratings.Next)
	}
	return h.show(w, r, a, http.StatusOK, "account", "Reports and ratings", "my-reports", p)
}

// decisionWords says what was decided.
func decisionWords(k hub.DecisionKind) string {
	switch k {
	case hub.DecisionDismiss:
		return "nothing was done"
	case hub.DecisionHide:
		return "it was hidden"
	case hub.DecisionShow:
		return "it is shown"
	case hub.DecisionWarn:
		return "whose it is was warned"
	case hub.DecisionSuspend:
		return "whoever did it was suspended"
	case hub.DecisionRestore:
		return "a suspension was taken back"
	case hub.DecisionWithdraw:
		return "the release was withdrawn, with an advisory"
	}
	return word(k)
}
