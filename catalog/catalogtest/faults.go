package catalogtest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/souk-dev/souk/verify"
)

// Fault makes some requests go wrong.
type Fault struct {
	On     Match  // which requests; nil means all
	Times  int    // how many of them, then it is over; 0 means until it is removed
	Skip   int    // how many of them are left in peace first
	Effect Effect // what happens to them; required
}

// Match chooses requests.
type Match func(*http.Request) bool

// Effect changes how a request is answered; next is the registry, or the effect of
// an older fault. See the Effects below; any HTTP middleware is one.
type Effect func(next http.Handler) http.Handler

type fault struct {
	Fault
	seen int
}

// Inject adds a fault, before those that are there. The function it returns removes
// it; it may be called more than once.
func (h *Handler) Inject(f Fault) (remove func()) {
	in := &fault{Fault: f}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = append(h.faults, in)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.faults = slices.DeleteFunc(h.faults, func(one *fault) bool { return one == in })
	}
}

// Heal removes all faults.
func (h *Handler) Heal() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.faults = nil
}

// faulty wraps next with every fault that concerns r.
func (h *Handler) faulty(r *http.Request, next http.Handler) http.Handler {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range h.faults {
		if f.On != nil && !f.On(r) {
			continue
		}
		f.seen++
		if f.seen <= f.Skip || f.Times > 0 && f.seen > f.Skip+f.Times {
			continue
		}
		next = f.Effect(next)
	}
	return next
}

// Blobs matches the reading of blobs.
func Blobs(r *http.Request) bool { return reads(r, "blobs") }

// Manifests matches the reading of manifests, by tag or digest.
func Manifests(r *http.Request) bool { return reads(r, "manifests") }

// Referrers matches the referrers API.
func Referrers(r *http.Request) bool { return reads(r, "referrers") }

// Tokens matches the token server.
func Tokens(r *http.Request) bool { return r.URL.Path == "/token" }

func reads(r *http.Request, kind string) bool {
	_, k, _ := split(r.URL.Path)
	return k == kind && (r.Method == http.MethodGet || r.Method == http.MethodHead)
}

// Tag matches the reading of one tag, of any repository: "timestamp.json".
func Tag(name string) Match {
	return func(r *http.Request) bool {
		_, kind, reference := split(r.URL.Path)
		return kind == "manifests" && reference == name && r.Method != http.MethodPut
	}
}

// ReferrersTag matches the referrers tag schema's tag of a manifest, read or written.
func ReferrersTag(subject verify.Digest) Match {
	return func(r *http.Request) bool {
		_, kind, reference := split(r.URL.Path)
		return kind == "manifests" && reference == "sha256-"+subject.Hex()
	}
}

// ByDigest matches the reading of one blob or manifest by its digest.
func ByDigest(d verify.Digest) Match {
	return func(r *http.Request) bool {
		return strings.HasSuffix(r.URL.Path, "/"+string(d)) && (Blobs(r) || Manifests(r))
	}
}

// Repository matches everything of one repository.
func Repository(name string) Match {
	return func(r *http.Request) bool { repo, _, _ := split(r.URL.Path); return repo == name }
}

// Method matches an HTTP method.
func Method(m string) Match { return func(r *http.Request) bool { return r.Method == m } }

// All matches what every one of ms matches.
func All(ms ...Match) Match {
	return func(r *http.Request) bool {
		return !slices.ContainsFunc(ms, func(m Match) bool { return !m(r) })
	}
}
