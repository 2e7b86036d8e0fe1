package api

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/insight"
	"github.com/souk-dev/souk/verify"
)

// NewAdvisory is what a moderator gives of an advisory; the hub adds its id and times.
type NewAdvisory struct {
	Action    catalog.Action  `json:"action" enum:"warn,block,disable"`
	Title     string          `json:"title" minLength:"1" maxLength:"280"`
	Detail    string          `json:"detail,omitempty" maxLength:"16384"`
	URL       string          `json:"url,omitempty" maxLength:"300"`
	Plugin    string          `json:"plugin,omitempty" maxLength:"90"`
	Range     string          `json:"range,omitempty" maxLength:"300"`
	Publisher string          `json:"publisher,omitempty" maxLength:"40"`
	Signer    string          `json:"signer,omitempty" maxLength:"600"`
	Digests   []verify.Digest `json:"digests,omitempty" maxItems:"1000"`
	FixedIn   string          `json:"fixedIn,omitempty" maxLength:"64"`
}

func (n NewAdvisory) advisory() catalog.Advisory {
	return catalog.Advisory{
		Action: n.Action, Title: n.Title, Detail: n.Detail, URL: n.URL, Plugin: catalog.PluginID(n.Plugin), Range: n.Range,
		Publisher: n.Publisher, Signer: n.Signer, Digests: n.Digests, FixedIn: n.FixedIn,
	}
}

// Span is a number of days.
type Span struct {
	From time.Time `query:"from" doc:"First day; left out: 28 days ago."`
	To   time.Time `query:"to" doc:"Last day; left out: today."`
}

func (s Span) days(now time.Time) (from, to time.Time) {
	if from, to = s.From, s.To; to.IsZero() {
		to = now
	}
	if from.IsZero() {
		from = to.AddDate(0, 0, -27)
	}
	return from, to
}

// raw is an answer that is no JSON.
type raw struct {
	ContentType        string `header:"Content-Type"`
	ContentDisposition string `header:"Content-Disposition"`
	Body               []byte
}

func (h *Handler) insightRoutes() {
	s := h.o.Insight
	route(h, op{method: http.MethodGet, path: "/numbers", id: "getPublicNumbers", tag: "numbers", public: true, summary: "Numbers of the whole hub"},
		func(ctx context.Context, _ hub.Actor, _ *struct{}) (*reply[insight.PublicNumbers], error) {
			return body(s.Public(ctx))
		})
	route(h, op{method: http.MethodGet, path: "/plugins/{publisher}/{name}/numbers", id: "getNumbers", tag: "numbers",
		summary: "A plugin's days: downloads, active installs, adoption, rollbacks, ratings"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfPlugin
			Span
		}) (*reply[insight.Numbers], error) {
			from, to := in.days(h.o.Env.Now())
			return body(s.Numbers(ctx, a, in.id(), from, to))
		})
	route(h, op{method: http.MethodGet, path: "/plugins/{publisher}/{name}/numbers.csv", id: "getNumbersCSV", tag: "numbers", media: "text/csv",
		summary: "The same as a table"},
		func(ctx context.Context, a hub.Actor, in *struct {
			OfPlugin
			Span
		}) (*raw, error) {
			from, to := in.days(h.o.Env.Now())
			n, err := s.Numbers(ctx, a, in.id(), from, to)
			if err != nil {
				return nil, err
			}
			var b bytes.Buffer
			if err := n.WriteCSV(&b); err != nil {
				return nil, err
			}
			return &raw{"text/csv; charset=utf-8", "attachment; filename=\"" + in.Publisher + "-" + in.Name + ".csv\"", b.Bytes()}, nil
		})
	type counted struct {
		Counted int `json:"counted" doc:"How many of the installed plugins are of this hub; 0 when this day was reported before."`
	}
	route(h, op{method: http.MethodPost, path: "/panel/report", id: "reportInstalls", tag: "panels",
		summary: "What a linked panel runs, once a day, when its owner allows it"},
		func(ctx context.Context, a hub.Actor, in *struct{ Body insight.Report }) (*reply[counted], error) {
			n, err := s.PanelReport(ctx, a, in.Body)
			return body(counted{n}, err)
		})
	route(h, op{method: http.MethodPost, path: "/recommendations", id: "recommend", tag: "plugins", public: true,
		summary: "Plugins for who has these"},
		func(ctx context.Context, _ hub.Actor, in *struct {
			Body struct {
				Have  []catalog.PluginID `json:"have" maxItems:"300"`
				Limit int                `json:"limit,omitempty" minimum:"1" maximum:"50" default:"6"`
			}
		}) (*reply[[]insight.Recommendation], error) {
			list, err := s.Recommend(ctx, in.Body.Have, in.Body.Limit)
			return body(notNil(list), err)
		})
	h.hookRoutes(s)
}

// WithSecret is a hook with the secret that its deliveries are signed with; it is shown
// this once.
type WithSecret struct {
	hub.Hook
	Secret string `json:"secret" doc:"whsec_…, as Standard Webhooks writes it."`
}

func (h *Handler) hookRoutes(s *insight.Service) {
	route(h, op{method: http.MethodGet, path: "/hooks", id: "listHooks", tag: "webhooks", summary: "One's own hooks, or those of a publisher"},
		func(ctx context.Context, a hub.Actor, in *struct {
			Publisher string `query:"publisher" maxLength:"40"`
		}) (*reply[[]hub.Hook], error) {
			list, err := s.Hooks(ctx, a, in.Publisher)
			return body(notNil(list), err)
		})
	route(h, op{method: http.MethodPost, path: "/hooks", id: "createHook", tag: "webhooks", status: http.StatusCreated, summary: "Be told of events"},
		func(ctx context.Context, a hub.Actor, in *struct{ Body insight.NewHook }) (*secret[WithSecret], error) {
			k, err := s.CreateHook(ctx, a, in.Body)
			return shownOnce(WithSecret{k, k.Secret}, err)
		})
	route(h, op{method: http.MethodGet, path: "/hooks/{id}", id: "getHook", tag: "webhooks", summary: "A hook"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*reply[hub.Hook], error) {
			return body(s.Hook(ctx, a, in.ID))
		})
	route(h, op{method: http.MethodPatch, path: "/hooks/{id}", id: "updateHook", tag: "webhooks", summary: "Change a hook"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ByID
			Body struct {
				Rev int64 `json:"rev,omitempty" doc:"The revision that was read; 0: any."`
				insight.HookChange
			}
		}) (*reply[hub.Hook], error) {
			return body(s.UpdateHook(ctx, a, in.ID, in.Body.Rev, in.Body.HookChange))
		})
	route(h, op{method: http.MethodDelete, path: "/hooks/{id}", id: "deleteHook", tag: "webhooks", summary: "Remove a hook and its log"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*none, error) {
			return empty(s.DeleteHook(ctx, a, in.ID))
		})
	route(h, op{method: http.MethodPost, path: "/hooks/{id}/secret", id: "rotateHookSecret", tag: "webhooks", summary: "Give a hook a new secret"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*secret[WithSecret], error) {
			k, err := s.RotateSecret(ctx, a, in.ID)
			return shownOnce(WithSecret{k, k.Secret}, err)
		})
	route(h, op{method: http.MethodGet, path: "/hooks/{id}/deliveries", id: "listDeliveries", tag: "webhooks", summary: "What was sent to a hook, newest first"},
		func(ctx context.Context, a hub.Actor, in *struct {
			ByID
			Paged
		}) (*reply[hub.Page[hub.Delivery]], error) {
			return body(s.Deliveries(ctx, a, in.ID, in.Cursor, in.Limit))
		})
	route(h, op{method: http.MethodPost, path: "/deliveries/{id}/redeliver", id: "redeliver", tag: "webhooks", summary: "Send it once more"},
		func(ctx context.Context, a hub.Actor, in *ByID) (*reply[hub.Delivery], error) {
			return body(s.Redeliver(ctx, a, in.ID))
		})
}

// feed serves an Atom feed, at the address that insight.FeedPath gives it.
func (h *Handler) feed(w http.ResponseWriter, r *http.Request) {
	name, atom := strings.CutSuffix(r.PathValue("file"), ".atom")
	if !atom {
		h.fail(w, r, hub.ErrNotFound)
		return
	}
	kind, about := insight.FeedKind(name), ""
	switch publisher := r.PathValue("publisher"); {
	case publisher != "":
		kind, about = insight.FeedPlugin, publisher+"/"+name
	case strings.HasPrefix(r.URL.Path, "/feeds/publishers/"):
		kind, about = insight.FeedPublisher, name
	case kind != insight.FeedReleases && kind != insight.FeedAdvisories:
		h.fail(w, r, hub.ErrNotFound)
		return
	}
	f, err := h.o.Insight.Feed(r.Context(), kind, about)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", insight.FeedType)
	w.Header().Set("ETag", f.ETag)
	w.Header().Set("Last-Modified", f.Updated.UTC().Format(http.TimeFormat))
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Write(f.Body) //nolint:errcheck // the client has gone, nobody else to tell
}
