package signin

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// MaxPending is how long a person may take at the provider, and so the age to give the
// cookie that holds a [Pending].
const MaxPending = 10 * time.Minute

const maxPendingBytes = 4 << 10 // a browser keeps no longer cookie

// Pending is a sign-in that has begun, as the value of a cookie (about 400 bytes, no
// character that needs quoting). It is encrypted and authenticated, and good for the
// provider that made it, for [MaxPending]. Keep it in a cookie that is Secure, HttpOnly,
// SameSite=Lax and named with "__Host-", so that it proves that the browser that comes
// back is the one that left; delete it when [Provider.Finish] has returned.
type Pending string

// pending is what a Pending holds.
type pending struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"` // PKCE, RFC 7636
	Expires  int64  `json:"e"` // Unix seconds
	ReturnTo string `json:"r"`
}

// sealer encrypts with AES-256-GCM and a random nonce: good for 2^32 sign-ins a key.
type sealer struct {
	aead  cipher.AEAD
	bound []byte // who made it and for whom: a value of another provider does not open
}

func newSealer(secret []byte, bound ...string) (*sealer, error) {
	if len(secret) < 32 {
		return nil, errors.New("the key for pending sign-ins needs 32 random bytes or more")
	}
	hash := sha256.New()
	hash.Write([]byte("souk pending sign-in 1\x00"))
	hash.Write(secret)
	block, err := aes.NewCipher(hash.Sum(nil))
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	names, err := json.Marshal(bound)
	if err != nil {
		return nil, err
	}
	return &sealer{aead, names}, nil
}

func (s *sealer) seal(p pending) (Pending, error) {
	plain, err := json.Marshal(p)
	if err != nil {
		return "", err
	}
	return Pending(base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, s.bound))), nil
}

func (s *sealer) open(sealed Pending, now time.Time) (pending, error) {
	var p pending
	if sealed == "" {
		return p, fmt.Errorf("%w: this browser has not begun to sign in, or took longer than %s", ErrExpired, MaxPending)
	}
	if len(sealed) > maxPendingBytes {
		return p, fmt.Errorf("%w: the pending sign-in is not ours", ErrRefused)
	}
	box, err := decode64(string(sealed))
	if err == nil {
		box, err = s.aead.Open(nil, nil, box, s.bound)
	}
	if err == nil {
		err = json.Unmarshal(box, &p)
	}
	if err != nil {
		return pending{}, fmt.Errorf("%w: the pending sign-in is not ours", ErrRefused)
	}
	if now.Unix() >= p.Expires {
		return pending{}, fmt.Errorf("%w: the sign-in took longer than %s", ErrExpired, MaxPending)
	}
	return p, nil
}
