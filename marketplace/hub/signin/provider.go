package signin

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const maxParam = 4096 // bytes of a parameter of the callback

// ProviderOptions are the choices of [NewProvider]. Issuer, ClientID, RedirectURL and
// Key have no default.
type ProviderOptions struct {
	// Name is what people read on the button: "Example GmbH". Empty means the host of
	// the issuer.
	Name string
	// Issuer is the provider's URL, to the letter as its tokens have it.
	Issuer string
	// ClientID is what the provider calls us.
	ClientID string
	// ClientSecret is what we prove it with; empty for a public client, which PKCE alone
	// protects.
	ClientSecret string
	// RedirectURL is our callback as it is registered at the provider. Each provider
	// should have its own (RFC 9700, section 4.4).
	RedirectURL string
	// Scopes are asked for beside "openid". Nil means "profile" and "email".
	Scopes []string
	// Key encrypts pending sign-ins: 32 random bytes or more, the same in all processes
	// of a hub. Another key ends the sign-ins that are under way, no more.
	Key []byte
	// HTTPClient reaches the provider; its transport and timeout are used, nothing else.
	// Nil means one without a proxy.
	HTTPClient *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told when the provider is not reached. Nil means nobody is.
	Log *slog.Logger
}

// String keeps the secrets out of messages.
func (o ProviderOptions) String() string { return "provider " + o.Issuer }

// GoString keeps the secrets out of messages.
func (o ProviderOptions) GoString() string { return o.String() }

// LogValue keeps the secrets out of logs.
func (o ProviderOptions) LogValue() slog.Value { return slog.StringValue(o.String()) }

// Provider signs people in by OpenID Connect: the authorization code flow with PKCE. It
// keeps nothing of a person and is safe for concurrent use.
type Provider struct {
	o      ProviderOptions
	remote *remote
	seal   *sealer
}

// NewProvider checks the options. It asks the provider nothing: one that is down is
// found out by [Provider.Begin], and asked again later.
func NewProvider(o ProviderOptions) (*Provider, error) {
	r, err := newRemote(o.Issuer, o.HTTPClient, o.Now, o.Log)
	if err != nil {
		return nil, err
	}
	fail := func(format string, args ...any) (*Provider, error) {
		return nil, fmt.Errorf("provider %s: "+format, append([]any{o.Issuer}, args...)...)
	}
	if o.ClientID == "" {
		return fail("no client id")
	}
	if err := checkURL(o.RedirectURL); err != nil {
		return fail("redirect URL %.80q %w", o.RedirectURL, err)
	}
	seal, err := newSealer(o.Key, o.Issuer, o.ClientID, o.RedirectURL)
	if err != nil {
		return fail("%w", err)
	}
	if o.Name == "" {
		u, err := url.Parse(o.Issuer)
		if err != nil {
			return fail("%w", err)
		}
		o.Name = u.Host
	}
	if o.Scopes == nil {
		o.Scopes = []string{oidc.ScopeProfile, oidc.ScopeEmail}
	}
	o.Scopes = slices.Clone(o.Scopes)
	return &Provider{o, r, seal}, nil
}

// Name is what people read on the button.
func (p *Provider) Name() string { return p.o.Name }

// Issuer is the provider's URL, and [Identity.Issuer] of all it identifies.
func (p *Provider) Issuer() string { return p.o.Issuer }

// Begin returns where to send the browser, and what it has to bring back: see [Pending].
// ReturnTo is where the person wants to go afterwards; it is held to [SafeReturn]. The
// error is [ErrUnavailable] if the provider cannot be reached.
func (p *Provider) Begin(ctx context.Context, returnTo string) (redirectURL string, begun Pending, err error) {
	m, err := p.remote.meta.get(ctx, false)
	if err != nil {
		return "", "", fmt.Errorf("sign in at %s: %w", p.o.Issuer, err)
	}
	if m.AuthURL == "" || m.TokenURL == "" {
		return "", "", fmt.Errorf("sign in at %s: %w: it signs nobody in (no authorization or token endpoint)", p.o.Issuer, ErrUnavailable)
	}
	it := pending{
		State:    rand.Text(),
		Nonce:    rand.Text(),
		Verifier: oauth2.GenerateVerifier(),
		Expires:  p.remote.now().Add(MaxPending).Unix(),
		ReturnTo: SafeReturn(returnTo),
	}
	begun, err = p.seal.seal(it)
	if err != nil {
		return "", "", fmt.Errorf("sign in at %s: %w", p.o.Issuer, err)
	}
	return p.config(m).AuthCodeURL(it.State, oauth2.S256ChallengeOption(it.Verifier), oidc.Nonce(it.Nonce)), begun, nil
}

// Finish takes the Pending of the browser and the query of the callback, and returns who
// it is and where they wanted to go. A Pending is good once, since the provider takes its
// code once. Errors: [ErrExpired], [ErrDeclined], [ErrRefused], [ErrUnavailable].
func (p *Provider) Finish(ctx context.Context, begun Pending, query url.Values) (Identity, string, error) {
	id, to, err := p.finish(ctx, begun, query)
	if err != nil {
		return Identity{}, "", fmt.Errorf("sign in at %s: %w", p.o.Issuer, err)
	}
	return id, to, nil
}

func (p *Provider) finish(ctx context.Context, begun Pending, query url.Values) (Identity, string, error) {
	it, err := p.seal.open(begun, p.remote.now())
	if err != nil {
		return Identity{}, "", err
	}
	m, err := p.remote.meta.get(ctx, false)
	if err != nil {
		return Identity{}, "", err
	}
	code, err := p.code(it, m, query)
	if err != nil {
		return Identity{}, "", err
	}
	tokens, err := p.config(m).Exchange(p.remote.context(ctx), code, oauth2.VerifierOption(it.Verifier))
	if err != nil {
		return Identity{}, "", exchangeError(err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" {
		return Identity{}, "", fmt.Errorf("%w: the provider sent no ID token", ErrRefused)
	}
	c, token, err := p.remote.verify(ctx, raw, p.o.ClientID, 0)
	if err != nil {
		return Identity{}, "", err
	}
	if err := p.meantForUs(c, it); err != nil {
		return Identity{}, "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if token.AccessTokenHash != "" {
		if err := token.VerifyAccessToken(tokens.AccessToken); err != nil {
			return Identity{}, "", fmt.Errorf("%w: %w", ErrRefused, err)
		}
	}
	id, err := p.identity(ctx, c, m, tokens)
	return id, it.ReturnTo, err
}

// code returns the authorization code of the callback, if it answers our request.
func (p *Provider) code(it pending, m metadata, query url.Values) (string, error) {
	for _, name := range []string{"state", "code", "iss", "error"} {
		if v := query[name]; len(v) > 1 || len(v) == 1 && len(v[0]) > maxParam {
			return "", fmt.Errorf("%w: the parameter %s comes twice or is too long", ErrRefused, name)
		}
	}
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(it.State)) != 1 {
		return "", fmt.Errorf("%w: the answer belongs to another sign-in (state)", ErrRefused)
	}
	// RFC 9207: another provider cannot pass its answer off as this one's.
	if iss := query.Get("iss"); iss != p.o.Issuer && (m.SendsIssuer || query.Has("iss")) {
		return "", fmt.Errorf("%w: the answer is of the issuer %.80q", ErrRefused, iss)
	}
	switch problem := query.Get("error"); {
	case problem == "access_denied" || problem == "login_required" || problem == "consent_required":
		return "", fmt.Errorf("%w: %s", ErrDeclined, problem)
	case problem == "temporarily_unavailable" || problem == "server_error":
		return "", fmt.Errorf("%w: %s", ErrUnavailable, problem)
	case problem != "":
		return "", fmt.Errorf("%w: the provider says %s", ErrRefused, errorCode(problem))
	case query.Get("code") == "":
		return "", fmt.Errorf("%w: the answer has no code", ErrRefused)
	}
	return query.Get("code"), nil
}

// meantForUs holds the ID token to this sign-in and this client
// (OpenID Connect Core 1.0, section 3.1.3.7).
func (p *Provider) meantForUs(c claims, it pending) error {
	nonce, err := c.text("nonce")
	if err != nil {
		return err
	}
	if subtle.ConstantTimeCompare([]byte(nonce), []byte(it.Nonce)) != 1 {
		return errors.New("the ID token belongs to another sign-in (nonce)")
	}
	party, err := c.text("azp")
	if err != nil {
		return err
	}
	audience, err := c.list("aud")
	if err != nil {
		return err
	}
	if party != p.o.ClientID && (party != "" || len(audience) != 1) {
		return fmt.Errorf("the ID token was issued to another client (azp %.80q, %d audiences)", party, len(audience))
	}
	return nil
}

func (p *Provider) config(m metadata) *oauth2.Config {
	style := oauth2.AuthStyleInHeader
	if p.o.ClientSecret == "" || !has(m.AuthMethods, "client_secret_basic", "client_secret_basic") {
		style = oauth2.AuthStyleInParams
	}
	return &oauth2.Config{
		ClientID: p.o.ClientID, ClientSecret: p.o.ClientSecret, RedirectURL: p.o.RedirectURL,
		Scopes:   append([]string{oidc.ScopeOpenID}, p.o.Scopes...),
		Endpoint: oauth2.Endpoint{AuthURL: m.AuthURL, TokenURL: m.TokenURL, AuthStyle: style},
	}
}

// exchangeError keeps the provider's answer, which may hold anything, out of the error.
func exchangeError(err error) error {
	var answer *oauth2.RetrieveError
	if !errors.As(err, &answer) {
		return fmt.Errorf("%w: exchange the code: %w", ErrUnavailable, err)
	}
	status := answer.Response.StatusCode
	if status >= 500 || status == http.StatusTooManyRequests {
		return fmt.Errorf("%w: exchange the code: the provider answered %d", ErrUnavailable, status)
	}
	return fmt.Errorf("%w: the provider does not take the code (%d %s)", ErrRefused, status, errorCode(answer.ErrorCode))
}

// errorCode returns an OAuth error code if it looks like one.
func errorCode(s string) string {
	if regexp.MustCompile(`^[a-z_]{1,60}$`).MatchString(s) {
		return s
	}
	return "an error without a known code"
}
