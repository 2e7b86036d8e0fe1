package portal

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/edge"
	"github.com/souk-dev/souk/verify"
)

// problem is an error as a page shows it.
type problem struct {
	Status        int
	Title, Detail string
	Back          string // address of the page with the form
	ID            string
}

// explain is the one place where an error becomes a status and words for people. What is
// not here is an internal error, whose cause is logged and not shown.
func (h *Handler) explain(ctx context.Context, err error) problem {
	id := edge.RequestID(ctx)
	p := problem{ID: id, Detail: err.Error()}
	var invalid *hub.InvalidError
	var limit *hub.LimitError
	var manifest *catalog.ManifestError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &invalid), errors.As(err, &manifest):
		p.Status, p.Title = http.StatusUnprocessableEntity, "That is not quite right"
	case errors.As(err, &tooLarge):
		p.Status, p.Title, p.Detail = http.StatusRequestEntityTooLarge, "That is too much", fmt.Sprintf("A form may hold %d kB.", maxForm>>10)
	case errors.As(err, &limit):
		p.Status, p.Title = http.StatusTooManyRequests, "That was too often"
	case errors.Is(err, edge.ErrCrossOrigin), errors.Is(err, edge.ErrHost):
		p.Status, p.Title, p.Detail = http.StatusForbidden, "This request came from another site", "Nothing was changed. Open the page here and do it again."
	case errors.Is(err, hub.ErrUnauthenticated):
		p.Status, p.Title, p.Detail = http.StatusUnauthorized, "Sign in first", "This page is for people who are signed in."
	case errors.Is(err, hub.ErrForbidden):
		p.Status, p.Title, p.Detail = http.StatusForbidden, "That is not for you", "Your account may not do this. Nothing was changed."
	case errors.Is(err, hub.ErrNotFound):
		p.Status, p.Title, p.Detail = http.StatusNotFound, "There is nothing here", "It may be gone, or its address may be wrong."
	case errors.Is(err, hub.ErrExists):
		p.Status, p.Title = http.StatusConflict, "That is there already"
	case errors.Is(err, hub.ErrMoved):
		p.Status, p.Title, p.Detail = http.StatusPreconditionFailed, "Somebody was faster", "It was changed since you opened the page. Look at it again, then decide."
	case errors.Is(err, hub.ErrState):
		p.Status, p.Title = http.StatusConflict, "That is not possible now"
	case errors.Is(err, verify.ErrUntrusted), errors.Is(err, verify.ErrDigest):
		p.Status, p.Title = http.StatusUnprocessableEntity, "The proof does not hold"
	case errors.Is(err, hub.ErrUnavailable), errors.Is(err, catalog.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		h.o.Log.Warn("unavailable", "request", id, "error", err)
		p.Status, p.Title, p.Detail = http.StatusServiceUnavailable, "The hub cannot reach its data", "Nothing was changed. Try again in a moment."
	default:
		if ctx.Err() == nil {
			h.o.Log.Error("internal error", "request", id, "error", err)
		}
		p.Status, p.Title, p.Detail = http.StatusInternalServerError, "Something went wrong here", "It was logged. If you tell us about it, name this request."
	}
	return p
}

// fail answers with an error. Who has to sign in (again) is sent there, and back.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, a hub.Actor, err error) {
	again := errors.Is(err, hub.ErrNotFresh)
	if (again || errors.Is(err, hub.ErrUnauthenticated)) && edge.ErrorOf(r.Context()) == nil {
		to := r.URL.RequestURI()
		if r.Method != http.MethodGet {
			to = refererPath(r)
		}
		q := url.Values{"to": {to}}
		if again {
			q.Set("again", "1")
		}
		http.Redirect(w, r, "/signin?"+q.Encode(), http.StatusSeeOther)
		return
	}
	p := h.explain(r.Context(), err)
	if r.Method != http.MethodGet {
		p.Back = refererPath(r)
	}
	if p.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "5")
	}
	var limit *hub.LimitError
	if errors.As(err, &limit) && limit.After > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(limit.After.Seconds())+1))
	}
	if err := h.show(w, r, a, p.Status, "", p.Title, "problem", p); err != nil {
		h.o.Log.Error("problem page", "request", p.ID, "error", err)
		http.Error(w, p.Title, p.Status)
	}
}

// refuse answers for the edge.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	h.fail(w, r, hub.Actor{}, err)
}

// refererPath is the page that a form was on, when it was one of ours.
func refererPath(r *http.Request) string {
	u, err := url.Parse(r.Referer())
	if err != nil || u.Host != r.Host || u.Path == "" {
		return "/"
	}
	u.Scheme, u.Host, u.User, u.Fragment = "", "", nil, ""
	q := u.Query()
	q.Del("done")
	u.RawQuery = q.Encode()
	return u.RequestURI()
}
