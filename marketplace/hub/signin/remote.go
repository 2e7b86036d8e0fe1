package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// Bounds of what an issuer can cost. None can be configured.
const (
	requestTimeout = 10 * time.Second
	maxAnswer      = 512 << 10 // bytes of one answer; GitHub's keys are 9 kB
	maxKeys        = 100       // of one issuer; those in use have 2 to 10
	maxURL         = 2048      // bytes
)

var errTooLong = fmt.Errorf("answer longer than %d bytes", maxAnswer)

// metadata is the part of a discovery document that is used
// (OpenID Connect Discovery 1.0, section 3; RFC 8414; RFC 9207).
type metadata struct {
	Issuer      string   `json:"issuer"`
	AuthURL     string   `json:"authorization_endpoint"`
	TokenURL    string   `json:"token_endpoint"`
	UserInfoURL string   `json:"userinfo_endpoint"`
	JWKSURL     string   `json:"jwks_uri"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	SendsIssuer bool     `json:"authorization_response_iss_parameter_supported"`
}

// remote is an issuer that the operator configured: its metadata and its keys, fetched
// when they are needed. Nothing that a token or a visitor says decides what is fetched.
type remote struct {
	issuer string
	client *http.Client
	now    func() time.Time
	meta   *cached[metadata]
	keys   *cached[[]key]
}

func newRemote(issuer string, client *http.Client, now func() time.Time, log *slog.Logger) (*remote, error) {
	if err := checkURL(issuer); err != nil {
		return nil, fmt.Errorf("issuer %.80q %w", issuer, err)
	}
	if strings.Contains(issuer, "?") { // OpenID Connect Discovery 1.0, section 3
		return nil, fmt.Errorf("issuer %.80q has a query", issuer)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if now == nil {
		now = time.Now
	}
	r := &remote{issuer: issuer, client: bounded(client), now: now}
	r.meta = newCached("metadata of "+issuer, now, log, r.discover)
	r.keys = newCached("keys of "+issuer, now, log, r.fetchKeys)
	return r, nil
}

func (r *remote) discover(ctx context.Context) (metadata, error) {
	var m metadata
	if err := r.getJSON(ctx, strings.TrimSuffix(r.issuer, "/")+"/.well-known/openid-configuration", &m); err != nil {
		return metadata{}, err
	}
	if m.Issuer != r.issuer {
		return metadata{}, fmt.Errorf("%w: %s calls itself %.80q; the two have to be the same to the letter", ErrRefused, r.issuer, m.Issuer)
	}
	for _, u := range []string{m.AuthURL, m.TokenURL, m.UserInfoURL, m.JWKSURL} {
		if u == "" {
			continue // asked for when it is needed
		}
		if err := checkURL(u); err != nil {
			return metadata{}, fmt.Errorf("%w: %s names the endpoint %.80q, which %w", ErrRefused, r.issuer, u, err)
		}
	}
	if m.JWKSURL == "" {
		return metadata{}, fmt.Errorf("%w: %s says nothing of its keys (jwks_uri)", ErrUnavailable, r.issuer)
	}
	return m, nil
}

func (r *remote) getJSON(ctx context.Context, from string, v any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s answered %d", ErrUnavailable, from, resp.StatusCode)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%w: read %s: %w", ErrUnavailable, from, err)
	}
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUnavailable, from, err)
	}
	return nil
}

// context carries our bounded client to go-oidc and oauth2.
func (r *remote) context(ctx context.Context) context.Context {
	return oidc.ClientContext(ctx, r.client)
}

// bounded returns a client that follows no redirect, keeps no cookie, and reads and
// waits for no more than the bounds above. Of the given one only the transport and a
// shorter timeout are taken.
func bounded(given *http.Client) *http.Client {
	c := &http.Client{
		Timeout:       requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var inner http.RoundTripper
	if given != nil {
		inner = given.Transport
		if given.Timeout > 0 {
			c.Timeout = min(c.Timeout, given.Timeout)
		}
	}
	if inner == nil {
		inner = &http.Transport{
			DialContext:            (&net.Dialer{Timeout: requestTimeout}).DialContext,
			ForceAttemptHTTP2:      true,
			MaxIdleConnsPerHost:    2,
			MaxResponseHeaderBytes: 64 << 10,
			IdleConnTimeout:        90 * time.Second,
			TLSHandshakeTimeout:    requestTimeout,
		}
	}
	c.Transport = limited{inner}
	return c
}

// limited ends an answer that is longer than maxAnswer with an error.
type limited struct{ inner http.RoundTripper }

func (l limited) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := l.inner.RoundTrip(req)
	if err == nil {
		resp.Body = &limitedBody{resp.Body, maxAnswer}
	}
	return resp, err
}

type limitedBody struct {
	io.ReadCloser
	left int
}

func (b *limitedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if b.left -= n; b.left < 0 {
		return 0, errTooLong
	}
	return n, err
}

// checkURL says what is wrong with an address that an operator or a discovery document
// gave: "is not ...".
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	switch {
	case len(raw) > maxURL || err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("is not an absolute URL")
	case u.User != nil || u.Fragment != "":
		return errors.New("has a user or a fragment")
	case u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()):
		return nil
	}
	return errors.New("is not an https URL (plain http is for loopback addresses only)")
}

func loopback(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// has says whether a list of the metadata names what; an absent list has fallback.
func has(list []string, what, fallback string) bool {
	if list == nil {
		return what == fallback
	}
	return slices.Contains(list, what)
}
