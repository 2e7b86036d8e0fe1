package hub

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/verify"
)

// Bounds of a receipt.
const (
	ReceiptLife  = 24 * time.Hour  // how long after it was issued a receipt is accepted
	ReceiptSkew  = 5 * time.Minute // how far a panel's clock may go ahead of the hub's
	MaxReceipt   = 2048            // bytes of its written form
	receiptNonce = 16              // bytes
)

// receiptDomain stands before what is signed, so that a panel's signature of anything
// else is no receipt.
const receiptDomain = "souk receipt v1\n"

// Receipt is a linked panel's statement that a release is installed in it. The panel
// signs it with the key of its [Panel.Key]; the hub accepts each one time, within
// [ReceiptLife] of IssuedAt.
type Receipt struct {
	Panel    string    `json:"panel"`    // id
	Account  string    `json:"account"`  // that the panel is linked to
	Plugin   string    `json:"plugin"`   // "acme/backup"
	Version  string    `json:"version"`  //
	Digest   string    `json:"digest"`   // of the OCI manifest that is installed
	IssuedAt time.Time `json:"issuedAt"` // whole seconds, UTC
	Nonce    string    `json:"nonce"`    // 16 random bytes, base64url without padding
}

// Check says which field cannot be right; an error is an [*InvalidError].
func (r Receipt) Check() error {
	for field, id := range map[string]string{"panel": r.Panel, "account": r.Account} {
		if id == "" || len(id) > 64 || catalog.CheckText(id, 64) != nil {
			return Invalid(field, "is missing or not an id")
		}
	}
	if _, err := catalog.ParseRef(r.Plugin + "@" + r.Version); err != nil {
		return Invalid("plugin", "and version do not name a release")
	}
	if !verify.Digest(r.Digest).Valid() {
		return Invalid("digest", "is not a digest")
	}
	if r.IssuedAt.IsZero() || !r.IssuedAt.Equal(r.IssuedAt.Truncate(time.Second)) || r.IssuedAt.Location() != time.UTC {
		return Invalid("issuedAt", "must be in whole seconds, UTC")
	}
	if b, err := base64.RawURLEncoding.Strict().DecodeString(r.Nonce); err != nil || len(b) != receiptNonce {
		return Invalid("nonce", "must be %d bytes in base64url", receiptNonce)
	}
	return nil
}

// canonical returns the one encoding of the receipt: compact JSON in the order of the
// fields.
func (r Receipt) canonical() ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// SignReceipt returns the receipt in its written form: its canonical JSON and the
// Ed25519 signature, both in base64url without padding, with a dot between.
func SignReceipt(r Receipt, key ed25519.PrivateKey) (string, error) {
	r.IssuedAt = r.IssuedAt.UTC().Truncate(time.Second)
	b, err := r.canonical()
	if err != nil {
		return "", err
	}
	if len(key) != ed25519.PrivateKeySize {
		return "", Invalid("key", "is not an Ed25519 private key")
	}
	sig := ed25519.Sign(key, append([]byte(receiptDomain), b...))
	return base64.RawURLEncoding.EncodeToString(b) + "." + base64.RawURLEncoding.EncodeToString(sig), nil
}

// ParseReceipt reads a written receipt without checking its signature, to learn which
// panel's key that takes. There is one written form of a receipt: any other is an
// [*InvalidError].
func ParseReceipt(s string) (Receipt, error) {
	r, _, _, err := parseReceipt(s)
	return r, err
}

func parseReceipt(s string) (r Receipt, body, sig []byte, err error) {
	bad := func(format string, args ...any) error { return Invalid("receipt", format, args...) }
	if len(s) > MaxReceipt {
		return Receipt{}, nil, nil, bad("has %d bytes, more than %d", len(s), MaxReceipt)
	}
	b64, sig64, ok := strings.Cut(s, ".")
	enc := base64.RawURLEncoding.Strict()
	body, errBody := enc.DecodeString(b64)
	sig, errSig := enc.DecodeString(sig64)
	if !ok || errBody != nil || errSig != nil || len(sig) != ed25519.SignatureSize || strings.ContainsAny(s, "\r\n") {
		return Receipt{}, nil, nil, bad("is not two parts in base64url")
	}
	if err := json.Unmarshal(body, &r); err != nil {
		return Receipt{}, nil, nil, bad("is not JSON")
	}
	if canonical, err := r.canonical(); err != nil {
		return Receipt{}, nil, nil, bad("has a field that %s", err)
	} else if !bytes.Equal(canonical, body) {
		return Receipt{}, nil, nil, bad("is not in its canonical form")
	}
	return r, body, sig, nil
}

// VerifyReceipt reads a written receipt and holds it to the panel's key and the time.
// Whether it was used before is for the caller to know: see [Receipt.OnceKey]. An error
// is an [*InvalidError].
func VerifyReceipt(s string, key ed25519.PublicKey, now time.Time) (Receipt, error) {
	r, body, sig, err := parseReceipt(s)
	if err != nil {
		return Receipt{}, err
	}
	switch {
	case len(key) != ed25519.PublicKeySize || !ed25519.Verify(key, append([]byte(receiptDomain), body...), sig):
		return Receipt{}, Invalid("receipt", "is not signed by the panel it names")
	case r.IssuedAt.After(now.Add(ReceiptSkew)):
		return Receipt{}, Invalid("receipt", "is from the future: set the panel's clock")
	case !now.Before(r.Expires()):
		return Receipt{}, Invalid("receipt", "is older than %s", ReceiptLife)
	}
	return r, nil
}

// Expires returns when the receipt is no longer accepted.
func (r Receipt) Expires() time.Time { return r.IssuedAt.Add(ReceiptLife) }

// OnceKey returns the key of the [Once] of kind "receipt" that keeps the receipt from
// being used twice until [Receipt.Expires].
func (r Receipt) OnceKey() string { return r.Panel + " " + r.Nonce }

// ParsePanelKey reads the Ed25519 public key of a [Panel]: base64, standard or URL
// alphabet, with or without padding.
func ParsePanelKey(s string) (ed25519.PublicKey, error) {
	std := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(s, "="))
	b, err := base64.RawStdEncoding.DecodeString(std)
	if err != nil || len(b) != ed25519.PublicKeySize {
		return nil, Invalid("key", "must be an Ed25519 public key in base64")
	}
	return ed25519.PublicKey(b), nil
}
