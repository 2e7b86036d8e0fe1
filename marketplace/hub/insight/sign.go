package insight

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
	"strings"
	"time"
)

// secretPrefix begins the written form of a webhook's secret.
const secretPrefix = "whsec_"

// Headers of a webhook (Standard Webhooks 1.0.0).
const (
	HeaderID        = "Webhook-Id"        // of the event: the same at each try
	HeaderTimestamp = "Webhook-Timestamp" // of the try, Unix seconds
	HeaderSignature = "Webhook-Signature" // "v1," and the signature in base64
)

// newSecret returns 256 random bits in their written form.
func newSecret() (string, error) {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		return "", err
	}
	return secretPrefix + base64.StdEncoding.EncodeToString(b), nil
}

// SignWebhook returns the webhook-signature of a message: "v1," and the base64 of the
// HMAC-SHA256 over its id, the time in Unix seconds and the body, joined by dots, with
// the secret that stands in base64 behind "whsec_". The secret has 24 to 64 bytes.
func SignWebhook(secret, id string, at time.Time, body []byte) (string, error) {
	encoded, ok := strings.CutPrefix(secret, secretPrefix)
	key, err := base64.StdEncoding.DecodeString(encoded)
	if !ok || err != nil || len(key) < 24 || len(key) > 64 {
		return "", errors.New("the secret of a webhook is not whsec_ and 24 to 64 bytes in base64")
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)), nil
}
