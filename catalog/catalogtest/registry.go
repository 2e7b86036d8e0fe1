package catalogtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// RegistryOptions are the choices of [NewRegistry] and [NewHandler]. The zero value
// is an open registry with the referrers API.
type RegistryOptions struct {
	// NoReferrers leaves the referrers API out, as distribution does: evidence is
	// then found by the referrers tag schema.
	NoReferrers bool
	// Username and Password, when not empty, are needed for everything. They are
	// exchanged for a token, or sent with each request when Basic is set.
	Username, Password string
	Basic              bool
	// Upstream, when not empty, is the URL of another registry whose answers are
	// passed on, so that faults and the log stand before a real one. The other
	// fields then have no effect, and the Handler cannot be filled without HTTP.
	Upstream string
}

// Handler is the registry as an http.Handler, to be mounted at "/". It is safe for
// concurrent use.
type Handler struct {
	o     RegistryOptions
	inner http.Handler // go-containerregistry's, or a proxy
	blobs *blobs

	attach sync.Mutex // one writer of referrers tags at a time

	mu       sync.Mutex
	faults   []*fault
	requests []*logged
	tokens   map[string]string // scope by token
}

// Registry is a running registry.
type Registry struct {
	*Handler
	Host string // "127.0.0.1:43210"
	URL  string // "http://127.0.0.1:43210"
}

// NewRegistry starts a registry that ends with the test.
func NewRegistry(t testing.TB, o RegistryOptions) *Registry {
	t.Helper()
	h, err := NewHandler(o)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(h)
	t.Cleanup(func() {
		s.CloseClientConnections() // ends what a fault holds up
		s.Close()
	})
	return &Registry{Handler: h, URL: s.URL, Host: strings.TrimPrefix(s.URL, "http://")}
}

// NewHandler makes an empty registry. Its only error is an Upstream that is no URL.
func NewHandler(o RegistryOptions) (*Handler, error) {
	h := &Handler{o: o, blobs: &blobs{m: make(map[verify.Digest][]byte)}, tokens: make(map[string]string)}
	if o.Upstream == "" {
		h.inner = registry.New(
			registry.Logger(log.New(io.Discard, "", 0)),
			registry.WithReferrersSupport(!o.NoReferrers),
			registry.WithBlobHandler(h.blobs),
		)
		return h, nil
	}
	u, err := url.Parse(o.Upstream)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("upstream %.100q is not the URL of a registry", o.Upstream)
	}
	h.inner = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host // so that the registry's Location headers lead back here
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return h, nil
}

// ServeHTTP implements http.Handler: the log, then the faults, then the registry.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := &statusWriter{ResponseWriter: w, log: h.record(r)}
	h.faulty(r, http.HandlerFunc(h.serve)).ServeHTTP(answer, r)
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	if h.o.Upstream != "" {
		h.inner.ServeHTTP(w, r)
		return
	}
	if h.o.Username != "" || h.o.Password != "" {
		if r.URL.Path == "/token" && !h.o.Basic {
			h.giveToken(w, r)
			return
		}
		if !h.authorized(w, r) {
			return
		}
	}
	_, kind, reference := split(r.URL.Path)
	switch reading := r.Method == http.MethodGet || r.Method == http.MethodHead; {
	case reading && kind == "blobs":
		h.serveBlob(w, r, reference)
	case reading && kind == "manifests":
		h.serveManifest(w, r)
	case r.Method == http.MethodPut && kind == "manifests":
		h.storeManifest(w, r, reference)
	default:
		h.inner.ServeHTTP(w, r)
	}
}

// split takes "/v2/acme/backup/manifests/1.4.2" apart.
func split(p string) (repo, kind, reference string) {
	dir, reference := path.Split(strings.TrimPrefix(p, "/v2/"))
	dir = strings.TrimSuffix(dir, "/")
	if before, ok := strings.CutSuffix(dir, "/blobs/uploads"); ok {
		return before, "uploads", reference
	}
	repo, kind = path.Split(dir)
	return strings.TrimSuffix(repo, "/"), kind, reference
}

// serveBlob answers ranges: one of any kind; several are answered as the whole,
// which is what most registries do.
func (h *Handler) serveBlob(w http.ResponseWriter, r *http.Request, reference string) {
	b, ok := h.blobs.get(verify.Digest(reference))
	if !ok {
		refuse(w, http.StatusNotFound, "BLOB_UNKNOWN", "unknown blob")
		return
	}
	if strings.Contains(r.Header.Get("Range"), ",") {
		r.Header.Del("Range")
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Docker-Content-Digest", reference)
	w.Header().Set("ETag", `"`+reference+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
}

func (h *Handler) serveManifest(w http.ResponseWriter, r *http.Request) {
	get := r.Clone(r.Context())
	get.Method = http.MethodGet
	rec := httptest.NewRecorder()
	h.inner.ServeHTTP(rec, get)
	if rec.Code != http.StatusOK {
		copyAnswer(w, rec)
		return
	}
	for _, k := range []string{"Content-Type", "Docker-Content-Digest"} {
		w.Header().Set(k, rec.Header().Get(k))
	}
	w.Header().Set("ETag", `"`+rec.Header().Get("Docker-Content-Digest")+`"`)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(rec.Body.Bytes()))
}

func (h *Handler) storeManifest(w http.ResponseWriter, r *http.Request, reference string) {
	raw, err := io.ReadAll(http.MaxBytesReader(w, r.Body, verify.MaxManifest))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, "SIZE_INVALID", "a manifest may have 4 MiB")
		return
	}
	if d := verify.Digest(reference); d.Valid() && d != verify.DigestOf(raw) {
		refuse(w, http.StatusBadRequest, "DIGEST_INVALID", "the manifest is not what its digest says")
		return
	}
	var m catalog.OCIManifest
	if json.Unmarshal(raw, &m) == nil && m.Subject != nil && !h.o.NoReferrers {
		w.Header().Set("OCI-Subject", string(m.Subject.Digest))
	}
	r.Body = io.NopCloser(bytes.NewReader(raw))
	h.inner.ServeHTTP(w, r)
}

func copyAnswer(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
	for k, v := range rec.Header() {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.Code)
	w.Write(rec.Body.Bytes()) //nolint:errcheck // the client went away
}

// refuse answers with an error document as the distribution spec has it.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"errors":[{"code":%q,"message":%q}]}`, code, message)
}
