package oci

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/hashicorp/go-retryablehttp"
)

// login answers the challenge of a 401 and remembers what to send from now on.
func (c *client) login(ctx context.Context, r request, challenges []string) error {
	scheme, params := pickChallenge(challenges)
	cred, err := c.creds(ctx, c.at.registry.RegistryStr()+"/"+r.repo)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnauthorized, err)
	}
	var header string
	switch {
	case cred.RegistryToken != "":
		header = "Bearer " + cred.RegistryToken
	case scheme == "basic" && (cred.Username != "" || cred.Password != ""):
		header = "Basic " + base64.StdEncoding.EncodeToString([]byte(cred.Username+":"+cred.Password))
	case scheme == "basic":
		return fmt.Errorf("%w: %s wants a name and a password, and there is none for it", ErrUnauthorized, c.at.registry)
	case scheme == "bearer":
		token, err := c.token(ctx, r.scopes(), params, cred)
		if err != nil {
			return err
		}
		header = "Bearer " + token
	default:
		return fmt.Errorf("%w: %s asks for no kind of login that is known (Basic, Bearer)", ErrUnauthorized, c.at.registry)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.logins[r.login()] = header
	return nil
}

// token gets a bearer token from the realm that the registry named, as the
// distribution spec's token authentication has it.
func (c *client) token(ctx context.Context, scopes []string, params map[string]string, cred Credential) (string, error) {
	realm, err := url.Parse(params["realm"])
	if err != nil || realm.Host == "" || realm.User != nil || realm.Scheme != "https" && !c.isHome(realm) {
		return "", fmt.Errorf("%w: the token server must be an https:// address, not %.100q", errRefused, params["realm"])
	}
	who := cred.authenticator()
	if who != authn.Anonymous && !c.mayHoldCredentials(realm) {
		return "", fmt.Errorf("%w: %s wants the credentials sent to %s; if that is right, add it to TokenHosts", errRefused, c.home, realm.Host)
	}
	ctx = withBudget(ctx, &budget{})
	t, err := transport.Exchange(ctx, c.at.registry, who, &tokenTransport{c, hostPort(realm.Scheme, realm.Host)}, scopes,
		&transport.Challenge{Scheme: "bearer", Parameters: params, Insecure: c.at.scheme == "http"})
	var status *transport.Error
	switch {
	case errors.As(err, &status) && status.StatusCode < 500 && status.StatusCode != http.StatusTooManyRequests:
		return "", fmt.Errorf("%w: %s answered %d", ErrUnauthorized, realm.Host, status.StatusCode)
	case errors.As(err, &status):
		return "", fmt.Errorf("the token server %s answered %d", realm.Host, status.StatusCode)
	case err != nil && errors.Is(err, errRefused):
		return "", err
	case err != nil: // not wrapped: what a token server says may hold secrets
		return "", fmt.Errorf("the token server %s could not be asked or gave no token", realm.Host)
	case t.AccessToken != "":
		return t.AccessToken, nil
	}
	return t.Token, nil
}

// mayHoldCredentials reports whether a token server may see the credentials: it is
// the registry, a parent domain of it, or the operator named it.
func (c *client) mayHoldCredentials(realm *url.URL) bool {
	registry := c.at.registry.RegistryStr()
	if host, _, err := net.SplitHostPort(registry); err == nil {
		registry = host
	}
	name := realm.Hostname()
	parent := net.ParseIP(name) == nil && strings.Contains(name, ".") && strings.HasSuffix(registry, "."+name)
	hub := registry == "index.docker.io" && realm.Host == "auth.docker.io"
	return c.isHome(realm) || realm.Port() == "" && (name == registry || parent || hub) ||
		slices.Contains(c.tokens, name) || slices.Contains(c.tokens, realm.Host)
}

// tokenTransport carries the exchange of a token: repeated like every GET, and no
// redirect away from the token server, because the credentials go with it.
type tokenTransport struct {
	c    *client
	home string
}

func (t *tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if hostPort(req.URL.Scheme, req.URL.Host) != t.home {
		return nil, fmt.Errorf("%w: the token server leads to %.100q", errRefused, req.URL.Host)
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", t.c.agent)
	if req.Method != http.MethodGet {
		return t.c.base.RoundTrip(req)
	}
	again, err := retryablehttp.FromRequest(req)
	if err != nil {
		return nil, err
	}
	return t.c.retrying.Do(again)
}

// pickChallenge returns the first challenge that can be answered: its scheme in
// lower case and its parameters.
func pickChallenge(headers []string) (scheme string, params map[string]string) {
	for _, h := range headers {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(h), " ")
		scheme = strings.ToLower(scheme)
		if scheme == "basic" || scheme == "bearer" {
			return scheme, challengeParams(rest)
		}
	}
	return "", nil
}

// challengeParams reads `realm="https://…",service="…"`. What is malformed ends it;
// the first of two equal names counts.
func challengeParams(s string) map[string]string {
	params := make(map[string]string)
	for len(params) < 16 {
		k, rest, ok := strings.Cut(strings.TrimLeft(s, " \t,"), "=")
		if !ok {
			break
		}
		var v string
		if quoted, is := strings.CutPrefix(rest, `"`); is {
			if v, s, ok = strings.Cut(quoted, `"`); !ok {
				break
			}
		} else {
			v, s, _ = strings.Cut(rest, ",")
		}
		if k = strings.ToLower(strings.TrimSpace(k)); params[k] == "" {
			params[k] = v
		}
	}
	return params
}
