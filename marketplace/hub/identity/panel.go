package identity

import (
	"context"
	"errors"
	"fmt"

	"github.com/souk-dev/souk/marketplace/hub"
)

// Panels returns the panels that are linked to the actor's account, the newest first.
func (s *Service) Panels(ctx context.Context, actor hub.Actor) ([]hub.Panel, error) {
	if err := actor.May(hub.ActAccountRead, self(actor)); err != nil {
		return nil, err
	}
	var list []hub.Panel
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		list, err = tx.Panels().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("account", actor.Account), hub.Unset("revoked")}, Desc: true})
		return err
	})
	return list, err
}

// PanelOf returns the panel whose token the actor shows; [hub.ErrNotFound] for everybody
// who is no panel.
func (s *Service) PanelOf(ctx context.Context, actor hub.Actor) (hub.Panel, error) {
	if actor.Token == nil || actor.Token.Kind != hub.TokenPanel {
		return hub.Panel{}, fmt.Errorf("panel: %w", hub.ErrNotFound)
	}
	var p hub.Panel
	err := s.env.Store.View(ctx, func(tx hub.Tx) (err error) {
		p, err = panelOfToken(ctx, tx, actor.Token.ID)
		return err
	})
	return p, err
}

func panelOfToken(ctx context.Context, tx hub.Tx, token string) (hub.Panel, error) {
	list, err := tx.Panels().List(ctx, hub.Query{Where: []hub.Cond{hub.Eq("token", token), hub.Unset("revoked")}, Limit: 1})
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("panel: %w", hub.ErrNotFound)
	}
	if err != nil {
		return hub.Panel{}, err
	}
	return list[0], nil
}

// UnlinkPanel ends a panel's link, and its token, at once. Its person does it, or the
// panel itself.
func (s *Service) UnlinkPanel(ctx context.Context, actor hub.Actor, id string) error {
	now := s.now()
	return s.changePanel(ctx, actor, id, func(tx hub.Tx, p *hub.Panel) error {
		t, err := tx.Tokens().Get(ctx, p.Token)
		if err == nil && t.Revoked.IsZero() {
			err = revoke(ctx, tx, t, now)
		}
		if err != nil && !errors.Is(err, hub.ErrNotFound) {
			return err
		}
		p.Revoked = now
		return hub.Record(ctx, tx, actor, now, hub.ActPanelManage, "panel "+id, map[string]any{"unlinked": true})
	})
}

// SetTelemetry says whether a panel reports numbers. Its person does it, or the panel
// itself. It is off until somebody turns it on.
func (s *Service) SetTelemetry(ctx context.Context, actor hub.Actor, id string, on bool) error {
	now := s.now()
	return s.changePanel(ctx, actor, id, func(tx hub.Tx, p *hub.Panel) error {
		p.Telemetry = on
		return hub.Record(ctx, tx, actor, now, hub.ActPanelManage, "panel "+id, map[string]any{"telemetry": on})
	})
}

func (s *Service) changePanel(ctx context.Context, actor hub.Actor, id string, change func(hub.Tx, *hub.Panel) error) error {
	act := hub.ActPanelManage
	itself := actor.Token != nil && actor.Token.Kind == hub.TokenPanel
	if itself {
		act = hub.ActPanelReport
	}
	if err := actor.May(act, self(actor)); err != nil {
		return err
	}
	return s.env.Store.Update(ctx, func(tx hub.Tx) error {
		p, err := tx.Panels().Get(ctx, id)
		if err == nil && (!p.Revoked.IsZero() || itself && p.Token != actor.Token.ID) {
			err = hub.ErrNotFound
		}
		if err := theirs(actor, p.Account, "panel", id, err); err != nil {
			return err
		}
		if err := change(tx, &p); err != nil {
			return err
		}
		return tx.Panels().Put(ctx, &p)
	})
}
