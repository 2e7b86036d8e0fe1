package insight

import (
	"context"

	"github.com/souk-dev/souk/marketplace/hub"
)

// MaxHooks is how many hooks an account, and a publisher, may have.
const MaxHooks = 20

// NewHook is an address that is to be told of events.
type NewHook struct {
	// Publisher has the hook told of all events of this publisher; its owners only may
	// make it. Empty: of the public events of all publishers.
	Publisher string          `json:"publisher,omitempty"`
	URL       string          `json:"url"`   // https
	Kinds     []hub.EventKind `json:"kinds"` // at least one
}

// CreateHook makes a hook. Its Secret, "whsec_…", is in the answer and never again.
func (s *Service) CreateHook(ctx context.Context, a hub.Actor, n NewHook) (hub.Hook, error) {
	return hub.Hook{}, errNotBuilt
}

// HookChange says what becomes of a hook; nil is left as it is.
type HookChange struct {
	URL     *string         `json:"url,omitempty"`
	Kinds   []hub.EventKind `json:"kinds,omitempty"`
	Enabled *bool           `json:"enabled,omitempty"` // true also forgets past failures
}

// UpdateHook changes a hook. rev is the revision that was read, 0 for any;
// [hub.ErrMoved] when it is another now.
func (s *Service) UpdateHook(ctx context.Context, a hub.Actor, id string, rev int64, c HookChange) (hub.Hook, error) {
	return hub.Hook{}, errNotBuilt
}

// RotateSecret gives a hook a new secret, which is in the answer and never again. The old
// one signs nothing any more.
func (s *Service) RotateSecret(ctx context.Context, a hub.Actor, id string) (hub.Hook, error) {
	return hub.Hook{}, errNotBuilt
}

// DeleteHook removes a hook and the log of its deliveries.
func (s *Service) DeleteHook(ctx context.Context, a hub.Actor, id string) error { return errNotBuilt }

// Hook returns a hook, without its secret.
func (s *Service) Hook(ctx context.Context, a hub.Actor, id string) (hub.Hook, error) {
	return hub.Hook{}, errNotBuilt
}

// Hooks returns the hooks of a publisher, or with an empty publisher the actor's own
// ones, without their secrets.
func (s *Service) Hooks(ctx context.Context, a hub.Actor, publisher string) ([]hub.Hook, error) {
	return nil, errNotBuilt
}

// Deliveries returns the log of a hook, newest first.
func (s *Service) Deliveries(ctx context.Context, a hub.Actor, hook, cursor string, limit int) (hub.Page[hub.Delivery], error) {
	return hub.Page[hub.Delivery]{}, errNotBuilt
}

// Redeliver sends a delivery that is done or was given up once more, with the same id and
// body. One that still waits is [hub.ErrState].
func (s *Service) Redeliver(ctx context.Context, a hub.Actor, delivery string) (hub.Delivery, error) {
	return hub.Delivery{}, errNotBuilt
}
