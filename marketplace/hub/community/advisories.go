package community

import (
	"context"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// IssueAdvisory has the catalog say something about releases, a plugin, a publisher or a
// signer, which must exist here. ID and the times are filled in; the rest is held to
// [catalog.Advisory.Check].
func (s *Service) IssueAdvisory(ctx context.Context, a hub.Actor, body catalog.Advisory) (hub.Advisory, error) {
	return hub.Advisory{}, errNotBuilt
}

// RescindAdvisory takes an advisory back. It stays in the catalog as rescinded. One that
// is rescinded already is [hub.ErrState].
func (s *Service) RescindAdvisory(ctx context.Context, a hub.Actor, id, why string) (hub.Advisory, error) {
	return hub.Advisory{}, errNotBuilt
}

// AdvisoryQuery asks for advisories. The zero value: all of them.
type AdvisoryQuery struct {
	Plugin    string // empty: any
	Publisher string // concerned; empty: any
	Active    bool   // without rescinded ones
	Cursor    string
	Limit     int // 0: [hub.DefaultPage]; at most [hub.MaxPage]
}

// Advisories returns advisories, newest first. They are public.
func (s *Service) Advisories(ctx context.Context, q AdvisoryQuery) (hub.Page[hub.Advisory], error) {
	return hub.Page[hub.Advisory]{}, errNotBuilt
}

// Advisory returns one advisory. They are public.
func (s *Service) Advisory(ctx context.Context, id string) (hub.Advisory, error) {
	return hub.Advisory{}, errNotBuilt
}
