package store

import (
	"context"
	_ "embed" // the OpenAPI document
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/souk-dev/souk/catalog"
	"github.com/souk-dev/souk/catalog/search"
	"github.com/souk-dev/souk/install"
	"github.com/souk-dev/souk/sandbox/phrase"
)

//go:embed openapi.json
var openAPI []byte

// writeJSON sends v. It was made by us and always encodes; that the client went
// away is nobody's concern.
func (h *shop) writeJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		h.o.Log.Error("answer does not encode", "error", err)
		status, b = http.StatusInternalServerError, []byte("{}")
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	if _, err := w.Write(append(b, '\n')); err != nil {
		h.o.Log.Debug("answer not sent", "error", err)
	}
}

// failJSON writes an error as an RFC 9457 problem.
func (h *shop) failJSON(w http.ResponseWriter, _ *http.Request, _ Actor, err error) {
	p := h.explain(err)
	w.Header().Set("Content-Type", "application/problem+json")
	h.writeJSON(w, p.Status, p)
}

// readJSON reads a request's body, all of it, unknown fields refused.
func readJSON(r *http.Request, v any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return errMedia
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("%w: more than one value", errRequest)
	}
	return nil
}

// apiNothing answers what no route does: 405 with what is possible where the address is
// right and the method is not, and 404.
func (h *shop) apiNothing(w http.ResponseWriter, r *http.Request, _ Actor) error {
	var allowed []string
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
		other := r.WithContext(r.Context())
		other.Method = method
		if _, pattern := h.mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
			allowed = append(allowed, method)
			if method == http.MethodGet {
				allowed = append(allowed, http.MethodHead)
			}
		}
	}
	if len(allowed) == 0 {
		return errNoPage
	}
	w.Header().Set("Allow", strings.Join(allowed, ", "))
	return errMethod
}

func (h *shop) apiDocument(w http.ResponseWriter, _ *http.Request, _ Actor) error {
	var doc map[string]any
	if err := json.Unmarshal(openAPI, &doc); err != nil {
		return err
	}
	if paths, ok := doc["paths"].(map[string]any); ok && h.o.Community == nil {
		for path, item := range paths {
			if operations, ok := item.(map[string]any); ok && ofCommunity(operations) {
				delete(paths, path)
			}
		}
	}
	doc["servers"] = []any{map[string]any{"url": h.url("api", "v1")}}
	h.writeJSON(w, http.StatusOK, doc)
	return nil
}

// ofCommunity reports whether a path of the document needs a hub: its operations have the
// tag "hub".
func ofCommunity(operations map[string]any) bool {
	for _, op := range operations {
		if o, ok := op.(map[string]any); ok {
			tags, ok := o["tags"].([]any)
			return ok && slices.Contains(tags, any("hub"))
		}
	}
	return false
}

type pluginJSON struct {
	catalog.Listing
	Source    string         `json:"source"`
	Stats     *catalog.Stats `json:"stats,omitempty"`
	Installed string         `json:"installed,omitempty"` // version
	State     string         `json:"state"`
	Why       string         `json:"why,omitempty"`
}

type pluginsJSON struct {
	Plugins []pluginJSON  `json:"plugins"`
	Next    string        `json:"next"` // cursor; empty: no more
	Total   int           `json:"total"`
	Changed bool          `json:"changed"` // the catalogs are others than those of the page before: begin again to be sure
	Facets  facetsJSON    `json:"facets"`
	Catalog catalogJSON   `json:"catalog"`
	Sources []catalogJSON `json:"sources"`
}

type facetsJSON struct {
	Categories []search.Count `json:"categories"`
	Tags       []search.Count `json:"tags"`
}

// catalogJSON is how a catalog stands; for all of them the worst.
type catalogJSON struct {
	Name   string   `json:"name,omitempty"`
	Serial uint64   `json:"serial"`
	Age    int64    `json:"age"` // seconds since it was confirmed as the newest; -1: never
	State  string   `json:"state"`
	Error  *problem `json:"error,omitempty"`
}

func (h *shop) pluginJSON(on panel, a Actor, l catalog.Listing, source string, st catalog.Stats) pluginJSON {
	s := h.standing(on, a, l, source)
	if q, err := h.m.Plugin(l.ID); err == nil { // gone since the search: what is known will do
		s = h.judge(s, q)
	}
	p := pluginJSON{Listing: l, Source: source, Installed: s.Version, State: s.word(), Why: s.Why}
	if st.ID != "" {
		p.Stats = &st
	}
	return p
}

func (h *shop) catalogs() (all []catalogJSON, worst catalogJSON) {
	rank := map[string]int{sourceFresh: 0, sourceEmpty: 1, sourceStale: 2, sourceError: 3, sourceExpired: 4}
	worst = catalogJSON{State: sourceEmpty, Age: -1}
	for i, s := range h.m.Sources() {
		c := catalogJSON{Name: s.Name, Serial: s.Serial, State: string(s.State), Age: -1}
		if !s.Synced.IsZero() {
			c.Age = int64(max(0, h.o.Now().Sub(s.Synced)) / time.Second)
		}
		if s.Err != nil {
			p := h.explain(s.Err)
			c.Error = &p
		}
		if i == 0 || rank[c.State] > rank[worst.State] {
			worst = catalogJSON{Serial: c.Serial, Age: c.Age, State: c.State}
		}
		all = append(all, c)
	}
	return notNil(all), worst
}

func (h *shop) apiPlugins(w http.ResponseWriter, r *http.Request, a Actor) error {
	v := r.URL.Query()
	q := h.query(v)
	var of string
	if c := v.Get("cursor"); c != "" {
		at, mark, ok := strings.Cut(c, ".")
		n, err := strconv.Atoi(at)
		if err != nil || !ok || n < 0 || n > maxOffset {
			return fmt.Errorf("%w: unknown cursor", errRequest)
		}
		q.Offset, of = n, mark
	}
	if s := v.Get("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > search.MaxLimit {
			return fmt.Errorf("%w: limit is not a number from 1 to %d", errRequest, search.MaxLimit)
		}
		q.Limit = n
	}
	found := h.m.Search(q)
	on := h.panel()
	out := pluginsJSON{Plugins: []pluginJSON{}, Total: found.Total, Facets: facetsJSON{notNil(found.Categories), notNil(found.Tags)}}
	out.Sources, out.Catalog = h.catalogs()
	mark := shelfMark(out.Sources, found.Total)
	out.Changed = of != "" && of != mark
	for _, hit := range found.Hits {
		out.Plugins = append(out.Plugins, h.pluginJSON(on, a, hit.Listing, hit.Source, hit.Stats))
	}
	if end := q.Offset + len(found.Hits); end < found.Total && len(found.Hits) > 0 {
		out.Next = strconv.Itoa(end) + "." + mark
	}
	h.writeJSON(w, http.StatusOK, out)
	return nil
}

// shelfMark names what a page of results was cut from. It stands in the cursor, so that
// the next page says when the catalogs have changed between: a plugin may then be missing
// from both, or stand on both.
func shelfMark(sources []catalogJSON, total int) string {
	f := fnv.New64a()
	for _, s := range sources {
		fmt.Fprintf(f, "%q %d\n", s.Name, s.Serial)
	}
	fmt.Fprint(f, total)
	return strconv.FormatUint(f.Sum64(), 36)
}

// lookUp finds the plugin of a request's path.
func (h *shop) lookUp(r *http.Request) (catalog.Plugin, error) {
	id, err := pluginID(r)
	if err != nil {
		return catalog.Plugin{}, err
	}
	return h.m.Plugin(id)
}

// newest returns the release that a detail page is about.
func newest(p catalog.Plugin) (catalog.Release, error) {
	if p.Latest == "" && len(p.Releases) > 0 {
		return p.Releases[0], nil
	}
	return release(p, p.Latest)
}

type detailJSON struct {
	pluginJSON
	Publisher   catalog.Publisher    `json:"publisher"`
	Advisories  []catalog.Advisory   `json:"advisories"`
	Permissions []permissionJSON     `json:"permissions"`
	Needs       []catalog.Dependency `json:"dependencies"`
	Screenshots int                  `json:"screenshots"`
}

type permissionJSON struct {
	Permission string `json:"permission"`
	Risk       string `json:"risk"`
	Verdict    string `json:"verdict"`
	Sentence   string `json:"sentence"`
	Reason     string `json:"reason,omitempty"`
	Optional   bool   `json:"optional"`
}

func (h *shop) apiPlugin(w http.ResponseWriter, r *http.Request, a Actor) error {
	p, err := h.lookUp(r)
	if err != nil {
		return err
	}
	on := h.panel()
	d := h.describe(on, a, p)
	out := detailJSON{
		pluginJSON: h.pluginJSON(on, a, p.Listing, p.Source, p.Stats), Publisher: p.Publisher, Advisories: notNil(p.Advisories),
		Permissions: permissionsJSON(d.Rules), Needs: notNil(d.Release.Manifest.Dependencies), Screenshots: len(d.Release.Manifest.Screenshots),
	}
	out.Publisher.Signers = notNil(out.Publisher.Signers)
	out.State, out.Why = d.Standing.word(), d.Standing.Why
	h.writeJSON(w, http.StatusOK, out)
	return nil
}

type versionJSON struct {
	Version   string        `json:"version"`
	Digest    string        `json:"digest"`
	Size      int64         `json:"size"`
	State     catalog.State `json:"state,omitempty"`
	Reason    string        `json:"reason,omitempty"`
	Published time.Time     `json:"published"`
	Notes     string        `json:"notes,omitempty"` // Markdown
}

func versionOf(r catalog.Release) versionJSON {
	return versionJSON{r.Version, string(r.Digest), r.Size, r.State, r.Reason, r.Published, r.Notes}
}

func (h *shop) apiVersions(w http.ResponseWriter, r *http.Request, _ Actor) error {
	p, err := h.lookUp(r)
	if err != nil {
		return err
	}
	out := []versionJSON{}
	for _, rel := range p.Releases {
		out = append(out, versionOf(rel))
	}
	h.writeJSON(w, http.StatusOK, map[string]any{"versions": out})
	return nil
}

func (h *shop) apiReadme(w http.ResponseWriter, r *http.Request, _ Actor) error {
	p, err := h.lookUp(r)
	if err != nil {
		return err
	}
	rel, err := newest(p)
	if err != nil {
		return err
	}
	html, err := h.readme(r.Context(), rel)
	if err != nil {
		return err
	}
	h.writeJSON(w, http.StatusOK, map[string]any{"version": rel.Version, "html": string(html)})
	return nil
}

// apiScreenshot serves the n-th screenshot of the newest release, from 0.
func (h *shop) apiScreenshot(w http.ResponseWriter, r *http.Request, _ Actor) error {
	p, err := h.lookUp(r)
	if err != nil {
		return err
	}
	rel, err := newest(p)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(r.PathValue("n"))
	if err != nil || n < 0 || n >= len(rel.Manifest.Screenshots) {
		return fmt.Errorf("screenshot of %s: %w", rel.Ref, catalog.ErrNotFound)
	}
	return h.picture(w, r, rel, rel.Manifest.Screenshots[n].File)
}

type installedJSON struct {
	ID          catalog.PluginID `json:"id"`
	Version     string           `json:"version"`
	Source      string           `json:"source"`
	Digest      string           `json:"digest"`
	Signer      string           `json:"signer"`
	Root        bool             `json:"root"`
	Enabled     bool             `json:"enabled"`
	Since       time.Time        `json:"since"`
	Permissions []string         `json:"permissions"` // granted
	State       string           `json:"state"`
	Why         string           `json:"why,omitempty"`
	Cause       string           `json:"cause,omitempty"` // what a crashed one said
	Newest      string           `json:"newest,omitempty"`
}

func (h *shop) installedOf(on panel, a Actor, i install.Installed) installedJSON {
	s := h.installedStanding(on, a, i)
	out := installedJSON{i.Plugin, i.Version, i.Source, string(i.Digest), i.Signer, i.Root, i.Enabled, i.Since, []string{}, s.word(), s.Why, s.Cause, s.Newest}
	for p := range i.Grants.All() {
		out.Permissions = append(out.Permissions, string(p))
	}
	return out
}

func (h *shop) apiInstalled(w http.ResponseWriter, r *http.Request, a Actor) error {
	out := []installedJSON{}
	all := h.m.Installed()
	ctx, cancel := context.WithTimeout(r.Context(), healthWait)
	defer cancel()
	h.healths(ctx, all)
	on := h.panel()
	for _, i := range all {
		out = append(out, h.installedOf(on, a, i))
	}
	h.writeJSON(w, http.StatusOK, map[string]any{"installed": out})
	return nil
}

type offerJSON struct {
	Plugin  catalog.PluginID `json:"plugin"`
	From    string           `json:"from"`
	To      versionJSON      `json:"to"`
	Verdict string           `json:"verdict"`
	Until   time.Time        `json:"until,omitzero"`
	Why     []string         `json:"why"`
	Wider   bool             `json:"wider"`
	Added   []string         `json:"added"` // permissions added or widened
}

// failureJSON is a release that did not work here.
type failureJSON struct {
	Plugin  catalog.PluginID `json:"plugin"`
	Version string           `json:"version"`
	Digest  string           `json:"digest"`
	Count   int              `json:"count"`
	Last    time.Time        `json:"last"`
	Next    time.Time        `json:"next,omitzero"` // not tried again by itself before
	Error   string           `json:"error"`
}

func (h *shop) apiUpdates(w http.ResponseWriter, r *http.Request, _ Actor) error {
	offers, err := h.m.Offers(r.Context())
	if err != nil {
		return err
	}
	out := []offerJSON{}
	state := h.m.UpdateState()
	for _, o := range offers {
		j := offerJSON{o.Plugin, o.From.Version, versionOf(o.To), string(o.Decision.Verdict), o.Decision.Until, notNil(h.reasons(o, state)), o.Risk.Wider, []string{}}
		for _, c := range append(o.Risk.Permissions.Added[:len(o.Risk.Permissions.Added):len(o.Risk.Permissions.Added)], o.Risk.Permissions.Widened...) {
			j.Added = append(j.Added, string(c.Permission))
		}
		out = append(out, j)
	}
	tried := []failureJSON{}
	for _, f := range state.Failures {
		tried = append(tried, failureJSON{f.Ref.Plugin, f.Ref.Version, string(f.Digest), f.Count, f.Last, f.Next, oneLine(f.Error, maxCause)})
	}
	h.writeJSON(w, http.StatusOK, map[string]any{"updates": out, "failures": tried})
	return nil
}

func (h *shop) apiHistory(w http.ResponseWriter, _ *http.Request, _ Actor) error {
	entries, err := h.m.History()
	if err != nil {
		return err
	}
	entries = slices.Clone(entries) // the market may hold them
	for i := range entries {
		e := &entries[i]
		e.Changes, e.Title, e.Says = notNil(e.Changes), h.said(e.Says, e.Title), phrase.Phrase{}
		e.Error = oneLine(e.Error, maxCause)
	}
	generations, err := h.m.Generations()
	if err != nil {
		return err
	}
	points := []apiGeneration{}
	for i, g := range generations {
		at := h.point(g, generations[0], i == 0)
		p := apiGeneration{g.N, g.Time, g.Actor, h.said(g.Says, g.Reason), map[catalog.PluginID]string{}, at.Current, notNil(at.Lines), notNil(at.Lost), notNil(at.Barred), at.Yet}
		for id, in := range g.Plugins {
			p.Plugins[id] = in.Version
		}
		points = append(points, p)
	}
	h.writeJSON(w, http.StatusOK, map[string]any{"history": notNil(entries), "generations": points})
	return nil
}

// apiGeneration is a set that a rollback may go back to.
type apiGeneration struct {
	N       uint64                      `json:"n"`
	Time    time.Time                   `json:"time"`
	Actor   string                      `json:"actor"`
	Reason  string                      `json:"reason"`
	Plugins map[catalog.PluginID]string `json:"plugins"` // versions
	Current bool                        `json:"current"`
	Changes []string                    `json:"changes"`  // what going back would change, for people
	Lost    []string                    `json:"lost"`     // whose data would be as it was then, for people
	Barred  []string                    `json:"barred"`   // why it is not possible, for people; empty: it is
	Yet     bool                        `json:"override"` // barred, but possible with override for who may agree to high risks
}
