package main

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/souk-dev/souk/marketplace/store"
	"github.com/souk-dev/souk/marketplace/store/storetest"
	"github.com/souk-dev/souk/marketplace/ui"
)

//go:embed web/*
var web embed.FS

var templates = template.Must(template.ParseFS(web, "web/*.html"))

// maxMounts is how many stores are kept: each holds its texts and templates, and an older
// one is made again when it is asked for.
const maxMounts = 24

// book is the server of all stories.
type book struct {
	stories []story
	assets  *ui.Assets

	mu     sync.Mutex
	mounts map[string]*mount // by variant and story
	order  []string          // oldest first
}

// mount is a story in a variant: a store with its market, and what opening it answered.
type mount struct {
	base   string
	store  http.Handler
	answer *httptest.ResponseRecorder
}

func newBook() (*book, error) {
	b := &book{stories: all(), mounts: map[string]*mount{}}
	if err := check(b.stories); err != nil {
		return nil, err
	}
	var err error
	b.assets, err = ui.NewAssets("/assets/")
	return b, err
}

// handler answers: / the index, /stories.json the same for tests, /s/ the opening of a
// story, /m/ the stores, /f/ a story in frames of several widths.
func (b *book) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", b.index)
	mux.HandleFunc("GET /stories.json", b.list)
	mux.HandleFunc("GET /s/{variant}/{story}", b.open)
	mux.HandleFunc("GET /f/{variant}/{story}", b.frames)
	mux.HandleFunc("/m/{variant}/{story}/{path...}", b.serve)
	mux.Handle("GET /assets/", b.assets)
	mux.Handle("GET /web/book.css", http.FileServerFS(web))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

// find returns a story by its id.
func (b *book) find(id string) (story, bool) {
	i := slices.IndexFunc(b.stories, func(s story) bool { return s.ID == id })
	if i < 0 {
		return story{}, false
	}
	return b.stories[i], true
}

// stage makes the store of a story and opens it. The same story twice is two markets.
func stage(s story, v variant) (*mount, error) {
	sc := &scene{market: storetest.NewMarket(), actor: administrator}
	if s.Set != nil {
		s.Set(sc)
	}
	m := &mount{base: "/m/" + v.String() + "/" + s.ID + "/"}
	o := store.Options{
		BasePath: m.base, Now: func() time.Time { return storetest.Now },
		Actor: func(*http.Request) (store.Actor, error) { return sc.actor, sc.err },
	}
	v.apply(sc, &o)
	if sc.hub != nil {
		sc.hub.In(&o)
	}
	for _, f := range sc.more {
		f(&o)
	}
	var market store.Market = sc.market
	if sc.slow > 0 {
		market = slowMarket{sc.market, sc.slow}
	}
	h, err := store.New(market, o)
	if err != nil {
		return nil, fmt.Errorf("story %s: %w", s.ID, err)
	}
	m.store = h
	method, body := http.MethodGet, ""
	if s.Form != nil {
		method, body = http.MethodPost, s.Form.Encode()
	}
	r := httptest.NewRequest(method, "http://127.0.0.1"+m.base+s.Path, strings.NewReader(body))
	maps.Copy(r.Header, s.Header)
	if s.Form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if s.Host != "" {
		r.Host = s.Host
	}
	m.answer = httptest.NewRecorder()
	h.ServeHTTP(m.answer, r)
	return m, nil
}

// leads returns where the opening of a story leads: to the page that a form was answered
// with, to the page of the story, or nowhere when the answer itself is the story.
func (m *mount) leads(s story) string {
	to := m.answer.Header().Get("Location")
	switch {
	case m.answer.Code == http.StatusSeeOther && strings.HasPrefix(to, m.base):
		return to
	case s.Form == nil && s.Host == "" && s.Header == nil:
		return m.base + s.Path
	}
	return ""
}

// open begins a story anew; with ?again=1 it leads to the one that was begun.
func (b *book) open(w http.ResponseWriter, r *http.Request) {
	s, ok := b.find(r.PathValue("story"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	m, err := b.mount(s, parseVariant(r.PathValue("variant")), r.URL.Query().Get("again") == "")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if to := m.leads(s); to != "" {
		http.Redirect(w, r, to, http.StatusFound)
		return
	}
	maps.Copy(w.Header(), m.answer.Header())
	w.WriteHeader(m.answer.Code)
	_, _ = w.Write(m.answer.Body.Bytes()) // the browser went away
}

// mount returns the store of a story: a new one, or the one that is there.
func (b *book) mount(s story, v variant, anew bool) (*mount, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	key := v.String() + "/" + s.ID
	if m, ok := b.mounts[key]; ok && !anew {
		return m, nil
	}
	m, err := stage(s, v)
	if err != nil {
		return nil, err
	}
	b.order = append(slices.DeleteFunc(b.order, func(k string) bool { return k == key }), key)
	b.mounts[key] = m
	if len(b.order) > maxMounts {
		delete(b.mounts, b.order[0])
		b.order = b.order[1:]
	}
	return m, nil
}

// serve answers below the store of a story.
func (b *book) serve(w http.ResponseWriter, r *http.Request) {
	s, ok := b.find(r.PathValue("story"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	v := parseVariant(r.PathValue("variant"))
	m, err := b.mount(s, v, false)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if !strings.HasPrefix(r.URL.Path, m.base) { // a variant written another way
		http.Redirect(w, r, "/s/"+v.String()+"/"+s.ID, http.StatusFound)
		return
	}
	m.store.ServeHTTP(w, r)
}

// group is the stories of a page.
type group struct {
	Page    string
	Stories []story
}

func (b *book) index(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	v := parseVariant(strings.Join(append(q["v"], q.Get("colours"), q.Get("language"), q.Get("hub"), q.Get("mode")), "."))
	var groups []group
	for _, s := range b.stories {
		if n := len(groups); n > 0 && groups[n-1].Page == s.Page {
			groups[n-1].Stories = append(groups[n-1].Stories, s)
		} else {
			groups = append(groups, group{s.Page, []story{s}})
		}
	}
	b.show(w, "index.html", map[string]any{"Groups": groups, "Variant": v.String(), "Scheme": v.scheme, "Choices": v.choices(), "N": len(b.stories)})
}

func (b *book) frames(w http.ResponseWriter, r *http.Request) {
	s, ok := b.find(r.PathValue("story"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	v := parseVariant(r.PathValue("variant"))
	b.show(w, "frames.html", map[string]any{"Story": s, "Variant": v.String(), "Scheme": v.scheme, "Widths": []int{320, 768, 1280}})
}

func (b *book) show(w http.ResponseWriter, name string, data map[string]any) {
	data["Head"] = b.assets.Head()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", store.ContentSecurityPolicy+"; frame-src 'self'")
	_ = templates.ExecuteTemplate(w, name, data) // the browser went away
}

// list is the index for tests: what to open and what to do then.
func (b *book) list(w http.ResponseWriter, _ *http.Request) {
	type entry struct {
		ID      string `json:"id"`
		Page    string `json:"page"`
		Name    string `json:"name"`
		Status  int    `json:"status"`
		Plain   bool   `json:"plain,omitempty"`
		Offline bool   `json:"offline,omitempty"`
		Press   string `json:"press,omitempty"`
		Type    string `json:"type,omitempty"`
	}
	out := make([]entry, len(b.stories))
	for i, s := range b.stories {
		out[i] = entry{s.ID, s.Page, s.Name, s.status(), s.Plain, s.Offline, s.Press, s.Type}
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(out) // the client went away
}

func (s story) status() int {
	if s.Status == 0 {
		return http.StatusOK
	}
	return s.Status
}
