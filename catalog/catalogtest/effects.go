package catalogtest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Chain is one effect after the other, the first outermost.
func Chain(effects ...Effect) Effect {
	return func(next http.Handler) http.Handler {
		for i := len(effects) - 1; i >= 0; i-- {
			next = effects[i](next)
		}
		return next
	}
}

// Status answers with an error status and nothing else.
func Status(code int) Effect {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			refuse(w, code, "UNAVAILABLE", "injected fault")
		})
	}
}

// TooManyRequests answers 429 and asks to wait, in whole seconds.
func TooManyRequests(wait time.Duration) Effect {
	return Chain(Header("Retry-After", strconv.Itoa(int(wait.Seconds()))), Status(http.StatusTooManyRequests))
}

// Header sets a header of the answer, unless the registry sets it itself.
func Header(key, value string) Effect {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set(key, value)
			next.ServeHTTP(w, r)
		})
	}
}

// WithoutHeader takes a header out of the request and out of the answer: "Range" or
// "ETag" for registries that do not know it.
func WithoutHeader(key string) Effect { return rewrite(key, func(string) string { return "" }, true) }

// ChangeHeader passes a header of the answer through f; an empty result removes it.
func ChangeHeader(key string, f func(string) string) Effect { return rewrite(key, f, false) }

func rewrite(key string, f func(string) string, request bool) Effect {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if request {
				r = r.Clone(r.Context())
				r.Header.Del(key)
			}
			next.ServeHTTP(&headerWriter{ResponseWriter: w, edit: func(h http.Header) {
				if v := f(h.Get(key)); v == "" {
					h.Del(key)
				} else {
					h.Set(key, v)
				}
			}}, r)
		})
	}
}

// headerWriter edits the headers in the last moment.
type headerWriter struct {
	http.ResponseWriter
	edit func(http.Header)
	done bool
}

func (w *headerWriter) WriteHeader(status int) {
	if !w.done {
		w.done = true
		w.edit(w.Header())
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *headerWriter) Write(p []byte) (int, error) {
	if !w.done {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

func (w *headerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Drop ends the connection without an answer.
func Drop() Effect {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	}
}

// DropAfter ends the connection after n bytes of the answer's body.
func DropAfter(n int64) Effect {
	return after(n, func(*http.Request) { panic(http.ErrAbortHandler) })
}

// HangAfter sends n bytes of the body and then nothing, until the client gives up.
func HangAfter(n int64) Effect {
	return after(n, func(r *http.Request) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
}

func after(n int64, then func(*http.Request)) Effect {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			left := n
			next.ServeHTTP(&bodyWriter{ResponseWriter: w, each: func(p []byte) ([]byte, bool) {
				if int64(len(p)) < left {
					left -= int64(len(p))
					return p, false
				}
				return p[:left], true
			}, then: func() { then(r) }}, r)
		})
	}
}

// bodyWriter passes a body through each, until that says it is the end.
type bodyWriter struct {
	http.ResponseWriter
	each func([]byte) (out []byte, end bool)
	then func()
}

func (w *bodyWriter) Write(p []byte) (int, error) {
	out, end := w.each(p)
	n, err := w.ResponseWriter.Write(out)
	if err != nil {
		return n, err
	}
	if end {
		if err := http.NewResponseController(w.ResponseWriter).Flush(); err != nil {
			return n, err
		}
		w.then()
	}
	return len(p), nil
}

func (w *bodyWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// FlipByte changes one byte of the answer's body, counted from 0.
func FlipByte(at int64) Effect {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var off int64
			next.ServeHTTP(&bodyWriter{ResponseWriter: w, each: func(p []byte) ([]byte, bool) {
				out := p
				if at >= off && at < off+int64(len(p)) {
					out = append([]byte(nil), p...)
					out[at-off] ^= 0xff
				}
				off += int64(len(p))
				return out, false
			}}, r)
		})
	}
}

// Answer gives body instead of what was asked for, with status 200.
func Answer(contentType string, body []byte) Effect {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.Write(body) //nolint:errcheck // the client went away
		})
	}
}

// Slow waits before it answers, or until the client gives up.
func Slow(wait time.Duration) Effect {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			t := time.NewTimer(wait)
			defer t.Stop()
			select {
			case <-t.C:
				next.ServeHTTP(w, r)
			case <-r.Context().Done():
				panic(http.ErrAbortHandler)
			}
		})
	}
}

// Stale repeats, for every address, the first answer that was given there: a cache
// that does not notice that a tag moved, or an attacker who replays.
func Stale() Effect {
	var mu sync.Mutex
	first := make(map[string]*httptest.ResponseRecorder)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			rec := first[r.URL.RequestURI()]
			if rec == nil {
				rec = httptest.NewRecorder()
				plain := r.Clone(r.Context())
				plain.Header.Del("If-None-Match")
				next.ServeHTTP(rec, plain)
				first[r.URL.RequestURI()] = rec
			}
			if etag := rec.Header().Get("ETag"); etag != "" && etag == r.Header.Get("If-None-Match") {
				w.WriteHeader(http.StatusNotModified)
				return
			}
			copyAnswer(w, rec)
		})
	}
}

// Redirect leads to the same path at another base: "https://cdn.example.org". With
// an empty base it leads to itself, for ever.
func Redirect(base string) Effect {
	return func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", base+r.URL.RequestURI())
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
	}
}

// EndlessLink makes a list say that there is another page, each time.
func EndlessLink() Effect {
	var mu sync.Mutex
	page := 0
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			page++
			w.Header().Set("Link", fmt.Sprintf(`<%s?page=%d>; rel="next"`, r.URL.Path, page))
			mu.Unlock()
			next.ServeHTTP(w, r)
		})
	}
}

// SubjectAsReferrers answers the referrers tag with the manifest that it is the tag
// of, as GitLab does.
func SubjectAsReferrers() Effect {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r2 := r.Clone(r.Context())
			r2.URL.Path = strings.Replace(r.URL.Path, "/manifests/sha256-", "/manifests/sha256:", 1)
			next.ServeHTTP(w, r2)
		})
	}
}

// Challenge answers 401 and asks for a login of that kind.
func Challenge(header string) Effect {
	return Chain(Header("WWW-Authenticate", header), Status(http.StatusUnauthorized))
}
