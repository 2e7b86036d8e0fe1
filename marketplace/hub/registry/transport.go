package registry

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
)

// Transport reaches the registry without a network, whatever the host of the URL:
// for the hub's own pushes and reads, which then need neither its public name nor its
// certificate. A request is authorized as any other. Its handler runs in a
// goroutine that ends with the answer's body: read it to its end, or close it.
func (r *Registry) Transport() http.RoundTripper { return transport{r} }

type transport struct{ r *Registry }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	in := req.Clone(ctx)
	in.RequestURI, in.RemoteAddr = req.URL.RequestURI(), "127.0.0.1:0"
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	body, out := io.Pipe()
	w := &pipeWriter{header: make(http.Header), out: out, head: req.Method == http.MethodHead, begun: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { out.CloseWithError(context.Cause(ctx)) })
	go func() {
		defer stop()
		defer in.Body.Close()
		defer func() {
			if p := recover(); p != nil { // as net/http would: logged, and the connection breaks
				if p != http.ErrAbortHandler {
					t.r.o.Log.Error("registry: panic", "method", in.Method, "path", in.URL.Path, "panic", p, "stack", string(debug.Stack()))
				}
				w.finish(io.ErrUnexpectedEOF)
				return
			}
			w.finish(nil)
		}()
		t.r.ServeHTTP(w, in)
	}()
	select {
	case <-w.begun:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if w.status == 0 {
		return nil, errors.New("the registry broke off")
	}
	resp := &http.Response{
		Status: strconv.Itoa(w.status) + " " + http.StatusText(w.status), StatusCode: w.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.sent, Body: &cancelled{body, ctx}, ContentLength: length(w.sent), Request: req,
	}
	return resp, nil
}

// cancelled is a body that ends with the context of its request.
type cancelled struct {
	io.ReadCloser
	ctx context.Context
}

func (b *cancelled) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	return b.ReadCloser.Read(p)
}

func length(h http.Header) int64 {
	n, ok := int64(0), false
	for _, c := range h.Get("Content-Length") {
		if c < '0' || c > '9' || n > 1<<56 {
			return -1
		}
		n, ok = n*10+int64(c-'0'), true
	}
	if !ok {
		return -1
	}
	return n
}

// pipeWriter is the ResponseWriter of Transport. Its fields but begun are the
// handler's until begun is closed; status and sent do not change after that.
type pipeWriter struct {
	header http.Header
	out    *io.PipeWriter
	head   bool // no body

	once   sync.Once
	begun  chan struct{}
	status int // 0: the handler ended without an answer, by a panic
	sent   http.Header
}

func (w *pipeWriter) Header() http.Header { return w.header }

func (w *pipeWriter) WriteHeader(status int) {
	if status < http.StatusOK {
		return // informational
	}
	w.once.Do(func() {
		w.status, w.sent = status, w.header.Clone()
		close(w.begun)
	})
}

func (w *pipeWriter) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.head {
		return len(p), nil
	}
	return w.out.Write(p)
}

func (w *pipeWriter) finish(err error) {
	if err == nil {
		w.WriteHeader(http.StatusOK)
	}
	w.once.Do(func() { close(w.begun) })
	w.out.CloseWithError(err)
}
