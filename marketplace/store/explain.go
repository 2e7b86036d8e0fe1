package store

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/resolve"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox"
	"github.com/souk-dev/souk/verify"
)

// Errors of the pages themselves.
var (
	errNoPage      = errors.New("no such page")
	errMayNotView  = errors.New("may not view the plugins")
	errMayNot      = errors.New("may not do this")
	errMayNotRisk  = errors.New("may not agree to this risk")
	errCrossOrigin = errors.New("request of another origin")
	errHost        = errors.New("request for an unknown host")
	errRequest     = errors.New("malformed request")
	errHub         = errors.New("the hub does not answer")
	errNoMatch     = errors.New("no If-Match")
	errMethod      = errors.New("no such method here")
	errMedia       = errors.New("the content type is not application/json")
	errSlow        = errors.New("the body of the request takes too long")
	errStreams     = errors.New("too many streams of events")
)

// problem is an error in words, as RFC 9457 wants it, with what to do next.
type problem struct {
	Type     string    `json:"type"`
	Title    string    `json:"title"`
	Status   int       `json:"status"`
	Detail   string    `json:"detail"`
	Next     string    `json:"next"`
	ID       string    `json:"id,omitempty"`       // of the log line, for internal errors
	Restored *bool     `json:"restored,omitempty"` // of a failed operation: everything is as before
	Cause    string    `json:"cause,omitempty"`    // what exactly, where that helps and gives nothing away
	Conflict *conflict `json:"conflict,omitempty"`
	kind     string
}

// conflict is a *resolve.Conflict without its tree.
type conflict struct {
	Summary     string               `json:"summary"`
	Lines       []resolve.Line       `json:"lines"`
	Suggestions []resolve.Suggestion `json:"suggestions"`
	RuledOut    []string             `json:"ruledOut"`
}

// The order matters: what says most comes first. An error that wraps two of them
// (a bad digest is also not trusted) is explained by the first.
var explanations = []struct {
	is     error
	kind   string // key of the texts: problem.<kind>.title, .detail, .next
	status int
}{
	{ErrUnauthenticated, "unauthenticated", http.StatusUnauthorized},
	{errMayNotView, "hidden", http.StatusForbidden},
	{errMayNotRisk, "risk", http.StatusForbidden},
	{errMayNot, "forbidden", http.StatusForbidden},
	{errCrossOrigin, "origin", http.StatusForbidden},
	{errHost, "host", http.StatusMisdirectedRequest},
	{errRequest, "request", http.StatusBadRequest},
	{errChanged, "changed", http.StatusPreconditionFailed},
	{errNoMatch, "nomatch", http.StatusPreconditionRequired},
	{errNoPage, "page", http.StatusNotFound},
	{errMethod, "method", http.StatusMethodNotAllowed},
	{errMedia, "media", http.StatusUnsupportedMediaType},
	{errSlow, "slow", http.StatusRequestTimeout},
	{errStreams, "streams", http.StatusServiceUnavailable},
	{errHub, "hub", http.StatusBadGateway},
	{install.ErrInDoubt, "doubt", http.StatusServiceUnavailable},
	{install.ErrCorrupt, "corrupt", http.StatusServiceUnavailable},
	{syscall.ENOSPC, "space", http.StatusInsufficientStorage},
	{install.ErrBusy, "busy", http.StatusConflict},
	{install.ErrClosed, "closed", http.StatusServiceUnavailable},
	{install.ErrTooLate, "late", http.StatusConflict},
	{install.ErrStalePlan, "stale", http.StatusConflict},
	{install.ErrConsent, "consent", http.StatusUnprocessableEntity},
	{install.ErrSigner, "signer", http.StatusUnprocessableEntity},
	{install.ErrModified, "modified", http.StatusConflict},
	{install.ErrUnhealthy, "unhealthy", http.StatusBadGateway},
	{catalog.ErrBlocked, "blocked", http.StatusUnprocessableEntity},
	{sandbox.ErrDenied, "denied", http.StatusUnprocessableEntity},
	{verify.ErrDigest, "digest", http.StatusBadGateway},
	{catalog.ErrRollback, "rollback", http.StatusBadGateway},
	{catalog.ErrExpired, "expired", http.StatusServiceUnavailable},
	{verify.ErrUntrusted, "untrusted", http.StatusBadGateway},
	{install.ErrArchive, "archive", http.StatusUnprocessableEntity},
	{resolve.ErrBudget, "budget", http.StatusServiceUnavailable},
	{catalog.ErrUnavailable, "unavailable", http.StatusBadGateway},
	{catalog.ErrNotFound, "missing", http.StatusNotFound},
	{fs.ErrPermission, "disk", http.StatusInternalServerError},
	{context.DeadlineExceeded, "timeout", http.StatusGatewayTimeout},
	{context.Canceled, "cancelled", http.StatusServiceUnavailable},
}

// telling are the kinds of problem whose cause is shown as it stands: it names a
// permission, an advisory or a file of the package, not something of the server.
var telling = []string{"denied", "blocked", "archive", "unhealthy", "signer", "untrusted", "consent", "request", "refused"}

// maxCause is the most bytes of a cause: it may quote what a plugin said.
const maxCause = 400

// explain is the one function that turns an error into what a person is told:
// what happened, why, and what to do next. What it does not know is an internal
// error, whose cause is logged under an id and not shown.
func (h *shop) explain(err error) problem {
	p := problem{kind: "internal", Status: http.StatusInternalServerError}
	var dead *resolve.Conflict
	var tooBig *http.MaxBytesError
	var refused *RefusedError
	switch {
	case errors.As(err, &refused) && refused.Relink:
		p.kind, p.Status = "unlinked", http.StatusConflict
	case errors.As(err, &refused) && refused.Forbidden:
		p.kind, p.Status = "notyours", http.StatusForbidden
	case errors.As(err, &refused):
		p.kind, p.Status = "refused", http.StatusUnprocessableEntity
	case errors.As(err, &dead):
		p.kind, p.Status = "conflict", http.StatusConflict
		p.Conflict = h.clash(dead)
	case errors.As(err, &tooBig):
		p.kind, p.Status = "toobig", http.StatusRequestEntityTooLarge
	default:
		for _, e := range explanations {
			if errors.Is(err, e.is) {
				p.kind, p.Status = e.kind, e.status
				break
			}
		}
	}
	key := "problem." + p.kind
	p.Type = "urn:souk:problem:" + p.kind
	p.Title, p.Detail, p.Next = h.text.T(key+".title"), h.text.T(key+".detail"), h.text.T(key+".next")
	if p.Conflict != nil {
		p.Detail = p.Conflict.Summary
	}
	if p.kind == "internal" {
		p.ID = rand.Text()[:10]
		p.Next = h.text.T(key+".next", p.ID)
		h.o.Log.Error("internal error", "id", p.ID, "error", err)
	}
	if slices.Contains(telling, p.kind) {
		p.Cause = oneLine(h.cause(err), maxCause)
	}
	if who := concerned(err); who != "" {
		p.Detail = h.text.T("problem.about", who, p.Detail)
	}
	var broken *install.Error
	if errors.As(err, &broken) && broken.Phase != "" {
		p.Restored = &broken.Restored
	}
	return p
}

// recorded puts an error of the history into words, of which only the text is left.
func (h *shop) recorded(err error) problem {
	key := "problem.recorded"
	return problem{
		kind: "recorded", Type: "urn:souk:problem:recorded", Status: http.StatusInternalServerError, Cause: oneLine(err.Error(), maxCause),
		Title: h.text.T(key + ".title"), Detail: h.text.T(key + ".detail"), Next: h.text.T(key + ".next"),
	}
}

// cause is what exactly went wrong: in the language of the pages where it is known in any,
// and otherwise as it was found, in English.
func (h *shop) cause(err error) string {
	var says *sayError
	var denied *install.DeniedError
	switch {
	case errors.As(err, &says):
		return h.text.Say(says.says)
	case errors.As(err, &denied):
		r := h.ruling(denied.Ruling)
		return h.text.T("denied.why", r.Sentence, r.Why)
	}
	return innermost(err).Error()
}

// innermost leaves out what [concerned] says already: which release it was about.
func innermost(err error) error {
	var step *install.Error
	var ref *catalog.RefError
	if errors.As(err, &step) {
		err = step.Err
	}
	if errors.As(err, &ref) {
		err = ref.Err
	}
	return err
}

// concerned returns the release that an error names, if any.
func concerned(err error) string {
	var ref *catalog.RefError
	if errors.As(err, &ref) && ref.Ref.Plugin != "" {
		if ref.Ref.Version == "" {
			return string(ref.Ref.Plugin)
		}
		return ref.Ref.String()
	}
	var step *install.Error
	if errors.As(err, &step) && step.Ref.Plugin != "" {
		return step.Ref.String()
	}
	var proof *verify.Error
	if errors.As(err, &proof) {
		return proof.Subject
	}
	return ""
}

// oneLine makes text of foreign origin safe to stand in one line, at most n bytes.
func oneLine(s string, n int) string {
	s = strings.Map(func(c rune) rune {
		if unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) {
			return ' '
		}
		return c
	}, s)
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}

// notNil makes an empty list out of none, which JSON writes as [].
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// fail writes an error as a page.
func (h *shop) fail(w http.ResponseWriter, r *http.Request, a Actor, err error) {
	p := h.explain(err)
	h.show(w, r, a, p.Status, "problem", &page{Title: p.Title, Content: problemPage{problem: p, Retry: retryURL(r)}})
}

type problemPage struct {
	problem
	Retry string
}

// retryURL is the address to try again: only what can be asked for twice.
func retryURL(r *http.Request) string {
	if r.Method == http.MethodGet {
		return r.URL.RequestURI()
	}
	return ""
}
