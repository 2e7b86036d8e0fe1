package signin

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"
)

// MaxWorkloadLife is how long a CI token may be good. GitHub's are for 5 minutes;
// GitLab's as long as the job may run, so that a job that publishes needs a timeout of
// at most this.
const MaxWorkloadLife = time.Hour

// Well-known issuers of CI tokens.
const (
	GitHubIssuer = "https://token.actions.githubusercontent.com"
	GitLabIssuer = "https://gitlab.com"
)

// Kind says how an issuer spells what a run is.
type Kind string

const (
	GitHub  Kind = "github"  // GitHub Actions, also of an enterprise
	GitLab  Kind = "gitlab"  // GitLab CI, also self-managed
	Generic Kind = "generic" // anything, by Issuer.Claims
)

// Issuer is a CI system that the operator trusts to say what runs in it.
type Issuer struct {
	// URL is the issuer to the letter as its tokens have it; see [GitHubIssuer].
	URL string
	// Audience is what a token has to be made out to, and to nobody else: the address
	// of this hub. A token that was made for another service is refused by it.
	Audience string
	// Kind says how to read its tokens.
	Kind Kind
	// Claims names the claims of a [Generic] issuer; for the others it is empty.
	Claims ClaimMap
}

// ClaimMap says which claim of a token holds what. Only Repository is required; what has
// no name stays empty.
type ClaimMap struct {
	Repository, RepositoryID, Owner, OwnerID, Workflow, Ref, Environment, Commit, RunID string
}

// IssuersOptions are the choices of [NewIssuers]. The zero value is good.
type IssuersOptions struct {
	// HTTPClient reaches the issuers; its transport and timeout are used, nothing else.
	// Nil means one without a proxy.
	HTTPClient *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log is told when an issuer is not reached. Nil means nobody is.
	Log *slog.Logger
}

// Issuers verifies the identity tokens of CI runs. Nothing is fetched but metadata and
// keys of the issuers it was made with, whatever a token says, and for tokens with
// unknown keys at most once a minute each. It is safe for concurrent use.
type Issuers struct {
	list    []Issuer
	remotes map[string]*remote // by URL
}

// NewIssuers checks the issuers; none is asked yet. An empty list refuses every token.
func NewIssuers(list []Issuer, o IssuersOptions) (*Issuers, error) {
	s := &Issuers{list: slices.Clone(list), remotes: map[string]*remote{}}
	for _, i := range list {
		if s.remotes[i.URL] != nil {
			return nil, fmt.Errorf("issuer %s is there twice", i.URL)
		}
		if i.Audience == "" {
			return nil, fmt.Errorf("issuer %s: no audience, so that any token of it would do", i.URL)
		}
		switch {
		case (i.Kind == GitHub || i.Kind == GitLab) && i.Claims == ClaimMap{}:
		case i.Kind == Generic && i.Claims.Repository != "":
		case i.Kind == Generic:
			return nil, fmt.Errorf("issuer %s: which claim names the repository is not said", i.URL)
		default:
			return nil, fmt.Errorf("issuer %s: kind %q is not github, gitlab or generic, or has claims that are fixed", i.URL, i.Kind)
		}
		r, err := newRemote(i.URL, o.HTTPClient, o.Now, o.Log)
		if err != nil {
			return nil, err
		}
		s.remotes[i.URL] = r
	}
	return s, nil
}

// All returns the issuers, for a page or an API that says which audience to ask for.
func (s *Issuers) All() []Issuer { return slices.Clone(s.list) }

// Verify returns which run a token was given to. It does not know whether the token was
// shown before: the caller remembers [Workload.TokenID] until [Workload.TokenUntil], and
// refuses what it remembers. Whether the run may do anything is for a [Rule] to say.
// Errors: [ErrRefused], [ErrExpired], [ErrUnavailable].
func (s *Issuers) Verify(ctx context.Context, rawToken string) (Workload, error) {
	w, err := s.verify(ctx, rawToken)
	if err != nil {
		return Workload{}, fmt.Errorf("CI token: %w", err)
	}
	return w, nil
}

func (s *Issuers) verify(ctx context.Context, raw string) (Workload, error) {
	refuse := func(err error) (Workload, error) { return Workload{}, fmt.Errorf("%w: %w", ErrRefused, err) }
	payload, err := payloadOf(raw)
	if err != nil {
		return refuse(err)
	}
	said, err := parseClaims(payload)
	if err != nil {
		return refuse(err)
	}
	url, err := said.text("iss")
	if err != nil {
		return refuse(err)
	}
	at := slices.IndexFunc(s.list, func(i Issuer) bool { return i.URL == url })
	if at < 0 {
		return refuse(fmt.Errorf("the issuer %.80q is not one that this hub trusts", url))
	}
	issuer := s.list[at]
	c, _, err := s.remotes[url].verify(ctx, raw, issuer.Audience, MaxWorkloadLife)
	if err != nil {
		return Workload{}, err
	}
	if audience, err := c.list("aud"); err != nil || len(audience) != 1 {
		return refuse(errors.New("the token is made out to others too, who could show it here"))
	}
	w, err := issuer.read(c)
	if err != nil {
		return refuse(err)
	}
	exp, err := c.when("exp")
	if err != nil {
		return refuse(err)
	}
	w.TokenUntil = exp.Add(Skew)
	if w.TokenID, err = tokenID(c, url, raw); err != nil {
		return refuse(err)
	}
	return w, nil
}

// tokenID names a token: by its jti, which is the issuer's promise that no two have it,
// or by what was signed. It is not by the signature: for one text there are many of them.
func tokenID(c claims, issuer, raw string) (string, error) {
	jti, err := c.text("jti")
	if err != nil {
		return "", err
	}
	name := "jti\x00" + issuer + "\x00" + jti
	if jti == "" {
		name = "jws\x00" + raw[:strings.LastIndexByte(raw, '.')]
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:]), nil
}
