package store

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/update"
)

// maxWhole is how many plans to update everything are remembered: as many as the market
// keeps plans at all.
const maxWhole = 256

// whole is a plan to update everything: what it leaves out, and why.
type whole struct {
	id      string // of the plan
	without []catalog.PluginID
	refused map[catalog.PluginID]error // what cannot be updated now
}

// wholeShelf remembers which plans are to update everything. It is safe for concurrent use.
type wholeShelf struct {
	mu  sync.Mutex
	all []whole // oldest first
}

func (s *wholeShelf) put(w whole) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(x whole) bool { return x.id == w.id })
	if len(s.all) >= maxWhole {
		s.all = s.all[1:]
	}
	s.all = append(s.all, w)
}

func (s *wholeShelf) get(id string) (whole, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.all, func(x whole) bool { return x.id == id })
	if i < 0 {
		return whole{}, false
	}
	return s.all[i], true
}

// planAll plans to update everything but what somebody leaves out. One plugin that may not
// be updated does not keep the others back: it is left out with the reason.
func (h *shop) planAll(ctx context.Context, without []catalog.PluginID) (*install.Plan, error) {
	w := whole{without: without, refused: map[catalog.PluginID]error{}}
	for {
		p, err := h.m.Plan(ctx, h.everything(w))
		if err == nil {
			w.id = p.ID()
			h.wholes.put(w)
			return p, nil
		}
		id, one := culprit(err)
		if !one || w.refused[id] != nil || slices.Contains(without, id) || !h.isInstalled(id) {
			return nil, err
		}
		w.refused[id] = err
	}
}

// everything is the change to all that has an update, without what is left out.
func (h *shop) everything(w whole) install.Change {
	if len(w.without)+len(w.refused) == 0 {
		return install.Change{UpdateAll: true}
	}
	var c install.Change
	holds, now := h.m.UpdateState().Holds, h.o.Now()
	for _, p := range h.m.Installed() {
		hold, held := holds[p.Plugin]
		if held = held && hold.Version == "" && hold.Active(now); !held && w.refused[p.Plugin] == nil && !slices.Contains(w.without, p.Plugin) {
			c.Update = append(c.Update, p.Plugin)
		}
	}
	return c
}

// culprit is the plugin on whose account a plan for many was refused.
func culprit(err error) (catalog.PluginID, bool) {
	var ref *catalog.RefError
	if !errors.As(err, &ref) || ref.Ref.Plugin == "" {
		return "", false
	}
	return ref.Ref.Plugin, true
}

func (h *shop) isInstalled(id catalog.PluginID) bool {
	return slices.ContainsFunc(h.m.Installed(), func(p install.Installed) bool { return p.Plugin == id })
}

// readWithout reads the plugins that an update of everything leaves out.
func readWithout(v url.Values) ([]catalog.PluginID, error) {
	return parsePlugins(v["without"])
}

func parsePlugins(list []string) (out []catalog.PluginID, err error) {
	if len(list) > maxWanted {
		return nil, fmt.Errorf("%w: more than %d plugins", errRequest, maxWanted)
	}
	for _, s := range list {
		id, err := parsePlugin(s)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// skipped is a plugin with an update that a plan leaves out, and why.
type skipped struct {
	Plugin  catalog.PluginID
	Name    string
	Version string // the newer one
	Why     string
	LeftOut bool // by the person who plans
}

// skips says what a plan to update everything leaves out. Where the offers cannot be worked
// out, it says what is known without them.
func (h *shop) skips(ctx context.Context, p *install.Plan, w whole) (out []skipped) {
	state := h.m.UpdateState()
	seen := map[catalog.PluginID]bool{}
	offers, err := h.m.Offers(ctx)
	if err != nil {
		h.o.Log.Debug("what is skipped is not known in full", "error", err)
	}
	for _, o := range offers {
		i := slices.IndexFunc(p.Steps, func(s install.Step) bool { return s.Release.Plugin == o.Plugin && s.Action != install.ActRemove })
		if seen[o.Plugin] || i >= 0 && catalog.CompareVersions(p.Steps[i].Release.Version, o.To.Version) >= 0 {
			continue
		}
		seen[o.Plugin] = true
		s := skipped{Plugin: o.Plugin, Name: h.nameOf(o.Plugin, o.To.Manifest), Version: o.To.Version}
		hold, held := state.Holds[o.Plugin]
		switch {
		case slices.Contains(w.without, o.Plugin):
			s.Why, s.LeftOut = h.text.T("skip.left"), true
		case w.refused[o.Plugin] != nil:
			s.Why = h.skipWhy(w.refused[o.Plugin])
		case held && hold.Blocks(o.To.Version, h.o.Now()):
			s.Why = h.holdWords(hold)
		case i >= 0:
			s.Why = h.text.T("skip.lower", p.Steps[i].Release.Version)
		default:
			s.Why = h.text.T("skip.unfit")
		}
		out = append(out, s)
	}
	for id, why := range w.refused {
		if !seen[id] {
			out = append(out, skipped{Plugin: id, Name: h.nameOf(id, catalog.Manifest{}), Why: h.skipWhy(why)})
		}
	}
	slices.SortFunc(out, func(a, b skipped) int { return compare(a.Plugin, b.Plugin) })
	return out
}

func (h *shop) skipWhy(err error) string {
	p := h.explain(err)
	return strings.TrimSpace(p.Title + ". " + p.Cause)
}

// holdWords says who holds a plugin, until when and why.
func (h *shop) holdWords(x update.Hold) string {
	key := "hold.words"
	if x.Pin {
		key = "hold.words.pin"
	}
	out := h.text.T(key, oneLine(h.who(x.By), 100))
	if !x.Until.IsZero() {
		out += " " + h.text.T("holds.until", h.text.Date(x.Until))
	}
	if x.Why != "" {
		out += ": " + oneLine(x.Why, maxWhy)
	}
	return out
}

// restarted names the plugins that a plan stops and starts again.
func (h *shop) restarted(p *install.Plan) (out []string) {
	for _, s := range p.Steps {
		if s.From != nil && s.From.Enabled && s.Action != install.ActRemove && s.Action != install.ActKeep {
			out = append(out, h.nameOf(s.Release.Plugin, s.Release.Manifest))
		}
	}
	return out
}

// neededBy names the plugins that need a step's plugin, of the plan and of what stays.
func (h *shop) neededBy(p *install.Plan, id catalog.PluginID) (out []string) {
	needs := func(m catalog.Manifest) bool {
		return slices.ContainsFunc(m.Dependencies, func(d catalog.Dependency) bool { return d.ID == id && !d.Optional })
	}
	moved := map[catalog.PluginID]bool{}
	for _, s := range p.Steps {
		moved[s.Release.Plugin] = true
		if s.Action != install.ActRemove && needs(s.Release.Manifest) {
			out = append(out, h.nameOf(s.Release.Plugin, s.Release.Manifest))
		}
	}
	for _, i := range h.m.Installed() {
		if !moved[i.Plugin] && needs(i.Manifest) {
			out = append(out, h.nameOf(i.Plugin, i.Manifest))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// makeWhole plans to update everything, and shows the plan.
func (h *shop) makeWhole(w http.ResponseWriter, r *http.Request) error {
	if r.PostForm.Get("again") != "" {
		delete(r.PostForm, "without")
	}
	without, err := readWithout(r.PostForm)
	if err != nil {
		return err
	}
	p, err := h.planAll(r.Context(), without)
	if err != nil {
		return err
	}
	http.Redirect(w, r, h.url("plans", p.ID()), http.StatusSeeOther)
	return nil
}
