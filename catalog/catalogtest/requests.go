package catalogtest

import (
	"net/http"
	"slices"
)

// Request is what was asked of a registry, and how it was answered.
type Request struct {
	Method string
	Path   string // with the query: "/v2/plugins/catalog/manifests/timestamp.json"
	Host   string
	Header http.Header
	Status int // 0 when the connection was dropped before an answer
}

// maxRequests bounds the log of a registry that runs for long.
const maxRequests = 20_000

func (h *Handler) record(r *http.Request, status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.requests) >= maxRequests {
		h.requests = slices.Delete(h.requests, 0, maxRequests/2)
	}
	h.requests = append(h.requests, Request{r.Method, r.URL.RequestURI(), r.Host, r.Header.Clone(), status})
}

// Requests returns what was asked since the start or the last [Handler.Forget], in
// the order in which it was answered; the newest 10,000 at least.
func (h *Handler) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.requests)
}

// Forget empties the log.
func (h *Handler) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = nil
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController flush.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
