package api

import (
	"context"
	"net/http"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/community"
)

// OfPlugin names a plugin in a path.
type OfPlugin struct {
	Publisher string `path:"publisher" maxLength:"40" doc:"Namespace."`
	Name      string `path:"name" maxLength:"40" doc:"Second half of the plugin's id."`
}

func (p OfPlugin) id() string { return p.Publisher + "/" + p.Name }

// ByID names a record in a path.
type ByID struct {
	ID string `path:"id" maxLength:"60"`
}

// Paged is how a list is asked for.
type Paged struct {
	Cursor string `query:"cursor" maxLength:"600" doc:"The next of the answer before; empty: from the start."`
	Limit  int    `query:"limit" minimum:"0" maximum:"100" doc:"Most entries of an answer; 0: 20."`
}

func (h *Handler) communityRoutes() {
	c := h.o.Community

	route(h, op{method: http.MethodGet, path: "/plugins/{publisher}/{name}/ratings", id: "listRatings", tag: "ratings", public: true,
		summary: "Shown ratings of a plugin"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfPlugin
			Paged
			Sort  string `query:"sort" enum:"newest,helpful,stars" default:"newest"`
			Stars int    `query:"stars" minimum:"0" maximum:"5" doc:"Only these; 0: all."`
		}) (*reply[hub.Page[community.RatingView]], error) {
			return body(c.Ratings(ctx, a, community.RatingsQuery{
				Plugin: in.id(), Sort: community.Sort(in.Sort), Stars: in.Stars, Cursor: in.Cursor, Limit: in.Limit,
			}))
		})
	route(h, op{method: http.MethodGet, path: "/plugins/{publisher}/{name}/ratings/summary", id: "getRatingSummary", tag: "ratings", public: true,
		summary: "What a plugin's ratings add up to"},
		func(ctx context.Context, _ hub.Actor, in *OfPlugin) (*reply[community.Summary], error) {
			return body(c.Summary(ctx, in.id()))
		})
	route(h, op{method: http.MethodGet, path: "/plugins/{publisher}/{name}/ratings/mine", id: "getMyRating", tag: "ratings",
		summary: "One's own rating of a plugin, shown or not"},
		func(ctx context.Context, a hub.Actor, in *OfPlugin) (*reply[hub.Rating], error) {
			return body(c.RatingOf(ctx, a, in.id()))
		})
	route(h, op{method: http.MethodPut, path: "/plugins/{publisher}/{name}/ratings/mine", id: "rate", tag: "ratings",
		summary: "Rate a plugin, or change one's rating"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfPlugin
			Body struct {
				Stars   int    `json:"stars" minimum:"1" maximum:"5"`
				Text    string `json:"text,omitempty" maxLength:"4000" doc:"Plain, several lines; may be empty."`
				Version string `json:"version,omitempty" maxLength:"64" doc:"The one in use."`
				Receipt string `json:"receipt,omitempty" maxLength:"4096" doc:"A linked panel's proof that it is installed."`
			}
		}) (*reply[hub.Rating], error) {
			return body(c.Rate(ctx, a, community.NewRating{
				Plugin: in.id(), Stars: in.Body.Stars, Text: in.Body.Text, Version: in.Body.Version, Receipt: in.Body.Receipt,
			}))
		})
	route(h, op{method: http.MethodDelete, path: "/plugins/{publisher}/{name}/ratings/mine", id: "deleteMyRating", tag: "ratings",
		summary: "Take one's rating back"},
		func(ctx context.Context, a hub.Actor, in *OfPlugin) (*none, error) {
			return empty(c.DeleteRating(ctx, a, in.id()))
		})
	type OfRating struct {
		OfPlugin
		Author string `path:"author" maxLength:"60" doc:"Account of who rated."`
	}
	route(h, op{method: http.MethodPut, path: "/plugins/{publisher}/{name}/ratings/{author}/answer", id: "answerRating", tag: "ratings",
		summary: "The publisher's one answer to a rating; an empty text takes it back"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfRating
			Body struct {
				Text string `json:"text" maxLength:"4000"`
			}
		}) (*reply[hub.Rating], error) {
			return body(c.Answer(ctx, a, in.id(), in.Author, in.Body.Text))
		})
	vote := func(method, id, summary string, helpful bool) {
		route(h, op{method: method, path: "/plugins/{publisher}/{name}/ratings/{author}/helpful", id: id, tag: "ratings", summary: summary},
			func(ctx context.Context, a hub.Actor, in *OfRating) (*reply[hub.Rating], error) {
				return body(c.Vote(ctx, a, in.id(), in.Author, helpful))
			})
	}
	vote(http.MethodPut, "voteHelpful", "Say that a rating was helpful", true)
	vote(http.MethodDelete, "unvoteHelpful", "Take that back", false)
	h.reportRoutes(c)
	h.decisionRoutes(c)
	h.advisoryRoutes(c)
}

func (h *Handler) reportRoutes(c *community.Service) {
	route(h, op{method: http.MethodPost, path: "/reports", id: "createReport", tag: "reports", status: http.StatusCreated,
		summary: "Say what is wrong with something"},
		func(ctx context.Context, a hub.Actor, in *struct{ Body community.NewReport }) (*reply[hub.Report], error) {
			return body(c.CreateReport(ctx, a, in.Body))
		})
	route(h, op{method: http.MethodGet, path: "/reports/mine", id: "listMyReports", tag: "reports", summary: "One's own reports"},
		func(ctx context.Context, a hub.Actor, in *Paged) (*reply[hub.Page[hub.Report]], error) {
			return body(c.MyReports(ctx, a, in.Cursor, in.Limit))
		})
	route(h, op{method: http.MethodGet, path: "/reports", id: "listReports", tag: "moderation", summary: "The queue of reports, gravest first"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Paged
			State     string `query:"state" enum:"open,decided" default:"open"`
			Kind      string `query:"kind" maxLength:"20"`
			Subject   string `query:"subject" maxLength:"200"`
			Publisher string `query:"publisher" maxLength:"40"`
			Reason    string `query:"reason" maxLength:"20"`
		}) (*reply[hub.Page[hub.Report]], error) {
			return body(c.Reports(ctx, a, community.ReportQuery{
				State: hub.ReportState(in.State), Kind: hub.SubjectKind(in.Kind), Subject: in.Subject, Publisher: in.Publisher,
				Reason: in.Reason, Cursor: in.Cursor, Limit: in.Limit,
			}))
		})
	route(h, op{method: http.MethodGet, path: "/reports/{id}", id: "getReport", tag: "reports", summary: "A report"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*reply[hub.Report], error) {
			return body(c.Report(ctx, a, in.ID))
		})
	route(h, op{method: http.MethodGet, path: "/ratings/held", id: "listHeldRatings", tag: "moderation", summary: "Ratings that wait for a moderator"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Paged
			Plugin string `query:"plugin" maxLength:"90" doc:"Empty: of all."`
		}) (*reply[hub.Page[community.RatingView]], error) {
			return body(c.Held(ctx, a, in.Plugin, in.Cursor, in.Limit))
		})
}

func (h *Handler) decisionRoutes(c *community.Service) {
	route(h, op{method: http.MethodPost, path: "/decisions", id: "decide", tag: "moderation", status: http.StatusCreated,
		summary: "Decide about something that was reported, or seen"},
		func(ctx context.Context, a hub.Actor, in *struct{ Body community.NewDecision }) (*reply[hub.Decision], error) {
			return body(c.Decide(ctx, a, in.Body))
		})
	route(h, op{method: http.MethodGet, path: "/decisions", id: "listDecisions", tag: "moderation", summary: "Decisions, newest first"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Paged
			Subject   string `query:"subject" maxLength:"20" doc:"Kind of what they are about."`
			About     string `query:"about" maxLength:"200"`
			Publisher string `query:"publisher" maxLength:"40"`
		}) (*reply[hub.Page[hub.Decision]], error) {
			return body(c.Decisions(ctx, a, community.DecisionQuery{
				Subject: hub.SubjectKind(in.Subject), About: in.About, Publisher: in.Publisher, Cursor: in.Cursor, Limit: in.Limit,
			}))
		})
	route(h, op{method: http.MethodGet, path: "/decisions/{id}", id: "getDecision", tag: "moderation", summary: "A decision"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*reply[hub.Decision], error) {
			return body(c.Decision(ctx, a, in.ID))
		})
	route(h, op{method: http.MethodPost, path: "/decisions/{id}/reverse", id: "reverseDecision", tag: "moderation", status: http.StatusCreated,
		summary: "Take a decision back"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ByID
			Body struct {
				Text string `json:"text" minLength:"1" maxLength:"2000" doc:"Why."`
			}
		}) (*reply[hub.Decision], error) {
			return body(c.Reverse(ctx, a, in.ID, in.Body.Text))
		})
	route(h, op{method: http.MethodPost, path: "/appeals", id: "createAppeal", tag: "appeals", status: http.StatusCreated,
		summary: "Ask for another person to look"},
		func(ctx context.Context, a hub.Actor, in *struct{ Body community.NewAppeal }) (*reply[hub.Appeal], error) {
			return body(c.Appeal(ctx, a, in.Body))
		})
	route(h, op{method: http.MethodGet, path: "/appeals", id: "listAppeals", tag: "appeals", summary: "Appeals, oldest first"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Paged
			State     string `query:"state" enum:"open,upheld,granted"`
			Publisher string `query:"publisher" maxLength:"40"`
			Mine      bool   `query:"mine"`
		}) (*reply[hub.Page[hub.Appeal]], error) {
			return body(c.Appeals(ctx, a, community.AppealQuery{
				State: hub.AppealState(in.State), Publisher: in.Publisher, Mine: in.Mine, Cursor: in.Cursor, Limit: in.Limit,
			}))
		})
	route(h, op{method: http.MethodGet, path: "/appeals/{id}", id: "getAppeal", tag: "appeals", summary: "An appeal"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*reply[hub.Appeal], error) {
			return body(c.AppealByID(ctx, a, in.ID))
		})
	route(h, op{method: http.MethodPost, path: "/appeals/{id}/decision", id: "decideAppeal", tag: "moderation",
		summary: "Grant an appeal, or uphold what was decided"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ByID
			Body struct {
				Grant  bool   `json:"grant"`
				Answer string `json:"answer" minLength:"1" maxLength:"2000"`
			}
		}) (*reply[hub.Appeal], error) {
			return body(c.DecideAppeal(ctx, a, in.ID, in.Body.Grant, in.Body.Answer))
		})
}

func (h *Handler) advisoryRoutes(c *community.Service) {
	route(h, op{method: http.MethodGet, path: "/advisories", id: "listAdvisories", tag: "advisories", public: true, summary: "Advisories, newest first"},
		func(ctx context.Context, _ hub.Actor, in *struct {
			Paged
			Plugin    string `query:"plugin" maxLength:"90"`
			Publisher string `query:"publisher" maxLength:"40"`
			Active    bool   `query:"active" doc:"Without rescinded ones."`
		}) (*reply[hub.Page[hub.Advisory]], error) {
			return body(c.Advisories(ctx, community.AdvisoryQuery{
				Plugin: in.Plugin, Publisher: in.Publisher, Active: in.Active, Cursor: in.Cursor, Limit: in.Limit,
			}))
		})
	route(h, op{method: http.MethodGet, path: "/advisories/{id}", id: "getAdvisory", tag: "advisories", public: true, summary: "An advisory"},
		func(ctx context.Context, _ hub.Actor, in *ByID) (*reply[hub.Advisory], error) {
			return body(c.Advisory(ctx, in.ID))
		})
	route(h, op{method: http.MethodPost, path: "/advisories", id: "issueAdvisory", tag: "moderation", status: http.StatusCreated,
		summary: "Have the catalog say something about releases, a plugin, a publisher or a signer"},
		func(ctx context.Context, a hub.Actor, in *struct{ Body NewAdvisory }) (*reply[hub.Advisory], error) {
			return body(c.IssueAdvisory(ctx, a, in.Body.advisory()))
		})
	route(h, op{method: http.MethodPost, path: "/advisories/{id}/rescind", id: "rescindAdvisory", tag: "moderation", summary: "Take an advisory back"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ByID
			Body struct {
				Why string `json:"why" minLength:"1" maxLength:"2000"`
			}
		}) (*reply[hub.Advisory], error) {
			return body(c.RescindAdvisory(ctx, a, in.ID, in.Body.Why))
		})
}
