package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/verify"
)

// problemType is the beginning of every problem's type; what follows names the cause and
// is what a program looks at.
const problemType = "urn:souk:problem:"

// cause is a status and the words of an error that may be said.
type cause struct {
	status int
	name   string
	title  string
}

// causeOf is the one place where an error becomes a status and public words. What is not
// here is an internal error.
func causeOf(err error) cause {
	var invalid *hub.InvalidError
	var limit *hub.LimitError
	var manifest *catalog.ManifestError
	switch {
	case errors.As(err, &invalid), errors.As(err, &manifest):
		return cause{http.StatusUnprocessableEntity, "invalid", "What was sent is not valid"}
	case errors.As(err, &limit):
		return cause{http.StatusTooManyRequests, "limit", "Too many of these"}
	case errors.Is(err, hub.ErrNotFresh):
		return cause{http.StatusForbidden, "not-fresh", "Sign in again to do this"}
	case errors.Is(err, edge.ErrCrossOrigin):
		return cause{http.StatusForbidden, "cross-origin", "This request came from another site"}
	case errors.Is(err, edge.ErrHost):
		return cause{http.StatusMisdirectedRequest, "host", "This is another server"}
	case errors.Is(err, hub.ErrUnauthenticated):
		return cause{http.StatusUnauthorized, "unauthenticated", "Sign in first"}
	case errors.Is(err, hub.ErrForbidden):
		return cause{http.StatusForbidden, "forbidden", "Not allowed"}
	case errors.Is(err, hub.ErrNotFound):
		return cause{http.StatusNotFound, "not-found", "Not found"}
	case errors.Is(err, hub.ErrExists):
		return cause{http.StatusConflict, "exists", "Already there"}
	case errors.Is(err, hub.ErrMoved):
		return cause{http.StatusPreconditionFailed, "moved", "Somebody else changed it meanwhile"}
	case errors.Is(err, hub.ErrState):
		return cause{http.StatusConflict, "state", "Not possible in this state"}
	case errors.Is(err, errKeyReused):
		return cause{http.StatusUnprocessableEntity, "idempotency-key", "This idempotency key belongs to another request"}
	case errors.Is(err, errKeyBusy):
		return cause{http.StatusConflict, "idempotency-busy", "The same request is being answered"}
	case errors.Is(err, verify.ErrUntrusted), errors.Is(err, verify.ErrDigest):
		return cause{http.StatusUnprocessableEntity, "untrusted", "The proof does not hold"}
	case errors.Is(err, hub.ErrUnavailable), errors.Is(err, catalog.ErrUnavailable):
		return cause{http.StatusServiceUnavailable, "unavailable", "Not available at the moment"}
	case errors.Is(err, context.DeadlineExceeded):
		return cause{http.StatusServiceUnavailable, "unavailable", "This took too long"}
	}
	return cause{}
}

// retryAfter is what a client is told to wait, in seconds, when a part of the hub is away.
const retryAfter = 5

// problem makes of an error what is sent, an RFC 9457 problem and its headers. Words that
// may hold what a stranger must not know are logged instead.
func (h *Handler) problem(ctx context.Context, err error) (*huma.ErrorModel, http.Header) {
	id := edge.RequestID(ctx)
	c := causeOf(err)
	header := http.Header{}
	p := &huma.ErrorModel{Type: problemType + c.name, Title: c.title, Status: c.status, Detail: err.Error(), Instance: "urn:souk:request:" + id}
	switch c.status {
	case 0:
		if ctx.Err() != nil {
			h.o.Log.Debug("request was given up", "request", id, "error", err)
		} else {
			h.o.Log.Error("internal error", "request", id, "error", err)
		}
		p.Type, p.Title, p.Status = problemType+"internal", "Internal error", http.StatusInternalServerError
		p.Detail = fmt.Sprintf("Something went wrong in the hub. It was logged with the id %s.", id)
	case http.StatusServiceUnavailable:
		h.o.Log.Warn("unavailable", "request", id, "error", err)
		p.Detail = "Nothing was changed. Try again in a moment."
		header.Set("Retry-After", strconv.Itoa(retryAfter))
	case http.StatusTooManyRequests:
		var limit *hub.LimitError
		if errors.As(err, &limit) && limit.After > 0 {
			header.Set("Retry-After", strconv.Itoa(int(math.Ceil(limit.After.Seconds()))))
		}
	case http.StatusUnauthorized:
		header.Set("WWW-Authenticate", `Bearer realm="souk hub"`)
	}
	var invalid *hub.InvalidError
	if errors.As(err, &invalid) && invalid.Field != "" {
		p.Errors = []*huma.ErrorDetail{{Location: "body." + invalid.Field, Message: invalid.Reason}}
	}
	return p, header
}

// fail writes an error as the answer.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	p, header := h.problem(r.Context(), err)
	for k, v := range header {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	b, err := json.Marshal(p)
	if err != nil {
		b = []byte("{}") // made of texts and numbers: it encodes
	}
	w.WriteHeader(p.Status)
	if _, err := w.Write(append(b, '\n')); err != nil {
		h.o.Log.Debug("answer not sent", "error", err)
	}
}

// complete is run on every answer: problems that come from reading the request get the
// form of ours, and never repeat what was sent, which may be a secret.
func complete(ctx huma.Context, _ string, v any) (any, error) {
	p, ok := v.(*huma.ErrorModel)
	if !ok || p.Type != "" {
		return v, nil
	}
	p.Type = problemType + "invalid"
	if p.Status == http.StatusNotFound {
		p.Type = problemType + "not-found"
	}
	p.Instance = "urn:souk:request:" + edge.RequestID(ctx.Context())
	for _, e := range p.Errors {
		e.Value = nil
	}
	return p, nil
}
