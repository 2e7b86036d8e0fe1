package oci

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

// Options are the choices of [New] and [NewPusher]. The zero value is safe: TLS,
// the credentials of the Docker configuration, and no way into private networks.
type Options struct {
	// Credentials says who we are; nil means [DockerCredentials].
	Credentials Credentials
	// Insecure speaks plain HTTP to the registry. A registry on a loopback address
	// is spoken to in plain HTTP without it, unless its ref begins with "https://".
	Insecure bool
	// AllowPrivate are networks that a redirect, an upload location or a token
	// server may lead into although they are not public. The registry's own host
	// and port are always allowed, the operator named them. Empty means none.
	AllowPrivate []netip.Prefix
	// TokenHosts are further host names (host or host:port) whose token servers
	// may be given the credentials. Without it these are the registry's own host
	// and its parent domains (registry.gitlab.com and gitlab.com). Others are asked
	// anonymously or not at all.
	TokenHosts []string
	// Transport replaces the built-in transport, which uses no proxy and the
	// certificate authorities of the system. Then nobody checks which address a name
	// resolves to, nor how long the first byte may take. Nil means the built-in one.
	Transport http.RoundTripper
	// UserAgent is sent with every request; empty means "souk".
	UserAgent string
	// RetryWait is the wait before the first repetition of a failed request; it
	// grows from there, with jitter, to MaxRetryWait. 0 means 200 ms.
	RetryWait time.Duration
	// Stall is how long a response may bring no byte before the connection counts
	// as dropped. 0 means one minute.
	Stall time.Duration
	// Log is told what was survived: repeated requests, useless referrers. Nil
	// means nobody is.
	Log *slog.Logger
}

// Bounds of what one registry can cost. None can be configured.
const (
	MaxFailures   = 5                // failed requests for one thing, then it is unavailable
	MaxRedirects  = 5                // what a registry in front of object storage needs is one
	MaxRetryWait  = 5 * time.Second  // between two tries
	MaxRetryAfter = 30 * time.Second // a registry that asks for more is not waited for
	MaxPages      = 20               // of a list of referrers
)

const (
	defaultRetryWait = 200 * time.Millisecond
	defaultStall     = time.Minute
)

// Credential is a name and password, or a token that the registry takes as it is.
// The zero value is anonymous.
type Credential struct {
	Username, Password string
	IdentityToken      string // OAuth2 refresh token, for the token server
	RegistryToken      string // bearer token, for the registry
}

// LogValue keeps secrets out of logs.
func (c Credential) LogValue() slog.Value { return slog.StringValue("credential of " + c.Username) }

// String keeps secrets out of messages.
func (c Credential) String() string { return "credential of " + c.Username }

// Credentials looks up who we are at a repository such as
// "registry.example.org/plugins/catalog". An error ends the request. It is called
// once per repository and login, for a mount with the repository that is written, and
// must be safe for concurrent use. A token that has expired is asked for again.
type Credentials func(ctx context.Context, repository string) (Credential, error)

// Anonymous has no credentials.
func Anonymous(context.Context, string) (Credential, error) { return Credential{}, nil }

// DockerCredentials looks into the Docker (or Podman) configuration of the user and
// its credential helpers.
func DockerCredentials(ctx context.Context, repository string) (Credential, error) {
	repo, err := name.NewRepository(repository)
	if err != nil {
		return Credential{}, err
	}
	found, err := authn.Resolve(ctx, authn.DefaultKeychain, repo)
	if err != nil {
		return Credential{}, fmt.Errorf("read Docker credentials: %w", err)
	}
	c, err := authn.Authorization(ctx, found)
	if err != nil {
		return Credential{}, fmt.Errorf("read Docker credentials: %w", err)
	}
	return Credential{c.Username, c.Password, c.IdentityToken, c.RegistryToken}, nil
}

func (c Credential) authenticator() authn.Authenticator {
	if c == (Credential{}) {
		return authn.Anonymous
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: c.Username, Password: c.Password, IdentityToken: c.IdentityToken, RegistryToken: c.RegistryToken,
	})
}

// location is a place in a registry: the registry, and a path in it.
type location struct {
	scheme   string // "https" or "http"
	registry name.Registry
	path     string // "plugins/catalog"; may be empty
}

// repository is what the distribution spec allows as the name of one.
var repository = regexp.MustCompile(`^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$`)

// maxRepository is the most characters that registries allow for it.
const maxRepository = 255

// parseLocation reads "registry.example.org/plugins/catalog".
func parseLocation(ref string, insecure bool) (location, error) {
	rest, forced := strings.CutPrefix(ref, "https://")
	host, path, _ := strings.Cut(rest, "/")
	if len(ref) > 500 || host == "" || strings.HasSuffix(host, ":") || !strings.ContainsAny(host, ".:") && host != "localhost" {
		return location{}, fmt.Errorf("%.100q does not begin with the host of a registry", ref)
	}
	if insecure && forced {
		return location{}, errors.New("https:// and Insecure contradict each other")
	}
	registry, err := name.NewRegistry(host, name.StrictValidation)
	if err != nil {
		return location{}, fmt.Errorf("%.100q: %w", ref, err)
	}
	if path != "" && (len(path) > maxRepository || !repository.MatchString(path)) {
		return location{}, fmt.Errorf("%.100q: %.100q is not the name of a repository", ref, path)
	}
	l := location{"https", registry, path}
	if insecure || !forced && loopback(host) {
		l.scheme = "http"
	}
	return l, nil
}

func loopback(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && ip.IsLoopback()
}
