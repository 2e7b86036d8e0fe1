package signin

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Skew is how far the clocks of an issuer and ours may be apart.
const Skew = time.Minute

const (
	maxToken  = 16 << 10 // bytes of a token; GitHub's have 2 kB
	maxClaims = 200
	maxClaim  = 1024 // bytes of a claim that is kept
)

// claims are a token's, by their exact names. encoding/json would take "ISS" for "iss",
// and the last of two; here both are refused, so that everybody reads the same.
type claims map[string]json.RawMessage

func parseClaims(payload []byte) (claims, error) {
	dec := json.NewDecoder(bytes.NewReader(payload))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("the claims are not a JSON object")
	}
	c, seen := claims{}, map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return nil, fmt.Errorf("the claims are not JSON: %w", err)
		}
		name, _ := t.(string)
		folded := strings.ToLower(name)
		switch {
		case len(c) == maxClaims:
			return nil, fmt.Errorf("more than %d claims", maxClaims)
		case strings.IndexFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) >= 0:
			return nil, fmt.Errorf("the claim name %.60q is not ASCII", name) // U+017F folds to s
		case seen[folded]:
			return nil, fmt.Errorf("two claims %.60q that differ in case or not at all", name)
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, fmt.Errorf("claim %.60q: %w", name, err)
		}
		c[name], seen[folded] = value, true
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("the claims are not JSON: %w", err)
	}
	if dec.More() {
		return nil, errors.New("something follows the claims")
	}
	return c, nil
}

// text returns a claim that is a string or, as some issuers write ids, an integer.
// Absent, null and "" are "".
func (c claims) text(name string) (string, error) {
	raw, there := c[name]
	if !there || string(raw) == "null" {
		return "", nil
	}
	var s string
	if err := json.Unmarshal(raw, &s); err != nil {
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil {
			return "", fmt.Errorf("claim %q is neither text nor an integer", name)
		}
		s = strconv.FormatInt(n, 10)
	}
	if len(s) > maxClaim || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", fmt.Errorf("claim %q is longer than %d bytes or has characters that do not print", name, maxClaim)
	}
	return s, nil
}

// flag returns a claim that is a boolean, or one in quotes as some issuers write it.
func (c claims) flag(name string) bool {
	raw := string(c[name])
	return raw == "true" || raw == `"true"`
}

// when returns a NumericDate (RFC 7519, section 2), the zero time if it is absent.
func (c claims) when(name string) (time.Time, error) {
	raw, there := c[name]
	if !there {
		return time.Time{}, nil
	}
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || !(n >= 0 && n < math.MaxUint32*8) {
		return time.Time{}, fmt.Errorf("claim %q is no time", name)
	}
	return time.Unix(int64(n), 0), nil
}

// list returns a claim that is a string or a list of them.
func (c claims) list(name string) ([]string, error) {
	raw, there := c[name]
	if !there {
		return nil, nil
	}
	var many []string
	if json.Unmarshal(raw, &many) == nil {
		return many, nil
	}
	var one string
	if err := json.Unmarshal(raw, &one); err != nil {
		return nil, fmt.Errorf("claim %q is neither text nor a list of it", name)
	}
	return []string{one}, nil
}

// checkTimes holds the token to its own times, see [Skew]. maxLife bounds the time from
// issue to expiry; 0 does not.
func (c claims) checkTimes(now time.Time, maxLife time.Duration) error {
	exp, err := c.when("exp")
	if err != nil {
		return err
	}
	iat, err := c.when("iat")
	if err != nil {
		return err
	}
	nbf, err := c.when("nbf")
	if err != nil {
		return err
	}
	switch {
	case exp.IsZero() || iat.IsZero():
		return errors.New("the token does not say when it was issued or when it expires")
	case now.Sub(exp) >= Skew:
		return fmt.Errorf("%w: the token expired at %s", ErrExpired, exp.UTC().Format(time.RFC3339))
	case iat.Sub(now) > Skew || nbf.Sub(now) > Skew:
		return errors.New("the token is of the future; a clock is wrong, here or at the issuer")
	case maxLife > 0 && exp.Sub(iat) > maxLife:
		return fmt.Errorf("the token lives %s, longer than %s", exp.Sub(iat), maxLife)
	}
	return nil
}

// verify returns the claims of a token that this issuer signed for audience, and that
// is neither expired nor of the future. The *oidc.IDToken is for its at_hash.
func (r *remote) verify(ctx context.Context, raw, audience string, maxLife time.Duration) (claims, *oidc.IDToken, error) {
	payload, err := payloadOf(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	keys := &keySet{r: r}
	token, err := oidc.NewVerifier(r.issuer, keys, &oidc.Config{
		ClientID:             audience,
		SupportedSigningAlgs: algorithmNames(),
		SkipExpiryCheck:      true, // checkTimes is stricter
	}).Verify(ctx, raw)
	if keys.err != nil {
		return nil, nil, keys.err
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	c, err := parseClaims(payload) // the signed bytes: the segment was decoded from raw
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	for _, name := range []string{"iss", "sub", "aud"} {
		if _, there := c[name]; !there {
			return nil, nil, fmt.Errorf("%w: the token has no claim %q", ErrRefused, name)
		}
	}
	if err := c.checkTimes(r.now(), maxLife); err != nil {
		if !errors.Is(err, ErrExpired) {
			err = fmt.Errorf("%w: %w", ErrRefused, err)
		}
		return nil, nil, err
	}
	return c, token, nil
}

// subject returns the sub claim, which is never empty (OpenID Connect Core, section 2).
func (c claims) subject() (string, error) {
	sub, err := c.text("sub")
	if err == nil && (sub == "" || len(sub) > 255) {
		err = errors.New("the subject is empty or longer than 255 characters")
	}
	return sub, err
}

// payloadOf returns the claims of a compact JWS, unverified. It is strict, so that one
// token has one spelling: go-jose skips white space and ignores trailing bits, by which
// a used token could be dressed up as a new one.
func payloadOf(raw string) ([]byte, error) {
	if len(raw) > maxToken {
		return nil, fmt.Errorf("a token of more than %d bytes", maxToken)
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return nil, errors.New("not a signed token")
	}
	var payload []byte
	for i, part := range parts {
		b, err := decode64(part)
		if err != nil || len(b) == 0 {
			return nil, errors.New("not a signed token")
		}
		if i == 1 {
			payload = b
		}
	}
	return payload, nil
}

// loose returns a claim that is shown and decides nothing: text, or "" for all else.
func (c claims) loose(name string) string {
	var s string
	if json.Unmarshal(c[name], &s) != nil {
		return ""
	}
	return s
}

// decode64 decodes base64url that is spelled in the one canonical way.
func decode64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") { // which the decoder skips
		return nil, base64.CorruptInputError(strings.IndexAny(s, "\r\n"))
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}
