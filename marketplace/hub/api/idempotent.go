package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/edge"
)

// Bounds of an idempotency key (draft-ietf-httpapi-idempotency-key-header-07).
const (
	maxKey    = 200             // bytes
	keyLife   = 24 * time.Hour  // an answer is kept for so long
	keyBusy   = 2 * time.Minute // a request that has no answer by then died with its process
	maxAnswer = 256 << 10       // bytes of an answer that is kept
)

var (
	errKeyReused = errors.New("the idempotency key was used for another request")
	errKeyBusy   = errors.New("a request with this idempotency key is being answered; ask again in a moment")
)

// kept is an answer as the store has it. Status 0 means that there is none yet.
type kept struct {
	Request string      `json:"request"` // hash of method, path and body
	Status  int         `json:"status"`
	Header  http.Header `json:"header,omitempty"`
	Body    []byte      `json:"body,omitempty"`
	Secret  bool        `json:"secret,omitempty"` // the answer had a secret and was not kept
}

// idempotent answers a POST with an Idempotency-Key once: the same request with the same
// key gets the same answer, and does nothing again. A key belongs to its account, and to
// what the account may do with what it shows: a token for less neither learns nor takes
// the answers of one for more.
func (h *Handler) idempotent(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		key := r.Header.Get("Idempotency-Key")
		actor := edge.ActorOf(r.Context())
		if key == "" || r.Method != http.MethodPost || actor.Account == "" {
			next.ServeHTTP(w, r)
			return
		}
		if len(key) > maxKey {
			h.fail(w, r, hub.Invalid("", "the Idempotency-Key has %d bytes, more than %d", len(key), maxKey))
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			h.fail(w, r, hub.Invalid("", "the body has more than %d bytes", maxBody))
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %s\n%s", r.Method, r.URL.RequestURI(), body))
		name := hash(actor.Account + "\n" + reach(actor) + "\n" + key)
		before, err := h.claim(r.Context(), name, hex.EncodeToString(sum[:]))
		if err != nil {
			h.fail(w, r, err)
			return
		}
		if before != nil {
			replay(w, before)
			return
		}
		rec := &recorder{header: http.Header{}}
		next.ServeHTTP(rec, r)
		// The answer is kept even when the client has gone: it will ask again.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 5*time.Second)
		defer cancel()
		if err := h.settle(ctx, name, hex.EncodeToString(sum[:]), rec); err != nil {
			h.o.Log.Warn("answer to an idempotency key is not kept", "request", edge.RequestID(r.Context()), "error", err)
		}
		rec.writeTo(w)
	})
}

// reach says what a token is for; all that are for the same share their keys, as a CI job
// that tries again has another token. Empty for a session.
func reach(a hub.Actor) string {
	if a.Token == nil {
		return ""
	}
	return fmt.Sprintf("%s %s %s %q", a.Token.Kind, a.Token.Publisher, a.Token.Plugin, a.Token.Verbs)
}

// claim takes the key for this request. It returns the answer when there is one.
func (h *Handler) claim(ctx context.Context, name, request string) (*kept, error) {
	var before *kept
	err := h.o.Env.Store.Update(ctx, func(tx hub.Tx) error {
		before = nil
		now := h.o.Env.Now()
		old, err := tx.Onces().Get(ctx, "idempotency", name)
		switch {
		case err == nil && old.Expires.After(now):
			var k kept
			if err := json.Unmarshal([]byte(old.Data), &k); err != nil {
				return err
			}
			switch {
			case k.Request != request:
				return errKeyReused
			case k.Status == 0:
				return errKeyBusy
			}
			before = &k
			return nil
		case err != nil && !errors.Is(err, hub.ErrNotFound):
			return err
		}
		data, err := json.Marshal(kept{Request: request})
		if err != nil {
			return err
		}
		return tx.Onces().Put(ctx, &hub.Once{Kind: "idempotency", Key: name, Data: string(data), Created: now, Expires: now.Add(keyBusy)})
	})
	return before, err
}

// settle keeps an answer, or gives the key back when the request did nothing because a
// part of the hub was away.
func (h *Handler) settle(ctx context.Context, name, request string, rec *recorder) error {
	return h.o.Env.Store.Update(ctx, func(tx hub.Tx) error {
		if rec.status >= 500 || rec.status == http.StatusTooManyRequests {
			return tx.Onces().Delete(ctx, "idempotency", name)
		}
		k := kept{Request: request, Status: rec.status, Header: http.Header{}, Body: rec.body.Bytes()}
		for _, f := range []string{"Content-Type", "Location", "ETag"} {
			if v := rec.header.Values(f); len(v) > 0 {
				k.Header[f] = v
			}
		}
		if rec.header.Get("Cache-Control") == "no-store" && rec.status < 300 {
			k.Secret, k.Body = true, nil
		}
		if len(k.Body) > maxAnswer {
			return tx.Onces().Delete(ctx, "idempotency", name)
		}
		data, err := json.Marshal(k)
		if err != nil {
			return err
		}
		now := h.o.Env.Now()
		return tx.Onces().Put(ctx, &hub.Once{Kind: "idempotency", Key: name, Data: string(data), Created: now, Expires: now.Add(keyLife)})
	})
}

func replay(w http.ResponseWriter, k *kept) {
	for f, v := range k.Header {
		w.Header()[f] = v
	}
	w.Header().Set("Idempotency-Replayed", "true")
	if k.Secret {
		// What was made is there; the secret that went with it is shown once and kept nowhere.
		w.Header().Del("Content-Type")
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.WriteHeader(k.Status)
	w.Write(k.Body) //nolint:errcheck // the client has gone, nobody else to tell
}

// recorder holds an answer back.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

func (r *recorder) writeTo(w http.ResponseWriter) {
	for f, v := range r.header {
		w.Header()[f] = v
	}
	w.WriteHeader(max(r.status, http.StatusOK))
	w.Write(r.body.Bytes()) //nolint:errcheck // the client has gone, nobody else to tell
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
