package community

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Options are what a Service may be told. The zero value is ready for use.
type Options struct {
	// PriorFor is how long the mean of all plugins is kept before it is read anew.
	// 0: an hour.
	PriorFor time.Duration
}

// Service does what the package documentation says. Make it with [New].
type Service struct {
	env      hub.Env
	priorFor time.Duration

	mu      sync.Mutex // guards the two below
	prior   float64
	priorAt time.Time
}

// New returns a Service over env, whose Store must be set.
func New(env hub.Env, o Options) (*Service, error) {
	if env.Store == nil {
		return nil, errors.New("community needs a store")
	}
	if o.PriorFor < 0 {
		return nil, errors.New("community: PriorFor is negative")
	}
	if o.PriorFor == 0 {
		o.PriorFor = time.Hour
	}
	return &Service{env: env.WithDefaults(), priorFor: o.PriorFor}, nil
}

// now is the time as the store keeps it.
func (s *Service) now() time.Time { return s.env.Now().UTC().Truncate(time.Microsecond) }

// person is May for what only a person does in their own name: the hub itself, whom no
// rule binds, has no ratings, votes, reports or appeals.
func (s *Service) person(a hub.Actor, act hub.Action, o hub.Object) error {
	if a.Account == "" {
		return fmt.Errorf("%s: %w", act, hub.ErrUnauthenticated)
	}
	return a.May(act, o)
}

// policy is what the operator decides now, with its defaults.
func (s *Service) policy() hub.Policy { return s.env.Policy().WithDefaults() }
