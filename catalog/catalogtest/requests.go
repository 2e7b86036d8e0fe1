package catalogtest

import (
	"net/http"
	"slices"
	"sync/atomic"
)

// Request is what was asked of a registry, and how it was answered.
type Request struct {
	Method string
	Path   string // with the query: "/v2/plugins/catalog/manifests/timestamp.json"
	Host   string
	Header http.Header
	Status int // 0 when it was not answered, or not yet
}

// maxRequests bounds the log of a registry that runs for long.
const maxRequests = 20_000

// logged is a request that may not be answered yet.
type logged struct {
	Request // without Status
	status  atomic.Int64
}

func (h *Handler) record(r *http.Request) *logged {
	in := &logged{Request: Request{Method: r.Method, Path: r.URL.RequestURI(), Host: r.Host, Header: r.Header.Clone()}}
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.requests) >= maxRequests {
		h.requests = slices.Delete(h.requests, 0, maxRequests/2)
	}
	h.requests = append(h.requests, in)
	return in
}

// Requests returns what was asked since the start or the last [Handler.Forget], in
// the order in which it came; the newest 10,000 at least.
func (h *Handler) Requests() []Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]Request, len(h.requests))
	for i, r := range h.requests {
		out[i] = r.Request
		out[i].Status = int(r.status.Load())
	}
	return out
}

// Forget empties the log.
func (h *Handler) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests = nil
}

// statusWriter logs the status of an answer before it is sent.
type statusWriter struct {
	http.ResponseWriter
	log *logged
}

func (w *statusWriter) WriteHeader(status int) {
	w.log.status.CompareAndSwap(0, int64(status))
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Write(p []byte) (int, error) {
	w.log.status.CompareAndSwap(0, http.StatusOK)
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController flush.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
