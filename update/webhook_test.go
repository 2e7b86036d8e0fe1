package update_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/souk-dev/souk/update"
)

// The example of the specification: https://github.com/standard-webhooks/standard-webhooks
const webhookSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// receiver answers the given codes one after the other, and keeps what it got.
func receiver(t *testing.T, codes ...int) (*httptest.Server, *[]*http.Request, *[]string) {
	t.Helper()
	var requests []*http.Request
	var bodies []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		requests, bodies = append(requests, r), append(bodies, string(b))
		code := codes[min(len(requests), len(codes))-1]
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(code)
	}))
	t.Cleanup(s.Close)
	return s, &requests, &bodies
}

func TestWebhookIsSigned(t *testing.T) {
	t.Parallel()
	s, requests, bodies := receiver(t, http.StatusNoContent)
	w, err := update.NewWebhook(s.URL+"/hook", webhookSecret, nil)
	require.NoError(t, err)
	require.NoError(t, w.Notify(t.Context(), update.Event{Kind: update.KindRolledBack, Time: now, Title: "Taken back", Reason: "it fell ill"}))
	require.Len(t, *requests, 1)
	got, body := (*requests)[0], (*bodies)[0]
	assert.JSONEq(t, `{"type": "update.rolled_back", "timestamp": "2026-07-01T12:00:00Z",
		"data": {"kind": "rolled_back", "time": "2026-07-01T12:00:00Z", "title": "Taken back", "reason": "it fell ill"}}`, body)
	assert.True(t, json.Valid([]byte(body)))
	assert.Equal(t, "/hook", got.URL.Path)

	// Verified as a receiver does, from the specification alone.
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(webhookSecret, "whsec_"))
	require.NoError(t, err)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", got.Header.Get("webhook-id"), got.Header.Get("webhook-timestamp"), body)
	assert.Equal(t, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)), got.Header.Get("webhook-signature"))
	assert.Regexp(t, `^msg_[0-9a-f]{32}$`, got.Header.Get("webhook-id"))
	assert.Regexp(t, `^[0-9]{10}$`, got.Header.Get("webhook-timestamp"))
}

func TestWebhookTriesAgain(t *testing.T) {
	t.Parallel()
	s, requests, _ := receiver(t, http.StatusServiceUnavailable, http.StatusOK)
	w, err := update.NewWebhook(s.URL, webhookSecret, nil)
	require.NoError(t, err)
	require.NoError(t, w.Notify(t.Context(), update.Event{Kind: update.KindStarted}))
	require.Len(t, *requests, 2)
	assert.Equal(t, (*requests)[0].Header.Get("webhook-id"), (*requests)[1].Header.Get("webhook-id"), "one event, one id")
}

func TestWebhookRefused(t *testing.T) {
	t.Parallel()
	for _, code := range []int{http.StatusBadRequest, http.StatusGone, http.StatusFound, http.StatusTemporaryRedirect} {
		s, requests, _ := receiver(t, code)
		w, err := update.NewWebhook(s.URL, webhookSecret, nil)
		require.NoError(t, err)
		require.ErrorContains(t, w.Notify(t.Context(), update.Event{}), fmt.Sprintf("the receiver answered %d", code))
		assert.Len(t, *requests, 1, "not again, and not elsewhere: %d", code)
	}
}

func TestWebhookAwayHidesItsURL(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close()) // nobody listens there now
	w, err := update.NewWebhook("http://"+l.Addr().String()+"/token-in-the-path", webhookSecret, nil)
	require.NoError(t, err)
	err = w.Notify(t.Context(), update.Event{})
	require.ErrorContains(t, err, "refused")
	assert.NotContains(t, err.Error(), "token-in-the-path")
}

func TestNewWebhookRefuses(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "x", "ftp://a.example/", "https://", "://"} {
		_, err := update.NewWebhook(u, webhookSecret, nil)
		assert.ErrorContains(t, err, "http or https", u)
	}
	for _, s := range []string{"", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_", "whsec_c2hvcnQ=", "whsec_!", "whsec_" + base64.StdEncoding.EncodeToString(make([]byte, 65))} {
		_, err := update.NewWebhook("https://a.example/", s, nil)
		assert.ErrorContains(t, err, "24 to 64 bytes", s)
		assert.NotContains(t, err.Error(), "MfKQ")
	}
}
