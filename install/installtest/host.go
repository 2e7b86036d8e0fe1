package installtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
)

// Host is an [install.Host], [install.Preparer] and [install.Migrator] that records
// what it is told and does nothing. The zero value is ready. It is safe for
// concurrent use.
type Host struct {
	mu      sync.Mutex
	calls   []string
	running map[catalog.PluginID]install.Installed

	// What each call returns when it is not nil; a panic in one is passed on. They
	// are set before the Host is used.
	OnActivate   func(ctx context.Context, p install.Installed) error
	OnDeactivate func(ctx context.Context, p install.Installed) error
	OnHealth     func(ctx context.Context, p install.Installed) error
	OnPrepare    func(ctx context.Context, p install.Installed) error
	OnMigrate    func(ctx context.Context, from, to install.Installed) error
}

var (
	_ install.Host     = (*Host)(nil)
	_ install.Preparer = (*Host)(nil)
	_ install.Migrator = (*Host)(nil)
)

func (h *Host) note(format string, args ...any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls = append(h.calls, fmt.Sprintf(format, args...))
}

// Calls returns what was called so far and forgets it: "activate acme/backup@1.0.0".
func (h *Host) Calls() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := h.calls
	h.calls = nil
	return out
}

// Running returns what runs, by plugin.
func (h *Host) Running() map[catalog.PluginID]install.Installed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.running)
}

// Versions returns what runs as sorted "acme/backup@1.0.0".
func (h *Host) Versions() []string {
	out := []string{}
	for _, p := range h.Running() {
		out = append(out, p.Ref.String())
	}
	slices.Sort(out)
	return out
}

// Activate notes that p runs.
func (h *Host) Activate(ctx context.Context, p install.Installed) error {
	h.note("activate %s", p.Ref)
	if h.OnActivate != nil {
		if err := h.OnActivate(ctx, p); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.running == nil {
		h.running = make(map[catalog.PluginID]install.Installed)
	}
	h.running[p.Plugin] = p
	return nil
}

// Deactivate notes that the plugin does not run.
func (h *Host) Deactivate(ctx context.Context, p install.Installed) error {
	h.note("deactivate %s", p.Plugin)
	if h.OnDeactivate != nil {
		if err := h.OnDeactivate(ctx, p); err != nil {
			return err
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.running, p.Plugin)
	return nil
}

// Health asks OnHealth.
func (h *Host) Health(ctx context.Context, p install.Installed) error {
	if h.OnHealth != nil {
		return h.OnHealth(ctx, p)
	}
	return nil
}

// Prepare asks OnPrepare.
func (h *Host) Prepare(ctx context.Context, p install.Installed) error {
	h.note("prepare %s", p.Ref)
	if h.OnPrepare != nil {
		return h.OnPrepare(ctx, p)
	}
	return nil
}

// Migrate asks OnMigrate.
func (h *Host) Migrate(ctx context.Context, from, to install.Installed) error {
	h.note("migrate %s to %s", from.Ref, to.Ref)
	if h.OnMigrate != nil {
		return h.OnMigrate(ctx, from, to)
	}
	return nil
}
