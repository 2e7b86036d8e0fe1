package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/identity"
)

func (h *Handler) accountRoutes() {
	s := h.o.Identity
	route(h, op{method: http.MethodGet, path: "/account", id: "getAccount", tag: "account", summary: "Who one is"},
		func(ctx context.Context, a hub.Actor, _ *struct{}) (*reply[identity.Profile], error) {
			return body(s.Profile(ctx, a))
		})
	route(h, op{method: http.MethodPatch, path: "/account", id: "editAccount", tag: "account", summary: "Change name and mail address"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Body struct {
				Rev   int64  `json:"rev,omitempty" doc:"The revision that was read; 0: any."`
				Name  string `json:"name" minLength:"1" maxLength:"60"`
				Email string `json:"email,omitempty" maxLength:"254" doc:"One of emails, or none."`
			}
		}) (*reply[hub.Account], error) {
			return body(s.EditProfile(ctx, a, identity.ProfileEdit{Rev: in.Body.Rev, Name: in.Body.Name, Email: in.Body.Email}))
		})
	route(h, op{method: http.MethodGet, path: "/account/export", id: "exportAccount", tag: "account", summary: "All that the hub has about oneself"},
		func(ctx context.Context, a hub.Actor, _ *struct{}) (*reply[json.RawMessage], error) {
			all, err := s.Export(ctx, a)
			return body(json.RawMessage(all), err)
		})
	route(h, op{method: http.MethodDelete, path: "/account", id: "deleteAccount", tag: "account", summary: "Delete the account, for good"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Abandon bool `query:"abandon" doc:"Also when a publisher with published plugins loses its only owner: it is suspended then."`
		}) (*none, error) {
			return empty(s.Delete(ctx, a, identity.Deletion{Abandon: in.Abandon}))
		})
	route(h, op{method: http.MethodGet, path: "/account/sessions", id: "listSessions", tag: "account", summary: "Browsers that are signed in"},
		func(ctx context.Context, a hub.Actor, _ *struct{}) (*reply[[]identity.SessionInfo], error) {
			list, err := s.Sessions(ctx, a, edge.SessionOf(ctx))
			return body(notNil(list), err)
		})
	route(h, op{method: http.MethodDelete, path: "/account/sessions/{id}", id: "endSession", tag: "account", summary: "Sign a browser out"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ID string `path:"id" maxLength:"100"`
		}) (*none, error) {
			return empty(s.EndSession(ctx, a, in.ID))
		})
	route(h, op{method: http.MethodGet, path: "/account/passkeys", id: "listPasskeys", tag: "account", summary: "One's passkeys"},
		func(ctx context.Context, a hub.Actor, _ *struct{}) (*reply[[]hub.Passkey], error) {
			list, err := s.PasskeysOf(ctx, a)
			return body(notNil(list), err)
		})
	h.tokenRoutes(s)
	h.panelRoutes(s)
	h.noticeRoutes(s)
	h.accountsRoutes(s)
}

// NewToken is a token with its text, which is shown this once.
type NewToken struct {
	hub.Token
	Text string `json:"text" doc:"souk_a…: keep it secret."`
}

func (h *Handler) tokenRoutes(s *identity.Service) {
	route(h, op{method: http.MethodGet, path: "/tokens", id: "listTokens", tag: "account", summary: "One's tokens, newest first"},
		func(ctx context.Context, a hub.Actor, _ *struct{}) (*reply[[]hub.Token], error) {
			list, err := s.Tokens(ctx, a)
			return body(notNil(list), err)
		})
	route(h, op{method: http.MethodPost, path: "/tokens", id: "createToken", tag: "account", status: http.StatusCreated,
		summary: "Make a token; only a person who signed in just now can"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Body struct {
				Name      string     `json:"name" minLength:"1" maxLength:"100"`
				Publisher string     `json:"publisher,omitempty" maxLength:"40" doc:"Bounds it; left out: all of the account's."`
				Plugin    string     `json:"plugin,omitempty" maxLength:"90"`
				Verbs     []hub.Verb `json:"verbs" minItems:"1" maxItems:"10"`
				Days      int        `json:"days,omitempty" minimum:"0" maximum:"366" doc:"0: 90."`
			}
		}) (*secret[NewToken], error) {
			raw, t, err := s.CreateToken(ctx, a, identity.NewToken{
				Name: in.Body.Name, Publisher: in.Body.Publisher, Plugin: in.Body.Plugin, Verbs: in.Body.Verbs,
				Life: time.Duration(in.Body.Days) * 24 * time.Hour,
			})
			return shownOnce(NewToken{t, raw}, err)
		})
	route(h, op{method: http.MethodDelete, path: "/tokens/{id}", id: "revokeToken", tag: "account", summary: "End a token at once"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*none, error) {
			return empty(s.RevokeToken(ctx, a, in.ID))
		})
}

func (h *Handler) panelRoutes(s *identity.Service) {
	route(h, op{method: http.MethodGet, path: "/panels", id: "listPanels", tag: "panels", summary: "Panels that are linked to one's account"},
		func(ctx context.Context, a hub.Actor, _ *struct{}) (*reply[[]hub.Panel], error) {
			list, err := s.Panels(ctx, a)
			return body(notNil(list), err)
		})
	route(h, op{method: http.MethodGet, path: "/panel", id: "getPanel", tag: "panels", summary: "The panel whose token asks"},
		func(ctx context.Context, a hub.Actor, _ *struct{}) (*reply[hub.Panel], error) {
			return body(s.PanelOf(ctx, a))
		})
	route(h, op{method: http.MethodDelete, path: "/panels/{id}", id: "unlinkPanel", tag: "panels", summary: "Unlink a panel; its token ends"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*none, error) {
			return empty(s.UnlinkPanel(ctx, a, in.ID))
		})
	route(h, op{method: http.MethodPut, path: "/panels/{id}/telemetry", id: "setTelemetry", tag: "panels", summary: "Let a panel say what it runs, or not"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ByID
			Body struct {
				On bool `json:"on"`
			}
		}) (*none, error) {
			return empty(s.SetTelemetry(ctx, a, in.ID, in.Body.On))
		})
}

func (h *Handler) noticeRoutes(s *identity.Service) {
	route(h, op{method: http.MethodGet, path: "/notices", id: "listNotices", tag: "account", summary: "What concerns oneself, newest first"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Unread bool   `query:"unread"`
			After  string `query:"after" maxLength:"60" doc:"Id of the last one of the answer before."`
			Limit  int    `query:"limit" minimum:"0" maximum:"200"`
		}) (*reply[[]hub.Notice], error) {
			list, err := s.Notices(ctx, a, identity.NoticeQuery{Unread: in.Unread, After: in.After, Limit: in.Limit})
			return body(notNil(list), err)
		})
	route(h, op{method: http.MethodPost, path: "/notices/read", id: "markRead", tag: "account", summary: "Mark notices as read; none named: all"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Body struct {
				IDs []string `json:"ids,omitempty" maxItems:"200"`
			}
		}) (*none, error) {
			return empty(s.MarkRead(ctx, a, in.Body.IDs...))
		})
}

// accountsRoutes are for administrators and moderators.
func (h *Handler) accountsRoutes(s *identity.Service) {
	route(h, op{method: http.MethodGet, path: "/accounts", id: "listAccounts", tag: "administration", summary: "Accounts"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Text  string           `query:"text" maxLength:"100" doc:"In the name; or the mail address."`
			Role  hub.Role         `query:"role" enum:"reviewer,moderator,admin"`
			State hub.AccountState `query:"state" enum:"active,suspended,deleted"`
			After string           `query:"after" maxLength:"60"`
			Limit int              `query:"limit" minimum:"0" maximum:"200"`
		}) (*reply[[]hub.Account], error) {
			list, err := s.Accounts(ctx, a, identity.AccountQuery{Text: in.Text, Role: in.Role, State: in.State, After: in.After, Limit: in.Limit})
			return body(notNil(list), err)
		})
	route(h, op{method: http.MethodGet, path: "/accounts/{id}", id: "getAccountByID", tag: "administration", summary: "An account"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*reply[hub.Account], error) {
			return body(s.Account(ctx, a, in.ID))
		})
	route(h, op{method: http.MethodPut, path: "/accounts/{id}/roles", id: "setRoles", tag: "administration", summary: "Give roles, and take them"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ByID
			Body struct {
				Roles []hub.Role `json:"roles" maxItems:"3"`
			}
		}) (*reply[hub.Account], error) {
			return body(s.SetRoles(ctx, a, in.ID, in.Body.Roles))
		})
	route(h, op{method: http.MethodPost, path: "/accounts/{id}/suspend", id: "suspendAccount", tag: "moderation", summary: "Suspend an account"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ByID
			Body struct {
				Reason string `json:"reason" minLength:"1" maxLength:"500"`
			}
		}) (*none, error) {
			return empty(s.Suspend(ctx, a, in.ID, in.Body.Reason))
		})
	route(h, op{method: http.MethodPost, path: "/accounts/{id}/unsuspend", id: "unsuspendAccount", tag: "moderation", summary: "Take that back"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*none, error) {
			return empty(s.Unsuspend(ctx, a, in.ID))
		})
}
