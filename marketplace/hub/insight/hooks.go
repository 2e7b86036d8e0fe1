package insight

import (
	"context"
	"fmt"
	"slices"

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

// hookObject is whose a hook is: a publisher's is not its maker's own.
func hookObject(publisher, account string) hub.Object {
	if publisher != "" {
		return hub.Object{Publisher: publisher}
	}
	return hub.Object{Account: account}
}

// checkHook holds what a hook is to be to what can be sent.
func (s *Service) checkHook(publisher, address string, kinds []hub.EventKind) error {
	if _, err := s.o.Guard.CheckURL(address); err != nil {
		return hub.Invalid("url", "%s", err)
	}
	if len(kinds) == 0 {
		return hub.Invalid("kinds", "is missing: name at least one kind of event")
	}
	for i, k := range kinds {
		switch {
		case !slices.Contains(hub.EventKinds(), k) || slices.Contains(kinds[:i], k):
			return hub.Invalid("kinds", "has %.40q, which is none or stands there twice", k)
		case publisher == "" && !k.Public():
			return hub.Invalid("kinds", "has %s, which is sent to hooks of the publisher concerned only", k)
		}
	}
	return nil
}

// CreateHook makes a hook. Its Secret, "whsec_…", is in the answer and never again.
func (s *Service) CreateHook(ctx context.Context, a hub.Actor, n NewHook) (hub.Hook, error) {
	if a.Account == "" {
		return hub.Hook{}, fmt.Errorf("%s: %w", hub.ActHookManage, hub.ErrUnauthenticated)
	}
	if err := a.May(hub.ActHookManage, hookObject(n.Publisher, a.Account)); err != nil {
		return hub.Hook{}, err
	}
	if err := s.checkHook(n.Publisher, n.URL, n.Kinds); err != nil {
		return hub.Hook{}, err
	}
	secret, err := newSecret()
	if err != nil {
		return hub.Hook{}, err
	}
	now := s.now()
	var out hub.Hook
	err = s.env.Store.Update(ctx, func(tx hub.Tx) error {
		where := []hub.Cond{hub.Eq("publisher", n.Publisher)}
		if n.Publisher == "" {
			where = append(where, hub.Eq("account", a.Account))
		} else if _, err := tx.Publishers().Get(ctx, n.Publisher); err != nil {
			return err
		}
		have, err := tx.Hooks().Count(ctx, where...)
		if err != nil {
			return err
		}
		if have >= MaxHooks {
			return &hub.LimitError{What: fmt.Sprintf("%d webhooks", MaxHooks)}
		}
		out = hub.Hook{
			ID: hub.NewID("hok", now), Account: a.Account, Publisher: n.Publisher, URL: n.URL, Secret: secret,
			Kinds: n.Kinds, Enabled: true, Created: now,
		}
		if err := tx.Hooks().Insert(ctx, &out); err != nil {
			return err
		}
		return hub.Record(ctx, tx, a, now, hub.ActHookManage, "hook "+out.ID, map[string]any{"did": "create", "publisher": n.Publisher, "kinds": n.Kinds})
	})
	return out, err
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
	return s.change(ctx, a, id, "change", func(h *hub.Hook) error {
		if rev != 0 && rev != h.Rev {
			return fmt.Errorf("hook %s: %w", id, hub.ErrMoved)
		}
		if c.URL != nil {
			h.URL = *c.URL
		}
		if c.Kinds != nil {
			h.Kinds = c.Kinds
		}
		if c.Enabled != nil {
			h.Enabled = *c.Enabled
			if h.Enabled {
				h.Failures, h.Reason = 0, ""
			}
		}
		return s.checkHook(h.Publisher, h.URL, h.Kinds)
	})
}

// RotateSecret gives a hook a new secret, which is in the answer and never again. The old
// one signs nothing any more.
func (s *Service) RotateSecret(ctx context.Context, a hub.Actor, id string) (hub.Hook, error) {
	secret, err := newSecret()
	if err != nil {
		return hub.Hook{}, err
	}
	h, err := s.change(ctx, a, id, "rotate", func(h *hub.Hook) error {
		h.Secret = secret
		return nil
	})
	if err == nil {
		h.Secret = secret
	}
	return h, err
}

// change changes a hook that the actor may manage, and returns it without its secret.
func (s *Service) change(ctx context.Context, a hub.Actor, id, did string, f func(*hub.Hook) error) (hub.Hook, error) {
	var out hub.Hook
	err := s.env.Store.Update(ctx, func(tx hub.Tx) error {
		h, err := ownHook(ctx, tx, a, id)
		if err != nil {
			return err
		}
		if err := f(&h); err != nil {
			return err
		}
		if err := tx.Hooks().Update(ctx, &h); err != nil {
			return err
		}
		out = h
		return hub.Record(ctx, tx, a, s.now(), hub.ActHookManage, "hook "+id, map[string]any{"did": did, "kinds": h.Kinds, "enabled": h.Enabled})
	})
	out.Secret = ""
	return out, err
}

// ownHook reads a hook that the actor may manage; of others they learn nothing.
func ownHook(ctx context.Context, tx hub.Tx, a hub.Actor, id string) (hub.Hook, error) {
	if a.Account == "" && !a.System {
		return hub.Hook{}, fmt.Errorf("%s: %w", hub.ActHookManage, hub.ErrUnauthenticated)
	}
	h, err := tx.Hooks().Get(ctx, id)
	if err != nil {
		return hub.Hook{}, err
	}
	if a.May(hub.ActHookManage, hookObject(h.Publisher, h.Account)) != nil {
		return hub.Hook{}, fmt.Errorf("hook %s: %w", id, hub.ErrNotFound)
	}
	return h, nil
}

// DeleteHook removes a hook and the log of its deliveries.
func (s *Service) DeleteHook(ctx context.Context, a hub.Actor, id string) error {
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		if _, err := ownHook(ctx, tx, a, id); err != nil {
			return err
		}
		if _, err := tx.Deliveries().DeleteWhere(ctx, hub.Eq("hook", id)); err != nil {
			return err
		}
		if err := tx.Hooks().Delete(ctx, id); err != nil {
			return err
		}
		return hub.Record(ctx, tx, a, s.now(), hub.ActHookManage, "hook "+id, map[string]any{"did": "delete"})
	})
}

// Hook returns a hook, without its secret.
func (s *Service) Hook(ctx context.Context, a hub.Actor, id string) (hub.Hook, error) {
	var out hub.Hook
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		out, err = ownHook(ctx, tx, a, id)
		return err
	})
	out.Secret = ""
	return out, err
}

// Hooks returns the hooks of a publisher, or with an empty publisher the actor's own
// ones, without their secrets.
func (s *Service) Hooks(ctx context.Context, a hub.Actor, publisher string) ([]hub.Hook, error) {
	if err := a.May(hub.ActHookManage, hookObject(publisher, a.Account)); err != nil {
		return nil, err
	}
	where := []hub.Cond{hub.Eq("publisher", publisher)}
	if publisher == "" {
		where = append(where, hub.Eq("account", a.Account))
	}
	var out []hub.Hook
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		out, err = tx.Hooks().List(ctx, hub.Query{Where: where})
		return err
	})
	for i := range out {
		out[i].Secret = ""
	}
	return out, err
}

// Deliveries returns the log of a hook, newest first.
func (s *Service) Deliveries(ctx context.Context, a hub.Actor, hook, cursor string, limit int) (hub.Page[hub.Delivery], error) {
	var out hub.Page[hub.Delivery]
	err := s.env.Store.View(ctx, func(tx hub.Tx) error {
		if _, err := ownHook(ctx, tx, a, hook); err != nil {
			return err
		}
		q := hub.Query{Where: []hub.Cond{hub.Eq("hook", hook)}, Order: "created", Desc: true}
		var err error
		out, err = hub.ListPage(ctx, tx.Deliveries(), q, cursor, limit, func(d hub.Delivery) []any { return []any{d.Created, d.ID} })
		return err
	})
	return out, err
}

// Redeliver sends a delivery that is done or was given up once more, with the same id and
// body. One that still waits, and one whose hook is disabled, is [hub.ErrState].
func (s *Service) Redeliver(ctx context.Context, a hub.Actor, delivery string) (hub.Delivery, error) {
	var out hub.Delivery
	if a.Account == "" && !a.System {
		return out, fmt.Errorf("%s: %w", hub.ActHookManage, hub.ErrUnauthenticated)
	}
	now := s.now()
	err := s.env.Store.Update(ctx, func(tx hub.Tx) error {
		d, err := tx.Deliveries().Get(ctx, delivery)
		if err != nil {
			return err
		}
		h, err := ownHook(ctx, tx, a, d.Hook)
		if err != nil {
			return fmt.Errorf("delivery %s: %w", delivery, hub.ErrNotFound)
		}
		if d.State == hub.DeliveryWaiting || !h.Enabled {
			return fmt.Errorf("delivery %s waits already, or its hook is disabled: %w", delivery, hub.ErrState)
		}
		d.State, d.Attempts = hub.DeliveryWaiting, 0
		if err := tx.Deliveries().Put(ctx, &d); err != nil {
			return err
		}
		if err := tx.Enqueue(ctx, hub.Job{Kind: hub.JobDeliver, Subject: d.ID}); err != nil {
			return err
		}
		out = d
		return hub.Record(ctx, tx, a, now, hub.ActHookManage, "hook "+h.ID, map[string]any{"did": "redeliver", "delivery": d.ID})
	})
	return out, err
}
