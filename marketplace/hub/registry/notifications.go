package registry

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
)

// MinSecret is the least length of the secret of [Notifications].
const MinSecret = 16

// Notifications receives the webhook of a registry that is not in this process, whose
// configuration has
//
//	notifications:
//	  endpoints:
//	    - name: hub
//	      url: https://hub.example.org/hooks/registry
//	      headers: {Authorization: ["Bearer <secret>"]}
//	      timeout: 10s
//	      threshold: 3
//	      backoff: 1s
//
// Only requests with that secret, compared in constant time, are read. notify gets the
// events of one request; when it fails the answer is 503 and the registry sends them
// again, so that an event may come more than once: its ID stays the same, and who
// counts must be able to count it once. Events that say nothing that is understood are
// accepted and left out, see [ParseEvents]. A secret shorter than MinSecret and a nil
// notify are errors.
//
// What the registry has not sent yet is in its memory; its crash loses that.
func Notifications(secret string, notify func(ctx context.Context, events []Event) error) (http.Handler, error) {
	if len(secret) < MinSecret {
		return nil, fmt.Errorf("notifications: a secret of %d bytes can be guessed, %d are the least", len(secret), MinSecret)
	}
	if notify == nil {
		return nil, errors.New("notifications: nobody to notify")
	}
	return &receiver{sha256.Sum256([]byte(secret)), notify}, nil
}

type receiver struct {
	secret [sha256.Size]byte
	notify func(context.Context, []Event) error
}

func (h *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(got[:], h.secret[:]) != 1 || !strings.EqualFold(scheme, "bearer") {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "not the registry", http.StatusUnauthorized)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "use POST", http.StatusMethodNotAllowed)
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != EventsType && kind != eventsTypeV1 {
		http.Error(w, "send "+EventsType, http.StatusUnsupportedMediaType)
		return
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxNotification))
	if large := (*http.MaxBytesError)(nil); errors.As(err, &large) {
		http.Error(w, "too long", http.StatusRequestEntityTooLarge)
		return
	}
	if err != nil {
		http.Error(w, "the request broke off", http.StatusBadRequest)
		return
	}
	events, err := ParseEvents(b)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if len(events) > 0 {
		if err := h.notify(r.Context(), events); err != nil {
			w.Header().Set("Retry-After", retryAfter)
			http.Error(w, "not kept, send it again", http.StatusServiceUnavailable)
			return
		}
	}
	w.WriteHeader(http.StatusNoContent)
}
