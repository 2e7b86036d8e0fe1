package publishing

import (
	"context"
	"fmt"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/marketplace/hub"
)

// Release returns a published release. It asks for no right, see [Service.MayKnow].
func (s *Service) Release(ctx context.Context, plugin, version string) (hub.Release, error) {
	return inView(ctx, s, func(tx hub.Tx) (hub.Release, error) { return tx.Releases().Get(ctx, plugin, version) })
}

// Releases returns a plugin's releases, newest version first. It asks for no right, see
// [Service.MayKnow].
func (s *Service) Releases(ctx context.Context, plugin string) ([]hub.Release, error) {
	return inView(ctx, s, func(tx hub.Tx) ([]hub.Release, error) {
		if _, err := tx.Plugins().Get(ctx, plugin); err != nil {
			return nil, err
		}
		return hub.ReleasesOf(ctx, tx, plugin)
	})
}

// Plugin returns a plugin. It asks for no right, see [Service.MayKnow].
func (s *Service) Plugin(ctx context.Context, id string) (hub.Plugin, error) {
	return inView(ctx, s, func(tx hub.Tx) (hub.Plugin, error) { return tx.Plugins().Get(ctx, id) })
}

// MayKnow is [hub.ErrNotFound] for a plugin that is not listed, to who does not belong to
// its publisher or the hub's staff: it is not published yet, or a moderator hid it.
func (s *Service) MayKnow(ctx context.Context, a hub.Actor, plugin string) error {
	p, err := s.Plugin(ctx, plugin)
	if err == nil && p.State != hub.PluginListed && a.May(hub.ActSubmissionRead, of(plugin)) != nil {
		err = fmt.Errorf("plugin %.90s: %w", plugin, hub.ErrNotFound)
	}
	return err
}

// of is the plugin as an object of rules.
func of(plugin string) hub.Object {
	return hub.Object{Publisher: catalog.PluginID(plugin).Publisher(), Plugin: plugin}
}

// SetRollout says to how many of a hundred panels a release is offered as an update, and
// pauses or resumes that. It says nothing about new installs.
func (s *Service) SetRollout(ctx context.Context, a hub.Actor, plugin, version string, percent int, paused bool) (hub.Release, error) {
	if err := a.May(hub.ActReleaseEdit, of(plugin)); err != nil {
		return hub.Release{}, err
	}
	if percent < 0 || percent > 100 {
		return hub.Release{}, hub.Invalid("percent", "must be between 0 and 100")
	}
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Release, error) {
		r, err := tx.Releases().Get(ctx, plugin, version)
		if err != nil {
			return r, err
		}
		if r.State != catalog.Active {
			return r, fmt.Errorf("%s is %s: %w", r.Ref(), r.State, hub.ErrState)
		}
		if r.Percent == percent && r.Paused == paused {
			return r, nil
		}
		r.Percent, r.Paused = percent, paused
		if err := tx.Releases().Update(ctx, &r); err != nil {
			return r, err
		}
		if err := hub.Record(ctx, tx, a, s.now(), hub.ActReleaseEdit, "release "+r.Ref(), map[string]any{"percent": percent, "paused": paused}); err != nil {
			return r, err
		}
		return r, hub.MarkChanged(ctx, tx, plugin)
	})
}

// Yank keeps a release from new installs; who has it keeps it.
func (s *Service) Yank(ctx context.Context, a hub.Actor, plugin, version, reason string) (hub.Release, error) {
	if err := a.May(hub.ActReleaseYank, of(plugin)); err != nil {
		return hub.Release{}, err
	}
	if err := catalog.CheckText(reason, maxReason); err != nil {
		return hub.Release{}, hub.Invalid("reason", "%v", err)
	}
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Release, error) {
		return hub.YankRelease(ctx, tx, a, s.now(), plugin, version, reason)
	})
}

// Unyank takes a yank back.
func (s *Service) Unyank(ctx context.Context, a hub.Actor, plugin, version string) (hub.Release, error) {
	if err := a.May(hub.ActReleaseYank, of(plugin)); err != nil {
		return hub.Release{}, err
	}
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Release, error) {
		return hub.UnyankRelease(ctx, tx, a, s.now(), plugin, version)
	})
}

// Deprecate says that a plugin is not worked on any more, why, and what instead; an
// empty text takes that back.
func (s *Service) Deprecate(ctx context.Context, a hub.Actor, plugin, text string) (hub.Plugin, error) {
	if err := a.May(hub.ActPluginDeprecate, of(plugin)); err != nil {
		return hub.Plugin{}, err
	}
	if text != "" {
		if err := catalog.CheckText(text, maxReason); err != nil {
			return hub.Plugin{}, hub.Invalid("text", "%v", err)
		}
	}
	return s.changePlugin(ctx, a, hub.ActPluginDeprecate, plugin, map[string]string{"deprecated": text}, func(p *hub.Plugin) { p.Deprecated = text })
}

// Feature puts a plugin on the front page, or takes it off.
func (s *Service) Feature(ctx context.Context, a hub.Actor, plugin string, featured bool) (hub.Plugin, error) {
	if err := a.May(hub.ActPluginFeature, of(plugin)); err != nil {
		return hub.Plugin{}, err
	}
	return s.changePlugin(ctx, a, hub.ActPluginFeature, plugin, map[string]bool{"featured": featured}, func(p *hub.Plugin) { p.Featured = featured })
}

func (s *Service) changePlugin(ctx context.Context, a hub.Actor, act hub.Action, plugin string, detail any, change func(*hub.Plugin)) (hub.Plugin, error) {
	return inUpdate(ctx, s, func(tx hub.Tx) (hub.Plugin, error) {
		p, err := tx.Plugins().Get(ctx, plugin)
		if err != nil {
			return p, err
		}
		change(&p)
		if err := tx.Plugins().Update(ctx, &p); err != nil {
			return p, err
		}
		if err := hub.Record(ctx, tx, a, s.now(), act, "plugin "+plugin, detail); err != nil {
			return p, err
		}
		if p.State != hub.PluginListed {
			return p, nil // it goes into the catalog when it is listed
		}
		return p, hub.MarkChanged(ctx, tx, plugin)
	})
}
