package update

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	// webhookTries is how often one event is sent; the receiver sees the same id.
	webhookTries = 3
	// webhookPause is the wait before the second try; the next is twice as long.
	webhookPause = time.Second
	// minSecret and maxSecret are what the Standard Webhooks scheme allows, in bytes.
	minSecret, maxSecret = 24, 64
)

// Webhook is a Notifier that posts each event to a URL by the Standard Webhooks scheme
// (https://www.standardwebhooks.com): a JSON body {"type", "timestamp", "data"} with
// type "update.<kind>", signed with HMAC-SHA256 in the header webhook-signature. The
// URL is the operator's; it may be in their own network. Redirects are not followed.
// It is safe for concurrent use.
type Webhook struct {
	url    string
	secret []byte
	client *http.Client
}

var _ Notifier = (*Webhook)(nil)

// NewWebhook returns a Webhook for a URL and a secret: "whsec_" and the base64 of 24
// to 64 bytes that the receiver knows too. A nil client is one without a proxy or
// cookies; the client's CheckRedirect is not used.
func NewWebhook(rawURL, secret string, client *http.Client) (*Webhook, error) {
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, errors.New("a webhook needs an http or https URL")
	}
	encoded, ok := strings.CutPrefix(secret, "whsec_")
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < minSecret || len(key) > maxSecret {
		return nil, fmt.Errorf("the secret of a webhook is whsec_ and the base64 of %d to %d bytes", minSecret, maxSecret)
	}
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true}} // events are rare
	if client != nil {
		c = *client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Webhook{url: rawURL, secret: key, client: &c}, nil
}

// Notify sends the event, again when the receiver is away or busy, and returns when it
// was taken, refused, or ctx ended. Its id is a hash of the event, so that a receiver
// can tell a second delivery from a second event.
func (w *Webhook) Notify(ctx context.Context, e Event) error {
	body, err := json.Marshal(struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      Event     `json:"data"`
	}{"update." + string(e.Kind), e.Time, e})
	if err != nil {
		return fmt.Errorf("webhook: %w", err)
	}
	sum := sha256.Sum256(body)
	id := "msg_" + hex.EncodeToString(sum[:16])
	pause := webhookPause
	for try := 1; ; try++ {
		again, err := w.post(ctx, id, body)
		if err == nil || !again || try == webhookTries {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return err
		case <-timer.C:
			pause *= 2
		}
	}
}

// post sends it once, and says whether it makes sense to send it again.
func (w *Webhook) post(ctx context.Context, id string, body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return false, fmt.Errorf("webhook: %w", err)
	}
	sent := strconv.FormatInt(time.Now().Unix(), 10) // the receiver compares it with its clock
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", sent)
	req.Header.Set("webhook-signature", w.sign(id, sent, body))
	resp, err := w.client.Do(req)
	if err != nil {
		return true, fmt.Errorf("webhook: %w", hideURL(err))
	}
	defer resp.Body.Close()
	switch code := resp.StatusCode; {
	case code < 300:
		return false, nil
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return true, fmt.Errorf("webhook: the receiver answered %s", resp.Status)
	default:
		return false, fmt.Errorf("webhook: the receiver answered %s", resp.Status)
	}
}

// sign returns the signature of the scheme: "v1," and the base64 of the HMAC.
func (w *Webhook) sign(id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, w.secret)
	fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// hideURL takes the URL out of an error: it may have a token in it.
func hideURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
