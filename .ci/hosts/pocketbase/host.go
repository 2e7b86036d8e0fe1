package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/pocketbase/pocketbase/core"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
)

// host is this server's plugin runtime: the files of static plugins, at /x/<publisher>/<name>/.
type host struct {
	mu   sync.Mutex
	live map[catalog.PluginID]install.Installed
}

var _ install.Host = (*host)(nil)

func newHost() *host { return &host{live: map[catalog.PluginID]install.Installed{}} }

// Activate serves the plugin, in place of the release of it that was.
func (h *host) Activate(_ context.Context, p install.Installed) error {
	if p.Manifest.Runtime.Kind != catalog.RuntimeStatic {
		return fmt.Errorf("this server does not run plugins of kind %q", p.Manifest.Runtime.Kind)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.live[p.Plugin] = p
	return nil
}

// Deactivate stops serving it.
func (h *host) Deactivate(_ context.Context, p install.Installed) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.live, p.Plugin)
	return nil
}

// Health asks whether its files are there.
func (h *host) Health(_ context.Context, p install.Installed) error {
	live, ok := h.get(p.Plugin)
	if !ok {
		return errors.New("it is not served")
	}
	_, err := os.Stat(live.Dir)
	return err
}

func (h *host) get(id catalog.PluginID) (install.Installed, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, ok := h.live[id]
	return p, ok
}

// serve answers with a file of a plugin, in a sandbox: it is of this origin and not of this server.
func (h *host) serve(e *core.RequestEvent) error {
	p, ok := h.get(catalog.PluginID(e.Request.PathValue("publisher") + "/" + e.Request.PathValue("name")))
	if !ok {
		return e.NotFoundError("There is no such plugin.", nil)
	}
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return err
	}
	defer root.Close()
	e.Response.Header().Set("Content-Security-Policy", "sandbox; default-src 'self'")
	return e.FileFS(root.FS(), e.Request.PathValue("file"))
}
