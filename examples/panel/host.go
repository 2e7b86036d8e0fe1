package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/examples/plugins/panelapi"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox/wasm"
)

// host is this panel's plugin runtime: it runs WASM plugins with the host functions
// they were granted, and serves the files of static ones.
type host struct {
	runtime *wasm.Runtime
	gauges  *gauges
	log     *slog.Logger

	mu   sync.Mutex
	live map[catalog.PluginID]*running
}

// running is a plugin that runs. instance is nil for a static one.
type running struct {
	plugin   install.Installed
	instance *wasm.Instance
	cards    *cardSlot
}

var (
	_ install.Host     = (*host)(nil)
	_ install.Preparer = (*host)(nil)
	_ install.Migrator = (*host)(nil)
)

func newHost(ctx context.Context, cacheDir string, log *slog.Logger) (*host, error) {
	rt, err := wasm.New(ctx, wasm.Options{CacheDir: cacheDir, CallTimeout: 3 * time.Second, Log: log})
	if err != nil {
		return nil, err
	}
	return &host{runtime: rt, gauges: startGauges(), log: log, live: map[catalog.PluginID]*running{}}, nil
}

func (h *host) close(ctx context.Context) error {
	h.gauges.close()
	return h.runtime.Close(ctx)
}

// Prepare compiles a module while the old version still runs.
func (h *host) Prepare(ctx context.Context, p install.Installed) error {
	if p.Manifest.Runtime.Kind != catalog.RuntimeWASM {
		return nil
	}
	code, err := module(p)
	if err != nil {
		return err
	}
	return h.runtime.Compile(ctx, code)
}

// Migrate accepts the data as it is: the sample plugins read all their older forms.
func (h *host) Migrate(context.Context, install.Installed, install.Installed) error { return nil }

// Activate runs the plugin, in place of the release of it that ran.
func (h *host) Activate(ctx context.Context, p install.Installed) error {
	if old := h.get(p.Plugin); old != nil {
		if old.plugin.Digest == p.Digest && old.plugin.Grants.Equal(p.Grants) && old.plugin.DataDir == p.DataDir {
			return nil
		}
		if err := h.Deactivate(ctx, old.plugin); err != nil {
			return err
		}
	}
	r := &running{plugin: p, cards: &cardSlot{}}
	switch p.Manifest.Runtime.Kind {
	case catalog.RuntimeStatic:
	case catalog.RuntimeWASM:
		code, err := module(p)
		if err != nil {
			return err
		}
		_, optional, err := p.Manifest.Wants()
		if err != nil {
			return err
		}
		r.instance, err = h.runtime.Start(ctx, wasm.Module{
			Name: p.Ref.String(), Code: code, Grants: p.Grants, Optional: optional, Host: h.functions(p, r.cards),
		})
		if err != nil {
			return err
		}
	default:
		return fmt.Errorf("this panel does not run plugins of kind %q", p.Manifest.Runtime.Kind)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.live[p.Plugin] = r
	return nil
}

// Deactivate stops the plugin; that it does not run is fine.
func (h *host) Deactivate(ctx context.Context, p install.Installed) error {
	r := h.get(p.Plugin)
	if r == nil {
		return nil
	}
	if r.instance != nil {
		if err := r.instance.Close(ctx); err != nil {
			return err // it stays in the list, to be stopped when this is called again
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.live, p.Plugin)
	return nil
}

// Health asks the plugin itself.
func (h *host) Health(ctx context.Context, p install.Installed) error {
	r := h.get(p.Plugin)
	switch {
	case r == nil:
		return errors.New("it does not run")
	case r.instance == nil || p.Manifest.Health == nil:
		return nil
	}
	return r.instance.Health(ctx, p.Manifest.Health.Export)
}

func (h *host) get(id catalog.PluginID) *running {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.live[id]
}

// all returns what runs, in order of the ids.
func (h *host) all() []*running {
	h.mu.Lock()
	defer h.mu.Unlock()
	var out []*running
	for _, r := range h.live {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *running) int {
		return strings.Compare(string(a.plugin.Plugin), string(b.plugin.Plugin))
	})
	return out
}

// module reads a plugin's code.
func module(p install.Installed) ([]byte, error) {
	root, err := os.OpenRoot(p.Dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.Open(p.Manifest.Runtime.Entry)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	code, err := io.ReadAll(io.LimitReader(f, wasm.MaxModule+1))
	if err == nil && len(code) > wasm.MaxModule {
		err = fmt.Errorf("%s has more than %d bytes", p.Manifest.Runtime.Entry, wasm.MaxModule)
	}
	return code, err
}

// cardSlot is where a plugin's card stands after the plugin has drawn it.
type cardSlot struct {
	mu   sync.Mutex
	card panelapi.Card
}

func (s *cardSlot) set(c panelapi.Card) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.card = c
}

func (s *cardSlot) get() panelapi.Card {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.card
}

// cardView is a card as the dashboard shows it.
type cardView struct {
	Plugin  catalog.PluginID
	Version string
	Card    panelapi.Card
	Points  string // of the line, in a box of 300 by 60
	Problem string
}

// cards lets every plugin that may have a card draw it anew.
func (h *host) cards(ctx context.Context) []cardView {
	var out []cardView
	for _, r := range h.all() {
		if r.instance == nil || !r.plugin.Grants.Covers("ui:dashboard.card") {
			continue
		}
		v := cardView{Plugin: r.plugin.Plugin, Version: r.plugin.Version}
		if _, err := r.instance.Call(ctx, "refresh", nil); err != nil && !errors.Is(err, wasm.ErrNoExport) {
			h.log.Warn("card", "plugin", r.plugin.Ref.String(), "err", err)
			v.Problem = "The plugin could not draw its card: " + err.Error()
		}
		v.Card = r.cards.get()
		if v.Card.Title == "" {
			v.Card.Title = r.plugin.Manifest.Name
		}
		v.Points = points(v.Card.Series)
		out = append(out, v)
	}
	return out
}

// points draws a series of at least two values as a line.
func points(series []float64) string {
	if len(series) < 2 {
		return ""
	}
	low, high := slices.Min(series), slices.Max(series)
	if high == low {
		high = low + 1
	}
	var b strings.Builder
	for i, v := range series {
		fmt.Fprintf(&b, "%.1f,%.1f ", 300*float64(i)/float64(len(series)-1), 56-52*(v-low)/(high-low))
	}
	return b.String()
}

// theme is the stylesheet of an installed theme, empty when there is none.
func (h *host) theme() string {
	for _, r := range h.all() {
		if r.instance != nil || !r.plugin.Grants.Covers("ui:theme") {
			continue
		}
		if css := r.plugin.Manifest.Runtime.Entry; path.Ext(css) == ".css" {
			return fmt.Sprintf("/plugin-files/%s/%s?v=%s", r.plugin.Plugin, css, r.plugin.Version)
		}
	}
	return ""
}

// served are the kinds of files of static plugins that a browser gets, none of
// which it runs by itself.
var served = map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".json": "application/json", ".png": "image/png"}

func (h *host) serveFile(w http.ResponseWriter, r *http.Request) {
	p := h.get(catalog.PluginID(r.PathValue("publisher") + "/" + r.PathValue("name")))
	kind, ok := served[path.Ext(r.PathValue("file"))]
	if p == nil || p.instance != nil || !ok {
		http.NotFound(w, r)
		return
	}
	root, err := os.OpenRoot(p.plugin.Dir)
	if err != nil {
		http.Error(w, "The plugin's files cannot be read.", http.StatusInternalServerError)
		return
	}
	defer root.Close()
	w.Header().Set("Content-Type", kind)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeFileFS(w, r, root.FS(), r.PathValue("file"))
}
