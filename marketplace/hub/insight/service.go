package insight

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

var errNotBuilt = errors.New("not built yet")

// Options are what a Service is told. BaseURL is required.
type Options struct {
	// BaseURL is where people find the hub, https://hub.example.org/: feeds and mail
	// link to it, and the ids of feeds are made of it, so it should never change.
	BaseURL string
	// Title is the name of the marketplace in feeds and mail. Empty: "Plugins".
	Title string
	// Guard decides where webhooks go. The zero value: public addresses only.
	Guard hub.Guard
	// TLS is used for webhooks; nil: the system's roots.
	TLS *tls.Config
	// Mailer sends digests of unread notices. nil: no mail is sent.
	Mailer Mailer
	// DisableAfter is how many deliveries given up in a row disable a hook. 0: 5.
	DisableAfter int
}

// Service does what the package documentation says. Make it with [New], keep
// [Service.Run] running, and end with [Service.Close].
type Service struct {
	env hub.Env
	o   Options
}

// New returns a Service over env, whose Store must be set.
func New(env hub.Env, o Options) (*Service, error) {
	return &Service{env: env.WithDefaults(), o: o}, nil
}

// Run writes counters every [FlushEvery] and computes the recommendations every hour,
// until ctx ends; then it writes what is left and returns nil.
func (s *Service) Run(ctx context.Context) error { return errNotBuilt }

// Close writes what was counted and not yet stored, and refuses what comes later.
func (s *Service) Close(ctx context.Context) error { return errNotBuilt }

// Handlers returns what does [hub.JobFanOut], [hub.JobDeliver] and [hub.JobNumbers].
func (s *Service) Handlers() map[string]hub.Handler {
	return map[string]hub.Handler{}
}

// Periodic returns the jobs that come by themselves: [hub.JobNumbers], each hour.
func (s *Service) Periodic() []hub.Periodic {
	return []hub.Periodic{{Kind: hub.JobNumbers, Every: time.Hour, Start: true}}
}
