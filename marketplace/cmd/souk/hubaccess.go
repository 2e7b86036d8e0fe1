package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog/oci"
	"github.com/souk-dev/souk/marketplace/hub"
	"github.com/souk-dev/souk/marketplace/hub/client"
)

// hubOptions say which hub, and as whom.
type hubOptions struct {
	hub      string
	jobToken string // file with the identity token of a CI job
	want     string // what the job publishes
}

func (o *hubOptions) flags(fs *flag.FlagSet) {
	fs.StringVar(&o.hub, "hub", "", "`address` of the hub; default: SOUK_HUB, else the one you logged in to last")
}

func (o *hubOptions) ciFlags(fs *flag.FlagSet) {
	o.flags(fs)
	fs.StringVar(&o.jobToken, "identity-token-file", "", "`file` with the identity token of a CI job, for the audience that the hub names: publish without a stored secret")
}

// desk is a hub that one speaks to with a token.
type desk struct {
	*client.Client
	token string
}

// anyone returns a client of the hub that is meant, which asks as nobody.
func (a *app) anyone(o hubOptions) (*client.Client, error) {
	l, err := a.readLogins()
	if err != nil {
		return nil, err
	}
	address := cmp.Or(o.hub, a.env.hub, l.Last)
	if address == "" {
		return nil, advise(usage("no hub is named"), "`souk login <hub>` once, or give --hub, or set SOUK_HUB")
	}
	c, err := client.New(address, client.Options{})
	if err != nil {
		return nil, usage("%v", err)
	}
	return c, nil
}

// connect finds out which hub is meant, and with which token one speaks to it.
func (a *app) connect(ctx context.Context, o hubOptions) (*desk, error) {
	c, err := a.anyone(o)
	if err != nil {
		return nil, err
	}
	l, err := a.readLogins()
	if err != nil {
		return nil, err
	}
	token := a.env.token
	if token == "" || o.jobToken != "" {
		job, err := a.identityToken(ctx, c, o)
		if err != nil {
			return nil, err
		}
		if job != "" {
			var expires time.Time
			token, expires, err = c.ExchangeCI(ctx, job, o.want)
			if err != nil {
				return nil, exchangeAdvice(err, c.Address())
			}
			a.say("the hub accepts this job's identity, until %s", expires.UTC().Format("15:04 UTC"))
		}
	}
	if token = cmp.Or(token, l.Tokens[c.Address()]); token == "" {
		return nil, advise(fmt.Errorf("there is no token for %s", c.Address()), "`souk login %s`, or set SOUK_TOKEN; in CI let the job ask for an identity token", c.Address())
	}
	return &desk{c.WithToken(token), token}, nil
}

// identityToken returns the identity token of the CI job that this runs in, empty when it
// runs in none.
func (a *app) identityToken(ctx context.Context, c *client.Client, o hubOptions) (string, error) {
	switch {
	case o.jobToken != "":
		b, err := readFile(o.jobToken, maxToken)
		return strings.TrimSpace(string(b)), err
	case a.env.jobToken != "":
		return a.env.jobToken, nil
	case a.env.actionsURL == "" || a.env.actionsToken == "":
		return "", nil
	}
	issuers, err := c.Issuers(ctx)
	if err != nil {
		return "", hubAdvice(err, c.Address())
	}
	for _, i := range issuers {
		if i.Kind == "github" {
			return githubToken(ctx, a.env.actionsURL, a.env.actionsToken, i.Audience)
		}
	}
	return "", advise(fmt.Errorf("%s takes no tokens of GitHub Actions", c.Address()), "set SOUK_TOKEN to a token of yours, as a secret of the repository")
}

// githubWait bounds the request for a job's identity token.
const githubWait = 30 * time.Second

// githubToken asks GitHub Actions for the identity token of the job, see
// https://docs.github.com/actions/reference/security/oidc.
func githubToken(ctx context.Context, address, bearer, audience string) (token string, err error) {
	wrap := func(err error) error { return fmt.Errorf("asking GitHub Actions for the job's identity: %w", err) }
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" && !isLoopback(u.Hostname()) {
		return "", wrap(errors.New("ACTIONS_ID_TOKEN_REQUEST_URL is no https address"))
	}
	q := u.Query()
	q.Set("audience", audience)
	u.RawQuery = q.Encode()
	ctx, cancel := context.WithTimeout(ctx, githubWait)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", wrap(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	h := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := h.Do(req)
	if err != nil {
		if u := (*url.Error)(nil); errors.As(err, &u) {
			err = u.Err // without the address
		}
		return "", wrap(err)
	}
	defer func() { err = errors.Join(err, resp.Body.Close()) }()
	var out struct {
		Value string `json:"value"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxToken)).Decode(&out); resp.StatusCode != http.StatusOK || err != nil || out.Value == "" {
		return "", advise(wrap(fmt.Errorf("it answered %s without a token", resp.Status)), "the job needs `permissions: id-token: write`")
	}
	return out.Value, nil
}

func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// registry returns how the hub's registry is pushed to.
func (d *desk) registry(ref string) oci.Options {
	o := oci.Options{Credentials: func(context.Context, string) (oci.Credential, error) {
		return oci.Credential{Username: "token", Password: d.token}, nil
	}}
	u, err := url.Parse(d.Address())
	if err != nil {
		return o // it was parsed before
	}
	host, _, _ := strings.Cut(ref, "/")
	o.Insecure = u.Scheme == "http" && host == u.Host
	o.TokenHosts = []string{u.Host} // the hub's token service, also when the registry is elsewhere
	if isLoopback(u.Hostname()) {
		o.AllowPrivate = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	return o
}

// hubAdvice says what helps against what hubs answer.
func hubAdvice(err error, address string) error {
	var invalid *client.Problem
	switch {
	case err == nil:
		return nil
	case errors.Is(err, hub.ErrUnauthenticated):
		return advise(err, "the token is not known at %s, or not any more: make one at %s/account/tokens, then `souk login %s`", address, address, address)
	case errors.Is(err, hub.ErrForbidden):
		return advise(err, "a token for publishing needs the scopes read, push, submit and release, and its account has to be a member of the publisher")
	case errors.Is(err, hub.ErrUnavailable):
		return advise(err, "see whether %s is up and the address is right, then run it again", address)
	case errors.Is(err, hub.ErrMoved):
		return advise(err, "somebody else changed it at the same time: run it again")
	case errors.As(err, &invalid) && invalid.Status == http.StatusTooManyRequests:
		return advise(err, "run it again later")
	}
	return err
}

func exchangeAdvice(err error, address string) error {
	switch {
	case errors.Is(err, hub.ErrUnauthenticated):
		return advise(err, "an identity token is good once and for minutes: get a new one, for the audience that %s/api/v1/ci/issuers names", address)
	case errors.Is(err, hub.ErrForbidden):
		return advise(err, "an owner of the publisher has to add repository and workflow in the portal, under trusted publishing")
	}
	return hubAdvice(err, address)
}
