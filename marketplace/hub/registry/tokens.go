package registry

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"time"
)

// Lifetimes of a token. Registries allow a minute more on both ends for clocks
// that differ.
const (
	DefaultTTL = 5 * time.Minute // long enough for one push; a client asks again by itself
	MinTTL     = time.Minute     // what the token specification demands
	MaxTTL     = time.Hour       // a token cannot be revoked
)

// ErrCredentials, wrapped or not, is how an [Authorizer] says that a name and
// password or API token are wrong, expired or revoked: the client gets 401.
var ErrCredentials = errors.New("wrong name, password or token")

// Credential is what a client showed. The zero value is anonymous.
type Credential struct {
	Username string // of the account; what it is for is the Authorizer's business
	Password string // password or API token
}

// Anonymous reports whether the client showed nothing at all.
func (c Credential) Anonymous() bool { return c == Credential{} }

// LogValue keeps secrets out of logs.
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }

// String keeps secrets out of messages.
func (c Credential) String() string { return fmt.Sprintf("credential of %.100q", c.Username) }

// GoString keeps secrets out of %#v.
func (c Credential) GoString() string { return c.String() }

// Authorizer decides who a client is and what of the access it wants it gets. It
// returns those, or parts of them, and the subject, a name for logs and events:
// empty for a client that is anonymous. That little or nothing is granted is not an
// error. Wrong credentials are [ErrCredentials]; any other error means that it could
// not say and becomes 503. want holds each resource once and may be empty, which is
// how "docker login" tries a password. Granting what was not wanted is a bug and
// nothing is given then. It must compare secrets in constant time or look them up by
// their hash, must limit the rate of guesses if somebody before it does not, and be
// safe for concurrent use.
type Authorizer func(ctx context.Context, c Credential, want []Access) (granted []Access, subject string, err error)

// TokenOptions are the choices of [NewTokens]. All but TTL, Accept, Insecure, Now and
// Log are required.
type TokenOptions struct {
	// Realm is the public URL of the token service itself, where clients are sent:
	// "https://hub.example.org/v2/token" or any other path.
	Realm string
	// Service is the name of the registry that tokens are good for, its audience:
	// "hub.example.org". A request for another one is refused.
	Service string
	// Issuer is the name of the token service in its tokens; the registry wants it
	// to be the same. Empty means Service.
	Issuer string
	// Key signs: ECDSA on P-256, PEM, see [GenerateKey].
	Key []byte
	// Accept are further keys, PEM, public or private, whose tokens are good: the
	// one before this, the one after it. At most MaxKeys-1.
	Accept [][]byte
	// Authorize decides about every request for a token.
	Authorize Authorizer
	// TTL is how long a token lives, MinTTL to MaxTTL; zero means DefaultTTL.
	TTL time.Duration
	// Insecure allows a Realm in plain HTTP on another host than a loopback one.
	// Everybody on the way can read the clients' secrets then.
	Insecure bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told of requests that could not be answered, never of secrets. Nil
	// means nobody is.
	Log *slog.Logger
}

// Tokens is the token service of a registry, as
// https://distribution.github.io/distribution/spec/auth/token/ has it: it issues
// JWTs that say what their bearer may do. It is an [http.Handler] to be mounted at the
// path of its realm, and is safe for concurrent use.
type Tokens struct {
	o    TokenOptions
	keys *keys
}

var _ http.Handler = (*Tokens)(nil)

// NewTokens makes a token service. It is an error when anything required is missing.
func NewTokens(o TokenOptions) (*Tokens, error) {
	t, err := newTokens(o)
	if err != nil {
		return nil, fmt.Errorf("token service: %w", err)
	}
	return t, nil
}

func newTokens(o TokenOptions) (*Tokens, error) {
	realm, err := url.Parse(o.Realm)
	switch {
	case err != nil || realm.Host == "" || realm.User != nil || realm.RawQuery != "" || realm.Fragment != "" ||
		realm.Scheme != "https" && realm.Scheme != "http":
		return nil, fmt.Errorf("realm %.200q is not the URL of a token service", o.Realm)
	case realm.Scheme == "http" && !o.Insecure && !loopback(realm.Hostname()):
		return nil, fmt.Errorf("realm %.200q would have secrets sent in plain HTTP; use https, or say Insecure", o.Realm)
	case o.Service == "" || len(o.Service) > maxName:
		return nil, errors.New("the service names no registry")
	case o.Authorize == nil:
		return nil, errors.New("there is no Authorize, and nobody else decides who may do what")
	}
	if o.Issuer == "" {
		o.Issuer = o.Service
	}
	if o.TTL == 0 {
		o.TTL = DefaultTTL
	}
	if o.TTL < MinTTL || o.TTL > MaxTTL {
		return nil, fmt.Errorf("TTL %s is not between %s and %s", o.TTL, MinTTL, MaxTTL)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	k, err := newKeys(o.Key, o.Accept)
	if err != nil {
		return nil, err
	}
	o.Key, o.Accept = nil, nil
	return &Tokens{o: o, keys: k}, nil
}

func loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// JWKS is the set of verification keys, for the jwks file of a registry that is
// not in this process. It holds nothing secret.
func (t *Tokens) JWKS() []byte { return slices.Clone(t.keys.jwks) }

// claims are those of the token specification.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"`
	Expires   int64    `json:"exp"`
	NotBefore int64    `json:"nbf"`
	IssuedAt  int64    `json:"iat"`
	ID        string   `json:"jti"`
	Access    []Access `json:"access"`
}

// Issue makes a token without asking anybody: for the hub's own pushes and for
// services that already know what somebody may do. ttl is MinTTL to MaxTTL; zero
// means that of the options. An access outside the grammar of scopes is an error.
func (t *Tokens) Issue(subject string, access []Access, ttl time.Duration) (string, error) {
	if ttl == 0 {
		ttl = t.o.TTL
	}
	if ttl < MinTTL || ttl > MaxTTL {
		return "", fmt.Errorf("issue token: a life of %s is not between %s and %s", ttl, MinTTL, MaxTTL)
	}
	if len(access) > MaxScopes {
		return "", fmt.Errorf("issue token: access to %d resources is more than %d", len(access), MaxScopes)
	}
	for _, a := range access {
		if err := a.check(); err != nil {
			return "", fmt.Errorf("issue token: %w", err)
		}
	}
	return t.issue(subject, access, t.o.Now(), ttl)
}

func (t *Tokens) issue(subject string, access []Access, now time.Time, ttl time.Duration) (string, error) {
	if len(subject) > maxName {
		return "", fmt.Errorf("issue token: a subject of %d bytes is more than %d", len(subject), maxName)
	}
	if access == nil {
		access = []Access{}
	}
	payload, err := json.Marshal(claims{
		Issuer: t.o.Issuer, Subject: subject, Audience: t.o.Service,
		IssuedAt: now.Unix(), NotBefore: now.Unix(), Expires: now.Add(ttl).Unix(),
		ID: rand.Text(), Access: access,
	})
	if err != nil {
		return "", err
	}
	signed, err := t.keys.signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("issue token: %w", err)
	}
	return signed.CompactSerialize()
}

// hostOnly is the host of "192.0.2.7:1234", or s when it has no port.
func hostOnly(s string) string {
	if host, _, err := net.SplitHostPort(s); err == nil {
		return host
	}
	return s
}
