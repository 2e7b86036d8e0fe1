package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/marketplace/hub/identity"
	"github.com/souk-dev/souk/marketplace/hub/signin"
)

// deviceGrant is the grant type of RFC 8628.
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// DeviceAnswer is what a panel gets that wants to be linked (RFC 8628, 3.2).
type DeviceAnswer struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	URI        string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	ExpiresIn  int    `json:"expires_in"` // seconds
	Interval   int    `json:"interval"`   // seconds between two polls
}

// TokenAnswer is a token (RFC 6749, 5.1).
type TokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in,omitempty"` // seconds; left out: it ends when it is revoked
}

// OAuthError is an error of the two (RFC 6749, 5.2; RFC 8628, 3.5).
type OAuthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description,omitempty"`
}

// oauthRoutes are forms, as their RFCs have it, and therefore not huma's.
func (h *Handler) oauthRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /api/v1/device/code", h.deviceCode)
	mux.HandleFunc("POST /api/v1/device/token", h.deviceToken)
	h.document("/api/v1/device/code", "startDevice", "Begin to link a panel (RFC 8628)", DeviceAnswer{}, map[string]string{
		"client_name": "What the person will see.",
		"public_key":  "Ed25519, base64: signs the panel's receipts.",
	}, "client_name")
	h.document("/api/v1/device/token", "pollDevice", "Ask whether the person has approved (RFC 8628)", TokenAnswer{}, map[string]string{
		"grant_type":  deviceGrant,
		"device_code": "As the beginning had it.",
	}, "grant_type", "device_code")

	type ciToken struct {
		Token   string    `json:"token" doc:"souk_c…"`
		Expires time.Time `json:"expires"`
	}
	route(h, op{method: http.MethodPost, path: "/ci/token", id: "exchangeCI", tag: "publishers", public: true,
		summary: "Exchange a CI job's identity for a token to push and submit with"},
		func(ctx context.Context, _ hub.Actor, in *struct {
			Body struct {
				Token string `json:"token" maxLength:"16384" doc:"OpenID Connect token of the job, for the audience of this hub."`
				For   string `json:"for,omitempty" maxLength:"90" doc:"Publisher or plugin; needed when several rules allow the job."`
			}
		}) (*secret[ciToken], error) {
			if h.o.Issuers == nil {
				return nil, fmt.Errorf("%w: this hub takes no tokens of CI systems", hub.ErrForbidden)
			}
			w, err := h.o.Issuers.Verify(ctx, in.Body.Token)
			switch {
			case errors.Is(err, signin.ErrUnavailable):
				return nil, fmt.Errorf("%w: %w", hub.ErrUnavailable, err)
			case err != nil:
				return nil, fmt.Errorf("%w: %w", hub.ErrUnauthenticated, err)
			}
			raw, expires, err := h.o.Identity.ExchangeCI(ctx, workload(w, in.Body.For))
			if err == nil {
				err = h.proveRepository(ctx, w, raw)
			}
			return shownOnce(ciToken{raw, expires}, err)
		})
	// Issuer is a CI system whose jobs can publish.
	type Issuer struct {
		URL      string `json:"url"`
		Audience string `json:"audience" doc:"What a job asks its token for."`
		Kind     string `json:"kind"`
	}
	route(h, op{method: http.MethodGet, path: "/ci/issuers", id: "listIssuers", tag: "publishers", public: true, summary: "CI systems whose jobs can publish"},
		func(context.Context, hub.Actor, *struct{}) (*reply[[]Issuer], error) {
			list := []Issuer{}
			if h.o.Issuers != nil {
				for _, i := range h.o.Issuers.All() {
					list = append(list, Issuer{i.URL, i.Audience, string(i.Kind)})
				}
			}
			return body(list, nil)
		})
}

// proveRepository notes that a job of the repository acted for the publisher: that is
// what a proof by repository waits for.
func (h *Handler) proveRepository(ctx context.Context, w signin.Workload, raw string) error {
	a, err := h.o.Identity.AuthenticateToken(ctx, raw)
	if err != nil {
		return err
	}
	return h.o.Publishing.ProveRepository(ctx, a.Token.Publisher, repositoryOf(w))
}

// repositoryOf names the repository of a job as people and proofs do: "github.com/acme/backup".
func repositoryOf(w signin.Workload) string {
	host := "github.com" // whose issuer has another name
	if u, err := url.Parse(w.Issuer); err == nil && w.Kind != signin.GitHub {
		host = u.Host
	}
	return host + "/" + w.Repository
}

// knows reports whether tokens of the issuer are taken.
func (h *Handler) knows(issuer string) bool {
	if h.o.Issuers == nil {
		return false
	}
	for _, i := range h.o.Issuers.All() {
		if i.URL == issuer {
			return true
		}
	}
	return false
}

func workload(w signin.Workload, want string) identity.Workload {
	return identity.Workload{
		Issuer: w.Issuer, Kind: string(w.Kind), Subject: w.Subject, Repository: w.Repository, RepositoryID: w.RepositoryID,
		OwnerID: w.OwnerID, Workflow: w.Workflow, Job: w.Job, Event: w.Event, Ref: w.Ref, Environment: w.Environment,
		TokenID: w.TokenID, Expires: w.TokenUntil, Want: want,
	}
}

// form reads a form of application/x-www-form-urlencoded.
func form(w http.ResponseWriter, r *http.Request) bool {
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || t != "application/x-www-form-urlencoded" {
		return false
	}
	r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
	return r.ParseForm() == nil
}

func (h *Handler) deviceCode(w http.ResponseWriter, r *http.Request) {
	if !form(w, r) {
		h.oauthFail(w, r, http.StatusBadRequest, "invalid_request", "a form is expected")
		return
	}
	s, err := h.o.Identity.StartDevice(r.Context(), identity.DeviceRequest{
		Name: r.PostFormValue("client_name"), PublicKey: r.PostFormValue("public_key"), Address: edge.AddressOf(r.Context()).String(),
	})
	var invalid *hub.InvalidError
	switch {
	case errors.As(err, &invalid):
		h.oauthFail(w, r, http.StatusBadRequest, "invalid_request", invalid.Error())
		return
	case err != nil:
		h.fail(w, r, err)
		return
	}
	h.oauthWrite(w, r, http.StatusOK, DeviceAnswer{
		DeviceCode: s.DeviceCode, UserCode: s.UserCode, URI: h.o.BaseURL + "/link", Complete: h.o.BaseURL + "/link?code=" + s.UserCode,
		ExpiresIn: int(s.Expires.Sub(h.o.Env.Now()).Seconds()), Interval: int(s.Interval.Seconds()),
	})
}

func (h *Handler) deviceToken(w http.ResponseWriter, r *http.Request) {
	if !form(w, r) {
		h.oauthFail(w, r, http.StatusBadRequest, "invalid_request", "a form is expected")
		return
	}
	if r.PostFormValue("grant_type") != deviceGrant {
		h.oauthFail(w, r, http.StatusBadRequest, "unsupported_grant_type", "the one there is: "+deviceGrant)
		return
	}
	token, err := h.o.Identity.PollDevice(r.Context(), r.PostFormValue("device_code"))
	var waiting *identity.DeviceError
	switch {
	case errors.As(err, &waiting):
		h.oauthFail(w, r, http.StatusBadRequest, waiting.Code, "")
		return
	case err != nil:
		h.fail(w, r, err)
		return
	}
	h.oauthWrite(w, r, http.StatusOK, TokenAnswer{AccessToken: token, TokenType: "Bearer"})
}

func (h *Handler) oauthFail(w http.ResponseWriter, r *http.Request, status int, code, description string) {
	h.oauthWrite(w, r, status, OAuthError{code, description})
}

func (h *Handler) oauthWrite(w http.ResponseWriter, r *http.Request, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	w.Write(append(b, '\n')) //nolint:errcheck // the client has gone, nobody else to tell
}

// document adds an operation that takes a form to the OpenAPI document.
func (h *Handler) document(path, id, summary string, answer any, fields map[string]string, required ...string) {
	doc := h.api.OpenAPI()
	object := &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{}, Required: required}
	for name, description := range fields {
		object.Properties[name] = &huma.Schema{Type: "string", Description: description}
	}
	schema := func(v any) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{"application/json": {Schema: doc.Components.Schemas.Schema(reflect.TypeOf(v), true, "")}}
	}
	problem := map[string]*huma.MediaType{"application/problem+json": {Schema: doc.Components.Schemas.Schema(reflect.TypeOf(huma.ErrorModel{}), true, "")}}
	doc.AddOperation(&huma.Operation{
		OperationID: id, Method: http.MethodPost, Path: path, Summary: summary, Tags: []string{"panels"},
		Security:    []map[string][]string{{}},
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/x-www-form-urlencoded": {Schema: object}}},
		Responses: map[string]*huma.Response{
			"200":     {Description: "OK", Content: schema(answer)},
			"400":     {Description: "Error", Content: schema(OAuthError{})},
			"default": {Description: "Error", Content: problem},
		},
	})
}
