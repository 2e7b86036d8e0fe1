package insight_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/insight"
)

// verifyWebhook is a receiver's side of Standard Webhooks 1.0.0, written from the
// specification: id, timestamp within five minutes, and one of the signatures in the
// header that is v1 and right.
func verifyWebhook(secret string, h http.Header, body []byte, now time.Time) error {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		return err
	}
	id, stamp, sigs := h.Get("webhook-id"), h.Get("webhook-timestamp"), h.Get("webhook-signature")
	if id == "" || strings.Contains(id, ".") || stamp == "" || sigs == "" {
		return errors.New("a header is missing")
	}
	sec, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return err
	}
	if d := now.Sub(time.Unix(sec, 0)); d > 5*time.Minute || d < -5*time.Minute {
		return errors.New("too old or from the future")
	}
	mac := hmac.New(sha256.New, key)
	io.WriteString(mac, id+"."+stamp+"."+string(body))
	for one := range strings.SplitSeq(sigs, " ") {
		version, sig, _ := strings.Cut(one, ",")
		got, err := base64.StdEncoding.DecodeString(sig)
		if version == "v1" && err == nil && hmac.Equal(got, mac.Sum(nil)) {
			return nil
		}
	}
	return errors.New("no signature is right")
}

// TestSignWebhook holds signer and verifier to the vector that the specification's
// libraries are tested with.
func TestSignWebhook(t *testing.T) {
	secret := "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" // in two parts, so that no scanner takes it for one in use
	const id, body = "msg_p5jXN8AQM9LWM0D4loKWxJek", `{"test": 2432232314}`
	at := time.Unix(1614265330, 0)
	sig, err := insight.SignWebhook(secret, id, at, []byte(body))
	require.NoError(t, err)
	assert.Equal(t, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", sig)
	h := http.Header{}
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", "1614265330")
	h.Set("webhook-signature", sig)
	assert.NoError(t, verifyWebhook(secret, h, []byte(body), at))
	assert.Error(t, verifyWebhook(secret, h, []byte(body+" "), at))
	assert.Error(t, verifyWebhook(secret, h, []byte(body), at.Add(6*time.Minute)))
	for _, bad := range []string{"", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!", "whsec_c2hvcnQ=", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))} {
		_, err := insight.SignWebhook(bad, id, at, nil)
		assert.Error(t, err, bad)
	}
}

// receiver is somebody's server that keeps what it was sent.
type receiver struct {
	*httptest.Server
	mu       sync.Mutex
	requests []received
	answer   func(http.ResponseWriter, *http.Request)
}

type received struct {
	header http.Header
	body   string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		b, err := io.ReadAll(req.Body)
		assert.NoError(t, err)
		r.mu.Lock()
		r.requests = append(r.requests, received{req.Header.Clone(), string(b)})
		answer := r.answer
		r.mu.Unlock()
		if answer != nil {
			answer(w, req)
		}
	}))
	r.Server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that are refused on purpose
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) options() insight.Options {
	pool := x509.NewCertPool()
	pool.AddCert(r.Certificate())
	return insight.Options{
		TLS: &tls.Config{RootCAs: pool}, Guard: hub.Guard{AllowPrivate: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}}, DisableAfter: 2,
	}
}

func status(code int) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = w.Write([]byte("an answer\x00\u202e with <tags>"))
	}
}

// sent is a world with a receiver, a hook of ann's and one delivery that waits.
func sent(t *testing.T) (*world, *receiver, hub.Hook, hub.Delivery) {
	r := newReceiver(t)
	w := newWorld(t, r.options())
	h, err := w.CreateHook(t.Context(), w.ann, insight.NewHook{Publisher: "acme", URL: r.URL + "/hook?token=hush", Kinds: []hub.EventKind{hub.EventRatingAdded}})
	require.NoError(t, err)
	return w, r, h, w.next(h)
}

// next makes another delivery to a hook.
func (w *world) next(h hub.Hook) hub.Delivery {
	e := w.emit(hub.Event{Kind: hub.EventRatingAdded, Publisher: "acme", Plugin: "acme/backup", Title: "rated <b>", Data: json.RawMessage(`{"stars":5}`)})
	require.NoError(w.t, w.run(w.Service, hub.JobFanOut, e.ID))
	list := rows(w, hub.Tx.Deliveries, hub.Eq("event", e.ID), hub.Eq("hook", h.ID))
	require.Len(w.t, list, 1)
	return list[0]
}

func TestDeliver(t *testing.T) {
	t.Parallel()
	w, r, h, d := sent(t)
	require.NoError(t, w.run(w.Service, hub.JobDeliver, d.ID))
	require.Len(t, r.requests, 1)
	got := r.requests[0]
	assert.NoError(t, verifyWebhook(h.Secret, got.header, []byte(got.body), w.now))
	assert.Equal(t, d.Event, got.header.Get("webhook-id"))
	assert.Equal(t, "application/json", got.header.Get("content-type"))
	var body struct {
		Type      string
		Timestamp time.Time
		Data      struct {
			Plugin, Title, Link string
			More                struct{ Stars int }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(got.body), &body))
	assert.Equal(t, "rating.added", body.Type)
	assert.Equal(t, "acme/backup", body.Data.Plugin)
	assert.Equal(t, 5, body.Data.More.Stars)
	assert.Equal(t, "https://hub.example.org/plugins/acme/backup", body.Data.Link)
	require.NoError(t, w.run(w.Service, hub.JobDeliver, d.ID))
	assert.Len(t, r.requests, 1, "what is done is not sent again")

	again, err := w.Redeliver(t.Context(), w.ann, d.ID)
	require.NoError(t, err)
	assert.Equal(t, hub.DeliveryWaiting, again.State)
	_, err = w.Redeliver(t.Context(), w.ann, d.ID)
	assert.ErrorIs(t, err, hub.ErrState)
	_, err = w.Redeliver(t.Context(), w.bob, d.ID)
	assert.ErrorIs(t, err, hub.ErrNotFound)
	require.NoError(t, w.run(w.Service, hub.JobDeliver, d.ID))
	require.Len(t, r.requests, 2)
	assert.Equal(t, got.body, r.requests[1].body, "the same body")
	assert.Equal(t, got.header.Get("webhook-id"), r.requests[1].header.Get("webhook-id"), "and id")

	rotated, err := w.RotateSecret(t.Context(), w.ann, h.ID)
	require.NoError(t, err)
	require.NoError(t, w.run(w.Service, hub.JobDeliver, w.next(h).ID))
	last := r.requests[2]
	assert.NoError(t, verifyWebhook(rotated.Secret, last.header, []byte(last.body), w.now))
	assert.Error(t, verifyWebhook(h.Secret, last.header, []byte(last.body), w.now), "the old secret signs nothing")

	log, err := w.Deliveries(t.Context(), w.ann, h.ID, "", 1)
	require.NoError(t, err)
	require.Len(t, log.Items, 1)
	require.NotEmpty(t, log.Next)
	log, err = w.Deliveries(t.Context(), w.ann, h.ID, log.Next, 1)
	require.NoError(t, err)
	assert.Equal(t, d.ID, log.Items[0].ID)
	assert.Equal(t, 200, log.Items[0].Status)
}

func TestDeliverAgainAndAgain(t *testing.T) {
	t.Parallel()
	w, r, h, d := sent(t)
	r.answer = status(503)
	var total time.Duration
	attempts := hub.Policy{}.WithDefaults().HookAttempts
	for i := range attempts {
		err := w.run(w.Service, hub.JobDeliver, d.ID)
		var snooze *hub.Snooze
		if i == attempts-1 {
			require.NoError(t, err)
			break
		}
		require.ErrorAs(t, err, &snooze, i)
		total += snooze.After
		d = rows(w, hub.Tx.Deliveries, hub.Eq("id", d.ID))[0]
		assert.Equal(t, hub.DeliveryWaiting, d.State)
		assert.Equal(t, i+1, d.Attempts)
		assert.Equal(t, 503, d.Status)
		assert.Equal(t, "an answer with <tags>", d.Detail)
	}
	assert.InDelta(t, 24, total.Hours(), 3)
	d = rows(w, hub.Tx.Deliveries, hub.Eq("id", d.ID))[0]
	assert.Equal(t, hub.DeliveryFailed, d.State)
	assert.Len(t, r.requests, attempts)
	got := rows(w, hub.Tx.Hooks, hub.Eq("id", h.ID))[0]
	assert.Equal(t, 1, got.Failures)
	assert.True(t, got.Enabled)

	// One that arrives forgets it; two in a row disable the hook, and its maker hears of it.
	r.answer = nil
	require.NoError(t, w.run(w.Service, hub.JobDeliver, w.next(h).ID))
	assert.Zero(t, rows(w, hub.Tx.Hooks, hub.Eq("id", h.ID))[0].Failures)
	r.answer = status(500)
	waiting := w.next(h)
	for range 2 {
		d := w.next(h)
		for w.run(w.Service, hub.JobDeliver, d.ID) != nil {
		}
	}
	got = rows(w, hub.Tx.Hooks, hub.Eq("id", h.ID))[0]
	assert.False(t, got.Enabled)
	assert.Contains(t, got.Reason, "2 deliveries")
	assert.Len(t, rows(w, hub.Tx.Notices, hub.Eq("account", w.ann.Account), hub.Eq("kind", "hook")), 1)
	n := len(r.requests)
	require.NoError(t, w.run(w.Service, hub.JobDeliver, waiting.ID))
	assert.Len(t, r.requests, n, "nothing is sent to a disabled hook")
	assert.Equal(t, hub.DeliveryFailed, rows(w, hub.Tx.Deliveries, hub.Eq("id", waiting.ID))[0].State)
	_, err := w.Redeliver(t.Context(), w.ann, waiting.ID)
	assert.ErrorIs(t, err, hub.ErrState)
	yes := true
	_, err = w.UpdateHook(t.Context(), w.ann, h.ID, 0, insight.HookChange{Enabled: &yes})
	require.NoError(t, err)
	r.answer = nil
	_, err = w.Redeliver(t.Context(), w.ann, waiting.ID)
	require.NoError(t, err)
	require.NoError(t, w.run(w.Service, hub.JobDeliver, waiting.ID))
	assert.Len(t, r.requests, n+1)
}

func TestDeliverToDifficultReceivers(t *testing.T) {
	t.Parallel()
	t.Run("redirect", func(t *testing.T) {
		w, r, _, d := sent(t)
		r.answer = func(w http.ResponseWriter, req *http.Request) {
			http.Redirect(w, req, "http://169.254.169.254/", http.StatusTemporaryRedirect)
		}
		assert.Error(t, w.run(w.Service, hub.JobDeliver, d.ID))
		assert.Equal(t, 307, rows(w, hub.Tx.Deliveries)[0].Status, "is not followed")
	})
	t.Run("endless", func(t *testing.T) {
		w, r, _, d := sent(t)
		r.answer = func(w http.ResponseWriter, req *http.Request) {
			for range 1000 {
				if _, err := w.Write([]byte(strings.Repeat("x", 1<<16))); err != nil {
					return
				}
			}
		}
		require.NoError(t, w.run(w.Service, hub.JobDeliver, d.ID))
		assert.Less(t, len(rows(w, hub.Tx.Deliveries)[0].Detail), 600)
	})
	t.Run("gone", func(t *testing.T) {
		w, r, h, d := sent(t)
		r.answer = status(http.StatusGone)
		require.NoError(t, w.run(w.Service, hub.JobDeliver, d.ID))
		assert.False(t, rows(w, hub.Tx.Hooks, hub.Eq("id", h.ID))[0].Enabled)
	})
	t.Run("nobody there", func(t *testing.T) {
		w, r, _, d := sent(t)
		r.Close()
		assert.Error(t, w.run(w.Service, hub.JobDeliver, d.ID))
		got := rows(w, hub.Tx.Deliveries)[0]
		assert.Zero(t, got.Status)
		assert.NotContains(t, got.Detail, "hush", "the address may hold a token")
	})
	t.Run("inside", func(t *testing.T) { // the guard without its exception: the receiver is at 127.0.0.1
		w, r, _, d := sent(t)
		o := r.options()
		o.Guard = hub.Guard{}
		assert.Error(t, w.run(w.another(o), hub.JobDeliver, d.ID))
		assert.Empty(t, r.requests)
		assert.Contains(t, rows(w, hub.Tx.Deliveries)[0].Detail, "not a public address")
		require.NoError(t, w.run(w.Service, hub.JobDeliver, d.ID), "control")
		assert.Len(t, r.requests, 1)
	})
	t.Run("another certificate", func(t *testing.T) {
		w, r, _, d := sent(t)
		o := r.options()
		o.TLS = nil
		assert.Error(t, w.run(w.another(o), hub.JobDeliver, d.ID))
		assert.Empty(t, r.requests)
	})
	t.Run("this process ends", func(t *testing.T) {
		w, r, _, d := sent(t)
		ctx, cancel := context.WithCancel(t.Context())
		r.answer = func(_ http.ResponseWriter, req *http.Request) {
			cancel()
			<-req.Context().Done()
		}
		err := w.Handlers()[hub.JobDeliver](ctx, hub.Job{Kind: hub.JobDeliver, Subject: d.ID})
		assert.ErrorIs(t, err, context.Canceled)
		assert.Zero(t, rows(w, hub.Tx.Deliveries)[0].Attempts, "no fault of the receiver")
	})
}

func TestTheLogIsPruned(t *testing.T) {
	t.Parallel()
	w, _, h, d := sent(t)
	require.NoError(t, w.run(w.Service, hub.JobDeliver, d.ID))
	waiting := w.next(h)
	w.set(w.now.AddDate(0, 0, 31))
	require.NoError(t, w.run(w.Service, hub.JobNumbers, ""))
	left := rows(w, hub.Tx.Deliveries)
	require.Len(t, left, 1)
	assert.Equal(t, waiting.ID, left[0].ID)
}
