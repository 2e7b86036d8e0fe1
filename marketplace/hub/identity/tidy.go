package identity

import (
	"context"
	"fmt"
	"time"

	"github.com/souk-dev/souk/marketplace/hub"
)

// keepEnded is for how long tokens and panels that have ended are shown to their person.
const keepEnded = 30 * 24 * time.Hour

// Tidied says how many records [Service.Tidy] has deleted.
type Tidied struct {
	Sessions, Devices, Onces, Tokens, Panels int64
}

// Tidy deletes what has expired: sessions, codes of panels, everything that was good
// once, and tokens and panels that ended 30 days ago. The hub does it every hour; nothing
// depends on it, since what has expired is refused whether it is there or not.
func (s *Service) Tidy(ctx context.Context) (Tidied, error) {
	now, policy := s.now(), s.env.Policy()
	ended := now.Add(-keepEnded)
	var out Tidied
	steps := []struct {
		into *int64
		do   func(hub.Tx) (int64, error)
	}{
		{&out.Sessions, func(tx hub.Tx) (int64, error) { return tx.Sessions().DeleteWhere(ctx, hub.Lt("expires", now)) }},
		{&out.Sessions, func(tx hub.Tx) (int64, error) {
			return tx.Sessions().DeleteWhere(ctx, hub.Lt("seen", now.Add(-policy.SessionIdle)))
		}},
		{&out.Devices, func(tx hub.Tx) (int64, error) { return tx.Devices().DeleteWhere(ctx, hub.Lt("expires", now)) }},
		{&out.Onces, func(tx hub.Tx) (int64, error) { return tx.Onces().DeleteWhere(ctx, hub.Lt("expires", now)) }},
		{&out.Tokens, func(tx hub.Tx) (int64, error) { return tx.Tokens().DeleteWhere(ctx, hub.Lt("expires", ended)) }},
		{&out.Tokens, func(tx hub.Tx) (int64, error) {
			return tx.Tokens().DeleteWhere(ctx, hub.Gt("revoked", time.Time{}), hub.Lt("revoked", ended))
		}},
		{&out.Panels, func(tx hub.Tx) (int64, error) {
			return tx.Panels().DeleteWhere(ctx, hub.Gt("revoked", time.Time{}), hub.Lt("revoked", ended))
		}},
		{&out.Panels, func(tx hub.Tx) (int64, error) { // whose token has expired: it is renewed when seen
			return tx.Panels().DeleteWhere(ctx, hub.Lt("seen", ended.Add(-policy.TokenLife)))
		}},
	}
	for _, step := range steps {
		var n int64
		if err := s.env.Store.Update(ctx, func(tx hub.Tx) (err error) {
			n, err = step.do(tx)
			return err
		}); err != nil {
			return out, fmt.Errorf("tidy: %w", err)
		}
		*step.into += n
	}
	return out, nil
}
