package api

import (
	"context"
	"net/http"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/publishing"
	"github.com/souk-dev/souk/verify"
)

// About says what hub this is, for programs that were given its address.
type About struct {
	Name     string          `json:"name"`
	Registry string          `json:"registry" doc:"Where publishers push to, below staging/."`
	Catalog  string          `json:"catalog" doc:"The catalog's reference."`
	Root     []byte          `json:"root" doc:"The catalog's root of trust, root.json. Believe it only when you got it here over https and trust this hub; then pin it."`
	Reviews  verify.Identity `json:"reviews" doc:"Who signs the attestations of reviews."`
}

// System is how the hub itself is.
type System struct {
	publishing.Status
	JobsWaiting map[string]int `json:"jobsWaiting"`
	JobsFailed  map[string]int `json:"jobsFailed" doc:"Given up, by kind."`
}

// PolicyAt is the policy with the revision to change it by.
type PolicyAt struct {
	Rev    int64      `json:"rev"`
	Policy hub.Policy `json:"policy"`
}

func (h *Handler) adminRoutes() {
	p := h.o.Publishing
	route(h, op{method: http.MethodGet, path: "/about", id: "getAbout", tag: "hub", public: true, summary: "What hub this is"},
		func(ctx context.Context, _ hub.Actor, _ *struct{}) (*reply[About], error) {
			root, err := p.Root(ctx)
			return body(About{h.o.Name, h.o.Registry, h.o.Catalog, root, h.o.Reviewer}, err)
		})
	route(h, op{method: http.MethodGet, path: "/categories", id: "listCategories", tag: "hub", public: true, summary: "Categories of plugins"},
		func(ctx context.Context, _ hub.Actor, _ *struct{}) (*reply[[]hub.Category], error) {
			list, err := p.Categories(ctx)
			return body(notNil(list), err)
		})
	route(h, op{method: http.MethodGet, path: "/policy", id: "getPolicy", tag: "hub", public: true, summary: "The rules people are judged by"},
		func(ctx context.Context, _ hub.Actor, _ *struct{}) (*reply[PolicyAt], error) {
			policy, rev, err := p.Policy(ctx)
			return body(PolicyAt{rev, policy}, err)
		})
	route(h, op{method: http.MethodPut, path: "/policy", id: "setPolicy", tag: "administration", summary: "Change the policy"},
		func(ctx context.Context, a hub.Actor, in *struct{ Body PolicyAt }) (*reply[PolicyAt], error) {
			if _, err := p.SetPolicy(ctx, a, in.Body.Rev, in.Body.Policy); err != nil {
				return nil, err
			}
			policy, rev, err := p.Policy(ctx)
			return body(PolicyAt{rev, policy}, err)
		})
	route(h, op{method: http.MethodPut, path: "/categories/{slug}", id: "setCategory", tag: "administration", summary: "Add or change a category"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Slug string `path:"slug" maxLength:"40"`
			Body struct {
				Name     string `json:"name" minLength:"1" maxLength:"60"`
				Summary  string `json:"summary,omitempty" maxLength:"200"`
				Position int    `json:"position,omitempty" minimum:"0" maximum:"10000"`
			}
		}) (*none, error) {
			return empty(p.SetCategory(ctx, a, hub.Category{Slug: in.Slug, Name: in.Body.Name, Summary: in.Body.Summary, Position: in.Body.Position}))
		})
	route(h, op{method: http.MethodDelete, path: "/categories/{slug}", id: "removeCategory", tag: "administration", summary: "Remove a category"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Slug string `path:"slug" maxLength:"40"`
		}) (*none, error) {
			return empty(p.RemoveCategory(ctx, a, in.Slug))
		})
	route(h, op{method: http.MethodGet, path: "/reserved", id: "listReserved", tag: "hub", public: true, summary: "Names that nobody can take"},
		func(ctx context.Context, _ hub.Actor, _ *struct{}) (*reply[[]hub.Reserved], error) {
			list, err := p.Reserved(ctx)
			return body(notNil(list), err)
		})
	route(h, op{method: http.MethodPost, path: "/reserved", id: "reserve", tag: "administration", summary: "Keep a name from everybody"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Body struct {
				Name   string `json:"name" minLength:"1" maxLength:"90"`
				Reason string `json:"reason" minLength:"1" maxLength:"500"`
			}
		}) (*none, error) {
			return empty(p.Reserve(ctx, a, in.Body.Name, in.Body.Reason))
		})
	route(h, op{method: http.MethodPost, path: "/reserved/remove", id: "unreserve", tag: "administration", summary: "Give a reserved name free"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Body struct {
				Name string `json:"name" minLength:"1" maxLength:"90"`
			}
		}) (*none, error) {
			return empty(p.Unreserve(ctx, a, in.Body.Name))
		})
	route(h, op{method: http.MethodGet, path: "/system", id: "getSystem", tag: "administration", summary: "Keys, renewals due, jobs, what went wrong last"},
		func(ctx context.Context, a hub.Actor, _ *struct{}) (*reply[System], error) {
			status, err := p.Status(ctx, a)
			if err != nil {
				return nil, err
			}
			waiting, failed, err := h.o.Env.Store.Jobs(ctx)
			return body(System{status, waiting, failed}, err)
		})
	route(h, op{method: http.MethodGet, path: "/audit", id: "listAudit", tag: "administration", summary: "The audit log, newest first"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Paged
			Actor  string     `query:"actor" maxLength:"60"`
			Target string     `query:"target" maxLength:"200"`
			Action hub.Action `query:"action" maxLength:"60"`
		}) (*reply[hub.Page[hub.Audit]], error) {
			return body(hub.AuditLog(ctx, h.o.Env.Store, a, hub.AuditQuery{
				Actor: in.Actor, Target: in.Target, Action: in.Action, Cursor: in.Cursor, Limit: in.Limit,
			}))
		})
}
